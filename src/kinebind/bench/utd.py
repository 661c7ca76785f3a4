"""UTD-MHAD as a benchmark of clip synchronisation: one sensor, clips of a few seconds, a Kinect's skeleton as pose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.body.keypoints import coco17_world
from kinebind.clock import ClockMap, FloatArray
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.poses import Poses
from kinebind.readers import read_imu, read_motion

DEVELOPMENT = (1, 3, 5, 7)
TEST = (2, 4, 6, 8)
KINECT_LAG_S = {"right_wrist": 0.045, "right_thigh": 0.090}
"""How late the Kinect's skeleton is, measured over the whole set; a fixed fact of the protocol, not fitted here."""
RANGE_S = 1.0
CUT_S = 1.05
SHORTEST_S = 2.45
_FOCAL_PX, _CENTRE_PX = 285.63, (160.0, 120.0)


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip, whole: sensor and poses on the set's common clock, the Kinect's lag taken out. skeleton: what the poses
    are pictures of.
    """

    action: int
    subject: int
    imu: Imu
    poses: Poses
    skeleton: Motion | None = None


def clips(folder: Path, subjects: tuple[int, ...]) -> Iterator[Clip]:
    """All clips of some subjects."""
    for path in sorted((folder / "Inertial").glob("*_inertial.mat")):
        found = re.match(r"a(\d+)_s(\d+)_t(\d+)_", path.name)
        if found is None or int(found[2]) not in subjects:
            continue
        (imu,) = read_imu(path)
        skeleton = folder / "Skeleton" / path.name.replace("inertial", "skeleton")
        motion = read_motion(skeleton)
        lag_s = KINECT_LAG_S[imu.site or ""]
        yield Clip(int(found[1]), int(found[2]), imu, _seen(motion.time_s - lag_s, coco17_world(motion)), motion)


def _seen(time_s: FloatArray, points_world: FloatArray) -> Poses:
    """The set's camera at 320×240: depth is −y of the z-up world, up is z."""
    depth = -points_world[..., 1]
    pixels = np.stack(
        [
            _CENTRE_PX[0] - _FOCAL_PX * points_world[..., 0] / depth,
            _CENTRE_PX[1] - _FOCAL_PX * points_world[..., 2] / depth,
        ],
        axis=-1,
    )
    pixels[~np.isfinite(pixels).all(axis=-1)] = np.nan
    return Poses(time_s, pixels, np.ones(pixels.shape[:2]), image_size_px=(320, 240))


def cut(clip: Clip, rng: np.random.Generator) -> tuple[Imu, Poses, ClockMap] | None:
    """A piece of the sensor at a random place and a piece of the video shifted by up to ±1 s, both clocks from zero.

    None for clips that are too short for the protocol.
    """
    length_s = clip.imu.time_s.size / 50.0
    if length_s < SHORTEST_S:
        return None
    piece_s = length_s - CUT_S
    imu_at = rng.uniform(0.0, CUT_S)
    pose_at = imu_at + rng.uniform(max(-RANGE_S, -imu_at), min(RANGE_S, CUT_S - imu_at))
    imu = clip.imu.slice_s(imu_at, imu_at + piece_s)
    poses = clip.poses.slice_s(pose_at, pose_at + piece_s)
    return (
        imu.replace(time_s=imu.time_s - imu_at),
        poses.replace(time_s=poses.time_s - pose_at),
        ClockMap(imu_at - pose_at, 0.0, piece_s / 2),
    )
