"""The Neura walk as a benchmark: real MTw sensors on the legs and pelvis, Vicon filmed by virtual cameras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.bench.scenes import CONDITIONS
from kinebind.body.camera import random_camera
from kinebind.body.detector import film_points, frame_times
from kinebind.body.keypoints import coco17_world
from kinebind.clock import ClockMap
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.readers import read_imu, read_motion

DEVICES = {
    "B91": "pelvis", "C45": "left_thigh", "C3C": "right_thigh", "C44": "left_shank", "C47": "right_shank",
    "C55": "left_foot", "C48": "right_foot",
}  # fmt: skip
"""Where each device was worn, by the end of its identifier (data set's own list)."""
CAMERAS = 20
CLIP_S = 5.0
RANGE_S = 2.0
WALKING_S = (10.5, 16.5)
STANDING_S = (2.0, 5.0)


@dataclass(frozen=True, eq=False)
class Clip:
    """Five seconds of the sensors and five of the video, both clocks from zero, and the true map."""

    imus: tuple[Imu, ...]
    poses: Poses
    truth: ClockMap


def sensors(folder: Path) -> tuple[Imu, ...]:
    """The seven sensors whose place is known, on the clock of the Vicon rows."""
    out = []
    for path in sorted((folder / "data" / "sample" / "rawimu").glob("*.txt")):
        site = next((s for device, s in DEVICES.items() if path.stem.endswith(device)), None)
        if site is None:
            continue
        (imu,) = read_imu(path)
        out.append(imu.replace(time_s=imu.time_s - imu.time_s[0], site=site, name=site, clock_id="mtw"))
    return tuple(out)


def clips(folder: Path, starts_s: tuple[float, float], per_camera: int, seed: int) -> Iterator[Clip]:
    """Clips that start evenly within `starts_s`, from random cameras, the video shifted by up to ±2 s."""
    imus = sensors(folder)
    motion = read_motion(next((folder / "data" / "sample" / "rawvicon").glob("*")))
    points = coco17_world(motion)
    time_s = motion.time_s - motion.time_s[0]
    for camera_index in range(CAMERAS):
        rng = np.random.default_rng([seed, camera_index])
        camera = random_camera(rng, points[::20])
        for start_s in rng.uniform(*starts_s, per_camera):
            shift_s = float(np.clip(rng.uniform(-RANGE_S, RANGE_S), -start_s, time_s[-1] - CLIP_S - start_s))
            begin = start_s + shift_s
            errors = CONDITIONS["normal"][0]
            frames = frame_times(begin, begin + CLIP_S, 30.0, rng.uniform(0, 1 / 30), errors, rng)
            poses = film_points(time_s, points, camera, frames, errors=errors, rng=rng)
            cut = tuple(i.slice_s(start_s, start_s + CLIP_S) for i in imus)
            yield Clip(
                tuple(i.replace(time_s=i.time_s - start_s) for i in cut),
                poses.replace(time_s=poses.time_s - begin),
                ClockMap(-shift_s, 0.0, CLIP_S / 2),
            )
