"""Clocks: the map's sign and inverse, and which lists of times are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind import ClockMap, InputError
from kinebind.clock import check_time, median_rate_hz, overlap_s

# Clocks count from their start, or from 1970.
clock_maps = st.builds(
    ClockMap,
    offset_s=st.floats(-1e4, 1e4) | st.floats(-2e9, 2e9),
    skew=st.floats(-1e-3, 1e-3),
    ref_time_s=st.floats(0, 4000) | st.floats(1.5e9, 1.8e9),
)


@given(clock_maps, st.lists(st.floats(-3600, 3600), min_size=1, max_size=20))
def test_to_imu_undoes_to_video(clock, seconds):
    imu_time_s = clock.ref_time_s + np.array(seconds)
    np.testing.assert_allclose(clock.to_imu(clock.to_video(imu_time_s)), imu_time_s, rtol=0, atol=2e-6)


@given(clock_maps, st.floats(-3600, 3600))
def test_another_reference_time_is_the_same_map(clock, shift_s):
    other = clock.rereferenced(clock.ref_time_s + shift_s)
    imu_time_s = clock.ref_time_s + np.linspace(-3600, 3600, 7)
    assert other.ref_time_s == clock.ref_time_s + shift_s
    np.testing.assert_allclose(other.to_video(imu_time_s), clock.to_video(imu_time_s), rtol=0, atol=2e-6)


def test_positive_skew_is_an_imu_clock_that_runs_slow():
    true_s = np.linspace(0, 3600, 50)
    video_time_s = true_s
    imu_time_s = 12.0 + true_s * (1 - 400e-6)  # loses 400 µs a second
    slope, at_zero = np.polyfit(imu_time_s, video_time_s, 1)
    clock = ClockMap(offset_s=at_zero, skew=slope - 1, ref_time_s=0.0)
    assert clock.skew_ppm == pytest.approx(400, abs=0.5)
    np.testing.assert_allclose(clock.to_video(imu_time_s), video_time_s, atol=1e-6)


def test_the_offset_is_video_minus_imu_at_the_reference_time():
    clock = ClockMap(offset_s=2.5, skew=1e-4, ref_time_s=100.0)
    assert clock.to_video(100.0) == pytest.approx(102.5)
    assert clock.to_video(200.0) == pytest.approx(202.5 + 0.01)
    assert clock.to_imu(102.5) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ([1.0], "at least two samples"),
        ([[0.0, 1.0]], "at least two samples"),
        ([0.0, np.nan, 2.0], "finite"),
        ([0.0, 1.0, np.inf], "finite"),
        ([0.0, 1.0, 1.0, 2.0], r"sample 2 \(1\.000000 s\)"),
        ([0.0, 2.0, 1.0], "strictly increase"),
        (["a", "b"], "not an array of numbers"),
    ],
)
def test_times_that_are_no_clock_are_refused(times, says):
    with pytest.raises(InputError, match=says) as caught:
        check_time(times)
    assert caught.value.fix


def test_checked_times_are_a_copy_that_cannot_be_written():
    mine = np.array([0.0, 1.0, 2.0])
    checked = check_time(mine)
    mine[0] = -5.0
    assert checked[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        checked[0] = 1.0


def test_the_rate_is_that_of_the_usual_step():
    time_s = np.arange(100) / 50
    assert median_rate_hz(np.delete(time_s, slice(20, 40))) == pytest.approx(50)


def test_overlap_ends_before_it_starts_where_there_is_none():
    a, b = np.array([0.0, 10.0]), np.array([4.0, 20.0])
    assert overlap_s(a, b) == overlap_s(b, a) == (4.0, 10.0)
    start_s, end_s = overlap_s(a, b + 100)
    assert end_s < start_s
