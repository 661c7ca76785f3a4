"""Plain facts about streams, for `kinebind inspect`."""

from __future__ import annotations

import numpy as np

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.parts import COCO17
from kinebind.poses import Poses
from kinebind.resample import default_max_gap_s

_CLIPPED_RUN = 3  # equal extreme samples in a row; noise alone does not give them


def describe_imu(imu: Imu) -> dict[str, object]:
    """Facts about a sensor: times in seconds, SI units, shares from 0 to 1; None where something is absent.

    `clipped` names axes that stay at their extreme value for three samples or more, with that value and the share
    of such samples.
    """
    lost = ~np.isfinite(imu.acc_sensor).all(axis=1)
    clipped: dict[str, dict[str, float]] = {}
    for name, values in (("acc", imu.acc_sensor), ("gyr", imu.gyr_sensor)):
        if values is not None:
            clipped |= _clipped(name, values)
    return {
        "kind": "imu", "name": imu.name, "site": imu.site, "clock_id": imu.clock_id, **_times(imu.time_s),
        "missing_share": float(lost.mean()),
        "rest_norm_m_s2": _number(imu.rest_norm_m_s2()),
        "acc_range_m_s2": _range(imu.acc_sensor),
        "gyr_range_rad_s": None if imu.gyr_sensor is None else _range(imu.gyr_sensor),
        "gyr_missing_share": None if imu.gyr_sensor is None else _nan_share(imu.gyr_sensor),
        "orientation_missing_share":
            None if imu.rot_world_from_sensor is None else _nan_share(imu.rot_world_from_sensor),
        "has_magnetometer": imu.mag_sensor is not None,
        "clipped": clipped, "notes": list(imu.notes),
    }  # fmt: skip


def describe_poses(poses: Poses) -> dict[str, object]:
    """Facts about a person's track: times in seconds, sizes in pixels, shares from 0 to 1."""
    seen = np.isfinite(poses.keypoints_px[..., 0])
    points = poses.keypoints_px[seen]
    box = None if points.size == 0 else [float(v) for v in (*points.min(axis=0), *points.max(axis=0))]
    scores = poses.scores[seen]
    return {
        "kind": "poses", "person": poses.person, **_times(poses.time_s),
        "image_size_px": poses.image_size_px, "box_px": box, "body_scale_px": _number(poses.body_scale_px()),
        "seen_share": float(seen.mean()),
        "seen_share_by_keypoint": {name: float(seen[:, k].mean()) for k, name in enumerate(COCO17)},
        "empty_frames_share": float((~seen.any(axis=1)).mean()),
        "median_score": float(np.median(scores)) if scores.size else None, "notes": list(poses.notes),
    }  # fmt: skip


def describe_motion(motion: Motion) -> dict[str, object]:
    """Facts about a 3D motion: times in seconds, lengths in metres."""
    root = motion.root_position_world
    if root is None and motion.position_world is not None:
        root = motion.position_world[:, 0]
    return {
        "kind": "motion", "name": motion.name, **_times(motion.time_s), "joints": list(motion.skeleton.joints),
        "has_rotations": motion.rot_parent_from_joint is not None,
        "has_positions": motion.position_world is not None,
        "root_range_m": None if root is None else _range(root),
        "missing_share": float(motion.is_missing().mean()), "notes": list(motion.notes),
    }  # fmt: skip


def _times(time_s: FloatArray) -> dict[str, object]:
    step = np.diff(time_s)
    gaps = step[step > default_max_gap_s(time_s)]
    return {
        "samples": int(time_s.size), "start_s": float(time_s[0]), "end_s": float(time_s[-1]),
        "duration_s": float(time_s[-1] - time_s[0]), "rate_hz": float(1.0 / np.median(step)),
        "jitter_s": float(np.std(step[step <= default_max_gap_s(time_s)])) if gaps.size < step.size else None,
        "gaps": int(gaps.size), "gaps_s": float(gaps.sum()), "longest_gap_s": float(gaps.max(initial=0.0)),
    }  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _nan_share(values: FloatArray) -> float:
    return float((~np.isfinite(values).all(axis=1)).mean())


def _range(values: FloatArray) -> dict[str, list[float] | None]:
    """Lowest and highest value of each axis; None for an axis of which nothing is known."""
    out: dict[str, list[float] | None] = {}
    for axis, column in zip("xyz", values.T, strict=True):
        known = column[np.isfinite(column)]
        out[axis] = [float(known.min()), float(known.max())] if known.size else None
    return out


def _clipped(name: str, values: FloatArray) -> dict[str, dict[str, float]]:
    out = {}
    for axis, column in zip("xyz", values.T, strict=True):
        known = column[np.isfinite(column)]
        if known.size < 10 * _CLIPPED_RUN or np.ptp(known) == 0:
            continue
        for edge in (known.min(), known.max()):
            at_edge = (column == edge).astype(np.int8)
            starts, stops = (np.flatnonzero(np.diff(at_edge, prepend=0, append=0) == s) for s in (1, -1))
            length = stops - starts
            if (length >= _CLIPPED_RUN).any():
                sign = "-" if edge == known.min() else "+"
                share = float(length[length >= _CLIPPED_RUN].sum() / known.size)
                out[f"{name}_{axis}{sign}"] = {"value": float(edge), "share": share}
    return out
