"""How alike two sightings of people are: object keypoint similarity, overlap of boxes, and how large a body appears."""

from __future__ import annotations

import numpy as np

from kinebind.clock import FloatArray
from kinebind.parts import COCO17, USUAL_LENGTHS_M

SIGMAS: FloatArray = np.array(
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
     0.089]
)  # fmt: skip
"""COCO's spread of each keypoint between annotators, over the square root of the body's area (Ronchi and Perona 2017).
"""

THINNEST = 0.3
"""Least width over height, or height over width, of the box that counts as a body's area: somebody seen edge-on, or
of whom one arm is in view, has a box as thin as a line, yet a body's tolerance.
"""

_INSIDE, _LARGER = 0.8, 2.0
_USUAL = [(COCO17.index(a), COCO17.index(b), long) for group in USUAL_LENGTHS_M for (a, b), long in group.items()]
_FROM = np.array([a for a, _, _ in _USUAL])
_TO = np.array([b for _, b, _ in _USUAL])
_LONG_M = np.array([long for _, _, long in _USUAL])
_RMS_M = 0.45  # RMS distance of the keypoints of a whole body to their middle


def boxes_px(keypoints_px: FloatArray) -> FloatArray:
    """Boxes (N, 4), left, top, right, bottom in pixels, of keypoints (N, 17, 2 or more); NaN where none is seen."""
    xy = keypoints_px[..., :2]
    seen = np.isfinite(xy[..., :1])
    low = np.where(seen, xy, np.inf).min(axis=-2)
    high = np.where(seen, xy, -np.inf).max(axis=-2)
    return np.where(seen.any(axis=-2), np.concatenate([low, high], axis=-1), np.nan)


def areas_px2(keypoints_px: FloatArray) -> FloatArray:
    """Areas (N,) of the boxes of keypoints (N, 17, 2 or more), square pixels, none thinner than `THINNEST`; or NaN."""
    box = boxes_px(keypoints_px)
    side = np.maximum(box[..., 2:] - box[..., :2], 1.0)
    longer, shorter = side.max(axis=-1), side.min(axis=-1)
    return np.asarray(longer * np.maximum(shorter, THINNEST * longer))


def similarity(a_px: FloatArray, b_px: FloatArray) -> FloatArray:
    """Object keypoint similarity (A, B), 0..1, of keypoints a (A, 17, 2 or more) to b (B, 17, 2 or more), pixels.

    The mean over keypoints that both show of exp(−d² / (2·area·(2σ)²)), as COCO has it, at the areas of a by
    `areas_px2`. 0 where they share no keypoint.

    >>> one = np.arange(51.0).reshape(1, 17, 3) * 10.0
    >>> float(similarity(one, one)[0, 0])
    1.0
    """
    squared = ((a_px[:, None, :, :2] - b_px[None, :, :, :2]) ** 2).sum(axis=-1)  # (A, B, 17)
    return mean_similarity(squared, areas_px2(a_px)[:, None])


def each_once(keypoints: FloatArray, same: float) -> list[int]:
    """Indices of keypoints (N, 17, 3) of people, each person once: of those more alike than `same`, who shows most."""
    kept: list[int] = []
    alike = similarity(keypoints, keypoints)
    for k in np.argsort(-np.nansum(keypoints[..., 2], axis=1), kind="stable"):
        if all(alike[k, other] <= same for other in kept):
            kept.append(int(k))
    return sorted(kept)


def no_parts(keypoints: FloatArray) -> list[int]:
    """Indices of keypoints (N, 17, 3) of people, without those that are somebody's part taken for a person.

    That is who lies within the box of somebody at least twice as large who shows more joints. A whole child before a
    grown-up stays.
    """
    box = boxes_px(keypoints)
    size = np.clip(box[:, 2:] - box[:, :2], 1.0, None).prod(axis=-1)
    joints = np.isfinite(keypoints[..., 0]).sum(axis=-1)
    inside = covered(box, box) >= _INSIDE
    part = inside & (size[None] >= _LARGER * size[:, None]) & (joints[None] > joints[:, None])
    return [int(k) for k in np.flatnonzero(~part.any(axis=1))]


def mean_similarity(squared_px2: FloatArray, area_px2: FloatArray) -> FloatArray:
    """Mean similarity (...) of squared distances (..., 17), square pixels, at areas (...); 0 where all are NaN."""
    shared = np.isfinite(squared_px2)
    width = 2.0 * np.maximum(area_px2, 1.0)[..., None] * (2.0 * SIGMAS) ** 2
    similar = np.where(shared, np.exp(-np.where(shared, squared_px2, 0.0) / width), 0.0)
    count = shared.sum(axis=-1)
    return np.asarray(similar.sum(axis=-1) / np.maximum(count, 1))


def overlap(a_px: FloatArray, b_px: FloatArray) -> FloatArray:
    """Intersection over union (A, B), 0..1, of boxes (A, 4) and (B, 4): left, top, right, bottom; 0 where one is NaN.

    >>> float(overlap(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([[1.0, 0.0, 3.0, 1.0]]))[0, 0])
    0.3333333333333333
    """
    shared = _shared_px2(a_px, b_px)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(axis=-1) for box in (a_px, b_px))
    union = area_a[:, None] + area_b[None] - shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(shared / union, nan=0.0))


def covered(a_px: FloatArray, b_px: FloatArray) -> FloatArray:
    """Shares (A, B), 0..1, of boxes a (A, 4) that boxes b (B, 4) cover; 0 where one is NaN.

    >>> float(covered(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([[1.0, -1.0, 3.0, 5.0]]))[0, 0])
    0.5
    """
    area = np.clip(a_px[:, 2:] - a_px[:, :2], 1.0, None).prod(axis=-1)
    return np.asarray(np.nan_to_num(_shared_px2(a_px, b_px) / area[:, None], nan=0.0))


def _shared_px2(a_px: FloatArray, b_px: FloatArray) -> FloatArray:
    """Areas (A, B) that boxes a (A, 4) and b (B, 4) share."""
    low = np.maximum(a_px[:, None, :2], b_px[None, :, :2])
    high = np.minimum(a_px[:, None, 2:], b_px[None, :, 2:])
    return np.asarray(np.clip(high - low, 0.0, None).prod(axis=-1))


def metre_px(keypoints_px: FloatArray) -> FloatArray:
    """How many pixels a metre is at each body (N,), from keypoints (N, 17, 2 or more).

    By the third longest of trunk, legs, shoulders and arms over their usual lengths, since looking along a limb only
    shortens it, and one joint that is wrong must not count; where fewer are seen, by the spread of the keypoints.
    NaN where no keypoint is seen.
    """
    xy = keypoints_px[..., :2]
    length = np.linalg.norm(xy[..., _FROM, :] - xy[..., _TO, :], axis=-1) / _LONG_M  # (N, 12)
    known = np.isfinite(length)
    third = np.sort(np.where(known, length, -np.inf), axis=-1)[..., -3]
    seen = np.isfinite(xy[..., 0])
    count = seen.sum(axis=-1)
    filled = np.where(seen[..., None], xy, 0.0)
    middle = filled.sum(axis=-2) / np.maximum(count, 1)[..., None]
    spread = np.where(seen[..., None], filled - middle[..., None, :], 0.0)
    rms = np.sqrt((spread**2).sum(axis=(-2, -1)) / np.maximum(count, 1)) / _RMS_M
    size = np.where(known.sum(axis=-1) >= 3, third, rms)
    return np.where(count > 0, np.maximum(size, 4.0), np.nan)
