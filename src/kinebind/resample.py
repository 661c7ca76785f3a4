"""Resampling that does not lie: no aliasing, rotations stay rotations, gaps stay gaps."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.interpolate import CubicSpline, make_interp_spline
from scipy.signal import butter, sosfiltfilt

from kinebind.clock import FloatArray, median_rate_hz

_ORDER = 4  # Butterworth, run forwards and backwards: no phase, 48 dB per octave


def default_max_gap_s(time_s: FloatArray) -> float:
    """Longest step over which a stream still counts as unbroken: 2.5 periods, at least 50 ms."""
    return max(2.5 * float(np.median(np.diff(time_s))), 0.05)


def valid_runs(time_s: FloatArray, valid: np.ndarray, max_gap_s: float) -> list[tuple[int, int]]:
    """Index ranges [start, stop) into the valid samples' own list, split where a step exceeds `max_gap_s`.

    time_s (T,), valid (T,) bool. The ranges index `time_s[valid]`; runs of one sample are dropped.
    """
    t = time_s[valid]
    if t.size < 2:
        return []
    cuts = np.flatnonzero(np.diff(t) > max_gap_s) + 1
    edges = np.concatenate([[0], cuts, [t.size]])
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges) if b - a >= 2]


def low_pass(values: FloatArray, rate_hz: float, cutoff_hz: float) -> FloatArray:
    """Zero-phase low-pass along axis 0 of uniformly sampled values (T, ...); −3 dB at `cutoff_hz`.

    A cutoff at or above 0.49 of the rate leaves the values as they are. Short series are padded by reflection
    as far as they reach.
    """
    if cutoff_hz >= 0.49 * rate_hz or values.shape[0] < 4:
        return values
    # Each of the two passes has −1.5 dB at the cutoff so that both together have −3 dB.
    widened = cutoff_hz * (np.sqrt(2.0) - 1.0) ** (-1.0 / (2 * _ORDER))
    sos = butter(_ORDER, min(widened, 0.49 * rate_hz), fs=rate_hz, output="sos")
    pad = min(values.shape[0] - 1, int(3 * rate_hz / cutoff_hz))
    return np.asarray(sosfiltfilt(sos, values, axis=0, padlen=pad))


def _uniform(t: FloatArray, rate_hz: float) -> FloatArray:
    n = max(int(np.ceil((t[-1] - t[0]) * rate_hz - 1e-9)) + 1, 2)
    return np.linspace(t[0], t[-1], n)


def resample_vectors(
    time_s: FloatArray,
    values: FloatArray,
    new_time_s: FloatArray,
    *,
    cutoff_hz: float | None = None,
    max_gap_s: float | None = None,
) -> FloatArray:
    """Values at other times by cubic splines, low-passed first where the new rate is lower.

    time_s (T,), values (T, ...), new_time_s (U,), all seconds; returns (U, ...).
    cutoff_hz: low-pass before sampling; by default 0.4 of the new rate where that is below the old rate's
    Nyquist frequency, else none. max_gap_s: longest step that is bridged (`default_max_gap_s`).
    Missing samples (NaN in any component of a row, judged per trailing column) and gaps give NaN: nothing is
    extrapolated and no gap is filled.
    """
    flat = np.asarray(values, dtype=np.float64).reshape(values.shape[0], -1)
    out = np.full((new_time_s.size, flat.shape[1]), np.nan)
    gap = default_max_gap_s(time_s) if max_gap_s is None else max_gap_s
    old_rate = median_rate_hz(time_s)
    if cutoff_hz is None and new_time_s.size > 1:
        new_rate = median_rate_hz(new_time_s)
        cutoff_hz = 0.4 * new_rate if new_rate < 0.99 * old_rate else None
    finite = np.isfinite(flat)
    # Columns that are missing at the same places share one pass.
    patterns, group = np.unique(finite, axis=1, return_inverse=True)
    group = np.ravel(group)
    for g in range(patterns.shape[1]):
        columns = np.flatnonzero(group == g)
        valid = patterns[:, g]
        t, v = time_s[valid], flat[np.ix_(valid, columns)]
        for a, b in valid_runs(time_s, valid, gap):
            inside = np.flatnonzero((new_time_s >= t[a] - 1e-9) & (new_time_s <= t[b - 1] + 1e-9))
            if inside.size == 0:
                continue
            tt, vv = t[a:b], v[a:b]
            if cutoff_hz is not None and cutoff_hz < 0.45 * old_rate:
                grid = _uniform(tt, old_rate)
                vv = low_pass(_spline(tt, vv)(grid), (grid.size - 1) / (grid[-1] - grid[0]), cutoff_hz)
                tt = grid
            out[np.ix_(inside, columns)] = _spline(tt, vv)(np.clip(new_time_s[inside], tt[0], tt[-1]))
    return out.reshape((new_time_s.size, *values.shape[1:]))


def _spline(t: FloatArray, v: FloatArray) -> CubicSpline:
    return CubicSpline(t, v, axis=0) if t.size >= 4 else make_interp_spline(t, v, k=1, axis=0)


def continuous_quaternions(quat_xyzw: FloatArray) -> FloatArray:
    """The same rotations (T, ..., 4) with signs chosen so that neighbours in time never point apart.

    NaN rows are left as they are and do not break the chain.
    """
    q = np.array(quat_xyzw, dtype=np.float64)
    flat = q.reshape(q.shape[0], -1, 4)
    for j in range(flat.shape[1]):
        valid = np.flatnonzero(np.isfinite(flat[:, j]).all(axis=-1))
        if valid.size > 1:
            dots = np.einsum("ti,ti->t", flat[valid[1:], j], flat[valid[:-1], j])
            sign = np.cumprod(np.concatenate([[1.0], np.where(dots < 0, -1.0, 1.0)]))
            flat[valid, j] *= sign[:, None]
    return flat.reshape(q.shape)


def resample_rotations(
    time_s: FloatArray,
    quat_xyzw: FloatArray,
    new_time_s: FloatArray,
    *,
    cutoff_hz: float | None = None,
    max_gap_s: float | None = None,
) -> FloatArray:
    """Rotations at other times, on SO(3): unit quaternions (T, ..., 4), scalar last, to (U, ..., 4).

    The sign-continuous quaternions are splined and normalised, which for steps far below a half turn differs
    from the geodesic by a fourth-order term; low-pass, gaps and missing samples as in `resample_vectors`.
    """
    q = resample_vectors(
        time_s, continuous_quaternions(quat_xyzw), new_time_s, cutoff_hz=cutoff_hz, max_gap_s=max_gap_s
    )
    with np.errstate(invalid="ignore"):
        q /= np.linalg.norm(q, axis=-1, keepdims=True)
    return q
