"""How broadly an answer is supported: all along the data, by cues of different kinds.

A chance agreement usually lives in one moment or in one signal; the truth shows in all of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.tasks.sync.cues import Pairing
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.hypothesis import Hypothesis
from kinebind.tasks.sync.token_evidence import CUES_BESIDE, TokenPair, token_evidence

LONGEST_S = 60.0
"""Support is looked at in this much of the reference about the middle of what is seen."""
PARTS = 4


@dataclass(frozen=True)
class Support:
    """Evidence at the answer's lag, nats, in parts of the overlap's time and by kind of cue; and the seconds of
    overlap, summed over the sensors.
    """

    parts: tuple[float, ...]
    kinds: tuple[float, ...]
    data_s: float


def support(hypothesis: Hypothesis, lag_s: float, start_s: float, end_s: float) -> Support:
    """Evidence at a lag of the reference between start_s and end_s, the overlap: in PARTS equal parts, and whole."""
    rate = hypothesis.rate_hz
    lag = round(lag_s * rate)
    seen = _seen(hypothesis, round(start_s * rate), round(end_s * rate))
    reach = round(LONGEST_S / 2 * rate)
    middle = int(seen[seen.size // 2])
    whole = (max(int(seen[0]), middle - reach), min(int(seen[-1]) + 1, middle + reach))
    # A person who leaves the image for minutes leaves no part empty: parts hold equally much of what is seen.
    edges = seen[np.linspace(0, seen.size - 1, PARTS + 1).round().astype(np.int64)]
    stretches = []
    for first, last in itertools.pairwise(edges.tolist()):
        centre, half = (first + last) // 2, min((last - first + 1) // 2, reach // PARTS)
        stretches.append((centre - half, centre + half))
    parts = np.zeros(PARTS)
    kinds: dict[str, float] = {}
    data_s = 0.0
    for own in hypothesis.options:
        pairing = next(iter(own.values()))
        for part, (start, stop) in enumerate(stretches):
            own_kinds, _ = _at(pairing, start, stop, lag, rate)
            parts[part] += sum(own_kinds.values())
        own_kinds, overlap_s = _at(pairing, *whole, lag, rate)
        data_s += overlap_s
        for name, value in own_kinds.items():
            kinds[name] = kinds.get(name, 0.0) + value
    return Support(tuple(parts.tolist()), tuple(kinds.values()), data_s)


def _seen(hypothesis: Hypothesis, start: int, stop: int) -> npt.NDArray[np.int64]:
    """The reference's grid indices in [start, stop) at which some limb is seen; all of them where none ever is."""
    seen = np.zeros(max(stop - start, 1), dtype=bool)
    for own in hypothesis.options:
        pairing = next(iter(own.values()))
        valid = np.flatnonzero(np.isfinite(pairing.y).all(axis=1)) + pairing.y_first - start
        seen[valid[(valid >= 0) & (valid < seen.size)]] = True
    return np.flatnonzero(seen if seen.any() else ~seen) + start


def _at(pairing: Pairing, start: int, stop: int, lag: int, rate_hz: float) -> tuple[dict[str, float], float]:
    """Evidence by kind of cue of the reference's grid indices [start, stop) at the best of the lag and its neighbours,
    and the overlap in seconds.
    """
    y0, y1 = max(start - pairing.y_first, 0), max(stop - pairing.y_first, 0)
    x0, x1 = max(start - lag - 1 - pairing.x_first, 0), max(stop - lag + 1 - pairing.x_first, 0)
    x, y = pairing.x[x0:x1], pairing.y[y0:y1]
    if x.shape[0] < 2 or y.shape[0] < 2:
        return {cue.name: 0.0 for cue in pairing.cues}, 0.0
    shift = (y0 + pairing.y_first) - (x0 + pairing.x_first)
    nats, overlap_s = lagged_evidence(x, y, pairing.cues, lag - 1 - shift, lag + 1 - shift, rate_hz)
    if pairing.learned is not None:
        nats = CUES_BESIDE * nats
    total = nats.sum(axis=1)
    if pairing.learned is not None:
        told = _told(pairing.learned, start, stop, lag)
        total = total + told
    best = int(np.argmax(total))
    kinds: dict[str, float] = {}
    for cue, value in zip(pairing.cues, nats[best], strict=True):
        kinds[cue.name] = kinds.get(cue.name, 0.0) + float(value)
    if pairing.learned is not None:
        kinds["learned"] = float(told[best])
    return kinds, float(overlap_s[best])


def _told(pair: TokenPair, start: int, stop: int, lag: int) -> FloatArray:
    """The universal model's evidence (3,) at the lag and its neighbours."""
    y0, y1 = max(start - pair.y.first, 0), max(stop - pair.y.first, 0)
    x0, x1 = max(start - lag - 1 - pair.x.first, 0), max(stop - lag + 1 - pair.x.first, 0)
    x, y = pair.x.rows[x0:x1], pair.y.rows[y0:y1]
    if x.shape[0] < 2 or y.shape[0] < 2:
        return np.zeros(3)
    shift = (y0 + pair.y.first) - (x0 + pair.x.first)
    return token_evidence(x, y, lag - 1 - shift, lag + 1 - shift)
