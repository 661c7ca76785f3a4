"""Clocks: what makes a list of times valid, and the map from one clock to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClockMap:
    """How an IMU's clock maps to the video's clock.

    `video_time = imu_time + offset_s + skew * (imu_time - ref_time_s)`

    offset_s: video time minus IMU time at `ref_time_s`, seconds.
    skew: relative rate difference, dimensionless; positive where the IMU's clock runs slow.
    ref_time_s: the IMU time at which `offset_s` holds (the middle of the overlap), seconds.
    """

    offset_s: float
    skew: float = 0.0
    ref_time_s: float = 0.0

    @property
    def skew_ppm(self) -> float:
        """Skew in parts per million."""
        return self.skew * 1e6

    def to_video(self, imu_time_s: FloatArray | float) -> FloatArray:
        """Video times of IMU times, seconds."""
        t = np.asarray(imu_time_s, dtype=np.float64)
        return t + self.offset_s + self.skew * (t - self.ref_time_s)

    def to_imu(self, video_time_s: FloatArray | float) -> FloatArray:
        """IMU times of video times, seconds; the inverse of `to_video`."""
        v = np.asarray(video_time_s, dtype=np.float64)
        return self.ref_time_s + (v - self.offset_s - self.ref_time_s) / (1.0 + self.skew)

    def rereferenced(self, ref_time_s: float) -> ClockMap:
        """The same map written about another reference time."""
        offset_s = float(self.to_video(ref_time_s)) - ref_time_s
        return ClockMap(offset_s, self.skew, ref_time_s)


def floats(values: npt.ArrayLike, name: str) -> FloatArray:
    """A float64 copy of `values`; raises InputError where they are no array of numbers."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} is not an array of numbers ({error}).", "Check the columns that were read."
        ) from error


def check_time(time_s: npt.ArrayLike) -> FloatArray:
    """Times as a read-only float64 array; raises InputError unless finite and strictly increasing."""
    t = floats(time_s, "time_s")
    if t.ndim != 1 or t.size < 2:
        raise InputError(
            f"A stream needs at least two samples on one time axis; this has shape {t.shape}.",
            "Check that the file is complete.",
        )
    if not np.isfinite(t).all():
        raise InputError("Times must be finite numbers.", "Drop the rows without a time before building the stream.")
    step = np.diff(t)
    if (step <= 0).any():
        i = int(np.argmax(step <= 0))
        raise InputError(
            f"Times must strictly increase; sample {i + 1} ({t[i + 1]:.6f} s) follows {t[i]:.6f} s.",
            "Read the file with kinebind.read, which repairs repeated and backward times and says so.",
        )
    t.flags.writeable = False
    return t


def median_rate_hz(time_s: FloatArray) -> float:
    """Samples per second from the median step, hertz."""
    return float(1.0 / np.median(np.diff(time_s)))


def overlap_s(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Start and end of the interval that two time axes share, seconds; end < start where they share none."""
    return max(float(a[0]), float(b[0])), min(float(a[-1]), float(b[-1]))
