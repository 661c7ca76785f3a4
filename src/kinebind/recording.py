"""`Recording`: people, sensors, motions and labels that belong together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.poses import Poses


@dataclass(frozen=True)
class Label:
    """A named stretch of time on the video's clock, seconds; `person` where it is about one of several."""

    start_s: float
    end_s: float
    name: str
    person: str | None = None

    def __post_init__(self) -> None:
        if not self.end_s >= self.start_s:
            raise InputError(f"Label '{self.name}' ends before it starts.", "Check its two times.")


@dataclass(frozen=True, eq=False)
class Recording:
    """Everything recorded of one scene. Each stream keeps its own clock; nothing is aligned by being here.

    people: tracks on the video's clock. imus: sensors, grouped by `clock_id`. motions: 3D motion on the video's
    clock, where there is any. labels: stretches of the video's clock. text: a description in words.
    meta: further facts as strings (camera, place, licence).
    Raises InputError where two people, or two sensors, have one name.
    """

    people: tuple[Poses, ...] = ()
    imus: tuple[Imu, ...] = ()
    motions: tuple[Motion, ...] = ()
    labels: tuple[Label, ...] = ()
    text: str = ""
    name: str = "recording"
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind in ("people", "imus", "motions", "labels"):
            object.__setattr__(self, kind, tuple(getattr(self, kind)))
        object.__setattr__(self, "meta", dict(self.meta))
        for what, names in (
            ("people", [p.person for p in self.people]),
            ("sensors", [i.name for i in self.imus]),
            ("motions", [m.name for m in self.motions]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise InputError(f"Two {what} are called '{twice[0]}'.", "Give each its own name.")

    def replace(self, **changes: Any) -> Recording:
        """A copy with some fields changed, validated anew."""
        return replace(self, **changes)

    def person(self, name: str) -> Poses:
        """The track of a person by name; raises InputError with the names that exist."""
        for track in self.people:
            if track.person == name:
                return track
        known = ", ".join(p.person for p in self.people) or "nobody"
        raise InputError(f"The recording has no person '{name}'.", f"It has: {known}.")

    def clocks(self) -> dict[str, tuple[Imu, ...]]:
        """The sensors of each clock, in the order in which the clocks first appear."""
        groups: dict[str, tuple[Imu, ...]] = {}
        for imu in self.imus:
            groups[imu.clock_id] = (*groups.get(imu.clock_id, ()), imu)
        return groups

    def slice_s(self, start_s: float, end_s: float) -> Recording:
        """The recording between two times that every stream shares, as after alignment: each stream is cut at
        the same numbers on its own clock, labels are clipped, and streams with nothing inside are left out.
        """

        def cut(streams: Any) -> tuple[Any, ...]:
            inside = [s for s in streams if ((s.time_s >= start_s) & (s.time_s < end_s)).sum() >= 2]
            return tuple(s.slice_s(start_s, end_s) for s in inside)

        labels = tuple(
            replace(label, start_s=max(label.start_s, start_s), end_s=min(label.end_s, end_s))
            for label in self.labels
            if label.start_s < end_s and label.end_s > start_s
        )
        return self.replace(people=cut(self.people), imus=cut(self.imus), motions=cut(self.motions), labels=labels)
