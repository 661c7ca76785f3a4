"""Simulated people before one camera, sensors on some of them, and sensors that nobody in view wears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinebind.bench.scenes import Bodies, Source, filmed, present_sites, worn
from kinebind.body.segments import Posture
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.recording import Recording

ROWS = ("clean", "normal", "normal", "hard", "sway")
_FINEST_HZ = 130.0  # of motion: more only takes longer
_TRIES = 400
_MANY_FILES = 100  # of one action: enough for five people who share none


@dataclass(frozen=True, eq=False)
class Crowd:
    """A recording and who wears what: truth by sensor, (person, site) or None for nobody in view.

    The sensors' sites are not declared and all run on one clock. offset_s: video time minus theirs.
    """

    recording: Recording
    truth: Mapping[str, tuple[str, str] | None]
    offset_s: float = 0.0


def crowd(
    bodies: Bodies,
    rng: np.random.Generator,
    *,
    people: int,
    sensors: int,
    strangers: int,
    duration_s: float,
    row: str = "normal",
    offset_s: float = 0.0,
    no_gyroscope: float = 0.0,
) -> Crowd:
    """`people` who move to different recordings, and sensors at random sites, of which `strangers` are nobody's.

    A stranger's sensors are worn by somebody out of view. no_gyroscope: share of the sensors that have none.
    Raises InputError where the sources have too few files.
    """
    found = _different(bodies, people + (strangers > 0), duration_s, rng)
    wearers = [int(k) for k in rng.integers(0, people, size=sensors - strangers)] + [people] * strangers
    video: list[Poses] = [
        filmed(body, row, rng, start_s=0.0, duration_s=duration_s, name=str(k + 1))
        for k, body in enumerate(found[:people])
    ]
    imus: list[Imu] = []
    truth: dict[str, tuple[str, str] | None] = {}
    for k in sorted(set(wearers)):
        order = [str(site) for site in rng.permutation(SITES)]
        sites = present_sites(found[k], order)[: wearers.count(k)]
        clocks = [ClockMap(offset_s)]
        for imu in worn(found[k], sites, row, rng, clocks=clocks, start_s=0.0, duration_s=duration_s):
            name = f"sensor-{len(imus) + 1}"
            truth[name] = (str(k + 1), imu.site or "") if k < people else None
            gyr = None if rng.random() < no_gyroscope else imu.gyr_sensor
            imus.append(imu.replace(name=name, site=None, clock_id="recorder", gyr_sensor=gyr))
    return Crowd(Recording(tuple(video), tuple(imus)), truth, offset_s)


class Everybody:
    """Bodies for crowds: those of any motion, and for each action with many files those of people who all do the same.

    Who does the same at the same time is what a sensor of somebody out of view is most easily taken for.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.any = Bodies(sources)
        by_action: dict[tuple[str, str], list[Path]] = {}
        for source in sources:
            for path in (path for group in source.groups for path in group):
                by_action.setdefault((source.name, action_of(path)), []).append(path)
        own = {source.name: source for source in sources}
        self.alike = [
            Bodies([replace(own[name], groups=(tuple(paths),))])
            for (name, _), paths in sorted(by_action.items())
            if len(paths) >= _MANY_FILES
        ]

    def draw(self, rng: np.random.Generator) -> Bodies:
        """Any bodies, or every other time those that do alike, where there are such."""
        if self.alike and rng.random() < 0.5:
            return self.alike[int(rng.integers(len(self.alike)))]
        return self.any


def action_of(path: Path) -> str:
    """What a motion file's name says is done in it: its second word, as Bandai-Namco has it.

    >>> action_of(Path("dataset-2_walk-turn-left_happy_003.bvh"))
    'walk-turn-left'
    """
    words = path.stem.split("_")
    return words[1] if len(words) > 1 else path.stem


def any_crowd(everybody: Everybody, rng: np.random.Generator, searched_s: float = 0.5) -> Crowd:
    """A crowd of random size, length and condition: what users may bring. Half of them run up to ±searched_s apart."""
    sensors = int(rng.integers(1, 6))
    return crowd(
        everybody.draw(rng), rng, people=int(rng.integers(1, 5)), sensors=sensors,
        strangers=int(rng.binomial(sensors, 0.25)), duration_s=float(np.exp(rng.uniform(np.log(2.5), np.log(25.0)))),
        row=str(rng.choice(ROWS)), offset_s=float(rng.uniform(-searched_s, searched_s) if rng.random() < 0.5 else 0.0),
        no_gyroscope=0.2,
    )  # fmt: skip


def _different(bodies: Bodies, count: int, duration_s: float, rng: np.random.Generator) -> list[Posture]:
    """Bodies that share no file: a stranger must not move to the same recording."""
    found: list[Posture] = []
    names: set[str] = set()
    for _ in range(_TRIES):
        body = bodies.draw(duration_s, rng, rate_hz=_FINEST_HZ)
        own = set(body.motion.name.split("+"))
        if not own & names:
            found.append(body)
            names |= own
        if len(found) == count:
            return found
    raise InputError(f"The sources have too few files for {count} people.", "Unpack more data sets.")
