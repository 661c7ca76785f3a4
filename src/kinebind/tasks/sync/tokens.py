"""Our synchronisation of learned tokens: their correlation over all lags, a sub-token peak, a line for the skew.

Where the paper embeds overlapping windows and lets them vote on their grid (`kinebind.tasks.sync.vote`), each stream
is here embedded once along its whole length. Its windows are correlated with the other stream at every lag, and the
peak is read between the tokens. How much a peak means is measured on the data: the scores at all the other lags show
what chance does. Search, jumps and lines are those of the classical synchroniser.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import expit, logsumexp

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.tasks.sync.follow import BAND_S, WINDOW_S, guesses_apart, windows_along
from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.pieces import Line, Windows, fit_pieces
from kinebind.tasks.sync.result import ANSWERED_AT, ClockAnswer, Curve, Piece, Reason, ReasonCode, Residuals
from kinebind.tasks.sync.rivals import LOBE_S, standing
from kinebind.tasks.sync.search import Anchors, Guess, agreed_lines, liveliest
from kinebind.tasks.sync.token_pair import LEAST_OVERLAP_S, TokenPair
from kinebind.tasks.sync.token_stream import TokenStream

TEMPER = 0.5
"""Power of the likelihood in the odds of a peak: chance has heavier tails than a Gaussian of its spread."""
REPEATS = 0.5
"""A reference this much alike itself a rival's distance away is periodic."""
CHANCE_NATS = 3.0
"""A peak less than this above what the best of so many lags has by chance is no match."""
_STILL: tuple[ReasonCode, ReasonCode] = ("no_motion_imu", "no_motion_pose")


@dataclass(frozen=True)
class _Noise:
    """Level and spread of scores at wrong lags."""

    level: float
    spread: float

    def nats(self, scores: FloatArray, overlap_s: FloatArray) -> FloatArray:
        """Log-likelihood ratio of scores against chance; below its level it speaks against the lag."""
        z = (scores - self.level) / self.spread
        return np.where(overlap_s >= LEAST_OVERLAP_S, 0.5 * z * np.abs(z), 0.0)


def sync_tokens(
    imu: TokenStream,
    pose: TokenStream,
    search_s: tuple[float, float] | None = None,
    clock_id: str = "imu",
    person: str = "",
) -> ClockAnswer:
    """The clock of an IMU stream against a pose stream, from tokens of the same parts by the same model.

    search_s: range of the offset (video minus IMU time), seconds; every overlap of LEAST_OVERLAP_S where None. The
    answer's confidence is the share of the evidence that lies at its peak: it orders answers, and is a probability
    only once it is calibrated on the model's own mistakes. `features` holds margin_nats (over the best rival) and
    evidence_nats. A refusal has its reason, and its pieces are the best guess. Raises InputError where rates, parts
    or widths differ, or both streams have phases.

    >>> t = np.arange(400) / 5
    >>> wave = np.stack([np.sin(t * (1 + k) + 0.05 * k * t**2) for k in range(6)], axis=-1)
    >>> here = np.ones((1, 1, 150), dtype=bool)
    >>> imu = TokenStream(wave[None, None, 100:250], here, rate_hz=5.0)
    >>> pose = TokenStream(wave[None, None, 90:240], here, rate_hz=5.0)  # begins 2 s earlier
    >>> answer = sync_tokens(imu, pose)
    >>> answer.answered, round(answer.clock.offset_s, 2)
    (True, 2.0)
    """
    _check(imu, pose)
    streams = imu.centred(), pose.centred()
    for stream, own, name, code in zip(streams, (imu, pose), ("IMU", "pose"), _STILL, strict=True):
        # What is left of equal tokens without their mean is rounding.
        if _largest(stream) <= 1e-6 * _largest(own):
            reason = Reason(
                code,
                f"All tokens of the {name} are the same.",
                "Record movement; if there is some, check the model and its input.",
            )
            return ClockAnswer(clock_id, person, (), (), 0.0, reason=reason)
    pair = _paired(*streams)
    searched = _search(pair, search_s)
    if searched is None:
        reason = Reason(
            "too_little_overlap",
            f"At no offset that was searched do the streams share {LEAST_OVERLAP_S:g} s.",
            "Give longer excerpts, widen the search, or check what is masked.",
        )
        return ClockAnswer(clock_id, person, (), (), 0.0, reason=reason)
    anchors, noise = searched
    windows = _follow(pair, noise, agreed_lines(anchors), anchors.lag_s[[0, -1]])
    lines = fit_pieces(windows)
    line = max(lines, key=lambda own: own[0].nats)[0]
    curve = anchors.along(line.slope, line.ref_s, _near(anchors, line))
    among = standing(anchors.lag_s, curve, line.offset_s, line.nats)
    near = np.abs(anchors.lag_s - line.offset_s) <= max(LOBE_S, 1.0 / pair.rate_hz)
    odds = logsumexp(TEMPER * curve[near]) - logsumexp(TEMPER * curve[~near]) if near.any() and not near.all() else 0.0
    sure = float(expit(odds))
    peak_nats = float(curve[near].max()) if near.any() else line.nats
    refused = None if sure >= ANSWERED_AT else _why(pair, anchors, line, peak_nats, among.rivals)
    pieces = _pieces(pair, lines, sure)
    # The curve is drawn over the offset that is reported, which holds at another time than the line's.
    reported_s = pair.clock(line.offset_s, line.slope, line.ref_s).offset_s
    at_s = max(pieces, key=lambda p: p.end_s - p.start_s).clock.offset_s - reported_s if pieces else 0.0
    return ClockAnswer(
        clock_id=clock_id,
        person=person,
        sensors=(),
        pieces=pieces,
        confidence=sure,
        uncertainty_s=line.offset_std_s * math.sqrt(2.0 / math.pi),
        skew_uncertainty=line.slope_std,
        reason=refused,
        overlap_s=sum(p.end_s - p.start_s for p in pieces),
        rivals_s=tuple((pair.sign * lag_s + at_s, nats) for lag_s, nats in among.rivals),
        curve=Curve((pair.sign * anchors.lag_s)[:: pair.sign] + at_s, curve[:: pair.sign]),
        residuals=_residuals(pair, lines),
        features={"evidence_nats": sum(own.nats for own, _ in lines), "margin_nats": among.margin_nats},
    )


def _check(imu: TokenStream, pose: TokenStream) -> None:
    if imu.rate_hz != pose.rate_hz:
        raise InputError(
            f"Tokens of the IMU come at {imu.rate_hz:g} Hz and those of the pose at {pose.rate_hz:g} Hz.",
            "Embed both with one model, whose contract gives both the same patch.",
        )
    if imu.tokens.shape[1] != pose.tokens.shape[1] or imu.tokens.shape[3] != pose.tokens.shape[3]:
        raise InputError(
            f"The IMU has {imu.tokens.shape[1]} parts of {imu.tokens.shape[3]} dimensions, the pose "
            f"{pose.tokens.shape[1]} of {pose.tokens.shape[3]}.",
            "Give the same parts of one model in the same order.",
        )
    if imu.phases > 1 and pose.phases > 1:
        raise InputError("Both streams are embedded in several phases.", "Give several phases of one of them only.")


def _paired(imu: TokenStream, pose: TokenStream) -> TokenPair:
    if imu.duration_s <= pose.duration_s:
        return TokenPair(imu, pose, True)
    return TokenPair(pose, imu, False)


def _largest(stream: TokenStream) -> float:
    """The largest number in the tokens that count."""
    there = stream.mask[..., None]
    low, high = (f(stream.tokens, where=there, initial=0.0) for f in (np.min, np.max))
    return max(float(high), -float(low))


def _search(pair: TokenPair, search_s: tuple[float, float] | None) -> tuple[Anchors, _Noise] | None:
    """Evidence of anchor windows at all lags, and the noise; None where nothing overlaps in the range searched."""
    length, other = pair.reference.tokens.shape[2], pair.other.tokens.shape[2]
    moved = np.square(pair.reference.tokens[0], dtype=np.float64).sum(axis=(0, 2))
    starts, width = liveliest(moved, pair.rate_hz)
    first, last = 1 - other, length - 1
    lag_s = pair.lag_s(first, last)
    scores, overlap_s = np.zeros((2, starts.size, lag_s.size))
    own_scores, own_overlap = pair.scores(starts, width, 1 - other, width - 1)
    fine = lag_s.size // (last - first + 1)
    for k, start in enumerate(starts.tolist()):
        at = slice(start * fine, start * fine + own_scores.shape[1])
        scores[k, at], overlap_s[k, at] = own_scores[k], own_overlap[k]
    met = overlap_s >= LEAST_OVERLAP_S
    low_s, high_s = sorted(pair.sign * s for s in search_s) if search_s else (-np.inf, np.inf)
    asked = (lag_s >= low_s - pair.step_s) & (lag_s <= high_s + pair.step_s)
    if not met[:, asked].any() or np.count_nonzero(asked) < 3:
        return None
    level = float(np.median(scores[met]))
    spread = float(np.median(np.abs(scores[met] - level)) / 0.6745)  # of a Gaussian with this median deviation
    noise = _Noise(level, max(spread, 1e-9))
    centre_s = pair.time_s(starts + (width - 1) / 2)
    return Anchors(centre_s, lag_s[asked], noise.nats(scores, overlap_s)[:, asked], overlap_s[:, asked]), noise


def _follow(pair: TokenPair, noise: _Noise, guesses: list[Guess], range_s: FloatArray) -> Windows:
    """Evidence of windows along the reference around each guessed line, splined onto the steps that lines use.

    Lags outside the range that is searched have none.
    """
    rate = pair.rate_hz
    starts, stops, share = windows_along(pair.reference.tokens.shape[2], rate)
    centre_s = pair.time_s((starts + stops - 1) / 2)
    apart = guesses_apart(guesses, centre_s)
    band = np.arange(-round(BAND_S * RATE_HZ), round(BAND_S * RATE_HZ) + 1)
    lag = np.concatenate([np.round(g.at(centre_s) * RATE_HZ).astype(np.int64)[:, None] + band for g in apart], axis=1)
    nats = np.zeros(lag.shape)
    start_lag_s = pair.reference.start_s - pair.other.start_s
    for w, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        for columns in np.split(np.arange(lag.shape[1]), len(apart)):
            wanted_s = lag[w, columns] / RATE_HZ
            first = math.floor((wanted_s[0] - start_lag_s) * rate) - 1
            last = math.ceil((wanted_s[-1] - start_lag_s) * rate) + 2
            scores, overlap_s = pair.scores(np.array([start]), stop - start, first - start, last - start)
            at_s = pair.lag_s(first, last)
            asked = (wanted_s >= range_s[0]) & (wanted_s <= range_s[1])
            shared_s = np.where(asked, np.interp(wanted_s, at_s, overlap_s[0]), 0.0)
            nats[w, columns] = share[w] * noise.nats(CubicSpline(at_s, scores[0])(wanted_s), shared_s)
    return Windows(centre_s, lag, nats, np.repeat(np.arange(len(apart)), band.size))


def _near(anchors: Anchors, line: Line) -> np.ndarray:
    """Which anchors are on the line rather than on another piece's: their own peak lies in its lobe."""
    own = anchors.lag_s[np.argmax(anchors.nats, axis=1)]
    near = np.abs(own - line.at(anchors.centre_s)) <= 2 * LOBE_S
    return near if near.any() else np.ones(own.size, dtype=bool)


def _why(
    pair: TokenPair, anchors: Anchors, line: Line, peak_nats: float, rivals: tuple[tuple[float, float], ...]
) -> Reason:
    """The reason of a refusal, most telling first."""
    if rivals and pair.self_cosine(rivals[0][0] - line.offset_s) >= REPEATS:
        return Reason(
            "periodic",
            f"The motion repeats itself: an offset {abs(rivals[0][0] - line.offset_s):.1f} s away fits as well.",
            "Include the start or the end of the movement. A search within one repeat gives its best guess.",
        )
    if peak_nats < math.log(anchors.lag_s.size) + CHANCE_NATS:
        return Reason(
            "no_match",
            "No offset makes the two streams agree better than chance does.",
            "Check that it is the right person and video, that the sites are right, and that the search holds the "
            "true offset.",
        )
    return Reason(
        "weak",
        "Several offsets fit nearly as well as the best one.",
        "Give a longer or livelier stretch, more sensors, or narrow the search.",
    )


def _pieces(pair: TokenPair, lines: list[tuple[Line, Windows]], sure: float) -> tuple[Piece, ...]:
    """One piece a line, on the IMU's clock."""
    first_s = pair.reference.start_s
    edges = [
        first_s,
        *(_boundary_s(pair, *two) for two in itertools.pairwise(lines)),
        first_s + pair.reference.duration_s,
    ]
    other_s = [pair.other.start_s, pair.other.start_s + pair.other.duration_s]
    pieces = []
    for (line, _), (start_s, end_s) in zip(lines, itertools.pairwise(edges), strict=True):
        clock = pair.clock(line.offset_s, line.slope, line.ref_s)
        # The overlap with the other stream, on the IMU's clock whichever is the reference.
        if pair.imu_is_reference:
            span_s = np.array([[start_s, end_s], clock.to_imu(np.array(other_s))])
        else:
            span_s = np.array([clock.to_imu(np.array([start_s, end_s])), other_s])
        begin_s, stop_s = float(span_s[:, 0].max()), float(span_s[:, 1].min())
        if stop_s > begin_s:
            pieces.append(Piece(begin_s, stop_s, clock.rereferenced((begin_s + stop_s) / 2), sure))
    return tuple(pieces)


def _boundary_s(pair: TokenPair, before: tuple[Line, Windows], after: tuple[Line, Windows]) -> float:
    """The moment on the reference's clock that gives each side the line by which its tokens agree better."""
    low_s, high_s = float(before[1].centre_s[-1]) - WINDOW_S, float(after[1].centre_s[0]) + WINDOW_S
    count = pair.reference.tokens.shape[2]
    every_s = pair.time_s(np.arange(count, dtype=np.int64))
    index = np.flatnonzero((every_s >= low_s) & (every_s <= high_s)).astype(np.int64)
    time_s = every_s[index]
    first, second = (pair.along(line.at(time_s), index) for line, _ in (before, after))
    gained = np.concatenate([[0.0], np.cumsum(first - second)])
    return float(time_s[0] + (int(np.argmax(gained)) - 0.5) / pair.rate_hz)


def _residuals(pair: TokenPair, lines: list[tuple[Line, Windows]]) -> Residuals:
    """Each window's own best lag against its line, weighted by its evidence."""
    found = []
    for line, part in lines:
        rows, best = np.arange(part.centre_s.size), np.argmax(part.nats, axis=1)
        at_s = line.at(part.centre_s)
        imu_s = part.centre_s if pair.imu_is_reference else part.centre_s - at_s
        found.append((imu_s, pair.sign * (part.lag[rows, best] / RATE_HZ - at_s), part.nats[rows, best]))
    imu_s, residual_s, nats = (np.concatenate(own) for own in zip(*found, strict=True))
    weight = np.maximum(nats, 0.0)
    return Residuals(imu_s, residual_s, weight / max(float(weight.max()), 1e-9))
