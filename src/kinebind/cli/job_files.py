"""Files that say what to synchronise: recording.toml for one recording, a table with a row for each of many."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet

from kinebind import _toml
from kinebind.cli.inputs import Job, SensorFile, gather, job_of, motion_options, pose_options, sensor_options, site_of
from kinebind.cli.settings import MOTION_SETTINGS, POSE_SETTINGS, SENSOR_SETTINGS, SETTINGS, Settings, flag, unknown
from kinebind.errors import InputError
from kinebind.parts import parse_site
from kinebind.readers import format_named, read, sniff
from kinebind.readers.formats_base import Head, read_head
from kinebind.recording import Recording

_TOML_KEYS = ("name", "pose", "imu", *SETTINGS)
_IMU_KEYS = ("path", "site", "name", "clock", "format", *SENSOR_SETTINGS)
_COLUMNS = ("name", "pose", "imu", *SETTINGS)
_LARGEST_TOML_BYTES = 1 << 20
_TOML_FORMAT = "recording.toml"


@dataclass(frozen=True)
class Row:
    """One row of a table of recordings: its job, or what is wrong with it."""

    name: str
    job: Job | None
    error: InputError | None = None


def is_job_file(path: Path) -> bool:
    """Whether a file is a recording.toml."""
    return path.suffix.lower() == ".toml"


def read_toml(path: Path) -> Job:
    """The job of a recording.toml; paths in it are relative to its folder.

    Raises InputError for damaged files, and for keys that mean nothing, with the nearest one that does.
    """
    if read_head(path).size_bytes > _LARGEST_TOML_BYTES:
        raise InputError(f"{path} is too large to be a recording.toml.", "Name the file that describes the recording.")
    try:
        content = _toml.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is not valid TOML: {error}.", "Strings stand in quotes, sensors under [[imu]]."
        ) from error
    try:
        return _toml_job(content, path)
    except InputError as error:
        raise error.at(str(path)) from error


def _toml_job(content: Mapping[str, Any], path: Path) -> Job:
    _only(content, _TOML_KEYS, "The file")
    folder = path.parent
    entries = content.get("imu", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("imu is not a list of tables.", "Write [[imu]], with two brackets, above each sensor.")
    sensors = [_toml_sensor(entry, k, folder) for k, entry in enumerate(entries, 1)]
    pose = _word(content, "pose", "The file")
    settings = Settings.parse({k: v for k, v in content.items() if k in SETTINGS}, folder)
    name = _word(content, "name", "The file") or (path.stem if path.stem != "recording" else folder.resolve().name)
    return Job(name or "recording", folder / pose if pose else None, tuple(sensors), settings)


def _toml_sensor(entry: Mapping[str, Any], number: int, folder: Path) -> SensorFile:
    place = f"Sensor {number}"
    _only(entry, _IMU_KEYS, place)
    path, site = _word(entry, "path", place), _word(entry, "site", place)
    if path is None:
        raise InputError(f"{place} has no path.", 'Add path = "FILE".')
    settings = Settings.parse({k: v for k, v in entry.items() if k in SETTINGS}, folder)
    return SensorFile(
        folder / path, parse_site(site) if site else None, _word(entry, "name", place), _word(entry, "clock", place),
        settings,
    )  # fmt: skip


def _only(given: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in given:
        if key not in known:
            raise unknown(key, list(known), place)


def _word(given: Mapping[str, Any], key: str, place: str) -> str | None:
    value = given.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise InputError(f"{place}: {key} has {value!r}, not a word.", f'Write {key} = "…".')
    return value


def read_any(path: Path, settings: Settings) -> tuple[str, str, Recording]:
    """Whatever a file holds: its format's name and description, and the recording. Raises InputError."""
    if is_job_file(path):
        job = read_toml(path)
        job = replace(job, settings=settings.over(job.settings))
        return _TOML_FORMAT, "a recording of several files", gather(job)
    fmt = format_named(settings.format[0]) if settings.format else sniff(path)
    options: dict[str, Any] = {}
    if fmt.kind == "motion":
        options = motion_options(settings, fmt)
    elif fmt.kind != "recording":
        options = sensor_options(settings) if fmt.kind == "imu" else pose_options(settings)
    return fmt.name, fmt.describes, read(path, format=fmt.name, **options)


def nothing_idle(settings: Settings, formats: Sequence[str]) -> None:
    """Raises InputError for a setting that no file takes which `read_any` read; formats: the names that it gave."""
    if _TOML_FORMAT in formats:
        return  # which has looked at this itself
    kinds = {format_named(name).kind for name in formats}
    # A motion's reader refuses by itself what it does not take.
    for kind, names in (("imu", SENSOR_SETTINGS), ("poses", POSE_SETTINGS), ("motion", MOTION_SETTINGS)):
        if kind not in kinds and not (kind == "poses" and "motion" in kinds):
            for name in names:
                if name in settings.said():
                    raise InputError(f"{flag(name)} means nothing: no file here takes it.", "Leave it out.")


def is_table_of_recordings(path: Path) -> bool:
    """Whether a file is a table whose columns name files of recordings: one is called `pose`, or all are known."""
    try:
        names = _names(path)
    except (InputError, OSError, csv.Error):
        return False
    known = [name for name in names if name in _COLUMNS or site_of(name)]
    return "pose" in names or (len(known) == len(names) and any(n == "imu" or site_of(n) for n in names))


def read_jobs(path: Path) -> list[Row]:
    """The rows of a table of recordings; paths in it are relative to its folder.

    Columns are `name`, `pose`, one for each sensor site, `imu` for sensors whose site is unknown (several with a
    semicolon between), and the settings. A row that cannot be understood holds its error.
    Raises InputError where the table cannot be read, or has a column that means nothing.
    """
    names = _names(path)
    for name in names:
        if name not in _COLUMNS and site_of(name) is None:
            raise unknown(name, [*_COLUMNS, "left_wrist", "right_shank", "…"], str(path))
    rows: list[Row] = []
    for number, cells in enumerate(_rows(path), 1):
        given = {name: cell for name, cell in cells.items() if cell}
        row_name = given.get("name") or (Path(given["pose"]).stem if "pose" in given else f"row-{number}")
        taken = {row.name for row in rows}
        row_name = row_name if row_name not in taken else f"{row_name}-{number}"
        try:
            rows.append(Row(row_name, _row_job(given, row_name, path.parent)))
        except InputError as error:
            rows.append(Row(row_name, None, error.at(f"row {number}")))
    if not rows:
        raise InputError(f"{path} has no rows.", "Write one row for each recording.")
    return rows


def jobs_of(paths: Sequence[Path]) -> list[Job]:
    """The recordings that files name; raises InputError for rows and files that cannot be understood."""
    jobs: list[Job] = []
    for path in paths:
        if is_table_of_recordings(path):
            for row in read_jobs(path):
                if row.job is None:
                    assert row.error is not None
                    raise row.error
                jobs.append(row.job)
        else:
            jobs.append(job_named([str(path)], Settings()))
    return jobs


def _row_job(given: Mapping[str, str], name: str, folder: Path) -> Job:
    sensors = [SensorFile(folder / file.strip()) for file in given.get("imu", "").split(";") if file.strip()]
    sensors += [SensorFile(folder / cell, site) for column, cell in given.items() if (site := site_of(column))]
    settings = Settings.parse({k: v for k, v in given.items() if k in SETTINGS}, folder)
    return Job(name, folder / given["pose"] if "pose" in given else None, tuple(sensors), settings)


def _is_parquet(path: Path) -> bool:
    return read_head(path).data.startswith(b"PAR1")


def _names(path: Path) -> list[str]:
    """The columns' names; raises InputError where the file's first line is no header."""
    if _is_parquet(path):
        return [str(name).strip() for name in _parquet(path).schema.names]
    head = read_head(path)
    if head.is_binary or not head.lines or (len(head.lines) == 1 and head.size_bytes > len(head.data)):
        raise InputError(f"{path} is not a table of recordings.", "Write it as CSV, with a header.")
    return [cell.strip() for cell in next(csv.reader(head.lines[:1], delimiter=_delimiter(head)), [])]


def _delimiter(head: Head) -> str:
    return max(",;\t", key=head.lines[0].count)


def _rows(path: Path) -> list[dict[str, str]]:
    """The cells of each row by column, as text; empty rows are left out."""
    if _is_parquet(path):
        table = _parquet(path).read().to_pylist()
        found = [{str(k).strip(): "" if v is None else str(v).strip() for k, v in row.items()} for row in table]
    else:
        names, head = _names(path), read_head(path)
        try:
            with path.open(encoding=head.encoding, newline="") as file:
                lines = list(csv.reader(file, delimiter=_delimiter(head)))[1:]
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} is damaged: {error}.", "Write it again, as CSV.") from error
        for number, cells in enumerate(lines, 1):
            if len(cells) > len(names):
                raise InputError(
                    f"{path}: row {number} has {len(cells)} cells, the header {len(names)}.",
                    "Put cells that hold the delimiter in quotes.",
                )
        found = [dict(zip(names, (cell.strip() for cell in cells), strict=False)) for cells in lines]
    return [row for row in found if any(row.values())]


def _parquet(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a whole Parquet file: {error}.", "Write it again.") from error


def job_named(files: Sequence[str], settings: Settings) -> Job:
    """The job that the words of a command line name: a recording.toml alone, or poses and sensors.

    settings: the command line's, which go before the file's. Raises InputError for a recording.toml among other files.
    """
    described = [file for file in files if is_job_file(Path(file))]
    if described and len(files) > 1:
        raise InputError(f"{described[0]} names a recording's files itself.", "Name it alone.")
    if not described:
        return job_of(files, settings)
    job = read_toml(Path(files[0]))
    return replace(job, settings=settings.over(job.settings))
