"""Cuts: where a video goes on with another shot.

Two things must change at once: which colours are where, and what is where. The second is asked of blocks of a small
grey picture: within a shot, many of them are found again, all moved alike. A fast pan moves them far but alike; who
steps before the camera hides some of them; light and exposure change levels, not what correlates. A cut leaves none
but chance. A flash that bleaches the picture is waited for: is the old shot there behind it, nothing was cut.

A shot that fades into another over many frames is not found, nor one that leaves the camera where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.video.backend import Image

_SIDE_PX = 64  # of the small picture, the longer one
_BLOCK_PX = 12
_FAR_PX = 16  # a quarter of the picture in one frame: a pan of 180° a second, filmed with 10 frames a second
_ALIKE = 0.7
"""Correlation above which a block is found again. Blur and noise leave 0.8 and more, chance seldom reaches 0.7."""
_MOVED_ALIKE = 0.22
"""Share of the blocks that are found again, moved alike, below which a picture shows something else.

Nine real videos: within them, 0.84 and more at 10 frames a second; shifted by a fifth of the picture and blurred, 0.50;
with half of the picture hidden at once, 0.31. Cuts between them: 0.09 and less, by chance.
"""
_COLOURS = 0.9
"""Overlap of the blocks' colours above which nothing was cut. Real cuts, of one room too, leave 0.58 to 0.78."""
_SAME = 0.9
"""Correlation of the whole pictures above which no block needs to be asked."""
_FLAT = 3.0
"""Spread of the levels, of 255, below which a block shows nothing, and the picture less than twice that."""
_BLEACHED = 0.25
"""A flash makes so large a share of the picture white, or changes the mean level by that share of all levels."""
_BINS = 6  # of each colour channel
_ACROSS, _DOWN = 4, 3  # blocks whose colours are compared apart


@dataclass(frozen=True, eq=False)
class _Look:
    """What is kept of a frame. grey (h, w): small; colours (blocks, 3·bins): shares; white: share that is bleached."""

    grey: npt.NDArray[np.float32]
    colours: FloatArray
    white: float

    @property
    def blank(self) -> bool:
        return float(self.grey.std()) < 2.0 * _FLAT


class CutFinder:
    """Told frame after frame, says where a new shot begins."""

    def __init__(self) -> None:
        self._before: _Look | None = None
        self._flash: _Look | None = None  # a frame that may be a flash, or the first of a bright shot

    def step(self, image: Image) -> bool:
        """Whether a frame (H, W, 3), RGB, belongs to another shot than the one before it; False for the first.

        A cut to a shot that is much brighter is told one frame late, as it may be a flash; one that passes through
        black, with the first frame that shows something.
        """
        now = _look(image)
        if now.blank:
            return False  # what comes behind it is compared with what was before
        if self._before is None or self._before.grey.shape != now.grey.shape:
            cut = self._before is not None
        elif not _other(self._before, now):
            cut = False
        elif _bleached(self._before, now) and (self._flash is None or _other(self._flash, now)):
            self._flash = now
            return False
        else:
            cut = True
        self._before, self._flash = now, None
        return cut


def _look(image: Image) -> _Look:
    height, width = image.shape[:2]
    every = max(1, max(height, width) // (4 * _SIDE_PX))  # pixels are left out first, which is fast
    scale = _SIDE_PX / max(height, width)
    size = (max(_BLOCK_PX, round(scale * width)), max(_BLOCK_PX, round(scale * height)))
    thin = np.ascontiguousarray(image[::every, ::every])
    small = np.asarray(cv2.resize(thin, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.float32)
    return _Look(grey, _colours(small), float(np.mean(grey > 245.0)))


def _colours(small: Image) -> FloatArray:
    """(blocks, 3·bins) shares of each block's pixels by the level of each channel, with the mean brightness taken out.

    Exposure that changes shifts all levels together and is no cut.
    """
    plain = small.astype(np.float32)
    plain += 128.0 - plain.mean()
    level = np.clip(plain * (_BINS / 256.0), 0, _BINS - 1).astype(np.int64)
    height, width = level.shape[:2]
    block = (_DOWN * np.arange(height) // height)[:, None] * _ACROSS + _ACROSS * np.arange(width) // width
    number = (block[:, :, None] * 3 + np.arange(3)) * _BINS + level
    counts = np.bincount(number.ravel(), minlength=_ACROSS * _DOWN * 3 * _BINS).reshape(_ACROSS * _DOWN, -1)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), dtype=np.float64)


def _other(before: _Look, now: _Look) -> bool:
    """Whether a frame shows something else than another."""
    if _correlation(before.grey, now.grey) > _SAME:
        return False
    alike = float(np.minimum(before.colours, now.colours).sum(axis=1).mean())
    return alike < _COLOURS and moved_alike(before.grey, now.grey) < _MOVED_ALIKE


def _bleached(before: _Look, now: _Look) -> bool:
    """Whether a frame may be a flash."""
    brighter = float(now.grey.mean() - before.grey.mean()) / 255.0
    return now.white - before.white > _BLEACHED or brighter > _BLEACHED


def _correlation(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / scale if scale > 1e-9 else 0.0


def moved_alike(before: npt.NDArray[np.float32], now: npt.NDArray[np.float32]) -> float:
    """Share of the blocks of a grey picture (h, w) that another shows too, all moved by about the same; 1 if flat."""
    around = cv2.copyMakeBorder(now, _FAR_PX, _FAR_PX, _FAR_PX, _FAR_PX, cv2.BORDER_CONSTANT, value=float(now.mean()))
    height, width = before.shape
    found = np.zeros((2 * _FAR_PX + 1, 2 * _FAR_PX + 1))
    count = 0
    for top in _starts(height):
        for left in _starts(width):
            block = before[top : top + _BLOCK_PX, left : left + _BLOCK_PX]
            if float(block.std()) < _FLAT:
                continue
            reach = _BLOCK_PX + 2 * _FAR_PX
            alike = cv2.matchTemplate(around[top : top + reach, left : left + reach], block, cv2.TM_CCOEFF_NORMED)
            # Turn and zoom move blocks a little differently.
            found += cv2.dilate(np.asarray(alike, dtype=np.float32), np.ones((3, 3), np.uint8)) > _ALIKE
            count += 1
    return float(found.max()) / count if count else 1.0


def _starts(length: int) -> npt.NDArray[np.int64]:
    """Where blocks begin that cover a length, a third over each other."""
    count = max(1, round(1.5 * length / _BLOCK_PX - 0.5))
    return np.linspace(0, length - _BLOCK_PX, count).astype(np.int64)
