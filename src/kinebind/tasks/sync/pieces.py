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

SKEW_PRIOR = 1e-3
"""Standard deviation of the skew before anything is seen: quartz ±50 ppm, cameras up to 500 ppm, some worse."""
MAX_SKEW = 2e-3
JUMP_NATS = 12.0
"""What a jump of the recorder costs: a piece of its own must explain its windows better by this much."""

LEAST_JUMP_S = 0.02
"""Pieces that one line joins within this, under a frame, are one."""


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


def split_at_jumps(windows: Windows) -> list[tuple[int, int, int, FloatArray]]:
    """Stretches of windows [start, stop) between jumps of the lag: their block and path of lags, seconds.

    Viterbi over the columns: the lag may drift one step from window to window, or jump anywhere for JUMP_NATS.
    """
    count, width = windows.nats.shape
    score = windows.nats[0].copy()
    came = np.zeros((count, width), dtype=np.int64)
    index = np.arange(width)
    joined = windows.block[1:] == windows.block[:-1]
    for w in range(1, count):
        options = np.full((3, width), -np.inf)
        options[0] = score
        options[1, 1:] = np.where(joined, score[:-1] - 0.5, -np.inf)
        options[2, :-1] = np.where(joined, score[1:] - 0.5, -np.inf)
        best = np.argmax(options, axis=0)
        value = options[best, index]
        came[w] = index + np.array([0, -1, 1])[best]
        top = int(np.argmax(score))
        jumps = value < score[top] - JUMP_NATS
        came[w][jumps] = top
        score = np.where(jumps, score[top] - JUMP_NATS, value) + windows.nats[w]
    path = np.zeros(count, dtype=np.int64)
    path[-1] = int(np.argmax(score))
    for w in range(count - 1, 0, -1):
        path[w - 1] = came[w, path[w]]
    cuts = [0, *(np.flatnonzero(np.abs(np.diff(path)) > 1) + 1).tolist(), count]
    lag_s = windows.lag[np.arange(count), path] / RATE_HZ
    return [(a, b, int(windows.block[path[a]]), lag_s[a:b]) for a, b in itertools.pairwise(cuts)]


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
            if joint[0].nats >= apart - JUMP_NATS * (end - i) or moved_s < LEAST_JUMP_S:
                lines[i : end + 1] = [joint]
                stretches[i : end + 1] = [stretch]
                i = max(i - 2, 0)
                break
        else:
            i += 1
    return lines


def fit_line(windows: Windows, path_s: FloatArray, ref_s: float) -> Line:
    """The line of lags with the most evidence, near a path of lags (W,) through windows of one block.

    Each window's evidence is splined over lag, so the peak falls between grid steps; a Gaussian prior holds the skew
    where the windows say little. Windows that see nothing are flat and have no say, which makes the fit robust.
    The uncertainty is the curvature of the evidence at its peak.
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
    return Line(
        float(found.x[0]),
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
