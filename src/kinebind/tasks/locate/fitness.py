"""Whether a sensor holds anything that can be compared with a video, and what makes its answer less sure."""

from __future__ import annotations

import numpy as np

from kinebind.imu import Imu
from kinebind.readers.describe import describe_imu

LEAST_S = 1.5
"""Seconds that a sensor and a limb must share to be compared."""
LEAST_MOVING_S = 1.0
"""Seconds of movement below which everybody who stands still fits as well as anybody else."""
MOVING_M_S2, MOVING_RAD_S = 0.3, 0.15
"""Spread within half a second from which a sensor moves: several times the noise of the sensors in use."""
_WINDOW_S = 0.5
_CLIPPED_TOLD, _CLIPPED_MOST = 0.02, 0.5
_MISSING_TOLD = 0.1
_QUIET_M_S2 = 0.7
_GYR_LEAST = 0.5  # share of the samples with acceleration


def usable(imu: Imu) -> Imu:
    """The sensor without an angular rate that is mostly missing: a sample counts only where all of it is there."""
    if imu.gyr_sensor is None:
        return imu
    acc, gyr = (np.isfinite(x).all(axis=1) for x in (imu.acc_sensor, imu.gyr_sensor))
    return imu.replace(gyr_sensor=None) if np.count_nonzero(acc & gyr) < _GYR_LEAST * np.count_nonzero(acc) else imu


def unfit(imu: Imu) -> str | None:
    """Why a sensor cannot be compared with anything, a sentence; None where it can."""
    there = np.isfinite(imu.acc_sensor).all(axis=1)
    valid_s = np.count_nonzero(there) / imu.rate_hz
    if valid_s < LEAST_S:
        return f"It holds {valid_s:.1f} s of samples; {LEAST_S:g} s are needed."
    if (np.ptp(imu.acc_sensor[there], axis=0) == 0).all():
        return "Its acceleration never changes: was it recording?"
    clipped = _clipped(imu)
    if clipped > _CLIPPED_MOST:
        return f"It is at the end of its range for {100 * clipped:.0f} % of the time."
    moving_s = seconds_moving(imu)
    if moving_s < LEAST_MOVING_S:
        return f"It moves for {moving_s:.1f} s; where nothing moves there is nothing to compare."
    return None


def caveats(imu: Imu) -> list[str]:
    """What makes a usable sensor's answer less sure, a sentence each."""
    out = []
    lost = float(1.0 - np.isfinite(imu.acc_sensor).all(axis=1).mean())
    if lost > _MISSING_TOLD:
        out.append(f"{100 * lost:.0f} % of its samples are missing.")
    clipped = _clipped(imu)
    if clipped > _CLIPPED_TOLD:
        out.append(f"It is at the end of its range for {100 * clipped:.0f} % of the time.")
    moving = _spread(_windows(imu), imu.acc_sensor)
    if float(np.sqrt(np.mean(moving**2))) < _QUIET_M_S2:
        out.append("It moves little: whose it is is less sure.")
    if usable(imu).gyr_sensor is None and imu.rot_world_from_sensor is None:
        out.append("It has no gyroscope, without which sites are harder to tell apart.")
    return out


def seconds_moving(imu: Imu) -> float:
    """Seconds, in windows of half a second, in which the acceleration or the angular rate is spread out."""
    window = _windows(imu)
    moves = _spread(window, imu.acc_sensor) > MOVING_M_S2
    if imu.gyr_sensor is not None:
        moves |= _spread(window, imu.gyr_sensor) > MOVING_RAD_S
    return float(_WINDOW_S * np.count_nonzero(moves))


def _windows(imu: Imu) -> np.ndarray:
    """The number (T,) of the window of half a second that each sample lies in."""
    return np.asarray(np.floor((imu.time_s - imu.time_s[0]) / _WINDOW_S))


def _spread(window: np.ndarray, values: np.ndarray) -> np.ndarray:
    """RMS deviation of vectors (T, 3) from their mean in each window that samples fall into; 0 where none is whole."""
    index = np.unique(window, return_inverse=True)[1]
    there = np.isfinite(values).all(axis=1)
    filled = np.where(there[:, None], values, 0.0)
    count = np.maximum(np.bincount(index, there), 1.0)
    mean = np.stack([np.bincount(index, v) for v in filled.T], axis=1) / count[:, None]
    square = np.bincount(index, ((filled - mean[index]) ** 2).sum(axis=1) * there) / count
    return np.asarray(np.sqrt(square))


def _clipped(imu: Imu) -> float:
    """Largest share of an axis's samples that lie in runs at its extreme value."""
    found = describe_imu(imu)["clipped"]
    assert isinstance(found, dict)
    return max((float(edge["share"]) for edge in found.values()), default=0.0)
