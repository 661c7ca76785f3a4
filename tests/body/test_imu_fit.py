"""A known mounting is found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind import ClockMap, InputError
from kinebind.body.imu_fit import FittedMounting, fit_mounting
from kinebind.body.imu_mounting import MountingEffects
from kinebind.body.imu_sensor import SensorErrors
from kinebind.body.imu_simulate import ImuEffects, simulate_imu
from kinebind.body.sites import SiteTrajectory

TIME = np.arange(0, 30, 1 / 120)
NOISE = ImuEffects(MountingEffects(), None, SensorErrors(acc_noise_density=6.5e-3, gyr_noise_density=6.5e-4))
TRUE = FittedMounting(
    Rotation.from_rotvec([1.5, -2.0, 0.4]).as_quat(), np.array([0.04, -0.15, 0.02]),
    np.array([0.2, -0.1, 0.05]), np.array([0.02, 0.01, -0.03]), 0.0, 0.0, 0.0,
)  # fmt: skip


def path(amount=1.0, time=TIME):
    rng = np.random.default_rng(1)
    tones = np.sin(2 * np.pi * np.array([0.3, 0.9, 2.1])[:, None] * time + rng.uniform(0, 6, (6, 3, 1)))
    vectors = amount * np.einsum("kft,f->tk", tones, [0.4, 0.2, 0.1])
    quat = Rotation.from_rotvec(2 * vectors[:, 3:]).as_quat()
    return SiteTrajectory(time, "left_shank", vectors[:, :3], quat, np.zeros(3))


def worn(lag_s=0.0, **changes):
    imu = simulate_imu(
        path(), rng=np.random.default_rng(2), effects=NOISE, mounting=TRUE, clock=ClockMap(lag_s), cutoff_hz=20.0
    )
    return imu.replace(**changes)


def check(fit, arm_m=0.002, turn_deg=0.1):
    off = Rotation.from_quat(TRUE.rot_segment_from_sensor).inv() * Rotation.from_quat(fit.rot_segment_from_sensor)
    assert np.rad2deg(off.magnitude()) < turn_deg
    np.testing.assert_allclose(fit.lever_arm_segment_m, TRUE.lever_arm_segment_m, atol=arm_m)
    np.testing.assert_allclose(fit.acc_bias_m_s2, TRUE.acc_bias_m_s2, atol=0.02)


def test_turn_arm_and_biases_are_found_again():
    fit = fit_mounting(path(), worn())
    check(fit)
    np.testing.assert_allclose(fit.gyr_bias_rad_s, TRUE.gyr_bias_rad_s, atol=1e-3)
    # What is left is the white noise within the low-pass of 10 of 50 Hz.
    assert fit.acc_residual_m_s2 == pytest.approx(6.5e-3 * np.sqrt(2 * 10.0), rel=0.15)
    assert fit.gyr_residual_rad_s == pytest.approx(6.5e-4 * np.sqrt(2 * 10.0), rel=0.3)


@pytest.mark.parametrize("lag_s", [-0.043, 0.0, 0.0213])
def test_the_lag_is_found_as_well(lag_s):
    fit = fit_mounting(path(), worn(lag_s), max_lag_s=0.08)
    assert fit.lag_s == pytest.approx(lag_s, abs=5e-4)
    check(fit)


def test_without_a_gyroscope_and_with_losses_it_still_works():
    imu = worn(gyr_sensor=None)
    keep = np.random.default_rng(3).random(imu.time_s.size) > 0.02
    fit = fit_mounting(path(), imu.take(keep))
    check(fit, arm_m=0.004, turn_deg=0.3)
    assert np.isnan(fit.gyr_residual_rad_s)
    np.testing.assert_array_equal(fit.gyr_bias_rad_s, 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_movement_in_one_plane_still_gives_a_rotation_and_no_mirror_image(seed):
    angle = 0.6 * np.sin(2 * np.pi * 0.9 * TIME)
    position = 0.8 * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], axis=1)
    quat = Rotation.from_rotvec(np.multiply.outer(angle, [1.0, 0, 0])).as_quat()
    planar = SiteTrajectory(TIME, "left_shank", position, quat, np.zeros(3))
    turn = Rotation.random(random_state=seed)
    known = FittedMounting(turn.as_quat(), np.zeros(3), np.zeros(3), np.zeros(3), 0.0, 0.0, 0.0)
    imu = simulate_imu(planar, rng=np.random.default_rng(seed), effects=ImuEffects(), mounting=known)
    for sensor in (imu, imu.replace(gyr_sensor=None)):
        fit = fit_mounting(planar, sensor)
        assert np.rad2deg((turn.inv() * Rotation.from_quat(fit.rot_segment_from_sensor)).magnitude()) < 0.5


def test_a_segment_that_does_not_turn_is_refused():
    with pytest.raises(InputError, match="hardly turns"):
        fit_mounting(path(amount=1e-4), worn())


def test_too_little_in_common_is_refused():
    with pytest.raises(InputError, match="two seconds"):
        fit_mounting(path(time=TIME[:180]), worn())
