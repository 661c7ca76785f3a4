"""Windows that slide over tokens from the first to the last, each with its answer at its middle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.nn.universal import PER_TOKEN, RATE_HZ, TOKEN_S

_AT_ONCE = 256


@dataclass(frozen=True)
class SlidingWindows:
    """All in tokens: how many there are, how many a window has, and from one window to the next."""

    tokens: int
    size: int
    step: int

    @classmethod
    def over(cls, tokens: int, window_s: float, stride_s: float) -> SlidingWindows:
        """Windows over so many tokens; raises InputError where there is none."""
        if tokens < 1:
            raise InputError("The stream lasts less than a token of 0.1 s.", "Give a longer stretch.")
        return cls(tokens, max(1, round(window_s / TOKEN_S)), max(1, round(stride_s / TOKEN_S)))

    @property
    def stride_s(self) -> float:
        """From one window to the next."""
        return self.step * TOKEN_S

    @property
    def middles(self) -> range:
        """The tokens at whose beginnings windows have their middles: the first half a stride behind the beginning."""
        return range(min(self.step // 2, self.tokens - 1), self.tokens, self.step)

    def pieces(self, of: Tensor) -> Iterator[Tensor]:
        """Windows (K, N, size, ...) of a tensor (N, tokens, ...), some at a time; beyond the ends there is nothing."""
        before = self.size // 2
        padded = functional.pad(of, (*[0, 0] * (of.dim() - 2), before, self.size - before))
        middles = self.middles
        for k in range(0, len(middles), _AT_ONCE):
            yield torch.stack([padded[:, m : m + self.size] for m in middles[k : k + _AT_ONCE]])

    def time_s(self, first: int) -> FloatArray:
        """The windows' middles (K,), where the tokens begin at sample `first` of the grid of RATE_HZ."""
        off = 0.5 * self.size - self.size // 2
        return ((np.asarray(self.middles, dtype=np.float64) + off) * PER_TOKEN - 0.5 + first) / RATE_HZ

    def nothing_near(self, there: Tensor) -> np.ndarray:
        """(K,) bool: no token (tokens,) within half a stride of the window's middle is there."""
        near = max(1, self.step // 2)
        return np.array([not bool(there[max(0, m - near) : m + near].any()) for m in self.middles])
