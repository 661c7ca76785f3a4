"""Left and right exchanged in some frames of a track: detectors do this with people seen from behind or the side."""

from __future__ import annotations

import numpy as np

from kinebind.clock import FloatArray
from kinebind.parts import COCO17_MIRROR

WINDOW_S = 0.3
"""A flip that lasts longer than this may be the truth."""
_CLEARLY = 0.5
"""Exchanged, the keypoints must lie this much closer to where they were before and are after, of what they do now."""
_APART = 0.08
"""Sides that lie closer together than this, of a person's size, cannot be told apart, and need not be."""


def mend_flips(time_s: FloatArray, keypoints: FloatArray) -> tuple[FloatArray, int]:
    """Keypoints (T, 17, 3) with short exchanges of left and right undone, and the number of frames that were.

    time_s (T,): seconds, increasing. A stretch is exchanged where that makes it agree much better with both the
    frame before and the frame behind it, and where it lasts no longer than `WINDOW_S`. All else stays.
    """
    count = time_s.size
    if count < 3:
        return keypoints, 0
    swapped = keypoints[:, COCO17_MIRROR]
    # Whether going from a frame to the next fits better with one of the two exchanged.
    turns = _turns(keypoints, swapped)
    out = keypoints.copy()
    mended = 0
    k = 0
    at = np.flatnonzero(turns)
    while k + 1 < at.size:
        start, stop = at[k] + 1, at[k + 1] + 1  # frames start..stop−1 are the other way round than their neighbours
        if time_s[stop - 1] - time_s[start] <= WINDOW_S:
            out[start:stop] = swapped[start:stop]
            mended += int(stop - start)
            k += 2
        else:
            k += 1
    return out, mended


def _turns(keypoints: FloatArray, swapped: FloatArray) -> np.ndarray:
    """(T − 1,): whether left and right are exchanged between a frame and the next."""
    before, after, other = keypoints[:-1, :, :2], keypoints[1:, :, :2], swapped[1:, :, :2]
    straight, crossed = _distance(before, after), _distance(before, other)
    size = np.sqrt(np.nanmean(np.nanvar(keypoints[:-1, :, :2], axis=1).sum(axis=-1)))
    with np.errstate(invalid="ignore"):
        return np.asarray((crossed < _CLEARLY * straight) & (straight - crossed > _APART * size))


def _distance(first: FloatArray, second: FloatArray) -> FloatArray:
    """(N,): median distance of the keypoints that both show; NaN where they share fewer than six."""
    away = np.linalg.norm(first - second, axis=-1)
    away[np.isfinite(away).sum(axis=1) < 6] = np.nan
    out = np.full(away.shape[0], np.nan)
    known = np.isfinite(away).any(axis=1)
    out[known] = np.nanmedian(away[known][:, 5:], axis=1)  # the face says little
    return out
