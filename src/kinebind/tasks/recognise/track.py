"""What somebody does over time: probabilities of classes, window by window, smoothed, and the stretches they make."""

from __future__ import annotations

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
    next; window_s: how long each is. names (C,), probabilities (T, C): NaN rows where nothing was measured.
    """

    time_s: FloatArray
    stride_s: float
    window_s: float
    names: tuple[str, ...]
    probabilities: FloatArray

    def __post_init__(self) -> None:
        if self.probabilities.shape != (self.time_s.size, len(self.names)):
            raise InputError(
                f"{self.time_s.size} windows of {len(self.names)} classes have probabilities of the shape "
                f"{self.probabilities.shape}.",
                "Give a row for each window and a column for each class.",
            )

    def smoothed(self, stays_s: float) -> Track:
        """Probabilities given all windows, if an activity lasts `stays_s` on average: forward and backward through a
        chain in which a window's answer counts by the share of it that no other window has seen.

        Gaps end the chain. By Rabiner, A tutorial on hidden Markov models (1989), section III. Raises InputError where
        stays_s is not above the stride.
        """
        if not stays_s > self.stride_s:
            raise InputError(
                f"Activities of {stays_s:g} s are no longer than the stride of {self.stride_s:g} s.", "Give more."
            )
        classes = len(self.names)
        leave = self.stride_s / stays_s
        move = np.full((classes, classes), leave / max(classes - 1, 1))
        np.fill_diagonal(move, 1.0 - leave)
        out = self.probabilities.copy()
        there = np.asarray(np.isfinite(self.probabilities).all(axis=1))
        starts = np.flatnonzero(there & ~np.concatenate([[False], there[:-1]]))
        ends = np.flatnonzero(there & ~np.concatenate([there[1:], [False]])) + 1
        for start, end in zip(starts, ends, strict=True):
            seen = np.maximum(self.probabilities[start:end], 1e-6) ** min(1.0, self.stride_s / self.window_s)
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
