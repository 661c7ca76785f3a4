"""How a real sensor was mounted, found from a few minutes of it beside the motion of its segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from kinebind.body.imu_geometry import ideal_kinematics
from kinebind.body.sites import SiteTrajectory
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.resample import resample_vectors

# What is thought possible before any data: keeps what a recording does not show near zero. One σ.
_ARM_SIGMA_M = 0.1
_ACC_BIAS_SIGMA_M_S2 = 0.3
_GYR_BIAS_SIGMA_RAD_S = 0.05
_ROUNDS = 12  # turn and the rest, in alternation; each round gains about a digit


@dataclass(frozen=True, eq=False)
class FittedMounting:
    """Where and how a sensor sits on its segment, and what it reads too much.

    rot_segment_from_sensor (4,): unit quaternion (x, y, z, w). lever_arm_segment_m (3,): from the trajectory's point.
    acc_bias_m_s2 (3,), gyr_bias_rad_s (3,): in the sensor's frame. lag_s: trajectory time minus sensor time.
    acc_residual_m_s2, gyr_residual_rad_s: RMS per axis of what the fit leaves (gyr NaN without a gyroscope).
    """

    rot_segment_from_sensor: FloatArray
    lever_arm_segment_m: FloatArray
    acc_bias_m_s2: FloatArray
    gyr_bias_rad_s: FloatArray
    lag_s: float
    acc_residual_m_s2: float
    gyr_residual_rad_s: float


def fit_mounting(
    trajectory: SiteTrajectory, imu: Imu, *, max_lag_s: float = 0.0, cutoff_hz: float = 10.0
) -> FittedMounting:
    """Turn, lever arm and biases that make a trajectory's ideal readings most like a real sensor's.

    Both are low-passed at cutoff_hz (−3 dB). Least squares, solved by turns: the turn in closed form (Wahba's
    problem; Kabsch 1976), lever arm and biases by linear regression, accelerometer and gyroscope each weighted by
    its spread. max_lag_s: how far the trajectory's clock may differ from the sensor's; 0 takes the two as one clock.

    Raises InputError where they share less than two seconds, or where the segment does not turn.
    """

    # The fit needs no more samples than its low-pass leaves room for.
    wide_hz, grid_hz = 2.0 * cutoff_hz, 5.0 * cutoff_hz
    grid_s = np.arange(imu.time_s[0], imu.time_s[-1], 1.0 / grid_hz)

    def low(values: FloatArray) -> FloatArray:
        return resample_vectors(grid_s, values, grid_s, cutoff_hz=cutoff_hz)

    def measured(values: FloatArray) -> FloatArray:
        return low(resample_vectors(imu.time_s, values, grid_s, cutoff_hz=wide_hz))

    acc = measured(imu.acc_sensor)
    gyr = None if imu.gyr_sensor is None else measured(imu.gyr_sensor)

    def at_lag(lag_s: float) -> FittedMounting:
        ideal = ideal_kinematics(
            trajectory.time_s, trajectory.position_world[:, None], trajectory.rot_world_from_segment[:, None],
            grid_s + lag_s, cutoff_hz=wide_hz,
        )  # fmt: skip
        rate = ideal.gyr_segment[:, 0]
        arm_effect = low(_arm_matrix(rate, ideal.angacc_segment[:, 0]))
        return _fit(low(ideal.acc_segment[:, 0]), arm_effect, low(rate), acc, gyr, grid_hz, lag_s)

    if max_lag_s == 0.0:
        return at_lag(0.0)

    def cost(lag_s: float) -> float:
        fit = at_lag(lag_s)
        return fit.acc_residual_m_s2 / _spread(acc) + (0.0 if gyr is None else fit.gyr_residual_rad_s / _spread(gyr))

    best = minimize_scalar(cost, bounds=(-max_lag_s, max_lag_s), method="bounded", options={"xatol": 1e-4})
    return at_lag(float(best.x))


def _spread(values: FloatArray) -> float:
    return float(np.sqrt(np.nanmean(np.nanvar(values, axis=0))))


def _fit(
    force: FloatArray,
    arm_effect: FloatArray,
    rate: FloatArray,
    acc: FloatArray,
    gyr: FloatArray | None,
    grid_hz: float,
    lag_s: float,
) -> FittedMounting:
    """The fit at one lag. In the segment's frame: force (U, 3), arm_effect (U, 3, 3) times a lever arm, rate (U, 3);
    in the sensor's: acc, gyr (U, 3).
    """
    known = np.isfinite(force).all(axis=1) & np.isfinite(acc).all(axis=1)
    if gyr is not None:
        known &= np.isfinite(gyr).all(axis=1)
    if known.sum() < 2.0 * grid_hz:
        raise InputError("Sensor and motion share less than two seconds.", "Check the clocks, or give a longer piece.")
    force, arm_effect, rate, acc = force[known], arm_effect[known], rate[known], acc[known]
    if np.sqrt(np.mean(rate**2)) < 0.02:
        raise InputError("The segment hardly turns, so its mounting cannot be told.", "Give a piece with movement.")
    acc_scale = _spread(acc)
    gyr_scale = 1.0 if gyr is None else _spread(gyr[known])
    arm, acc_bias, gyr_bias = np.zeros(3), np.zeros(3), np.zeros(3)
    turn = Rotation.identity()
    for _ in range(_ROUNDS):
        moved = force + arm_effect @ arm
        pairs = [(moved, acc - acc_bias, acc_scale)]
        if gyr is not None:
            pairs.append((rate, gyr[known] - gyr_bias, gyr_scale))
        # Σ segment ⊗ sensor, each over its squared spread; its nearest rotation is the turn.
        cross = sum(a.T @ b / scale**2 for a, b, scale in pairs)
        u, _, vt = np.linalg.svd(cross)
        turn = Rotation.from_matrix(u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt)
        # In the segment's frame: acc − force = effect·arm + turn·bias.
        rest = turn.apply(acc) - force
        noise = max(float(np.sqrt(np.mean((rest - arm_effect @ arm - turn.apply(acc_bias)) ** 2))), 1e-6)
        design = np.concatenate([arm_effect, np.broadcast_to(turn.as_matrix(), arm_effect.shape)], axis=2).reshape(
            -1, 6
        )
        prior = np.diag((noise / np.repeat([_ARM_SIGMA_M, _ACC_BIAS_SIGMA_M_S2], 3)) ** 2)
        solution = np.linalg.solve(design.T @ design + prior, design.T @ rest.ravel())
        arm, acc_bias = solution[:3], solution[3:]
        if gyr is not None:
            excess = gyr[known] - turn.apply(rate, inverse=True)
            noise = max(float(np.sqrt(np.mean((excess - gyr_bias) ** 2))), 1e-6)
            gyr_bias = excess.sum(axis=0) / (excess.shape[0] + (noise / _GYR_BIAS_SIGMA_RAD_S) ** 2)
    acc_left = acc - acc_bias - turn.apply(force + arm_effect @ arm, inverse=True)
    gyr_left = np.full(3, np.nan) if gyr is None else gyr[known] - gyr_bias - turn.apply(rate, inverse=True)
    return FittedMounting(
        turn.as_quat(), arm, acc_bias, gyr_bias, lag_s,
        float(np.sqrt(np.mean(acc_left**2))), float(np.sqrt(np.mean(gyr_left**2))),
    )  # fmt: skip


def _arm_matrix(rate: FloatArray, angacc: FloatArray) -> FloatArray:
    """[α]× + [ω]×² (U, 3, 3), whose product with a lever arm is α×r + ω×(ω×r)."""
    return _cross_matrix(angacc) + _cross_matrix(rate) @ _cross_matrix(rate)


def _cross_matrix(v: FloatArray) -> FloatArray:
    """[v]× (U, 3, 3) of vectors (U, 3)."""
    return np.asarray(np.cross(v[:, None, :], np.eye(3)).transpose(0, 2, 1))
