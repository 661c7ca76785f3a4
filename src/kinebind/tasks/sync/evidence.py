"""Evidence over lag: how much better one stream explains another at each lag than at none.

For each cue, the pose signal y(t + lag) is regressed on the sensor's signals x(t) over the samples that both have.
With a Gaussian prior on the coefficients and the noise level marginalised, the log Bayes factor against 'y has nothing
to do with x' is −½ log|I + n A| − ½ n log(1 − R²), where A is the normalised covariance of x, R² the share of y's
variance explained by the ridge solution, and n the number of independent samples in the overlap (Bishop 2006, §3.5).
It sums over cues and limbs, needs no threshold on the overlap, and charges a cue for its free coefficients.

Slow signals agree by chance: of two series with autocorrelations ρx and ρy, only one sample in Σ ρx(τ) ρy(τ) is
independent as far as their correlation goes (Bartlett 1946), which is the overlap of their power spectra.

All lags come at once from masked cross-correlations by FFT: sums over the overlap of 1, x, y, xxᵀ, yy, xy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from kinebind.clock import FloatArray

MIN_OVERLAP_S = 0.5
"""Lags with less common data than this have no evidence."""
_ROUNDING = 1e-6
"""Spread, in SI units, that no limb and no sensor stays below: what is left of a signal that stands still."""
_STEADY = 1e-6
"""Variance, as a share of the whole signal's, below which an overlap holds none: differences of large sums round."""


@dataclass(frozen=True)
class Cue:
    """One comparison: columns `x` of the sensor's matrix explain column `y` of the limb's.

    positive: only a positive coefficient makes sense (norm against norm, up against up), for a single column.
    weight: calibrated factor on the cue's evidence, below one because cues and neighbouring samples repeat each other.
    """

    name: str
    x: tuple[int, ...]
    y: int
    positive: bool
    weight: float


def lagged_evidence(
    x: FloatArray, y: FloatArray, cues: tuple[Cue, ...], first: int, last: int, rate_hz: float
) -> tuple[FloatArray, FloatArray]:
    """Evidence of each cue at each lag, nats (L, len(cues)), and seconds of overlap (L,).

    x (Tx, p): the sensor's signals, y (Ty, q): the limb's; both on one grid of `rate_hz`, NaN rows missing (a row
    counts only if it is whole). Lag l in [first, last], in samples, pairs x[t] with y[t + l].
    """
    count, sums = _masked_sums(x, y, cues, first, last)
    n = np.maximum(count, 1.0)
    out = np.zeros((count.size, len(cues)))
    for c, cue in enumerate(cues):
        xx, xy, yy, independent = sums[c]
        samples = np.maximum(count * independent, 1e-9)

        if len(cue.x) == 1:
            out[:, c] = _one_coefficient(xx[:, 0, 0] / n, xy[:, 0] / n, yy / n, samples, cue.positive)
        else:
            out[:, c] = _many_coefficients(xx / n[:, None, None], xy / n[:, None], yy / n, samples)
    out[count / rate_hz < MIN_OVERLAP_S] = 0.0
    return out * [cue.weight for cue in cues], count / rate_hz


def _one_coefficient(xx: FloatArray, xy: FloatArray, yy: FloatArray, n: FloatArray, positive: bool) -> FloatArray:
    """Log Bayes factor (L,) of y on one x, from their covariances over the overlap."""
    explained = xy * xy / (np.maximum(xx, _STEADY) * yy) * n / (n + 1.0)
    if positive:
        explained = np.where(xy > 0, explained, 0.0)
    return np.asarray(-0.5 * np.log1p(n) - 0.5 * n * np.log1p(-np.clip(explained, 0.0, 0.9999)))


def _many_coefficients(xx: FloatArray, xy: FloatArray, yy: FloatArray, n: FloatArray) -> FloatArray:
    """Log Bayes factor (L,) of y on several x: xx (L, p, p), xy (L, p), yy (L,)."""
    p = xx.shape[1]
    # Scale by the largest spread over all lags, one for all columns: up and ahead are parts of one rotation.
    size = np.maximum(np.max(np.trace(xx, axis1=1, axis2=2)) / p, _STEADY)
    precision = np.eye(p) + n[:, None, None] * xx / size
    moment = n[:, None] * xy / np.sqrt(size)
    factor = np.linalg.cholesky(precision)
    half = np.linalg.solve(factor, moment[..., None])[..., 0]
    explained = np.clip((half**2).sum(axis=1) / (n * yy), 0.0, 0.9999)
    log_volume = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(-log_volume - 0.5 * n * np.log1p(-explained))


def _masked_sums(
    x: FloatArray, y: FloatArray, cues: tuple[Cue, ...], first: int, last: int
) -> tuple[FloatArray, list[tuple[FloatArray, FloatArray, FloatArray, float]]]:
    """Overlap count (L,) and, per cue, the centred sums xx (L, p, p), xy (L, p), yy (L,) over the overlap, and the
    share of samples that are independent.
    """
    has_x, has_y = np.asarray(np.isfinite(x).all(axis=1)), np.asarray(np.isfinite(y).all(axis=1))
    # Centring and scaling first keeps the FFT's rounding far below the sums that matter.
    x, y = _standardised(x, has_x), _standardised(y, has_y)
    pairs = sorted({(i, j) for cue in cues for i in cue.x for j in cue.x if i <= j})
    size = next_fast_len(x.shape[0] + y.shape[0], real=True)
    lags = np.arange(first, last + 1)

    def spectrum(columns: list[FloatArray]) -> FloatArray:
        return np.asarray(rfft(np.stack(columns, axis=0), size, axis=1))

    p, q = x.shape[1], y.shape[1]
    x_columns = [has_x.astype(np.float64), *x.T, *(x[:, i] * x[:, j] for i, j in pairs)]
    y_columns = [has_y.astype(np.float64), *y.T, *(y.T**2)]
    fx, fy = np.conj(spectrum(x_columns)), spectrum(y_columns)
    # Pairs of spectra whose products are needed: (row of fx, row of fy).
    need = [(0, j) for j in range(1 + 2 * q)] + [(1 + i, 0) for i in range(p + len(pairs))]
    cross = sorted({(i, cue.y) for cue in cues for i in cue.x})
    need += [(1 + i, 1 + j) for i, j in cross]
    rows, columns = (list(side) for side in zip(*need, strict=True))
    sums = irfft(fx[rows] * fy[columns], size, axis=1)[:, lags % size]
    # A cyclic correlation repeats itself: lags at which the two do not meet must not show those at which they do.
    sums[:, (lags <= -x.shape[0]) | (lags >= y.shape[0])] = 0.0
    count = np.round(sums[0])
    n = np.maximum(count, 1.0)
    sum_y, sum_yy = sums[1 : 1 + q], sums[1 + q : 1 + 2 * q]
    sum_x, sum_xx = sums[1 + 2 * q : 1 + 2 * q + p], sums[1 + 2 * q + p : 1 + 2 * q + p + len(pairs)]
    sum_xy = sums[1 + 2 * q + p + len(pairs) :]
    centred_xx = {(i, j): sum_xx[k] - sum_x[i] * sum_x[j] / n for k, (i, j) in enumerate(pairs)}
    centred_xy = {(i, j): sum_xy[k] - sum_x[i] * sum_y[j] / n for k, (i, j) in enumerate(cross)}
    power_x, power_y = _power(fx[1 : 1 + p], size), _power(fy[1 : 1 + q], size)
    out = []
    for cue in cues:
        xx = np.stack([np.stack([centred_xx[min(i, j), max(i, j)] for j in cue.x], axis=-1) for i in cue.x], axis=-2)
        xy = np.stack([centred_xy[i, cue.y] for i in cue.x], axis=-1)
        yy = sum_yy[cue.y] - sum_y[cue.y] ** 2 / n
        common = float((power_x[list(cue.x)].mean(axis=0) * power_y[cue.y]).sum()) * size
        out.append((xx, xy, np.maximum(yy, _STEADY * n), 1.0 / max(common, 1.0)))
    return count, out


def _power(spectra: FloatArray, size: int) -> FloatArray:
    """Power spectra (n, size // 2 + 1) that sum to one over the two-sided spectrum's `size` bins."""
    power = np.abs(spectra) ** 2
    both_sides = np.full(power.shape[1], 2.0)
    both_sides[0] = 1.0
    if size % 2 == 0:
        both_sides[-1] = 1.0
    # Two one-sided spectra multiply to the two-sided product if each carries the root of the bins' count.
    total = (power * both_sides).sum(axis=1, keepdims=True)
    return np.asarray(power * np.sqrt(both_sides) / np.maximum(total, 1e-30))


def _standardised(values: FloatArray, valid: npt.NDArray[np.bool_]) -> FloatArray:
    """Columns centred and scaled by their valid rows; invalid rows are zero, and so are columns that never change."""
    if not valid.any():
        return np.zeros_like(values)
    mean = values[valid].mean(axis=0)
    spread = values[valid].std(axis=0)
    moves = spread > _ROUNDING
    return np.where(valid[:, None] & moves, (values - mean) / np.where(moves, spread, 1.0), 0.0)
