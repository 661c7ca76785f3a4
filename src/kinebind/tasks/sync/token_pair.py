"""Two token streams side by side: the evidence of their windows over the lag, on a scale that the data give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import savgol_filter

from kinebind.clock import ClockMap, FloatArray
from kinebind.tasks.sync.token_correlation import lagged_cosine
from kinebind.tasks.sync.token_stream import TokenStream

LEAST_OVERLAP_S = 1.0
"""Lags at which a window shares less than this with the other stream have no evidence."""


@dataclass(frozen=True, eq=False)
class TokenPair:
    """A reference and another stream, both centred; the shorter one is the reference, so that its windows meet the
    other's. Lags are reference minus other time. At most one of the two has phases.
    """

    reference: TokenStream
    other: TokenStream
    imu_is_reference: bool

    @property
    def rate_hz(self) -> float:
        """Tokens a second."""
        return self.reference.rate_hz

    @property
    def step_s(self) -> float:
        """Steps of lag: a token's share of one phase, seconds."""
        return 1.0 / (self.rate_hz * max(self.reference.phases, self.other.phases))

    @property
    def sign(self) -> int:
        """What turns a lag into an offset, video minus IMU time."""
        return -1 if self.imu_is_reference else 1

    def time_s(self, index: npt.NDArray[np.floating[Any]] | npt.NDArray[np.int64] | float) -> FloatArray:
        """Times of the reference's tokens on its clock, seconds."""
        return np.asarray(self.reference.start_s + np.asarray(index) / self.rate_hz)

    def lag_s(self, first: int, last: int) -> FloatArray:
        """Lags (L,) in seconds of whole lags first ... last of the token indices, with all phases between."""
        begin = self.reference.start_s - self.other.start_s
        count = round(1.0 / (self.step_s * self.rate_hz))
        # A phase of the other stream stands later and shortens the lag; one of the reference lengthens it.
        early = 0.0 if self.reference.phases > 1 else (count - 1) * self.step_s
        return np.asarray(begin + first / self.rate_hz - early + np.arange((last - first + 1) * count) * self.step_s)

    def scores(self, starts: npt.NDArray[np.int64], width: int, first: int, last: int) -> tuple[FloatArray, FloatArray]:
        """Scores (K, L) of windows [start, start + width) at whole lags first ... last from each window's own start.

        The cosine of each part's sequences times the root of the pairs, whose noise is the same at every overlap;
        parts summed. Besides, the seconds (K, L) that the best-seen part has in common. L as `lag_s` has it, which
        gives the lags of a window if its start is added to first and last.
        """
        rows = starts[:, None] + np.arange(width)
        scores, overlaps = [], []
        for p, q in np.ndindex(self.reference.phases, self.other.phases):
            x = self.reference.tokens[p][:, rows].transpose(1, 0, 2, 3)
            x_mask = self.reference.mask[p][:, rows].transpose(1, 0, 2)
            cosine, pairs = lagged_cosine(x, x_mask, self.other.tokens[q], self.other.mask[q], first, last)
            scores.append((cosine * np.sqrt(pairs)).sum(axis=1))
            overlaps.append(pairs.max(axis=1) / self.rate_hz)
        if self.other.phases > 1:
            scores, overlaps = scores[::-1], overlaps[::-1]
        return _without_ripple(_interleaved(scores), len(scores)), _interleaved(overlaps)

    def self_cosine(self, lag_s: float) -> float:
        """How alike the reference is to itself a lag away, its best part: near 1 where the motion repeats."""
        lag = round(abs(lag_s) * self.rate_hz)
        tokens, mask = self.reference.tokens[0], self.reference.mask[0]
        return float(lagged_cosine(tokens[None], mask[None], tokens, mask, lag, lag)[0].max())

    def along(self, lags_s: FloatArray, index: npt.NDArray[np.int64]) -> FloatArray:
        """Inner products (T,), parts summed, of the reference's tokens with those of the other that lie lags away."""
        out = np.zeros(index.size)
        phases = self.other.phases
        at_s = self.time_s(index) - lags_s - self.other.start_s
        fine = np.round(at_s * self.rate_hz * phases).astype(np.int64)
        whole, phase = np.divmod(fine, phases)
        inside = (whole >= 0) & (whole < self.other.tokens.shape[2])
        x = self.reference.tokens[0][:, index[inside]]
        y = self.other.tokens[phase[inside], :, whole[inside]]  # (T, N, D)
        out[inside] = np.einsum("ntd,tnd->t", x, y)
        return out

    def clock(self, offset_s: float, slope: float, ref_s: float) -> ClockMap:
        """The map of a line of lags, lag(t) = offset_s + slope·(t − ref_s) on the reference's clock."""
        to_other = ClockMap(-offset_s, -slope, ref_s)
        if self.imu_is_reference:
            return to_other
        imu_s = float(to_other.to_video(ref_s))
        return ClockMap(ref_s - imu_s, 1.0 / (1.0 - slope) - 1.0, imu_s)


def _interleaved(phases: list[FloatArray]) -> FloatArray:
    """Curves (K, L) of P phases in the order of their lags as one (K, L·P)."""
    stacked = np.stack(phases, axis=-1)
    return stacked.reshape(stacked.shape[0], -1)


def _without_ripple(scores: FloatArray, phases: int) -> FloatArray:
    """Scores (K, L·P) replaced by the parabola through those within a token to either side, in the middle of it.

    Phases are embedded apart from one another and err apart: between them the curve ripples, and its peak would be
    the luckiest phase. With one phase it would go through all three points, and change nothing.
    """
    if phases == 1:
        return scores
    return np.asarray(savgol_filter(scores, min(2 * phases + 1, scores.shape[1] // 2 * 2 - 1), 2, axis=1))
