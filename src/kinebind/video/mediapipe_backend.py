"""MediaPipe's pose landmarker, asked for each person around the place where that person is expected.

Its detector looks at 224 pixels of what it is given, so that in a whole picture people who are small or close to
others are missed. Each person who is followed is therefore looked for in a square of her own, and from time to time
everybody is in the whole picture and in overlapping squares of it. Who is not found where she should be, as she leans
far over or stands against the light, is looked for once more with the contrast evened and the picture turned. Frames
are looked at one by one: MediaPipe's own smoothing over time, which makes poses late, is off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np

from kinebind._cache import sha256_of
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.backend import Image, Seen
from kinebind.video.mediapipe_model import model_file, needs_mediapipe
from kinebind.video.oks import boxes_px, covered, each_once, no_parts, overlap, similarity

COCO_FROM_MEDIAPIPE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
"""MediaPipe's landmarks that are COCO's keypoints, in COCO's order."""
_AROUND = 1.4
"""Side of the square around a person in which she is looked for, in units of the longer side of her box."""
_AGAIN = ((1.8, 0, True), (1.8, 1, False), (1.8, 3, False), (2.6, 0, True))
"""How she is looked for where she was not found there: such a side, by how many quarters the picture is turned, and
whether its contrast is evened.
"""
_AT_PLACE = 0.3
"""Overlap, intersection over union, with where she should be of what may then be hers."""
_HIDDEN = 0.3
"""Share of where she should be that others cover, from which she is hidden."""
_SIDE_PX = 448
"""Squares larger than this are made smaller: the networks see 224 and 256 pixels of them."""
_SMALLEST_PX = 48
_VISIBLE = 0.5
"""A joint that is less likely than this to be in the picture and not hidden is not seen."""
_SAME_PERSON = 0.45
"""Similarity of two sets of keypoints above which they are of one person."""
_OVERLAP = 0.35
_ALL_PEOPLE = 6
"""How many people one look at the whole picture may find; those whom it misses are found in its squares."""
_TOO_FEW = 5
_TOO_SMALL_PX = 24
"""Fewer joints, or a body that is smaller than this, are a shadow's or a poster's."""


class MediaPipeBackend:
    """Poses by MediaPipe's Tasks; satisfies `kinebind.video.backend.PoseBackend`."""

    lag_s = 0.0
    """Single frames are looked at; `kinebind bench video` measures what remains (`pose_lag_ms`)."""

    def __init__(self, model: Path | None = None, *, threads: int = 2) -> None:
        """model: a .task bundle, or None for ours. Raises InputError where it, or MediaPipe, is not to be had."""
        needs_mediapipe()
        path = model_file(model)
        self.name = f"mediapipe-{sha256_of(path)[:12]}-4"
        self._one: SimpleQueue[Any] = SimpleQueue()
        self._all: Any = None
        with _silent():
            for _ in range(threads):
                self._one.put(_landmarker(path, people=2))
            self._all = _landmarker(path, people=_ALL_PEOPLE)
        self._threads = ThreadPoolExecutor(threads)

    def detect(self, image: Image, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """People in a frame; see `PoseBackend`."""
        squares = [_square_around(box, _AROUND) for box in around]
        found = list(self._threads.map(lambda square: self._one_of(image, square), squares))
        seen = [person for group in found for person in group]
        missing = [k for k, box in enumerate(around) if not _who_is_in(box, found[k]) and not _hidden(box, seen)]
        for k, more in self._again(image, {k: around[k] for k in missing}).items():
            found[k].append(more)
        seen = [person for group in found for person in group]
        expected = [person for box, group in zip(around, found, strict=True) for person in _who_is_in(box, group)]
        if search:
            whole_image = self._threads.submit(self._looked_at, self._all, image, _whole(image))
            everywhere = self._threads.map(lambda square: self._one_of(image, square), squares_of(image.shape[:2]))
            seen += [person for group in (whole_image.result(), *everywhere) for person in group]
        keypoints = _keypoints(seen)
        once = each_once(keypoints, _SAME_PERSON)
        # Who is followed may be half hidden; who is new is a person only where she is no part of somebody.
        alike = similarity(keypoints[once], _keypoints(expected)).max(axis=1, initial=0.0)
        whole = set(no_parts(keypoints[once]))
        return [seen[k] for n, k in enumerate(once) if n in whole or alike[n] > _SAME_PERSON]

    def close(self) -> None:
        """End the threads and MediaPipe's."""
        self._threads.shutdown()
        with _silent():
            while not self._one.empty():
                self._one.get().close()
            self._all.close()

    def _one_of(self, image: Image, square: FloatArray, *, quarters: int = 0, evened: bool = False) -> list[Seen]:
        """The same as `_looked_at`, by a landmarker that is free."""
        landmarker = self._one.get()
        try:
            return self._looked_at(landmarker, image, square, quarters=quarters, evened=evened)
        finally:
            self._one.put(landmarker)

    def _again(self, image: Image, boxes: Mapping[int, FloatArray]) -> dict[int, Seen]:
        """Who was not found in these boxes, by number, looked for in the other ways; two ways at a time for each."""
        out: dict[int, Seen] = {}
        for start in range(0, len(_AGAIN), 2):
            tries = [(k, way) for k in boxes if k not in out for way in _AGAIN[start : start + 2]]
            for (k, _), person in zip(
                tries, self._threads.map(lambda own: self._in(image, boxes, *own), tries), strict=True
            ):
                if person is not None:
                    out.setdefault(k, person)
        return out

    def _in(self, image: Image, boxes: Mapping[int, FloatArray], k: int, way: tuple[float, int, bool]) -> Seen | None:
        """Who is found in a box in one of the ways of `_AGAIN`."""
        side, quarters, evened = way
        people = self._one_of(image, _square_around(boxes[k], side), quarters=quarters, evened=evened)
        there = overlap(boxes[k][None], boxes_px(_keypoints(people)))[0]
        return people[int(there.argmax())] if there.max(initial=0.0) >= _AT_PLACE else None

    def _looked_at(
        self, landmarker: Any, image: Image, square: FloatArray, *, quarters: int = 0, evened: bool = False
    ) -> list[Seen]:
        """People in a square (left, top, side) of the image, which is turned by quarters, or its contrast evened."""
        import mediapipe

        left, top, side = square
        piece = _cut(image, square)
        if evened:
            piece = _evened(piece)
        piece = np.ascontiguousarray(np.rot90(piece, quarters))
        result = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=piece))
        people = []
        for points, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True):
            keypoints = np.array([[p.x, p.y, p.visibility] for p in points], dtype=np.float64)[COCO_FROM_MEDIAPIPE]
            world_m = np.array([[p.x, p.y, p.z] for p in world], dtype=np.float64)[COCO_FROM_MEDIAPIPE]
            keypoints[:, :2] = _turned(keypoints[:, :2] - 0.5, quarters) + 0.5
            world_m[:, :2] = _turned(world_m[:, :2], quarters)
            # Beyond the square nothing was seen, whatever is guessed.
            outside = (keypoints[:, :2] < 0.0).any(axis=1) | (keypoints[:, :2] > 1.0).any(axis=1)
            keypoints[:, :2] = keypoints[:, :2] * side + (left, top)
            height, width = image.shape[:2]
            outside |= (keypoints[:, :2] < 0.0).any(axis=1) | (keypoints[:, :2] > (width, height)).any(axis=1)
            keypoints[outside | (keypoints[:, 2] < _VISIBLE)] = np.nan
            box = boxes_px(keypoints[None])[0]
            large = max(box[2] - box[0], box[3] - box[1]) >= _TOO_SMALL_PX
            if large and np.isfinite(keypoints[:, 0]).sum() >= _TOO_FEW:
                people.append(Seen(keypoints, world_m))
        return people


def _who_is_in(box: FloatArray, people: Sequence[Seen]) -> list[Seen]:
    """Of the people found around a box, the one who was expected in it, if any."""
    shared = overlap(box[None], boxes_px(_keypoints(people)))[0]
    return [people[int(shared.argmax())]] if shared.max(initial=0.0) > 0.0 else []


def _hidden(box: FloatArray, others: Sequence[Seen]) -> bool:
    """Whether somebody who was found stands where a person was expected."""
    return bool(covered(box[None], boxes_px(_keypoints(others))).max(initial=0.0) > _HIDDEN)


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


def _keypoints(people: Sequence[Seen]) -> FloatArray:
    return np.array([p.keypoints for p in people]).reshape(-1, 17, 3)


def squares_of(shape: tuple[int, int]) -> list[FloatArray]:
    """Overlapping squares (left, top, side) that cover an image (height, width): as large as its shorter side where
    it is oblong, and half as large.
    """
    height, width = shape
    short = min(height, width)
    squares: list[FloatArray] = []
    for side in (short, 0.5 * short):
        if side == short and max(height, width) < 1.25 * short:
            continue
        for top in _starts(height, side):
            squares += [np.array([left, top, side]) for left in _starts(width, side)]
    return squares


def _starts(length: float, side: float) -> FloatArray:
    """Where pieces of a side begin that cover a length and overlap by a third or more."""
    count = max(1, int(np.ceil((length - side) / ((1.0 - _OVERLAP) * side) - 1e-9)) + 1)
    return np.linspace(0.0, length - side, count)


def _whole(image: Image) -> FloatArray:
    side = float(max(image.shape[:2]))
    return np.array([0.5 * (image.shape[1] - side), 0.5 * (image.shape[0] - side), side])


def _square_around(box: FloatArray, around: float) -> FloatArray:
    """The square (left, top, side) so many times as large as the box in which a person's keypoints lie."""
    side = max(around * float(max(box[2] - box[0], box[3] - box[1])), _SMALLEST_PX)
    return np.array([0.5 * (box[0] + box[2] - side), 0.5 * (box[1] + box[3] - side), side])


def _cut(image: Image, square: FloatArray) -> Image:
    """A square of an image as pixels, black beyond its edge, made smaller where it is large."""
    left, top, side = square
    height, width = image.shape[:2]
    inner_left, inner_top = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    inner_right, inner_bottom = min(width, int(np.ceil(left + side))), min(height, int(np.ceil(top + side)))
    scale = min(1.0, _SIDE_PX / side)
    pixels = max(1, round(side * scale))
    # Pixel centres lie at halves: x of the piece is (x of the image − left)·scale.
    if inner_right <= inner_left or inner_bottom <= inner_top:
        return np.zeros((pixels, pixels, 3), dtype=np.uint8)
    inner = image[inner_top:inner_bottom, inner_left:inner_right]
    if scale < 0.6:  # a plain warp would skip pixels
        size = (max(1, round(inner.shape[1] * scale)), max(1, round(inner.shape[0] * scale)))
        inner = np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        scale_x, scale_y = 1.0, 1.0
        shift = np.array([(inner_left - left) * scale, (inner_top - top) * scale])
    else:
        scale_x = scale_y = scale
        shift = np.array([(inner_left - left) * scale, (inner_top - top) * scale])
    matrix = np.array([[scale_x, 0.0, shift[0] + 0.5 * scale_x - 0.5], [0.0, scale_y, shift[1] + 0.5 * scale_y - 0.5]])
    return np.asarray(cv2.warpAffine(inner, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR), dtype=np.uint8)


def _landmarker(path: Path, *, people: int) -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=people,
    )
    try:
        return vision.PoseLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"MediaPipe cannot use the model {path}: {str(error).splitlines()[0]}",
            "Give another pose_landmarker .task file, or leave --pose-model out.",
        ) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
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
