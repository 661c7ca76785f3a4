"""A frame whose z is up: what a 6-axis orientation filter (VQF, Laidig and Seel 2023) makes of a sensor's readings."""

from __future__ import annotations

import numpy as np
import vqf
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.resample import continuous_quaternions, valid_runs, whole_rows

SHORTEST_RUN_S = 0.5
"""Shorter unbroken stretches are left out: the orientation filter has nothing to settle on."""


def angular_rate_from_orientation(imu: Imu) -> FloatArray:
    """Angular rate (T, 3) in the sensor's frame, rad/s, from its orientation: log(R_tᵀ R_{t+1}) / dt, centred."""
    assert imu.rot_world_from_sensor is not None
    quat = continuous_quaternions(imu.rot_world_from_sensor)
    valid = np.isfinite(quat).all(axis=1)
    rate = np.full((quat.shape[0], 3), np.nan)
    if np.count_nonzero(valid) > 2:
        q, t = Rotation.from_quat(quat[valid]), imu.time_s[valid]
        turned = (q[:-1].inv() * q[1:]).as_rotvec() / np.diff(t)[:, None]
        rate[valid] = np.concatenate([turned[:1], 0.5 * (turned[1:] + turned[:-1]), turned[-1:]])
    return rate


def gravity_frame(time_s: FloatArray, felt: FloatArray, rate_hz: float) -> FloatArray:
    """Rotation matrices (T, 3, 3), gravity frame from sensor frame, by the 6-axis filter on each unbroken run.

    time_s (T,): a regular grid of rate_hz. felt (T, 6): specific force, m/s², and angular rate, rad/s, in the sensor's
    frame. The frame's z is up, its heading steady but arbitrary in each run. NaN where a value is missing, and in runs
    shorter than SHORTEST_RUN_S.
    """
    rotation = np.full((time_s.size, 3, 3), np.nan)
    valid = whole_rows(felt)
    where = np.flatnonzero(valid)
    for a, b in valid_runs(time_s, valid, 1.5 / rate_hz):
        if (b - a) / rate_hz < SHORTEST_RUN_S:
            continue
        run = where[a:b]
        acc, gyr = np.ascontiguousarray(felt[run, :3]), felt[run, 3:]
        # The filter turns from one sample to the next by the later one's rate alone: their mean keeps it in time.
        gyr = np.concatenate([gyr[:1], 0.5 * (gyr[1:] + gyr[:-1])])
        quat = vqf.offlineVQF(gyr, acc, None, 1.0 / rate_hz)["quat6D"]
        rotation[run] = Rotation.from_quat(quat[:, [1, 2, 3, 0]]).as_matrix()
    return rotation
