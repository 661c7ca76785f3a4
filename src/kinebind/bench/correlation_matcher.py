"""The baseline that counts, as a matcher: plain correlation of two cues, E + A of `kinebind.bench.baselines`.

Against galleries all pairs are correlated at once: of each lag, six products of matrices give the correlation over
what both streams of a pair have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinebind.bench import baselines
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.tasks.sync.limb_signals import RATE_HZ


@dataclass(frozen=True, eq=False)
class CuesOfStream:
    """Cues A and E of one stream on the common grid of 50 Hz.

    first: number of the grid's step, from time zero, that the first column belongs to.
    cues (2, T): A in m/s² and E in rad/s (felt) or m/s (seen), each of mean zero; NaN where it is missing.
    """

    first: int
    cues: FloatArray


class CorrelationMatcher:
    """Zero-mean normalised correlation of each cue, times the root of the overlap in seconds, summed over both cues.

    variant: the filters, one of `kinebind.bench.baselines.VARIANTS`. Raises InputError where it is none.
    """

    def __init__(self, variant: str = "low3") -> None:
        if variant not in baselines.VARIANTS:
            raise InputError(
                f"Correlation has no variant '{variant}'.", f"Use one of: {', '.join(baselines.VARIANTS)}."
            )
        self.variant = variant
        self._last: tuple[Poses, FloatArray, FloatArray] | None = None

    @property
    def name(self) -> str:
        """`correlation`, whatever the variant."""
        return "correlation"

    def felt(self, imu: Imu) -> CuesOfStream:
        """Norms of a sensor's acceleration and rate; wherever it is worn they are the same."""
        return _stream(*baselines.cues_felt(imu, *baselines.VARIANTS[self.variant]))

    def seen(self, poses: Poses, site: str) -> CuesOfStream:
        """What the video shows of the same at a site."""
        low_hz, band = baselines.VARIANTS[self.variant]
        # One person's limbs are asked for one after another.
        if self._last is None or self._last[0] is not poses:
            self._last = (poses, *baselines.metres_on_grid(poses, low_hz))
        _, grid_s, metres = self._last
        return _stream(grid_s, baselines.cues_seen(site, metres, band))

    def scores(self, felt: Sequence[CuesOfStream], seen: Sequence[CuesOfStream], lags_s: FloatArray) -> FloatArray:
        """Scores (N, M, L) at lags (L,) in seconds; between two steps of the grid on the line through both.

        0 where the streams of a pair share less than half a second, or one of them never changes.
        """
        steps = np.asarray(lags_s, dtype=np.float64) * RATE_HZ
        low = np.floor(steps + 1e-6).astype(np.int64)
        share = np.clip(steps - low, 0.0, 1.0)
        share[share < 2e-6] = 0.0
        needed = np.unique(np.concatenate([low, low[share > 0] + 1]))
        at = self._at_steps(felt, seen, needed)
        below = at[..., np.searchsorted(needed, low)]
        above = at[..., np.searchsorted(needed, np.where(share > 0, low + 1, low))]
        return np.asarray(below + share * (above - below))

    def _at_steps(self, felt: Sequence[CuesOfStream], seen: Sequence[CuesOfStream], steps: np.ndarray) -> FloatArray:
        """Scores (N, M, L) at lags of whole steps (L,) of the grid, in increasing order."""
        out = np.zeros((len(felt), len(seen), steps.size))
        if not out.size:
            return out
        start = min(f.first for f in felt)
        length = max(f.first + f.cues.shape[1] for f in felt) - start
        x, has_x = _laid_out(felt, start, length)
        # The video from where the first lag needs it to where the last one does.
        y, has_y = _laid_out(seen, start + int(steps[0]), length + int(steps[-1] - steps[0]))
        for k, step in enumerate(steps):
            at = int(step - steps[0])
            for cue in range(2):
                ys, has_ys = y[cue][:, at : at + length], has_y[cue][:, at : at + length]
                out[..., k] += _correlations(x[cue], has_x[cue], ys, has_ys)
        return out


def _stream(grid_s: FloatArray, found: dict[str, FloatArray]) -> CuesOfStream:
    none = np.full(grid_s.size, np.nan)
    cues = np.stack([found.get("A", none), found.get("E", none)])
    for cue in cues:
        has = np.isfinite(cue)
        if has.any():  # sums of squares lose fewer digits about the mean
            cue -= cue[has].mean()
    return CuesOfStream(round(float(grid_s[0]) * RATE_HZ), cues)


def _laid_out(streams: Sequence[CuesOfStream], start: int, length: int) -> tuple[FloatArray, FloatArray]:
    """Cues (2, N, U) of streams on steps start, start + 1 ... with zero where there is nothing, and where there is."""
    out = np.zeros((2, len(streams), length))
    has = np.zeros_like(out)
    for k, stream in enumerate(streams):
        low, high = max(stream.first, start), min(stream.first + stream.cues.shape[1], start + length)
        if low < high:
            part = stream.cues[:, low - stream.first : high - stream.first]
            valid = np.isfinite(part)
            out[:, k, low - start : high - start] = np.where(valid, part, 0.0)
            has[:, k, low - start : high - start] = valid
    return out, has


def _correlations(x: FloatArray, has_x: FloatArray, y: FloatArray, has_y: FloatArray) -> FloatArray:
    """Correlation of rows of x (N, T) with rows of y (M, T) over what both have, times the root of that, (N, M)."""
    n = np.maximum(has_x @ has_y.T, 1.0)
    sum_x, sum_y = x @ has_y.T, has_x @ y.T
    xy = x @ y.T - sum_x * sum_y / n
    xx = (x * x) @ has_y.T - sum_x**2 / n
    yy = has_x @ (y * y).T - sum_y**2 / n
    r = xy / np.sqrt(np.maximum(xx * yy, 1e-12 * n * n))
    overlap_s = n / RATE_HZ
    return np.asarray(np.where(overlap_s >= baselines.LEAST_OVERLAP_S, r * np.sqrt(overlap_s), 0.0))
