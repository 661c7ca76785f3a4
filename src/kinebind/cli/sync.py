"""`kinebind sync`: one recording, or a table of them."""

from __future__ import annotations

import csv
import functools
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinebind.cli import options
from kinebind.cli.console import Screen, error_dict
from kinebind.cli.hints import hint_of
from kinebind.cli.inputs import Job, free_name, gather, inputs_of
from kinebind.cli.job_files import Row, is_table_of_recordings, job_named, read_jobs
from kinebind.cli.model_options import UniversalModel, binder_by
from kinebind.cli.settings import Settings
from kinebind.cli.sync_table import COLUMNS, clock_rows, show_batch, show_result
from kinebind.errors import InputError
from kinebind.output.folder import check_out
from kinebind.output.result import TableKind, write_result
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.sync import Method, SyncResult
from kinebind.tasks.sync import sync as synchronise

if TYPE_CHECKING:
    from kinebind.nn.chunked import Encoders

log = logging.getLogger(__name__)


@options.takes(*options.EVERYTHING)
def sync(
    files: Annotated[
        list[str],
        typer.Argument(metavar="POSE SITE=FILE...", help="Or a recording.toml, a .kinebind file, a table of these."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write report, tables and sync.json.")
    ] = None,
    table: Annotated[str, typer.Option(metavar="KIND", help="parquet or csv.")] = "parquet",
    model: UniversalModel = None,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find each clock's offset and skew against the video, or refuse and say why.

    POSE is a file of 2D poses, or of 3D motion, which is then filmed by a virtual camera.

    Sensors are written SITE=FILE (left_wrist=watch.csv); of a bare FILE all sites are tried.

    Exit code: 0 all answered, 3 some refused (results are written), 2 bad input.
    """
    screen = Screen(json=json, quiet=quiet)
    kind = table_kind(table)
    check_out(out)
    if len(files) == 1 and is_table_of_recordings(Path(files[0])):
        return _batch(read_jobs(Path(files[0])), settings, out, kind, screen, model)
    job = job_named(files, settings)
    done = run(job, out, kind, screen, model)
    show_result(done.recording, done.result, screen)
    if out is not None:
        screen.show(f"Written to {out}: {', '.join(path.name for path in reversed(done.written))}")
    screen.answer(done.told())
    return 0 if done.result.all_answered else 3


@dataclass(frozen=True, eq=False)
class Done:
    """A synchronised recording, and the files that were written of it."""

    recording: Recording
    result: SyncResult
    out: Path | None
    written: tuple[Path, ...]

    def told(self) -> dict[str, Any]:
        """The result as plain values: `sync.json`, and what the readers had to say."""
        if self.out is not None:
            told: dict[str, Any] = json.loads((self.out / "sync.json").read_text(encoding="utf-8")) | {
                "out": str(self.out)
            }
        else:
            told = self.result.to_dict()
        return told | {"inputs": inputs_of(self.recording)}


def run(job: Job, out: Path | None, table: TableKind, screen: Screen, model: Path | None = None) -> Done:
    """Read a job's files, synchronise them, and write the results where `out` names a folder.

    model: another universal model than our own. Raises InputError for whatever cannot be used.
    """
    method: Method = "classical" if job.settings.method == "classical" else "universal"
    if method == "classical" and model is not None:
        raise InputError("--model means nothing for the method classical.", "Leave out one of them.")
    with screen.logging():
        encoders = _encoders(model)
    with screen.busy(f"Reading {job.name}"):
        recording = gather(job)
    if not recording.imus:
        raise InputError("No sensor is named.", "Add sensors as SITE=FILE, for instance left_wrist=watch.csv.")
    notes: tuple[str, ...] = ()
    reference = job.settings.reference
    if not recording.people and reference is None:
        reference = _stand_in(recording)
        notes = (f"There is no video: the other clocks are compared with the sensor '{reference}' (--reference).",)
    if reference is not None:
        recording, told = _other_clocks(recording, reference)
        notes += told
    hint, told = hint_of(job.settings, recording)
    with screen.busy(f"Synchronising {job.name}"):
        result = synchronise(
            recording, person=job.settings.person, reference=reference, search_s=job.settings.search, hint=hint,
            shared_clock=bool(job.settings.shared_clock), method=method, model=encoders,
        )  # fmt: skip
    result = replace(result, notes=(*result.notes, *notes, *told))
    written: tuple[Path, ...] = ()
    if out is not None:
        with screen.busy(f"Writing {out}"):
            written = write_result(recording, result, out, table=table)
    return Done(recording, result, out, written)


def _stand_in(recording: Recording) -> str:
    """The sensor that takes a missing video's place."""
    if len(recording.imus) < 2:
        raise InputError(
            f"There is nothing to synchronise the sensor '{recording.imus[0].name}' with.",
            "Name the file of the video's poses first (kinebind sync POSE SITE=FILE), or a second sensor.",
        )
    return recording.imus[0].name


def _other_clocks(recording: Recording, reference: str) -> tuple[Recording, tuple[str, ...]]:
    """The recording without the sensors that share the reference's clock, which have nothing to find, and a note."""
    clock = next((imu.clock_id for imu in recording.imus if imu.name == reference), None)
    same = [imu.name for imu in recording.imus if imu.clock_id == clock and imu.name != reference]
    if not same:
        return recording, ()
    kept = tuple(imu for imu in recording.imus if imu.name not in same)
    if len(kept) == 1:
        raise InputError(f"All sensors run on the clock of '{reference}'.", "Add a sensor with another clock.")
    return recording.replace(imus=kept), (f"On the clock of '{reference}' already: {', '.join(same)}.",)


def table_kind(word: str) -> TableKind:
    """The format of aligned tables; raises InputError for others."""
    if word == "parquet":
        return "parquet"
    if word == "csv":
        return "csv"
    raise InputError(f"--table has '{word}'.", "Use parquet or csv.")


@functools.cache
def _encoders(path: Path | None) -> Encoders | None:
    """The universal model of a file, read once however many recordings there are; None stands for our own."""
    return None if path is None else binder_by(path).model


def _batch(
    rows: Sequence[Row], settings: Settings, out: Path | None, table: TableKind, screen: Screen, model: Path | None
) -> int:
    """Synchronise each row; one that fails does not stop the others. Its error stands in the summary."""
    results: list[tuple[str, Done | InputError]] = []
    folders: set[str] = set()
    for number, row in enumerate(rows, 1):
        screen.say(f"[{number}/{len(rows)}] {row.name}")
        folder = free_name(_folder_name(row.name), folders)
        folders.add(folder)
        results.append((row.name, _one_of_many(row, settings, out / folder if out else None, table, screen, model)))
    show_batch([(name, d if isinstance(d, InputError) else d.result) for name, d in results], screen)
    if out is not None and any(isinstance(done, Done) for _, done in results):
        _write_summary(results, out / "summary.csv")
        screen.show(f"Written to {out}: summary.csv and a folder for each recording")
    told = [
        {"name": name} | ({"error": error_dict(done)} if isinstance(done, InputError) else done.told())
        for name, done in results
    ]
    screen.answer({"format": "kinebind-sync-batch-1", "recordings": told})
    ran = [done.result.all_answered for _, done in results if isinstance(done, Done)]
    if not ran:
        return 2
    return 0 if len(ran) == len(rows) and all(ran) else 3


def _one_of_many(
    row: Row, settings: Settings, out: Path | None, table: TableKind, screen: Screen, model: Path | None
) -> Done | InputError:  # fmt: skip
    if row.job is None:
        assert row.error is not None
        return row.error
    job = replace(row.job, settings=settings.over(row.job.settings))
    try:
        return run(job, out, table, screen, model)
    except InputError as error:
        return error
    except Exception as error:  # hours of other rows must not be lost to one that nobody thought of
        log.exception("%s", row.name)
        return InputError(f"{type(error).__name__}: {error}", "This is a fault of Kinebind: please report it.")


def _folder_name(name: str) -> str:
    """A row's name as a folder of its own, never one above or outside."""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(". ") or "_"


def _write_summary(results: Sequence[tuple[str, Done | InputError]], path: Path) -> None:
    """One row for each clock of each recording."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["recording", *COLUMNS, "error"], lineterminator="\n")
    writer.writeheader()
    for name, done in results:
        if isinstance(done, InputError):
            writer.writerow({"recording": name, "status": "failed", "error": str(done)})
        else:
            writer.writerows({"recording": name} | row for row in clock_rows(done.result))
    with written_whole(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")
