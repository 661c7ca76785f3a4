"""Resampling that does not lie: no aliasing, rotations stay rotations, gaps stay gaps."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpttrf, dpttrs
from scipy.signal import butter, sosfiltfilt

from kinebind.clock import FloatArray, median_rate_hz

IntArray = npt.NDArray[np.int64]

_STEEP = 8  # order of the filter against aliasing: what folds below 0.4 of the new rate is 48 dB down
_REACH = 14  # samples after which a cubic spline has forgotten its neighbours: 0.27 ** 14 = 1e-8
_MEMORY = 6.0  # periods of the cutoff after which that filter has forgotten its neighbours to 1e-5


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


def low_pass(values: FloatArray, rate_hz: float, cutoff_hz: float, *, order: int = 4) -> FloatArray:
    """Zero-phase low-pass along axis 0 of uniformly sampled values (T, ...); −3 dB at `cutoff_hz`.

    A Butterworth filter of the given order, run forwards and backwards. A cutoff at or above 0.49 of the rate
    leaves the values as they are. Short series are padded by reflection as far as they reach.
    """
    if cutoff_hz >= 0.49 * rate_hz or values.shape[0] < 4:
        return values
    # Each of the two passes has −1.5 dB at the cutoff so that both together have −3 dB.
    widened = cutoff_hz * (np.sqrt(2.0) - 1.0) ** (-1.0 / (2 * order))
    sos = _butterworth(order, float(min(widened, 0.49 * rate_hz)), float(rate_hz))
    pad = min(values.shape[0] - 1, int(3 * rate_hz / cutoff_hz))
    return np.asarray(sosfiltfilt(sos, values, axis=0, padlen=pad))


@functools.lru_cache(maxsize=256)
def _butterworth(order: int, cutoff_hz: float, rate_hz: float) -> FloatArray:
    """Second-order sections; designing them takes as long as filtering a short series."""
    return np.asarray(butter(order, cutoff_hz, fs=rate_hz, output="sos"))


def whole_rows(values: FloatArray) -> np.ndarray:
    """Which rows of (T, ...) have no missing number, (T,): column by column, far faster than along short rows."""
    columns = np.isfinite(values).reshape(values.shape[0], -1).T
    return functools.reduce(np.logical_and, columns, np.ones(values.shape[0], dtype=bool))


def runs_of(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and stop index of each unbroken run of True in a mask (T,).

    >>> list(runs_of(np.array([True, False, True, True])))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    for first, stop in edges.reshape(-1, 2):
        yield int(first), int(stop)


def over_runs(values: FloatArray, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """`function` applied along axis 0 to each unbroken run of rows (U, ...) without NaN; NaN rows stay."""
    valid = whole_rows(values)
    if valid.all():
        return function(values)
    out = np.full_like(values, np.nan)
    for first, stop in runs_of(valid):
        out[first:stop] = function(values[first:stop])
    return out


def resample_vectors(
    time_s: FloatArray,
    values: FloatArray,
    new_time_s: FloatArray,
    *,
    cutoff_hz: float | None = None,
    max_gap_s: float | None = None,
) -> FloatArray:
    """Values at other times by natural cubic splines, low-passed first where the new rate is lower.

    time_s (T,), values (T, ...), new_time_s (U,) increasing, all seconds; returns (U, ...).
    cutoff_hz: low-pass (−3 dB) before sampling; by default 0.4 of the new rate where that is below the old rate,
    else none. max_gap_s: longest step that is bridged (`default_max_gap_s`).
    Missing samples (NaN, judged per trailing column) and absent ones are alike: a stretch without samples up to
    `max_gap_s` is bridged, a longer one gives NaN. Nothing is extrapolated, and what lies beyond a longer one
    changes nothing. A sinusoid of f Hz in samples of rate r comes out with an error below 4 (f / (r − f))⁴ of
    its amplitude, and below 10 (f / r)² within a few samples of an end.
    """
    flat = np.asarray(values, dtype=np.float64).reshape(values.shape[0], -1)
    out = np.full((new_time_s.size, flat.shape[1]), np.nan)
    gap_s = default_max_gap_s(time_s) if max_gap_s is None else max_gap_s
    rate_hz = median_rate_hz(time_s)
    if cutoff_hz is None and new_time_s.size > 1:
        new_rate_hz = median_rate_hz(new_time_s)
        cutoff_hz = 0.4 * new_rate_hz if new_rate_hz < 0.99 * rate_hz else None
    if cutoff_hz is not None and cutoff_hz >= 0.45 * rate_hz:
        cutoff_hz = None
    for columns, valid in _missing_alike(np.isfinite(flat)):
        runs = np.array(valid_runs(time_s, valid, gap_s), dtype=np.intp).reshape(-1, 2)
        t, rows = time_s[valid], np.flatnonzero(valid)
        start, end = runs[:, 0], runs[:, 1] - 1
        run = np.searchsorted(t[start] - 1e-9, new_time_s, side="right") - 1
        inside = np.flatnonzero((run >= 0) & (new_time_s <= np.append(t[end], -np.inf)[run] + 1e-9))
        if inside.size == 0:
            continue
        run = run[inside]
        reach = _REACH if cutoff_hz is None else _REACH + int(np.ceil(_MEMORY * rate_hz / cutoff_hz))
        laid = _end_to_end(t, start, end, reach, 1.0 / rate_hz)
        local_s = np.clip(new_time_s[inside], t[start][run], t[end][run]) - t[start][run]
        at_s = laid.origin_s[run] + local_s
        if cutoff_hz is not None:
            grid_s = np.arange(laid.axis_s[0], laid.axis_s[-1], 1.0 / rate_hz)
            onto_grid, onto_new = _spline(laid.axis_s, grid_s), _spline(grid_s, at_s)
        else:
            onto_new = _spline(laid.axis_s, at_s)
        for column in columns:
            v = flat[rows, column]
            first, slope = v[start], (v[end] - v[start]) / (t[end] - t[start])
            rest = laid.sign * (v[laid.sample] - first[laid.run] - slope[laid.run] * laid.own_s)
            if cutoff_hz is not None:
                rest = low_pass(onto_grid(rest), rate_hz, cutoff_hz, order=_STEEP)
            out[inside, column] = first[run] + slope[run] * local_s + onto_new(rest)
    return out.reshape((new_time_s.size, *values.shape[1:]))


def _missing_alike(finite: np.ndarray) -> Iterator[tuple[list[int], np.ndarray]]:
    """Columns of `finite` (T, C) that are missing at the same places, and their valid rows (T,)."""
    alike: dict[bytes, list[int]] = {}
    for column in range(finite.shape[1]):
        alike.setdefault(np.packbits(finite[:, column]).tobytes(), []).append(column)
    for columns in alike.values():
        yield columns, finite[:, columns[0]]


@dataclass(frozen=True, eq=False)
class _Laid:
    """All runs on one axis, so that one spline and one filter serve a stream with thousands of gaps.

    axis_s (N,): the axis, seconds. run, sample, own_s, sign (N,): which run a point belongs to, which valid sample
    it repeats, how long after its run's first one that is, and whether turned round. origin_s (R,): where on the
    axis each run starts.
    """

    axis_s: FloatArray
    run: IntArray
    sample: IntArray
    own_s: FloatArray
    sign: FloatArray
    origin_s: FloatArray


def _end_to_end(t: FloatArray, start: IntArray, end: IntArray, reach: int, step_s: float) -> _Laid:
    """Lay runs end to end: t (V,) times of the valid samples; start, end (R,) first and last index of each run.

    What is laid is the difference from the straight line from a run's first to its last value, continued by `reach`
    samples at both ends by odd reflection: that makes the spline natural there and keeps out what lies beyond the
    gap. Runs start at multiples of `step_s`.
    """
    last = end - start
    length = last + 1 + 2 * reach
    begin = np.cumsum(length) - length
    run = np.repeat(np.arange(last.size), length)
    k = np.arange(run.size) - begin[run] - reach
    turn = k % (2 * last[run])
    back = turn > last[run]
    steps = np.where(back, 2 * last[run] - turn, turn)
    sample = start[run] + steps
    own_s = t[sample] - t[start][run]
    sign = np.where(back, -1.0, 1.0)
    mean_step_s = ((t[end] - t[start]) / last)[run]
    local_s = mean_step_s * k + sign * (own_s - mean_step_s * steps)
    room_s = np.concatenate([[0.0], local_s[begin[1:] - 1] - local_s[begin[1:]]])
    origin_s = np.cumsum(np.ceil(room_s / step_s + 1.0)) * step_s
    return _Laid(local_s + origin_s[run], run, sample, own_s, sign, origin_s)


def _spline(axis_s: FloatArray, at_s: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """The natural cubic spline through values (N,) at `axis_s` (N,), as a function of them that gives it at `at_s`.

    All that depends on the times alone is done once; libraries do it for each set of values, or store four
    coefficients a value. In a step of length h, with b the share of it that is past and a = 1 − b, the spline is
    a v₀ + b v₁ + h² ((a³ − a) v₀″ + (b³ − b) v₁″) / 6 (Press et al. 2007, §3.3).
    """
    step_s = np.diff(axis_s)
    diagonal, beside, _ = dpttrf(2.0 * (step_s[1:] + step_s[:-1]), step_s[1:-1])
    left = np.clip(np.searchsorted(axis_s, at_s, side="right") - 1, 0, axis_s.size - 2)
    h = step_s[left]
    b = (at_s - axis_s[left]) / h
    a = 1.0 - b
    bend_a, bend_b = h**2 * (a**3 - a), h**2 * (b**3 - b)

    def through(values: FloatArray) -> FloatArray:
        bend = np.zeros(values.size)  # a sixth of the second derivative
        bend[1:-1] = dpttrs(diagonal, beside, np.diff(np.diff(values) / step_s))[0]
        return a * values[left] + b * values[left + 1] + bend_a * bend[left] + bend_b * bend[left + 1]

    return through


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

    The sign-continuous quaternions are splined and normalised: a turn about a fixed axis stays about that axis,
    and for steps far below a half turn its angle differs from the true one by a fourth-order term. Low-pass, gaps
    and missing samples as in `resample_vectors`.
    """
    q = resample_vectors(
        time_s, continuous_quaternions(quat_xyzw), new_time_s, cutoff_hz=cutoff_hz, max_gap_s=max_gap_s
    )
    with np.errstate(invalid="ignore"):
        q /= np.linalg.norm(q, axis=-1, keepdims=True)
    return q
