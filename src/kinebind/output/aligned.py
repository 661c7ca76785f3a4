"""Aligned tables: a sensor's samples with their times on the video's clock, and all sensors at the video's frames."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.output.tables import channels, column
from kinebind.parts import COCO17
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.report.signals import Reference, find_references
from kinebind.tasks.sync.result import ClockAnswer, Piece, SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult

_FRAMES = {
    "acc": "specific force in the sensor's frame, m/s²; at rest its norm is 9.81",
    "gyr": "angular rate in the sensor's frame, rad/s",
    "quat": "unit quaternion, scalar last, that turns sensor into world vectors; the world has z up",
    "mag": "magnetic field in the sensor's frame, in the unit that it came in",
}


@dataclass(frozen=True, eq=False)
class AlignedSensor:
    """A sensor with what was answered of its clock, who wears it and where; None where that is not known."""

    imu: Imu
    answer: ClockAnswer
    reference: Reference
    person: str | None
    site: str | None


def sensors_of(recording: Recording, result: SyncResult, located: LocateResult | None = None) -> list[AlignedSensor]:
    """All sensors of a result's clocks, also of those that were refused (`answer.answered` tells).

    Person and site are those of `located` where it speaks of the sensor: nobody's and unsure ones have no person.
    Raises InputError where the recording is not the result's.
    """
    by_name = {imu.name: imu for imu in recording.imus}
    found = {} if located is None else {f.sensor: f for f in located.findings}
    out = []
    for answer, reference in zip(result.answers, find_references(recording, result), strict=True):
        for sensor in answer.sensors:
            imu, finding = by_name[sensor.name], found.get(sensor.name)
            person = (answer.person or None) if finding is None else finding.person
            site = sensor.site or imu.site if finding is None else finding.site or imu.site
            out.append(AlignedSensor(imu, answer, reference, person, site))
    return out


def file_name(stem: str, name: str, suffix: str, taken: Iterable[str]) -> str:
    """A file name that every system takes and that no other, also in other letters' case, has.

    stem: what it begins with. name: what follows, of any letters. suffix: with its dot.
    """
    whole = stem + (re.sub(r"[^\w-]+", "_", name, flags=re.ASCII) or "_" if name else "")
    lower = {t.lower() for t in taken}
    candidates = (f"{whole}{'' if k == 1 else f'-{k}'}{suffix}" for k in range(1, len(lower) + 2))
    return next(c for c in candidates if c.lower() not in lower)


def sensor_table(imu: Imu, answer: ClockAnswer, reference: Reference) -> pa.Table:
    """A sensor's samples with their times on the reference's clock."""
    video_time_s, number = video_times(imu.time_s, answer)
    keep = slice(None) if number.all() else number > 0
    columns = {name: value[keep] for name, value in _columns(imu).items()}
    times = {f"{reference.kind}_time_s": video_time_s[keep], "imu_time_s": imu.time_s[keep]}
    facts = {"sensor": _sensor_facts(imu, answer)}
    return _table(times, {"piece": pa.array(number[keep])}, columns, reference, facts)


def joined_table(
    sensors: list[tuple[Imu, ClockAnswer]], reference: Reference, *, poses: bool, rate_hz: float | None
) -> pa.Table:
    """All sensors of one person (or beside one sensor) on the reference's frames, and what the reference shows."""
    source = reference.source
    time_s = source.time_s
    if rate_hz is not None:
        time_s = time_s[0] + np.arange(max(int(source.duration_s * rate_hz + 1e-9) + 1, 2)) / rate_hz
    columns: dict[str, FloatArray] = {}
    if isinstance(source, Imu):
        columns |= _columns(source if rate_hz is None else source.resample(time_s), f"{source.name}_")
    for imu, answer in sensors:
        columns |= resampled(imu, answer, time_s)
    if poses and isinstance(source, Poses):
        shown = source if rate_hz is None else source.resample(time_s)
        for k, name in enumerate(COCO17):
            columns[f"{name}_x_px"] = shown.keypoints_px[:, k, 0]
            columns[f"{name}_y_px"] = shown.keypoints_px[:, k, 1]
            columns[f"{name}_score"] = shown.scores[:, k]
    facts = {"sensors": [_sensor_facts(imu, answer) for imu, answer in sensors]}
    return _table({f"{reference.kind}_time_s": time_s}, {}, columns, reference, facts)


def video_times(imu_time_s: FloatArray, answer: ClockAnswer) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Video times (T,) of IMU times (T,), and the number of the piece that each is from.

    NaN and 0 where no piece is answered: unlike `ClockAnswer.to_video`, refused pieces give no times.
    """
    video_time_s = np.full(imu_time_s.size, np.nan)
    number = np.zeros(imu_time_s.size, dtype=np.int32)
    for i, piece, start_s, end_s in given_pieces(answer):
        inside = (imu_time_s >= start_s) & (imu_time_s < end_s)
        video_time_s[inside] = piece.clock.to_video(imu_time_s[inside])
        number[inside] = i
    return video_time_s, number


def given_pieces(answer: ClockAnswer) -> list[tuple[int, Piece, float, float]]:
    """Number (from 1), piece, and the IMU times from and to which it holds, for the pieces that are answered.

    As in `ClockAnswer.to_video`, the first and the last piece hold beyond their windows.
    """
    edges = [-np.inf, *(p.start_s for p in answer.pieces[1:]), np.inf]
    return [
        (i + 1, piece, edges[i], edges[i + 1])
        for i, piece in enumerate(answer.pieces)
        if piece.confidence >= answer.needed_confidence
    ]


def _columns(imu: Imu, prefix: str = "") -> dict[str, FloatArray]:
    """Column name -> values (T,) of everything that a sensor measures; times are left to the caller."""
    return {
        f"{prefix}{name}{f'_{unit}'.replace('/', '_') if unit else ''}": value for name, unit, value in channels(imu)
    }


def resampled(imu: Imu, answer: ClockAnswer, time_s: FloatArray) -> dict[str, FloatArray]:
    """A sensor's channels at times of the reference's clock, piece by piece; NaN outside and in gaps."""
    out = {name: np.full(time_s.size, np.nan) for name in _columns(imu.take(np.arange(2)), f"{imu.name}_")}
    for _, piece, start_s, end_s in given_pieces(answer):
        own = (imu.time_s >= start_s) & (imu.time_s < end_s)
        wanted_s = piece.clock.to_imu(time_s)
        at = (wanted_s >= start_s) & (wanted_s < end_s)
        if own.sum() < 2 or at.sum() < 2:
            continue
        for name, value in _columns(imu.take(own).resample(wanted_s[at]), f"{imu.name}_").items():
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
            for i, p, _, _ in given_pieces(answer)
        ],
    }  # fmt: skip


def _table(
    times: dict[str, FloatArray], extra: dict[str, pa.Array], columns: dict[str, FloatArray], reference: Reference,
    facts: dict[str, Any],
) -> pa.Table:  # fmt: skip
    """Columns as an Arrow table with its description as metadata; NaN becomes empty."""
    arrays = {name: pa.array(value) for name, value in times.items()} | extra
    for name, value in columns.items():
        arrays[name] = column(value)
    about = {
        "format": "kinebind-aligned-1", "reference": reference.name, "reference_kind": reference.kind,
        "clock": "video_time = imu_time + offset_s + skew_ppm / 1e6 * (imu_time - ref_time_s)", "frames": _FRAMES,
    } | facts  # fmt: skip
    return pa.table(arrays).replace_schema_metadata({"kinebind": json.dumps(about, ensure_ascii=False)})
