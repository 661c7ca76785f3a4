"""Whether data are in the units and frames that were declared: refused where the evidence is clear, else noted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu, calmest_tenth
from kinebind.readers.derive import rate_from_orientation, rotate
from kinebind.readers.units import ACC_UNITS, likely_acc_unit, unit_scale
from kinebind.resample import default_max_gap_s, valid_runs

_DEG = 180.0 / np.pi
_GRAVITY_BAND_HZ = 1.0  # below it the turning of the measured up direction is mostly the sensor's own turning


def check_imu(imu: Imu, *, acc_unit: str = "m/s2", gyr_unit: str = "rad/s") -> tuple[str, ...]:
    """Notes on an IMU's plausibility; acc_unit, gyr_unit are what its file was read as, for the messages.

    Raises InputError for constant or all-missing acceleration, for units that are clearly others, and for an
    orientation that does not bring gravity upright; each names the flag that mends it. Short or violent
    recordings, which have no calm moment, are given the benefit of the doubt.
    """
    notes = [*check_signal(imu), *check_acceleration(imu, acc_unit)]
    if imu.rot_world_from_sensor is not None:
        notes += check_orientation(imu)
    if imu.gyr_sensor is not None:
        notes += check_rate(imu, gyr_unit)
    return tuple(notes)


def check_signal(imu: Imu) -> list[str]:
    """Notes on dead axes; raises InputError where no axis of the acceleration ever changes or all is missing."""
    acc = imu.acc_sensor[np.isfinite(imu.acc_sensor).all(axis=1)]
    if acc.shape[0] < 2:
        raise InputError(
            f"Sensor '{imu.name}' has {acc.shape[0]} complete samples of acceleration.",
            "Check the file, and which columns were read (--columns).",
        )
    dead = np.ptp(acc, axis=0) == 0
    if dead.all():
        raise InputError(
            f"The acceleration of sensor '{imu.name}' is constant: {acc.shape[0]} samples of {_vector(acc[0])} m/s².",
            "Check that the sensor was recording, and which columns were read (--columns).",
        )
    return [f"Acceleration {axis} never changes." for axis, flat in zip("xyz", dead, strict=True) if flat]


def check_acceleration(imu: Imu, acc_unit: str) -> list[str]:
    """Notes on the norm at rest; raises InputError where it is far from 9.81 m/s² by more than movement explains."""
    rest, spread = calmest_tenth(imu.time_s, imu.acc_sensor)
    if not np.isfinite(rest):
        return []
    error = abs(rest - GRAVITY_M_S2)
    # In the calmest tenth the norm strays by about as much as the vector scatters there.
    if error > 0.15 * GRAVITY_M_S2 + 1.5 * spread:
        raise InputError(*_acceleration_error(imu.name, rest, spread, acc_unit))
    if error > 0.05 * GRAVITY_M_S2 and spread < 0.5:
        return [f"At rest the acceleration's norm is {rest:.2f} m/s², {100 * error / GRAVITY_M_S2:.0f} % off gravity."]
    return []


def _acceleration_error(name: str, rest: float, spread: float, acc_unit: str) -> tuple[str, str]:
    sign = "-" if acc_unit.startswith("-") else ""
    raw = rest / abs(unit_scale(acc_unit, ACC_UNITS))
    unit = likely_acc_unit(raw)
    what = f"The acceleration of sensor '{name}' has a norm of {rest:.3g} m/s² in its calmest tenth, not 9.81."
    if unit is not None:
        return what, f"Read as {acc_unit} it is {raw:.3g}: it is in {unit}. Add --acc-unit={sign}{unit}."
    if rest < 0.35 * GRAVITY_M_S2:
        return what, (
            "Gravity seems to be removed: export it with gravity, or add --gravity removed "
            "(the file must then hold the orientation)."
        )
    return what, f"Check --acc-unit (now {acc_unit}) and --columns; --no-check reads it as it is."


def turning_of_gravity(time_s: FloatArray, acc: FloatArray, gyr: FloatArray) -> tuple[float, float, float]:
    """How the measured up direction u turns against the gyroscope: du/dt = −ω × u where acceleration is small.

    acc (T, 3) in any unit, gyr (T, 3). Returns the regression slope of du/dt on −ω × u (1 where units agree,
    57.3 where ω is given 57.3 times too small), their correlation, and the RMS of −ω × u in gyr's unit; below 1 Hz.
    NaN where no run of two seconds is complete.
    """
    good = np.asarray(np.isfinite(acc).all(axis=1) & np.isfinite(gyr).all(axis=1))
    rows = np.flatnonzero(good)
    sums, count = np.zeros(3), 0
    for start, stop in _spans(time_s, good):
        span = rows[start:stop]
        t = time_s[span]
        rate = (span.size - 1) / (t[-1] - t[0])
        sos = butter(2, min(_GRAVITY_BAND_HZ, 0.4 * rate), fs=rate, output="sos")
        pad = min(span.size - 1, int(3 * rate / _GRAVITY_BAND_HZ))
        f, omega = (sosfiltfilt(sos, x[span], axis=0, padlen=pad) for x in (acc, gyr))
        up = f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)
        turning = np.gradient(up, t, axis=0)
        expected = -np.cross(omega, up)
        sums += (turning * expected).sum(), (expected**2).sum(), (turning**2).sum()
        count += span.size
    if count == 0 or sums[1] <= 0 or sums[2] <= 0:
        return float("nan"), float("nan"), float("nan")
    return sums[0] / sums[1], sums[0] / np.sqrt(sums[1] * sums[2]), float(np.sqrt(sums[1] / count))


def _spans(time_s: FloatArray, good: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Unbroken runs of two seconds or more among the good samples, cut to a minute; twenty of them tell enough."""
    rate_hz = 1.0 / float(np.median(np.diff(time_s)))
    most = max(int(60.0 * rate_hz), 40)
    spans = []
    for start, stop in valid_runs(time_s, good, default_max_gap_s(time_s)):
        if stop - start >= max(20, 2.0 * rate_hz):
            spans += [(a, min(a + most, stop)) for a in range(start, stop, most) if min(a + most, stop) - a >= 20]
    every = np.linspace(0, len(spans) - 1, min(len(spans), 20)).round().astype(int)
    return [spans[i] for i in every]


def check_rate(imu: Imu, gyr_unit: str) -> list[str]:
    """Notes on the angular rate; raises InputError where it is deg/s read as rad/s or the reverse.

    Judged against the orientation where there is one, else against the turning of gravity.
    """
    assert imu.gyr_sensor is not None
    finite = imu.gyr_sensor[np.isfinite(imu.gyr_sensor).all(axis=1)]
    if finite.size == 0 or (np.ptp(finite, axis=0) == 0).all():
        return ["The angular rate never changes; the gyroscope seems to be off."] if finite.size else []
    if imu.rot_world_from_sensor is not None:
        turned = rate_from_orientation(imu.time_s, imu.rot_world_from_sensor)
        both = np.isfinite(turned).all(axis=1) & np.isfinite(imu.gyr_sensor).all(axis=1)
        w, g = turned[both], imu.gyr_sensor[both]
        squares = float((w * w).sum()), float((g * g).sum())
        # Below a twentieth of a radian a second, noise and drift are all there is.
        if both.sum() > 20 and min(squares) > 0 and max(squares) > both.sum() * 0.05**2:
            along = float((w * g).sum()) / np.sqrt(squares[0] * squares[1])
            ratio = np.sqrt(squares[1] / squares[0])
            _raise_if_57(imu.name, ratio, gyr_unit, "the orientation turns", along > 0.5)
            if along < 0.5 and min(squares) > both.sum() * 0.3**2:
                return ["The angular rate and the orientation do not turn alike; their frames may differ."]
            return []
    slope, along, rms = turning_of_gravity(imu.time_s, imu.acc_sensor, imu.gyr_sensor)
    if np.isfinite(slope):
        # The rate over the turning of gravity. Acceleration adds turning to gravity but takes none away, so a
        # rate far above it is proof enough; a rate far below it must move along with it.
        ratio = along / slope
        _raise_if_57(imu.name, ratio, gyr_unit, "gravity turns", (ratio > 1 and rms > 0.2) or along > 0.5)
    return []


def _raise_if_57(name: str, ratio: float, gyr_unit: str, against: str, certain: bool) -> None:
    if not certain or 1 / 12 < ratio < 12:
        return
    what = f"The angular rate of sensor '{name}' is {ratio:.3g} times what {against}."
    unit = {True: "deg/s", False: "rad/s"}[ratio > 1]
    if 20 < max(ratio, 1 / ratio) < 160 and unit != gyr_unit:
        raise InputError(what, f"A factor near 57.3 means that it is in {unit}: add --gyr-unit {unit}.")
    raise InputError(what, f"Check --gyr-unit (now {gyr_unit}) and --columns; --no-check reads it as it is.")


def check_orientation(imu: Imu) -> list[str]:
    """Notes on the orientation; raises InputError where mean(R·f) is far from (0, 0, 9.81) m/s² and the recording
    is long enough to tell: the mean acceleration of T seconds is the change of speed over T."""
    assert imu.rot_world_from_sensor is not None
    q = imu.rot_world_from_sensor
    seen = int((np.isfinite(q).all(axis=1) & np.isfinite(imu.acc_sensor).all(axis=1)).sum())
    if seen < 20:
        return []
    tolerance = 0.1 * GRAVITY_M_S2 + 4.0 / (seen / imu.rate_hz)
    mean = mean_world(q, imu.acc_sensor)
    if np.linalg.norm(mean - [0, 0, GRAVITY_M_S2]) <= tolerance:
        return []
    others = {
        "the quaternion is scalar first. Add --quat-order wxyz": q[:, [1, 2, 3, 0]],
        "the quaternion is scalar last. Add --quat-order xyzw": q[:, [3, 0, 1, 2]],
        "the quaternion turns world into sensor. Add --quat-order ORDER-inverse": q * [-1, -1, -1, 1],
        "it is scalar first and turns world into sensor. Add --quat-order wxyz-inverse": q[:, [1, 2, 3, 0]]
        * [-1, -1, -1, 1],
    }
    what = (
        f"The orientation of sensor '{imu.name}' turns the mean acceleration to {_vector(mean)} m/s², not (0, 0, 9.81)."
    )
    for meaning, other in others.items():
        if np.linalg.norm(mean_world(other, imu.acc_sensor) - [0, 0, GRAVITY_M_S2]) <= tolerance:
            raise InputError(what, f"It fits if {meaning}.")
    if np.linalg.norm(mean + [0, 0, GRAVITY_M_S2]) <= tolerance:
        raise InputError(
            what,
            "Either the acceleration's sign is turned round (add a minus: --acc-unit=-g) or the world's z points "
            "down (leave the orientation out: --quat-order none).",
        )
    raise InputError(what, "Leave the orientation out (--quat-order none), or check --quat-order and --columns.")


def mean_world(quat_xyzw: FloatArray, acc_sensor: FloatArray) -> FloatArray:
    """Mean of R·f over the complete samples, (3,) m/s²; NaN where there is none."""
    turned = rotate(quat_xyzw, acc_sensor)
    turned = turned[np.isfinite(turned[:, 0])]
    return np.asarray(turned.mean(axis=0)) if turned.size else np.full(3, np.nan)


def _vector(v: FloatArray) -> str:
    return "(" + ", ".join(f"{x:.2f}" for x in v) + ")"
