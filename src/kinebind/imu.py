"""`Imu`: what one body-worn inertial sensor felt, on its own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinebind._stream import Stream, frozen, frozen_quaternions
from kinebind.clock import FloatArray, check_time
from kinebind.errors import InputError
from kinebind.parts import SITES
from kinebind.resample import resample_rotations, resample_vectors

GRAVITY_M_S2 = 9.81
"""Norm of the specific force at rest, m/s²."""


@dataclass(frozen=True, eq=False)
class Imu(Stream):
    """One inertial sensor. Immutable; validated when built. Missing samples are NaN rows.

    time_s (T,): seconds on the sensor's own clock, strictly increasing.
    acc_sensor (T, 3): specific force in the sensor's frame, m/s²; at rest its norm is 9.81.
    gyr_sensor (T, 3) or None: angular rate in the sensor's frame, rad/s.
    rot_world_from_sensor (T, 4) or None: unit quaternions (x, y, z, w) that turn sensor into world vectors;
        the world is right-handed with z up, its heading arbitrary.
    mag_sensor (T, 3) or None: magnetic field in the sensor's frame, in any constant unit.
    name: what the user calls the sensor. site: one of `kinebind.parts.SITES`, or None where unknown.
    clock_id: sensors with the same clock_id run on one clock and are synchronised together.
    notes: what a reader repaired, converted or assumed, one sentence each.

    Raises InputError for wrong shapes, times that do not increase, infinite values, an unknown site.
    """

    time_s: FloatArray
    acc_sensor: FloatArray
    gyr_sensor: FloatArray | None = None
    rot_world_from_sensor: FloatArray | None = None
    mag_sensor: FloatArray | None = None
    name: str = "imu"
    site: str | None = None
    clock_id: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "time_s", check_time(self.time_s))
        n = self.time_s.size
        put(self, "acc_sensor", frozen(self.acc_sensor, (n, 3), "acc_sensor"))
        for name in ("gyr_sensor", "mag_sensor"):
            if getattr(self, name) is not None:
                put(self, name, frozen(getattr(self, name), (n, 3), name))
        if self.rot_world_from_sensor is not None:
            quat = frozen_quaternions(self.rot_world_from_sensor, (n, 4), "rot_world_from_sensor")
            put(self, "rot_world_from_sensor", quat)
        if self.site is not None and self.site not in SITES:
            raise InputError(f"'{self.site}' is not a sensor site.", f"Use one of: {', '.join(SITES)}.")
        put(self, "clock_id", self.clock_id or self.name)
        put(self, "notes", tuple(self.notes))

    def replace(self, **changes: Any) -> Imu:
        """A copy with some fields changed, validated anew; a clock called after the sensor is renamed with it."""
        if "name" in changes and self.clock_id == self.name:
            changes.setdefault("clock_id", changes["name"])
        return super().replace(**changes)

    def resample(self, time_s: FloatArray) -> Imu:
        """The sensor at other times of its own clock (seconds, strictly increasing).

        Low-passed where the new rate is lower; rotations on SO(3); gaps stay gaps (NaN rows). The magnetometer
        and angular rate are treated as the acceleration is.
        """
        new = check_time(time_s)
        vectors = {
            name: None if value is None else resample_vectors(self.time_s, value, new)
            for name, value in (
                ("acc_sensor", self.acc_sensor), ("gyr_sensor", self.gyr_sensor), ("mag_sensor", self.mag_sensor)
            )
        }  # fmt: skip
        quat = self.rot_world_from_sensor
        if quat is not None:
            quat = resample_rotations(self.time_s, quat, new)
        return self.replace(time_s=new, rot_world_from_sensor=quat, **vectors)

    def rest_norm_m_s2(self) -> float:
        """Mean norm of the specific force over the calmest tenth of half-second windows, m/s²; about 9.81.

        NaN where no half second is complete.
        """
        return calmest_tenth(self.time_s, self.acc_sensor)[0]


def calmest_tenth(time_s: FloatArray, acc_sensor: FloatArray) -> tuple[float, float]:
    """Norm of the acceleration (T, 3) and its RMS spread, both over the calmest tenth of half-second windows.

    In the acceleration's own unit; NaN where no half second is complete.
    """
    valid = np.isfinite(acc_sensor).all(axis=1)
    acc = acc_sensor[valid]
    half_second = np.floor((time_s[valid] - time_s[0]) / 0.5)
    window = np.unique(half_second, return_inverse=True)[1]  # a long pause must not cost memory
    count = np.bincount(window)
    full = count >= max(2, 0.5 * np.median(count)) if count.size else np.zeros(0, dtype=bool)
    if not full.any():
        return float("nan"), float("nan")
    mean = np.bincount(window, np.linalg.norm(acc, axis=1)) / count
    # Spread of the vector, not of its norm: a sensor that turns slowly is not at rest.
    centre = np.stack([np.bincount(window, a) for a in acc.T], axis=1) / count[:, None]
    spread = np.bincount(window, ((acc - centre[window]) ** 2).sum(axis=1)) / count
    order = np.argsort(spread[full])
    calm = order[: max(1, order.size // 10)]
    return float(np.mean(mean[full][calm])), float(np.sqrt(np.mean(spread[full][calm])))
