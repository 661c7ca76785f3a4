"""What a sensor must hold to be compared, and what is told of one that holds less than usual."""

from __future__ import annotations

import numpy as np
import pytest

import sync_scene
from kinebind import ClockMap
from kinebind.tasks.locate.fitness import caveats, seconds_moving, unfit, usable

IMU = sync_scene.imu("left_wrist", ClockMap(0.0), 20.0)
BARE = IMU.replace(rot_world_from_sensor=None)


def test_a_whole_sensor_has_nothing_against_it():
    assert unfit(IMU) is None
    assert caveats(IMU) == []
    assert usable(IMU) is IMU


def test_seconds_of_movement_are_counted():
    acc, gyr = np.tile([0.0, 0.0, 9.81], (IMU.time_s.size, 1)), np.zeros((IMU.time_s.size, 3))
    moving = (IMU.time_s >= 5.0) & (IMU.time_s < 8.0)
    turning = gyr.copy()
    turning[moving, 2] = np.sin(9.0 * IMU.time_s[moving])
    assert seconds_moving(IMU.replace(acc_sensor=acc, gyr_sensor=gyr)) == 0.0
    assert seconds_moving(IMU.replace(acc_sensor=acc, gyr_sensor=turning)) == pytest.approx(3.0, abs=0.5)
    shaken = acc.copy()
    shaken[moving, 0] += 2.0 * np.sin(15.0 * IMU.time_s[moving])
    assert seconds_moving(IMU.replace(acc_sensor=shaken, gyr_sensor=None)) == pytest.approx(3.0, abs=0.5)


def test_an_angular_rate_that_is_mostly_missing_is_left_out():
    gyr = BARE.gyr_sensor.copy()
    gyr[: gyr.shape[0] // 3] = np.nan
    assert usable(BARE.replace(gyr_sensor=gyr)).gyr_sensor is not None
    gyr[: 2 * gyr.shape[0] // 3] = np.nan
    assert usable(BARE.replace(gyr_sensor=gyr)).gyr_sensor is None
    assert "no gyroscope" in caveats(BARE.replace(gyr_sensor=gyr))[0]
    assert caveats(IMU.replace(gyr_sensor=None)) == []  # the orientation tells how it turns


def test_clipping_is_told():
    acc = np.clip(IMU.acc_sensor, -9.0, 9.0)
    (told,) = caveats(IMU.replace(acc_sensor=acc))
    assert "end of its range" in told


def test_a_sensor_that_moves_little_is_told():
    resting = np.array([0.0, 0.0, 9.81])
    for amplitude_m_s2, told in ((0.6, True), (3.0, False)):
        acc = resting + amplitude_m_s2 * np.sin(9.0 * BARE.time_s)[:, None] * [1.0, 0.0, 0.0]
        assert any("moves little" in c for c in caveats(BARE.replace(acc_sensor=acc))) == told
