"""Follow the guessed lines of lag along the whole reference, window by window."""

from __future__ import annotations

import numpy as np

from kinebind.tasks.sync.hypothesis import Hypothesis, summed, windows_evidence
from kinebind.tasks.sync.pieces import Windows
from kinebind.tasks.sync.search import WHOLE_S, Guess

WINDOW_S = 20.0
HOP_S = 10.0
LONG_S = 600.0
LONG_HOP_S = 30.0
"""References longer than LONG_S are followed with a window every half minute: there is more than enough of them."""
BAND_S = 1.0
"""How far around an expected line windows are searched."""


def follow(hypothesis: Hypothesis, guesses: list[Guess]) -> Windows:
    """Evidence of windows all along the reference, around each guessed line."""
    rate = hypothesis.rate_hz
    length = hypothesis.stop - hypothesis.first
    if length <= WHOLE_S * rate:
        edges = [(hypothesis.first, hypothesis.stop)]
        share = 1.0
    else:
        hop_s = HOP_S if length <= LONG_S * rate else LONG_HOP_S
        width, hop = round(WINDOW_S * rate), round(hop_s * rate)
        edges = [(a, a + width) for a in range(hypothesis.first, hypothesis.stop - width + 1, hop)]
        edges[-1] = (edges[-1][0], hypothesis.stop)
        share = min(hop_s / WINDOW_S, 1.0)
    starts, stops = np.array(edges, dtype=np.int64).T
    centre_s = (starts + stops) / 2 / rate
    apart: list[Guess] = []
    for guess in guesses:  # what lies inside the band of a stronger line is found there
        if all(np.max(np.abs(guess.at(centre_s) - other.at(centre_s))) > 0.8 * BAND_S for other in apart):
            apart.append(guess)
    guesses = apart
    band = np.arange(-round(BAND_S * rate), round(BAND_S * rate) + 1)
    lag = np.zeros((len(edges), band.size * len(guesses)), dtype=np.int64)
    nats = np.zeros(lag.shape)
    for b, guess in enumerate(guesses):
        columns = slice(b * band.size, (b + 1) * band.size)
        middle = np.round(guess.at(centre_s) * rate).astype(np.int64)
        lag[:, columns] = middle[:, None] + band
        for length in np.unique(stops - starts):
            alike = stops - starts == length
            found, _ = windows_evidence(hypothesis, starts[alike], int(length), middle[alike] + band[0], band.size)
            nats[alike, columns] = summed(found) * share
    return Windows(centre_s, lag, nats, np.repeat(np.arange(len(guesses)), band.size))
