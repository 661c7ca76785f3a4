"""What clocks are compared with: the people of a video, or another sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.tasks.sync.cues import Felt, felt
from kinebind.tasks.sync.hypothesis import Hypothesis, worn_by
from kinebind.tasks.sync.limb_signals import Track, track
from kinebind.tasks.sync.token_evidence import TokenPair

if TYPE_CHECKING:  # torch takes long to import, and a reference sensor needs none
    from kinebind.tasks.sync.learned import Learned

LEAST_OVERLAP_S = 3.0
"""Offsets at which the streams share less than this are not searched, unless one of them is shorter."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What the clocks are compared with: tracks of people, or another sensor; learned: the universal model's say."""

    tracks: dict[str, Track]
    poses: dict[str, Poses]
    sensor: Felt | None
    start_s: float
    end_s: float
    learned: Learned | None = None

    @staticmethod
    def of(recording: Recording, person: str | None, reference: str | None, learned: Learned | None = None) -> Scene:
        if reference is not None:
            found = [i for i in recording.imus if i.name == reference]
            if not found:
                names = ", ".join(i.name for i in recording.imus)
                raise InputError(f"The recording has no sensor '{reference}'.", f"It has: {names}.")
            return Scene({}, {}, felt(found[0]), float(found[0].time_s[0]), float(found[0].time_s[-1]))
        people = (recording.person(person),) if person is not None else recording.people
        if not people:
            raise InputError("There is nobody to synchronise with.", "Add a pose file, or name a reference IMU.")
        return Scene(
            {p.person: track(p) for p in people},
            {p.person: p for p in people},
            None,
            min(float(p.time_s[0]) for p in people),
            max(float(p.time_s[-1]) for p in people),
            learned,
        )

    def worn_by(self, sensors: tuple[Felt, ...], name: str, mirrored: bool = False) -> Hypothesis:
        """The sensors on a person of the scene, with the universal model's say where there is one."""
        tokens = None if self.learned is None else partial(self._tokens, name)
        return worn_by(sensors, self.tracks[name], name, mirrored, tokens)

    def _tokens(self, name: str, imu: Imu, site: str) -> TokenPair:
        assert self.learned is not None
        return self.learned.pair(imu, self.poses[name], site)


def checked_range(search_s: tuple[float, float]) -> tuple[float, float]:
    """The smallest and largest offset that a user asks for, seconds; raises InputError unless finite and in order."""
    low_s, high_s = (float(value) for value in search_s)
    if not (math.isfinite(low_s) and math.isfinite(high_s)):
        raise InputError(
            f"The search range {low_s:g} to {high_s:g} s is no range of finite offsets.",
            "Give two finite offsets in seconds, or none at all to search everything.",
        )
    if low_s >= high_s:
        raise InputError(
            f"The search range {low_s:g} to {high_s:g} s does not run from a smaller to a larger offset.",
            f"Exchange the two: {high_s:g} to {low_s:g}." if low_s > high_s else "Give two different offsets.",
        )
    return low_s, high_s


def whole_range(imu: Imu, scene: Scene) -> tuple[float, float]:
    """Offsets at which the streams overlap by a few seconds (or half the shorter one)."""
    least = min(LEAST_OVERLAP_S, 0.5 * imu.duration_s, 0.5 * (scene.end_s - scene.start_s))
    return scene.start_s + least - float(imu.time_s[-1]), scene.end_s - least - float(imu.time_s[0])
