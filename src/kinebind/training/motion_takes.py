"""Takes simulated from sets of motion capture: worn sensors and a camera's keypoints, the file's name as its label.

Sensors lie on the skin of their segments, their axes along these, with all errors of a good one; each file has a
camera and sensors of its own, drawn from its name. A watch may lie in four ways, of which no pose tells: what is
regressed from poses would be their mean, which is nothing. Sets that are there to test are never read.
"""

from __future__ import annotations

import dataclasses
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kinebind.body.camera import random_camera
from kinebind.body.detector import NORMAL, film
from kinebind.body.imu_mounting import MountingEffects
from kinebind.body.imu_simulate import BODY_WORN, ImuEffects, simulate_imus
from kinebind.body.keypoints import coco17_world
from kinebind.body.segments import posture
from kinebind.errors import InputError
from kinebind.nn.contract import Contract
from kinebind.readers import read_motion
from kinebind.readers.motion_sets import MOTION_SETS, MotionFile
from kinebind.recording import Label, Recording
from kinebind.training.takes import Take, take_from_recording

_log = logging.getLogger("kinebind")

MOTION = "motion"
"""The reader of a recipe that learns from simulated sensors."""
_SPLITS = {"train": "train", "validate": "val"}
_MOUNTING = MountingEffects(random_place=True, wander_m_per_sqrt_s=0.001, wander_rad_per_sqrt_s=0.01)
ALIGNED, WATCH = (
    dataclasses.replace(BODY_WORN, mounting=dataclasses.replace(_MOUNTING, turn=turn)) for turn in ("aligned", "watch")
)
"""Sensors whose axes lie along the limb, as what is regressed from a pose must, and such as lie as watches do."""
_FPS = 30.0
_POINTS_FOR_CAMERA = 200


def motion_takes(root: str | Path, contract: Contract, sites: Sequence[str], seed: int = 0) -> Iterator[Take]:
    """A take of each file of motion under a folder of unpacked sets, each in one of its own name.

    sites: where sensors are worn. meta: `split` ("train" or "val", as the set is there for), `source`, `group`. Files
    that cannot be read, or are shorter than a window, are left out, which is told. Raises InputError where there is
    no such set.
    """
    folder = Path(root)
    sets = [own for own in MOTION_SETS.values() if own.use in _SPLITS and (folder / own.name).is_dir()]
    if not any(own.use == "train" for own in sets):
        known = ", ".join(own.name for own in MOTION_SETS.values() if own.use == "train")
        raise InputError(f"{folder} holds no set of motion to train on.", f"Unpack one of them there: {known}.")
    left_out: list[str] = []
    for own in sets:
        for file in own.files(folder / own.name):
            try:
                yield simulated_take(file, contract, sites, _SPLITS[own.use], seed)
            except InputError as error:
                left_out.append(f"{file.name}: {error.what}")
    if left_out:
        _log.warning("%d files were left out, as %s", len(left_out), left_out[0])


def simulated_take(file: MotionFile, contract: Contract, sites: Sequence[str], split: str, seed: int = 0) -> Take:
    """One file's take; raises InputError where it cannot be read, lacks a site, or is shorter than a window."""
    recording = simulated_recording(file, sites, seed, contract.window_s, ALIGNED)
    return take_from_recording(recording.replace(meta=recording.meta | {"split": split}), contract)


def simulated_recording(
    file: MotionFile, sites: Sequence[str], seed: int = 0, least_s: float = 0.5, effects: ImuEffects = WATCH
) -> Recording:
    """A file's body with sensors at sites, before a camera, its label over all of it; meta: `source`, `group`.

    Raises InputError where it cannot be read, lacks a site, or is shorter than `least_s`.
    """
    motion = read_motion(file.path, **file.options)
    if motion.duration_s < least_s:
        raise InputError(f"{file.name} lasts {motion.duration_s:.1f} s.", "Leave it out.")
    rng = np.random.default_rng([seed, zlib.crc32(f"{file.source}/{file.name}".encode())])
    body = posture(motion)
    imus = simulate_imus(body, sites, rng=rng, effects=effects)
    points = coco17_world(body)
    camera = random_camera(rng, points[:: max(1, len(points) // _POINTS_FOR_CAMERA)])
    poses = film(body, camera, rate_hz=_FPS, errors=NORMAL, rng=rng)
    start_s, end_s = float(motion.time_s[0]), float(motion.time_s[-1])
    labels = (Label(start_s, end_s, file.label),) if file.label else ()
    meta = {"source": file.source, "group": file.group}
    return Recording((poses,), imus, labels=labels, name=f"{file.source}/{file.name}", meta=meta)
