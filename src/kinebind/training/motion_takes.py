"""Takes simulated from sets of motion capture: worn sensors and a camera's keypoints, the file's name as its label.

Sensors lie on the skin of their segments, their axes along these, with all errors of a good one; each file has a
camera and sensors of its own, drawn from its name, and so has every further draw of it. A watch may lie in four ways,
of which no pose tells: what is regressed from poses would be their mean, which is nothing. Sets that are there to test
are read alone, and only where that is asked for.
"""

from __future__ import annotations

import dataclasses
import logging
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kinebind._processes import with_results
from kinebind.body.camera import random_camera
from kinebind.body.detector import NORMAL, film
from kinebind.body.imu_mounting import MountingEffects
from kinebind.body.imu_simulate import BODY_WORN, ImuEffects, simulate_imus
from kinebind.body.keypoints import coco17_world
from kinebind.body.segments import posture
from kinebind.errors import InputError
from kinebind.nn.contract import Contract
from kinebind.readers import read_motion
from kinebind.readers.motion_captions import captions_below, with_captions
from kinebind.readers.motion_sets import MOTION_SETS, MotionFile
from kinebind.recording import Label, Recording
from kinebind.training.phrases import label_of
from kinebind.training.takes import Take, take_from_recording

_log = logging.getLogger("kinebind")

MOTION = "motion"
"""The reader of a recipe that learns from simulated sensors."""
CAPTIONS = "captions"
_SPLITS = {"train": "train", "validate": "val", "test": "test"}
_MOUNTING = MountingEffects(random_place=True, wander_m_per_sqrt_s=0.001, wander_rad_per_sqrt_s=0.01)
ALIGNED, WATCH = (
    dataclasses.replace(BODY_WORN, mounting=dataclasses.replace(_MOUNTING, turn=turn)) for turn in ("aligned", "watch")
)
"""Sensors whose axes lie along the limb, as what is regressed from a pose must, and such as lie as watches do."""
_FPS = 30.0
_POINTS_FOR_CAMERA = 200
_MOST_OFTEN = 6
_Asked = tuple[MotionFile, str, int]


def motion_takes(
    root: str | Path, contract: Contract, sites: Sequence[str], *, draws: int = 1, jobs: int = 1, test: bool = False
) -> Iterator[Take]:
    """A take of each draw of each file of motion under a folder of unpacked sets, each in one of its own name.

    sites: where sensors are worn. draws: how often a file to train on is simulated, and up to six times as often in
    sets that have as many times fewer files than the largest, so that it does not drown them; one to validate, once.
    jobs: processes that simulate. test: only the sets that are there to test, once, instead of all others. Captions in
    a folder `CAPTIONS` beside the sets (see `read_motion_captions`) say what is done when.
    meta: `split` ("train", "val" or "test", as the set is there for), `source`, `group`. Files that cannot be read, or
    are shorter than a window, are left out, which is told. Raises InputError where there is no such set.
    """
    folder = Path(root)
    wanted = "test" if test else "train"
    there = [own for own in MOTION_SETS.values() if (folder / own.name).is_dir()]
    sets = [own for own in there if (own.use == "test") == test]
    if not any(own.use == wanted for own in sets):
        known = ", ".join(own.name for own in MOTION_SETS.values() if own.use == wanted)
        raise InputError(f"{folder} holds no set of motion to {wanted} on.", f"Unpack one of them there: {known}.")
    captions = captions_below(folder / CAPTIONS)
    files = {own.name: with_captions(own.files(folder / own.name), captions)[0] for own in sets}
    most = max(map(len, files.values()))
    asked = [
        (file, _SPLITS[own.use], draw)
        for own in sets
        for draw in range(draws * _as_often(len(files[own.name]), most) if own.use == "train" else 1)
        for file in files[own.name]
    ]
    left_out: dict[str, str] = {}
    for (file, *_), made in with_results(partial(_take_or_reason, contract, sites), asked, jobs):
        if isinstance(made, Take):
            yield made
        else:
            left_out[f"{file.source}/{file.name}"] = made
    if left_out:
        name, reason = next(iter(left_out.items()))
        _log.warning("%d files were left out, as %s: %s", len(left_out), name, reason)


def _as_often(files: int, most: int) -> int:
    """How many draws of a set with so many files there are for one of the largest set."""
    return max(1, min(_MOST_OFTEN, most // max(1, files)))


def _take_or_reason(contract: Contract, sites: Sequence[str], asked: _Asked) -> Take | str:
    file, split, draw = asked
    try:
        return simulated_take(file, contract, sites, split, draw)
    except InputError as error:
        return error.what


def simulated_take(file: MotionFile, contract: Contract, sites: Sequence[str], split: str, draw: int = 0) -> Take:
    """One file's take; raises InputError where it cannot be read, lacks a site, or is shorter than a window."""
    recording = simulated_recording(file, sites, draw, contract.window_s, ALIGNED)
    return take_from_recording(recording.replace(meta=recording.meta | {"split": split}), contract)


def simulated_recording(
    file: MotionFile, sites: Sequence[str], draw: int = 0, least_s: float = 0.5, effects: ImuEffects = WATCH
) -> Recording:
    """A file's body with sensors at sites, before a camera, its label over all of it; meta: `source`, `group`.

    Raises InputError where it cannot be read, lacks a site, or is shorter than `least_s`.
    """
    motion = read_motion(file.path, **file.options)
    if motion.duration_s < least_s:
        raise InputError(f"{file.name} lasts {motion.duration_s:.1f} s.", "Leave it out.")
    rng = np.random.default_rng([draw, zlib.crc32(f"{file.source}/{file.name}".encode())])
    body = posture(motion)
    imus = simulate_imus(body, sites, rng=rng, effects=effects)
    points = coco17_world(body)
    camera = random_camera(rng, points[:: max(1, len(points) // _POINTS_FOR_CAMERA)])
    poses = film(body, camera, rate_hz=_FPS, errors=NORMAL, rng=rng)
    start_s, end_s = float(motion.time_s[0]), float(motion.time_s[-1])
    labels = _labels(file, start_s, end_s)
    meta = {"source": file.source, "group": file.group}
    return Recording((poses,), imus, labels=labels, name=f"{file.source}/{file.name}", meta=meta)


def _labels(file: MotionFile, start_s: float, end_s: float) -> tuple[Label, ...]:
    """What captions say is done, on the file's own clock, or else its label from beginning to end."""
    if not file.doings:
        return (Label(start_s, end_s, file.label),) if file.label else ()
    stretches = (
        (max(start_s + own.start_s, start_s), min(start_s + own.end_s, end_s), own.phrases) for own in file.doings
    )
    return tuple(Label(a, b, label_of(phrases)) for a, b, phrases in stretches if a < b)
