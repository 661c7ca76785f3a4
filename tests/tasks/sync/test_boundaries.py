"""Where a recorder jumped, on its own clock."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind import ClockMap, Imu
from kinebind.tasks.sync.boundaries import STEP_S, boundaries_s
from kinebind.tasks.sync.cues import felt
from kinebind.tasks.sync.follow import follow
from kinebind.tasks.sync.hypothesis import Hypothesis, worn_by
from kinebind.tasks.sync.limb_signals import track
from kinebind.tasks.sync.pieces import Line, Windows, fit_line, fit_pieces
from kinebind.tasks.sync.search import Guess

TRUTH_S = 1.5
POSES, IMUS = made_up_body.take(8, 160.0, ClockMap(TRUTH_S, 0.0, 70.0))
RANGE_S = (-100.0, 100.0)


def worn(imus: tuple[Imu, ...]) -> Hypothesis:
    return worn_by(tuple(felt(imu) for imu in imus), track(POSES), "1")


def jumped(imu: Imu, at_s: float, by_s: float) -> Imu:
    """Positive: the recorder stops for so long and counts on as if it had not; negative: its clock leaps ahead."""
    cut = imu.take((imu.time_s < at_s) | (imu.time_s >= at_s + by_s))
    return cut.replace(time_s=np.where(cut.time_s < at_s, cut.time_s, cut.time_s - by_s))


def followed(hypothesis: Hypothesis, *lags_s: float) -> Windows:
    return follow(hypothesis, [Guess(lag_s, 0.0, 80.0, 100.0, ()) for lag_s in lags_s], RANGE_S)


@pytest.mark.parametrize(("at_s", "by_s"), [(83.0, 0.7), (61.5, 6.0), (70.0, 40.0), (77.0, -9.0)])
def test_a_jump_is_placed_to_about_a_second(at_s, by_s):
    hypothesis = worn(tuple(jumped(imu, at_s, by_s) for imu in IMUS))
    lines = fit_pieces(followed(hypothesis, TRUTH_S, TRUTH_S + by_s))
    assert len(lines) == 2
    (found_s,) = boundaries_s(hypothesis, lines)
    # A clock that leapt ahead has no time in between, so any moment of the leap is right.
    assert at_s - 2.0 * STEP_S <= found_s <= at_s + max(-by_s, 0.0) + 2.0 * STEP_S


def test_a_single_line_has_no_boundaries():
    assert boundaries_s(worn(IMUS), fit_pieces(followed(worn(IMUS), TRUTH_S))) == []


def test_boundaries_are_in_order():
    """A piece of one window that nothing speaks for has no length, but no negative one either."""
    hypothesis = worn(IMUS)
    windows = followed(hypothesis, TRUTH_S, 30.0)

    def piece(start: int, stop: int, block: int) -> tuple[Line, Windows]:
        part = windows.part(start, stop, block)
        lag_s = (TRUTH_S, 30.0)[block]
        return fit_line(part, np.full(stop - start, lag_s), float(part.centre_s.mean())), part

    first_s, second_s = boundaries_s(hypothesis, [piece(0, 7, 0), piece(7, 8, 1), piece(8, 14, 0)])
    assert first_s <= second_s


def test_windows_that_see_another_line_do_not_tell():
    """In a pause, the windows that a piece was given hold evidence of chance beside its line: it has no say."""
    at_s, by_s = 70.0, 40.0
    hypothesis = worn(tuple(jumped(imu, at_s, by_s) for imu in IMUS))
    lines = fit_pieces(followed(hypothesis, TRUTH_S, TRUTH_S + by_s))
    loud = []
    for line, part in lines:
        nats = part.nats.copy()
        nats[(part.centre_s > 85.0) & (part.centre_s < 100.0), 0] = 30.0  # a second away from the line
        loud.append((line, Windows(part.centre_s, part.lag, nats, part.block)))
    assert boundaries_s(hypothesis, loud) == boundaries_s(hypothesis, lines)
