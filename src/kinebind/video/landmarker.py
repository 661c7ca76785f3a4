"""MediaPipe's pose landmarker, on squares of images: each by itself, or one person from frame to frame."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.backend import Image, Seen
from kinebind.video.oks import boxes_px
from kinebind.video.squares import cut

COCO_FROM_MEDIAPIPE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
"""MediaPipe's landmarks that are COCO's keypoints, in COCO's order."""
_VISIBLE = 0.5
"""A joint that is less likely than this to be in the picture and not hidden is not seen."""
_TOO_FEW = 5
_TOO_SMALL_PX = 24
"""Fewer joints, or a body that is smaller than this, are a shadow's or a poster's."""
_STEP_MS = 10**8
"""Told between two frames of one person: MediaPipe smooths over time, which makes poses late, and over so long a time
it leaves them as they are.
"""
_KEPT = 0.9
"""Share of the visibility before that MediaPipe keeps, whatever the time between."""
_NOTHING = np.zeros((64, 64, 3), dtype=np.uint8)


class Landmarker:
    """Looks at one square after the other, each by itself.

    people: how many one look may find. Raises InputError where MediaPipe cannot use the model, a .task file.
    """

    def __init__(self, model: Path, *, people: int) -> None:
        self._own = _landmarker(model, people=people, follows=False)

    def look(self, image: Image, square: FloatArray, *, quarters: int = 0, evened: bool = False) -> list[Seen]:
        """People in a square (left, top, side) of the image, which is turned by quarters, or its contrast evened."""
        piece = cut(image, square)
        if evened:
            piece = _evened(piece)
        piece = np.ascontiguousarray(np.rot90(piece, quarters))
        result = self._own.detect(_mediapipe_image(piece))
        points = [_array(own) for own in result.pose_landmarks]
        world = [_array(own) for own in result.pose_world_landmarks]
        return _people(points, world, image, square, quarters)

    def close(self) -> None:
        """End it."""
        self._own.close()


class Follower:
    """Looks at one person from frame to frame: a network looks where her body was in the square before, so that the
    one that finds bodies, which takes half of the time, is asked where she was lost alone.

    Squares have to move and grow with her. Raises InputError where MediaPipe cannot use the model, a .task file.
    """

    def __init__(self, model: Path) -> None:
        self._own = _landmarker(model, people=1, follows=True)
        self._told_ms = 0
        self._visible: FloatArray | None = None
        self._fresh = True

    def look(self, image: Image, square: FloatArray) -> Seen | None:
        """The person in a square (left, top, side) of the next frame."""
        piece, lost = cut(image, square), self._fresh
        result = self._next(piece)
        if not (result.pose_landmarks or lost):
            result = self._next(piece)  # which finds her anew
        self._fresh = not result.pose_landmarks
        if self._fresh:
            return None
        points = _array(result.pose_landmarks[0])
        told = points[:, 2].copy()
        if self._visible is not None:
            points[:, 2] = np.clip((told - _KEPT * self._visible) / (1.0 - _KEPT), 0.0, 1.0)
        self._visible = told
        people = _people([points], [_array(result.pose_world_landmarks[0])], image, square, 0)
        return people[0] if people else None

    def forget(self) -> None:
        """Whoever is looked at next is somebody else."""
        if not self._fresh:
            self._next(_NOTHING)
        self._fresh = True

    def close(self) -> None:
        """End it."""
        self._own.close()

    def _next(self, piece: Image) -> Any:
        self._told_ms += _STEP_MS
        return self._own.detect_for_video(_mediapipe_image(piece), self._told_ms)


def _array(points: Any) -> FloatArray:
    """(33, 4): x, y, visibility, z."""
    return np.array([[p.x, p.y, p.visibility, p.z] for p in points], dtype=np.float64)


def _people(
    points: list[FloatArray], world: list[FloatArray], image: Image, square: FloatArray, quarters: int
) -> list[Seen]:
    """Who was found in a square that was turned by quarters, in the image; landmarks (33, 4) of each."""
    left, top, side = square
    height, width = image.shape[:2]
    people = []
    for own, own_world in zip(points, world, strict=True):
        keypoints = own[COCO_FROM_MEDIAPIPE, :3]
        world_m = own_world[COCO_FROM_MEDIAPIPE][:, [0, 1, 3]]
        keypoints[:, :2] = _turned(keypoints[:, :2] - 0.5, quarters) + 0.5
        world_m[:, :2] = _turned(world_m[:, :2], quarters)
        # Beyond the square nothing was seen, whatever is guessed.
        outside = (keypoints[:, :2] < 0.0).any(axis=1) | (keypoints[:, :2] > 1.0).any(axis=1)
        keypoints[:, :2] = keypoints[:, :2] * side + (left, top)
        outside |= (keypoints[:, :2] < 0.0).any(axis=1) | (keypoints[:, :2] > (width, height)).any(axis=1)
        keypoints[outside | (keypoints[:, 2] < _VISIBLE)] = np.nan
        box = boxes_px(keypoints[None])[0]
        large = max(box[2] - box[0], box[3] - box[1]) >= _TOO_SMALL_PX
        if large and np.isfinite(keypoints[:, 0]).sum() >= _TOO_FEW:
            people.append(Seen(keypoints, world_m))
    return people


def _turned(xy: FloatArray, quarters: int) -> FloatArray:
    """Points (..., 2) of an image that `np.rot90` turned by quarters, about its middle, as they lie in the image."""
    for _ in range(quarters):
        xy = np.stack([-xy[..., 1], xy[..., 0]], axis=-1)
    return xy


def _evened(image: Image) -> Image:
    """An image whose lightness is evened out piece by piece."""
    parts = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    parts[..., 0] = cv2.createCLAHE(2.0, (8, 8)).apply(parts[..., 0])
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_LAB2RGB), dtype=np.uint8)


def _mediapipe_image(piece: Image) -> Any:
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=piece)


def _landmarker(model: Path, *, people: int, follows: bool) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=vision.RunningMode.VIDEO if follows else vision.RunningMode.IMAGE,
        num_poses=people,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"MediaPipe cannot use the model {model}: {str(error).splitlines()[0]}",
            "Give another pose_landmarker .task file, or leave --pose-model out.",
        ) from error


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """MediaPipe's own log, which no setting turns off, is not shown."""
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
