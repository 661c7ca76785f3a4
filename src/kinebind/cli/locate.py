"""`kinebind locate`: who wears each sensor, and where."""

from __future__ import annotations

import json as json_module
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import gather, inputs_of
from kinebind.cli.job_files import job_named
from kinebind.cli.model_options import UniversalModel, binder_by
from kinebind.cli.settings import Settings
from kinebind.cli.sync_file import read_answers
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.output.folder import check_out, folder_written_whole
from kinebind.parts import parse_site
from kinebind.recording import Recording
from kinebind.store import written_whole

if TYPE_CHECKING:
    from kinebind.tasks.locate import LocateResult

RESULT = "locate.json"
_STYLES = {"found": "", "nobody": "yellow", "unsure": "yellow", "unusable": "red"}


@options.takes("person", "search", "shared_clock", *options.FILES)
def locate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="POSE SENSOR...", help="As in kinebind sync; of a bare FILE the site is unknown."),
    ],
    sites: Annotated[
        str | None, typer.Option(metavar="SITE,...", help="Where sensors may be worn; by default anywhere.")
    ] = None,
    clocks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A sync.json of kinebind sync: the sensors' clocks.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help=f"Where to write {RESULT}.")] = None,
    model: UniversalModel = None,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find who wears each sensor and where, all together; or that nobody in view does.

    Sensors must run on the video's clock, within --search if that is given, or by the offsets of --clocks. A site that
    is named counts as likely right; another one, such as that of the other side, is told where it fits clearly better.

    Exit code: 0 every sensor located, 3 some not (results are written), 2 bad input.
    """
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    job = job_named(files, settings)
    with screen.busy(f"Reading {job.name}"):
        recording = asked(gather(job), job.settings)
    known = clocks_of(clocks, recording) if clocks is not None else {}
    where = [parse_site(site) for site in sites.split(",")] if sites else None
    with screen.logging():
        matcher = binder_by(model).matcher(told=0.0)  # as it was calibrated
    from kinebind.tasks.locate import locate as locate_all  # it imports torch

    search = job.settings.search or (0.0, 0.0)
    with screen.busy(f"Locating the sensors of {job.name}"):
        result = locate_all(recording, matcher, sites=where, lag_s=known, range_s=search)
    if clocks is None and job.settings.search is None:
        result = replace(
            result, notes=(*result.notes, "Sensors are taken to run on the video's clock (--search, --clocks).")
        )
    told = told_of(result, recording)
    if out is not None:
        with folder_written_whole(out) as folder:
            write_located(told, folder)
        told["out"] = str(out)
    show_findings(result, screen)
    if out is not None:
        screen.show(f"Written to {out}: {RESULT}")
    screen.answer(told)
    return 0 if result.all_located else 3


def asked(recording: Recording, settings: Settings) -> Recording:
    """The recording with the people and clocks that the user meant."""
    if settings.person is not None:
        recording = recording.replace(people=(recording.person(settings.person),))
    if settings.shared_clock:
        recording = recording.replace(imus=tuple(imu.replace(clock_id="shared") for imu in recording.imus))
    return recording


def clocks_of(path: Path, recording: Recording) -> dict[str, ClockMap]:
    """The maps of the recording's clocks that a `sync.json` answers, by clock; of one with jumps, the longest piece's.

    Raises InputError where the file is none, or answers none of these clocks.
    """
    found = {answer.clock_id: answer.clock for answer in read_answers(path)}
    ours = {name: found[name] for name in recording.clocks() if name in found}
    if not ours:
        raise InputError(
            f"{path} answers none of the clocks {', '.join(recording.clocks())}.",
            "Name the same sensors as in kinebind sync, or search a range with --search.",
        )
    return ours


def told_of(result: LocateResult, recording: Recording) -> dict[str, Any]:
    """A result as plain values, with what the readers had to say."""
    return result.to_dict() | {"inputs": inputs_of(recording)}


def write_located(told: dict[str, Any], folder: Path) -> None:
    """Write what `told_of` gives into a folder, whole or not at all."""
    with written_whole(folder / RESULT) as part:
        part.write_text(json_module.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def show_findings(result: LocateResult, screen: Screen) -> None:
    """The table of all sensors, then what there is to know besides."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("sensor", "person", "site"):
        table.add_column(name, overflow="fold")
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for finding in result.findings:
        table.add_row(
            finding.sensor, Text(finding.person or finding.status, _STYLES[finding.status]), finding.site or "",
            _percent(finding.sure), finding.note,
        )  # fmt: skip
    screen.show(table)
    for clock, lag in result.lags_s.items():
        if lag:
            screen.note(f"{clock}: fits best {lag:+.2f} s from where it was said to be.")
    for note in result.notes:
        screen.note(note)


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f"{100 * share:.0f} %" if share < 0.995 else "> 99 %"
