"""What a matcher of sensors and limbs is: something that says how well a sensor fits a limb that a video shows.

Everything that can be asked of the two streams follows from it: the lag at which they fit best is their clock, the
person they fit best is the wearer, the limb they fit best is the site, the clip they fit best is the one looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.poses import Poses

STEP_S = 0.02
"""Steps of the lags in which a clock is searched; the peak is placed between them."""


class Matcher(Protocol):
    """Scores sensors against limbs. Both are prepared once and may then be compared with any number of the others."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def felt(self, imu: Imu) -> Any:
        """A sensor, prepared. Its `site` may be None: then nobody knows where it is worn."""
        ...

    def seen(self, poses: Poses, site: str) -> Any:
        """A person's limb at one of `kinebind.parts.SITES`, prepared."""
        ...

    def scores(self, felt: Sequence[Any], seen: Sequence[Any], lags_s: FloatArray) -> FloatArray:
        """How well each sensor fits each limb, (N, M, L), where video time = IMU time + lag (L,), seconds.

        Finite, and higher is better. A pair of which nothing can be said, since the streams do not meet or the limb
        is not seen, scores what a pair that has nothing in common does on average.
        """
        ...


def joint_curve(matcher: Matcher, imus: Sequence[Imu], poses: Poses, lags_s: FloatArray) -> FloatArray:
    """Score (L,) of sensors of one clock, each at its own site, over lags (L,) in seconds: the sum over the sensors.

    Raises InputError where there is no sensor, or the site of one is not known.
    """
    if not imus:
        raise InputError("There is no sensor to match.", "Give at least one.")
    total = np.zeros(lags_s.size)
    for imu in imus:
        if imu.site is None:
            raise InputError(f"Nobody knows where sensor '{imu.name}' is worn.", "Give its site.")
        total += matcher.scores([matcher.felt(imu)], [matcher.seen(poses, imu.site)], lags_s)[0, 0]
    return total


def lags_between(range_s: tuple[float, float], step_s: float = STEP_S) -> FloatArray:
    """Multiples of `step_s` from the first to the second of `range_s`, seconds.

    >>> lags_between((-0.05, 0.05)).tolist()
    [-0.04, -0.02, 0.0, 0.02, 0.04]
    """
    first, last = int(np.ceil(range_s[0] / step_s - 1e-6)), int(np.floor(range_s[1] / step_s + 1e-6))
    return np.arange(first, last + 1) / round(1.0 / step_s) if last >= first else np.zeros(0)


def peak_lag_s(curve: FloatArray, lags_s: FloatArray) -> float:
    """Lag of the highest point of a curve (L,) over evenly spaced lags (L,), placed by the parabola through three.

    >>> lags_s = np.array([0.0, 0.1, 0.2, 0.3])
    >>> round(peak_lag_s(1.0 - (lags_s - 0.12) ** 2, lags_s), 6)
    0.12

    Raises InputError where there is no lag.
    """
    if not lags_s.size:
        raise InputError("There is no lag to choose from.", "Search a wider range.")
    best = int(np.argmax(curve))
    if not 0 < best < curve.size - 1:
        return float(lags_s[best])
    below, top, above = (float(v) for v in curve[best - 1 : best + 2])
    bend = below - 2.0 * top + above
    away = float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5)) if bend < 0 else 0.0
    return float(lags_s[best] + away * (lags_s[1] - lags_s[0]))
