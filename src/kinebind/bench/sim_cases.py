"""Simulated cases for matchers: a sensor's few seconds somewhere inside a longer video, and people filmed together.

A case is made of its specification, its seed and its number alone, so that cases may be drawn in any order and by
several processes, are the same for all methods, and are paired where specifications differ in one thing: motion,
camera and sensors have random numbers of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import numpy as np

from kinebind.bench.assignment import Together
from kinebind.bench.offset_finders import SyncCase
from kinebind.bench.processes import parallel
from kinebind.bench.scenes import Bodies, Source, filmed, present_sites, repeats, worn
from kinebind.body.segments import Posture
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.parts import mirror_site
from kinebind.poses import Poses

M = TypeVar("M")

WORN_IN_ORDER = (
    "right_wrist", "left_shank", "left_wrist", "right_shank", "pelvis", "head", "right_thigh", "left_thigh", "chest",
    "left_upper_arm", "right_upper_arm", "left_foot", "right_foot",
)  # fmt: skip
"""Where sensors are put, the first ones first: a watch, then what sets of six are usually worn as."""
SKEW_PPM = 50.0
_TRIES = 400


@dataclass(frozen=True)
class Spec:
    """What cases of one kind have in common.

    row: condition, a key of `kinebind.bench.scenes.CONDITIONS`. duration_s: of the sensors. range_s: the largest
    offset, and how far the video goes on before and after the sensors. sensors: how many are worn, by WORN_IN_ORDER
    of those sites that the body has, mirrored every other time. rate_hz: of the sensors. periodic: whether the
    sensors' summed turning rate repeats itself within the video; None: whatever comes.
    """

    row: str
    duration_s: float
    range_s: float
    sensors: int = 1
    rate_hz: float = 100.0
    periodic: bool | None = False


def case(spec: Spec, bodies: Bodies, seed: Sequence[int]) -> SyncCase:
    """One case: the sensors last `duration_s`, from zero on their clock; the video `duration_s` + 2 `range_s`.

    The video's clock is such that offsets lie evenly within ±range_s and the sensors always inside the video: what a
    search over ±range_s compares with the sensors is always there, and an end of the video gives no lag away. Skew is
    up to 50 ppm. Raises InputError where the sources have no motion that does, or does not, repeat itself as asked.
    """
    motion_rng, video_rng = (np.random.default_rng([*seed, k]) for k in range(2))
    whole_s = spec.duration_s + 2.0 * spec.range_s
    for k in range(_TRIES):
        body = bodies.draw(whole_s, motion_rng)
        sites = worn_sites(body, spec.sensors, mirrored=bool(motion_rng.random() < 0.5))
        shift_s = float(motion_rng.uniform(-spec.range_s, spec.range_s))
        skew = float(motion_rng.uniform(-SKEW_PPM, SKEW_PPM)) * 1e-6
        truth = ClockMap(shift_s, skew, spec.duration_s / 2)
        imus = worn(
            body, sites, spec.row, np.random.default_rng([*seed, 2, k]), clocks=[truth], start_s=0.0,
            duration_s=whole_s, rate_hz=spec.rate_hz, video_start_s=spec.range_s,
        )  # fmt: skip
        if spec.periodic is None or repeats(imus) == spec.periodic:
            poses = filmed(body, spec.row, video_rng, start_s=0.0, duration_s=whole_s)
            return SyncCase(
                tuple(imu.slice_s(0.0, spec.duration_s) for imu in imus),
                poses.replace(time_s=poses.time_s - spec.range_s),
                truth,
            )
    raise InputError(
        f"The sources have no {'' if spec.periodic else 'a'}periodic motion of {whole_s:g} s in {_TRIES} draws.",
        "Unpack more data sets.",
    )


def worn_sites(body: Posture, count: int, *, mirrored: bool = False) -> tuple[str, ...]:
    """The first `count` of WORN_IN_ORDER that a body has, or of their mirror images."""
    order = [mirror_site(site) for site in WORN_IN_ORDER] if mirrored else WORN_IN_ORDER
    return present_sites(body, order)[:count]


def group(row: str, duration_s: float, count: int, bodies: Bodies, seed: Sequence[int]) -> Together:
    """Different bodies that share no file, each with a sensor on the same wrist and a video, all on one clock.

    Raises InputError where the sources are too few.
    """
    rng = np.random.default_rng(seed)
    site = "right_wrist" if rng.random() < 0.5 else "left_wrist"
    found: list[Posture] = []
    names: set[str] = set()
    for _ in range(_TRIES):
        body = bodies.draw(duration_s, rng)
        own = set(body.motion.name.split("+"))
        if not own & names:  # a chain's name lists its files
            found.append(body)
            names |= own
        if len(found) == count:
            break
    else:
        raise InputError(f"The sources have too few files for {count} people.", "Unpack more data sets.")
    imus: list[Imu] = []
    poses: list[Poses] = []
    for k, body in enumerate(found):
        imus += worn(body, (site,), row, rng, clocks=[ClockMap(0.0)], start_s=0.0, duration_s=duration_s)
        poses.append(filmed(body, row, rng, start_s=0.0, duration_s=duration_s, name=str(k + 1)))
    return Together(tuple(imus), tuple(poses))


class SimCases:
    """Draws cases from sources and keeps them, so that every method is given the same.

    sources: where motion comes from. share: of the counts asked for, in (0, 1]: a quick look takes fewer.
    shared_out: whether the benchmarks' processes draw, or this one.
    """

    def __init__(self, sources: Sequence[Source], *, share: float = 1.0, shared_out: bool = False) -> None:
        self.sources = tuple(sources)
        self.share = share
        self.shared_out = shared_out
        self._drawn: dict[tuple[Spec, int], list[SyncCase]] = {}
        self._groups: dict[tuple[str, float, int], list[Together]] = {}

    def of(self, spec: Spec, count: int, seed: int = 71) -> list[SyncCase]:
        """The first `count` cases of a specification."""
        count = self._fewer(count)
        kept = self._drawn.get((spec, seed), [])
        if len(kept) < count:
            kept = kept + self._made(partial(_case, self.sources, spec, seed), range(len(kept), count))
            self._drawn[spec, seed] = kept
        return kept[:count]

    def groups(self, row: str, duration_s: float, people: int, count: int, seed: int = 72) -> list[Together]:
        """`count` groups of people who are filmed together."""
        key = (row, duration_s, people)
        count = self._fewer(count)
        if len(self._groups.get(key, ())) < count:
            make = partial(_group, self.sources, row, duration_s, people, seed)
            self._groups[key] = self._made(make, range(count))
        return self._groups[key][:count]

    def _fewer(self, count: int) -> int:
        return max(1, round(count * self.share))

    def _made(self, make: Callable[[int], M], numbers: range) -> list[M]:
        return parallel(make, numbers) if self.shared_out else [make(k) for k in numbers]


@cache
def _bodies(sources: tuple[Source, ...]) -> Bodies:
    """Kept in each process, with the files that it has read."""
    return Bodies(sources)


def _case(sources: tuple[Source, ...], spec: Spec, seed: int, number: int) -> SyncCase:
    return case(spec, _bodies(sources), (seed, number))


def _group(sources: tuple[Source, ...], row: str, duration_s: float, people: int, seed: int, number: int) -> Together:
    return group(row, duration_s, people, _bodies(sources), (seed, number))


def first_sensors(cases: Sequence[SyncCase], count: int) -> list[SyncCase]:
    """The same cases with only the first `count` of their sensors."""
    return [dataclasses.replace(c, imus=c.imus[:count]) for c in cases]
