"""An aligned recording as a Rerun file: video, skeletons and signals on one timeline, the video's."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.output.aligned import sensors_of, video_times
from kinebind.parts import COCO17_EDGES
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.resample import default_max_gap_s
from kinebind.store import written_whole
from kinebind.tasks.sync.result import SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult

log = logging.getLogger(__name__)

TIMELINE = "video_time"


def needs_rerun() -> None:
    """Raises InputError where Rerun is not installed."""
    if find_spec("rerun") is None:
        raise InputError("Files of Rerun need its package, not installed here.", "pip install 'kinebind[rerun]'")


def write_rerun(
    recording: Recording,
    result: SyncResult,
    path: Path,
    video: Path | None = None,
    located: LocateResult | None = None,
) -> Path:
    """Write an .rrd, whole or not at all: `video`, `video/people/NAME`, `sensors/NAME/acc/x` (m/s²), `…/norm`,
    `…/gyr/x` (rad/s), each on the timeline `video_time`, seconds of the video's clock.

    The video lies in the file; one in a container that Rerun cannot show (it takes .mp4) is left out with a warning.
    Sensors whose clock was refused are left out, and so are samples of pieces that were. What is missing is left out,
    never zero; a person who is not seen for a while vanishes.
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
        for sensor in sensors_of(recording, result, located):
            if sensor.answer.answered:
                imu, (times_s, _) = sensor.imu, video_times(sensor.imu.time_s, sensor.answer)
                _signal(stream, ["sensors", imu.name, "acc"], times_s, imu.acc_sensor)
                if imu.gyr_sensor is not None:
                    _signal(stream, ["sensors", imu.name, "gyr"], times_s, imu.gyr_sensor)
        stream.flush()
        stream.disconnect()
    return path


def _video(stream: Any, video: Path) -> None:
    """The video, a frame at each of its times."""
    import rerun

    try:
        asset = rerun.AssetVideo(path=video)
        own_ns = np.asarray(asset.read_frame_timestamps_nanos())
    except (RuntimeError, ValueError) as error:
        log.warning("%s is left out of the Rerun file, which cannot show it: %s.", video.name, str(error).rstrip("."))
        return
    stream.log("video", asset, static=True)
    stream.send_columns(
        "video",
        indexes=[rerun.TimeColumn(TIMELINE, duration=1e-9 * own_ns + _first_frame_s(video))],
        columns=rerun.VideoFrameReference.columns_nanos(own_ns),
    )


def _first_frame_s(video: Path) -> float:
    """When a video's first frame is shown, seconds, which Rerun calls 0; 0 where the extra `video` is missing."""
    if find_spec("av") is None or find_spec("cv2") is None:
        return 0.0
    from kinebind.video.frames import frames

    return next((frame.time_s for frame in frames(video, max_side_px=64)), 0.0)


def _person(stream: Any, person: Poses) -> None:
    """Lines between joints that are both seen, of every frame; none once frames are lacking."""
    import rerun

    lines = person.keypoints_px[:, np.array(COCO17_EDGES)]  # (T, E, 2, 2)
    seen = np.isfinite(lines).all(axis=(2, 3))
    gap_s = default_max_gap_s(person.time_s)
    last = np.append(np.diff(person.time_s) > gap_s, True)
    time_s = np.concatenate([person.time_s, person.time_s[last] + gap_s])
    lengths = np.concatenate([seen.sum(axis=1), np.zeros(last.sum(), dtype=int)])
    order = np.argsort(time_s, kind="stable")
    stream.send_columns(
        rerun.new_entity_path(["video", "people", person.person]),
        indexes=[rerun.TimeColumn(TIMELINE, duration=time_s[order])],
        columns=rerun.LineStrips2D.columns(strips=lines[seen]).partition(lengths[order]),
    )


def _signal(stream: Any, place: list[str], times_s: FloatArray, values: FloatArray) -> None:
    """A signal's axes (T, 3) and its norm, at video times (T,)."""
    import rerun

    for axis, own in zip(("x", "y", "z", "norm"), (*values.T, np.linalg.norm(values, axis=1)), strict=True):
        known = np.isfinite(own) & np.isfinite(times_s)
        stream.send_columns(
            rerun.new_entity_path([*place, axis]),
            indexes=[rerun.TimeColumn(TIMELINE, duration=times_s[known])],
            columns=rerun.Scalars.columns(scalars=own[known]),
        )
