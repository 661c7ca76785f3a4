"""Where to look: lines that anchors agree on, however the clock runs or jumps; anchors of a real search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.tasks.sync.cues import Pairing
from kinebind.tasks.sync.evidence import Cue
from kinebind.tasks.sync.hypothesis import Hypothesis
from kinebind.tasks.sync.rivals import rivals
from kinebind.tasks.sync.search import (
    ANCHOR_S,
    ANCHORS,
    WHOLE_S,
    Anchors,
    agreed_lines,
    anchor_windows,
    search_anchors,
)

LAG_S = np.arange(-500, 501) / 50.0


def anchors(true_s: np.ndarray, *, height: float = 30.0, noise: float = 2.0, seed: int = 0) -> Anchors:
    """Anchors of a recording of an hour, each with a peak at its own true lag over smooth noise."""
    rng = np.random.default_rng([51, seed])
    centre_s = np.linspace(360.0, 3240.0, true_s.size)
    rough = np.array([np.convolve(rng.normal(size=LAG_S.size + 30), np.hanning(31), mode="valid") for _ in true_s])
    nats = noise * rough / rough.std() - 2.0
    nats += height * np.exp(-0.5 * ((LAG_S - true_s[:, None]) / 0.05) ** 2)
    return Anchors(centre_s, LAG_S, nats, np.full(nats.shape, 60.0))


# -- lines -----------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(offset=st.floats(-3.0, 3.0), ppm=st.floats(-1000.0, 1000.0), seed=st.integers(0, 1000))
def test_anchors_agree_on_a_line_whatever_the_skew(offset, ppm, seed):
    found = anchors(np.full(ANCHORS, 0.0), seed=seed)
    truth = offset + ppm * 1e-6 * (found.centre_s - found.centre_s.mean())
    guess = agreed_lines(anchors(truth, seed=seed))[0]
    assert guess.anchors == tuple(range(ANCHORS))
    assert np.abs(guess.at(found.centre_s) - truth).max() < 0.12
    assert guess.nats > 0.7 * ANCHORS * 30.0


@pytest.mark.parametrize("jumped", [1, 2, 3, 4])
def test_a_jump_leaves_two_lines_the_stronger_first(jumped):
    truth = np.full(ANCHORS, 1.0)
    truth[jumped:] = -7.0
    guesses = agreed_lines(anchors(truth))
    assert len(guesses) == 2
    assert {frozenset(g.anchors) for g in guesses} == {frozenset(range(jumped)), frozenset(range(jumped, ANCHORS))}
    assert len(guesses[0].anchors) > len(guesses[1].anchors)
    for guess in guesses:
        which = list(guess.anchors)
        assert np.abs(guess.at(anchors(truth).centre_s[which]) - truth[which]).max() < 0.12


def test_anchors_that_see_nothing_leave_the_line_to_the_others():
    truth = np.full(ANCHORS, 2.0)
    found = anchors(truth)
    nats = found.nats.copy()
    nats[[1, 3]] = 0.0
    guess = agreed_lines(Anchors(found.centre_s, found.lag_s, nats, found.overlap_s))[0]
    assert {0, 2, 4} <= set(guess.anchors)
    assert np.abs(guess.at(found.centre_s) - 2.0).max() < 0.12


def test_a_periodic_motion_s_side_peaks_do_not_outvote_the_line():
    """Each anchor's highest peak is a wrong period, another one each; the right lag is the one that all share."""
    truth = np.full(ANCHORS, 1.0)
    found = anchors(truth, height=25.0)
    nats = found.nats.copy()
    for k, wrong in enumerate((-2.0, 2.4, 3.9, -4.1, 5.3)):
        nats[k] += 28.0 * np.exp(-0.5 * ((LAG_S - wrong) / 0.05) ** 2)
    guess = agreed_lines(Anchors(found.centre_s, found.lag_s, nats, found.overlap_s))[0]
    assert guess.offset_s == pytest.approx(1.0, abs=0.1)


def test_nothing_at_all_still_gives_one_guess():
    flat = Anchors(np.array([30.0]), LAG_S, np.zeros((1, LAG_S.size)), np.zeros((1, LAG_S.size)))
    assert len(agreed_lines(flat)) == 1


def test_one_anchor_has_its_peak_and_no_slope():
    found = anchors(np.array([0.5]))
    guess = agreed_lines(found)[0]
    assert guess.slope == 0.0
    assert guess.offset_s == pytest.approx(0.5, abs=0.021)


# -- curves -----------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(slope=st.floats(-2e-3, 2e-3), ref_s=st.floats(0.0, 3600.0))
def test_evidence_along_a_line_is_that_of_a_loop(slope, ref_s):
    found = anchors(np.full(ANCHORS, 1.0))
    total = found.along(slope, ref_s)
    for i in (0, 250, 500, 777, 1000):
        steps = [i + round(slope * (c - ref_s) * 50.0) for c in found.centre_s]
        direct = sum(found.nats[k, s] for k, s in enumerate(steps) if 0 <= s < LAG_S.size)
        assert total[i] == pytest.approx(direct)


@pytest.mark.parametrize("slope", [-1e-3, 1e-3])
@pytest.mark.parametrize("steps", [3, 21, 40, 71])
def test_a_line_may_leave_a_narrow_range(slope, steps):
    whole = anchors(np.full(ANCHORS, 0.0))
    near = np.abs(np.arange(-500, 501)) <= steps // 2
    narrow = Anchors(whole.centre_s, LAG_S[near], whole.nats[:, near], whole.overlap_s[:, near])
    ref_s = float(whole.centre_s.mean())
    inside = np.zeros(ANCHORS, dtype=bool)
    inside[2] = True
    np.testing.assert_allclose(narrow.along(slope, ref_s, inside), whole.nats[2, near])
    assert np.isfinite(narrow.along(slope, ref_s)).all()


def test_evidence_along_a_line_of_some_anchors():
    found = anchors(np.full(ANCHORS, 1.0))
    which = np.array([True, False, True, False, False])
    np.testing.assert_allclose(found.along(0.0, 0.0, which), found.nats[[0, 2]].sum(axis=0))


# -- anchors ---------------------------------------------------------------------------------------------------


def hypothesis(motion: np.ndarray, sensor: np.ndarray, first: int = 0, x_first: int = 0) -> Hypothesis:
    """One sensor on one limb, with one cue."""
    pairing = Pairing(sensor[:, None], motion[:, None], x_first, first, (Cue("turn", (0,), 0, True, 1.0),))
    return Hypothesis("1", False, ({"left_wrist": pairing},), first, first + motion.size)


def rough(seed: int, seconds: float) -> np.ndarray:
    noise = np.random.default_rng([53, seed]).normal(size=round(seconds * 50) + 30)
    return np.convolve(noise, np.hanning(31) / 4, mode="valid")[: round(seconds * 50)]


@pytest.mark.parametrize("seconds", [5.0, 29.0])
def test_a_short_reference_is_one_window(seconds):
    assert anchor_windows(hypothesis(rough(1, seconds), rough(1, seconds), 7)) == [(7, 7 + round(seconds * 50))]


@pytest.mark.parametrize("seconds", [31.0, 100.0, 400.0, 1000.0])
def test_a_long_reference_has_windows_in_all_its_parts(seconds):
    length = round(seconds * 50)
    found = anchor_windows(hypothesis(rough(1, seconds), rough(1, seconds), 7))
    assert 2 <= len(found) <= ANCHORS
    for k, (start, stop) in enumerate(found):
        assert 0.4 * WHOLE_S * 50 <= stop - start <= ANCHOR_S * 50
        assert 7 + k * length // len(found) <= start + 1
        assert stop <= 7 + (k + 1) * length // len(found) + 1


def test_anchors_are_where_there_is_movement():
    motion = np.abs(rough(2, 600.0))
    lively = [slice(a * 50, (a + 60) * 50) for a in (30, 150, 280, 390, 520)]
    quiet = np.ones(motion.size, dtype=bool)
    for part in lively:
        quiet[part] = False
    motion[quiet] *= 0.01
    for (start, stop), part in zip(anchor_windows(hypothesis(motion, motion)), lively, strict=True):
        assert abs(start - part.start) < 100
        assert abs(stop - part.stop) < 100


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("lag_s", [-3.0, 0.0, 12.5])
def test_a_search_finds_the_lag_in_a_narrow_and_in_a_wide_range(wide, lag_s):
    """Wide searches run on every second grid point; the answer is the same to that."""
    sensor = rough(3, 90.0)
    lag = round(lag_s * 50)
    motion = np.interp(np.arange(sensor.size) - lag, np.arange(sensor.size), sensor)
    range_s = (-300.0, 300.0) if wide else (-15.0, 15.0)
    found = search_anchors(hypothesis(motion, sensor), range_s)
    assert np.diff(found.lag_s).mean() == pytest.approx(0.04 if wide else 0.02)
    assert found.lag_s[0] <= range_s[0] + 1e-9
    assert found.lag_s[-1] >= range_s[1] - 1e-9
    assert agreed_lines(found)[0].offset_s == pytest.approx(lag_s, abs=0.05)
    top = found.along(0.0, 0.0)
    assert rivals(found.lag_s, top, lag_s)[0][1] < 0.5 * top.max()


def test_places_on_the_grid_are_kept_on_both_clocks():
    """The same streams at other places of their clocks: the lag moves with them."""
    sensor = rough(4, 20.0)
    plain = search_anchors(hypothesis(sensor, sensor), (-5.0, 5.0))
    moved = search_anchors(hypothesis(sensor, sensor, 1000, 400), (7.0, 17.0))
    np.testing.assert_allclose(moved.nats, plain.nats, atol=1e-9)
    np.testing.assert_allclose(moved.lag_s - 12.0, plain.lag_s, atol=1e-9)
    np.testing.assert_allclose(moved.centre_s - 20.0, plain.centre_s)


def test_a_range_of_a_single_step_is_searched_as_three():
    sensor = rough(5, 20.0)
    assert search_anchors(hypothesis(sensor, sensor), (0.0, 0.0)).lag_s.size == 3
