"""A synchronisation on the screen: one line a clock, and what there is to know besides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from kinebind.cli.console import Screen
from kinebind.errors import InputError
from kinebind.recording import Recording
from kinebind.tasks.sync import ClockAnswer, SyncResult

COLUMNS = (
    "clock", "sensors", "person", "status", "offset_s", "offset_uncertainty_s", "skew_ppm", "skew_uncertainty_ppm",
    "ref_time_s", "confidence", "pieces", "reason",
)  # fmt: skip
"""What `clock_rows` tells of a clock."""


def clock_rows(result: SyncResult) -> list[dict[str, Any]]:
    """One flat row a clock, of `COLUMNS`; None where nothing is known."""
    return [dict(zip(COLUMNS, _values(answer), strict=True)) for answer in result.answers]


def _values(answer: ClockAnswer) -> tuple[Any, ...]:
    clock = answer.clock
    sensors = " ".join(f"{s.name}@{s.site or '?'}" for s in answer.sensors)
    ppm = 1e6 * answer.skew_uncertainty
    return (
        answer.clock_id, sensors, answer.person, "answered" if answer.answered else "refused",
        clock.offset_s if clock else None, answer.uncertainty_s if math.isfinite(answer.uncertainty_s) else None,
        clock.skew_ppm if clock else None, ppm if math.isfinite(ppm) else None,
        clock.ref_time_s if clock else None, answer.confidence, len(answer.pieces),
        answer.reason.code if answer.reason else None,
    )  # fmt: skip


def show_result(recording: Recording, result: SyncResult, screen: Screen) -> None:
    """The table of a recording's clocks, reasons of refusals, and notes."""
    table = _table("clock", "sensors")
    if len({a.person for a in result.answers}) > 1 or len(recording.people) > 1:
        table.add_column("person", overflow="fold")
    for answer in result.answers:
        _add(table, answer, [answer.clock_id, _sensors(answer)])
    screen.show(table)
    for answer in result.answers:
        if answer.reason is not None:
            screen.show(Text(f"{answer.clock_id}: {answer.reason.what} {answer.reason.fix}".rstrip()))
    for answer in result.answers:
        for note in answer.notes:
            screen.note(f"{answer.clock_id}: {note}")
    for note in result.notes:
        screen.note(note)
    for note, names in _input_notes(recording).items():
        screen.note(f"{', '.join(names)}: {note}", one_line=True)


def show_batch(results: Sequence[tuple[str, SyncResult | InputError]], screen: Screen) -> None:
    """The table of all clocks of all recordings, and the errors of those that failed."""
    table = _table("recording", "clock")
    for name, result in results:
        if isinstance(result, InputError):
            table.add_row(name, "", "", "", "", Text("failed", "red"))
            continue
        for answer in result.answers:
            _add(table, answer, [name, answer.clock_id])
    screen.show(table)
    for name, result in results:
        if isinstance(result, InputError):
            screen.show(Text(f"{name}: {result.what} {result.fix}".rstrip()))
    answers = [a for _, r in results if isinstance(r, SyncResult) for a in r.answers]
    failed = sum(isinstance(r, InputError) for _, r in results)
    screen.show(
        f"{len(results)} recordings, {failed} failed; {len(answers)} clocks, "
        f"{sum(not a.answered for a in answers)} refused"
    )


def _table(*first: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in first:
        table.add_column(name, overflow="fold")
    for name in ("offset, s", "skew, ppm", "confidence"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", overflow="fold")
    return table


def _add(table: Table, answer: ClockAnswer, first: list[str]) -> None:
    """An answer's line, and one more for each further piece of its clock."""
    person = [answer.person] if len(table.columns) > len(first) + 4 else []
    status = Text("answered", "green") if answer.reason is None else Text(f"refused: {answer.reason.code}", "yellow")
    if not answer.pieces:
        table.add_row(*first, "", "", _percent(answer.confidence), status, *person)
    for k, piece in enumerate(answer.pieces):
        clock = piece.clock
        offset, skew = f"{clock.offset_s:+.3f}", f"{round(clock.skew_ppm) + 0:+d}"
        if answer.reason is not None:
            offset, skew = f"({offset})", f"({skew})"  # a best guess that is not vouched for
        elif piece is answer.main:  # uncertainties are those of the longest piece
            offset += _plus_minus(max(answer.uncertainty_s, 1e-3), "{:.3f}")
            skew += _plus_minus(1e6 * answer.skew_uncertainty, "{:.0f}")
        sure = _percent(answer.confidence if piece is answer.main else piece.confidence)
        if k == 0:
            table.add_row(*first, offset, skew, sure, status, *person)
        else:
            name = Text(f"… from its {piece.start_s:.1f} s", "dim")
            table.add_row(name, "", offset, skew, sure, "", *[""] * len(person))


def _sensors(answer: ClockAnswer) -> str:
    """Sensors with their sites: a bare name where it is its site; a question mark behind a site that was found."""
    told = []
    for sensor in answer.sensors:
        site = f"{sensor.site}{'' if sensor.given else '?'}"
        told.append(sensor.name if sensor.site is None or sensor.name == site else f"{sensor.name} ({site})")
    return ", ".join(told)


def _plus_minus(value: float, form: str) -> str:
    return f" ± {form.format(value)}" if math.isfinite(value) else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.9995 else "> 99.9 %"


def _input_notes(recording: Recording) -> dict[str, list[str]]:
    """What the readers said, each sentence once, with the streams that it is about."""
    out: dict[str, list[str]] = {}
    streams = [
        *((f"person {p.person}", p.notes) for p in recording.people),
        *((i.name, i.notes) for i in recording.imus),
    ]
    for name, notes in streams:
        for note in notes:
            out.setdefault(note, []).append(name)
    return out
