"""Units that tables declare, and which of them the data look like."""

from __future__ import annotations

import math
import re

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2

ACC_UNITS: dict[str, float] = {"m/s2": 1.0, "g": GRAVITY_M_S2, "mg": GRAVITY_M_S2 / 1000.0}
"""Acceleration units, as `--acc-unit` takes them, in m/s². A minus sign in front turns the axes round, for
files that hold the negative of specific force, as iOS's Core Motion does."""

GYR_UNITS: dict[str, float] = {"rad/s": 1.0, "deg/s": math.pi / 180.0, "mdeg/s": math.pi / 180e3}
"""Angular rate units, as `--gyr-unit` takes them, in rad/s."""

TIME_UNITS: dict[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Time units, as `--time-unit` takes them, in seconds."""

_SPELLINGS: dict[str, str] = {
    "m/s2": "m/s2", "m/s/s": "m/s2", "m/s^2": "m/s2", "m/s**2": "m/s2", "ms-2": "m/s2", "ms^-2": "m/s2",
    "mps2": "m/s2", "ms2": "m/s2", "mss": "m/s2", "m/sec2": "m/s2", "m/sec^2": "m/s2", "mpss": "m/s2",
    "g": "g", "gs": "g", "g-force": "g", "gforce": "g", "mg": "mg", "milli-g": "mg", "millig": "mg",
    "rad/s": "rad/s", "rads": "rad/s", "rad/sec": "rad/s", "rads-1": "rad/s", "rads^-1": "rad/s", "rps": "rad/s",
    "radians/s": "rad/s", "radians/sec": "rad/s", "radps": "rad/s", "radpers": "rad/s",
    "deg/s": "deg/s", "dps": "deg/s", "deg/sec": "deg/s", "degs": "deg/s", "°/s": "deg/s", "°/sec": "deg/s",
    "degree/s": "deg/s", "degrees/s": "deg/s", "degrees/sec": "deg/s", "degps": "deg/s", "degs-1": "deg/s",
    "degs^-1": "deg/s", "mdps": "mdeg/s", "mdeg/s": "mdeg/s",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "ms": "ms", "msec": "ms", "millis": "ms", "milliseconds": "ms", "millisecond": "ms",
    "us": "us", "usec": "us", "micros": "us", "microseconds": "us", "microsecond": "us",
    "ns": "ns", "nsec": "ns", "nanos": "ns", "nanoseconds": "ns", "nanosecond": "ns",
}  # fmt: skip


def parse_unit(text: str) -> str | None:
    """The unit that a text means ("m/s²" is "m/s2", "dps" is "deg/s"), or None where it means none of ours."""
    plain = text.strip().lower().replace("⁻¹", "-1").replace("⁻²", "-2").replace("²", "2")
    plain = plain.replace("µ", "u").replace("μ", "u").replace("º", "°")
    plain = re.sub(r"[\s()*·._]", "", plain) if "**" not in plain else re.sub(r"[\s()]", "", plain)
    return _SPELLINGS.get(plain)


def named_unit(text: str, units: dict[str, float], flag: str) -> str:
    """The unit that a user or file named, as `units` spells it; raises InputError that lists the units and the flag.

    An acceleration unit keeps a minus sign in front.
    """
    sign = "-" if units is ACC_UNITS and text.strip().startswith("-") else ""
    unit = parse_unit(text.strip().removeprefix(sign))
    if unit not in units:
        raise InputError(f"'{text}' is not a unit for {flag}.", f"Use one of: {', '.join(units)}.")
    return sign + unit


def unit_scale(unit: str, units: dict[str, float]) -> float:
    """SI value of one `unit` as `named_unit` spells it, negative with a minus sign in front."""
    return -units[unit[1:]] if unit.startswith("-") else units[unit]


def likely_acc_unit(rest_norm: float) -> str | None:
    """The unit in which a norm at rest would be gravity's, within 12 %; None where there is none."""
    for unit, scale in ACC_UNITS.items():
        if abs(rest_norm * scale / GRAVITY_M_S2 - 1.0) < 0.12:
            return unit
    return None


def likely_time_unit(times: FloatArray) -> str | None:
    """The unit in which the median step lies between 0.5 and 250 ms; no two units can both fit."""
    step = np.abs(np.diff(times))
    step = step[np.isfinite(step) & (step > 0)]
    if step.size == 0:
        return None
    # The mean of the middle half: a median alone is coarse where times are whole milliseconds.
    low, high = np.quantile(step, [0.25, 0.75], method="nearest")
    typical = float(np.mean(step[(step >= low) & (step <= high)]))
    for unit, scale in TIME_UNITS.items():
        if 0.5e-3 <= typical * scale < 0.25:
            return unit
    return None
