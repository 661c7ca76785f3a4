"""What a synchronisation leaves in a folder: `sync.json`, aligned tables and the report, whole or not at all.

- `imu-NAME.parquet` (or .csv), one for each sensor whose clock was answered: the samples as they are, each with its
  time on the video's clock. Channels are 32-bit floats, finer than any sensor; missing values are empty.
- `aligned.parquet`: one row for each frame of the video, the sensors resampled to it, the person's keypoints beside
  them. Where sensors are worn by several people, each has an `aligned-PERSON.parquet`.
- `sync.json`: the result, and under `files` the names of all of these. `report.html`: the page to look at.

Where the reference is a sensor, it takes the video's place and times are called `reference_time_s`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.parts import COCO17
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.report import write_report
from kinebind.report.signals import Reference, find_references
from kinebind.store import written_whole
from kinebind.tasks.sync.result import ANSWERED_AT, ClockAnswer, Piece, SyncResult

TableKind = Literal["parquet", "csv"]
_RESULT, _REPORT = "sync.json", "report.html"
_OWN_TABLE = re.compile(r"(imu-|aligned)[\w.-]*\.(parquet|csv)")
_FRAMES = {
    "acc": "specific force in the sensor's frame, m/s²; at rest its norm is 9.81",
    "gyr": "angular rate in the sensor's frame, rad/s",
    "quat": "unit quaternion, scalar last, that turns sensor into world vectors; the world has z up",
    "mag": "magnetic field in the sensor's frame, in the unit that it came in",
}


def write_outputs(
    recording: Recording,
    result: SyncResult,
    folder: str | Path,
    *,
    table: TableKind = "parquet",
    poses: bool = True,
    rate_hz: float | None = None,
) -> tuple[Path, ...]:
    """Write a synchronisation into a folder and return the files' paths; the folder is made where it is missing.

    table: format of the aligned tables. poses: whether the joined table holds the keypoints too.
    rate_hz: rows a second of the joined table; by default the video's own frames.
    Refused clocks get no table, and pieces below the confidence of an answer no rows; `sync.json` tells which.

    Everything is written beside the folder first and then put in its place, so that a failure leaves it as it was.
    In a folder that exists, files of the same names are replaced, tables that an earlier `sync.json` lists and this
    run does not have are removed, and all others are left alone.
    Raises InputError where the place cannot be written or the recording is not the result's.
    """
    if table not in ("parquet", "csv"):
        raise InputError(f"'{table}' is not a table format.", "Use parquet or csv.")
    if rate_hz is not None and not rate_hz > 0:
        raise InputError(f"A table cannot have {rate_hz} rows a second.", "Give a positive rate.")
    target = Path(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"Cannot write to {target}: {error.strerror}.", "Choose another place with --out.") from error
    try:
        names = _write_all(recording, result, part, table, poses, rate_hz)
        try:
            _put(part, target, names)
        except OSError as error:
            raise InputError(f"Cannot write {target}: {error.strerror}.", "Choose another place with --out.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
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
            name = _file_name("imu-", imu.name, table, names)
            names.append(name)
            files["sensors"][imu.name] = name
            _write_table(_sensor_table(imu, answer, reference), part / name, table)
            joined.setdefault(reference, []).append((imu, answer))
    for reference, sensors in joined.items():
        person = "" if len(joined) == 1 else f"-{reference.name}"
        name = _file_name("aligned", person, table, names)
        names.append(name)
        files["joined"][reference.name] = name
        _write_table(_joined_table(sensors, reference, poses, rate_hz), part / name, table)
    write_report(recording, result, part / _REPORT)
    told = result.to_dict() | {"files": files}
    with written_whole(part / _RESULT) as path:
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*names, _REPORT, _RESULT]


def _file_name(prefix: str, name: str, table: TableKind, taken: Iterable[str]) -> str:
    """A file name that every system takes and that no other, also in other letters' case, has."""
    stem = prefix + (re.sub(r"[^\w-]+", "_", name, flags=re.ASCII) or "_" if name else "")
    lower = {t.lower() for t in taken}
    candidates = (f"{stem}{'' if k == 1 else f'-{k}'}.{table}" for k in range(1, len(lower) + 2))
    return next(c for c in candidates if c.lower() not in lower)


def _put(part: Path, target: Path, names: list[str]) -> None:
    """Move finished files into their place; a folder that is new appears with all of them at once."""
    if not target.exists():
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)
        part.replace(target)
        return
    if not target.is_dir():
        raise InputError(f"{target} is a file, not a folder.", "Choose another place with --out.")
    for name in names:
        if (target / name).is_dir():
            raise InputError(f"{target / name} is a folder, where a file must go.", "Choose another place with --out.")
    stale = _listed_tables(target / _RESULT) - set(names)
    for name in names:
        (part / name).replace(target / name)
    for name in stale:
        (target / name).unlink(missing_ok=True)


def _listed_tables(path: Path) -> set[str]:
    """Names of the tables that an earlier run wrote, as its `sync.json` lists them."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        listed = [*files["sensors"].values(), *files["joined"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in listed if isinstance(name, str) and _OWN_TABLE.fullmatch(name)}


def _given_pieces(answer: ClockAnswer) -> list[tuple[int, Piece, float, float]]:
    """Number (from 1), piece, and the IMU times from and to which it holds, for the pieces that are answered.

    As in `ClockAnswer.to_video`, the first and the last piece hold beyond their windows.
    """
    edges = [-np.inf, *(p.start_s for p in answer.pieces[1:]), np.inf]
    return [
        (i + 1, piece, edges[i], edges[i + 1])
        for i, piece in enumerate(answer.pieces)
        if piece.confidence >= ANSWERED_AT
    ]


def _channels(imu: Imu, prefix: str = "") -> dict[str, FloatArray]:
    """Column name -> values (T,) of everything that a sensor measures; times are left to the caller."""
    out: dict[str, FloatArray] = {}
    for name, value, axes, unit in (
        ("acc", imu.acc_sensor, "xyz", "_m_s2"), ("gyr", imu.gyr_sensor, "xyz", "_rad_s"),
        ("quat", imu.rot_world_from_sensor, "xyzw", ""), ("mag", imu.mag_sensor, "xyz", ""),
    ):  # fmt: skip
        if value is not None:
            out |= {f"{prefix}{name}_{axis}{unit}": value[:, k] for k, axis in enumerate(axes)}
    return out


def _sensor_table(imu: Imu, answer: ClockAnswer, reference: Reference) -> pa.Table:
    """A sensor's samples with their times on the reference's clock."""
    video_time_s = np.full(imu.time_s.size, np.nan)
    number = np.zeros(imu.time_s.size, dtype=np.int32)
    for i, piece, start_s, end_s in _given_pieces(answer):
        inside = (imu.time_s >= start_s) & (imu.time_s < end_s)
        video_time_s[inside] = piece.clock.to_video(imu.time_s[inside])
        number[inside] = i
    keep = slice(None) if number.all() else number > 0
    columns = {name: value[keep] for name, value in _channels(imu).items()}
    times = {f"{reference.kind}_time_s": video_time_s[keep], "imu_time_s": imu.time_s[keep]}
    facts = {"sensor": _sensor_facts(imu, answer)}
    return _table(times, {"piece": pa.array(number[keep])}, columns, reference, facts)


def _joined_table(
    sensors: list[tuple[Imu, ClockAnswer]], reference: Reference, poses: bool, rate_hz: float | None
) -> pa.Table:
    """All sensors of one person (or beside one sensor) on the reference's frames, and what the reference shows."""
    source = reference.source
    time_s = source.time_s
    if rate_hz is not None:
        time_s = time_s[0] + np.arange(max(int(source.duration_s * rate_hz + 1e-9) + 1, 2)) / rate_hz
    columns: dict[str, FloatArray] = {}
    if isinstance(source, Imu):
        columns |= _channels(source if rate_hz is None else source.resample(time_s), f"{source.name}_")
    for imu, answer in sensors:
        columns |= _resampled(imu, answer, time_s)
    if poses and isinstance(source, Poses):
        shown = source if rate_hz is None else source.resample(time_s)
        for k, name in enumerate(COCO17):
            columns[f"{name}_x_px"] = shown.keypoints_px[:, k, 0]
            columns[f"{name}_y_px"] = shown.keypoints_px[:, k, 1]
            columns[f"{name}_score"] = shown.scores[:, k]
    facts = {"sensors": [_sensor_facts(imu, answer) for imu, answer in sensors]}
    return _table({f"{reference.kind}_time_s": time_s}, {}, columns, reference, facts)


def _resampled(imu: Imu, answer: ClockAnswer, time_s: FloatArray) -> dict[str, FloatArray]:
    """A sensor's channels at times of the reference's clock, piece by piece; NaN outside and in gaps."""
    out = {name: np.full(time_s.size, np.nan) for name in _channels(imu.take(np.arange(2)), f"{imu.name}_")}
    for _, piece, start_s, end_s in _given_pieces(answer):
        own = (imu.time_s >= start_s) & (imu.time_s < end_s)
        wanted_s = piece.clock.to_imu(time_s)
        at = (wanted_s >= start_s) & (wanted_s < end_s)
        if own.sum() < 2 or at.sum() < 2:
            continue
        for name, value in _channels(imu.take(own).resample(wanted_s[at]), f"{imu.name}_").items():
            out[name][at] = value
    return out


def _sensor_facts(imu: Imu, answer: ClockAnswer) -> dict[str, Any]:
    """What a table's metadata says of a sensor."""
    finding = next(s for s in answer.sensors if s.name == imu.name)
    return {
        "name": imu.name, "site": finding.site or imu.site, "clock_id": answer.clock_id,
        "confidence": answer.confidence, "mirrored": answer.mirrored,
        "pieces": [
            {"piece": i, "imu_start_s": p.start_s, "imu_end_s": p.end_s, "offset_s": p.clock.offset_s,
             "skew_ppm": p.clock.skew_ppm, "ref_time_s": p.clock.ref_time_s}
            for i, p, _, _ in _given_pieces(answer)
        ],
    }  # fmt: skip


def _table(
    times: dict[str, FloatArray], extra: dict[str, pa.Array], columns: dict[str, FloatArray], reference: Reference,
    facts: dict[str, Any],
) -> pa.Table:  # fmt: skip
    """Columns as an Arrow table with its description as metadata; NaN becomes empty."""
    arrays = {name: pa.array(value) for name, value in times.items()} | extra
    for name, value in columns.items():
        arrays[name] = pa.array(value.astype(np.float32), from_pandas=True)
    about = {
        "format": "kinebind-aligned-1", "reference": reference.name, "reference_kind": reference.kind,
        "clock": "video_time = imu_time + offset_s + skew_ppm / 1e6 * (imu_time - ref_time_s)", "frames": _FRAMES,
    } | facts  # fmt: skip
    return pa.table(arrays).replace_schema_metadata({"kinebind": json.dumps(about, ensure_ascii=False)})


def _write_table(table: pa.Table, path: Path, kind: TableKind) -> None:
    with written_whole(path) as part:
        if kind == "csv":
            pa.csv.write_csv(table, part)
        else:
            pa.parquet.write_table(table, part, compression="zstd", compression_level=1, use_dictionary=["piece"])
