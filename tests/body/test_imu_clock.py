"""Sample times, stamps and losses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind import ClockMap, Imu, InputError
from kinebind.body.imu_clock import TimingEffects, kept, random_clock, sample_times, stamped, without


@given(
    st.floats(20, 1000), st.floats(-1e3, 1e3), st.floats(-5e-4, 5e-4), st.floats(0, 1, exclude_max=True),
    st.floats(0.5, 20),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_samples_lie_evenly_on_the_imus_clock_and_inside_the_motion(rate, offset, skew, phase, duration):
    clock = ClockMap(offset, skew, 3.0)
    start = 100.0
    imu_s, video_s = sample_times(start, start + duration, rate, clock, phase)
    np.testing.assert_allclose(np.diff(imu_s), 1 / rate, rtol=1e-6)
    np.testing.assert_allclose(np.diff(video_s), (1 + skew) / rate, rtol=1e-6)
    np.testing.assert_array_equal(video_s, clock.to_video(imu_s))
    assert -2e-6 <= video_s[0] - start <= (1 + skew) / rate + 2e-6
    assert -2e-6 <= start + duration - video_s[-1] <= (1 + skew) / rate + 2e-6


def test_a_random_clock_keeps_its_limits_and_refers_to_the_middle():
    rng = np.random.default_rng(0)
    clocks = [random_clock(10.0, 30.0, rng, max_offset_s=5.0, max_skew_ppm=400.0) for _ in range(500)]
    offsets, skews = np.array([c.offset_s for c in clocks]), np.array([c.skew_ppm for c in clocks])
    assert 4.8 < np.abs(offsets).max() <= 5.0
    assert 390 < np.abs(skews).max() <= 400.0
    for clock in clocks[:20]:
        assert clock.to_video(clock.ref_time_s) == pytest.approx(20.0)


def test_jittered_stamps_still_increase_and_keep_their_size():
    imu_s = np.arange(20000) / 100.0
    for jitter in (0.0005, 0.002, 0.02):
        stamps = stamped(imu_s, 100.0, TimingEffects(jitter_s=jitter), np.random.default_rng(1))
        assert np.diff(stamps).min() > 0
        if jitter < 0.0045 / 2:
            assert np.std(stamps - imu_s) == pytest.approx(jitter, rel=0.05)
    assert stamped(imu_s, 100.0, TimingEffects(), np.random.default_rng(1)) is imu_s


@pytest.mark.parametrize(("share", "burst_s"), [(0.02, 0.0), (0.1, 0.05), (0.3, 0.2)])
def test_losses_have_their_share_and_length(share, burst_s):
    arrives = kept(400000, 100.0, TimingEffects(lost_share=share, lost_burst_s=burst_s), np.random.default_rng(2))
    assert np.mean(~arrives) == pytest.approx(share, rel=0.08)
    lengths = [len(list(run)) for here, run in itertools.groupby(arrives) if not here]
    assert np.mean(lengths) == pytest.approx(max(1.0, burst_s * 100.0), rel=0.08)


def test_lost_samples_are_missing_rows_or_nan_rows():
    imu = Imu(np.arange(5) / 10, np.ones((5, 3)), 2 * np.ones((5, 3)), np.tile([0, 0, 0, 1.0], (5, 1)))
    lost = np.array([False, True, False, False, True])
    rows = without(imu, lost, TimingEffects())
    np.testing.assert_allclose(rows.time_s, [0.0, 0.2, 0.3])
    assert np.isfinite(rows.acc_sensor).all()
    blank = without(imu, lost, TimingEffects(lost_as="nan"))
    np.testing.assert_array_equal(blank.time_s, imu.time_s)
    for field in ("acc_sensor", "gyr_sensor", "rot_world_from_sensor"):
        np.testing.assert_array_equal(np.isnan(getattr(blank, field)).all(axis=1), lost)
    assert without(imu, np.zeros(5, dtype=bool), TimingEffects()) is imu
    bare = without(imu.replace(gyr_sensor=None, rot_world_from_sensor=None), lost, TimingEffects(lost_as="nan"))
    assert bare.gyr_sensor is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: TimingEffects(lost_share=2.0),
        lambda: TimingEffects(jitter_s=-1.0),
        lambda: TimingEffects(lost_as="zeros"),
        lambda: sample_times(0.0, 1.0, 0.0, ClockMap(0.0)),
        lambda: sample_times(0.0, 0.01, 20.0, ClockMap(0.0)),
    ],
)
def test_senseless_timing_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()
