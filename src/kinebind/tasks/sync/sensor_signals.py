"""What a sensor felt, in signals that do not depend on how it was strapped on.

A 6-axis orientation filter (VQF, Laidig and Seel 2023) tells each sensor's up direction, so that acceleration splits
into a vertical part and a horizontal plane whose heading is unknown but steady.
"""

from __future__ import annotations

import numpy as np

from kinebind.body.gravity_frame import angular_rate_from_orientation, gravity_frame
from kinebind.clock import FloatArray
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.resample import resample_vectors, whole_rows
from kinebind.tasks.sync.limb_signals import FAST_HZ, RATE_HZ, SLOW_HZ, grid, rate_of_change, smoothed

BRIDGED_S = 0.1
"""Longest stretch of lost samples that is interpolated; longer ones stay missing."""


def sensor_signals(imu: Imu) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Times (T,) on the common grid of the sensor's clock, and signals (T, k) on it, NaN where samples are missing.

    With angular rate (measured, or from orientation): turn |ω| rad/s; load |f|, shake |f_world − up·g|, heave the
    vertical part of the same, m/s²; up (3): the world's up direction in the sensor's frame;
    ahead (6): the two horizontal world axes in it.
    Without: turn is |df/dt|/g, heave |f| − g, up the low-passed f/g; shake and ahead are left out.
    """
    step = 2 if imu.rate_hz > 1.5 * RATE_HZ else 1
    rate_hz = step * RATE_HZ
    time_s = grid(imu.time_s[0], imu.time_s[-1], rate_hz)
    out_s = grid(imu.time_s[0], imu.time_s[-1])
    gap = max(BRIDGED_S, 2.5 / imu.rate_hz)
    gyr = imu.gyr_sensor
    if gyr is None and imu.rot_world_from_sensor is not None:
        gyr = angular_rate_from_orientation(imu)
    felt = imu.acc_sensor if gyr is None else np.concatenate([imu.acc_sensor, gyr], axis=1)
    felt = np.where(whole_rows(felt)[:, None], felt, np.nan)
    # Only a much faster sensor can fold anything back into the few hertz that are used.
    cutoff_hz = 0.4 * rate_hz if imu.rate_hz > 1.2 * rate_hz else np.inf
    felt = resample_vectors(imu.time_s, felt, time_s, cutoff_hz=cutoff_hz, max_gap_s=gap)

    skip = round((out_s[0] - time_s[0]) * rate_hz) if out_s.size else 0

    def on_grid(values: FloatArray, cutoff_hz: float) -> FloatArray:
        return smoothed(values, rate_hz, cutoff_hz)[skip::step][: out_s.size]

    if gyr is None:
        slow, fast = on_grid(felt, SLOW_HZ), on_grid(felt, FAST_HZ)
        load = np.linalg.norm(slow, axis=1, keepdims=True)
        change = rate_of_change(fast) / GRAVITY_M_S2
        return out_s, {
            "turn": np.linalg.norm(change, axis=1, keepdims=True),
            "load": load,
            "heave": load - GRAVITY_M_S2,
            "up": fast / GRAVITY_M_S2,
        }
    rotation = gravity_frame(time_s, felt, rate_hz)
    world = np.einsum("tij,tj->ti", rotation, felt[:, :3]) - [0.0, 0.0, GRAVITY_M_S2]
    slow = on_grid(np.concatenate([felt[:, :3], world], axis=1), SLOW_HZ)
    fast = on_grid(np.concatenate([felt[:, 3:], rotation.reshape(-1, 9)], axis=1), FAST_HZ)
    return out_s, {
        "turn": np.linalg.norm(fast[:, :3], axis=1, keepdims=True),
        "load": np.linalg.norm(slow[:, :3], axis=1, keepdims=True),
        "shake": np.linalg.norm(slow[:, 3:], axis=1, keepdims=True),
        "heave": slow[:, 5:],
        "up": fast[:, 9:],
        "ahead": fast[:, 3:9],
    }
