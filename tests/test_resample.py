"""Resampling as physics: tones keep their amplitude and phase, nothing folds back, rotations keep their axis,
gaps stay gaps; and the fast way equals the plain one.
"""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from kinebind.resample import (
    continuous_quaternions,
    default_max_gap_s,
    low_pass,
    over_runs,
    resample_rotations,
    resample_vectors,
    valid_runs,
    whole_rows,
)

RATIOS = [(100.0, 30.0), (120.0, 60.0), (1000.0, 50.0), (60.0, 25.0), (52.0, 29.97)]


def axis(rate_hz: float, seconds: float, start_s: float = 0.0) -> np.ndarray:
    return start_s + np.arange(int(seconds * rate_hz)) / rate_hz


def interior(time_s: np.ndarray, margin_s: float) -> np.ndarray:
    return (time_s > time_s[0] + margin_s) & (time_s < time_s[-1] - margin_s)


# -- bands -----------------------------------------------------------------------------------------------------


@given(st.floats(20, 1000), st.floats(0.01, 0.1), st.floats(0, 2 * np.pi), st.floats(1, 3), st.floats(0, 1))
def test_a_tone_within_the_band_is_met_between_the_samples(rate_hz, share, phase, factor, start):
    tone_hz = share * rate_hz

    def tone(t):
        return np.sin(2 * np.pi * tone_hz * t + phase)

    old_s = np.arange(300) / rate_hz
    new_s = start / rate_hz + np.arange(200) / (factor * rate_hz)
    new_s = new_s[new_s <= old_s[-1]]
    error = resample_vectors(old_s, tone(old_s), new_s) - tone(new_s)
    inside = (new_s > 16 / rate_hz) & (new_s < old_s[-1] - 16 / rate_hz)
    assert np.abs(error[inside]).max() < 4 * (share / (1 - share)) ** 4 + 1e-9
    assert np.abs(error).max() < 10 * share**2


@pytest.mark.parametrize(("old_hz", "new_hz"), RATIOS)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_a_lower_rate_keeps_what_it_can_hold(old_hz, new_hz, share):
    def tone(t):
        return np.sin(2 * np.pi * share * new_hz * t + 0.7)

    old_s = axis(old_hz, 20)
    new_s = axis(new_hz, 19.9, start_s=0.013)
    kept = interior(new_s, 6 / new_hz + 1)
    error = resample_vectors(old_s, tone(old_s), new_s) - tone(new_s)
    assert np.abs(error[kept]).max() < 0.005


@pytest.mark.parametrize(("old_hz", "new_hz"), RATIOS)
def test_what_a_lower_rate_cannot_hold_is_40_db_down(old_hz, new_hz):
    old_s, new_s = axis(old_hz, 20), axis(new_hz, 19.9)
    # From 0.6 of the new rate on a tone folds to below 0.4 of it, where the signal is.
    tones_hz = np.linspace(0.6 * new_hz, 0.49 * old_hz, 12)
    tones_hz = tones_hz[tones_hz >= 0.6 * new_hz]
    assert tones_hz.size
    for tone_hz in tones_hz:
        out = resample_vectors(old_s, np.sin(2 * np.pi * tone_hz * old_s), new_s)
        assert np.abs(out[interior(new_s, 2)]).max() < 0.01, f"{tone_hz} Hz"


def test_taking_every_nth_sample_would_fold_back():
    """The check on the check above: without a filter the same tone comes through whole."""
    old_s = axis(100, 20)
    assert np.abs(np.sin(2 * np.pi * 27.0 * old_s)[::4]).max() > 0.9


def test_low_pass_has_3_db_at_its_cutoff_and_no_phase():
    t = axis(200, 20)
    for order in (2, 4, 8):
        tone = np.sin(2 * np.pi * 10 * t)
        out = low_pass(tone, 200, 10, order=order)
        middle = interior(t, 2)
        assert np.abs(out[middle]).max() == pytest.approx(np.sqrt(0.5), abs=0.01)
        assert np.dot(out[middle], np.cos(2 * np.pi * 10 * t[middle])) == pytest.approx(0, abs=2)


def test_low_pass_above_nyquist_changes_nothing():
    values = np.random.default_rng(0).normal(size=(50, 2))
    assert low_pass(values, 100, 49.5) is values
    assert low_pass(values[:3], 100, 5.0).shape == (3, 2)


@pytest.mark.parametrize("new_hz", [10.0, 45.0, 200.0])
def test_a_constant_stays_itself(new_hz):
    old_s = axis(60, 5)
    out = resample_vectors(old_s, np.full((old_s.size, 3), 9.81), axis(new_hz, 4.9))
    np.testing.assert_allclose(out, 9.81, rtol=0, atol=1e-9)


def test_unix_times_are_as_good_as_small_ones():
    old_s, new_s = axis(64, 10), axis(32, 9, start_s=0.25)
    values = np.sin(2 * np.pi * old_s)
    epoch = resample_vectors(old_s + 1.6e9, values, new_s + 1.6e9)
    np.testing.assert_allclose(epoch, resample_vectors(old_s, values, new_s), atol=1e-4)


# -- gaps ------------------------------------------------------------------------------------------------------


@st.composite
def with_gaps(draw):
    """Times, values and which rows are valid: random stretches lost, some rows marked NaN and some absent."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    time_s = np.cumsum(rng.uniform(0.7, 1.3, size=draw(st.integers(20, 200)))) / 50
    valid = np.ones(time_s.size, dtype=bool)
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, time_s.size - 1))
        valid[start : start + draw(st.integers(1, 20))] = False
    values = rng.normal(size=(time_s.size, 2))
    values[~valid] = np.nan
    keep = valid | (rng.random(time_s.size) < 0.5)
    keep[[0, 1, -1]] = True
    return time_s[keep], values[keep]


@given(with_gaps(), st.sampled_from([20.0, 33.0, 50.0, 140.0]), st.sampled_from([0.031, 0.05, 0.2]))
def test_gaps_stay_gaps_and_all_else_is_a_number(data, new_hz, max_gap_s):
    time_s, values = data
    new_s = np.arange(time_s[0] - 0.5, time_s[-1] + 0.5, 1 / new_hz)
    out = resample_vectors(time_s, values, new_s, max_gap_s=max_gap_s)
    known_s = time_s[np.isfinite(values[:, 0])]
    held_pairs = [(a, b) for a, b in itertools.pairwise(known_s) if b - a <= max_gap_s]
    for t, row in zip(new_s, out, strict=True):
        held = any(a - 1e-9 <= t <= b + 1e-9 for a, b in held_pairs)
        assert np.isfinite(row).all() if held else np.isnan(row).all()


@given(with_gaps())
def test_equals_one_spline_a_run(data):
    time_s, values = data
    new_s = np.arange(time_s[0] - 0.1, time_s[-1] + 0.1, 1 / 140)
    expected = np.full((new_s.size, 2), np.nan)
    valid = np.isfinite(values[:, 0])
    for a, b in valid_runs(time_s, valid, 0.05):
        t, v = time_s[valid][a:b], values[valid][a:b]
        inside = (new_s >= t[0]) & (new_s <= t[-1])
        expected[inside] = CubicSpline(t, v, axis=0, bc_type="natural")(new_s[inside])
    np.testing.assert_allclose(resample_vectors(time_s, values, new_s, max_gap_s=0.05), expected, atol=1e-5)


@pytest.mark.parametrize("new_hz", [25.0, 240.0])
def test_what_lies_beyond_a_gap_changes_nothing(new_hz):
    rng = np.random.default_rng(1)
    time_s = axis(100, 10)
    values = rng.normal(size=time_s.size)
    values[450:480] = np.nan
    other = values.copy()
    other[480:] = 1e6 + 100 * rng.normal(size=520)
    new_s = axis(new_hz, 9.9)
    a, b = (resample_vectors(time_s, v, new_s)[new_s < 4.6] for v in (values, other))
    np.testing.assert_allclose(a, b, atol=100 * 2e-5)


def test_one_lost_packet_is_bridged_unless_it_is_asked_not_to():
    time_s = axis(30, 4)
    values = np.sin(2 * np.pi * time_s)
    values[40] = np.nan
    assert resample_vectors(time_s, values, time_s)[40] == pytest.approx(np.sin(2 * np.pi * time_s[40]), abs=0.01)
    assert np.isnan(resample_vectors(time_s, values, time_s, max_gap_s=1.5 / 30)[40])
    assert default_max_gap_s(time_s) == pytest.approx(2.5 / 30)
    assert default_max_gap_s(axis(1000, 1)) == 0.05


def test_a_column_that_is_missing_takes_no_other_along():
    time_s = axis(50, 4)
    values = np.ones((time_s.size, 2, 2))
    values[60:90, 0, 0] = np.nan
    out = resample_vectors(time_s, values, time_s)
    assert np.isnan(out[60:90, 0, 0]).all()
    out[60:90, 0, 0] = 1.0
    np.testing.assert_allclose(out, 1.0)


def test_nothing_known_gives_nothing():
    time_s = axis(50, 1)
    assert np.isnan(resample_vectors(time_s, np.full((50, 3), np.nan), time_s)).all()
    lonely = np.full(50, np.nan)
    lonely[::10] = 1.0
    assert np.isnan(resample_vectors(time_s, lonely, time_s)).all()


def test_at_its_own_times_a_stream_is_itself():
    rng = np.random.default_rng(2)
    time_s = np.cumsum(rng.uniform(0.5, 1.5, 400)) / 100
    values = rng.normal(size=(400, 3))
    np.testing.assert_allclose(resample_vectors(time_s, values, time_s), values, atol=1e-9)


def test_an_hour_with_tens_of_thousands_of_gaps_takes_seconds():
    rng = np.random.default_rng(3)
    time_s = axis(30, 3600)
    values = rng.normal(size=(time_s.size, 17, 2))
    values[rng.random((time_s.size, 17)) < 0.15] = np.nan
    began = time.process_time()  # not the clock's: the machine may have other work
    out = resample_vectors(time_s, values, axis(25, 3600))
    assert time.process_time() - began < 8  # about 2 s; a spline a gap took 20 to 60
    assert 0.5 < np.isfinite(out).mean() < 1


@given(with_gaps(), st.sampled_from([(2,), (2, 1), (1, 2), ()]))
def test_whole_rows_are_those_without_a_missing_number(data, shape):
    values = data[1].reshape(-1, *shape) if shape else data[1][:, 0]
    direct = [bool(np.isfinite(row).all()) for row in values]
    np.testing.assert_array_equal(whole_rows(values), direct)


@given(with_gaps())
def test_runs_are_treated_one_by_one(data):
    values = data[1]
    out = over_runs(values, lambda run: np.cumsum(run, axis=0))
    total = np.zeros(2)
    for row, got in zip(values, out, strict=True):
        if np.isnan(row).any():
            total = np.zeros(2)
            assert np.isnan(got).all()
        else:
            total = total + row
            np.testing.assert_allclose(got, total)


# -- rotations -------------------------------------------------------------------------------------------------


@given(st.floats(0, 900), st.integers(0, 2**32 - 1), st.sampled_from([40.0, 100.0, 333.0]))
def test_a_constant_turn_stays_on_its_geodesic(rate_deg_s, seed, new_hz):
    rng = np.random.default_rng(seed)
    turn_axis = rng.normal(size=3)
    turn_axis /= np.linalg.norm(turn_axis)
    start = Rotation.random(random_state=seed)

    def truth(t):
        return start * Rotation.from_rotvec(np.deg2rad(rate_deg_s) * t[:, None] * turn_axis)

    old_s, new_s = axis(100, 4), axis(new_hz, 3.9)
    flips = rng.choice([-1.0, 1.0], size=(old_s.size, 1))
    out = resample_rotations(old_s, truth(old_s).as_quat() * flips, new_s)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1.0, atol=1e-12)
    middle = interior(new_s, 1)
    off = (truth(new_s).inv() * Rotation.from_quat(out)).as_rotvec(degrees=True)[middle]
    across = off - (off @ turn_axis)[:, None] * turn_axis
    assert np.abs(across).max() < 1e-4  # on the geodesic: only along it may it be early or late
    assert np.abs(off).max() < 0.05


def test_turning_the_world_turns_the_result():
    rng = np.random.default_rng(4)
    old_s, new_s = axis(50, 6), axis(30, 5.9)
    swing = Rotation.from_euler("xyz", np.cumsum(rng.normal(0, 0.05, size=(old_s.size, 3)), axis=0))
    turn = Rotation.random(random_state=5)
    a = turn * Rotation.from_quat(resample_rotations(old_s, swing.as_quat(), new_s))
    b = Rotation.from_quat(resample_rotations(old_s, (turn * swing).as_quat(), new_s))
    assert (a.inv() * b).magnitude().max() < 1e-9


def test_quaternion_signs_are_chained_over_missing_rows():
    quat = Rotation.from_rotvec(np.linspace(0, 9, 60)[:, None] * [0, 0, 1.0]).as_quat()
    flipped = quat * np.random.default_rng(6).choice([-1.0, 1.0], size=(60, 1))
    flipped[20:25] = np.nan
    out = continuous_quaternions(flipped)
    known = np.isfinite(out[:, 0])
    assert known.sum() == 55
    chain = out[known]
    assert (np.sum(chain[1:] * chain[:-1], axis=1) > 0).all()


def test_a_missing_rotation_stays_missing():
    old_s = axis(50, 4)
    quat = np.tile([0.0, 0.0, 0.0, 1.0], (old_s.size, 2, 1))
    quat[80:110, 1] = np.nan
    out = resample_rotations(old_s, quat, old_s)
    assert np.isnan(out[80:110, 1]).all()
    assert np.isfinite(out[:, 0]).all()
    assert np.isfinite(out[:80, 1]).all()
