"""All of a recording on one clock: by the synchroniser, or because somebody says that it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kinebind.cli.hints import hint_of
from kinebind.cli.inputs import Job, people_of
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.recording import Label, Recording

if TYPE_CHECKING:
    from kinebind.nn.chunked import Encoders


@dataclass(frozen=True, eq=False)
class OneClock:
    """The sensors, the person's view, if any, and the labels of a recording, on one clock. notes: what was left out."""

    imus: tuple[Imu, ...]
    views: tuple[Poses, ...]
    labels: tuple[Label, ...]
    notes: tuple[str, ...]


def on_one_clock(recording: Recording, job: Job, *, synced: bool, model: Encoders | None) -> OneClock:
    """A recording's streams on the video's clock; without a video on that of its sensors, of which there must be one.

    synced: they are on one clock already. Raises InputError where several people are seen and none is named, and where
    sensors without a video are on several clocks.
    """
    people = people_of(recording, job.settings.person)
    if len(people) > 1:
        names = ", ".join(p.person for p in people)
        raise InputError(
            f"{recording.name} shows {len(people)} people: {names}.", "Name the one who is meant (person)."
        )
    views = tuple(people)
    clocks = {clock: ClockMap(0.0) for clock in recording.clocks()}
    notes: tuple[str, ...] = ()
    if not synced and views and recording.imus:
        clocks, told = clocks_of(recording.replace(people=views), job, model)
        notes = tuple(told)
    elif not synced and len(clocks) > 1:
        raise InputError(
            f"{recording.name} has sensors on {len(clocks)} clocks, and no video between them.",
            "Name one of them, or say --synced if they are on one clock.",
        )
    imus = tuple(
        imu.replace(time_s=clocks[imu.clock_id].to_video(imu.time_s))
        for imu in recording.imus
        if imu.clock_id in clocks
    )
    labels, on = recording.labels, recording.meta.get("labels_clock")
    if on is not None and views:
        if on not in clocks:
            return OneClock(imus, views, (), (*notes, f"labels are left out: they are on the clock {on}"))
        span = clocks[on].to_video
        labels = tuple(replace(x, start_s=float(span(x.start_s)), end_s=float(span(x.end_s))) for x in labels)
    if views:
        labels = tuple(own for own in labels if own.person in (None, views[0].person))
    return OneClock(imus, views, labels, notes)


def clocks_of(recording: Recording, job: Job, model: Encoders | None) -> tuple[dict[str, ClockMap], list[str]]:
    """The clocks that the synchroniser is sure of, and those that it is not."""
    from kinebind.tasks.sync import sync

    hint, told = hint_of(job.settings, recording)
    shared = bool(job.settings.shared_clock)
    result = sync(recording, search_s=job.settings.search, hint=hint, shared_clock=shared, model=model)
    clocks = {}
    notes = list(told)
    for answer in result.answers:
        if answer.answered and answer.clock is not None and len(answer.pieces) == 1:
            clocks[answer.clock_id] = answer.clock
        else:
            notes.append(f"clock {answer.clock_id} is left out: it is not known for sure (kinebind sync says why)")
    if shared and "shared" in clocks:
        clocks = {clock: clocks["shared"] for clock in recording.clocks()}
    return clocks, notes
