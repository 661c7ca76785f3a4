"""What is found of each sensor: who wears it and where, nobody in view, or why nothing can be said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["found", "nobody", "unsure", "unusable"]
"""found: worn by a person in view. nobody: worn by nobody in view. unsure: nothing fits clearly, or its person is
clear to nobody. unusable: the sensor holds nothing to compare."""


@dataclass(frozen=True)
class Finding:
    """What is found of one sensor.

    person: whose it is, None unless found. site: where it is worn, None also where the person is clear but not the
    site. score: evidence for the choice against being worn by nobody in view, nats. margin: its lead over the best
    other choice that no other sensor has, nats. probability: that person and site, or "nobody", are both right.
    person_probability: that the person, or "nobody", is right. declared_site: what was said beforehand.
    swapped: whether the sensor fits the other side of the body than was declared. note: what there is to know, in
    sentences; where nothing was found, the reason.
    """

    sensor: str
    status: Status
    person: str | None
    site: str | None
    score: float
    margin: float
    probability: float
    person_probability: float
    declared_site: str | None = None
    swapped: bool = False
    note: str = ""

    @property
    def sure(self) -> float | None:
        """The probability of what is told: of the person where the site is not; None where nothing was compared."""
        if self.status == "unusable":
            return None
        return self.person_probability if self.site is None else self.probability

    @property
    def located(self) -> bool:
        """Whether the sensor was given to a person in view."""
        return self.status == "found"


@dataclass(frozen=True)
class LocateResult:
    """A finding for each sensor of a recording, in its order.

    people: tracks that were compared. sites: where sensors were looked for. lags_s: for each clock, by how much more
    than was said beforehand its sensors run behind the video, seconds (0 where no range was searched).
    """

    findings: tuple[Finding, ...]
    people: tuple[str, ...]
    sites: tuple[str, ...]
    lags_s: Mapping[str, float] = field(default_factory=dict)
    name: str = "recording"
    notes: tuple[str, ...] = ()

    @property
    def all_located(self) -> bool:
        """Whether every sensor was given to a person in view."""
        return all(f.located for f in self.findings)

    def __getitem__(self, sensor: str) -> Finding:
        for finding in self.findings:
            if finding.sensor == sensor:
                return finding
        raise KeyError(sensor)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON values; numbers that are not finite become null."""
        return {
            "format": "kinebind-locate-1", "recording": self.name, "people": list(self.people),
            "sites": list(self.sites), "lags_s": dict(self.lags_s),
            "sensors": [{k: _plain(v) for k, v in asdict(f).items()} for f in self.findings],
            "notes": list(self.notes),
        }  # fmt: skip


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
