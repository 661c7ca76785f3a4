"""Squares of an image that a network looks at: which, and their pixels."""

from __future__ import annotations

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.video.backend import Image

_SIDE_PX = 448
"""Squares larger than this are made smaller: the networks see 224 and 256 pixels of them."""
_SMALLEST_PX = 48
_OVERLAP = 0.35


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


def whole_square(image: Image) -> FloatArray:
    """The square (left, top, side) about the middle of an image that holds all of it."""
    side = float(max(image.shape[:2]))
    return np.array([0.5 * (image.shape[1] - side), 0.5 * (image.shape[0] - side), side])


def square_around(box: FloatArray, around: float) -> FloatArray:
    """The square (left, top, side) so many times as large as the box in which a person's keypoints lie."""
    side = max(around * float(max(box[2] - box[0], box[3] - box[1])), _SMALLEST_PX)
    return np.array([0.5 * (box[0] + box[2] - side), 0.5 * (box[1] + box[3] - side), side])


def cut(image: Image, square: FloatArray) -> Image:
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
    shift = np.array([(inner_left - left) * scale, (inner_top - top) * scale])
    if scale < 0.6:  # a plain warp would skip pixels
        size = (max(1, round(inner.shape[1] * scale)), max(1, round(inner.shape[0] * scale)))
        inner = np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        scale = 1.0
    matrix = np.array([[scale, 0.0, shift[0] + 0.5 * scale - 0.5], [0.0, scale, shift[1] + 0.5 * scale - 0.5]])
    return np.asarray(cv2.warpAffine(inner, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR), dtype=np.uint8)
