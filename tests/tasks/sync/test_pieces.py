"""From windows to lines: made-up evidence whose peaks lie where a clock would put them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.pieces import (
    _BIN_S,
    ADVANCE_S,
    JUMP_NATS,
    LEAST_JUMP_S,
    MAX_SKEW,
    SKEW_PRIOR,
    Windows,
    best_path,
    fit_line,
    fit_pieces,
    jump_nats,
    split_at_jumps,
)

BAND = np.arange(-50, 51)
SIGMA_S = 0.03


def windows(lag_s: np.ndarray, *, guess_s: tuple[float, ...] = (3.0,), height: np.ndarray | float = 20.0) -> Windows:
    """Windows whose evidence has its peak at lag_s (W,), of some height, over a floor of zero."""
    centre_s = 10.0 + 10.0 * np.arange(lag_s.size)
    blocks = [np.tile(round(g * RATE_HZ) + BAND, (lag_s.size, 1)) for g in guess_s]
    lag = np.concatenate(blocks, axis=1)
    away = (lag / RATE_HZ - lag_s[:, None]) / SIGMA_S
    tall = np.broadcast_to(height, lag_s.shape)[:, None]
    nats = tall * np.exp(-0.5 * away**2 / np.maximum(tall, 1e-9))  # curvature 1/σ² at the peak, whatever the height
    return Windows(centre_s, lag, nats, np.repeat(np.arange(len(guess_s)), BAND.size))


def also(w: Windows, other: Windows) -> Windows:
    """Windows that have the evidence of both at once, as where a motion is repeated."""
    return Windows(w.centre_s, w.lag, np.maximum(w.nats, other.nats), w.block)


def only_line(w: Windows):
    lines = fit_pieces(w)
    assert len(lines) == 1
    return lines[0][0]


# -- one line --------------------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(offset=st.floats(2.6, 3.4), slope=st.floats(-8e-4, 8e-4))
def test_a_line_is_found_between_the_grid_s_steps(offset, slope):
    w = windows(np.full(30, np.nan))
    ref_s = float(w.centre_s.mean())
    truth = offset + slope * (w.centre_s - ref_s)
    line = only_line(windows(truth))
    assert abs(float(line.at(ref_s)) - offset) < 0.001
    assert np.abs(line.at(w.centre_s) - truth).max() < 0.002  # the prior on the skew draws a bit


@pytest.mark.parametrize("count", [6, 30])
def test_stated_uncertainty_is_that_of_least_squares(count):
    """Peaks of width σ: offset σ/√W, slope σ/√Σ(t − t̄)² with the prior's 1/1000 beside it."""
    w = windows(np.full(count, 3.0))
    line = only_line(w)
    spread = float(((w.centre_s - w.centre_s.mean()) ** 2).sum())
    assert line.offset_std_s == pytest.approx(SIGMA_S / np.sqrt(count), rel=0.03)
    assert line.slope_std == pytest.approx((spread / SIGMA_S**2 + SKEW_PRIOR**-2) ** -0.5, rel=0.03)


def test_stated_uncertainty_holds():
    """With peaks that scatter by σ, errors over their stated deviations have the spread 1."""
    away = []
    for seed in range(40):
        rng = np.random.default_rng([41, seed])
        slope = rng.uniform(-3e-4, 3e-4)
        centre_s = 10.0 + 10.0 * np.arange(24)
        truth = 3.0 + slope * (centre_s - centre_s.mean())
        line = only_line(windows(truth + rng.normal(0.0, SIGMA_S, truth.size), height=200.0))
        middle = float(line.at(centre_s.mean()))
        away.append(((middle - 3.0) / line.offset_std_s, (line.slope - slope) / line.slope_std))
    assert 0.75 < np.std(away, axis=0)[0] < 1.3
    assert 0.7 < np.std(away, axis=0)[1] < 1.3
    assert np.abs(np.mean(away, axis=0)).max() < 0.5


def test_windows_that_see_nothing_have_no_say():
    truth = 3.0 + 2e-4 * np.arange(30) * 10.0
    all_of_them = only_line(windows(truth))
    height = np.full(30, 20.0)
    height[[2, 3, 11, 25]] = 0.0
    w = windows(truth, height=height)
    some = only_line(w)
    np.testing.assert_allclose(some.at(w.centre_s), all_of_them.at(w.centre_s), atol=0.002)
    kept = Windows(w.centre_s[height > 0], w.lag[height > 0], w.nats[height > 0], w.block)
    same = fit_line(kept, truth[height > 0], some.ref_s)
    assert some.offset_s == pytest.approx(same.offset_s, abs=1e-4)
    assert some.offset_std_s == pytest.approx(same.offset_std_s, rel=1e-2)


def test_a_few_windows_that_lie_do_not_bend_the_line():
    truth = np.full(30, 3.0)
    seen = truth.copy()
    seen[[4, 15, 22]] += [0.4, -0.5, 0.3]
    line = only_line(windows(seen, height=8.0))
    assert np.abs(line.at(10.0 + 10.0 * np.arange(30)) - 3.0).max() < 0.002


def test_one_window_has_an_offset_and_the_prior_s_skew():
    line = only_line(windows(np.array([3.013])))
    assert line.offset_s == pytest.approx(3.013, abs=0.001)
    assert abs(line.slope) < 1e-6
    assert line.slope_std == pytest.approx(SKEW_PRIOR, rel=0.01)


def test_nothing_seen_at_all_is_one_line_without_certainty():
    w = windows(np.full(10, 3.0), height=0.0)
    ((line, part),) = fit_pieces(w)
    assert part.centre_s.size == 10
    assert line.nats <= 0.0 + 1e-9
    assert not line.offset_std_s < 1.0  # large, or not a number


@pytest.mark.parametrize("start_s", [1.6e9, -1.6e9])
def test_lags_of_clocks_that_count_from_1970(start_s):
    truth = 3.007 + 1e-4 * (10.0 * np.arange(20) - 95.0)
    w = windows(truth)
    far = Windows(w.centre_s, w.lag + round(start_s * RATE_HZ), w.nats, w.block)
    near, line = only_line(w), only_line(far)
    assert line.offset_s - start_s == pytest.approx(near.offset_s, abs=1e-5)
    assert line.slope == pytest.approx(near.slope, abs=1e-6)


# -- jumps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_s", [0.2, -0.7])
@pytest.mark.parametrize("at", [5, 15, 26])
def test_a_jump_gives_two_pieces(jump_s, at):
    truth = 3.0 + 1e-4 * 10.0 * np.arange(30)
    truth[at:] += jump_s
    lines = fit_pieces(windows(truth))
    assert [part.centre_s.size for _, part in lines] == [at, 30 - at]
    for (line, part), own in zip(lines, (truth[:at], truth[at:]), strict=True):
        assert np.abs(line.at(part.centre_s) - own).max() < 0.004


def test_a_jump_far_away_is_found_in_the_other_guess_s_band():
    truth = np.full(30, 3.0)
    truth[12:] = 63.0
    lines = fit_pieces(windows(truth, guess_s=(3.0, 63.0)))
    assert [part.centre_s.size for _, part in lines] == [12, 18]
    assert [line.offset_s for line, _ in lines] == pytest.approx([3.0, 63.0], abs=0.001)
    assert all(np.unique(part.block).size == 1 for _, part in lines)


def test_back_and_forth_is_three_pieces():
    truth = np.full(40, 3.0)
    truth[12:28] += 0.5
    lines = fit_pieces(windows(truth))
    assert [part.centre_s.size for _, part in lines] == [12, 16, 12]


@pytest.mark.parametrize("by_s", [0.008, -0.015])
def test_a_wobble_below_a_frame_is_one_piece(by_s):
    truth = np.full(40, 3.0)
    truth[20:] += by_s
    line = only_line(windows(truth, height=200.0))
    assert np.abs(line.at(10.0 + 10.0 * np.arange(40)) - truth).max() < LEAST_JUMP_S


def test_two_windows_that_wander_do_not_make_pieces():
    truth = np.full(30, 3.0)
    truth[14:16] += 0.5
    line = only_line(windows(truth, height=np.where(truth > 3.2, 0.4 * JUMP_NATS, 20.0)))
    assert line.offset_s == pytest.approx(3.0, abs=0.002)


def test_drift_is_no_jump():
    """The steepest skew that is looked for moves the lag by a grid step from window to window."""
    truth = 3.0 + MAX_SKEW * 10.0 * (np.arange(30) - 14.5)
    stretches = split_at_jumps(windows(truth))
    assert [(a, b) for a, b, _, _ in stretches] == [(0, 30)]
    assert np.abs(stretches[0][3] - truth).max() < 2.0 / RATE_HZ
    assert only_line(windows(truth)).slope == pytest.approx(MAX_SKEW, rel=0.05)


def test_stretches_cover_all_windows_once():
    rng = np.random.default_rng(42)
    for _ in range(3):
        jumps = np.cumsum(rng.choice([0.0, 0.0, 0.0, 0.4, -0.4], size=25))
        w = windows(3.0 + np.clip(jumps, -0.9, 0.9), height=rng.uniform(0.0, 30.0, 25))
        stretches = split_at_jumps(w)
        assert [a for a, *_ in stretches] + [25] == [0] + [b for _, b, *_ in stretches]
        np.testing.assert_array_equal(np.concatenate([part.centre_s for _, part in fit_pieces(w)]), w.centre_s)


# -- the order of time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 12, 27])
@pytest.mark.parametrize("away_s", [100.0, -100.0])
def test_a_clip_that_is_repeated_later_makes_no_piece(at, away_s):
    """Three windows fit the repetition better than the truth, but neither clock can run back for them."""
    if (at, away_s) in ((0, 100.0), (27, -100.0)):
        at = 12  # at the very start and end, the IMU's clock may leap ahead
    height = np.zeros(30)
    height[at : at + 3] = 55.0
    guesses = (3.0, 3.0 + away_s)
    repeated = windows(np.full(30, 3.0 + away_s), guess_s=guesses, height=height)
    line = only_line(also(windows(np.full(30, 3.0), guess_s=guesses), repeated))
    assert line.offset_s == pytest.approx(3.0, abs=0.002)


@pytest.mark.parametrize("pause_s", [40.0, 90.0])
def test_a_long_pause_is_no_running_back(pause_s):
    """Nothing fits while the recorder pauses, so that the lag may grow by as long as that took."""
    truth = np.full(40, 3.0)
    inside = slice(15, 15 + round(pause_s / 10.0))
    truth[inside.start :] += pause_s
    guesses = (3.0, 3.0 + pause_s)
    w = windows(truth, guess_s=guesses)
    w.nats[inside] = -4.0
    before, after = fit_pieces(w)
    assert [before[0].offset_s, after[0].offset_s] == pytest.approx([3.0, 3.0 + pause_s], abs=0.002)
    assert before[1].centre_s.size + after[1].centre_s.size == 40
    assert 15 <= before[1].centre_s.size <= inside.stop


def test_a_lag_that_grows_by_more_than_the_time_that_passes_is_not_believed():
    truth = np.full(40, 93.0)
    truth[:3] = 3.0
    assert only_line(windows(truth, guess_s=(3.0, 93.0))).offset_s == pytest.approx(93.0, abs=0.002)


def test_a_recorder_s_clock_may_leap_ahead_at_once():
    truth = np.full(30, 103.0)
    truth[20:] = 3.0
    lines = fit_pieces(windows(truth, guess_s=(3.0, 103.0)))
    assert [part.centre_s.size for _, part in lines] == [20, 10]


def test_a_wide_jump_costs_more_than_a_narrow_one():
    assert jump_nats(0.3) == jump_nats(-1.0) == JUMP_NATS
    assert jump_nats(-40.0) - jump_nats(20.0) == pytest.approx(np.log(2.0))
    for down_s, pieces in ((2.0, 2), (400.0, 1)):
        truth = np.full(30, 403.0)
        truth[28:] -= down_s
        height = np.where(np.arange(30) < 28, 20.0, 0.5 * (JUMP_NATS + 4.0))
        assert len(fit_pieces(windows(truth, guess_s=(403.0, 403.0 - down_s), height=height))) == pieces


@pytest.mark.parametrize(("gain", "pieces"), [(JUMP_NATS + 0.9, 1), (JUMP_NATS + 4.0, 3)])
def test_a_jump_back_to_the_line_before_costs_more(gain, pieces):
    truth = np.full(30, 3.0)
    truth[14:16] += 0.6
    height = np.where(truth > 3.1, 20.0 + gain, 20.0)
    w = also(windows(truth, height=height), windows(np.full(30, 3.0)))
    assert len(fit_pieces(w)) == pieces
    # The same gain is enough for lines that never come back.
    truth[16:] += 1.0
    other = truth.copy()
    other[14:16] = 3.0
    assert len(fit_pieces(also(windows(truth, height=height), windows(other)))) == 3


def naive_score(w: Windows) -> float:
    """The best path's score by looking at every pair of states."""
    count, width = w.nats.shape
    imu_s = w.centre_s[:, None] - w.lag / RATE_HZ
    bins = np.floor((imu_s - imu_s.min()) / _BIN_S)
    best = w.nats.copy()
    for v in range(1, count):
        for j in range(width):
            ways = [0.0]
            for i in range(max(0, j - 1), min(width, j + 2)):
                if w.block[i] == w.block[j]:
                    ways.append(best[v - 1, i] - 0.5 * (i != j))
            for u in range(v):
                for i in range(width):
                    own = np.flatnonzero(w.block == w.block[i])
                    change_s = (w.lag[v, j] - w.lag[v, own[own.size // 2]]) / RATE_HZ
                    if bins[u, i] <= bins[v, j] - round(ADVANCE_S / _BIN_S):
                        ways.append(best[u, i] - float(jump_nats(change_s)))
            best[v, j] = w.nats[v, j] + max(ways)
    return float(best.max())


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), apart_s=st.sampled_from([12.0, 31.0, -31.0]))
def test_the_path_is_the_best_one_and_runs_forward(seed, apart_s):
    rng = np.random.default_rng([43, seed])
    lag = np.tile(np.concatenate([np.arange(4), round(apart_s * RATE_HZ) + np.arange(4)]), (7, 1))
    nats = rng.normal(-5.0, 12.0, size=lag.shape)
    w = Windows(10.0 * np.arange(7.0), lag, nats, np.repeat([0, 1], 4))
    path = best_path(w)
    rows = np.flatnonzero(path >= 0)
    score = float(nats[rows, path[rows]].sum())
    for u, v in itertools.pairwise(rows.tolist()):
        drift = v == u + 1 and abs(path[v] - path[u]) <= 1 and w.block[path[u]] == w.block[path[v]]
        own = np.flatnonzero(w.block == w.block[path[u]])
        jump = float(jump_nats((lag[v, path[v]] - lag[v, own[2]]) / RATE_HZ))
        score -= 0.5 * (path[v] != path[u]) if drift else jump
        went_s = w.centre_s[v] - w.centre_s[u] - (lag[v, path[v]] - lag[u, path[u]]) / RATE_HZ
        assert drift or went_s >= ADVANCE_S - _BIN_S - 1e-9
    assert score == pytest.approx(naive_score(w))
