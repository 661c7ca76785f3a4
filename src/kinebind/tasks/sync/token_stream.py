"""Tokens of a stream along its whole length, however long, made from the windows that a model embeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError

BoolArray = npt.NDArray[np.bool_]
Tokens = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class TokenStream:
    """Aligned tokens of one stream, evenly spaced in time.

    tokens (P, N, T, D): N parts, T tokens of D dimensions, in P phases: phase p is the same stream embedded with its
    windows begun p/P of a token later. mask (P, N, T): tokens that say something. rate_hz: tokens a second in one
    phase. start_s: time of the first token of phase 0 on the stream's own clock.

    Raises InputError where shapes do not fit, or a token that counts is not finite.
    """

    tokens: Tokens
    mask: BoolArray
    rate_hz: float
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.tokens.ndim != 4 or self.mask.shape != self.tokens.shape[:3] or not self.tokens.size:
            raise InputError(
                f"Tokens {self.tokens.shape} and mask {self.mask.shape} do not fit, or are empty.",
                "Give tokens as (phases, parts, time, dimensions) and the mask as (phases, parts, time).",
            )
        if not 0 < self.rate_hz < np.inf or not np.isfinite(self.start_s):
            raise InputError(
                f"A token rate of {self.rate_hz} Hz from {self.start_s} s on is none.",
                "Give tokens a second (one over the patch's length), and the time of the first.",
            )
        if (self.mask & ~np.isfinite(self.tokens).all(axis=-1)).any():
            raise InputError("Some tokens are not finite.", "Mask the tokens of missing data.")

    @property
    def phases(self) -> int:
        """P, the phases of a token in which the stream was embedded."""
        return int(self.tokens.shape[0])

    @property
    def duration_s(self) -> float:
        """Seconds that the tokens cover."""
        return float(self.tokens.shape[2] / self.rate_hz)

    def centred(self) -> TokenStream:
        """The stream with each part's mean token taken away, over all phases; masked tokens are zero, float32.

        What all tokens share says nothing about the lag, and would make every lag look alike.
        """
        there = self.mask[..., None]
        tokens = np.where(there, self.tokens, 0.0).astype(np.float32)
        tokens -= (
            tokens.sum(axis=(0, 2), keepdims=True, dtype=np.float64) / np.maximum(there.sum(axis=(0, 2)), 1)[:, None]
        )
        tokens *= there
        return TokenStream(tokens, self.mask, self.rate_hz, self.start_s)


def stitched(windows: Tokens, mask: BoolArray, hop: int, place: Tokens | None = None) -> tuple[FloatArray, BoolArray]:
    """One sequence (N, T, D) and its mask (N, T) from the tokens (W, N, K, D) of windows that begin `hop` tokens apart.

    Where windows overlap, tokens that count are averaged. A token also carries its place in its window, from learned
    positions and from the convolution's edges; two streams cut into windows alike agree on that at every lag of whole
    windows. So the mean (N, K, D) of each place is taken away: `place`, from training data, or where None the mean of
    these windows, which costs short recordings some of their signal (1/W of it). Masked tokens are zero.

    >>> windows = np.array([[[[1.0], [2.0]]], [[[3.0], [6.0]]]])  # two windows of two tokens of one part
    >>> tokens, there = stitched(windows, np.ones((2, 1, 2), dtype=bool), hop=2)
    >>> tokens[0, :, 0].tolist()
    [-1.0, -2.0, 1.0, 2.0]
    >>> stitched(windows, np.ones((2, 1, 2), dtype=bool), 1, np.zeros((1, 2, 1)))[0][0, :, 0].tolist()
    [1.0, 2.5, 6.0]
    """
    if windows.ndim != 4 or mask.shape != windows.shape[:3] or not windows.size:
        raise InputError(
            f"Windows {windows.shape} and mask {mask.shape} do not fit, or are empty.",
            "Give tokens as (windows, parts, time, dimensions) and the mask as (windows, parts, time).",
        )
    count, parts, length, width = windows.shape
    if not 1 <= hop <= length:
        raise InputError(
            f"Windows of {length} tokens begin {hop} apart, so they leave gaps or stand still.",
            "Embed windows that follow each other or overlap; mask what is missing.",
        )
    if place is not None and place.shape != windows.shape[1:]:
        raise InputError(
            f"The mean of the places {place.shape} does not fit windows {windows.shape}.",
            "Give (parts, tokens of a window, dimensions), from the same model.",
        )
    there = mask[..., None]
    if place is None:
        known = np.maximum(there.sum(axis=0), 1)
        place = np.where(there, windows, 0.0).sum(axis=0, dtype=np.float64) / known
    total = np.zeros((parts, (count - 1) * hop + length, width))
    seen = np.zeros(total.shape[:2], dtype=np.int64)
    for w in range(count):
        at = slice(w * hop, w * hop + length)
        total[:, at] += np.where(there[w], windows[w] - place, 0.0)
        seen[:, at] += mask[w]
    return total / np.maximum(seen, 1)[..., None], seen > 0
