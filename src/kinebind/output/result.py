"""A synchronisation in a folder: `sync.json`, aligned tables and the report, whole or not at all.

- `imu-NAME.parquet` (or .csv), one for each sensor whose clock was answered: the samples as they are, each with its
  time on the video's clock. Channels are 32-bit floats, finer than any sensor; missing values are empty.
- `aligned.parquet`: one row for each frame of the video, the sensors resampled to it, the person's keypoints beside
  them. Where sensors are worn by several people, each has an `aligned-PERSON.parquet`.
- `sync.json`: the result, and under `files` the names of all of these. `report.html`: the page to look at.

Where the reference is a sensor, it takes the video's place and times are called `reference_time_s`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.output.aligned import file_name, joined_table, sensor_table
from kinebind.output.folder import folder_written_whole
from kinebind.output.tables import write_table
from kinebind.recording import Recording
from kinebind.report import write_report
from kinebind.report.page import Pictures
from kinebind.report.signals import Reference, find_references
from kinebind.store import written_whole
from kinebind.tasks.sync.result import ClockAnswer, SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult

TableKind = Literal["parquet", "csv"]
_RESULT, _REPORT = "sync.json", "report.html"
_OWN_TABLE = re.compile(r"(imu-|aligned)[\w.-]*\.(parquet|csv)")


def write_result(
    recording: Recording,
    result: SyncResult,
    folder: str | Path,
    *,
    table: TableKind = "parquet",
    poses: bool = True,
    rate_hz: float | None = None,
    located: LocateResult | None = None,
    pictures: Pictures | None = None,
    further: Callable[[Path], Sequence[str]] = lambda _: (),
) -> tuple[Path, ...]:
    """Write a synchronisation into a folder and return the files' paths; the folder is made where it is missing.

    table: format of the aligned tables. poses: whether the joined table holds the keypoints too.
    rate_hz: rows a second of the joined table; by default the video's own frames.
    located, pictures: what the report tells beside the clocks. further: writes more files into the folder that it is
    given, which becomes the result's, and gives their names.
    Refused clocks get no table, and pieces below the confidence of an answer no rows; `sync.json` tells which.

    A failure leaves the folder as it was. In one that exists, files of the same names are replaced, tables that an
    earlier `sync.json` lists and this run does not have are removed, and all others are left alone.
    Raises InputError where the place cannot be written or the recording is not the result's.
    """
    if table not in ("parquet", "csv"):
        raise InputError(f"'{table}' is not a table format.", "Use parquet or csv.")
    if rate_hz is not None and not rate_hz > 0:
        raise InputError(f"A table cannot have {rate_hz} rows a second.", "Give a positive rate.")
    target = Path(folder)
    with folder_written_whole(target, outdated=_listed_tables(target / _RESULT)) as part:
        names = _write_all(recording, result, part, table, poses, rate_hz)
        write_report(recording, result, part / _REPORT, located=located, pictures=pictures)
        names = [*further(part), *names]
    return tuple(target / name for name in names)


def _write_all(
    recording: Recording, result: SyncResult, part: Path, table: TableKind, poses: bool, rate_hz: float | None
) -> list[str]:
    """Write every file into an empty folder; their names, `sync.json` last."""
    files: dict[str, Any] = {"sensors": {}, "joined": {}, "report": _REPORT}
    names: list[str] = []
    references = find_references(recording, result)
    by_name = {imu.name: imu for imu in recording.imus}
    joined: dict[Reference, list[tuple[Imu, ClockAnswer]]] = {}
    for answer, reference in zip(result.answers, references, strict=True):
        if not answer.answered:
            continue
        for finding in answer.sensors:
            imu = by_name[finding.name]
            name = file_name("imu-", imu.name, f".{table}", names)
            names.append(name)
            files["sensors"][imu.name] = name
            write_table(sensor_table(imu, answer, reference), part / name)
            joined.setdefault(reference, []).append((imu, answer))
    for reference, sensors in joined.items():
        person = "" if len(joined) == 1 else f"-{reference.name}"
        name = file_name("aligned", person, f".{table}", names)
        names.append(name)
        files["joined"][reference.name] = name
        write_table(joined_table(sensors, reference, poses=poses, rate_hz=rate_hz), part / name)
    told = result.to_dict() | {"files": files}
    with written_whole(part / _RESULT) as path:
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*names, _REPORT, _RESULT]


def _listed_tables(path: Path) -> set[str]:
    """Names of the tables that an earlier run wrote, as its `sync.json` lists them."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        listed = [*files["sensors"].values(), *files["joined"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in listed if isinstance(name, str) and _OWN_TABLE.fullmatch(name)}
