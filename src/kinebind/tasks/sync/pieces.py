"""From evidence in windows to clock maps: where the recorder jumped, and the line that each piece follows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from kinebind.clock import FloatArray
from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.rivals import LOBE_S

SKEW_PRIOR = 1e-3
"""Standard deviation of the skew before anything is seen: quartz ±50 ppm, cameras up to 500 ppm, some worse."""
MAX_SKEW = 2e-3
JUMP_NATS = 12.0
"""What a jump of the recorder costs: a piece of its own must explain its windows better by this much."""
ADVANCE_S = 5.0
"""How far the IMU's time goes on across a jump, at least: without a jump it does so by a window's hop. What the last
window before a jump stands on cannot be what the first after it stands on too; straddling ones share a little.
"""
_BIN_S = 0.5
LEAST_JUMP_S = 0.02
"""Pieces that one line joins within this, under a frame, are one."""
RETURN_S = 0.1
"""Lines that come this near to each other are taken for one line that was left and met again."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Evidence of windows of the reference around expected lags.

    centre_s (W,): middle of each window on the reference's clock.
    lag (W, L): grid lag of each column; columns of one block follow each other by one step.
    nats (W, L): evidence, already scaled for the windows' overlap with each other.
    block (L,): which expected line a column belongs to.
    """

    centre_s: FloatArray
    lag: npt.NDArray[np.int64]
    nats: FloatArray
    block: npt.NDArray[np.int64]

    def part(self, start: int, stop: int, block: int) -> Windows:
        """Some windows and the columns of one block."""
        columns = self.block == block
        nats = self.nats[start:stop, columns]
        return Windows(self.centre_s[start:stop], self.lag[start:stop, columns], nats, self.block[columns])


@dataclass(frozen=True)
class Line:
    """lag(t) = offset_s + slope * (t - ref_s) on the reference's clock, with its evidence and uncertainty."""

    offset_s: float
    slope: float
    ref_s: float
    nats: float
    offset_std_s: float
    slope_std: float

    def at(self, time_s: FloatArray | float) -> FloatArray:
        """Lags at times of the reference's clock, seconds."""
        return np.asarray(self.offset_s + self.slope * (np.asarray(time_s) - self.ref_s))


def jump_nats(change_s: FloatArray | float) -> FloatArray:
    """What a jump of the lag by `change_s` costs: the further it may go, the more lags there are to be met by chance.

    Beyond a second, sizes are taken to be as likely in one octave as in the next.
    """
    return np.asarray(JUMP_NATS + np.log(np.maximum(np.abs(change_s), 1.0)))


def best_path(windows: Windows) -> npt.NDArray[np.int64]:
    """The column that each window follows (W,), −1 where it follows none, with the most evidence (Viterbi).

    The lag may drift by one step from window to window, or jump for `jump_nats`. Neither clock runs backwards: from
    the last window before a jump to the first after it, the IMU's time, reference minus lag, grows by ADVANCE_S or
    more. Windows between the two may follow none, since nothing fits while a recorder pauses.
    """
    count, width = windows.nats.shape
    blocks = [np.flatnonzero(windows.block == b) for b in np.unique(windows.block)]
    joined = windows.block[1:] == windows.block[:-1]
    imu_s = windows.centre_s[:, None] - windows.lag / RATE_HZ
    bins = np.floor((imu_s - imu_s.min()) / _BIN_S).astype(np.int64)
    back = round(ADVANCE_S / _BIN_S)
    # For each block and IMU time, the best score of a path that has got no further than there, and its last state.
    reached = np.full((len(blocks), int(bins.max()) + 1), -np.inf)
    ends = np.zeros(reached.shape, dtype=np.int64)
    scores, came = np.zeros((count, width)), np.full((count, width), -1, dtype=np.int64)
    for w in range(count):
        options = np.full((4 + len(blocks), width), -np.inf)
        sources = np.full(options.shape, -1, dtype=np.int64)
        options[0] = 0.0  # begin here
        if w > 0:
            states = (w - 1) * width + np.arange(width)
            options[1], sources[1] = scores[w - 1], states
            options[2, 1:], sources[2, 1:] = np.where(joined, scores[w - 1, :-1] - 0.5, -np.inf), states[:-1]
            options[3, :-1], sources[3, :-1] = np.where(joined, scores[w - 1, 1:] - 0.5, -np.inf), states[1:]
            for b, own in enumerate(blocks):
                change_s = (windows.lag[w] - windows.lag[w, own[own.size // 2]]) / RATE_HZ
                at = np.maximum(bins[w] - back, 0)
                found = np.where(bins[w] >= back, reached[b, at], -np.inf)
                options[4 + b], sources[4 + b] = found - jump_nats(change_s), ends[b, at]
        best = np.argmax(options, axis=0)
        scores[w] = options[best, np.arange(width)] + windows.nats[w]
        came[w] = sources[best, np.arange(width)]
        for b, own in enumerate(blocks):
            for at in np.unique(bins[w, own]):
                here = own[bins[w, own] == at]
                top = int(here[np.argmax(scores[w, here])])
                stop = at + int(np.searchsorted(reached[b, at:], scores[w, top]))
                reached[b, at:stop], ends[b, at:stop] = scores[w, top], w * width + top
    path = np.full(count, -1, dtype=np.int64)
    state = int(np.argmax(scores))
    while state >= 0:
        w, column = divmod(state, width)
        path[w] = column
        state = int(came[w, column])
    return path


def split_at_jumps(windows: Windows) -> list[tuple[int, int, int, FloatArray]]:
    """Stretches of windows [start, stop) between jumps of the lag: their block and path of lags, seconds.

    Windows that follow none go to the neighbour that explains them better.
    """
    path = best_path(windows)
    rows = np.flatnonzero(path >= 0)
    cuts = [0]
    full = np.repeat(path[rows], np.diff(np.append(rows, path.size)))
    full = np.concatenate([np.full(rows[0], path[rows[0]]), full])
    for a, b in itertools.pairwise(rows.tolist()):
        if abs(path[b] - path[a]) <= b - a and windows.block[path[a]] == windows.block[path[b]]:
            continue
        between = np.arange(a + 1, b)
        gained = np.cumsum(windows.nats[between, path[a]] - windows.nats[between, path[b]])
        split = a + 1 + int(np.argmax(np.append(0.0, gained)))
        full[split:b] = path[b]
        cuts.append(split)
    cuts.append(path.size)
    lag_s = windows.lag[np.arange(path.size), full] / RATE_HZ
    return [(a, b, int(windows.block[full[a]]), lag_s[a:b]) for a, b in itertools.pairwise(cuts)]


def fit_pieces(windows: Windows) -> list[tuple[Line, Windows]]:
    """The lines that the windows follow, in order of time, each with its windows.

    Jumps that a single line does nearly as well without are undone: windows that see little wander off by chance,
    and what moves no window by more than LEAST_JUMP_S is not worth a piece.
    """

    def fitted(start: int, stop: int, block: int, path_s: FloatArray) -> tuple[Line, Windows]:
        part = windows.part(start, stop, block)
        return fit_line(part, path_s, float(part.centre_s.mean())), part

    stretches = split_at_jumps(windows)
    lines = [fitted(*stretch) for stretch in stretches]
    i = 0
    while i < len(lines) - 1:
        for end in (i + 2, i + 1):
            if end >= len(lines):
                continue
            strong = max(range(i, end + 1), key=lambda k: lines[k][0].nats)
            start, stop = stretches[i][0], stretches[end][1]
            # Two places to look for the joint line: through the pieces' own, and the strongest one continued.
            continued = lines[strong][0].at(windows.centre_s[start:stop])
            own = np.concatenate([line.at(part.centre_s) for line, part in lines[i : end + 1]])
            blocks = {stretches[k][2] for k in range(i, end + 1)}
            tries = [(start, stop, block, path_s) for block in blocks for path_s in (own, continued)]
            joint, stretch = max(((fitted(*t), t) for t in tries), key=lambda found: found[0][0].nats)
            apart = sum(lines[k][0].nats for k in range(i, end + 1))
            moved_s = np.max(np.abs(joint[0].at(windows.centre_s[start:stop]) - own))
            if joint[0].nats >= apart - _jumps_nats([line for line, _ in lines[i : end + 1]]) or moved_s < LEAST_JUMP_S:
                lines[i : end + 1] = [joint]
                stretches[i : end + 1] = [stretch]
                i = max(i - 2, 0)
                break
        else:
            i += 1
    return lines


def _jumps_nats(lines: list[Line]) -> float:
    """What the jumps from line to line cost together.

    One that leads back to the line before the last has met, of all lags as near, just the one that was known.
    """

    def apart_s(one: Line, other: Line) -> float:
        return abs(float(other.at(other.ref_s) - one.at(other.ref_s)))

    total = sum(float(jump_nats(apart_s(*pair))) for pair in itertools.pairwise(lines))
    for first, second, third in zip(lines, lines[1:], lines[2:], strict=False):
        if apart_s(first, third) < RETURN_S:
            total += max(float(np.log(apart_s(second, third) / LEAST_JUMP_S)), 0.0)
    return total


def fit_line(windows: Windows, path_s: FloatArray, ref_s: float) -> Line:
    """The line of lags with the most evidence, near a path of lags (W,) through windows of one block.

    Each window's evidence is splined over lag, so the peak falls between grid steps; a Gaussian prior holds the skew
    where the windows say little. Windows that see nothing are flat and have no say, which makes the fit robust.
    The offset is the mean of its posterior within LOBE_S of the peak: in a short clip the peak is broad and lopsided,
    and its top is where chance has put it. The uncertainty is the curvature of the evidence at the peak.
    """
    # The columns of one block are one step apart in every window, so one spline over steps serves all windows.
    spline = CubicSpline(np.arange(windows.nats.shape[1]), windows.nats, axis=1)
    rows = np.arange(windows.centre_s.size)
    last = windows.nats.shape[1] - 1
    moved = windows.centre_s - ref_s

    def cost(parameters: FloatArray) -> float:
        offset_s, slope = parameters[0], parameters[1] * SKEW_PRIOR
        steps = np.clip((offset_s + slope * moved) * RATE_HZ - windows.lag[:, 0], 0.0, last)
        left = np.minimum(steps.astype(np.int64), last - 1)
        part = steps - left
        c3, c2, c1, c0 = spline.c[:, left, rows]
        nats = float((((c3 * part + c2) * part + c1) * part + c0).sum())
        return 0.5 * float(parameters[1]) ** 2 - nats

    best_slope = 0.0
    start_s = float(np.median(path_s))
    if windows.centre_s.size > 1:
        weight = np.maximum(windows.nats.max(axis=1), 1e-3)
        a = np.stack([np.ones_like(moved), moved], axis=1) * np.sqrt(weight)[:, None]
        prior = np.array([[0.0, 1.0 / (50.0 * SKEW_PRIOR)]])
        solution = np.linalg.lstsq(np.vstack([a, prior]), np.append(path_s * np.sqrt(weight), 0.0), rcond=None)[0]
        start_s, best_slope = float(solution[0]), float(np.clip(solution[1], -MAX_SKEW, MAX_SKEW))
    simplex = np.array([[start_s, best_slope / SKEW_PRIOR]] * 3) + [[0, 0], [0.01, 0], [0, 0.3]]
    options = {"initial_simplex": simplex, "xatol": 1e-5, "fatol": 1e-6, "maxiter": 400}
    found = minimize(cost, simplex[0], method="Nelder-Mead", options=options)
    offset_std_s, slope_std = _curvature_std(cost, found.x)
    low_s, high_s = windows.lag.min() / RATE_HZ, windows.lag.max() / RATE_HZ
    near_s = np.clip(found.x[0], low_s, high_s) + np.linspace(-LOBE_S, LOBE_S, 61)
    near_s = near_s[(near_s >= low_s) & (near_s <= high_s)]
    weight = np.exp([found.fun - cost(np.array([offset_s, found.x[1]])) for offset_s in near_s])
    return Line(
        float(np.average(near_s, weights=weight)),
        float(found.x[1]) * SKEW_PRIOR,
        ref_s,
        -float(found.fun),
        offset_std_s,
        slope_std * SKEW_PRIOR,
    )


def _curvature_std(cost, at: FloatArray) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Standard deviations of the two parameters from the Hessian of the cost, by central differences."""
    step = np.array([0.005, 0.05])
    hessian = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            di, dj = np.eye(2)[i] * step, np.eye(2)[j] * step
            corners = cost(at + di + dj) - cost(at + di - dj) - cost(at - di + dj) + cost(at - di - dj)
            hessian[i, j] = corners / (4 * step[i] * step[j])
    try:
        variance = np.diag(np.linalg.inv(hessian))
    except np.linalg.LinAlgError:
        return float("nan"), float("nan")
    stds = np.sqrt(np.where(variance > 0, variance, np.nan))
    return float(stds[0]), float(stds[1])
