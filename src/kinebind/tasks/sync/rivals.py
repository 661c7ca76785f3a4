"""Peaks of evidence over lag, and the rivals of an answer among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray

LOBE_S = 0.15
"""Least half-width of a peak of the evidence: nothing nearer is another peak."""


@dataclass(frozen=True)
class Standing:
    """How an answer stands among all the lags that were searched: its evidence, and that of the rivals, (lag in
    seconds, nats), strongest first.
    """

    nats: float
    rivals: tuple[tuple[float, float], ...]

    @property
    def margin_nats(self) -> float:
        """By how much the answer is above its best rival, or above nothing."""
        return self.nats - self.rivals[0][1] if self.rivals else self.nats


def standing(lag_s: FloatArray, nats: FloatArray, answer_s: float, peak_nats: float) -> Standing:
    """The standing of an answer; `peak_nats` is its evidence where it lies outside the curve."""
    near = np.abs(lag_s - answer_s) <= 0.1
    top = float(nats[near].max()) if near.any() else peak_nats
    return Standing(top, tuple(rivals(lag_s, nats, answer_s)))


def rivals(lag_s: FloatArray, nats: FloatArray, answer_s: float, count: int = 5) -> list[tuple[float, float]]:
    """The best peaks (lag in seconds, nats) outside the answer's own lobe, strongest first.

    The lobe reaches down both flanks to where the evidence rises again, so that a flank is not its own peak's rival.
    """
    step_s = float(lag_s[1] - lag_s[0])
    apart = round(LOBE_S / step_s)
    first, last = _lobe(nats, int(np.argmin(np.abs(lag_s - answer_s))), apart)
    padded = np.pad(nats, 1, constant_values=-np.inf)
    peaks = (nats >= padded[:-2]) & (nats >= padded[2:])
    peaks[first : last + 1] = False
    outside = np.where(peaks, nats, -np.inf)
    return [(float(lag_s[i]), float(nats[i])) for i in highest(outside, count, apart)]


def _lobe(curve: FloatArray, at: int, reach: int) -> tuple[int, int]:
    """First and last index of the lobe about an index: at least `reach` to each side, and on while the curve falls."""
    first, last = max(at - reach, 0), min(at + reach, curve.size - 1)
    while first > 0 and curve[first - 1] < curve[first]:
        first -= 1
    while last < curve.size - 1 and curve[last + 1] < curve[last]:
        last += 1
    return first, last


def highest(curve: FloatArray, count: int, apart: int) -> list[int]:
    """Indices of the highest points that are at least `apart` steps from each other, highest first."""
    left = curve.copy()
    found = []
    for _ in range(count):
        i = int(np.argmax(left))
        if not np.isfinite(left[i]):
            break
        found.append(i)
        left[max(0, i - apart) : i + apart + 1] = -np.inf
    return found
