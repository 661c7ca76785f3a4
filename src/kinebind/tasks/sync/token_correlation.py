"""Normalised correlation of token sequences over all lags by FFT, where either may have gaps."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from kinebind.clock import FloatArray
from kinebind.tasks.sync.token_stream import BoolArray, Tokens

AnyArray = TypeVar("AnyArray", Tokens, BoolArray)

_BLOCK = 4  # lengths of x in a block of the overlap-save method


def lagged_cosine(
    x: Tokens, x_mask: BoolArray, y: Tokens, y_mask: BoolArray, first: int, last: int
) -> tuple[FloatArray, FloatArray]:
    """Cosine (K, N, L) of x[i] and y[i − lag] as whole sequences at lags first ... last, and the pairs both have.

    x (K, N, T, D): K windows of N parts; y (N, U, D); tokens are zero where masked. Masks (K, N, T), (N, U). The
    sequences are compared as one long vector each, so that moments in which nothing happens weigh little. Where no
    pair meets, or nothing changes, 0.

    >>> x = np.array([[[[0.0], [1.0], [-1.0], [2.0]]]])
    >>> here = np.ones((1, 1, 4), dtype=bool)
    >>> cosine, pairs = lagged_cosine(x, here, x[0, :, 1:], here[0, :, 1:], 0, 2)
    >>> cosine.round(3).tolist(), pairs.tolist()
    ([[[-0.866, 1.0, -0.949]]], [[[3.0, 3.0, 2.0]]])
    """
    # All that x[0 ... T − 1] meets at these lags; nothing beyond the ends of y.
    begin, end = -last, x.shape[2] - first
    y = _stretch(y, begin, end)
    here = x_mask[..., None].astype(np.float64)
    there = _stretch(y_mask[..., None], begin, end).astype(np.float64)
    x_power = np.sum(np.square(x, dtype=np.float64), axis=-1, keepdims=True)
    y_power = np.sum(np.square(y, dtype=np.float64), axis=-1, keepdims=True)
    pairs = np.round(_sliding(here, there))
    power = _sliding(x_power, there) * _sliding(here, y_power)
    # An FFT leaves rounding in place of zeros: power below it is none.
    least = 1e-12 * x_power.sum(axis=2) * y_power.sum(axis=1) + 1e-300
    known = (power > least) & (pairs > 0)
    together = _sliding(x, y).astype(np.float64)
    cosine = np.where(known, together / np.sqrt(np.where(known, power, 1.0)), 0.0)
    return np.clip(cosine, -1.0, 1.0)[..., ::-1], pairs[..., ::-1].astype(np.float64)


def _stretch(y: AnyArray, begin: int, end: int) -> AnyArray:
    """y[:, begin:end] along axis 1, zero where it lies outside."""
    out = np.zeros((y.shape[0], end - begin, y.shape[2]), dtype=y.dtype)
    a, b = max(begin, 0), min(end, y.shape[1])
    if a < b:
        out[:, a - begin : b - begin] = y[:, a:b]
    return out


def _sliding(x: Tokens, y: Tokens) -> Tokens:
    """Σ over i and D of x[k, n, i]·y[n, i + s] for all places s at which x (K, N, T, D) lies within y (N, S, D).

    By overlap-save: y in blocks a few times as long as x, each transformed once for all K windows.
    """
    windows, parts, length, _ = x.shape
    places = y.shape[1] - length + 1
    size = int(next_fast_len(min(_BLOCK * length, y.shape[1]), real=True))
    hop = size - length + 1
    blocks = -(-places // hop)
    padded = np.pad(y, ((0, 0), (0, (blocks - 1) * hop + size - min(y.shape[1], (blocks - 1) * hop + size)), (0, 0)))
    out = np.empty((windows, parts, places), dtype=x.dtype)
    for n in range(parts):
        cut = np.lib.stride_tricks.sliding_window_view(padded[n], size, axis=0)[::hop][:blocks]  # (blocks, D, size)
        of_y = rfft(cut, axis=2).transpose(2, 1, 0)  # (F, D, blocks)
        of_x = np.conj(rfft(x[:, n], size, axis=1)).transpose(1, 0, 2)  # (F, K, D)
        product = irfft(of_x @ of_y, size, axis=0)[:hop]  # (hop, K, blocks)
        out[:, n] = product.transpose(1, 2, 0).reshape(windows, -1)[:, :places]
    return out
