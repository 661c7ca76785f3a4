"""A made-up person whose joints turn smoothly and at random, as a source of motion for simulated scenes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.bench.scenes import Bodies, Scene, Source, filmed, scene, worn
from kinebind.body.segments import Posture, posture
from kinebind.clock import ClockMap
from kinebind.imu import Imu
from kinebind.motion import Motion, Skeleton
from kinebind.poses import Poses
from kinebind.resample import low_pass

# Joint, parent, offset in metres in a T-pose with y up, z forward, x to the left; turns in radians.
_TREE = (
    ("pelvis", "", (0, 0, 0), 0.15), ("spine3", "pelvis", (0, 0.3, -0.02), 0.15), ("neck", "spine3", (0, 0.22, 0), 0.1),
    ("head", "neck", (0, 0.1, 0.02), 0.3),
    ("left_collar", "spine3", (0.05, 0.15, 0), 0.05), ("left_shoulder", "left_collar", (0.13, 0.03, 0), 0.6),
    ("left_elbow", "left_shoulder", (0.28, 0, 0), 0.6), ("left_wrist", "left_elbow", (0.25, 0, 0), 0.3),
    ("right_collar", "spine3", (-0.05, 0.15, 0), 0.05), ("right_shoulder", "right_collar", (-0.13, 0.03, 0), 0.6),
    ("right_elbow", "right_shoulder", (-0.28, 0, 0), 0.6), ("right_wrist", "right_elbow", (-0.25, 0, 0), 0.3),
    ("left_hip", "pelvis", (0.09, -0.08, 0), 0.35), ("left_knee", "left_hip", (0, -0.42, 0), 0.35),
    ("left_ankle", "left_knee", (0, -0.41, 0), 0.2), ("left_foot", "left_ankle", (0, -0.06, 0.13), 0.05),
    ("right_hip", "pelvis", (-0.09, -0.08, 0), 0.35), ("right_knee", "right_hip", (0, -0.42, 0), 0.35),
    ("right_ankle", "right_knee", (0, -0.41, 0), 0.2), ("right_foot", "right_ankle", (0, -0.06, 0.13), 0.05),
)  # fmt: skip
_NAMES = tuple(row[0] for row in _TREE)
_PARENTS = tuple(_NAMES.index(row[1]) if row[1] else -1 for row in _TREE)
_RADIANS = np.array([row[3] for row in _TREE])
_SKELETON = Skeleton(_NAMES, _PARENTS, np.array([row[2] for row in _TREE], dtype=float))
_FASTEST_HZ = 1.2
_LULL_HZ = 0.15


def _noise(rng: np.random.Generator, frames: int, rate_hz: float, cutoff_hz: float, *shape: int) -> np.ndarray:
    """Random courses (frames, ...) of unit spread without anything above `cutoff_hz`."""
    extra = round(2.0 * rate_hz / cutoff_hz)
    course = low_pass(rng.normal(size=(frames + 2 * extra, *shape)), rate_hz, cutoff_hz)[extra : extra + frames]
    return np.asarray(course * np.sqrt(0.5 * rate_hz / cutoff_hz))


def motion(seed: int, duration_s: float, rate_hz: float = 60.0, size: float = 1.0) -> Motion:
    """Someone on the spot whose joints turn about, now more and now less; `size` times the usual turns."""
    rng = np.random.default_rng([77, seed])
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    lively = 0.6 * np.exp(0.7 * _noise(rng, time_s.size, rate_hz, _LULL_HZ, 1, 1))
    turns = _noise(rng, time_s.size, rate_hz, _FASTEST_HZ, len(_NAMES), 3)
    vectors = lively * turns * _RADIANS[:, None] * size
    vectors[:, _NAMES.index("left_shoulder"), 2] -= np.pi / 2
    vectors[:, _NAMES.index("right_shoulder"), 2] += np.pi / 2
    quat = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat().reshape(time_s.size, len(_NAMES), 4)
    upright = Rotation.from_euler("x", 90, degrees=True)
    quat[:, 0] = (upright * Rotation.from_quat(quat[:, 0])).as_quat()
    root = _noise(rng, time_s.size, rate_hz, _FASTEST_HZ, 3) * [0.05, 0.05, 0.02] * size + [0.0, 0.0, 0.95]
    return Motion(time_s, _SKELETON, quat, root, name=f"made-up {seed}")


class MadeUp(Source):
    """A source of such motions: the file N-S holds S seconds of the one of seed N."""

    def read(self, path: Path) -> Motion:
        seed, duration_s = path.stem.split("-")
        return motion(int(seed), float(duration_s))


def bodies(seed: int = 0, duration_s: int = 30, others: int = 0) -> Bodies:
    """Bodies from one motion, or from as many `others` besides."""
    files = tuple(Path(f"{seed + k}-{duration_s}.made-up") for k in range(1 + others))
    return Bodies([MadeUp("made-up", (files,))])


@cache
def clip(seed: int = 0, condition: str = "normal", **options: Any) -> Scene:
    """A simulated recording of 20 s with its truth, as `kinebind.bench.scenes.scene` makes them of a made-up body."""
    return scene(bodies(seed), condition, np.random.default_rng([78, seed]), **options)


@cache
def take(
    seed: int, duration_s: float, clock: ClockMap, sites: tuple[str, ...] = ("left_wrist", "right_shank")
) -> tuple[Poses, tuple[Imu, ...]]:
    """A long recording: poses at 30 fps from time zero, sensors at 50 Hz whose clock maps by `clock`."""
    return _taken(posture(motion(seed, duration_s + 0.5, 30.0)), seed, duration_s, clock, sites)


@cache
def chained(seed: int, clips_s: tuple[int, ...], duration_s: float, clock: ClockMap) -> tuple[Poses, tuple[Imu, ...]]:
    """The same of a few clips of some length that come again and again in random order."""
    files = tuple(Path(f"{100 * seed + k}-{length_s}.made-up") for k, length_s in enumerate(clips_s))
    body = Bodies([MadeUp("made-up", (files,))]).draw(duration_s + 1.0, np.random.default_rng([81, seed]), rate_hz=30.0)
    return _taken(body, seed, duration_s, clock, ("left_wrist", "right_shank"))


def _taken(
    body: Posture, seed: int, duration_s: float, clock: ClockMap, sites: tuple[str, ...]
) -> tuple[Poses, tuple[Imu, ...]]:
    rng = np.random.default_rng([79, seed])
    imus = worn(body, sites, "normal", rng, clocks=[clock], start_s=0.0, duration_s=duration_s, rate_hz=50.0)
    return filmed(body, "normal", rng, start_s=0.0, duration_s=duration_s), imus


@cache
def two_on_one_wrist(seed: int, clock: ClockMap, duration_s: float = 20.0) -> tuple[Imu, Imu]:
    """Two sensors on one wrist, each with its own mounting and errors; `clock` maps the second's to the first's."""
    rng = np.random.default_rng([80, seed])
    body = posture(motion(seed, duration_s + 0.5, 30.0))
    first, second = (
        worn(body, ("left_wrist",), "normal", rng, clocks=[c], start_s=0.0, duration_s=duration_s)[0]
        for c in (ClockMap(0.0), clock)
    )
    return first.replace(name="first", clock_id="first"), second.replace(name="second", clock_id="second")
