"""When samples are taken, how they are stamped, and which of them get lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinebind.clock import ClockMap, FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu


@dataclass(frozen=True)
class TimingEffects:
    """What recorders do to time, apart from the offset and skew of a `ClockMap`. Everything is off unless set.

    random_phase: the first sample lies anywhere within the first period instead of at the motion's first instant.
    jitter_s: σ of the time stamps about the even grid on which samples are taken; cut at ±0.45 periods, so that
        times still increase.
    lost_share: share of samples that are lost, below 0.5. lost_burst_s: mean length of a loss, at least one sample.
    lost_as: "rows", rows missing as in most exports; "nan", rows of NaN.
    """

    random_phase: bool = False
    jitter_s: float = 0.0
    lost_share: float = 0.0
    lost_burst_s: float = 0.0
    lost_as: Literal["rows", "nan"] = "rows"

    def __post_init__(self) -> None:
        if not 0 <= self.lost_share < 0.5:
            raise InputError(f"lost_share is {self.lost_share}, expected 0 to 0.5.", "Give a share, not per cent.")
        if min(self.jitter_s, self.lost_burst_s) < 0:
            raise InputError("Jitter and length of losses must not be negative.", "")
        if self.lost_as not in ("rows", "nan"):
            raise InputError(f"'{self.lost_as}' is not a way to lose samples.", "Use rows or nan.")


def random_clock(
    start_s: float, end_s: float, rng: np.random.Generator, *, max_offset_s: float = 7.0, max_skew_ppm: float = 50.0
) -> ClockMap:
    """A clock with offset and skew evenly drawn from ± the two limits, referred to the middle of start_s..end_s.

    start_s, end_s: on the video's clock, seconds; the reference time stands on the IMU's clock, as always.
    """
    offset_s = float(rng.uniform(-max_offset_s, max_offset_s))
    skew = 1e-6 * float(rng.uniform(-max_skew_ppm, max_skew_ppm))
    return ClockMap(offset_s, skew, 0.5 * (start_s + end_s) - offset_s)


def sample_times(
    start_s: float, end_s: float, rate_hz: float, clock: ClockMap, phase: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Even sample times within start_s..end_s of the video's clock: (U,) on the IMU's clock, (U,) on the video's.

    rate_hz: samples per second of the IMU's own clock. phase: 0..1 periods from start_s to the first sample.
    Raises InputError where fewer than two samples fit.
    """
    if rate_hz <= 0:
        raise InputError(f"A rate of {rate_hz} Hz has no samples.", "Give a positive rate.")
    first, last = (float(clock.to_imu(t)) for t in (start_s, end_s))
    count = int(np.floor((last - first) * rate_hz - phase + 1e-6)) + 1
    if count < 2:
        raise InputError(
            f"A motion of {end_s - start_s:.3f} s holds fewer than two samples at {rate_hz} Hz.",
            "Use a longer motion or a higher rate.",
        )
    imu_s = np.asarray(first + (phase + np.arange(count)) / rate_hz, dtype=np.float64)
    return imu_s, clock.to_video(imu_s)


def stamped(imu_s: FloatArray, rate_hz: float, effects: TimingEffects, rng: np.random.Generator) -> FloatArray:
    """Time stamps (U,) of samples taken at imu_s (U,), seconds: jittered, still increasing."""
    if not effects.jitter_s:
        return imu_s
    limit = 0.45 / rate_hz
    return imu_s + np.clip(effects.jitter_s * rng.standard_normal(imu_s.size), -limit, limit)


def kept(count: int, rate_hz: float, effects: TimingEffects, rng: np.random.Generator) -> np.ndarray:
    """(count,) bool: samples that arrive. Losses and stretches between them have geometric lengths."""
    arrives = np.ones(count, dtype=bool)
    if not effects.lost_share:
        return arrives
    burst = max(1.0, effects.lost_burst_s * rate_hz)
    between = burst * (1.0 - effects.lost_share) / effects.lost_share
    pairs = int(2.0 * count / (burst + between)) + 16
    start = 0
    while start < count:
        lengths = np.stack([rng.geometric(1.0 / between, pairs), rng.geometric(1.0 / burst, pairs)], axis=1)
        pattern = np.repeat(np.tile([True, False], pairs), lengths.ravel())[: count - start]
        arrives[start : start + pattern.size] = pattern
        start += pattern.size
    return arrives


def without(imu: Imu, lost: np.ndarray, effects: TimingEffects) -> Imu:
    """The sensor without its lost samples (T,) bool: rows left out or NaN, as `effects.lost_as` says."""
    if not lost.any():
        return imu
    if effects.lost_as == "rows":
        return imu.take(~lost)
    gyr, rot = imu.gyr_sensor, imu.rot_world_from_sensor
    return imu.replace(
        acc_sensor=_blanked(imu.acc_sensor, lost),
        gyr_sensor=None if gyr is None else _blanked(gyr, lost),
        rot_world_from_sensor=None if rot is None else _blanked(rot, lost),
    )


def _blanked(values: FloatArray, lost: np.ndarray) -> FloatArray:
    return np.where(lost[:, None], np.nan, values)
