"""The benchmark of videos, `kinebind bench video`: real ones, and what is made of them; no test set is opened.

Of `pose2sim-videos` and `sports2d-video`, and of simulated people. What each figure is, its own module says:
`video_real`, `video_lag`, `video_speed`, `video_tracking`, `video_camera`, `video_align` and `video_lifted`.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np

from kinebind.bench import video_align, video_lag, video_lifted, video_real, video_speed, video_tracking
from kinebind.bench.measured import Cases, figures
from kinebind.bench.video_camera import sway_residual
from kinebind.clock import FloatArray
from kinebind.video.mediapipe_backend import MediaPipeBackend

log = logging.getLogger(__name__)

_CLIPS = 6
_PEOPLE = (2, 4, 6, 8)
_SHORT_S = 60.0
_SWAYING = 2  # cameras: one takes minutes


def run(data: Path, *, small: bool) -> dict[str, float]:
    """All figures, flat. small: fewer simulated people and a short recording."""
    two = data / "pose2sim-videos" / "Demo_MultiPerson"
    one = _one(data)
    athlete = data / "sports2d-video" / "Demo" / "demo.mp4"
    out: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        # First what is timed.
        log.info("Speed")
        out |= video_speed.speed(one, place) | video_speed.speed(athlete, place, "_two")
        log.info("A recording of ten minutes")
        out |= video_align.align_figures(place, duration_s=_SHORT_S if small else video_align.DURATION_S)
        backend = MediaPipeBackend()
        try:
            log.info("Real people before four cameras, and one alone")
            found = video_real.filmed(two, backend)
            out |= video_real.figures_of(found) | video_lifted.lifted_figures(found)
            out |= video_align.real_two(found, place / "two")
            out |= video_real.athlete(athlete, backend)
            log.info("Delay of the poses")
            out |= video_lag.pose_lag(athlete, backend, place)
        finally:
            backend.close()
        log.info("Sway")
        out |= _sway(found)
    log.info("Simulated people who cross")
    return out | video_tracking.run(clips=2 if small else _CLIPS, people=(2, 8) if small else _PEOPLE)


def memory(data: Path, *, small: bool) -> dict[str, float]:
    """The memory that a long video takes. small: a minute's, not an hour's."""
    with tempfile.TemporaryDirectory() as made:
        return video_speed.memory(_one(data), Path(made), hour=not small)


def _one(data: Path) -> Path:
    return data / "pose2sim-videos" / "Demo_SinglePerson" / "videos" / "cam01.mp4"


def _sway(found: video_real.Filmed) -> dict[str, float]:
    """`sway_residual` over cameras, without and with turning and zooming, and the motion added to still videos."""
    left: dict[str, list[float]] = {"sway_residual": [], "sway_turned_residual": [], "still_px": [], "camera_ms": []}
    for video in found.videos[:_SWAYING]:
        boxes = [_box(person.keypoints_px) for person in video.people]
        longest = max(video.people, key=lambda p: p.time_s.size)
        known = np.isfinite(longest.keypoints_px[..., 0]).all(axis=1)
        body = longest.keypoints_px[int(np.argmax(known))]
        body = body[np.isfinite(body[:, 0])]
        for name, turned in (("sway_residual", False), ("sway_turned_residual", True)):
            one = sway_residual(video.info.path, body, boxes, turn_and_zoom=turned)
            left[name].append(one["sway_residual"])
            left["camera_ms"].append(one["camera_ms"])
        left["still_px"].append(one["still_px"])
    return figures({key: Cases(np.array(values), less_is_better=True) for key, values in left.items()})


def _box(keypoints_px: FloatArray) -> FloatArray:
    """(4,): left, top, right, bottom of keypoints (T, 17, 2) of all frames."""
    flat = keypoints_px[np.isfinite(keypoints_px[..., 0])]
    return np.concatenate([flat.min(axis=0), flat.max(axis=0)])
