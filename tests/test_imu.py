"""`Imu` as physics: rest reads 9.81, gravity and orientation stay in step, bad arrays are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinebind import Imu, InputError
from kinebind.imu import GRAVITY_M_S2

UP_WORLD = np.array([0.0, 0.0, GRAVITY_M_S2])


def still(seconds: float = 10.0, rate_hz: float = 100.0, **fields) -> Imu:
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    return Imu(time_s, np.tile(UP_WORLD, (time_s.size, 1)), **fields)


def swinging(rate_hz: float = 100.0, seconds: float = 10.0) -> Imu:
    """A sensor that only turns: f = Rᵀ(0, 0, g), ω constant about a tilted axis, a compass beside it."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    gyr = np.array([0.9, -0.4, 0.6])
    rot = Rotation.from_rotvec(time_s[:, None] * gyr)
    return Imu(
        time_s,
        rot.inv().apply(UP_WORLD),
        gyr_sensor=np.tile(gyr, (time_s.size, 1)),
        rot_world_from_sensor=rot.as_quat(),
        mag_sensor=rot.inv().apply([20.0, 0.0, -43.0]),
    )


@pytest.mark.parametrize("new_hz", [29.97, 60.0, 256.0])
def test_acceleration_rate_orientation_and_compass_stay_in_step(new_hz):
    imu = swinging()
    new = imu.resample(np.arange(0.5, 9.5, 1 / new_hz))
    inside = (new.time_s > 1.5) & (new.time_s < 8.5)
    rot = Rotation.from_quat(new.rot_world_from_sensor[inside])
    np.testing.assert_allclose(rot.apply(new.acc_sensor[inside]), np.tile(UP_WORLD, (inside.sum(), 1)), atol=2e-3)
    np.testing.assert_allclose(
        rot.apply(new.mag_sensor[inside]), np.tile([20.0, 0, -43.0], (inside.sum(), 1)), atol=0.01
    )
    np.testing.assert_allclose(new.gyr_sensor, np.tile(imu.gyr_sensor[0], (new.time_s.size, 1)), atol=1e-9)
    steps = rot[:-1].inv() * rot[1:]
    np.testing.assert_allclose(steps.as_rotvec() * new_hz, new.gyr_sensor[inside][:-1], atol=2e-3)


@given(st.floats(1.0, 4.0), st.floats(6.0, 9.0), st.sampled_from([25.0, 100.0, 170.0]))
def test_cutting_then_resampling_is_resampling_then_cutting(start_s, end_s, new_hz):
    rng = np.random.default_rng(0)
    time_s = np.arange(1000) / 100
    tones = np.sin(2 * np.pi * time_s[:, None] * [0.7, 1.9, 3.1] + rng.uniform(0, 6, 3))
    imu = Imu(time_s, 9.81 + tones)
    new_s = np.arange(start_s + 0.5, end_s - 0.5, 1 / new_hz)
    first = imu.slice_s(start_s, end_s).resample(new_s)
    after = imu.resample(np.arange(new_s[0] - round(0.4 * new_hz) / new_hz, end_s, 1 / new_hz))
    after = after.slice_s(new_s[0] - 0.5 / new_hz, new_s[-1] + 0.5 / new_hz)
    np.testing.assert_allclose(first.time_s, after.time_s, atol=1e-9)
    np.testing.assert_allclose(first.acc_sensor, after.acc_sensor, atol=5e-3)


def test_a_slice_keeps_the_rows_from_start_to_before_end():
    part = swinging().slice_s(2.0, 4.0)
    assert part.time_s[0] == 2.0
    assert part.time_s[-1] == pytest.approx(3.99)
    assert part.duration_s == pytest.approx(1.99)
    assert part.rate_hz == pytest.approx(100)
    for array in (part.acc_sensor, part.gyr_sensor, part.mag_sensor, part.rot_world_from_sensor):
        assert array.shape[0] == 200
    with pytest.raises(InputError, match="Fewer than two samples"):
        swinging().slice_s(9.995, 20.0)


# -- rest ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 12.0))
def test_rest_is_found_among_movement(seed, scale):
    rng = np.random.default_rng(seed)
    time_s = np.arange(3000) / 100
    acc = rng.normal(0, 8, size=(3000, 3)) + UP_WORLD * scale
    acc[1000:1500] = Rotation.random(random_state=seed).apply(UP_WORLD * scale) + rng.normal(0, 0.02, size=(500, 3))
    assert Imu(time_s, acc).rest_norm_m_s2() == pytest.approx(9.81 * scale, rel=0.01)


def test_a_slow_turn_is_not_rest():
    time_s = np.arange(2000) / 100
    turning = Rotation.from_rotvec(time_s[:, None] * [0.0, 1.0, 0.0]).inv().apply(UP_WORLD * 1.3)
    turning[1600:1800] = [0.0, 9.81, 0.0]
    assert Imu(time_s, turning).rest_norm_m_s2() == pytest.approx(9.81, rel=0.01)


def test_rest_is_unknown_where_too_little_is_known():
    gone = np.full((500, 3), np.nan)
    assert np.isnan(Imu(np.arange(500) / 100, gone).rest_norm_m_s2())
    assert np.isnan(Imu([0.0, 1.0, 2.0], np.ones((3, 3))).rest_norm_m_s2())


def test_rest_of_a_stream_with_one_time_far_away():
    time_s = np.concatenate([[0.0], 1.6e9 + np.arange(1000) / 100])
    imu = Imu(time_s, np.tile(UP_WORLD, (1001, 1)))
    assert imu.rest_norm_m_s2() == pytest.approx(9.81)


# -- validation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"acc_sensor": np.zeros((10, 2))}, r"acc_sensor has shape \(10, 2\), expected \(10, 3\)"),
        ({"acc_sensor": np.zeros((9, 3))}, "acc_sensor has shape"),
        ({"acc_sensor": np.full((10, 3), np.inf)}, "infinite"),
        ({"acc_sensor": [["a", "b", "c"]] * 10}, "acc_sensor is not an array of numbers"),
        ({"acc_sensor": [[0, 0, 9.81]] * 9 + [[0, 0]]}, "acc_sensor is not an array of numbers"),
        ({"gyr_sensor": np.zeros(10)}, "gyr_sensor has shape"),
        ({"mag_sensor": np.zeros((10, 4))}, "mag_sensor has shape"),
        ({"rot_world_from_sensor": np.zeros((10, 3))}, "rot_world_from_sensor has shape"),
        ({"rot_world_from_sensor": np.zeros((10, 4))}, "norm is not 1"),
        ({"rot_world_from_sensor": np.full((10, 4), 0.6)}, "norm is not 1"),
        ({"site": "left_tail"}, "not a sensor site"),
        ({"time_s": np.zeros(10)}, "strictly increase"),
    ],
)
def test_what_cannot_be_a_sensor_is_refused(fields, says):
    good = {"time_s": np.arange(10) / 100, "acc_sensor": np.zeros((10, 3))}
    with pytest.raises(InputError, match=says) as caught:
        Imu(**(good | fields))
    assert caught.value.fix


def test_arrays_are_copies_that_cannot_be_written():
    mine = np.zeros((100, 3))
    imu = still(1.0, mag_sensor=mine, rot_world_from_sensor=np.tile([0, 0, 0, 1.0], (100, 1)))
    mine[:] = 7.0
    assert (imu.mag_sensor == 0).all()
    for array in (imu.time_s, imu.acc_sensor, imu.mag_sensor, imu.rot_world_from_sensor):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    with pytest.raises(AttributeError):
        imu.name = "other"


def test_orientations_are_made_unit_and_missing_rows_stay():
    quat = np.tile([0.0, 0.0, 0.0, 1.02], (100, 1))
    quat[3] = np.nan
    imu = still(1.0, rot_world_from_sensor=quat)
    np.testing.assert_allclose(np.delete(imu.rot_world_from_sensor, 3, axis=0)[:, 3], 1.0)
    assert np.isnan(imu.rot_world_from_sensor[3]).all()


def test_a_clock_is_called_after_its_sensor_until_it_is_named():
    assert still(1.0).clock_id == "imu"
    assert still(1.0).replace(name="watch").clock_id == "watch"
    shared = still(1.0, name="a", clock_id="recorder")
    assert shared.replace(name="b").clock_id == "recorder"
    assert still(1.0).replace(name="watch", clock_id="phone").clock_id == "phone"


def test_a_new_rate_keeps_what_is_not_a_signal():
    imu = still(2.0, name="w", site="left_wrist", clock_id="c", notes=("read from a file",))
    new = imu.resample(np.arange(0, 1.9, 0.02))
    assert (new.name, new.site, new.clock_id, new.notes) == ("w", "left_wrist", "c", ("read from a file",))
    assert new.gyr_sensor is None
    assert new.rate_hz == pytest.approx(50)


def test_samples_taken_out_of_order_are_refused():
    with pytest.raises(InputError, match="strictly increase"):
        still(1.0).take(np.array([5, 4, 3]))
