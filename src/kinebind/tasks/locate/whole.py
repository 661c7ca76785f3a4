"""Finding person and site of every sensor of a recording, all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kinebind.clock import ClockMap, FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.parts import SITES, parse_site
from kinebind.recording import Recording
from kinebind.tasks.locate.assign import assign
from kinebind.tasks.locate.evidence import NEVER, Calibration, best_lag, declared_nats, evidence
from kinebind.tasks.locate.findings import about_all, finding, refused, unusable
from kinebind.tasks.locate.fitness import LEAST_S, usable
from kinebind.tasks.locate.pairs import PairScores, pair_scores
from kinebind.tasks.locate.result import Finding, LocateResult
from kinebind.tasks.matching import Matcher, lags_between

WIDEST_S = 20.0
"""The widest range of lags that is searched here; wider ones are what synchronisation is for."""


def locate(
    recording: Recording,
    matcher: Matcher,
    *,
    sites: Sequence[str] | None = None,
    lag_s: float | Mapping[str, float | ClockMap] = 0.0,
    range_s: tuple[float, float] = (0.0, 0.0),
    calibration: Calibration | None = None,
) -> LocateResult:
    """Who wears each sensor of a recording, and where; or that nobody in view does; or why that cannot be said.

    All sensors are decided together: no site of a person is given twice. What the sensors' `site` says counts as right
    nine times in ten, so that another site, such as that of the other side, is told where it clearly fits better.
    sites: where sensors may be worn, all of `kinebind.parts.SITES` by default. lag_s: video time minus IMU time in
    seconds, for all clocks, or for each `clock_id` a number or a whole ClockMap; clocks that are not named count as
    synchronised. range_s: lags about that to search, the same for all sensors of a clock. calibration: by default that
    of the matcher. Raises InputError where the recording has no sensor or nobody in view, a site or clock is unknown,
    the range is empty or too wide, or the matcher was never calibrated.
    """
    if not recording.imus or not recording.people:
        what = "no sensor" if not recording.imus else "nobody's poses"
        raise InputError(f"The recording holds {what}.", "Give the video's poses and at least one sensor.")
    calibration = calibration or Calibration.of(matcher.name)
    where = tuple(dict.fromkeys(parse_site(s) for s in sites)) if sites is not None else SITES
    if not where:
        raise InputError("There is no site to look at.", "Name at least one.")
    middle_s, candidates_s = _candidates(range_s)
    on_video = {
        imu.name: usable(imu).replace(time_s=_clock(imu, lag_s, recording).to_video(imu.time_s) + middle_s)
        for imu in recording.imus
    }
    reasons = {imu.name: unusable(imu, on_video[imu.name], recording.people, where) for imu in recording.imus}
    compared = [imu for imu in recording.imus if reasons[imu.name] is None]
    found: dict[str, Finding] = {
        imu.name: refused(imu, reason) for imu in recording.imus if (reason := reasons[imu.name])
    }
    lags: dict[str, float] = {}
    if compared:
        scores = pair_scores([on_video[i.name] for i in compared], recording.people, where, matcher, candidates_s)
        lags, own_lag_s, sharing = _lags(compared, scores, candidates_s, calibration)
        nats = evidence(scores, own_lag_s, float(np.ptp(candidates_s)), sharing, calibration)
        for n, imu in enumerate(compared):
            nats[n] = np.where(nats[n] > NEVER, nats[n] + declared_nats(imu.site, where), NEVER)
        for n, (imu, choice) in enumerate(zip(compared, assign(nats), strict=True)):
            hidden = {
                poses.person: [site for site, long_s in zip(where, own, strict=True) if long_s < LEAST_S]
                for poses, own in zip(recording.people, scores.seconds[n], strict=True)
            }
            found[imu.name] = finding(imu, choice, recording.people, where, hidden, nats[n], calibration)
    findings = tuple(found[imu.name] for imu in recording.imus)
    lags = {clock: round(middle_s + lag, 6) for clock, lag in lags.items()}
    return LocateResult(
        findings, tuple(p.person for p in recording.people), where, lags, recording.name, about_all(findings)
    )


def _candidates(range_s: tuple[float, float]) -> tuple[float, FloatArray]:
    """The middle of the lags to search, seconds, and the lags (C,) about it."""
    low, high = range_s
    if not low <= high:
        raise InputError(f"The range of lags ends at {high:g} s, before it starts at {low:g} s.", "Swap the two.")
    if high - low > WIDEST_S:
        raise InputError(
            f"A range of {high - low:g} s is too wide to search on the way ({WIDEST_S:g} s at most).",
            "Synchronise first (kinebind sync) and give the offsets that it finds.",
        )
    middle_s = 0.5 * (low + high)
    return middle_s, np.zeros(1) if low == high else lags_between((low - middle_s, high - middle_s))


def _clock(imu: Imu, lag_s: float | Mapping[str, float | ClockMap], recording: Recording) -> ClockMap:
    """The map of a sensor's clock."""
    if not isinstance(lag_s, Mapping):
        return ClockMap(float(lag_s))
    known = recording.clocks()
    for name in lag_s:
        if name not in known:
            raise InputError(f"A lag is given for the clock '{name}'.", f"The clocks are: {', '.join(known)}.")
    found = lag_s.get(imu.clock_id, 0.0)
    return found if isinstance(found, ClockMap) else ClockMap(float(found))


def _lags(
    imus: Sequence[Imu], scores: PairScores, candidates_s: FloatArray, calibration: Calibration
) -> tuple[dict[str, float], FloatArray, FloatArray]:
    """The lag of each clock by its name and of each sensor (N,), and how many sensors share it (N,)."""
    lags: dict[str, float] = {}
    own, sharing = np.zeros(len(imus)), np.ones(len(imus))
    for clock in dict.fromkeys(imu.clock_id for imu in imus):
        rows = [k for k, imu in enumerate(imus) if imu.clock_id == clock]
        lags[clock] = best_lag(scores, candidates_s, rows, calibration)
        own[rows], sharing[rows] = lags[clock], len(rows)
    return lags, own, sharing
