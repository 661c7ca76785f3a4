"""The camera's own motion, estimated from the background: pan, sway, turn and zoom of a phone held in the hand.

Points of the background are followed from a key frame, not from frame to frame, so that a camera which sways comes
back to where it was without drift; a new key frame is taken when little of the old one is left in view. The motion is
that of a similarity (shift, turn, zoom), by RANSAC, so that what moves by itself is no part of it. What lies at
another depth than most of the background moves otherwise when the camera is carried about: of a camera that travels,
only the motion of the background is taken out, not what the people's own nearness adds to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.video.backend import Image

_SIDE_PX = 512
_POINTS = 240
_APART_PX = 8
_GROWN = 0.12  # of a person's box, to each side: arms reach beyond the keypoints that were expected
_FEWEST = 12
_KEEP_SHARE = 0.5
"""A key frame of which less than this share of the points is still found is replaced."""
_BACK_PX = 0.7
_INLIER_PX = 1.0
_LOST_S = 0.5
"""After so long without an answer the picture is taken to be another one."""
_LK = {
    "winSize": (21, 21), "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005),
}  # fmt: skip

STILL_SHARE = 0.0015
"""A camera that moves the picture by less than this, of its longer side, stands still: no maps are better than noise."""
FILL_S = 0.5

cv2.setNumThreads(1)


@dataclass(frozen=True, eq=False)
class Step:
    """Where a frame lies. key: number of the anchor frame that it could be related to. from_key (2, 3): the
    similarity that maps the anchor's pixels to this frame's; NaN where it could not be told.
    """

    key: int
    from_key: FloatArray

    def scaled(self, factor: float) -> Step:
        """The same in pixels that are so many times as small."""
        if factor == 1.0:
            return self
        maps = self.from_key.copy()
        maps[:, 2] *= factor
        return replace(self, from_key=maps)


class CameraMotion:
    """Told frame after frame, says how the camera has moved."""

    def __init__(self) -> None:
        self._key = -1
        self._grey: npt.NDArray[np.uint8] | None = None
        self._points: npt.NDArray[np.float32] = np.zeros((0, 1, 2), dtype=np.float32)
        self._start = np.eye(2, 3)  # from the anchor to the key frame, small pixels
        self._last = np.eye(2, 3)  # from the key frame to the last frame
        self._lost_s: float | None = None
        self._scale = 1.0

    def begin(self, image: Image, people: Sequence[FloatArray], step: Step | None = None) -> Step:
        """Take a frame as key frame: as a new anchor, or as one whose place is known from before.

        people: boxes (4,) left, top, right, bottom in pixels that are no background.
        """
        grey = self._small(image)
        known = step is not None and bool(np.isfinite(step.from_key).all())
        self._key = step.key if step is not None and known else self._key + 1
        self._start = step.scaled(self._scale).from_key if step is not None and known else np.eye(2, 3)
        self._take(grey, people)
        return Step(self._key, self._start).scaled(1.0 / self._scale)

    def step(self, image: Image, time_s: float, people: Sequence[FloatArray], *, cut: bool = False) -> Step:
        """Where a frame lies. time_s: when it is shown. people: boxes as in `begin`. cut: it is of another shot."""
        if self._grey is None or cut:
            return self.begin(image, people)
        grey = self._small(image)
        found = self._followed(grey, people)
        if found is None:
            self._lost_s = time_s if self._lost_s is None else self._lost_s
            if time_s - self._lost_s > _LOST_S:
                return self.begin(image, people)
            return Step(self._key, np.full((2, 3), np.nan))
        self._lost_s = None
        self._last, share = found
        whole = _composed(self._last, self._start)
        if share < _KEEP_SHARE:
            self._start = whole
            self._take(grey, people)
        return Step(self._key, whole).scaled(1.0 / self._scale)

    def _take(self, grey: npt.NDArray[np.uint8], people: Sequence[FloatArray]) -> None:
        """Make a frame the key frame."""
        mask = np.full(grey.shape, 255, dtype=np.uint8)
        for box in people:
            left, top, right, bottom = _grown(box * self._scale)
            mask[max(0, int(top)) : max(0, int(bottom) + 1), max(0, int(left)) : max(0, int(right) + 1)] = 0
        points = cv2.goodFeaturesToTrack(grey, _POINTS, 0.01, _APART_PX, mask=mask)
        self._points = np.zeros((0, 1, 2), dtype=np.float32) if points is None else np.asarray(points, np.float32)
        self._grey, self._last, self._lost_s = grey, np.eye(2, 3), None

    def _followed(
        self, grey: npt.NDArray[np.uint8], people: Sequence[FloatArray]
    ) -> tuple[FloatArray, float] | None:
        """The map from the key frame to a frame, and the share of its points that fit; None where it is not known."""
        if self._points.shape[0] < _FEWEST or self._grey is None:
            return None
        guess = apply(self._last, self._points.astype(np.float64)).astype(np.float32)
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            self._grey, grey, self._points, guess.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **_LK
        )  # type: ignore[call-overload]
        back, again, _ = cv2.calcOpticalFlowPyrLK(
            grey, self._grey, there, self._points.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **_LK
        )  # type: ignore[call-overload]
        good = (found[:, 0] == 1) & (again[:, 0] == 1)
        good &= np.linalg.norm(back - self._points, axis=2)[:, 0] < _BACK_PX
        for box in people:
            left, top, right, bottom = _grown(box * self._scale)
            x, y = there[:, 0, 0], there[:, 0, 1]
            good &= ~((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
        if np.count_nonzero(good) < _FEWEST:
            return None
        matrix, inside = cv2.estimateAffinePartial2D(
            self._points[good], there[good], method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX, maxIters=500,
            confidence=0.995, refineIters=10,
        )  # fmt: skip
        count = 0 if inside is None else int(np.count_nonzero(inside))
        if matrix is None or count < max(_FEWEST, 0.3 * np.count_nonzero(good)):
            return None
        return np.asarray(matrix, dtype=np.float64), count / self._points.shape[0]

    def _small(self, image: Image) -> npt.NDArray[np.uint8]:
        height, width = image.shape[:2]
        self._scale = min(1.0, _SIDE_PX / max(height, width))
        size = (max(1, round(width * self._scale)), max(1, round(height * self._scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def steady_from_image(
    steps: Sequence[Step], time_s: FloatArray, cut: npt.NDArray[np.bool_], size_px: tuple[int, int]
) -> FloatArray:
    """Maps (F, 2, 3) of each frame's pixels to those of one steady picture, the anchor of its shot.

    time_s (F,): seconds. cut (F,): frames with which a new shot begins. size_px: width and height of the frames. Where
    the camera stands still, exactly the identity. Frames whose place is not known are filled over `FILL_S` seconds,
    else NaN.
    """
    maps = np.array([_inverse(s.from_key) for s in steps]).reshape(-1, 2, 3)
    keys = np.array([s.key for s in steps], dtype=np.int64)
    group = np.cumsum(np.append(True, (np.diff(keys) != 0) | cut[1:])) if len(steps) else np.zeros(0, dtype=int)
    for number in np.unique(group):
        own = np.flatnonzero(group == number)
        if _still(maps[own], size_px):
            maps[own] = np.eye(2, 3)
        else:
            maps[own] = _filled(maps[own], time_s[own])
    return maps


def _still(maps: FloatArray, size_px: tuple[int, int]) -> bool:
    """Whether a camera never moved the picture by more than estimates are off."""
    width, height = size_px
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height], [width / 2, height / 2]], dtype=np.float64)
    known = maps[np.isfinite(maps).all(axis=(1, 2))]
    if not known.shape[0]:
        return True  # nothing is known of any motion
    moved = np.array([apply(m, corners) for m in known])
    away = np.linalg.norm(moved - np.median(moved, axis=0), axis=2).max(axis=1)
    return bool(np.quantile(away, 0.98) <= STILL_SHARE * max(size_px))


def _filled(maps: FloatArray, time_s: FloatArray) -> FloatArray:
    """Short stretches of NaN filled by lines; a similarity's numbers may be drawn through one by one."""
    known = np.isfinite(maps).all(axis=(1, 2))
    if known.all() or not known.any():
        return maps
    at = np.flatnonzero(known)
    out = maps.copy()
    for k in np.flatnonzero(~known):
        after = np.searchsorted(at, k)
        if 0 < after < at.size and time_s[at[after]] - time_s[at[after - 1]] <= FILL_S:
            a, b = at[after - 1], at[after]
            share = (time_s[k] - time_s[a]) / (time_s[b] - time_s[a])
            out[k] = (1.0 - share) * maps[a] + share * maps[b]
    return out


def apply(maps: FloatArray, points: FloatArray) -> FloatArray:
    """Points (..., 2) or (T, ..., 2) under one map (2, 3) or a map each (T, 2, 3)."""
    if maps.ndim == 2:
        return np.asarray(points @ maps[:, :2].T + maps[:, 2])
    shift = maps[:, :, 2].reshape(maps.shape[0], *[1] * (points.ndim - 2), 2)
    return np.asarray(np.einsum("tij,t...j->t...i", maps[:, :, :2], points) + shift)


def _composed(second: FloatArray, first: FloatArray) -> FloatArray:
    """The map that does `first`, then `second`."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def _inverse(one: FloatArray) -> FloatArray:
    if not np.isfinite(one).all():
        return np.full((2, 3), np.nan)
    linear = np.linalg.inv(one[:, :2])
    return np.column_stack([linear, -linear @ one[:, 2]])


def _grown(box: FloatArray) -> FloatArray:
    extra = _GROWN * np.array([box[2] - box[0], box[3] - box[1]])
    return np.concatenate([box[:2] - extra, box[2:] + extra])


def between(before: Step, after: Step) -> FloatArray | None:
    """The map (2, 3) of one frame's pixels to a later one's; None where it is not known."""
    if before.key != after.key or not (np.isfinite(before.from_key).all() and np.isfinite(after.from_key).all()):
        return None
    return _composed(after.from_key, _inverse(before.from_key))
