"""From a sensor's columns to `Imu`: units to SI, times repaired, frames and signs settled, everything told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu, calmest_tenth
from kinebind.readers.checks import check_imu, mean_world, turning_of_gravity
from kinebind.readers.columns import ColumnMap
from kinebind.readers.derive import (
    rate_from_orientation,
    specific_force_from_free_sensor,
    specific_force_from_free_world,
)  # fmt: skip
from kinebind.readers.formats_base import site_in_name
from kinebind.readers.repair import Piece, repair_times
from kinebind.readers.units import (
    ACC_UNITS,
    GYR_UNITS,
    TIME_UNITS,
    likely_acc_unit,
    likely_time_unit,
    named_unit,
    unit_scale,
)  # fmt: skip
from kinebind.resample import default_max_gap_s

QUAT_ORDERS = ("xyzw", "wxyz", "xyzw-inverse", "wxyz-inverse", "none")
"""What `--quat-order` takes: the order in which the file lists the components; "-inverse" where the quaternion
turns world into sensor vectors; "none" leaves the orientation out."""


_IMPOSSIBLE = 1e7  # in any unit: what a damaged file or an error code leaves


@dataclass(frozen=True)
class ImuOptions:
    """What the user says about an IMU file; None is "not said". See `kinebind.readers.read_imu`."""

    site: str | None = None
    name: str | None = None
    clock_id: str | None = None
    columns: ColumnMap | None = None
    acc_unit: str | None = None
    gyr_unit: str | None = None
    time_unit: str | None = None
    rate_hz: float | None = None
    quat_order: str | None = None
    gravity: Literal["included", "removed"] | None = None
    check: bool = True


@dataclass(frozen=True, eq=False)
class RawImu:
    """One sensor as its file holds it, with what the file declares; None is "not declared".

    time (N,) in time_unit, or None where rows stand 1/rate_hz apart. acc, gyr, mag (N, 3). quat (N, 4) in
    quat_order. gravity: whether the acceleration holds it. free_world: it is gravity-free and in the world's frame.
    group: what the file calls this sensor where it holds several.
    """

    acc: FloatArray
    time: FloatArray | None = None
    gyr: FloatArray | None = None
    quat: FloatArray | None = None
    mag: FloatArray | None = None
    name: str = "imu"
    site: str | None = None
    clock_id: str | None = None
    acc_unit: str | None = None
    gyr_unit: str | None = None
    time_unit: str | None = None
    rate_hz: float | None = None
    quat_order: str | None = None
    gravity: Literal["included", "removed", "unclear"] = "included"
    free_world: bool = False
    group: str = ""
    notes: tuple[str, ...] = field(default=())


def with_site_in_name(raw: RawImu, name: str) -> RawImu:
    """The sensor with the site that a name tells, and a note that says so; unchanged where it tells none."""
    site = site_in_name(name)
    if site is None:
        return raw
    return replace(raw, site=site, notes=(*raw.notes, f"The site {site} was taken from the name '{name}'."))


def assemble(raw: RawImu, options: ImuOptions) -> tuple[Imu, ...]:
    """The sensor's pieces as `Imu`: one, or several where its clock jumped.

    Raises InputError where a unit, the rate or the quaternion's order is neither declared nor given (with the
    flag and the likely value), where gravity is missing and cannot be restored, and from `check_imu`.
    """
    raw = _with_units(raw, options)
    if options.name:
        raw = replace(raw, name=f"{options.name}_{raw.group}" if raw.group else options.name)
    _require_units(raw)
    notes = list(raw.notes)
    acc = _scaled(raw.acc, unit_scale(str(raw.acc_unit), ACC_UNITS), "acceleration", notes)
    gyr = raw.gyr
    if gyr is not None and np.isfinite(gyr).any():
        gyr = _scaled(gyr, unit_scale(str(raw.gyr_unit), GYR_UNITS), "angular rate", notes)
    else:
        gyr = None
    mag = None if raw.mag is None else _scaled(raw.mag, 1.0, "magnetic field", notes)
    quat = _quaternions(raw, options, acc, notes)
    acc = _with_gravity(raw, options, acc, quat, notes)
    pieces = _pieces(raw, acc, gyr, notes)
    raw = replace(raw, acc=acc[:0], time=None, gyr=None, quat=None, mag=None)  # what was read is not needed twice
    imus = []
    for i, piece in enumerate(pieces):
        suffix = f"#{i + 1}" if i else ""
        own = [*notes, *piece.notes]
        q, rate, field = (None if v is None else _at(v, piece.rows) for v in (quat, gyr, mag))
        if rate is None and q is not None:
            rate = rate_from_orientation(piece.time_s, q)
            own.append("There is no gyroscope; the angular rate is derived from the orientation.")
        imu = Imu(
            time_s=piece.time_s, acc_sensor=_at(acc, piece.rows), gyr_sensor=rate, rot_world_from_sensor=q,
            mag_sensor=field if field is not None and np.isfinite(field).any() else None,
            name=raw.name + suffix, site=options.site or raw.site,
            clock_id=(options.clock_id or raw.clock_id or raw.name) + suffix,
        )  # fmt: skip
        own += _missing(imu)
        if options.check:
            own += check_imu(imu, acc_unit=str(raw.acc_unit), gyr_unit=str(raw.gyr_unit or "rad/s"))
        imus.append(imu.replace(notes=tuple(own)))
    return tuple(imus)


def _at(values: FloatArray, rows: npt.NDArray[np.intp]) -> FloatArray:
    """The rows of an array, without a copy where they are all of them in order."""
    whole = rows.size == len(values) and bool((np.diff(rows) == 1).all())
    return values if whole else values[rows]


def _with_units(raw: RawImu, options: ImuOptions) -> RawImu:
    """The sensor with the units that the user named in place of the file's, all in our spelling."""
    units: dict[str, str] = {}
    for name, table in (("acc_unit", ACC_UNITS), ("gyr_unit", GYR_UNITS), ("time_unit", TIME_UNITS)):
        if text := getattr(options, name) or getattr(raw, name):
            units[name] = named_unit(text, table, f"--{name.replace('_', '-')}")
    rate_hz = options.rate_hz or raw.rate_hz
    if rate_hz is not None and not 0.5 <= rate_hz <= 20000:
        raise InputError(f"A rate of {rate_hz:g} Hz cannot be.", "Check --rate.")
    return replace(raw, rate_hz=rate_hz, **units)  # type: ignore[arg-type]


def _require_units(raw: RawImu) -> None:
    """Raises InputError naming every flag that is missing, with the value that the data suggest."""
    lacking, flags = [], []
    unit = raw.time_unit
    if raw.time is None and raw.rate_hz is None:
        lacking.append("time")
        flags.append("--rate HZ (or --columns time=NAME)")
    elif raw.time is not None and unit is None:
        unit = likely_time_unit(raw.time)
        lacking.append("time")
        flags.append(f"--time-unit {unit or '|'.join(TIME_UNITS)} (the median step is {_median_step(raw.time):.6g})")
    seconds = np.arange(len(raw.acc)) / (raw.rate_hz or 100.0)
    if raw.time is not None and unit is not None:
        seconds = raw.time * TIME_UNITS[unit]
    if raw.acc_unit is None:
        rest = _rest(seconds, raw.acc)
        lacking.append("acceleration")
        flags.append(f"--acc-unit {likely_acc_unit(rest) or '|'.join(ACC_UNITS)} (at rest the norm is {rest:.3g})")
    if raw.gyr is not None and raw.gyr_unit is None:
        lacking.append("angular rate")
        flags.append(f"--gyr-unit {_likely_gyr_unit(seconds, raw.acc, raw.gyr)}")
    if lacking:
        raise InputError(f"The file does not say the unit of its {_and(lacking)}.", f"Add {_and(flags)}.")


def _and(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _median_step(time: FloatArray) -> float:
    step = np.abs(np.diff(time))
    step = step[np.isfinite(step)]
    return float(np.median(step)) if step.size else float("nan")


def _rest(time_s: FloatArray, acc: FloatArray) -> float:
    good = np.isfinite(time_s)
    order = np.argsort(time_s[good], kind="stable")
    return calmest_tenth(time_s[good][order], acc[good][order])[0] if good.any() else float("nan")


def _likely_gyr_unit(time_s: FloatArray, acc: FloatArray, gyr: FloatArray) -> str:
    times, first = np.unique(time_s[np.isfinite(time_s)], return_index=True)
    slope, along = float("nan"), 0.0
    if times.size > 2:
        rows = np.flatnonzero(np.isfinite(time_s))[first]
        slope, along, _ = turning_of_gravity(times, acc[rows], gyr[rows])
    turned = abs(slope / along) if along else float("nan")  # how fast gravity turns over how fast the rate says
    if turned < 0.13 or turned > 0.3:
        return f"{'deg/s' if turned < 0.13 else 'rad/s'} (against the turning of gravity)"
    top = float(np.nanmax(np.abs(gyr))) if np.isfinite(gyr).any() else float("nan")
    return f"deg/s (it reaches {top:.3g})" if top > 40 else f"rad/s|deg/s (it reaches {top:.3g})"


def _scaled(values: FloatArray, scale: float, what: str, notes: list[str]) -> FloatArray:
    out = np.array(values, dtype=np.float64)
    impossible = np.abs(out) > _IMPOSSIBLE
    if impossible.any():
        notes.append(f"Impossible values of the {what} count as missing ({int(impossible.sum())}).")
        out[impossible] = np.nan
    out *= scale
    return out


def _quaternions(raw: RawImu, options: ImuOptions, acc: FloatArray, notes: list[str]) -> FloatArray | None:
    """Unit quaternions (N, 4), x, y, z, w, sensor to world; None where there are none or the user leaves them out."""
    order = options.quat_order or raw.quat_order
    if order is not None and order not in QUAT_ORDERS:
        raise InputError(f"'{order}' is no order of a quaternion.", f"Use one of: {', '.join(QUAT_ORDERS)}.")
    if raw.quat is None or order == "none" or not np.isfinite(raw.quat).any():
        return None
    if order is None:
        fits = {o: float(np.linalg.norm(mean_world(_ordered(raw.quat, o), acc)[:2])) for o in ("xyzw", "wxyz")}
        raise InputError(
            "The file does not say in which order its quaternion's columns stand.",
            f"Add --quat-order {min(fits, key=lambda o: fits[o])} (with it gravity comes out more upright), or "
            "--quat-order none to leave the orientation out.",
        )
    quat = _ordered(raw.quat, order)
    with np.errstate(over="ignore"):
        norm = np.linalg.norm(raw.quat, axis=1)
    bad = np.isfinite(norm) & ~(np.abs(norm - 1.0) < 0.05)
    if bad.mean() > 0.05 and (np.abs(norm[bad]) > 0).any():
        raise InputError(
            f"{100 * bad.mean():.0f} % of the quaternions have a norm that is not 1.",
            "Check the four columns (--columns qx=…), or leave the orientation out: --quat-order none.",
        )
    if bad.any():
        notes.append(f"Quaternions that are zero or have a norm far from 1 count as missing ({int(bad.sum())}).")
        quat[bad] = np.nan
    return quat if np.isfinite(quat).any() else None


def _ordered(quat: FloatArray, order: str) -> FloatArray:
    """Scalar-last unit quaternions, sensor to world, from a file's order; rows without a direction are NaN."""
    q = np.array(quat[:, [1, 2, 3, 0]] if order.startswith("wxyz") else quat)
    if order.endswith("inverse"):
        q[:, :3] *= -1.0
    with np.errstate(over="ignore", invalid="ignore"):
        norm = np.linalg.norm(q, axis=1, keepdims=True)
        good = (norm > 1e-6) & (norm < _IMPOSSIBLE)
        return np.asarray(np.where(good, q / np.where(good, norm, 1.0), np.nan))


def _with_gravity(
    raw: RawImu, options: ImuOptions, acc: FloatArray, quat: FloatArray | None, notes: list[str]
) -> FloatArray:
    gravity = options.gravity or raw.gravity
    if gravity == "unclear":
        norm = np.linalg.norm(acc, axis=1)
        middle = float(np.median(norm[np.isfinite(norm)])) if np.isfinite(norm).any() else float("nan")
        raise InputError(
            "The columns are called linear, user or free acceleration, which may or may not hold gravity.",
            f"Add --gravity included or --gravity removed (the norm's median is {middle:.3g}; with gravity it is 9.8).",
        )
    if gravity == "included":
        return acc
    if quat is None:
        raise InputError(
            "Gravity is removed from this acceleration, and without an orientation it cannot be put back.",
            "Export the acceleration with gravity, or the orientation with it.",
        )
    if raw.free_world:
        notes.append("The file holds free acceleration in the world's frame; gravity was put back and it was turned "
                     "into the sensor's frame.")  # fmt: skip
        return specific_force_from_free_world(acc, quat)
    notes.append("Gravity was put back into the acceleration by the orientation.")
    return specific_force_from_free_sensor(acc, quat)


def _pieces(raw: RawImu, acc: FloatArray, gyr: FloatArray | None, notes: list[str]) -> list[Piece]:
    """The rows on repaired times, or one even piece where only the rate is known."""
    rows = len(acc)
    if raw.time is None:
        if rows < 2:
            raise InputError(f"Sensor '{raw.name}' has {rows} samples.", "At least two are needed.")
        return [Piece(np.arange(rows), np.arange(rows) / float(raw.rate_hz or 1.0))]
    seconds = raw.time * unit_scale(str(raw.time_unit), TIME_UNITS)
    seconds[np.abs(seconds) > 1e12] = np.nan
    step = _median_step(seconds)
    if not (step == 0 or 1 / 20000 <= step <= 2) and np.isfinite(step):
        unit = likely_time_unit(raw.time)
        raise InputError(
            f"Read as {raw.time_unit}, the samples of sensor '{raw.name}' come every {step:.3g} s.",
            f"Add --time-unit {unit}." if unit else "Check --time-unit and the time's column.",
        )
    values = acc if gyr is None else np.hstack([acc, gyr])
    pieces, repaired = repair_times(seconds, values, rate_hz=raw.rate_hz)
    notes += repaired
    if not pieces:
        raise InputError(
            f"Sensor '{raw.name}' has fewer than two samples with a time ({rows} rows).", "Check the time's column."
        )
    rate = 1.0 / float(np.median(np.diff(pieces[0].time_s)))
    if raw.rate_hz is not None and abs(rate / raw.rate_hz - 1.0) > 0.1 and len(pieces) == 1:
        notes.append(f"The file declares {raw.rate_hz:g} Hz, but its times give {rate:.2f} Hz; the times were used.")
    return pieces


def _missing(imu: Imu) -> list[str]:
    """Sentences on gaps and missing samples."""
    notes = []
    step = np.diff(imu.time_s)
    gaps: npt.NDArray[np.float64] = step[step > default_max_gap_s(imu.time_s)]
    if gaps.size:
        notes.append(f"Gaps stay gaps ({gaps.size}, {gaps.sum():.2f} s in all, the longest {gaps.max():.2f} s).")
    lost = int((~np.isfinite(imu.acc_sensor).all(axis=1)).sum())
    if lost:
        notes.append(f"Missing samples of acceleration stay missing ({lost} of {imu.time_s.size}).")
    return notes
