"""Windows along the reference: they keep to the asked offsets, and what the guesses leave out is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import made_up_body
from kinebind import ClockMap, Imu, Recording, sync
from kinebind.tasks.sync.cues import felt
from kinebind.tasks.sync.follow import BAND_S, LONG_HOP_S, WINDOW_S, follow
from kinebind.tasks.sync.hypothesis import Hypothesis, window_evidence, worn_by
from kinebind.tasks.sync.limb_signals import RATE_HZ, track
from kinebind.tasks.sync.pieces import Windows, fit_pieces
from kinebind.tasks.sync.search import Guess

TRUTH_S = 1.5
LENGTH_S = 160.0
POSES, IMUS = made_up_body.take(8, LENGTH_S, ClockMap(TRUTH_S, 0.0, 70.0))
RANGE_S = (-100.0, 100.0)


def worn(imus: tuple[Imu, ...]) -> Hypothesis:
    return worn_by(tuple(felt(imu) for imu in imus), track(POSES), "1")


WHOLE = worn(IMUS)


def guess(lag_s: float, slope: float = 0.0) -> Guess:
    return Guess(lag_s, slope, LENGTH_S / 2, 100.0, ())


def stopped(imu: Imu, at_s: float, for_s: float) -> Imu:
    cut = imu.take((imu.time_s < at_s) | (imu.time_s >= at_s + for_s))
    return cut.replace(time_s=np.where(cut.time_s < at_s, cut.time_s, cut.time_s - for_s))


def blocks(windows: Windows) -> list[np.ndarray]:
    return [windows.lag[:, windows.block == b] for b in np.unique(windows.block)]


# -- windows ---------------------------------------------------------------------------------------------------


def test_windows_cover_the_reference_and_hold_its_evidence():
    windows = follow(WHOLE, [guess(TRUTH_S)], RANGE_S)
    assert windows.centre_s[0] == pytest.approx(WHOLE.first / RATE_HZ + WINDOW_S / 2)
    np.testing.assert_allclose(np.diff(windows.centre_s)[:-1], WINDOW_S / 2)
    (lag,) = blocks(windows)
    assert lag[0, -1] - lag[0, 0] == round(2 * BAND_S * RATE_HZ)
    tops = lag[np.arange(lag.shape[0]), np.argmax(windows.nats, axis=1)] / RATE_HZ
    np.testing.assert_allclose(tops, TRUTH_S, atol=0.06)
    start = round((windows.centre_s[3] - WINDOW_S / 2) * RATE_HZ)
    direct, _ = window_evidence(WHOLE, start, start + round(WINDOW_S * RATE_HZ), int(lag[3, 0]), int(lag[3, -1]))
    # Neighbours have half of their data in common, so each counts for half.
    np.testing.assert_allclose(windows.nats[3], 0.5 * sum(next(iter(own.values())) for own in direct), atol=1e-6)


def test_a_short_reference_is_one_window():
    short = replace(WHOLE, stop=WHOLE.first + round(25 * RATE_HZ))
    assert follow(short, [guess(TRUTH_S)], RANGE_S).centre_s.size == 1


def test_guesses_in_each_other_s_band_are_one_block():
    assert len(blocks(follow(WHOLE, [guess(TRUTH_S), guess(TRUTH_S + 0.3), guess(40.0)], RANGE_S))) == 2


def test_a_long_reference_is_followed_every_half_minute():
    """The sensors felt the first minutes alone; the rest of the reference is empty."""
    long = replace(WHOLE, stop=WHOLE.first + round(1000 * RATE_HZ))
    windows = follow(long, [guess(TRUTH_S)], RANGE_S)
    np.testing.assert_allclose(np.diff(windows.centre_s)[:-1], LONG_HOP_S)
    assert not windows.nats[-3:].any()


# -- the asked range -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low_s", "high_s"), [(1.2, 9.0), (-9.0, 1.61), (1.47, 1.58), (1.497, 1.503)])
@pytest.mark.parametrize("slope", [0.0, 1e-3])
def test_no_offset_outside_the_range_is_looked_at(low_s, high_s, slope):
    windows = follow(WHOLE, [guess(TRUTH_S, slope)], (low_s, high_s))
    lag_s = windows.lag / RATE_HZ
    room_s = 0.0 if high_s - low_s > 0.05 else 2.0 / RATE_HZ  # a line needs three lags to be fitted through
    assert lag_s.min() >= low_s - room_s - 1e-9
    assert lag_s.max() <= high_s + room_s + 1e-9
    assert (np.diff(windows.lag, axis=1) == 1).all()
    assert np.isfinite(fit_pieces(windows)[0][0].offset_s)


@pytest.mark.parametrize(("low_s", "high_s"), [(0.3, 5.0), (-5.0, -0.3)])
def test_no_answer_lies_outside_the_range(low_s, high_s):
    clip = made_up_body.clip(1)
    truth_s = clip.truth["recorder"].offset_s
    answer = sync(clip.recording, search_s=(truth_s + low_s, truth_s + high_s)).answers[0]
    assert low_s - 0.01 <= answer.clock.offset_s - truth_s <= high_s + 0.01
    assert not answer.answered


# -- what is left out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_s", "for_s", "known"), [(125.0, 6.0, 0), (110.0, 25.0, 0), (28.0, 6.0, 1), (24.0, 30.0, 1)]
)
def test_a_short_piece_that_no_guess_knows_is_found(at_s, for_s, known):
    """The last piece of half a minute, and the first."""
    hypothesis = worn(tuple(stopped(imu, at_s, for_s) for imu in IMUS))
    lags_s = [TRUTH_S, TRUTH_S + for_s]
    lines = fit_pieces(follow(hypothesis, [guess(lags_s[known])], RANGE_S))
    assert [line.offset_s for line, _ in lines] == pytest.approx(lags_s, abs=0.05)


def test_nothing_is_left_out_of_one_piece():
    assert len(blocks(follow(WHOLE, [guess(TRUTH_S)], RANGE_S))) == 1


def test_sensors_that_somebody_else_puts_on_at_the_end_make_no_piece():
    _, others = made_up_body.take(9, LENGTH_S, ClockMap(TRUTH_S, 0.0, 70.0))
    changed = []
    for own, other in zip(IMUS, others, strict=True):
        later = own.time_s > 110.0
        theirs = other.take(other.time_s > 110.0)
        changed.append(
            own.replace(
                time_s=np.concatenate([own.time_s[~later], theirs.time_s]),
                acc_sensor=np.concatenate([own.acc_sensor[~later], theirs.acc_sensor]),
                gyr_sensor=np.concatenate([own.gyr_sensor[~later], theirs.gyr_sensor]),
            )
        )
    lines = fit_pieces(follow(worn(tuple(changed)), [guess(TRUTH_S)], RANGE_S))
    assert [line.offset_s for line, _ in lines] == pytest.approx([TRUTH_S], abs=0.03)


def test_where_little_is_known_nothing_more_is_looked_for():
    """A guess that hardly any window agrees with is no reason to search for pieces beside it."""
    assert len(blocks(follow(WHOLE, [guess(60.0)], RANGE_S))) == 1


def test_a_recording_of_few_clips_again_and_again():
    """A clip that comes again fits anywhere it does; the pause of 40 s must not be filled by what was before it."""
    poses, imus = made_up_body.chained(3, (14, 23), 240.0, ClockMap(0.5, 1e-4, 120.0))
    answer = sync(Recording((poses,), tuple(stopped(imu, 120.0, 40.0) for imu in imus))).answers[0]
    imu_s = np.concatenate([np.arange(5.0, 110.0), np.arange(130.0, 195.0)])
    true_s = ClockMap(0.5, 1e-4, 120.0).to_video(np.where(imu_s < 120.0, imu_s, imu_s + 40.0))
    assert np.abs(answer.to_video(imu_s) - true_s).max() < 0.05
