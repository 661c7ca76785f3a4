"""Cuts: where a video goes on with another shot.

Two things must change at once, and stay changed: which colours are where, and where edges are. A flash changes the
first and comes back; somebody who steps before the camera changes a part of both; a fast pan changes both a little
from frame to frame. After a cut neither fits what was there before.
"""

from __future__ import annotations

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.video.backend import Image

_SIZE = (64, 48)  # width and height at which frames are compared
_BLOCKS = (4, 3)  # across and down, whose colours are compared apart
_BINS = 6  # of each colour channel
_COLOUR = 0.35
"""Mean overlap of the blocks' colours below which the colours are others; within a shot it seldom falls under 0.7."""
_EDGES = 0.25
"""Correlation of the edges' pictures below which they are others; the best over small shifts, as in a pan."""
_BLANK = 8.0
"""Spread of the levels, of 255, below which a picture shows nothing."""
_SHIFTS = range(-6, 7, 2)  # pixels of the small picture


class CutFinder:
    """Told frame after frame, says where a new shot begins."""

    def __init__(self) -> None:
        self._before: tuple[FloatArray, FloatArray] | None = None

    def step(self, image: Image) -> bool:
        """Whether a frame belongs to another shot than the one before it; False for the first."""
        small: Image = np.asarray(cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        if float(small.std()) < _BLANK:
            return False  # a flash, or black: what comes behind it is compared with what was before
        now = _colours(small), _edges(small)
        before, self._before = self._before, now
        if before is None:
            return False
        alike = float(np.minimum(before[0], now[0]).sum(axis=1).mean())
        return alike < _COLOUR and _correlation(before[1], now[1]) < _EDGES


def _colours(small: Image) -> FloatArray:
    """(blocks, 3·bins) shares of each block's pixels by the level of each channel, with the mean brightness taken out.

    Exposure that changes shifts all levels together and is no cut.
    """
    plain = small.astype(np.float64)
    plain = np.clip(plain - plain.mean() + 128.0, 0.0, 255.0)
    level = np.minimum(plain * _BINS / 256.0, _BINS - 1).astype(int)
    across, down = _BLOCKS
    rows = []
    for band in np.array_split(level, down, axis=0):
        for block in np.array_split(band, across, axis=1):
            pixels = block.reshape(-1, 3)
            counts = [np.bincount(pixels[:, c], minlength=_BINS) / (3.0 * pixels.shape[0]) for c in range(3)]
            rows.append(np.concatenate(counts))
    return np.array(rows)


def _edges(small: Image) -> FloatArray:
    """How strong the edges are, at each pixel."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.GaussianBlur(np.hypot(across, down), (0, 0), 1.0), dtype=np.float64)


def _correlation(before: FloatArray, now: FloatArray) -> float:
    """The best correlation of two pictures over small shifts."""
    best = -1.0
    height, width = before.shape
    for down in _SHIFTS:
        for across in _SHIFTS:
            a = before[max(0, down) : height + min(0, down), max(0, across) : width + min(0, across)]
            b = now[max(0, -down) : height + min(0, -down), max(0, -across) : width + min(0, -across)]
            a, b = a - a.mean(), b - b.mean()
            scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
            if scale > 1e-9:
                best = max(best, float((a * b).sum()) / scale)
            else:
                best = max(best, 0.0)
    return best
