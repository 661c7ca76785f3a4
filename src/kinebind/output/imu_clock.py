"""What the video shows, at the samples of the sensors: the aligned tables turned round."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from kinebind.clock import FloatArray
from kinebind.output.aligned import file_name, video_times
from kinebind.output.tables import column, write_table
from kinebind.parts import COCO17
from kinebind.recording import Recording
from kinebind.resample import resample_vectors
from kinebind.tasks.sync.result import ClockAnswer, SyncResult


def write_imu_clock(recording: Recording, result: SyncResult, folder: Path, ending: str) -> list[Path]:
    """One table a clock that was answered, `clock-NAME.csv` or .parquet: rows are the samples of its first sensor.

    Columns: `imu_time_s` on the sensor's own clock, `video_time_s`, then for each person and keypoint
    `PERSON_left_wrist_x_px`, `…_y_px`, `…_score`, brought to the samples by lines between frames and empty in gaps and
    beyond the video; `label` of the recording's labels at that moment, where there are any.
    """
    paths: list[Path] = []
    for answer in result.answers:
        if answer.answered:
            path = folder / file_name("clock-", answer.clock_id, f".{ending}", [p.name for p in paths])
            write_table(_table(recording, answer), path)
            paths.append(path)
    return paths


def _table(recording: Recording, answer: ClockAnswer) -> pa.Table:
    sensor = next(imu for imu in recording.imus if imu.clock_id == answer.clock_id)
    video_s, _ = video_times(sensor.time_s, answer)
    columns = {"imu_time_s": pa.array(sensor.time_s), "video_time_s": pa.array(video_s, from_pandas=True)}
    # A jump of the clock may lead back in the video's time; each row stands for itself.
    order = np.argsort(video_s, kind="stable")
    unique = np.append(True, np.diff(video_s[order]) > 0)
    wanted = video_s[order][unique]
    back = np.empty(order.size, dtype=np.int64)
    back[order] = np.cumsum(unique) - 1
    for person in recording.people:
        values = np.dstack([person.keypoints_px, person.scores])
        inside = (wanted >= person.time_s[0]) & (wanted <= person.time_s[-1])
        at: FloatArray = np.full((wanted.size, 17, 3), np.nan)
        if inside.sum() >= 2:
            at[inside] = resample_vectors(person.time_s, values, wanted[inside])
        shown = at[back]
        shown[np.isnan(video_s)] = np.nan  # samples of a piece that was refused have no place in the video
        for k, name in enumerate(COCO17):
            for axis, unit in enumerate(("x_px", "y_px", "score")):
                columns[f"{person.person}_{name}_{unit}"] = column(shown[:, k, axis])
    if recording.labels:
        labels = np.full(video_s.size, None, dtype=object)
        for label in recording.labels:
            labels[(video_s >= label.start_s) & (video_s < label.end_s)] = label.name
        columns["label"] = pa.array(labels.tolist(), type=pa.string())
    about = {
        "format": "kinebind-imu-clock-1", "clock_id": answer.clock_id, "confidence": answer.confidence,
        "sensors": [s.name for s in answer.sensors],
    }  # fmt: skip
    return pa.table(columns).replace_schema_metadata({"kinebind": json.dumps(about, ensure_ascii=False)})
