"""Ideal specific force and angular rate: physics, a naive twin, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from scipy.spatial.transform import Rotation

from kinebind import InputError
from kinebind.body.imu_geometry import ideal_kinematics, lever_arm_acc, moved, smoothing_cutoff_hz

G = 9.81
TIME = np.arange(0.0, 4.0, 1 / 120)
INSIDE = np.arange(0.5, 3.5, 0.00731)
STILL = np.tile([0.0, 0.0, 0.0, 1.0], (TIME.size, 1))


def felt(position, quat, at=INSIDE, time=TIME, cutoff_hz=20.0):
    """Specific force and rate (U, 3) of one point."""
    k = ideal_kinematics(time, position[:, None], quat[:, None], at, cutoff_hz=cutoff_hz)
    return k.acc_segment[:, 0], k.gyr_segment[:, 0]


def wobble(time=TIME, seed=0):
    """A smooth path and rotation of a few hertz."""
    rng = np.random.default_rng(seed)
    tones = np.sin(2 * np.pi * np.array([0.4, 1.1, 2.3])[:, None] * time + rng.uniform(0, 6, (6, 3, 1)))
    vectors = np.einsum("kft,f->tk", tones, [0.3, 0.15, 0.05])
    return vectors[:, :3], Rotation.from_rotvec(2.0 * vectors[:, 3:]).as_quat()


@given(st.tuples(*[st.floats(-3, 3)] * 3))
@settings(max_examples=20, deadline=None)
def test_rest_reads_gravity_and_no_rate(rotvec):
    turn = Rotation.from_rotvec(rotvec)
    acc, gyr = felt(np.tile([1.0, -2.0, 0.5], (TIME.size, 1)), np.tile(turn.as_quat(), (TIME.size, 1)))
    np.testing.assert_allclose(acc, np.tile(turn.inv().apply([0, 0, G]), (INSIDE.size, 1)), atol=1e-8)
    np.testing.assert_allclose(gyr, 0.0, atol=1e-9)


@given(st.floats(-np.pi, np.pi), st.tuples(*[st.floats(-50, 50)] * 3), st.tuples(*[st.floats(-3, 3)] * 3))
@settings(max_examples=20, deadline=None)
def test_turning_moving_and_drawing_the_world_along_changes_nothing(heading, place, velocity):
    position, quat = wobble()
    turn = Rotation.from_rotvec([0, 0, heading])
    acc, gyr = felt(position, quat)
    elsewhere = turn.apply(position) + place + np.multiply.outer(TIME, velocity)
    acc_there, gyr_there = felt(elsewhere, (turn * Rotation.from_quat(quat)).as_quat())
    np.testing.assert_allclose(acc_there, acc, atol=1e-6)
    np.testing.assert_allclose(gyr_there, gyr, atol=1e-9)


def test_free_fall_reads_nothing_to_the_very_ends():
    position = np.array([0.3, 0.1, 20.0]) + np.multiply.outer(TIME, [1.0, 0.0, 3.0])
    position[:, 2] -= 0.5 * G * TIME**2
    quat = Rotation.from_rotvec(np.multiply.outer(TIME, [0.0, 3.0, 1.0])).as_quat()
    acc, gyr = felt(position, quat, at=TIME)
    np.testing.assert_allclose(acc, 0.0, atol=1e-6)
    np.testing.assert_allclose(gyr[30:-30], np.tile([0.0, 3.0, 1.0], (TIME.size - 60, 1)), atol=1e-4)


def test_a_uniform_circle_reads_its_centripetal_force_beside_gravity():
    rate, radius = 2 * np.pi, 0.4
    angle = rate * TIME
    position = radius * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    quat = Rotation.from_rotvec(np.multiply.outer(angle, [0, 0, 1.0])).as_quat()
    acc, gyr = felt(position, quat)
    np.testing.assert_allclose(acc, np.tile([-(rate**2) * radius, 0.0, G], (INSIDE.size, 1)), atol=2e-3)
    np.testing.assert_allclose(gyr, np.tile([0, 0, rate], (INSIDE.size, 1)), atol=1e-5)


@pytest.mark.parametrize("hz", [2.0, 6.0, 10.0, 20.0])
def test_a_sine_comes_out_as_the_spline_promises_where_the_stencil_falls_by_sinc_squared(hz):
    cutoff, half_width_s = 20.0, 4 / 120
    true = (2 * np.pi * hz) ** 2 * 0.01
    position = np.stack([0.01 * np.sin(2 * np.pi * hz * TIME), 0 * TIME, 0 * TIME], axis=1)
    wave = np.sin(2 * np.pi * hz * INSIDE)
    acc, _ = felt(position, STILL, cutoff_hz=cutoff)
    gain = -2 * np.mean(acc[:, 0] * wave) / true / (2 * np.mean(wave**2))
    assert gain == pytest.approx(1 / (1 + (np.sqrt(2) - 1) * (hz / cutoff) ** 6), rel=4e-3)
    x = position[:, 0]
    stencil = (x[8:] - 2 * x[4:-4] + x[:-8]) / half_width_s**2
    amplitude = np.sqrt(2 * np.mean(stencil[36:-36] ** 2)) / true  # whole periods of every frequency
    assert amplitude == pytest.approx(np.sinc(hz * half_width_s) ** 2, rel=2e-2)
    if hz <= cutoff / 2:
        assert abs(gain - 1) < 0.01
    if hz >= cutoff / 2:
        assert amplitude < 0.75


@pytest.mark.parametrize(("rate_hz", "sigma_m"), [(120.0, 0.001), (30.0, 0.01), (285.7, 0.0005)])
def test_white_position_noise_comes_out_as_strong_as_asked(rate_hz, sigma_m):
    time = np.arange(0.0, 20000 / rate_hz, 1 / rate_hz)
    noise = sigma_m * np.random.default_rng(3).standard_normal((time.size, 1, 3))
    quat = np.tile([0.0, 0.0, 0.0, 1.0], (time.size, 1, 1))
    cutoff = smoothing_cutoff_hz(rate_hz, sigma_m, acc_sigma_m_s2=1.5)
    acc = ideal_kinematics(time, noise, quat, time[100:-100], cutoff_hz=cutoff).acc_segment
    assert np.std(acc) == pytest.approx(np.hypot(1.5, np.std([0, 0, G])), rel=0.02)


def test_the_cutoff_follows_rate_and_noise():
    assert 10 < smoothing_cutoff_hz(30.0) < smoothing_cutoff_hz(120.0) < smoothing_cutoff_hz(285.0) < 16.5
    assert smoothing_cutoff_hz(30.0, 0.01) == pytest.approx(4.0, abs=0.2)
    assert smoothing_cutoff_hz(20.0, 1e-6) == pytest.approx(9.0)
    with pytest.raises(InputError):
        smoothing_cutoff_hz(30.0, 0.0)


def test_a_lever_arm_adds_its_two_terms():
    position, quat = wobble()
    arm = np.array([0.05, -0.2, 0.1])
    base = ideal_kinematics(TIME, position[:, None], quat[:, None], INSIDE, cutoff_hz=30.0)
    acc, gyr = felt(moved(position, quat, arm), quat, cutoff_hz=30.0)
    expected = base.acc_segment + lever_arm_acc(base.gyr_segment, base.angacc_segment, arm)
    np.testing.assert_allclose(acc, expected[:, 0], atol=5e-3)
    np.testing.assert_array_equal(gyr, base.gyr_segment[:, 0])
    assert np.abs(expected - base.acc_segment).max() > 5.0


@pytest.mark.parametrize("cutoff_hz", [25.0, 2.0])  # the lower one smooths so much that |s| is far from 1
def test_rate_is_the_logarithm_of_small_steps_and_angular_acceleration_its_derivative(cutoff_hz):
    position, quat = wobble()
    h = 1e-4
    before_now_after = [
        ideal_kinematics(TIME, position[:, None], quat[:, None], INSIDE + d, cutoff_hz=cutoff_hz) for d in (-h, 0, h)
    ]
    k, near = before_now_after[1], before_now_after[::2]
    before, after = (Rotation.from_quat(n.rot_world_from_segment[:, 0]) for n in near)
    np.testing.assert_allclose((before.inv() * after).as_rotvec() / (2 * h), k.gyr_segment[:, 0], atol=1e-5)
    slope = (near[1].gyr_segment - near[0].gyr_segment) / (2 * h)
    # A vector's derivative in the turning frame: ω×ω vanishes, so it is the derivative of the components.
    np.testing.assert_allclose(slope, k.angacc_segment, atol=1e-4)


def test_the_banded_fit_is_the_dense_one():
    """The same spline by dense matrices: basis functions one by one, roughness by quadrature."""
    rng = np.random.default_rng(4)
    time = np.sort(np.concatenate([np.arange(0, 1, 0.01), [0.0333, 0.512]]))
    position, cutoff = 0.01 * rng.standard_normal((time.size, 3)), 9.0
    quat = np.tile([0.0, 0.0, 0.0, 1.0], (time.size, 1))
    at = np.linspace(0, time[-1], 57)
    acc, _ = felt(position, quat, at, time, cutoff)
    n = int(np.ceil(time[-1] * 8 * cutoff))
    knots = np.arange(-5, n + 6) * time[-1] / n
    elements = [BSpline(knots, np.eye(n + 5)[i], 5) for i in range(n + 5)]
    basis = np.stack([e(time) for e in elements], axis=1)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    x = (knots[5 : n + 5, None] + (nodes + 1) / 2 * time[-1] / n).ravel()
    third = np.stack([e(x, 3) for e in elements], axis=1)
    rough = third.T @ (np.tile(weights / 2 * time[-1] / n, n)[:, None] * third)
    lam = (np.sqrt(2) - 1) / (2 * np.pi * cutoff) ** 6 / 0.01
    c = np.linalg.solve(basis.T @ basis + lam * rough, basis.T @ position)
    expected = np.stack([e(at, 2) for e in elements], axis=1) @ c + [0, 0, G]
    np.testing.assert_allclose(acc, expected, atol=1e-6)


def test_many_points_at_once_are_the_same_as_one_by_one_and_gaps_stay_gaps():
    paths = [wobble(seed=s) for s in range(3)]
    position = np.stack([p for p, _ in paths], axis=1)
    quat = np.stack([q for _, q in paths], axis=1)
    position[150:200, 1] = np.nan
    quat[300:303, 2] = np.nan
    sign = np.where(np.arange(TIME.size) % 3 == 0, -1.0, 1.0)[:, None, None]  # of a quaternion means nothing
    together = ideal_kinematics(TIME, position, sign * quat, INSIDE, cutoff_hz=15.0)
    for s in range(3):
        acc, gyr = felt(position[:, s], quat[:, s], cutoff_hz=15.0)
        np.testing.assert_allclose(together.acc_segment[:, s], acc, atol=1e-9)
        np.testing.assert_allclose(together.gyr_segment[:, s], gyr, atol=1e-9)
    first, last = TIME[149], TIME[200]
    in_gap = (first < INSIDE) & (last > INSIDE)
    assert np.isnan(together.acc_segment[in_gap, 1]).all()
    assert np.isfinite(together.acc_segment[~in_gap, 1]).all()
    assert np.isfinite(together.acc_segment[:, 2]).sum() == 3 * INSIDE.size  # 3 samples are no gap yet


def test_nothing_is_extrapolated_and_unix_times_cost_no_sample():
    position, quat = wobble()
    start = 1.6e9
    acc, _ = felt(position, quat, at=start + np.array([-0.01, 0.0, 1.0, TIME[-1], TIME[-1] + 0.01]), time=start + TIME)
    np.testing.assert_array_equal(np.isnan(acc).any(axis=1), [True, False, False, False, True])
    near, _ = felt(position, quat, at=np.array([1.0]))
    np.testing.assert_allclose(acc[2], near[0], atol=1e-2)
