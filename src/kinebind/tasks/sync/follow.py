"""Follow the guessed lines of lag along the whole reference, window by window, and look for what they leave out."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from kinebind.clock import FloatArray
from kinebind.tasks.sync.hypothesis import Hypothesis, summed, windows_evidence
from kinebind.tasks.sync.pieces import ADVANCE_S, Windows, best_path, jump_nats
from kinebind.tasks.sync.search import WHOLE_S, Guess

Index = npt.NDArray[np.int64]

WINDOW_S = 20.0
HOP_S = 10.0
LONG_S = 600.0
LONG_HOP_S = 30.0
"""References longer than LONG_S are followed with a window every half minute: there is more than enough of them."""
BAND_S = 1.0
"""How far around an expected line windows are searched."""
SOUND_NATS = 40.0
"""With this much evidence along a path, what it leaves out is worth a look."""
HELD = 0.4
"""A window holds to its line where it has this share of the usual evidence; less may be chance."""
_ASKED = 24
"""How many windows of a stretch that was left out are searched, at most."""


def follow(hypothesis: Hypothesis, guesses: list[Guess], range_s: tuple[float, float]) -> Windows:
    """Evidence of windows all along the reference, around each guessed line, at offsets in `range_s` alone.

    A piece too short for the search over everything is looked for where the lines leave windows without evidence:
    at all offsets which the order of time leaves for them.
    """
    windows = _around(hypothesis, guesses, range_s)
    while len(guesses) < 8:
        more = _left_out(hypothesis, windows, guesses[0].slope, range_s)
        more = [g for g in more if all(_apart_s(g, other, windows.centre_s) > BAND_S for other in guesses)]
        if not more:
            break
        guesses = [*guesses, *more]
        windows = _around(hypothesis, guesses, range_s)
    return windows


def _around(hypothesis: Hypothesis, guesses: list[Guess], range_s: tuple[float, float]) -> Windows:
    """Evidence of windows around each guessed line."""
    rate = hypothesis.rate_hz
    starts, stops, share = _edges(hypothesis)
    centre_s = (starts + stops) / 2 / rate
    apart = guesses_apart(guesses, centre_s)
    lowest, highest = int(np.ceil(range_s[0] * rate - 1e-6)), int(np.floor(range_s[1] * rate + 1e-6))
    highest = max(highest, lowest + 2)  # a line needs some lags to be fitted through
    width = min(2 * round(BAND_S * rate) + 1, highest - lowest + 1)
    lag = np.zeros((starts.size, width * len(apart)), dtype=np.int64)
    nats = np.zeros(lag.shape)
    for b, guess in enumerate(apart):
        columns = slice(b * width, (b + 1) * width)
        middle = np.round(guess.at(centre_s) * rate).astype(np.int64)
        first = np.clip(middle - width // 2, lowest, highest - width + 1)
        lag[:, columns] = first[:, None] + np.arange(width)
        for length in np.unique(stops - starts):
            alike = stops - starts == length
            found, _ = windows_evidence(hypothesis, starts[alike], int(length), first[alike], width)
            nats[alike, columns] = summed(found) * share[alike, None]
    return Windows(centre_s, lag, nats, np.repeat(np.arange(len(apart)), width))


def _edges(hypothesis: Hypothesis) -> tuple[Index, Index, FloatArray]:
    """`windows_along` the reference, on the grid."""
    starts, stops, share = windows_along(hypothesis.stop - hypothesis.first, hypothesis.rate_hz)
    return starts + hypothesis.first, stops + hypothesis.first, share


def windows_along(length: int, rate_hz: float) -> tuple[Index, Index, FloatArray]:
    """First and last index of the windows (W,) along a reference, and the share of each that counts: half of what its
    neighbours hold too. A short reference is one window.
    """
    if length <= WHOLE_S * rate_hz:
        return np.zeros(1, dtype=np.int64), np.array([length], dtype=np.int64), np.ones(1)
    hop_s = HOP_S if length <= LONG_S * rate_hz else LONG_HOP_S
    width, hop = round(WINDOW_S * rate_hz), round(hop_s * rate_hz)
    starts = np.arange(0, length - width + 1, hop, dtype=np.int64)
    stops = starts + width
    stops[-1] = length
    common = np.maximum(stops[:-1] - starts[1:], 0)
    return starts, stops, 1.0 - 0.5 * (np.append(common, 0) + np.append(0, common)) / (stops - starts)


def guesses_apart(guesses: list[Guess], centre_s: FloatArray) -> list[Guess]:
    """The guesses, less those inside the band of a stronger line at all times (W,), which are found there."""
    apart: list[Guess] = []
    for guess in guesses:
        if all(_apart_s(guess, other, centre_s) > 0.8 * BAND_S for other in apart):
            apart.append(guess)
    return apart


def _apart_s(guess: Guess, other: Guess, centre_s: FloatArray) -> float:
    return float(np.max(np.abs(guess.at(centre_s) - other.at(centre_s))))


def _left_out(hypothesis: Hypothesis, windows: Windows, slope: float, range_s: tuple[float, float]) -> list[Guess]:
    """One more guess for each stretch of windows without evidence between, before or after those that have some.

    Neither clock runs backwards, so such a stretch can only lie in the IMU's time between its neighbours'.
    """
    rate = hypothesis.rate_hz
    path = best_path(windows)
    rows = np.arange(path.size)
    along = np.where(path >= 0, windows.nats[rows, path], 0.0)
    if along.sum() < SOUND_NATS:
        return []
    imu_s = windows.centre_s - windows.lag[rows, path] / rate
    begin_s = min(p.x_first for own in hypothesis.options for p in own.values()) / rate
    end_s = max(p.x_first + p.x.shape[0] for own in hypothesis.options for p in own.values()) / rate
    guesses = []
    usual = float(np.median(along[along > 0.0]))
    held = np.concatenate([[-1], np.flatnonzero(along > HELD * usual), [path.size]]).tolist()
    for before, after in itertools.pairwise(held):
        if after - before < 2:
            continue
        earliest_s = imu_s[before] + ADVANCE_S if before >= 0 else begin_s
        latest_s = imu_s[after] - ADVANCE_S if after < path.size else end_s
        guess = _best_lag(hypothesis, np.arange(before + 1, after), slope, (earliest_s, latest_s), range_s)
        if guess is not None:
            guesses.append(guess)
    return guesses


def _best_lag(
    hypothesis: Hypothesis,
    which: np.ndarray,
    slope: float,
    imu_s: tuple[float, float],
    range_s: tuple[float, float],
) -> Guess | None:
    """The lag with the most evidence in some windows, of those at which they lie in a stretch of the IMU's time; if
    it is worth a jump that wide.
    """
    rate = hypothesis.rate_hz
    starts, stops, share = _edges(hypothesis)
    length = int(stops[0] - starts[0])
    which = which[np.unique(np.linspace(0, which.size - 1, _ASKED).round().astype(np.int64))]
    starts = stops[which] - length
    centre_s = (starts + length / 2) / rate
    low_s, high_s = max(float(centre_s[0]) - imu_s[1], range_s[0]), min(float(centre_s[-1]) - imu_s[0], range_s[1])
    low, high = round(low_s * rate), round(high_s * rate)
    if high - low < 2:
        return None
    ref_s = float(centre_s.mean())
    drifted = np.round(slope * (centre_s - ref_s) * rate).astype(np.int64)
    found, _ = windows_evidence(hypothesis, starts, length, low + drifted, high - low + 1)
    at_s = centre_s[:, None] - np.arange(low, high + 1) / rate
    nats = np.where((at_s >= imu_s[0]) & (at_s <= imu_s[1]), np.maximum(summed(found), 0.0) * share[which, None], 0.0)
    total = maximum_filter1d(nats, 7, axis=1).sum(axis=0)  # windows agree to within 60 ms
    best = int(np.argmax(total))
    if total[best] < jump_nats(high_s - low_s):
        return None
    return Guess((low + best) / rate, slope, ref_s, float(total[best]), ())
