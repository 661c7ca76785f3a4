"""Where to look: the lines of lag over time that a few windows of the video agree on, out of the whole range."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from kinebind.clock import FloatArray
from kinebind.tasks.sync.hypothesis import Hypothesis, summed, window_evidence
from kinebind.tasks.sync.pieces import JUMP_NATS, MAX_SKEW
from kinebind.tasks.sync.rivals import LOBE_S, highest

WHOLE_S = 30.0
"""A reference no longer than this is one window: skew moves nothing in it."""
ANCHOR_S = 60.0
ANCHORS = 5
WIDE_LAGS = 20_000
"""Above this many lags, the search uses norms alone on every second grid point."""
_CANDIDATES = 8


@dataclass(frozen=True, eq=False)
class Anchors:
    """Evidence of the anchor windows over the whole range of lags.

    centre_s (K,): on the reference's clock; lag_s (L,); nats (K, L); overlap_s (K, L).
    """

    centre_s: FloatArray
    lag_s: FloatArray
    nats: FloatArray
    overlap_s: FloatArray

    def along(self, slope: float, ref_s: float, which: np.ndarray | None = None) -> FloatArray:
        """Evidence (L,) of all (or some) anchors together over the lag at `ref_s`, if lags change by `slope`."""
        step_s = self.lag_s[1] - self.lag_s[0]
        total = np.zeros_like(self.lag_s)
        for k in range(self.centre_s.size) if which is None else np.flatnonzero(which):
            shift = round(slope * (self.centre_s[k] - ref_s) / step_s)
            a, b = max(0, -shift), min(total.size, total.size - shift)
            if a < b:  # a steep line leaves a narrow range
                total[a:b] += self.nats[k, a + shift : b + shift]
        return total


@dataclass(frozen=True)
class Guess:
    """A line of lags, lag(t) = offset_s + slope * (t - ref_s), that anchors agree on, and which of them do."""

    offset_s: float
    slope: float
    ref_s: float
    nats: float
    anchors: tuple[int, ...]

    def at(self, time_s: FloatArray | float) -> FloatArray:
        """Lags at times of the reference's clock, seconds."""
        return np.asarray(self.offset_s + self.slope * (np.asarray(time_s) - self.ref_s))


def anchor_windows(hypothesis: Hypothesis) -> list[tuple[int, int]]:
    """Grid ranges of the reference to search with, as `liveliest` chooses them."""
    motion = np.zeros(hypothesis.stop - hypothesis.first)
    for own in hypothesis.options:
        pairing = next(iter(own.values()))
        turning = np.nan_to_num(pairing.y[:, pairing.cues[0].y])
        usual = float(turning.sum()) / max(turning.size, 1)
        motion[: turning.size] += turning / max(usual, 1e-9)
    starts, width = liveliest(motion, hypothesis.rate_hz)
    return [(start, start + width) for start in (starts + hypothesis.first).tolist()]


def liveliest(motion: FloatArray, rate_hz: float) -> tuple[npt.NDArray[np.int64], int]:
    """Starts (K,) and width of windows to search with: all of a short reference, else each fifth's liveliest minute.

    motion (T,): how much moves in each of its samples.
    """
    length = motion.size
    if length <= WHOLE_S * rate_hz:
        return np.zeros(1, dtype=np.int64), length
    count = min(ANCHORS, int(length / (0.5 * WHOLE_S * rate_hz)))
    edges = np.linspace(0, length, count + 1).astype(np.int64)
    width = int(min(ANCHOR_S * rate_hz, length // count))
    lively = np.concatenate([[0.0], np.cumsum(motion)])
    starts = []
    for a, b in itertools.pairwise(edges.tolist()):
        options = np.arange(a, max(b - width, a) + 1)
        starts.append(int(options[np.argmax(lively[options + width] - lively[options])]))
    return np.array(starts, dtype=np.int64), width


def search_anchors(hypothesis: Hypothesis, range_s: tuple[float, float]) -> Anchors:
    """Evidence of the anchor windows at all offsets in `range_s` (video minus IMU time, seconds)."""
    if (range_s[1] - range_s[0]) * hypothesis.rate_hz > WIDE_LAGS:
        hypothesis = hypothesis.coarse(2)
    rate = hypothesis.rate_hz
    first, last = int(np.floor(range_s[0] * rate)), int(np.ceil(range_s[1] * rate))
    last = max(last, first + 2)
    windows = anchor_windows(hypothesis)
    nats, overlap = [], []
    for start, stop in windows:
        per_sensor, seconds = window_evidence(hypothesis, start, stop, first, last)
        nats.append(summed(per_sensor))
        overlap.append(seconds)
    centre_s = np.array([(a + b) / 2 / rate for a, b in windows])
    return Anchors(centre_s, np.arange(first, last + 1) / rate, np.stack(nats), np.stack(overlap))


def agreed_lines(anchors: Anchors) -> list[Guess]:
    """The line most anchors agree on, then the best through the anchors that it does not explain, and so on.

    A recorder that jumped far leaves anchors on several lines. At least one guess; the strongest first.
    """
    left = np.ones(anchors.centre_s.size, dtype=bool)
    guesses: list[Guess] = []
    while left.any() and len(guesses) < 4:
        guess = _best_line(anchors, left)
        if guesses and guess.nats < JUMP_NATS:
            break
        guesses.append(guess)
        left[list(guess.anchors)] = False
    return sorted(guesses, key=lambda g: -g.nats)


def _best_line(anchors: Anchors, left: np.ndarray) -> Guess:
    """The best line through the anchors that are left: candidates from each one's peaks, scored by all of them."""
    step_s = float(anchors.lag_s[1] - anchors.lag_s[0])
    which = np.flatnonzero(left)
    centre, curves = anchors.centre_s[which], anchors.nats[which]
    reach = max(1, round(0.06 / step_s))
    # Evidence against a line is worth nothing: a window in which the lag is another one only fails to support it.
    tops = np.maximum(maximum_filter1d(curves, 2 * reach + 1, axis=1), 0.0)
    span = float(centre[-1] - centre[0])
    count = int(np.ceil(MAX_SKEW * span / 0.1)) if span > 0 else 0
    slopes = np.linspace(-MAX_SKEW, MAX_SKEW, 2 * count + 1) if count else np.zeros(1)
    ref_s = float(centre.mean())
    best: tuple[float, float, float] = (-np.inf, 0.0, 0.0)
    for k in range(which.size):
        for peak in highest(curves[k], _CANDIDATES, round(LOBE_S / step_s)):
            lags = anchors.lag_s[peak] + slopes[:, None] * (centre - centre[k])
            index = np.round((lags - anchors.lag_s[0]) / step_s).astype(np.int64)
            inside = (index >= 0) & (index < anchors.lag_s.size)
            found = np.where(inside, tops[np.arange(which.size), np.clip(index, 0, anchors.lag_s.size - 1)], 0.0)
            # Of lines that explain as much, the one with the least skew.
            score = found.sum(axis=1) - 0.5 * (slopes / MAX_SKEW) ** 2
            s = int(np.argmax(score))
            if score[s] > best[0]:
                best = (float(score[s]), float(anchors.lag_s[peak] + slopes[s] * (ref_s - centre[k])), float(slopes[s]))
    nats, offset_s, slope = best
    index = np.round((offset_s + slope * (centre - ref_s) - anchors.lag_s[0]) / step_s).astype(np.int64)
    index = np.clip(index, 0, anchors.lag_s.size - 1)
    explained = tops[np.arange(which.size), index] >= 0.6 * np.maximum(curves.max(axis=1), 1e-9)
    explained[np.argmax(tops[np.arange(which.size), index])] = True
    return Guess(offset_s, slope, ref_s, nats, tuple(int(i) for i in which[explained]))
