"""How broadly an answer is supported: all along the data, by cues of different kinds, by every sensor.

A chance agreement usually lives in one moment or in one signal; the truth shows in all of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.tasks.sync.cues import Pairing
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.hypothesis import Hypothesis

LONGEST_S = 60.0
"""Support is looked at in this much of the reference about the middle of the overlap."""
PARTS = 4


@dataclass(frozen=True)
class Support:
    """Evidence at the answer's lag, nats, in parts of the overlap's time, by kind of cue, and by sensor; and the
    seconds of overlap, summed over the sensors.
    """

    parts: tuple[float, ...]
    kinds: tuple[float, ...]
    sensors: tuple[float, ...]
    data_s: float


def support(hypothesis: Hypothesis, lag_s: float, start_s: float, end_s: float) -> Support:
    """Evidence at a lag of the reference between start_s and end_s, the overlap: in PARTS equal parts, and whole."""
    rate = hypothesis.rate_hz
    middle_s = (start_s + end_s) / 2
    reach_s = max(min((end_s - start_s) / 2, LONGEST_S / 2), 0.0)
    lag = round(lag_s * rate)
    edges = [round((middle_s + x) * rate) for x in np.linspace(-reach_s, reach_s, PARTS + 1)]
    parts = np.zeros(PARTS)
    kinds: dict[str, float] = {}
    sensors = []
    data_s = 0.0
    for own in hypothesis.options:
        pairing = next(iter(own.values()))
        for part, (start, stop) in enumerate(itertools.pairwise(edges)):
            nats, _ = _at(pairing, start, stop, lag, rate)
            parts[part] += nats.sum()
        nats, overlap_s = _at(pairing, edges[0], edges[-1], lag, rate)
        sensors.append(float(nats.sum()))
        data_s += overlap_s
        for cue, value in zip(pairing.cues, nats, strict=True):
            kinds[cue.name] = kinds.get(cue.name, 0.0) + float(value)
    return Support(tuple(parts.tolist()), tuple(kinds.values()), tuple(sensors), data_s)


def _at(pairing: Pairing, start: int, stop: int, lag: int, rate_hz: float) -> tuple[FloatArray, float]:
    """Evidence (cues,) of the reference's grid indices [start, stop) at the best of the lag and its neighbours, and
    the overlap in seconds.
    """
    y0, y1 = max(start - pairing.y_first, 0), max(stop - pairing.y_first, 0)
    x0, x1 = max(start - lag - 1 - pairing.x_first, 0), max(stop - lag + 1 - pairing.x_first, 0)
    x, y = pairing.x[x0:x1], pairing.y[y0:y1]
    if x.shape[0] < 2 or y.shape[0] < 2:
        return np.zeros(len(pairing.cues)), 0.0
    shift = (y0 + pairing.y_first) - (x0 + pairing.x_first)
    nats, overlap_s = lagged_evidence(x, y, pairing.cues, lag - 1 - shift, lag + 1 - shift, rate_hz)
    best = int(np.argmax(nats.sum(axis=1)))
    return nats[best], float(overlap_s[best])
