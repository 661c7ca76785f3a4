"""What a video, its pose file or a file of motion shows: each person's motion, and what of it is left out, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinebind.body.lifted import lift
from kinebind.body.lifted_gates import LeftOut, passed
from kinebind.body.segment_motion import SegmentMotion, segment_motion
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.readers import read_motion, read_poses
from kinebind.resample import runs_of, whole_rows

if TYPE_CHECKING:
    from kinebind.video.video_people import VideoPeople


@dataclass(frozen=True, eq=False)
class Mover:
    """One person of a file. motion: with frames missing that are left out, or None where nothing is left.

    start_s: time of its first frame on the file's clock.
    """

    person: str
    motion: SegmentMotion | None
    start_s: float
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, eq=False)
class Footage:
    """A file's people, and its first and last time, seconds."""

    path: Path
    start_s: float
    end_s: float
    movers: tuple[Mover, ...]


def video_footage(found: VideoPeople, tilt_deg: float = 0.0) -> Footage:
    """The people of a video in motion. Raises InputError where its pose model guesses nothing in 3D."""
    return _lifted(found.info.path, found.time_s, found.steady(), found.world_m, tilt_deg)


def pose_footage(path: str | Path, tilt_deg: float = 0.0) -> Footage:
    """The people of a file that `kinebind pose` wrote in motion; raises InputError where it has no joints in 3D."""
    people = read_poses(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            world_m, time_s, names = (np.asarray(file[key]) for key in ("world_m", "time_s", "persons"))
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f"{path} holds no joints in 3D (world_m).", "Write it with `kinebind pose VIDEO`, or name the video."
        ) from error
    if world_m.shape != (time_s.size, names.size, 17, 3):
        raise InputError(
            f"{path}: world_m has shape {world_m.shape}.", f"It must be {(time_s.size, names.size, 17, 3)}."
        )
    own = {
        p.person: world_m[np.searchsorted(time_s, p.time_s - 1e-9), list(names.astype(str)).index(p.person)]
        for p in people
    }
    return _lifted(Path(path), time_s, people, own, tilt_deg)


def motion_footage(path: str | Path, **options: Any) -> Footage:
    """One person in motion from a file of motion, such as SMPL fits; options: for `kinebind.readers.read_motion`.

    Nothing is smoothed and nothing judged: what is missing in the file is left out.
    """
    read = read_motion(path, **options)
    try:
        motion = segment_motion(read)
    except InputError as error:
        raise error.at(str(path)) from error
    start_s, end_s = float(read.time_s[0]), float(read.time_s[-1])
    lost = ~(whole_rows(motion.rot_world_from_segment) & whole_rows(motion.root_world))
    left_out = tuple(
        LeftOut(
            start_s + first / motion.rate_hz, start_s + (stop - 1) / motion.rate_hz, "unseen",
            (stop - first) / motion.rate_hz, f"frames are missing for {(stop - first) / motion.rate_hz:.2f} s",
        )
        for first, stop in runs_of(lost)
    )  # fmt: skip
    return Footage(Path(path), start_s, end_s, (Mover("1", motion, start_s, left_out),))


def _lifted(
    path: Path, time_s: FloatArray, people: tuple[Poses, ...], world_m: Mapping[str, FloatArray], tilt_deg: float
) -> Footage:
    if not any(np.isfinite(guess).any() for guess in world_m.values()):
        raise InputError(
            f"The pose model of {path} guesses no joints in 3D.", "Use MediaPipe, which does: leave out --pose-model."
        )
    movers = tuple(_mover(poses, world_m[poses.person], tilt_deg) for poses in people)
    return Footage(path, float(time_s[0]), float(time_s[-1]), movers)


def _mover(poses: Poses, world_m: FloatArray, tilt_deg: float) -> Mover:
    start_s, end_s = float(poses.time_s[0]), float(poses.time_s[-1])
    seen = whole_rows(poses.keypoints_px[:, 5:]) & whole_rows(np.asarray(world_m)[:, 5:])
    if not seen.any():
        what = "all twelve limb joints are seen in none of the frames"
        return Mover(poses.person, None, start_s, (LeftOut(start_s, end_s, "unseen", 0.0, what),))
    lifted = lift(poses.time_s, world_m, poses.person, keypoints_px=poses.keypoints_px, tilt_deg=tilt_deg)
    fit, left_out = passed(lifted, poses.time_s, seen)
    return Mover(poses.person, None if fit.is_missing().all() else segment_motion(fit), start_s, left_out)


def whole_stretches(motion: SegmentMotion) -> Iterator[tuple[int, int]]:
    """First and stop frame of each stretch of a motion of which nothing is missing."""
    return runs_of(whole_rows(motion.rot_world_from_segment) & whole_rows(motion.root_world))
