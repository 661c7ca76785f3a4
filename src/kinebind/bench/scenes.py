"""Simulated recordings for the benchmarks: motion capture, virtual camera and IMUs, with the truth beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinebind.body.camera import random_camera
from kinebind.body.detector import CLEAN, HARD, NORMAL, SWAY, DetectorErrors, film
from kinebind.body.imu_simulate import BODY_WORN, ImuEffects, simulate_imus
from kinebind.body.imu_simulate import HARD as HARD_IMU
from kinebind.body.keypoints import coco17_world
from kinebind.body.segments import Posture, posture
from kinebind.body.sites import site_trajectory
from kinebind.body.weld import chain
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.poses import Poses
from kinebind.readers import read_motion
from kinebind.readers.motion_sets import MOTION_SETS
from kinebind.recording import Recording
from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.refusal import side_peak

CONDITIONS: dict[str, tuple[DetectorErrors, ImuEffects]] = {
    "clean": (CLEAN, BODY_WORN),
    "normal": (NORMAL, BODY_WORN),
    "hard": (HARD, HARD_IMU),
    "sway": (SWAY, BODY_WORN),
}
"""The rows of the benchmark protocol: keypoint errors and sensor effects."""

FOUR_SITES = ("left_wrist", "right_wrist", "left_shank", "right_shank")
PERIODIC_FROM = 0.5
"""A clip is periodic where its summed turning rate's highest side peak reaches this."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A simulated recording, the true map of each clock, and whether the motion repeats itself."""

    recording: Recording
    truth: dict[str, ClockMap]
    periodic: bool


@dataclass(frozen=True)
class Source:
    """Where motion comes from: groups of files that share one skeleton, read when they are needed."""

    name: str
    groups: tuple[tuple[Path, ...], ...]
    asf: Path | None = None

    def read(self, path: Path) -> Motion:
        """One file's motion."""
        return read_motion(path) if self.asf is None else read_motion(path, asf_path=self.asf)


def training_sources(data: Path) -> list[Source]:
    """Bandai-Namco: the sources that weights and confidence may be fitted on."""
    return motion_sources(data, ("bandai-namco",))


def motion_sources(data: Path, names: Sequence[str]) -> list[Source]:
    """Sets of motion (`kinebind.readers.motion_sets`) as sources, their groups by who or what moves."""
    return [Source(name, _by_group(name, data / name)) for name in names]


def test_sources(data: Path) -> list[Source]:
    """CMU's ASF/AMC files: never fitted on."""
    six = list(MOTION_SETS["cmu-mocap6"].files(data / "cmu-mocap6"))
    asf = six[0].options.get("asf_path") if six else None
    return [
        Source("cmu-asfamc", _by_group("cmu-asfamc", data / "cmu-asfamc")),
        Source("cmu-mocap6", (tuple(file.path for file in six),), asf),
    ]


def validation_sources(data: Path) -> list[Source]:
    """DeepMimic's people, who share one skeleton: nothing is fitted on them, and looking is free."""
    groups = _by_group("deepmimic", data / "deepmimic")
    return [Source("deepmimic", (tuple(path for group in groups for path in group),))]


def idle_sources(data: Path, *, final: bool) -> list[Source]:
    """People who stand idle, 'nothing to align'."""
    name = "reactidle-test" if final else "reactidle"
    return [Source("reactidle", _by_group(name, data / "reactidle"))]


def _by_group(name: str, folder: Path) -> tuple[tuple[Path, ...], ...]:
    """The files of a set of motion, by who or what moves."""
    groups: dict[str, list[Path]] = {}
    for file in MOTION_SETS[name].files(folder):
        groups.setdefault(file.group, []).append(file.path)
    return tuple(tuple(paths) for paths in groups.values())


class Bodies:
    """Motions of a given length from sources, made of whole files chained where one is too short. Caches files."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = [s for s in sources if any(s.groups)]
        if not self.sources:
            names = ", ".join(s.name for s in sources)
            raise InputError(f"There are no motion files of {names}.", "Name the folder of the unpacked sets (--data).")
        self._read: dict[Path, Motion] = {}

    def _motion(self, source: Source, path: Path, rate_hz: float | None) -> Motion:
        if path not in self._read:
            if len(self._read) > 400:
                self._read.clear()
            self._read[path] = source.read(path)
        motion = self._read[path]
        if rate_hz is not None and motion.rate_hz > 1.01 * rate_hz:
            motion = motion.resample(np.arange(motion.time_s[0], motion.time_s[-1], 1.0 / rate_hz))
        return motion

    def draw(
        self,
        duration_s: float,
        rng: np.random.Generator,
        *,
        rate_hz: float | None = None,
        unlike: Posture | None = None,
    ) -> Posture:
        """A random stretch of `duration_s` of one body, at most at `rate_hz` (long ones would fill the memory).

        unlike: draw again, up to fifty times, until no file is shared with that body: a stranger must not move to
        the same recording. Raises InputError where the sources are too few for that.
        """
        for _ in range(50):
            body = self._draw(duration_s, rng, rate_hz)
            # A chain's name lists the clips that it is made of.
            if unlike is None or not set(body.motion.name.split("+")) & set(unlike.motion.name.split("+")):
                return body
        raise InputError("The sources have too few files for two bodies that share none.", "Unpack more data sets.")

    def _draw(self, duration_s: float, rng: np.random.Generator, rate_hz: float | None) -> Posture:
        source = self.sources[int(rng.integers(len(self.sources)))]
        sizes = np.array([len(g) for g in source.groups], dtype=np.float64)
        group = source.groups[int(rng.choice(sizes.size, p=sizes / sizes.sum()))]
        parts: list[Motion] = []
        total = 0.0
        while total < duration_s + 1.0:
            part = self._motion(source, group[int(rng.integers(len(group)))], rate_hz)
            if part.duration_s > duration_s + 1.0:
                start = part.time_s[0] + rng.uniform(0.0, part.duration_s - duration_s - 1.0)
                part = part.slice_s(start, start + duration_s + 1.0)
            parts.append(part)
            total += part.duration_s - 0.3
        motion = chain(parts) if len(parts) > 1 else parts[0]
        start = motion.time_s[0]
        return posture(motion.slice_s(start, start + duration_s + 0.5).replace(time_s=_from_zero(motion, duration_s)))


def _from_zero(motion: Motion, duration_s: float) -> np.ndarray:
    inside = (motion.time_s >= motion.time_s[0]) & (motion.time_s < motion.time_s[0] + duration_s + 0.5)
    return np.asarray(motion.time_s[inside] - motion.time_s[0])


def filmed(
    body: Posture,
    condition: str,
    rng: np.random.Generator,
    *,
    start_s: float,
    duration_s: float,
    fps: float = 30.0,
    name: str = "1",
) -> Poses:
    """The body from a random camera, on a video clock that starts at zero."""
    points = coco17_world(body)
    inside = (body.motion.time_s >= start_s) & (body.motion.time_s <= start_s + duration_s)
    camera = random_camera(rng, points[inside][:: max(1, int(inside.sum()) // 200)])
    poses = film(
        body, camera, rate_hz=fps, start_s=start_s, duration_s=duration_s, phase_s=rng.uniform(0, 1 / fps),
        errors=CONDITIONS[condition][0], rng=rng,
    )  # fmt: skip
    return poses.replace(time_s=poses.time_s - start_s, person=name)


def worn(
    body: Posture,
    sites: Sequence[str],
    condition: str,
    rng: np.random.Generator,
    *,
    clocks: Sequence[ClockMap],
    start_s: float,
    duration_s: float,
    rate_hz: float = 100.0,
    video_start_s: float = 0.0,
    orientation: bool = False,
) -> tuple[Imu, ...]:
    """Sensors on the body from start_s for duration_s of the motion's clock; `clocks` map to the video's clock,
    which is `video_start_s` behind the motion's. One clock for all sensors, or one each. orientation: also the true
    one.
    """
    moved = [replace(c, offset_s=c.offset_s + video_start_s) for c in clocks]
    one = len(moved) == 1
    imus = simulate_imus(
        body, sites, rng=rng, rate_hz=rate_hz, effects=CONDITIONS[condition][1], clocks=moved[0] if one else moved,
        clock_id="recorder", orientation=orientation,
    )  # fmt: skip
    out = []
    for k, imu in enumerate(imus):
        clock = moved[0 if one else k]
        begin, end = float(clock.to_imu(start_s)), float(clock.to_imu(start_s + duration_s))
        out.append(imu.slice_s(begin, end))
    return tuple(out)


def scene(
    bodies: Bodies,
    condition: str,
    rng: np.random.Generator,
    *,
    duration_s: float = 20.0,
    sites: Sequence[str] = FOUR_SITES,
    max_offset_s: float = 7.0,
    max_skew_ppm: float = 50.0,
    own_clocks: bool = False,
    gyroscope: bool = True,
    orientation: bool = False,
    fps: float = 30.0,
    rate_hz: float = 100.0,
    wearer: Posture | None = None,
    aperiodic_only: bool = False,
    periodic_only: bool = False,
) -> Scene:
    """One clip: the video covers duration_s of a motion; the sensors cover as much, up to ±max_offset_s later.

    The streams therefore share duration_s − |offset| of the motion, and both clocks start near zero.
    wearer: another body that the sensors are on (a negative: the truth is then meaningless).
    aperiodic_only, periodic_only: draw motions until one does not, or does, repeat itself; not with a wearer.
    """
    while True:
        body = bodies.draw(duration_s + max_offset_s, rng, unlike=wearer)
        sites = present_sites(wearer or body, sites)
        shift_s = float(rng.uniform(-max_offset_s, max_offset_s))
        imu_start, video_start = max(shift_s, 0.0), max(-shift_s, 0.0)
        count = len(sites) if own_clocks else 1
        clocks = []
        for _ in range(count):
            # Sensors that start at imu_start show 0 there, up to each own clock's further half second.
            start_of_clock = float(rng.uniform(-0.5, 0.5)) if own_clocks else 0.0
            skew = float(rng.uniform(-1, 1)) * max_skew_ppm * 1e-6
            ref_s = duration_s / 2
            clocks.append(ClockMap(imu_start - video_start + start_of_clock, skew, ref_s))
        imus = worn(
            wearer or body, sites, condition, rng, clocks=clocks, start_s=imu_start, duration_s=duration_s,
            rate_hz=rate_hz, video_start_s=video_start, orientation=orientation,
        )  # fmt: skip
        periodic = repeats(imus)
        unwanted = (aperiodic_only and periodic) or (periodic_only and not periodic)
        if wearer is not None or not unwanted:
            break
    if not gyroscope:
        imus = tuple(i.replace(gyr_sensor=None) for i in imus)
    poses = filmed(body, condition, rng, start_s=video_start, duration_s=duration_s, fps=fps)
    truth = {imu.clock_id: clocks[0 if len(clocks) == 1 else k] for k, imu in enumerate(imus)}
    return Scene(Recording((poses,), imus), truth, periodic)


def present_sites(body: Posture, sites: Sequence[str]) -> tuple[str, ...]:
    """Those of the sites that a body has (some rigs have no head); a wrist where it has none of them."""

    def present(site: str) -> bool:
        try:
            site_trajectory(body, site)
        except InputError:
            return False
        return True

    return tuple(site for site in sites if present(site)) or ("left_wrist",)


def repeats(imus: Sequence[Imu]) -> bool:
    """Whether the summed turning rate of the sensors has a side peak of its autocorrelation of 0.5 or more."""
    start, end = max(i.time_s[0] for i in imus), min(i.time_s[-1] for i in imus)
    time_s = np.arange(start, end, 1.0 / RATE_HZ)
    total = np.zeros(time_s.size)
    for imu in imus:
        assert imu.gyr_sensor is not None
        turning = np.linalg.norm(imu.gyr_sensor, axis=1)
        valid = np.isfinite(turning)
        total += np.interp(time_s, imu.time_s[valid], turning[valid])
    return side_peak(total, 0.5 * (end - start))[1] >= PERIODIC_FROM


def timing_error_s(clock: ClockMap | None, truth: ClockMap, imu: Imu, poses: Poses) -> float:
    """Largest |estimated − true video time| over the overlap, seconds; infinite where there is no estimate."""
    if clock is None:
        return float("inf")
    times = overlap_times(truth, imu, poses)
    return float(np.max(np.abs(clock.to_video(times) - truth.to_video(times))))


def overlap_times(truth: ClockMap, imu: Imu, poses: Poses) -> np.ndarray:
    """IMU times of the two ends of the true overlap, seconds."""
    low = max(float(imu.time_s[0]), float(truth.to_imu(poses.time_s[0])))
    high = min(float(imu.time_s[-1]), float(truth.to_imu(poses.time_s[-1])))
    return np.array([low, max(low, high)])
