"""Clocks, wearers and sites together: each helps to find the others.

First every clock is found with all people and sites open; on these clocks all sensors are located together; then each
clock is found once more, near its first answer, with what is known of its sensors by then. A clock of which nothing
is known is left refused, and so is one whose sensors are worn by nobody in view: there is nothing that it could be
aligned with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kinebind._threads import side_by_side
from kinebind.clock import ClockMap
from kinebind.imu import Imu
from kinebind.nn.chunked import Encoders
from kinebind.recording import Recording
from kinebind.tasks.locate import Finding, LocateResult, locate
from kinebind.tasks.matching import Matcher
from kinebind.tasks.sync import Hint, Method, SyncResult, sync
from kinebind.tasks.sync.result import ClockAnswer, Reason

_NEAR_S = 1.0
"""How far a clock may move once its sensors' wearers and sites are known."""
Step = Callable[[str], None]
"""Told what is done next, a few words."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """A recording whose sensors have the sites that were found, and what was found of them.

    located: whose each sensor is, and where. result: the clocks.
    """

    recording: Recording
    located: LocateResult
    result: SyncResult

    @property
    def complete(self) -> bool:
        """Whether every sensor has a wearer and every clock an answer."""
        return self.located.all_located and self.result.all_answered


def align(
    recording: Recording,
    matcher: Matcher,
    *,
    sites: Sequence[str] | None = None,
    search_s: tuple[float, float] | None = None,
    hint: Hint | float | None = None,
    method: Method = "universal",
    model: Encoders | None = None,
    step: Step = lambda _: None,
) -> Aligned:
    """Find whose each sensor of a recording is, on which site, and on which clock.

    matcher: compares sensors with limbs. sites: where sensors may be worn. search_s, hint, method, model: as in
    `kinebind.tasks.sync.sync`. step: told what is done next. A site that a sensor has beforehand counts as likely
    right. Raises InputError where the recording has no sensor or nobody in view, and as `sync` and `locate` do.
    """
    step("Finding the clocks")
    first = sync(recording, search_s=search_s, hint=hint, method=method, model=model)
    known = {a.clock_id: a.clock for a in first.answers if a.answered and a.clock is not None}
    step("Finding who wears what")
    located = _located(recording, first, known, matcher, sites)
    found = {f.sensor: f for f in located.findings}
    told = recording.replace(imus=tuple(_told(imu, found[imu.name]) for imu in recording.imus))
    step("Finding the clocks again, with their wearers")
    answers = tuple(side_by_side(lambda own: _again(told, own, found, search_s, method, model), first.answers))
    people = ", ".join(sorted({a.person for a in answers if a.person}))
    return Aligned(told, located, replace(first, answers=answers, reference=people or first.reference))


def _located(
    recording: Recording, first: SyncResult, known: dict[str, ClockMap], matcher: Matcher, sites: Sequence[str] | None
) -> LocateResult:
    """Findings for all sensors; those whose clock is unknown cannot be compared with anybody."""
    on_clock = tuple(imu for imu in recording.imus if imu.clock_id in known)
    if on_clock:
        some = locate(recording.replace(imus=on_clock), matcher, sites=sites, lag_s=known)
    else:
        some = LocateResult((), tuple(p.person for p in recording.people), tuple(sites or ()), {}, recording.name)
    by_name = {f.sensor: f for f in some.findings}
    findings = tuple(
        by_name.get(imu.name) or Finding(
            imu.name, "unsure", None, None, 0.0, 0.0, 0.0, 0.0, imu.site,
            note=_why_unknown(first[imu.clock_id]),
        )
        for imu in recording.imus
    )  # fmt: skip
    return replace(some, findings=findings)


def _why_unknown(answer: ClockAnswer) -> str:
    reason = f" ({answer.reason.what})" if answer.reason is not None else ""
    return f"Its clock could not be found{reason}, so it cannot be compared with anybody."


def _told(imu: Imu, finding: Finding) -> Imu:
    """A sensor with the site that was found, or with the one that it had."""
    return imu if finding.site is None else imu.replace(site=finding.site)


def _again(
    recording: Recording,
    first: ClockAnswer,
    found: dict[str, Finding],
    search_s: tuple[float, float] | None,
    method: Method,
    model: Encoders | None,
) -> ClockAnswer:
    """A clock's answer by what is known of its sensors: the surest over the people who wear some of them."""
    own = recording.clocks()[first.clock_id]
    if not first.answered or first.clock is None:
        return first
    worn: dict[str, list[Imu]] = {}
    for imu in own:
        person = found[imu.name].person
        if person is not None:
            worn.setdefault(person, []).append(imu)
    if not worn:
        return _by_nobody(first, [found[imu.name] for imu in own])
    better = []
    for person, imus in worn.items():
        middle_s = 0.5 * (float(imus[0].time_s[0]) + float(imus[0].time_s[-1]))
        offset_s = float(first.to_video(imus[0].time_s[:1] * 0.0 + middle_s)[0]) - middle_s
        hint = Hint(offset_s, _NEAR_S, "the first look")
        sub = Recording(people=(recording.person(person),), imus=tuple(imus), name=recording.name)
        better.append(
            sync(sub, person=person, search_s=search_s, hint=hint, method=method, model=model)[first.clock_id]
        )
    best = max(better, key=lambda answer: (answer.answered, answer.confidence))
    if not best.answered and (first.person in worn or len(worn) == 1):
        # Less is known of a single person's sensors than of all at once: what was answered stays.
        return first
    others = [s for s in first.sensors if s.name not in {b.name for b in best.sensors}]
    return replace(best, sensors=(*best.sensors, *others), notes=first.notes + best.notes)


def _by_nobody(first: ClockAnswer, findings: Sequence[Finding]) -> ClockAnswer:
    """A clock none of whose sensors was given to a person: refused where they are worn by nobody in view."""
    if not all(f.status == "nobody" for f in findings):
        return first
    sure = max(f.probability for f in findings)
    reason = Reason(
        "no_match", "Its sensors fit nobody in view.",
        "Check that their wearer is in the picture, or leave these sensors out.",
    )  # fmt: skip
    return replace(first, reason=reason, confidence=min(first.confidence, 1.0 - sure))
