from __future__ import annotations

import numpy as np
from imu_scene import feel
from scipy.spatial.transform import Rotation

from kinebind.readers.derive import (
    rate_from_orientation,
    rotate,
    specific_force_from_free_sensor,
    specific_force_from_free_world,
)

FELT = feel()


def test_rest_reads_gravity_upwards_in_any_attitude():
    quat = Rotation.random(50, rng=1).as_quat()
    for force in (specific_force_from_free_world, specific_force_from_free_sensor):
        f = force(np.zeros((50, 3)), quat)
        np.testing.assert_allclose(np.linalg.norm(f, axis=1), 9.81)
        np.testing.assert_allclose(rotate(quat, f), np.tile([0, 0, 9.81], (50, 1)), atol=1e-12)


def test_free_acceleration_comes_back_to_what_was_felt():
    np.testing.assert_allclose(specific_force_from_free_world(FELT.free_world, FELT.quat), FELT.acc, atol=1e-12)
    in_sensor = rotate(FELT.quat, FELT.free_world, inverse=True)
    np.testing.assert_allclose(specific_force_from_free_sensor(in_sensor, FELT.quat), FELT.acc, atol=1e-12)


def test_a_steady_turn_gives_its_rate_exactly():
    t = np.arange(100) / 50
    omega = np.array([0.3, -1.0, 2.0])
    quat = (Rotation.random(rng=2) * Rotation.from_rotvec(np.outer(t, omega))).as_quat()
    np.testing.assert_allclose(rate_from_orientation(t, quat), np.tile(omega, (100, 1)), atol=1e-12)


def test_turning_the_world_turns_nothing_in_the_sensor():
    turned = (Rotation.random(rng=3) * Rotation.from_quat(FELT.quat)).as_quat()
    a, b = (rate_from_orientation(FELT.time_s, q) for q in (FELT.quat, turned))
    np.testing.assert_allclose(a, b, atol=1e-9)
    np.testing.assert_allclose(a[1:-1], FELT.gyr[1:-1], atol=0.02)


def test_gaps_and_missing_rotations_give_no_rate():
    quat = FELT.quat.copy()
    quat[100] = np.nan
    time = FELT.time_s + np.where(np.arange(FELT.time_s.size) >= 200, 1.0, 0.0)
    rate = rate_from_orientation(time, quat)
    assert np.flatnonzero(np.isnan(rate[:, 0])).tolist() == [100]
    # Beside a gap the one neighbour is used: never the mean over what was not seen.
    np.testing.assert_allclose(rate[195:205], FELT.gyr[195:205], atol=0.03)
    alone = time[:20].copy()
    alone[10] += 0.005
    alone[11:] += 0.5
    alone[:10] -= 0.5
    assert np.flatnonzero(np.isnan(rate_from_orientation(alone, quat[:20])[:, 0])).tolist() == [10]
