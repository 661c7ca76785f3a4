"""The camera's own motion, estimated from the background: pan, sway, turn and zoom of a phone held in the hand.

Points of the background are followed from a key frame, not from frame to frame, so that a camera which sways comes
back to where it was without drift. A new key frame is taken when little of the old one is left in view; the last few
are kept, for a camera that comes back. The motion is that of a similarity (shift, turn, zoom), by RANSAC, so that
what moves by itself is no part of it.

Parallax: what lies at another depth than most of the background moves otherwise when the camera is carried about. Of
a camera that travels only the motion of the background is taken out, not what the people's own nearness adds to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.video.backend import Image

Grey = npt.NDArray[np.uint8]
FloatPoints = npt.NDArray[np.float32]

STILL_SHARE = 0.0006
"""A camera that moves the picture by less than this, of its longer side, stands still: maps would only add noise.

Estimates of nine real videos from tripods are off by 0.0001 at most, with wind in the trees by 0.0004."""
STILL_WINDOW_S = 20.0
"""Over which a camera is asked whether it moved: slower drift is felt by nobody, and may be the estimates' own."""
FILL_S = 0.5

_SIDE_PX = 560  # about the longer side at which points are followed
_POINTS = 100
_APART_PX = 14
_GROWN = 0.12  # of a person's box, to each side: arms reach beyond the keypoints that were expected
_FEWEST = 12
_FITTING = 0.3  # share of the points that were followed which must agree on one motion
_KEEP_SHARE = 0.5
"""A key frame of which less than this share of the points is still found is replaced."""
_KEYS = 8
_BACK_PX = 0.5
_INLIER_PX = 1.0
_REFINED = 4
_TUKEY = 4.0  # medians of what is off, beyond which a point has no weight
_LEAST_OFF_PX = 0.05
_MOST_ZOOM = 3.0  # between a key frame and another: more is a wrong answer
_LOST_S = 0.5
"""After so long without an answer the picture is taken to be another one."""
_WINDOW = (11, 11)
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.02)

cv2.setNumThreads(1)


@dataclass(frozen=True, eq=False)
class Step:
    """Where a frame lies, all that has to be kept of it.

    key: number of the anchor that the frame could be related to, the first frame of a shot. from_key (2, 3): the
    similarity that maps the anchor's pixels to this frame's; NaN where it could not be told.
    """

    key: int
    from_key: FloatArray

    def scaled(self, factor: float) -> Step:
        """The same in pixels of which `factor` make up one of these."""
        if factor == 1.0:
            return self
        maps = self.from_key.copy()
        maps[:, 2] *= factor
        return replace(self, from_key=maps)


@dataclass(frozen=True, eq=False)
class _KeyFrame:
    """A frame that later ones are compared with. points (N, 1, 2): of its background; from_anchor (2, 3): as `Step`
    has it. Both in the small picture's pixels.
    """

    grey: Grey
    points: FloatPoints
    from_anchor: FloatArray


class CameraMotion:
    """Told frame after frame, says how the camera has moved."""

    def __init__(self) -> None:
        self._anchor = -1
        self._keys: list[_KeyFrame] = []  # of this anchor, the one in use last
        self._at = np.eye(2, 3)  # from the anchor to the last frame that is known, small pixels
        self._before: tuple[Grey, Sequence[FloatArray]] | None = None  # that frame and its people
        self._lost_s: float | None = None
        self._scale = 1.0

    def begin(self, image: Image, people: Sequence[FloatArray], step: Step | None = None) -> Step:
        """Take a frame as key frame: as a new anchor, or as one whose place is known from before.

        image (H, W, 3): RGB. people: boxes (4,) left, top, right, bottom in pixels that are no background. step: what
        was said of this very frame before a stop.
        """
        grey = self._small(image)
        return self._begun(grey, self._key_frame(grey, self._shrunk(people)), people, step)

    def step(self, image: Image, time_s: float, people: Sequence[FloatArray], *, cut: bool = False) -> Step:
        """Where a frame lies.

        image (H, W, 3): RGB, of one size until a cut. time_s: when it is shown. people: boxes as in `begin`. cut: it
        is of another shot.
        """
        if not self._keys or cut:
            return self.begin(image, people)
        grey = self._small(image)
        boxes = self._shrunk(people)
        if grey.shape != self._keys[-1].grey.shape:
            return self._begun(grey, self._key_frame(grey, boxes), people, None)
        found = self._place(grey, boxes)
        if found is None:
            self._lost_s = time_s if self._lost_s is None else self._lost_s
            if time_s - self._lost_s > _LOST_S:
                key = self._key_frame(grey, boxes)
                if key.points.shape[0] >= _FEWEST:
                    return self._begun(grey, key, people, None)
            return Step(self._anchor, np.full((2, 3), np.nan))
        self._at, share = found
        self._before, self._lost_s = (grey, boxes), None
        if share < _KEEP_SHARE:
            self._add(replace(self._key_frame(grey, boxes), from_anchor=self._at))
        return self._told()

    def _begun(self, grey: Grey, key: _KeyFrame, people: Sequence[FloatArray], step: Step | None) -> Step:
        """With a key frame as the only one."""
        if step is not None and np.isfinite(step.from_key).all():
            self._anchor, self._at = step.key, step.scaled(self._scale).from_key
        else:
            self._anchor = 1 + (self._anchor if step is None else max(step.key, self._anchor))
            self._at = np.eye(2, 3)
        self._keys = [replace(key, from_anchor=self._at)]
        self._before, self._lost_s = (grey, self._shrunk(people)), None
        return self._told()

    def _told(self) -> Step:
        return Step(self._anchor, self._at).scaled(1.0 / self._scale)

    def _add(self, key: _KeyFrame) -> None:
        self._keys = [*self._keys[1 - _KEYS :], key]

    def _place(self, grey: Grey, boxes: Sequence[FloatArray]) -> tuple[FloatArray, float] | None:
        """The map (2, 3) from the anchor to a frame, and the share of the key frame's points that agree."""
        best = _followed(self._keys[-1], grey, self._at, boxes)
        if best is not None and best[1] >= _KEEP_SHARE:
            return best
        # An older key frame may be in view again.
        guess = self._at if best is None else best[0]
        shares = [_share_in_view(k, guess) for k in self._keys[:-1]]
        if shares and max(shares) >= _KEEP_SHARE:
            number = int(np.argmax(shares))
            again = _followed(self._keys[number], grey, guess, boxes)
            if again is not None and (best is None or again[1] > best[1]):
                self._keys.append(self._keys.pop(number))
                best = again
        if best is None and self._before is not None and self._lost_s is None:
            # The key frame is too far away at once: the frame before this one is nearest.
            key = replace(self._key_frame(*self._before), from_anchor=self._at)
            best = _followed(key, grey, self._at, boxes)
            if best is not None:
                self._add(key)
        return best

    def _key_frame(self, grey: Grey, boxes: Sequence[FloatArray]) -> _KeyFrame:
        """A frame with points that can be followed, of its background."""
        mask = np.full(grey.shape, 255, dtype=np.uint8)
        for left, top, right, bottom in boxes:
            mask[max(0, int(top)) : max(0, int(bottom) + 1), max(0, int(left)) : max(0, int(right) + 1)] = 0
        found: npt.NDArray[Any] | None = cv2.goodFeaturesToTrack(grey, _POINTS, 0.01, _APART_PX, mask=mask)
        points = np.zeros((0, 1, 2), dtype=np.float32) if found is None else np.asarray(found, dtype=np.float32)
        return _KeyFrame(grey, points, np.eye(2, 3))

    def _small(self, image: Image) -> Grey:
        """A frame in grey, made smaller by a whole number, which is fast."""
        height, width = image.shape[:2]
        times = max(1, round(max(height, width) / _SIDE_PX))
        self._scale = 1.0 / times
        height, width = max(1, height // times), max(1, width // times)
        grey = cv2.cvtColor(image[: height * times, : width * times], cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _shrunk(self, people: Sequence[FloatArray]) -> list[FloatArray]:
        """Boxes in the small picture's pixels, grown."""
        grow = np.array([[1 + _GROWN, 0, -_GROWN, 0], [0, 1 + _GROWN, 0, -_GROWN]])
        grow = self._scale * np.vstack([grow, grow[:, [2, 3, 0, 1]]])
        return [grow @ box for box in people if np.isfinite(box).all()]


def _followed(
    key: _KeyFrame, grey: Grey, guess: FloatArray, boxes: Sequence[FloatArray]
) -> tuple[FloatArray, float] | None:
    """The map (2, 3) from the anchor to a frame, and the share of a key frame's points that agree; None if too few."""
    if key.points.shape[0] < _FEWEST:
        return None
    from_key = compose(guess, inverse(key.from_anchor))
    near = apply(from_key, key.points.astype(np.float64)).astype(np.float32)
    there, found = _flow(key.grey, grey, key.points, near, levels=3)
    back, again = _flow(grey, key.grey, there, key.points, levels=0)
    good = found & again & (np.linalg.norm(back - key.points, axis=2)[:, 0] < _BACK_PX)
    for left, top, right, bottom in boxes:
        x, y = there[:, 0, 0], there[:, 0, 1]
        good &= ~((x >= left) & (x <= right) & (y >= top) & (y <= bottom))
    if np.count_nonzero(good) < _FEWEST:
        return None
    matrix, inside = cv2.estimateAffinePartial2D(
        key.points[good], there[good], method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX, maxIters=500,
        confidence=0.995, refineIters=10,
    )  # fmt: skip
    if matrix is None or not np.isfinite(matrix).all():
        return None
    count = int(np.count_nonzero(inside))
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if count < max(_FEWEST, _FITTING * np.count_nonzero(good)) or not 1.0 / _MOST_ZOOM < zoom < _MOST_ZOOM:
        return None
    fit = inside[:, 0] == 1
    refined = _refined(key.points[good][fit, 0], there[good][fit, 0], np.asarray(matrix, dtype=np.float64))
    return compose(refined, key.from_anchor), count / key.points.shape[0]


def _refined(before: FloatPoints, after: FloatPoints, matrix: FloatArray) -> FloatArray:
    """The similarity (2, 3) between points (N, 2), by Tukey's weights: what is a little off pulls no more."""
    one, two = before @ np.array([1.0, 1.0j]), after @ np.array([1.0, 1.0j])
    turn, shift = complex(matrix[0, 0], matrix[1, 0]), complex(matrix[0, 2], matrix[1, 2])
    for _ in range(_REFINED):
        off = np.abs(turn * one + shift - two)
        weight = np.maximum(1.0 - (off / max(_TUKEY * float(np.median(off)), _LEAST_OFF_PX)) ** 2, 0.0) ** 2
        middle_one, middle_two = np.average(one, weights=weight), np.average(two, weights=weight)
        spread = np.sum(weight * np.abs(one - middle_one) ** 2)
        turn = complex(np.sum(weight * np.conj(one - middle_one) * (two - middle_two)) / spread)
        shift = complex(middle_two - turn * middle_one)
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _flow(
    before: Grey, after: Grey, points: FloatPoints, guess: FloatPoints, *, levels: int
) -> tuple[FloatPoints, npt.NDArray[np.bool_]]:
    """Where points (N, 1, 2) of one picture are in another, near a guess, and whether they were found (N,)."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, guess.copy(), winSize=_WINDOW, maxLevel=levels, criteria=_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    return np.asarray(there, dtype=np.float32), np.asarray(found[:, 0] == 1)


def _share_in_view(key: _KeyFrame, at: FloatArray) -> float:
    """The share of a key frame's points that should be in a frame which lies at a place."""
    if not key.points.shape[0]:
        return 0.0
    points = apply(compose(at, inverse(key.from_anchor)), key.points[:, 0].astype(np.float64))
    height, width = key.grey.shape
    return float(np.mean(((points > 0.0) & (points < [width, height])).all(axis=1)))


def steady_from_image(
    steps: Sequence[Step], time_s: FloatArray, cut: npt.NDArray[np.bool_], size_px: tuple[int, int]
) -> FloatArray:
    """Maps (F, 2, 3) of each frame's pixels to those of one steady picture, the first frame of its shot.

    time_s (F,): seconds. cut (F,): frames with which a new shot begins. size_px: width and height of the frames.
    A shot in which the camera never moves more than `STILL_SHARE`, as far as it can be told, gets exactly the identity
    throughout, so that a tripod adds no noise. Else frames whose place is not known are filled over less than
    `FILL_S`, and NaN where that is longer; behind such a gap the steady picture may be another.
    """
    maps = inverse(np.array([s.from_key for s in steps], dtype=np.float64).reshape(-1, 2, 3))
    keys = np.array([s.key for s in steps], dtype=np.int64)
    shots = np.cumsum(np.append(False, cut[1:])) if len(steps) else np.zeros(0, dtype=np.int64)
    for shot in np.unique(shots):
        groups = [np.flatnonzero((shots == shot) & (keys == key)) for key in np.unique(keys[shots == shot])]
        still = all(_still(maps[own], time_s[own], size_px) for own in groups)
        for own in groups:
            maps[own] = np.eye(2, 3) if still else _filled(maps[own], time_s[own])
    return maps


def _still(maps: FloatArray, time_s: FloatArray, size_px: tuple[int, int]) -> bool:
    """Whether a camera never moved the picture by more than estimates are off.

    In no half second may the median frame be away from where the picture is over `STILL_WINDOW_S`.
    """
    known = np.isfinite(maps).all(axis=(1, 2))
    maps, time_s = maps[known], time_s[known]
    width, height = size_px
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
    moved = apply(maps, np.broadcast_to(corners, (len(maps), 4, 2)))
    window = np.floor((time_s - time_s[:1]) / STILL_WINDOW_S)
    block = np.floor((time_s - time_s[:1]) / FILL_S)
    for number in np.unique(window):
        own = window == number
        away = np.linalg.norm(moved[own] - np.median(moved[own], axis=0), axis=2).max(axis=1)
        medians = [np.median(away[block[own] == b]) for b in np.unique(block[own])]
        if max(medians) > STILL_SHARE * max(size_px):
            return False
    return True


def _filled(maps: FloatArray, time_s: FloatArray) -> FloatArray:
    """Short stretches of NaN filled by lines; a similarity's numbers may be drawn through one by one."""
    known = np.isfinite(maps).all(axis=(1, 2))
    if known.all() or not known.any():
        return maps
    at, gap = np.flatnonzero(known), np.flatnonzero(~known)
    after = np.searchsorted(at, gap)
    inside = (after > 0) & (after < at.size)
    gap, a, b = gap[inside], at[after[inside] - 1], at[after[inside]]
    share = ((time_s[gap] - time_s[a]) / (time_s[b] - time_s[a]))[:, None, None]
    short = (time_s[b] - time_s[a] < FILL_S)[:, None, None]
    out: FloatArray = maps.copy()
    out[gap] = np.where(short, (1.0 - share) * maps[a] + share * maps[b], np.nan)
    return out


def apply(maps: FloatArray, points: FloatArray) -> FloatArray:
    """Points (..., 2) under one map (2, 3), or (T, ..., 2) under a map each (T, 2, 3); pixels."""
    if maps.ndim == 2:
        moved: FloatArray = points @ maps[:, :2].T + maps[:, 2]
        return moved
    shift = maps[:, :, 2].reshape(maps.shape[0], *[1] * (points.ndim - 2), 2)
    moved = np.einsum("tij,t...j->t...i", maps[:, :, :2], points) + shift
    return moved


def compose(second: FloatArray, first: FloatArray) -> FloatArray:
    """Maps (..., 2, 3) that do `first`, then `second`."""
    linear = second[..., :2] @ first[..., :2]
    shift = second[..., :2] @ first[..., 2:] + second[..., 2:]
    composed: FloatArray = np.concatenate([linear, shift], axis=-1)
    return composed


def inverse(maps: FloatArray) -> FloatArray:
    """Maps (..., 2, 3) the other way round; NaN where they are."""
    linear = np.full((*maps.shape[:-2], 2, 2), np.nan)
    known = np.isfinite(maps).all(axis=(-2, -1))
    linear[known] = np.linalg.inv(maps[known][..., :2])
    back: FloatArray = np.concatenate([linear, -linear @ maps[..., 2:]], axis=-1)
    return back


def between(before: Step, after: Step) -> FloatArray | None:
    """The map (2, 3) of one frame's pixels to a later one's; None where it is not known."""
    if before.key != after.key or not (np.isfinite(before.from_key).all() and np.isfinite(after.from_key).all()):
        return None
    return compose(after.from_key, inverse(before.from_key))
