"""Top-down crops: a person's box as the picture that a pose model looks at, and the way back for points.

Points of the crop and of the image are told in the same way, which is the one that RTMPose was trained with: the
middle of a box goes to half the crop's width and height, and the first pixel is the point 0, 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.video.backend import Image

PADDING = 1.25
"""How much larger than the person's box the part of the image is that a pose model sees, as RTMPose was trained."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of an image with the aspect of a model's input.

    centre_px (2,): its middle, x and y in the image. size_px (2,): its width and height in the image, both positive.
    input_px: width and height of the model's input.
    """

    centre_px: FloatArray
    size_px: FloatArray
    input_px: tuple[int, int]

    def matrix(self) -> FloatArray:
        """(2, 3): takes a point (x, y, 1) of the image to the crop."""
        scale = np.asarray(self.input_px, dtype=np.float64) / self.size_px
        shift = 0.5 * np.asarray(self.input_px, dtype=np.float64) - scale * self.centre_px
        return np.array([[scale[0], 0.0, shift[0]], [0.0, scale[1], shift[1]]])

    def to_crop(self, points_px: npt.ArrayLike) -> FloatArray:
        """Points (..., 2) of the image as points of the crop, both in pixels; NaN stays NaN."""
        points = np.asarray(points_px, dtype=np.float64)
        matrix = self.matrix()
        return np.asarray(points * np.diag(matrix[:, :2]) + matrix[:, 2])

    def to_image(self, points_px: npt.ArrayLike) -> FloatArray:
        """Points (..., 2) of the crop as points of the image, both in pixels; NaN stays NaN."""
        points = np.asarray(points_px, dtype=np.float64)
        matrix = self.matrix()
        return np.asarray((points - matrix[:, 2]) / np.diag(matrix[:, :2]))


def crop_around(box_px: npt.ArrayLike, input_px: tuple[int, int], *, padding: float = PADDING) -> Crop:
    """The crop around a box (4,) left, top, right, bottom: padded, then widened to the aspect of the input.

    input_px: width and height of the model's input. Raises ValueError where the box is not finite, or is turned round
    or a point, so that it has no size.
    """
    left, top, right, bottom = np.asarray(box_px, dtype=np.float64)
    size = padding * np.array([right - left, bottom - top])
    if not np.isfinite([left, top, right, bottom]).all() or size.min() < 0.0 or size.max() == 0.0:
        raise ValueError(f"a box without a size: {left}, {top}, {right}, {bottom}")
    aspect = input_px[0] / input_px[1]
    width = max(size[0], size[1] * aspect)
    return Crop(np.array([0.5 * (left + right), 0.5 * (top + bottom)]), np.array([width, width / aspect]), input_px)


def cut_out(image: Image, crop: Crop) -> Image:
    """The crop's pixels (height, width, 3) of its input, bilinear; black beyond the image's edge."""
    return np.asarray(cv2.warpAffine(image, crop.matrix(), crop.input_px, flags=cv2.INTER_LINEAR), dtype=np.uint8)


def widened(box_px: npt.ArrayLike, factor: float) -> FloatArray:
    """A box (4,) left, top, right, bottom so many times as wide and high about the same middle."""
    box = np.asarray(box_px, dtype=np.float64)
    middle, half = 0.5 * (box[:2] + box[2:]), 0.5 * factor * (box[2:] - box[:2])
    return np.concatenate([middle - half, middle + half])
