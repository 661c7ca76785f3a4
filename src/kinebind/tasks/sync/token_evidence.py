"""The universal model's tokens as evidence on lags, beside the plain cues'.

At a lag the tokens of a sensor and of a limb have a cosine c over what both have. If the limb's tokens are explained
by the sensor's up to noise, the share of their energy that is explained is c², and the log Bayes factor against
'nothing to do with each other' is the same as of one plain cue (`evidence`): −½ log(1 + n) − ½ n log(1 − c²), with n
the number of tokens in the overlap that count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from kinebind.clock import FloatArray
from kinebind.tasks.sync.evidence import MIN_OVERLAP_S, at_lags

Float32 = npt.NDArray[np.float32]

TOKEN_S = 0.1
"""How far apart a sensor's tokens are: that of `kinebind.nn.universal`, which brings torch and so is not imported."""
TOKENS_PER_S = 60.0
"""Tokens that a second counts for: how much the model's agreement counts. More than there are independent ones, since
what it is added to counts too much as well: cues repeat each other."""
CUES_BESIDE = 0.5
"""Factor on the plain cues' evidence where the model has its say. Both were chosen on development data."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """Tokens (T, D) on the grid's points, NaN rows where there are none; row 0 is at grid index `first`."""

    first: int
    rows: Float32


@dataclass(frozen=True, eq=False)
class TokenPair:
    """A sensor's tokens, every 0.1 s, and a limb's, on every point, each on its own clock's grid."""

    x: Tokens
    y: Tokens


def token_evidence(
    x: FloatArray | Float32,
    y: FloatArray | Float32,
    first: int,
    last: int,
    per_s: float = TOKENS_PER_S,
) -> FloatArray:
    """Evidence (..., L) in nats at lags [first, last], in samples, which pair x[t] with y[t + l].

    x (..., Tx, D), y (..., Ty, D): tokens on one grid, NaN rows missing; x's are TOKEN_S apart.
    per_s: tokens that a second of overlap counts for. Leading axes are windows, each looked at by itself.
    """
    has_x, has_y = np.isfinite(x[..., 0]), np.isfinite(y[..., 0])
    x, y = (np.where(h[..., None], v, 0.0) for h, v in ((has_x, x), (has_y, y)))
    length_x, length_y = x.shape[-2], y.shape[-2]
    size = next_fast_len(length_x + length_y, real=True)

    def lagged(a: FloatArray, b: FloatArray) -> FloatArray:
        return at_lags(irfft(np.conj(a) * b, size), length_x, length_y, first, last)

    masks = rfft(has_x.astype(np.float64), size), rfft(has_y.astype(np.float64), size)
    squares = (rfft(np.einsum("...td,...td->...t", v, v).astype(np.float64), size) for v in (x, y))
    square_x, square_y = squares
    product = np.einsum("...fd,...fd->...f", np.conj(rfft(x, size, axis=-2)), rfft(y, size, axis=-2))
    xy = at_lags(irfft(product, size), length_x, length_y, first, last)
    count = np.round(lagged(*masks))
    xx, yy = lagged(square_x, masks[1]), lagged(masks[0], square_y)
    # Rounding of the transforms must not make something of nothing.
    floor = 1e-6 * (xx.max(axis=-1, keepdims=True) * yy.max(axis=-1, keepdims=True)) + 1e-12
    cosine = np.clip(xy / np.sqrt(np.maximum(xx * yy, floor)), 0.0, 0.99)
    overlap_s = TOKEN_S * count
    n = overlap_s * per_s
    nats = -0.5 * np.log1p(n) - 0.5 * n * np.log1p(-(cosine**2))
    return np.asarray(np.where(overlap_s >= MIN_OVERLAP_S - 0.5 * TOKEN_S, nats, 0.0))
