"""Where exactly a recorder jumped: the moment at which one line of lags stops to fit and the next begins."""

from __future__ import annotations

import itertools

import numpy as np

from kinebind.clock import FloatArray
from kinebind.tasks.sync.hypothesis import Hypothesis, summed, windows_evidence
from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.pieces import Line, Windows

LOOK_S = 4.0
STEP_S = 1.0
TELLING_NATS = 5.0
"""Short windows that are asked which of the two lines they follow: a jump is placed to about half a second."""


def boundaries_s(hypothesis: Hypothesis, lines: list[tuple[Line, Windows]]) -> list[float]:
    """The moments on the IMU's clock between consecutive lines, seconds, in order."""
    found: list[float] = []
    for before, after in itertools.pairwise(lines):
        found.append(_boundary_s(hypothesis, before, after, found[-1] if found else -np.inf))
    return found


def _boundary_s(
    hypothesis: Hypothesis, before: tuple[Line, Windows], after: tuple[Line, Windows], since_s: float
) -> float:
    """The split of the IMU's time since a moment between two pieces' windows that gives each side the line with more
    evidence.

    On the IMU's clock a pause has no length, so every moment belongs to one of the lines; on the reference's, a long
    one would leave a stretch in which neither has evidence.
    """
    hop_s = float(np.diff(np.concatenate([before[1].centre_s, after[1].centre_s])).max(initial=LOOK_S))
    last_s, first_s = _telling(*before)[-1], _telling(*after)[0]
    low_s = max(last_s - float(before[0].at(last_s)) - hop_s, since_s)
    high_s = max(first_s - float(after[0].at(first_s)) + hop_s, since_s)
    centres_s = np.arange(low_s, high_s, STEP_S)
    if centres_s.size < 2:
        return (low_s + high_s) / 2
    nats = [_nats(hypothesis, line, centres_s) for line, _ in (before, after)]
    # Everything left of the split should prefer the line before, everything right of it the line after.
    gained = np.concatenate([[0.0], np.cumsum(nats[0] - nats[1])])
    split = int(np.argmax(2 * gained - gained[-1]))
    return max(float(centres_s[min(split, centres_s.size - 1)]) - STEP_S / 2, since_s)


def _telling(line: Line, windows: Windows) -> list[float]:
    """Centres of the windows that have evidence for their line; of all where none has. In a pause none has any."""
    column = np.round(line.at(windows.centre_s) * RATE_HZ).astype(np.int64) - windows.lag[:, 0]
    along = windows.nats[np.arange(column.size), np.clip(column, 0, windows.nats.shape[1] - 1)]
    some = windows.centre_s[along > TELLING_NATS]
    return [float(at_s) for at_s in (some if some.size else windows.centre_s)]


def _nats(hypothesis: Hypothesis, line: Line, imu_s: FloatArray) -> FloatArray:
    """Evidence (K,) of LOOK_S about moments (K,) of the IMU's clock, if they follow a line."""
    rate = hypothesis.rate_hz
    centre_s = imu_s + line.at(imu_s + line.offset_s)
    start = np.round((centre_s - LOOK_S / 2) * rate).astype(np.int64)
    lag = np.round(line.at(centre_s) * rate).astype(np.int64)
    return summed(windows_evidence(hypothesis, start, round(LOOK_S * rate), lag - 1, 3)[0])[:, 1]
