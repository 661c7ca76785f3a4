"""What people's clothes look like: colours of the torso, by which they are told apart after they were hidden."""

from __future__ import annotations

import cv2
import numpy as np

from kinebind.clock import FloatArray
from kinebind.parts import COCO17
from kinebind.video.backend import Image

HUES, SATURATIONS, LIGHTS = 8, 2, 4
BINS = HUES * SATURATIONS + LIGHTS
"""Colours by hue and saturation, and greys, whose hue says nothing, by lightness."""
_TORSO = [COCO17.index(n) for n in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
_GREY = 40  # saturation of 255 below which a pixel counts as grey
_DARK = 40  # lightness of 255 below which it does
_BELT = 0.04  # of the torso's length, to each side of its outline
_SIDE_PX = 48
_FEWEST_PX = 30


def torso_colours(image: Image, keypoints: FloatArray) -> FloatArray | None:
    """(BINS,) shares of the torso's pixels by colour, or None where it is not seen or too small.

    keypoints (17, 2 or more): pixels; the torso is the quadrilateral of shoulders and hips, a tenth smaller.
    """
    corners = np.asarray(keypoints)[_TORSO, :2]
    if not np.isfinite(corners).all():
        return None
    corners = corners.mean(axis=0) + 0.9 * (corners - corners.mean(axis=0))
    # Someone seen from the side has hips and shoulders in one line: a belt around it counts too.
    belt = _BELT * float(np.ptp(corners, axis=0).max())
    left, top = np.floor(corners.min(axis=0) - belt).astype(int)
    right, bottom = np.ceil(corners.max(axis=0) + belt).astype(int) + 1
    height, width = image.shape[:2]
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if right - left < 3 or bottom - top < 3:
        return None
    piece = image[top:bottom, left:right]
    scale = min(1.0, _SIDE_PX / max(piece.shape[:2]))
    size = (max(1, round(scale * piece.shape[1])), max(1, round(scale * piece.shape[0])))
    small = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)
    mask = np.zeros(small.shape[:2], dtype=np.uint8)
    outline = np.round((corners - (left, top)) * scale).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(outline), 1)
    cv2.polylines(mask, [outline], isClosed=True, color=1, thickness=max(1, round(2.0 * belt * scale)))
    inside = mask.astype(bool)
    if np.count_nonzero(inside) < min(_FEWEST_PX, inside.size):
        return None
    hue, saturation, light = (
        channel[inside].astype(int) for channel in cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    )
    grey = (saturation < _GREY) | (light < _DARK)
    coloured = np.minimum(hue * HUES // 180, HUES - 1) * SATURATIONS + (saturation >= 128)
    bins = np.where(grey, HUES * SATURATIONS + light * LIGHTS // 256, coloured)
    count = np.bincount(bins, minlength=BINS).astype(np.float64)
    return np.asarray(count / count.sum())
