"""What a sensor felt: the same however it is strapped on and however fast it samples, with gaps where it has gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import made_up_body
from kinebind import Imu
from kinebind.body.gravity_frame import angular_rate_from_orientation
from kinebind.body.imu_simulate import IDEAL, simulate_imu
from kinebind.body.segments import posture
from kinebind.body.sites import site_trajectory
from kinebind.resample import low_pass
from kinebind.tasks.sync.limb_signals import FAST_HZ, RATE_HZ
from kinebind.tasks.sync.sensor_signals import sensor_signals

BODY = posture(made_up_body.motion(4, 8.0))
PATH = site_trajectory(BODY, "left_wrist")


def sensor(rate_hz: float = 100.0) -> Imu:
    """An ideal sensor with orientation."""
    rng = np.random.default_rng(0)
    return simulate_imu(PATH, rng=rng, effects=IDEAL, rate_hz=rate_hz, orientation=True)


def turned(imu: Imu, rotvec: tuple[float, float, float]) -> tuple[Imu, np.ndarray]:
    """The same sensor strapped on otherwise, and the matrix that turns its old readings into the new ones."""
    matrix = Rotation.from_rotvec(rotvec).as_matrix()
    changes = {
        name: getattr(imu, name) @ matrix.T
        for name in ("acc_sensor", "gyr_sensor")
        if getattr(imu, name) is not None
    }  # fmt: skip
    return imu.replace(rot_world_from_sensor=None, **changes), matrix


def inner(values: np.ndarray, seconds: float = 1.0) -> np.ndarray:
    """Without the ends, where filters have but one side."""
    cut = round(seconds * RATE_HZ)
    return values[cut:-cut]


def assert_close(a: np.ndarray, b: np.ndarray, share: float) -> None:
    """Differences within a share of the signal's own size, NaN at the same places."""
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    size = np.sqrt(np.nanmean((a - np.nanmean(a, axis=0)) ** 2))
    assert np.sqrt(np.nanmean((a - b) ** 2)) <= share * size


ROTVECS = st.tuples(*[st.floats(-3.0, 3.0)] * 3)


@settings(max_examples=8)
@given(rotvec=ROTVECS)
def test_turning_the_mounting_changes_up_and_ahead_alone_and_these_as_vectors(rotvec):
    imu, matrix = turned(sensor(), rotvec)
    _, plain = sensor_signals(sensor().replace(rot_world_from_sensor=None))
    _, other = sensor_signals(imu)
    for name in plain:
        if name in ("turn", "load"):
            np.testing.assert_allclose(other[name], plain[name], atol=1e-9)
        elif name in ("shake", "heave"):  # the orientation filter treats axes nearly, not quite, alike
            assert_close(inner(plain[name]), inner(other[name]), 0.02)
    assert_close(inner(plain["up"] @ matrix.T), inner(other["up"]), 0.02)
    # Two horizontal world axes, one after the other; which way they point is arbitrary but steady.
    rows = [inner(signals["ahead"]).reshape(-1, 2, 3) for signals in (plain, other)]
    heading = np.einsum("tik,kl,tjl->tij", rows[0], matrix.T, rows[1])
    assert np.ptp(heading, axis=0).max() < 0.2


@settings(max_examples=5)
@given(rotvec=ROTVECS)
def test_turning_a_mounting_without_gyroscope(rotvec):
    acc_only = sensor().replace(gyr_sensor=None, rot_world_from_sensor=None)
    imu, matrix = turned(acc_only, rotvec)
    _, plain = sensor_signals(acc_only)
    _, other = sensor_signals(imu)
    assert set(plain) == {"turn", "load", "heave", "up"}
    for name in ("turn", "load", "heave"):
        np.testing.assert_allclose(other[name], plain[name], atol=1e-9)
    np.testing.assert_allclose(other["up"], plain["up"] @ matrix.T, atol=1e-9)


@pytest.mark.parametrize("rate_hz", [20.0, 33.3, 50.0, 100.0, 256.0, 1000.0])
@pytest.mark.parametrize("gyroscope", [True, False])
def test_any_rate_feels_the_same(rate_hz, gyroscope):
    """Signals at any rate are those at 400 Hz, to what the rate can hold."""
    changes = {"rot_world_from_sensor": None} | ({} if gyroscope else {"gyr_sensor": None})
    (time_a, a), (time_b, b) = (sensor_signals(sensor(rate).replace(**changes)) for rate in (rate_hz, 400.0))
    shared = np.intersect1d(np.round(time_a * RATE_HZ), np.round(time_b * RATE_HZ))
    assert shared.size > 0.97 * 8.0 * RATE_HZ
    rows = [np.isin(np.round(time * RATE_HZ), shared) for time in (time_a, time_b)]
    for name in set(a) - {"ahead"}:
        assert_close(inner(a[name][rows[0]]), inner(b[name][rows[1]]), 0.25 if rate_hz < 40 else 0.05)


def test_signals_are_what_they_are_called():
    """Against the path's own turning rate and acceleration, low-passed alike."""
    imu = sensor(100.0)
    time_s, signals = sensor_signals(imu.replace(rot_world_from_sensor=None))
    acc_world = np.einsum(
        "tij,tj->ti", Rotation.from_quat(imu.rot_world_from_sensor.copy()).as_matrix(), imu.acc_sensor
    ) - [0.0, 0.0, 9.81]
    rows = np.isin(np.round(imu.time_s * 100.0), np.round(time_s * 100.0))

    def filtered(values, hz):
        return low_pass(values, 100.0, hz)[rows]

    def norm(v):
        return np.linalg.norm(v, axis=1, keepdims=True)

    slow = filtered(acc_world, 2.5)
    assert_close(inner(norm(filtered(imu.gyr_sensor, FAST_HZ))), inner(signals["turn"]), 0.02)
    assert_close(inner(norm(filtered(imu.acc_sensor, 2.5))), inner(signals["load"]), 0.02)
    assert_close(inner(slow[:, 2:]), inner(signals["heave"]), 0.15)
    assert_close(inner(norm(slow)), inner(signals["shake"]), 0.25)
    up_sensor = Rotation.from_quat(imu.rot_world_from_sensor.copy()).as_matrix()[:, 2]
    assert_close(inner(filtered(up_sensor, FAST_HZ)), inner(signals["up"]), 0.1)


def test_a_sensor_at_rest():
    imu = Imu(np.arange(500) / 100, np.tile([0.0, 6.0, np.sqrt(9.81**2 - 36)], (500, 1)), np.zeros((500, 3)))
    _, signals = sensor_signals(imu)
    np.testing.assert_allclose(signals["turn"], 0.0, atol=1e-9)
    np.testing.assert_allclose(signals["load"], 9.81, atol=1e-9)
    np.testing.assert_allclose(signals["shake"], 0.0, atol=1e-2)
    np.testing.assert_allclose(signals["up"] * 9.81, np.tile(imu.acc_sensor[0], (signals["up"].shape[0], 1)), atol=1e-2)


@pytest.mark.parametrize("rate_hz", [25.0, 100.0, 400.0])
def test_angular_rate_from_orientation_is_the_gyroscope_s(rate_hz):
    imu = sensor(rate_hz)
    rate = angular_rate_from_orientation(imu)
    # Rates between samples, averaged with their neighbours: a loss of 1/6 (2πf/rate)² or so at f = 1 Hz.
    assert_close(imu.gyr_sensor[3:-3], rate[3:-3], 0.02 + 20.0 / rate_hz**2)


def test_orientation_serves_where_there_is_no_gyroscope():
    imu = sensor()
    _, measured = sensor_signals(imu)
    _, derived = sensor_signals(imu.replace(gyr_sensor=None))
    assert set(derived) == set(measured)
    assert_close(inner(measured["turn"]), inner(derived["turn"]), 0.02)


def test_missing_orientation_gives_missing_rate():
    imu = sensor()
    quat = imu.rot_world_from_sensor.copy()
    quat[200:260] = np.nan
    rate = angular_rate_from_orientation(imu.replace(rot_world_from_sensor=quat))
    assert np.isnan(rate[200:260]).all()
    assert np.isfinite(rate[:200]).all()
    assert np.isfinite(rate[260:]).all()


@pytest.mark.parametrize("as_rows", [True, False])
@pytest.mark.parametrize(("gap_s", "bridged"), [(0.06, True), (0.5, False), (2.0, False)])
def test_gaps_stay_gaps(as_rows, gap_s, bridged):
    imu = sensor().replace(rot_world_from_sensor=None)
    lost = (imu.time_s >= 3.0) & (imu.time_s < 3.0 + gap_s)
    if as_rows:
        holed = imu.take(~lost)
    else:
        nan = np.where(lost[:, None], np.nan, 0.0)
        holed = imu.replace(acc_sensor=imu.acc_sensor + nan, gyr_sensor=imu.gyr_sensor + nan)
    time_s, signals = sensor_signals(holed)
    inside = (time_s > 3.0) & (time_s < 3.0 + gap_s - 0.02)
    outside = (time_s < 2.98) | (time_s > 3.0 + gap_s)
    for values in signals.values():
        assert np.isfinite(values[outside]).all()
        assert np.isnan(values[inside]).all() != bridged
        assert np.isfinite(values[inside]).all() == bridged


def test_where_only_one_of_acceleration_and_rate_is_missing_both_are():
    imu = sensor().replace(rot_world_from_sensor=None)
    gyr = imu.gyr_sensor.copy()
    gyr[300:400, 1] = np.nan
    time_s, signals = sensor_signals(imu.replace(gyr_sensor=gyr))
    inside = (time_s > 3.01) & (time_s < 3.98)
    assert all(np.isnan(values[inside]).all() for values in signals.values())


def test_short_stretches_are_left_out():
    imu = sensor().replace(rot_world_from_sensor=None)
    nan = np.where(((imu.time_s > 2.0) & (imu.time_s < 5.0)) & ~((imu.time_s > 3.0) & (imu.time_s < 3.3)), np.nan, 0.0)
    holed = imu.replace(acc_sensor=imu.acc_sensor + nan[:, None], gyr_sensor=imu.gyr_sensor + nan[:, None])
    time_s, signals = sensor_signals(holed)
    inside = (time_s > 2.1) & (time_s < 4.9)
    assert np.isnan(signals["up"][inside]).all()
    assert np.isfinite(signals["up"][~inside & (time_s < 1.9)]).all()


@pytest.mark.parametrize("start_s", [0.0, -7.3, 1.6e9])
def test_times_are_whole_steps_of_the_sensor_s_own_clock(start_s):
    imu = sensor()
    time_s, signals = sensor_signals(imu.replace(time_s=imu.time_s + start_s))
    np.testing.assert_allclose(time_s * RATE_HZ, np.round(time_s * RATE_HZ), atol=1e-4)
    assert time_s[0] - imu.time_s[0] - start_s < 1.01 / RATE_HZ
    assert all(values.shape[0] == time_s.size for values in signals.values())


def test_a_sensor_without_a_single_sample_has_signals_that_are_missing():
    imu = sensor().replace(rot_world_from_sensor=None)
    nothing = np.full_like(imu.acc_sensor, np.nan)
    for lost in (imu.replace(acc_sensor=nothing, gyr_sensor=nothing), imu.replace(acc_sensor=nothing, gyr_sensor=None)):
        time_s, signals = sensor_signals(lost)
        assert time_s.size > 300
        assert all(np.isnan(values).all() for values in signals.values())
