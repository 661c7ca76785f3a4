"""Ways to find the offset of one clock, called alike: a matcher's best lag, SyncWISE, and the classical estimator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from kinebind.bench import baselines
from kinebind.bench.processes import parallel_if_many
from kinebind.bench.scenes import timing_error_s
from kinebind.clock import ClockMap, FloatArray
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.tasks.matching import Matcher, joint_curve, lags_between, peak_lag_s
from kinebind.tasks.sync import ClockAnswer, Method, sync
from kinebind.tasks.sync.confidence import TOLERANCE_S

OffsetFinder = Callable[[Sequence[Imu], Poses, tuple[float, float]], tuple[float, float | None]]
"""(sensors of one clock, one person's poses, smallest and largest offset in seconds) -> (video minus IMU time in
seconds at the middle of the overlap, the stated probability that it is right or None)."""


@dataclass(frozen=True, eq=False)
class ByMatcher:
    """The highest point of the summed curves of all sensors."""

    matcher: Matcher

    def __call__(self, imus: Sequence[Imu], poses: Poses, range_s: tuple[float, float]) -> tuple[float, float | None]:
        lags_s = lags_between(range_s)
        return peak_lag_s(joint_curve(self.matcher, imus, poses, lags_s), lags_s), None


@dataclass(frozen=True, eq=False)
class BySync:
    """`kinebind.tasks.sync.sync`: its best guess, refused or not, with its confidence; infinity where it has none."""

    method: Method

    def __call__(self, imus: Sequence[Imu], poses: Poses, range_s: tuple[float, float]) -> tuple[float, float | None]:
        answer = answered_together(imus, poses, range_s, self.method)
        if answer.clock is None:
            return float("inf"), answer.confidence
        low, high = float(max(i.time_s[0] for i in imus)), float(min(i.time_s[-1] for i in imus))
        return _offset_in_the_middle_s(answer.clock, low, high, poses), answer.confidence


def answered_together(
    imus: Sequence[Imu],
    poses: Poses,
    range_s: tuple[float, float] | None,
    method: Method,
    tolerance_s: float = TOLERANCE_S,
) -> ClockAnswer:
    """What `kinebind.tasks.sync.sync` answers of sensors that share a clock; without a range it searches everything."""
    together = tuple(i.replace(clock_id="recorder") for i in imus)
    recording = Recording((poses,), together)
    return sync(recording, search_s=range_s, method=method, tolerance_s=tolerance_s).answers[0]


def finder_syncwise(imus: Sequence[Imu], poses: Poses, range_s: tuple[float, float]) -> tuple[float, float | None]:
    """SyncWISE, which says no confidence."""
    return baselines.syncwise_offset_s(tuple(imus), poses, range_s), None


def finder_zero(imus: Sequence[Imu], poses: Poses, range_s: tuple[float, float]) -> tuple[float, float | None]:
    """The answer zero, which says how much a figure is worth."""
    return 0.0, None


def _offset_in_the_middle_s(clock: ClockMap, low_s: float, high_s: float, poses: Poses) -> float:
    """A clock's offset at the middle of what the streams share, IMU time, seconds."""
    first, last = (float(v) for v in clock.to_imu(poses.time_s[[0, -1]]))
    middle_s = 0.5 * (max(low_s, first) + min(high_s, last))
    return float(clock.to_video(middle_s)) - middle_s


@dataclass(frozen=True, eq=False)
class SyncCase:
    """Sensors of one clock, a person's poses, and the true map of the sensors' clock to the video's."""

    imus: tuple[Imu, ...]
    poses: Poses
    truth: ClockMap


def errors_s(finder: OffsetFinder, cases: Sequence[SyncCase], range_s: tuple[float, float]) -> FloatArray:
    """Timing error (K,) of each case, seconds: the largest over the overlap; infinite where there is no answer."""
    own = partial(_error_s, finder, range_s)
    return np.array(parallel_if_many(own, cases), dtype=np.float64)


def _error_s(finder: OffsetFinder, range_s: tuple[float, float], case: SyncCase) -> float:
    offset_s, _ = finder(case.imus, case.poses, range_s)
    clock = ClockMap(offset_s, 0.0, case.truth.ref_time_s) if math.isfinite(offset_s) else None
    return timing_error_s(clock, case.truth, case.imus[0], case.poses)
