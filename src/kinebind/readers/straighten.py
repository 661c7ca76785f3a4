"""Jittered, repeated and coarse timestamps, straightened by the sensor's own even sampling."""

from __future__ import annotations

import itertools

import numpy as np

from kinebind.clock import FloatArray

_PAUSE_S = 2.0  # over a longer gap, samples are not counted on: a new line starts
_REACH_S = 5.0  # a clock is a straight line to far below a millisecond over this time
_SHORTEST_S = 1e-6
_HARMLESS = 0.02  # jitter in periods that is left as it is


def straighten(time_s: FloatArray, *, rate_hz: float | None = None) -> tuple[FloatArray, str]:
    """Strictly increasing times for samples in order, and a sentence on what was done ("" where nothing).

    time_s (n,): non-decreasing seconds. rate_hz: nominal rate, used where it agrees with the data within 5 %.
    A sensor samples evenly; the host stamps what arrives, late, in bursts, in whole milliseconds or seconds.
    So a line is fitted to time over sample number, locally (±5 s) and robustly, samples that were lost counted
    in. Where the times do not scatter about such a line (uneven sampling), only repeats are spread apart. Samples
    that come faster than 1 MHz are left as they are.
    """
    step = np.diff(time_s)
    repeats = int(np.count_nonzero(step <= 0))
    period = _period(time_s, rate_hz)
    if period < _SHORTEST_S:  # all times are one, as far as can be told
        return time_s, ""
    if repeats == 0 and _misfit(step, period) <= _HARMLESS:
        return time_s, ""
    # Where samples are lost often, the plain steps tell the period better; in bursts, the long slope does.
    single = step[(step > 0.5 * period) & (step < 1.5 * period)]
    periods = {period, float(single.mean())} if rate_hz is None and single.size else {period}
    tries = [found for p in sorted(periods) if (found := _fit(time_s, step, p)) is not None]
    if tries:
        # The long slope has the say unless the other period fits far better.
        rms, fit = min(tries, key=lambda found: found[0] * (1.0 if found[2] == period else 1.5))[:2]
        again = f" and repeat ({repeats})" if repeats else ""
        rate = 1.0 / float(np.median(np.diff(fit)))
        return fit, f"Times jitter by {rms * 1e3:.1f} ms (rms){again}; they were straightened ({rate:.2f} Hz)."
    if repeats:
        return _spread(time_s, period), f"Times repeat ({repeats}); those samples were spread evenly to the next time."
    return time_s, ""


def _misfit(step: FloatArray, period: float) -> float:
    """How far steps lie from whole numbers of periods, in periods (95 % quantile)."""
    error = step - np.maximum(np.rint(step / period), 1.0) * period
    return float(np.quantile(np.abs(error), 0.95)) / period


def _fit(t: FloatArray, step: FloatArray, period: float) -> tuple[float, FloatArray, float] | None:
    """RMS of the times about the line of an evenly sampling sensor, that line, and the period that it started
    from; None where the sampling is not even."""
    counts, bursts = np.maximum(np.rint(step / period), 1.0), False
    if _misfit(step, period) > 0.35:
        counts, bursts = _counts_in_scatter(t, period)
    burst_s = float(np.max(step[counts == 1], initial=period))
    number = np.concatenate([[0.0], np.cumsum(counts)])
    fit = _local_line(t, number, period, max(_REACH_S, 20.0 * burst_s))
    residual = t - fit
    residual -= np.median(residual)
    rms = float(np.sqrt(np.mean(residual**2)))
    scatter = float(np.sqrt(np.mean((step - counts * period) ** 2)))
    # Even sampling scatters about the line as its steps do, or stays within a burst of it; uneven sampling strays
    # like a random walk.
    even = np.quantile(np.abs(residual), 0.95) <= burst_s if bursts else rms <= 1.25 * scatter
    return (rms, fit, period) if even and (np.diff(fit) > 0).all() else None


def _period(t: FloatArray, rate_hz: float | None) -> float:
    """Seconds a sample: the typical slope over two seconds of samples, which neither bursts nor gaps move."""
    n = t.size - 1
    period = float(t[-1] - t[0]) / n
    if period < _SHORTEST_S:
        return 0.0
    tick = float(np.quantile(np.diff(t), 0.999, method="higher"))
    for _ in range(3):  # a long pause makes the first guess of the reach too short
        reach = int(np.clip(2.0 / period, min(10, n), n))
        span = t[reach:] - t[:-reach]
        # The mean of what lies near the median: of coarse times, the median alone is coarse as well.
        middle = np.quantile(span, 0.5, method="nearest")
        found = float(np.mean(span[np.abs(span - middle) <= tick])) / reach
        period = found if found > _SHORTEST_S else period
    if rate_hz is not None and abs(period * rate_hz - 1.0) < 0.05:
        return 1.0 / rate_hz
    return period


def _counts_in_scatter(t: FloatArray, period: float) -> tuple[FloatArray, bool]:
    """Samples that each step stands for where times scatter by more than a third of a period, and whether they
    come in bursts.

    Lateness lifts the times over the sample numbers only for a moment; lost samples lift them for good. So a long
    step counts as a loss by what the lower edge of the times does from before it to after it.
    """
    step = np.diff(t)
    counts = np.ones_like(step)
    noise = 1.05 * float(np.median(np.abs(step - period)))
    long_steps = np.flatnonzero(step > 1.5 * period)
    longest = float(np.quantile(step, 0.999, method="higher"))
    # A burst pays back in short steps what it took in a long one; a loss does not.
    bursts = bool((period - step[step < 0.5 * period]).sum() > 0.8 * (step[long_steps] - period).sum())
    if bursts:  # the windows must hold several of them
        reach, noise = int(max(0.5, 3.0 * min(longest, _PAUSE_S)) / period) + 1, noise + period
    else:  # as many samples as bring the edge's own scatter to a tenth of a period
        reach = int(np.clip((19.0 * noise / period) ** 2, 10, 10 + 0.5 / period))
    # A clock in whole seconds is blind to losses of less than half a second.
    least = 0.5 * longest if np.mean(step <= 0) > 0.5 else 0.6 * period
    # The longest first: what is known to be lost then blurs no other window.
    for i in long_steps[np.argsort(-step[long_steps], kind="stable")][:2000]:
        start, stop = max(i - reach + 1, 0), min(i + 1 + reach, t.size)
        lag = t[start:stop] - period * np.concatenate([[0.0], np.cumsum(counts[start : stop - 1])])
        before, after = lag[: i + 1 - start], lag[i + 1 - start :]
        edge = min(before.size, after.size)
        rise = np.quantile(after, 0.25) - np.quantile(before, 0.25)
        if rise > max(least, 4.0 * noise / np.sqrt(edge)) and (edge > 2 or step[i] > _PAUSE_S):
            counts[i] += np.rint(rise / period)
    return counts, bursts


def _local_line(t: FloatArray, number: FloatArray, period: float, reach_s: float) -> FloatArray:
    """Times by robust straight lines over sample number, each fitted within `reach_s` of a knot and joined
    between knots; pauses end a line."""
    out = np.empty_like(t)
    breaks = np.flatnonzero(np.diff(t) > max(_PAUSE_S, reach_s)) + 1
    for a, b in itertools.pairwise([0, *breaks.tolist(), t.size]):
        k, seconds = number[a:b] - number[a], t[a:b]
        # Of equal times only the first tells when: of a clock in whole seconds it is when the second began.
        first = np.flatnonzero(np.diff(seconds, prepend=-np.inf) > 0)
        if first.size > 3 and k.size > 2 * first.size:
            first = first[1:]  # the recording need not start with a second
        x, lag = k[first], seconds[first] - k[first] * period
        half = reach_s / period
        knots = np.linspace(0.0, k[-1], min(max(round(k[-1] / half), 1), k.size) + 1)
        values = np.empty(knots.size)
        for i, knot in enumerate(knots):
            # A window cut short by an end keeps its length: a short line would swing.
            middle = np.clip(knot, min(half, k[-1] / 2), max(k[-1] - half, k[-1] / 2))
            near = slice(*np.searchsorted(x, [middle - half, middle + half + 1e-9]))
            values[i] = _robust_line_at(x[near], lag[near], knot)
        out[a:b] = k * period + np.interp(k, knots, values)
    return out


def _robust_line_at(x: FloatArray, y: FloatArray, at: float) -> float:
    """Value at `at` of a line through (x, y) by Huber weights, four rounds."""
    if x.size < 3 or x[-1] == x[0]:
        return float(np.median(y)) if y.size else 0.0
    weight = np.ones_like(x)
    value = 0.0
    for _ in range(4):
        total = weight.sum()
        mx, my = (weight @ x) / total, (weight @ y) / total
        slope = (weight @ ((x - mx) * (y - my))) / (weight @ (x - mx) ** 2)
        value = my + slope * (at - mx)
        residual = np.abs(y - my - slope * (x - mx))
        limit = max(1.5 * 1.4826 * float(np.median(residual)), 1e-9)
        weight = np.minimum(1.0, limit / np.maximum(residual, 1e-12))
    return float(value)


def _spread(t: FloatArray, period: float) -> FloatArray:
    """Times in which samples of one and the same time lie evenly between it and the next, a period apart at most."""
    distinct, first, count = np.unique(t, return_index=True, return_counts=True)
    room = np.append(np.diff(distinct), count[-1] * period)
    room = np.minimum(room, count * period)
    which = np.repeat(np.arange(distinct.size), count)
    return np.asarray(distinct[which] + (np.arange(t.size) - first[which]) * (room / count)[which])
