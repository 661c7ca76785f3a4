"""`mobind-vote`: the paper's synchronisation by votes of similar sub-windows (papers.md 1.4).

Kept as it is published, on cosine similarity as the model is trained with. Its answers lie on the grid of the
sub-windows, so that it cannot do better than a quarter of a hop on average: 0.05 s for offsets spread evenly. Our own
synchroniser is `kinebind.tasks.sync.tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.tasks.retrieve.similarity import Vectors, cosine

WINDOW_S, HOP_S, TOP = 5.0, 0.2, 5
"""The paper's sub-windows, their hop, and how many hits of each row and each column vote."""


@dataclass(frozen=True, eq=False)
class Vote:
    """offset_s: the winner, video time minus IMU time. lag_s (L,), votes (L,): all lags and what they were given."""

    offset_s: float
    lag_s: FloatArray
    votes: FloatArray


def sub_window_starts_s(clip_s: float, window_s: float = WINDOW_S, hop_s: float = HOP_S) -> FloatArray:
    """Starts of a clip's sub-windows, seconds from its start; raises InputError where not one fits.

    >>> starts_s = sub_window_starts_s(20.0)
    >>> starts_s.size, float(starts_s[-1])
    (76, 15.0)
    """
    if clip_s < window_s - 1e-9:
        raise InputError(f"A clip of {clip_s:g} s holds no sub-window of {window_s:g} s.", "Give a longer clip.")
    return np.asarray(np.arange(int((clip_s - window_s) / hop_s + 1e-9) + 1) * hop_s)


def vote(imu: Vectors, pose: Vectors, hop_s: float = HOP_S, top: int = TOP) -> Vote:
    """The offset between two clips from embeddings of their sub-windows, IMU (K, D) and pose (M, D), hop_s apart.

    The `top` most similar pose windows of each IMU window vote, and the other way round, each for its lag with its
    cosine; a pair that is among the top both ways votes twice. Of lags with equal votes, the smallest. Raises
    InputError where there is no window, or an embedding is not finite.

    >>> pose = np.eye(8)
    >>> imu = pose[2:7]  # what the IMU shows first, the video shows two windows later
    >>> vote(imu, pose, top=1).offset_s
    0.4
    """
    if imu.ndim != 2 or pose.ndim != 2 or not len(imu) or not len(pose):
        raise InputError(
            f"Sub-windows {imu.shape} and {pose.shape} must be (windows, dimensions), neither empty.",
            "Embed the sub-windows at sub_window_starts_s of each clip.",
        )
    similar = cosine(imu, pose)
    lags = np.arange(pose.shape[0])[None, :] - np.arange(imu.shape[0])[:, None]
    hits = []
    for axis in (0, 1):
        nearest = np.take(
            np.argsort(-similar, axis=axis, kind="stable"), np.arange(min(top, similar.shape[axis])), axis
        )
        hits.append(
            (np.take_along_axis(lags, nearest, axis).ravel(), np.take_along_axis(similar, nearest, axis).ravel())
        )
    hit_lag, hit_cosine = (np.concatenate(both) for both in zip(*hits, strict=True))
    every = np.arange(1 - imu.shape[0], pose.shape[0])
    votes = np.bincount(hit_lag - every[0], weights=hit_cosine, minlength=every.size)
    ahead = np.flatnonzero(votes >= votes.max() - 1e-9)
    winner = every[ahead[np.argmin(np.abs(every[ahead]))]]
    return Vote(float(winner * hop_s), np.asarray(every * hop_s), votes.astype(np.float64))
