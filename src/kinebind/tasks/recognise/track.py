"""What somebody does over time: probabilities of classes, window by window, smoothed, and the stretches they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.recording import Label

UNKNOWN = "unknown"
"""What a stretch is called in which no class is likely enough."""


@dataclass(frozen=True, eq=False)
class Track:
    """Windows in the order of time. time_s (T,): their middles, on the stream's own clock. stride_s: from one to the
    next; tells_s: of how long each tells, the window where it tells of all of it, less where it tells of its middle.
    names (C,), probabilities (T, C): NaN rows where nothing was measured.
    """

    time_s: FloatArray
    stride_s: float
    tells_s: float
    names: tuple[str, ...]
    probabilities: FloatArray

    def __post_init__(self) -> None:
        if self.probabilities.shape != (self.time_s.size, len(self.names)):
            raise InputError(
                f"{self.time_s.size} windows of {len(self.names)} classes have probabilities of the shape "
                f"{self.probabilities.shape}.",
                "Give a row for each window and a column for each class.",
            )

    def smoothed(self, stays_s: float | Sequence[float]) -> Track:
        """Probabilities given all windows, if activities last `stays_s` on average, all the same or each its own:
        forward and backward through a chain.

        A window's answer counts by the share of what it tells of that no other window does. Gaps end the chain; what
        lasts no longer than a stride is taken to last one and a half. By Rabiner, A tutorial on hidden Markov models
        (1989), section III. Raises InputError where stays_s is not one for each.
        """
        classes = len(self.names)
        stays = np.full(classes, stays_s) if isinstance(stays_s, int | float) else np.asarray(stays_s, dtype=np.float64)
        if stays.shape != (classes,) or not (stays > 0.0).all():
            raise InputError(f"{stays.size} lengths for {classes} activities.", "Give one, or one for each, above 0.")
        stays = np.maximum(stays, 1.5 * self.stride_s)
        leave = self.stride_s / stays
        move = np.repeat((leave / max(classes - 1, 1))[:, None], classes, axis=1)
        np.fill_diagonal(move, 1.0 - leave)
        out = self.probabilities.copy()
        there = np.asarray(np.isfinite(self.probabilities).all(axis=1))
        starts = np.flatnonzero(there & ~np.concatenate([[False], there[:-1]]))
        ends = np.flatnonzero(there & ~np.concatenate([there[1:], [False]])) + 1
        for start, end in zip(starts, ends, strict=True):
            seen = np.maximum(self.probabilities[start:end], 1e-6) ** min(1.0, self.stride_s / self.tells_s)
            out[start:end] = _forward_backward(seen, move)
        return replace(self, probabilities=out)

    def stretches(self, least: float = 0.0) -> list[tuple[Label, float]]:
        """Stretches in which one class is the likeliest, each with its mean probability.

        least: below this mean probability a stretch is `UNKNOWN`. Windows of which nothing was measured are in none.
        """
        best = np.where(
            np.isfinite(self.probabilities).all(axis=1), np.nan_to_num(self.probabilities).argmax(axis=1), -1
        )
        out = []
        edges = np.flatnonzero(np.diff(best)) + 1
        for own in np.split(np.arange(best.size), edges):
            if own.size and best[own[0]] >= 0:
                sure = float(self.probabilities[own, best[own[0]]].mean())
                name = self.names[best[own[0]]] if sure >= least else UNKNOWN
                half = 0.5 * self.stride_s
                out.append((Label(float(self.time_s[own[0]] - half), float(self.time_s[own[-1]] + half), name), sure))
        return out


def _forward_backward(seen: FloatArray, move: FloatArray) -> FloatArray:
    """Probabilities (T, C) of a chain's states given all that was seen (T, C)."""
    forward, backward = np.empty_like(seen), np.ones_like(seen)
    now = np.full(seen.shape[1], 1.0 / seen.shape[1])
    for t in range(len(seen)):
        now = (now if t == 0 else now @ move) * seen[t]
        now = now / now.sum()
        forward[t] = now
    for t in range(len(seen) - 2, -1, -1):
        later = move @ (seen[t + 1] * backward[t + 1])
        backward[t] = later / later.sum()
    both = forward * backward
    return np.asarray(both / both.sum(axis=1, keepdims=True))
