"""Where exactly a recorder jumped: the moment at which one line of lags stops to fit and the next begins."""

from __future__ import annotations

import itertools

import numpy as np

from kinebind.tasks.sync.hypothesis import Hypothesis, summed, window_evidence
from kinebind.tasks.sync.pieces import Line, Windows

LOOK_S = 4.0
STEP_S = 1.0
"""Short windows that are asked which of the two lines they follow: a jump is placed to about half a second."""


def boundaries_s(hypothesis: Hypothesis, lines: list[tuple[Line, Windows]]) -> list[float]:
    """The moments on the reference's clock between consecutive lines, seconds."""
    return [_boundary_s(hypothesis, before, after) for before, after in itertools.pairwise(lines)]


def _boundary_s(hypothesis: Hypothesis, before: tuple[Line, Windows], after: tuple[Line, Windows]) -> float:
    """The split of the stretch between two pieces' windows that gives each side the line it has more evidence for."""
    rate = hypothesis.rate_hz
    gap_s = float(after[1].centre_s[0] - before[1].centre_s[-1])
    low_s, high_s = before[1].centre_s[-1] - gap_s, after[1].centre_s[0] + gap_s
    centres_s = np.arange(max(low_s, hypothesis.first / rate), min(high_s, hypothesis.stop / rate), STEP_S)
    if centres_s.size < 2:
        return float(before[1].centre_s[-1] + gap_s / 2)
    preference = np.zeros(centres_s.size)
    for k, centre_s in enumerate(centres_s):
        start, stop = round((centre_s - LOOK_S / 2) * rate), round((centre_s + LOOK_S / 2) * rate)
        start, stop = max(start, hypothesis.first), min(stop, hypothesis.stop)
        nats = []
        for line, _ in (before, after):
            lag = round(float(line.at(centre_s)) * rate)
            per_sensor, _ = window_evidence(hypothesis, start, stop, lag - 1, lag + 1)
            nats.append(float(summed(per_sensor)[1]))
        preference[k] = nats[0] - nats[1]
    # Everything left of the split should prefer the line before, everything right of it the line after.
    gained = np.concatenate([[0.0], np.cumsum(preference)])
    split = int(np.argmax(2 * gained - gained[-1]))
    return float(centres_s[min(split, centres_s.size - 1)] - STEP_S / 2)
