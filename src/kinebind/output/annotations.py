"""An aligned recording for programs in which people annotate: ELAN's tiers, Label Studio's projects.

ELAN links a video by its path as it is, without escapes, and shows its first frame at 0. Label Studio serves files
that lie below a folder of one's choice, LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT, as `/data/local-files/?d=PATH`, and
plays a time series beside a video with its first row at the video's start.
"""

from __future__ import annotations

import mimetypes
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from kinebind.clock import FloatArray
from kinebind.output.aligned import AlignedSensor, file_name, resampled, sensors_of
from kinebind.output.label_tracks import LABEL_STUDIO, Stretches, prediction, write_tasks, write_tiers
from kinebind.output.stretches import stretches_of
from kinebind.output.tables import column, write_table
from kinebind.recording import Label, Recording
from kinebind.report.signals import Reference
from kinebind.tasks.sync.result import Piece, SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult

_SHOWN = {"_m_s2": "m/s²", "_rad_s": "rad/s"}  # what a labeller wants curves of, by the end of its column
_SHORTEST_S = 0.001  # ELAN counts milliseconds, and an annotation must have some


def write_elan_project(
    path: Path, recording: Recording, result: SyncResult, video: Path | None = None, home: Path | None = None
) -> Path:
    """An .eaf with a tier for each sensor, of where it is aligned or refused, and one of labels; milliseconds.

    video: linked by its full path and by that from home, the folder in which the file will lie (by default its own).
    Stretches that overlap, which one tier cannot hold, go on in a further tier, `NAME (2)`. What lies before the
    video's start is cut off.
    """
    tiers = stretches_of(recording, result)
    for answer in result.answers:
        refused = [_refused(p) for p in answer.pieces if answer.answered and p.confidence < answer.needed_confidence]
        for sensor in answer.sensors:
            tiers[sensor.name] = [*tiers.get(sensor.name, []), *refused]
    media = None if video is None else _media(video, path.parent if home is None else home)
    return write_tiers(path, _without_overlaps(tiers), media=media)


def _refused(piece: Piece) -> Label:
    """Where a refused piece would lie by its best guess."""
    low, high = sorted(float(piece.clock.to_video(at_s)) for at_s in (piece.start_s, piece.end_s))
    told = f"refused, only {100 * piece.confidence:.0f} % sure; at best offset {piece.clock.offset_s:+.3f} s"
    return Label(low, high, told)


def _media(video: Path, home: Path) -> dict[str, str]:
    """A linked video, as ELAN names it."""
    whole = video.resolve()
    facts = {
        "MEDIA_URL": "file:///" + whole.as_posix().lstrip("/"),
        "MIME_TYPE": mimetypes.guess_type(video.name)[0] or "video/mp4",
    }
    try:
        near = Path(os.path.relpath(whole, home.resolve())).as_posix()
    except ValueError:  # another drive
        return facts
    return facts | {"RELATIVE_MEDIA_URL": near if near.startswith("../") else f"./{near}"}


def _without_overlaps(tiers: Mapping[str, Sequence[Label]]) -> dict[str, list[Label]]:
    """The tiers, those with overlaps laid out over several, without what lies before 0."""
    out: dict[str, list[Label]] = {}
    for name, labels in tiers.items():
        lanes: list[list[Label]] = [[]]
        for label in sorted(labels, key=lambda own: (own.start_s, own.end_s)):
            if label.end_s < 0:
                continue
            start_s = max(label.start_s, 0.0)
            own = Label(start_s, max(label.end_s, start_s + _SHORTEST_S), label.name, label.person)
            free = (lane for lane in lanes if not lane or lane[-1].end_s <= own.start_s + 1e-9)
            lane = next(free, None)
            if lane is None:
                lane = []
                lanes.append(lane)
            lane.append(own)
        for k, lane in enumerate(lanes, 1):
            out[name if k == 1 else f"{name} ({k})"] = lane
    return out


def write_label_studio_projects(
    folder: Path,
    recording: Recording,
    result: SyncResult,
    video: Path | None = None,
    located: LocateResult | None = None,
    home: Path | None = None,
) -> list[Path]:
    """What a project of Label Studio imports, for each person or sensor that clocks were aligned to; the files.

    `label-studio[-NAME].json`: one task, with labels as a prediction and facts on the sensors as `meta`; `.csv`: its
    time series, seconds and the sensors' channels (m/s², rad/s) at the video's rate from the video's start, empty
    where unknown; `.xml`: the labelling set-up. Addresses hold where LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT is the
    folder that `meta` names. home: the folder in which the files will lie, by default `folder`.
    """
    groups: dict[Reference, list[AlignedSensor]] = {}
    for sensor in sensors_of(recording, result, located):
        if sensor.answer.answered:
            groups.setdefault(sensor.reference, []).append(sensor)
    place = (folder if home is None else home).resolve()
    root = _document_root(place, video)
    paths: list[Path] = []
    for reference, sensors in groups.items():
        ending = "" if len(groups) == 1 else f"-{reference.name}"
        stem = folder / file_name("label-studio", ending, ".json", [p.name for p in paths])
        table = _series(sensors, reference, from_zero=video is not None)
        write_table(table, stem.with_suffix(".csv"))
        told = [label for label in recording.labels if label.person in (None, reference.name)]
        labels: Stretches = [(label, 1.0) for label in told]
        task = {
            "data": {
                "csv": _address(place / stem.with_suffix(".csv").name, root),
                "video": None if video is None else _address(video.resolve(), root),
                "stream": reference.name,
            },
            "meta": {
                "recording": recording.name, "document_root": root.as_posix(), "time": "seconds of the video's clock",
                "sensors": [_facts(sensor) for sensor in sensors],
            },
            "predictions": [prediction(labels, "labels")] if labels else [],
        }  # fmt: skip
        write_tasks(stem, [task])
        names = list(dict.fromkeys(label.name for label in told)) or ["activity"]
        _write_setup(stem.with_suffix(".xml"), table.column_names[1:], names, reference, video is not None)
        paths += [stem, stem.with_suffix(".csv"), stem.with_suffix(".xml")]
    return paths


def _document_root(place: Path, video: Path | None) -> Path:
    """The folder above the results, or above them and the video."""
    try:
        above = [place.parent] if video is None else [place.parent, video.resolve().parent]
        return Path(os.path.commonpath(above))
    except ValueError:  # another drive
        return place.parent


def _address(path: Path, root: Path) -> str:
    """Where Label Studio serves a file."""
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return f"/data/local-files/?d={quote(below.as_posix())}"


def _series(sensors: Sequence[AlignedSensor], reference: Reference, *, from_zero: bool) -> pa.Table:
    """The sensors' channels at equal steps of the reference's clock, of its own median length."""
    start_s = 0.0 if from_zero else float(reference.time_s[0])
    steps = max(int((float(reference.time_s[-1]) - start_s) / reference.frame_s + 1e-6) + 1, 2)
    time_s: FloatArray = start_s + np.arange(steps, dtype=np.float64) * reference.frame_s
    columns = {"time_s": pa.array(time_s)}
    for sensor in sensors:
        for name, value in resampled(sensor.imu, sensor.answer, time_s).items():
            columns[name] = column(value)
    return pa.table(columns)


def _facts(sensor: AlignedSensor) -> dict[str, Any]:
    """What a task tells of a sensor."""
    return {
        "name": sensor.imu.name, "site": sensor.site, "person": sensor.person, "clock": sensor.answer.clock_id,
        "confidence": sensor.answer.confidence,
        "pieces": [
            {"imu_start_s": p.start_s, "imu_end_s": p.end_s, "offset_s": p.clock.offset_s,
             "skew_ppm": p.clock.skew_ppm, "ref_time_s": p.clock.ref_time_s, "confidence": p.confidence}
            for p in sensor.answer.pieces
        ],
    }  # fmt: skip


def _write_setup(path: Path, columns: Sequence[str], labels: Sequence[str], reference: Reference, video: bool) -> None:
    """The labelling set-up: the video beside the curves, which are labelled."""
    view = ET.Element("View")
    sync = {"sync": "kinebind"} if video else {}
    if video:
        rate = f"{1.0 / reference.frame_s:.6g}"
        ET.SubElement(view, "Video", {"name": "video", "value": "$video", "frameRate": rate} | sync)
    control = ET.SubElement(view, "TimeSeriesLabels", {"name": LABEL_STUDIO[0], "toName": LABEL_STUDIO[1]})
    for label in labels:
        ET.SubElement(control, "Label", {"value": label})
    facts = {"name": LABEL_STUDIO[1], "value": "$csv", "valueType": "url", "timeColumn": "time_s", "sep": ","}
    series = ET.SubElement(view, "TimeSeries", facts | sync)
    for name in columns:
        units = next((units for end, units in _SHOWN.items() if name.endswith(end)), None)
        if units is not None:
            ET.SubElement(series, "Channel", {"column": name, "units": units, "displayName": name})
    ET.indent(view)
    ET.ElementTree(view).write(path, encoding="utf-8")
