"""Scores of every sensor with every limb of every person, over lags: what all of localisation is decided on.

Long recordings are compared piece by piece, so that memory is bounded; where there are many pieces, some that are
spread evenly stand for all. A person who comes late or leaves is compared over the time in view.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.nn.seen_channels import WEIGHTS
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.locate.fitness import LEAST_S
from kinebind.tasks.matching import Matcher

PIECE_S = 60.0
MOST_PIECES = 6
REACH_S = 8.0
"""How far beyond the lags that are searched wrong lags are looked at."""
STEP_S = 0.1
"""Step of the wrong lags, and of the time in which seconds are counted."""
_NEAR_AND_FAR = slice(1, 3)  # of WEIGHTS' points: the ends of the limb


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores (N, P, S, L) of N sensors with S sites of P people at lags_s (L,), the mean over pieces.

    seconds (N, P, S): how long sensor and limb are both there; where it is below `LEAST_S`, scores say nothing.
    even (L,) bool: lags that are `STEP_S` apart, from which wrong ones are taken.
    """

    lags_s: FloatArray
    values: FloatArray
    seconds: FloatArray
    even: npt.NDArray[np.bool_]


def pair_scores(
    imus: Sequence[Imu],
    people: Sequence[Poses],
    sites: Sequence[str],
    matcher: Matcher,
    candidates_s: FloatArray,
) -> PairScores:
    """Score sensors, already on the video's clock but for a common lag, with all limbs.

    candidates_s (C,): lags that may be right, increasing; wrong ones up to `REACH_S` beyond are added. What sensors
    are declared to be worn at is not told to the matcher. Raises InputError where there is no lag.
    """
    if not candidates_s.size:
        raise InputError("There is no lag to compare at.", "Give a range that is not empty.")
    lags_s, even = _with_wrong_ones(candidates_s)
    reach_s = float(max(-lags_s[0], lags_s[-1], 0.0))
    values = np.zeros((len(imus), len(people), len(sites), lags_s.size))
    weight = np.zeros((len(imus), len(people)))
    seconds = np.zeros(values.shape[:3])
    prepared: dict[tuple[int, float, float], Any] = {}
    for p, poses in enumerate(people):
        span = _span(poses)
        seconds[:, p] = seconds_shared(imus, poses, sites)
        for start, stop in _pieces(span, imus):
            cut = [_cut(imu, start, stop) for imu in imus]
            rows = [k for k, piece in enumerate(cut) if piece is not None]
            video = _cut(poses, start - reach_s - 0.5, stop + reach_s + 0.5)
            if not rows or video is None:
                continue
            for k in rows:
                piece = cut[k]
                assert piece is not None
                if (k, start, stop) not in prepared:
                    prepared[k, start, stop] = matcher.felt(piece.replace(site=None))
            felt = [prepared[k, start, stop] for k in rows]
            seen = [matcher.seen(video, site) for site in sites]
            share = np.array([_valid_s(cut[k]) for k in rows])
            values[rows, p] += share[:, None, None] * matcher.scores(felt, seen, lags_s)
            weight[rows, p] += share
    return PairScores(lags_s, values / np.maximum(weight, 1e-9)[..., None, None], seconds, even)


def seconds_shared(imus: Sequence[Imu], poses: Poses, sites: Sequence[str]) -> FloatArray:
    """Seconds (N, S) in which each sensor has samples and both ends of the limb at each site are seen.

    Sensors are on the video's clock.
    """
    start = min(float(imu.time_s[0]) for imu in imus)
    stop = max(float(imu.time_s[-1]) for imu in imus)
    steps = int(np.ceil((stop - start) / STEP_S)) + 1

    def filled(time_s: FloatArray, there: Any, rate_hz: float) -> FloatArray:
        # A sample stands for the time until the next one.
        out = np.zeros(steps)
        for later_s in np.arange(0.0, 1.0 / rate_hz + STEP_S / 2, STEP_S):
            index = np.floor((time_s[there] + min(later_s, 1.0 / rate_hz) - start) / STEP_S).astype(np.int64)
            out[index[(index >= 0) & (index < steps)]] = 1.0
        return out

    felt = [filled(i.time_s, np.isfinite(i.acc_sensor).all(axis=1), max(i.rate_hz, 1.0)) for i in imus]
    known = np.isfinite(poses.keypoints_px[..., 0])
    seen = []
    for site in sites:
        needed = (WEIGHTS[SITES.index(site), _NEAR_AND_FAR] > 0).any(dim=0).numpy()
        seen.append(filled(poses.time_s, known[:, needed].all(axis=1), max(poses.rate_hz, 1.0)))
    return np.asarray(STEP_S * np.array(felt) @ np.array(seen).T)


def _with_wrong_ones(candidates_s: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The candidates with lags every `STEP_S` from `REACH_S` before to as much after them; and which are the latter."""
    first = float(candidates_s[0])
    beyond = round(REACH_S / STEP_S)
    count = beyond + int(np.ceil((float(candidates_s[-1]) - first) / STEP_S - 1e-6))
    wrong = np.round(first + STEP_S * np.arange(-beyond, count + 1), 6)
    # Lags of both kinds that are the same but for rounding count once.
    both = np.unique(np.concatenate([np.round(candidates_s, 6), wrong]))
    return both, np.isin(both, wrong)


def _span(poses: Poses) -> tuple[float, float] | None:
    """From the first frame to the last that shows anything of a person."""
    seen = np.flatnonzero(np.isfinite(poses.keypoints_px[..., 0]).any(axis=1))
    return (float(poses.time_s[seen[0]]), float(poses.time_s[seen[-1]])) if seen.size else None


def _pieces(span: tuple[float, float] | None, imus: Sequence[Imu]) -> list[tuple[float, float]]:
    """Pieces of the time in which a person is in view and any sensor on, `MOST_PIECES` at most, spread evenly."""
    if span is None:
        return []
    start = max(span[0], min(float(imu.time_s[0]) for imu in imus))
    stop = min(span[1], max(float(imu.time_s[-1]) for imu in imus))
    if stop - start < LEAST_S:
        return []
    edges = np.linspace(start, stop, int(np.ceil((stop - start) / PIECE_S)) + 1)
    pieces = [(round(float(a), 3), round(float(b), 3)) for a, b in itertools.pairwise(edges)]
    kept = np.unique(np.linspace(0, len(pieces) - 1, min(len(pieces), MOST_PIECES)).round().astype(int))
    return [pieces[k] for k in kept]


def _cut(stream: Any, start: float, stop: float) -> Any:
    """A stream between two times of the video's clock; None where too little of it lies there."""
    inside = (stream.time_s >= start) & (stream.time_s <= stop)
    if np.count_nonzero(inside) < 2 or np.ptp(stream.time_s[inside]) < LEAST_S:
        return None
    return stream.take(inside)


def _valid_s(imu: Imu) -> float:
    return float(np.isfinite(imu.acc_sensor).all(axis=1).mean() * imu.duration_s)
