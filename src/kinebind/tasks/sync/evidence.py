"""Evidence over lag: how much better one stream explains another at each lag than at none.

For each cue, the pose signal y(t + lag) is regressed on the sensor's signals x(t) over the samples that both have.
With a Gaussian prior on the coefficients and the noise level marginalised, the log Bayes factor against 'y has nothing
to do with x' is −½ log|I + n A| − ½ n log(1 − R²), where A is the normalised covariance of x, R² the share of y's
variance explained by the ridge solution, and n the number of independent samples in the overlap (Bishop 2006, §3.5).
It sums over cues and limbs, needs no threshold on the overlap, and charges a cue for its free coefficients.

Slow signals agree by chance: of two series with autocorrelations ρx and ρy, only one sample in Σ ρx(τ) ρy(τ) is
independent as far as their correlation goes (Bartlett 1946), which is the overlap of their power spectra.

All lags come at once, from sums over the overlap of 1, x, y, xxᵀ, yy, xy: the last by FFT, those of one side alone as
running sums.
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
_FEW_EDGES = 40
"""Beginnings and ends of unbroken stretches in a window, up to which running sums are faster than an FFT."""


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
    """Evidence of each cue at each lag, nats (..., L, len(cues)), and seconds of overlap (..., L).

    x (..., Tx, p): the sensor's signals, y (..., Ty, q): the limb's; both on one grid of `rate_hz`, NaN rows missing
    (a row counts only if it is whole). Lag l in [first, last], in samples, pairs x[t] with y[t + l]. Leading axes are
    windows, each looked at by itself.
    """
    count, sums = _masked_sums(x, y, cues, first, last)
    n = np.maximum(count, 1.0)
    out = np.zeros((*count.shape, len(cues)))
    for c, cue in enumerate(cues):
        xx, xy, yy, independent = sums[c]
        samples = np.maximum(count * independent[..., None], 1e-9)

        if len(cue.x) == 1:
            out[..., c] = _one_coefficient(xx[..., 0, 0, :] / n, xy[..., 0, :] / n, yy / n, samples, cue.positive)
        else:
            each = n[..., None, :]
            out[..., c] = _many_coefficients(xx / each[..., None, :], xy / each, yy / n, samples)
    out[count / rate_hz < MIN_OVERLAP_S] = 0.0
    return out * [cue.weight for cue in cues], count / rate_hz


def _one_coefficient(xx: FloatArray, xy: FloatArray, yy: FloatArray, n: FloatArray, positive: bool) -> FloatArray:
    """Log Bayes factor (..., L) of y on one x, from their covariances over the overlap."""
    explained = xy * xy / (np.maximum(xx, _STEADY) * yy) * n / (n + 1.0)
    if positive:
        explained = np.where(xy > 0, explained, 0.0)
    return np.asarray(-0.5 * np.log1p(n) - 0.5 * n * np.log1p(-np.clip(explained, 0.0, 0.9999)))


def _many_coefficients(xx: FloatArray, xy: FloatArray, yy: FloatArray, n: FloatArray) -> FloatArray:
    """Log Bayes factor (..., L) of y on several x: xx (..., p, p, L), xy (..., p, L), yy and n (..., L)."""
    p = xy.shape[-2]
    # Scale by the largest spread over all lags, one for all columns: up and ahead are parts of one rotation.
    spread = np.trace(xx, axis1=-3, axis2=-2).max(axis=-1) / p
    size = np.maximum(spread, _STEADY)[..., None]
    precision = (n / size)[..., None, None, :] * xx + np.eye(p)[..., None]
    moment = (n / np.sqrt(size))[..., None, :] * xy
    # Elimination of one column after the other, at all lags at once: a library solves such small systems one by one.
    log_volume, explained = np.zeros_like(n), np.zeros_like(n)
    for k in range(p):
        pivot = precision[..., k, k, :]
        log_volume += 0.5 * np.log(pivot)
        explained += moment[..., k, :] ** 2 / pivot
        share = precision[..., k + 1 :, k, :] / pivot[..., None, :]
        precision[..., k + 1 :, k + 1 :, :] -= share[..., :, None, :] * precision[..., k : k + 1, k + 1 :, :]
        moment[..., k + 1 :, :] -= share * moment[..., k : k + 1, :]
    explained = np.clip(explained / (n * yy), 0.0, 0.9999)
    return np.asarray(-log_volume - 0.5 * n * np.log1p(-explained))


def _masked_sums(
    x: FloatArray, y: FloatArray, cues: tuple[Cue, ...], first: int, last: int
) -> tuple[FloatArray, list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]]]:
    """Overlap count (..., L) and, per cue, the centred sums xx (..., p, p, L), xy (..., p, L), yy (..., L) over the
    overlap, and the share of samples that are independent (...).
    """
    # Centring and scaling first keeps the rounding far below the sums that matter.
    (x, has_x), (y, has_y) = _standardised(x), _standardised(y)
    p, q = x.shape[-2], y.shape[-2]
    pairs = sorted({(i, j) for cue in cues for i in cue.x for j in cue.x if i <= j})
    cross = sorted({(i, cue.y) for cue in cues for i in cue.x})
    squares = x[..., [i for i, _ in pairs], :] * x[..., [j for _, j in pairs], :]
    where_x = _sums_where(has_x, np.concatenate([has_y[..., None, :], y, y * y], axis=-2), first, last)
    where_y = _sums_where(has_y, np.concatenate([x, squares], axis=-2), -last, -first)[..., ::-1]
    count, sum_y, sum_yy = np.round(where_x[..., 0, :]), where_x[..., 1 : 1 + q, :], where_x[..., 1 + q :, :]
    n = np.maximum(count, 1.0)[..., None, :]
    size = next_fast_len(x.shape[-1] + y.shape[-1], real=True)
    fx, fy = rfft(x, size), rfft(y, size)
    i, j = (list(side) for side in zip(*cross, strict=True))
    sum_xy = at_lags(irfft(np.conj(fx[..., i, :]) * fy[..., j, :], size), x.shape[-1], y.shape[-1], first, last)
    centred_xy = sum_xy - where_y[..., i, :] * sum_y[..., j, :] / n
    i, j = (list(side) for side in zip(*pairs, strict=True))
    centred_xx = where_y[..., p:, :] - where_y[..., i, :] * where_y[..., j, :] / n
    centred_yy = sum_yy - sum_y**2 / n
    common = _power(fx, size) @ np.swapaxes(_power(fy, size), -1, -2) * size
    out = []
    for cue in cues:
        squared = [[pairs.index((min(i, j), max(i, j))) for j in cue.x] for i in cue.x]
        xy = centred_xy[..., [cross.index((i, cue.y)) for i in cue.x], :]
        yy = np.maximum(centred_yy[..., cue.y, :], _STEADY * n[..., 0, :])
        alike = common[..., list(cue.x), cue.y].mean(axis=-1)
        out.append((centred_xx[..., squared, :], xy, yy, 1.0 / np.maximum(alike, 1.0)))
    return count, out


def _sums_where(mask: npt.NDArray[np.bool_], values: FloatArray, first: int, last: int) -> FloatArray:
    """Σ_t mask[t] values[t + l] (..., k, L) over lags l in [first, last]; mask (..., T), values (..., k, U)."""
    length, lags = values.shape[-1], last - first + 1
    edges = np.diff(mask.astype(np.int8), axis=-1, prepend=0, append=0).reshape(-1, mask.shape[-1] + 1)
    window, at = np.nonzero(edges)
    if window.size > _FEW_EDGES * edges.shape[0]:
        size = next_fast_len(mask.shape[-1] + length, real=True)
        spectrum = np.conj(rfft(mask.astype(np.float64), size))[..., None, :] * rfft(values, size)
        return at_lags(irfft(spectrum, size), mask.shape[-1], length, first, last)
    # From one lag to the next, the sum over an unbroken stretch of the mask gains a value and loses one.
    left, right = max(0, -first), max(0, mask.shape[-1] + last - length)
    values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(left, right)]) if left or right else values
    flat = values.reshape(-1, *values.shape[-2:])
    steps = np.zeros((*flat.shape[:2], lags))
    for w, begin, end in zip(window[::2], at[::2] + first + left, at[1::2] + first + left, strict=True):
        steps[w, :, 0] += flat[w, :, begin:end].sum(axis=-1)
        steps[w, :, 1:] += flat[w, :, end : end + lags - 1]
        steps[w, :, 1:] -= flat[w, :, begin : begin + lags - 1]
    return np.cumsum(steps, axis=-1, out=steps).reshape((*values.shape[:-1], lags))


def at_lags(cyclic: FloatArray, length_x: int, length_y: int, first: int, last: int) -> FloatArray:
    """Lags [first, last] (..., L) of a cyclic correlation (..., size) of streams of these lengths."""
    out = np.zeros((*cyclic.shape[:-1], last - first + 1))
    # A cyclic correlation repeats itself: lags at which the two do not meet must not show those at which they do.
    for low, high, turn in ((1 - length_x, -1, cyclic.shape[-1]), (0, length_y - 1, 0)):
        a, b = max(first, low), min(last, high)
        if a <= b:
            out[..., a - first : b - first + 1] = cyclic[..., a + turn : b + turn + 1]
    return out


def _power(spectra: FloatArray, size: int) -> FloatArray:
    """Power spectra (..., n, size // 2 + 1) that sum to one over the two-sided spectrum's `size` bins."""
    power = spectra.real**2 + spectra.imag**2
    both_sides = np.full(power.shape[-1], 2.0)
    both_sides[0] = 1.0
    if size % 2 == 0:
        both_sides[-1] = 1.0
    # Two one-sided spectra multiply to the two-sided product if each carries the root of the bins' count.
    total = power @ both_sides
    return np.asarray(power * (np.sqrt(both_sides) / np.maximum(total, 1e-30)[..., None]))


def _standardised(values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Columns of (..., T, p) as rows (..., p, T), centred and scaled by their valid samples, and which these are
    (..., T). Invalid samples are zero, and so are columns that never change.
    """
    samples = np.ascontiguousarray(np.swapaxes(values, -1, -2))
    valid = np.asarray(np.isfinite(samples).all(axis=-2))
    known = valid[..., None, :]
    count = np.maximum(np.count_nonzero(valid, axis=-1), 1)[..., None, None]
    samples = np.where(known, samples, 0.0)
    samples -= samples.sum(axis=-1, keepdims=True) / count
    samples *= known
    spread = np.sqrt(np.einsum("...t,...t->...", samples, samples)[..., None] / count)
    moves = spread > _ROUNDING
    samples *= moves / np.where(moves, spread, 1.0)
    return samples, valid
