"""An aligned recording as a Rerun file: video, skeletons and signals on one timeline, the video's."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.errors import InputError
from kinebind.parts import COCO17_EDGES
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.sync.result import SyncResult

TIMELINE = "video_time"


def needs_rerun() -> None:
    """Raises InputError where Rerun is not installed."""
    if find_spec("rerun") is None:
        raise InputError("Files of Rerun need its package, not installed here.", "pip install 'kinebind[rerun]'")


def write_rerun(recording: Recording, result: SyncResult, path: Path, video: Path | None) -> Path:
    """Write an .rrd, whole or not at all: `video`, `video/people/NAME`, `sensors/NAME/acc/x` (m/s²), `…/norm`,
    `…/gyr/x` (rad/s), each on the timeline `video_time`, seconds of the video's clock.

    Sensors whose clock was refused are left out. What is missing is left out, never zero.
    Raises InputError where Rerun is not installed, or the place cannot be written.
    """
    needs_rerun()
    import rerun

    with written_whole(path) as part:
        stream = rerun.RecordingStream("kinebind")
        stream.save(part)
        if video is not None:
            _video(stream, video)
        for person in recording.people:
            _person(stream, person)
        for answer in result.answers:
            for imu in recording.imus:
                if answer.answered and imu.clock_id == answer.clock_id:
                    times_s = answer.to_video(imu.time_s)
                    _signal(stream, f"sensors/{imu.name}/acc", times_s, imu.acc_sensor)
                    if imu.gyr_sensor is not None:
                        _signal(stream, f"sensors/{imu.name}/gyr", times_s, imu.gyr_sensor)
        stream.flush()
        stream.disconnect()
    return path


def _video(stream: Any, video: Path) -> None:
    import rerun

    asset = rerun.AssetVideo(path=video)
    stream.log("video", asset, static=True)
    nanoseconds = np.asarray(asset.read_frame_timestamps_nanos())
    stream.send_columns(
        "video",
        indexes=[rerun.TimeColumn(TIMELINE, duration=1e-9 * nanoseconds)],
        columns=rerun.VideoFrameReference.columns_nanos(nanoseconds),
    )


def _person(stream: Any, person: Poses) -> None:
    """Lines between joints that are both seen, of every frame."""
    import rerun

    lines: list[np.ndarray] = []
    lengths = []
    for points in person.keypoints_px:
        own = [points[list(edge)] for edge in COCO17_EDGES if np.isfinite(points[list(edge)]).all()]
        lines += own
        lengths.append(len(own))
    stream.send_columns(
        f"video/people/{person.person}",
        indexes=[rerun.TimeColumn(TIMELINE, duration=person.time_s)],
        columns=rerun.LineStrips2D.columns(strips=lines).partition(lengths),
    )


def _signal(stream: Any, name: str, times_s: np.ndarray, values: np.ndarray) -> None:
    """A signal's axes and its norm."""
    import rerun

    for axis, own in zip(("x", "y", "z", "norm"), (*values.T, np.linalg.norm(values, axis=1)), strict=True):
        known = np.isfinite(own) & np.isfinite(times_s)
        stream.send_columns(
            f"{name}/{axis}",
            indexes=[rerun.TimeColumn(TIMELINE, duration=times_s[known])],
            columns=rerun.Scalars.columns(scalars=own[known]),
        )
