"""What files leave out and orientation gives back: specific force from free acceleration, and angular rate."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.imu import GRAVITY_M_S2
from kinebind.resample import default_max_gap_s

_UP = np.array([0.0, 0.0, GRAVITY_M_S2])


def rotate(quat_xyzw: FloatArray, vectors: FloatArray, *, inverse: bool = False) -> FloatArray:
    """Vectors (T, 3) turned by unit quaternions (T, 4), scalar last; rows with a missing part are NaN."""
    out = np.full(vectors.shape, np.nan)
    good = np.isfinite(quat_xyzw).all(axis=1) & np.isfinite(vectors).all(axis=1)
    if good.any():
        out[good] = Rotation.from_quat(quat_xyzw[good]).apply(vectors[good], inverse=inverse)
    return out


def specific_force_from_free_world(acc_world: FloatArray, rot_world_from_sensor: FloatArray) -> FloatArray:
    """f = Rᵀ(a + (0, 0, 9.81)) of gravity-free acceleration in the world's frame, (T, 3) m/s²."""
    return rotate(rot_world_from_sensor, acc_world + _UP, inverse=True)


def specific_force_from_free_sensor(acc_sensor: FloatArray, rot_world_from_sensor: FloatArray) -> FloatArray:
    """f = a + Rᵀ(0, 0, 9.81) of gravity-free acceleration in the sensor's frame, (T, 3) m/s²."""
    return acc_sensor + rotate(rot_world_from_sensor, np.broadcast_to(_UP, acc_sensor.shape), inverse=True)


def rate_from_orientation(time_s: FloatArray, rot_world_from_sensor: FloatArray) -> FloatArray:
    """Angular rate in the sensor's frame (T, 3), rad/s: ω = log(R₋ᵀR₊)/(t₊ − t₋) over a sample's two neighbours.

    At the ends of a run over its one neighbour; NaN where a neighbour is missing or lies beyond a gap.
    """
    n = time_s.size
    before, after = np.maximum(np.arange(n) - 1, 0), np.minimum(np.arange(n) + 1, n - 1)
    # A step over a gap would give the mean rate of what was not seen.
    joined = np.diff(time_s) <= default_max_gap_s(time_s)
    finite = np.asarray(np.isfinite(rot_world_from_sensor).all(axis=1))
    link = joined & finite[1:] & finite[:-1]
    before[1:] = np.where(link, before[1:], np.arange(1, n))
    after[:-1] = np.where(link, after[:-1], np.arange(n - 1))
    out = np.full((n, 3), np.nan)
    good = finite & (after > before)
    if good.any():
        first, last = (Rotation.from_quat(rot_world_from_sensor[i[good]]) for i in (before, after))
        span = (time_s[after] - time_s[before])[good, None]
        out[good] = (first.inv() * last).as_rotvec() / span
    return out
