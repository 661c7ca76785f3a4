"""How much of a camera's sway is left once its own motion is taken out: real frames, moved by a sway that is known.

A hand-held phone is imitated: every frame of a real video is moved as a whole, by 12 % of a body's height at each of
0.3, 0.8 and 1.7 Hz, across and down, and in a second variant turned and zoomed as well. What is left is judged at
points of the body, in parts of the sway. Short videos are played forwards and backwards for long enough that the
slowest sway comes back. The borders are filled with the picture's mirror image, which moves along with it.

Part of `kinebind bench video`, on the two people of `pose2sim-videos`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.backend import Image
from kinebind.video.camera_motion import CameraMotion, apply, steady_from_image
from kinebind.video.frames import frames

SWAY_HZ = (0.3, 0.8, 1.7)
SWAY_SHARE = 0.12
"""Of the body's height, each of the sines, across and down."""
TURN_DEG = 1.0
"""Turn of the second variant, each of the sines."""
ZOOM_SHARE = 0.02
"""Zoom of the second variant, all sines together."""
_SIDE_PX = 1280
_MOST_FRAMES = 300  # of a video, kept in memory


@dataclass(frozen=True, eq=False)
class _Shots:
    """Frames of a video in turn, at even times. images: as many as there are; order (F,): which is shown when."""

    images: list[Image]
    order: list[int]
    time_s: FloatArray
    scale: float


def sway_residual(
    video_path: str | Path,
    points_px: FloatArray,
    people: Sequence[FloatArray] = (),
    *,
    turn_and_zoom: bool = False,
    duration_s: float = 6.0,
    rate_hz: float | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """What is left of a known sway, what is added to a still video, and what it costs.

    points_px (P, 2): points of a body, in the video's pixels; their height is the body's. people: boxes (4,) left,
    top, right, bottom in the same pixels that hold people in all frames, as a tracker would tell; may be empty.
    turn_and_zoom: the sway turns and zooms too. duration_s: of the sway. rate_hz: at most so many frames a second are
    taken, to imitate a slower camera. seed: of the phases.

    sway_residual: RMS distance of the points, taken out, from where they are without sway, over the RMS motion by the
    sway; over frames whose place is known. unknown: share of the other frames. still_px: RMS motion that is added to
    the video as it is, in its pixels: 0 where it was filmed from a tripod, else the camera's own motion. camera_ms:
    milliseconds a frame. sway_px: RMS motion by the sway.
    Raises InputError where the video cannot be read.
    """
    shots = _shots(Path(video_path), duration_s, rate_hz)
    points = np.asarray(points_px, dtype=np.float64) * shots.scale
    boxes = [np.asarray(b, dtype=np.float64) * shots.scale for b in people]
    height, width = shots.images[0].shape[:2]
    still, still_ms = _steady(shots, boxes, np.tile(np.eye(2, 3), (len(shots.order), 1, 1)))
    body_px = float(np.ptp(points[:, 1]))
    centre = np.array([width / 2.0, height / 2.0])
    sway = _sway(shots.time_s, body_px, centre, turn_and_zoom, np.random.default_rng(seed))
    maps, sway_ms = _steady(shots, boxes, sway)
    swayed = apply(sway, np.tile(points, (len(sway), 1, 1)))
    # The first frame is the steady picture: without sway, all points would stay where they are in it.
    left = apply(maps, swayed) - swayed[0]
    own = apply(still, np.tile(points, (len(sway), 1, 1))) - points
    known = np.isfinite(left).all(axis=(1, 2))
    sway_px = _rms(swayed - swayed.mean(axis=0))
    return {
        "sway_residual": _rms(left[known] - own[known]) / sway_px if known.any() else float("nan"),
        "unknown": float(1.0 - known.mean()),
        "still_px": _rms(own[np.isfinite(own).all(axis=(1, 2))]) / shots.scale,
        "camera_ms": 0.5 * (still_ms + sway_ms),
        "sway_px": sway_px / shots.scale,
    }


def _shots(path: Path, duration_s: float, rate_hz: float | None) -> _Shots:
    images: list[Image] = []
    times: list[float] = []
    scale = 1.0
    for frame in frames(path, max_side_px=_SIDE_PX):
        if rate_hz is not None and times and frame.time_s - times[-1] < 0.99 / rate_hz:
            continue
        images.append(frame.image)
        times.append(frame.time_s)
        scale = frame.scale
        if len(images) == _MOST_FRAMES or frame.time_s - times[0] >= duration_s:
            break
    if len(images) < 2:
        raise InputError(f"{path} has fewer than two frames.", "Name a longer video.")
    gap_s = float(np.median(np.diff(times)))
    count = max(2, round(duration_s / gap_s))
    last = len(images) - 1
    there_and_back = itertools.cycle([*range(last), *range(last, 0, -1)])
    order = list(itertools.islice(there_and_back, count))
    return _Shots(images, order, gap_s * np.arange(count, dtype=np.float64), scale)


def _sway(
    time_s: FloatArray, body_px: float, centre_px: FloatArray, turn_and_zoom: bool, rng: np.random.Generator
) -> FloatArray:
    """Maps (F, 2, 3) from the video's pixels to those of a camera that sways about the picture's middle."""

    def sines() -> FloatArray:
        phases = rng.uniform(0.0, 2.0 * np.pi, len(SWAY_HZ))
        total: FloatArray = np.sin(2.0 * np.pi * np.multiply.outer(time_s, SWAY_HZ) + phases).sum(axis=1)
        return total

    shift = SWAY_SHARE * body_px * np.stack([sines(), sines()], axis=1)
    turn = np.deg2rad(TURN_DEG) * sines() * turn_and_zoom
    zoom = 1.0 + ZOOM_SHARE / len(SWAY_HZ) * sines() * turn_and_zoom
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    linear = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    shift = centre_px - linear @ centre_px + shift
    maps: FloatArray = np.concatenate([linear, shift[:, :, None]], axis=2)
    return maps


def _steady(shots: _Shots, boxes: Sequence[FloatArray], sway: FloatArray) -> tuple[FloatArray, float]:
    """Maps to the steady picture, as they are estimated from moved frames, and milliseconds a frame."""
    camera = CameraMotion()
    steps, spent_s = [], 0.0
    height, width = shots.images[0].shape[:2]
    for number, time_s, one in zip(shots.order, shots.time_s, sway, strict=True):
        image = shots.images[number]
        if not np.array_equal(one, np.eye(2, 3)):
            moved = cv2.warpAffine(image, one, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            image = np.asarray(moved, dtype=np.uint8)
        around = [_moved_box(b, one) for b in boxes]
        start = time.thread_time()
        steps.append(camera.step(image, float(time_s), around))
        spent_s += time.thread_time() - start
    cut = np.zeros(len(steps), dtype=bool)
    return steady_from_image(steps, shots.time_s, cut, (width, height)), 1e3 * spent_s / len(steps)


def _moved_box(box: FloatArray, one: FloatArray) -> FloatArray:
    corners = apply(one, np.array([[box[0], box[1]], [box[2], box[1]], [box[0], box[3]], [box[2], box[3]]]))
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _rms(offsets: FloatArray) -> float:
    """RMS length of offsets (..., 2)."""
    return float(np.sqrt((offsets**2).sum(axis=-1).mean())) if offsets.size else float("nan")
