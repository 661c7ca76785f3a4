"""What a user can say besides naming files: the same words as flags, in recording.toml and as columns of a table."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kinebind.errors import InputError
from kinebind.readers import ColumnMap
from kinebind.readers.poses_tracks import image_size_px

Pair = tuple[float, float]


@dataclass(frozen=True)
class Settings:
    """What was said; None, or an empty tuple, is "not said".

    Of sensor files: columns, acc_unit, gyr_unit, time_unit, rate (Hz), quat_order, gravity, check.
    Of pose files: fps, frame_times (a file), image_size, first_frame. Of motion files: unit_m, up, asf (a file).
    format: names of file formats; each holds for the files of its kind.
    Of the synchronisation: person, reference (a sensor's name), shared_clock, method (universal or classical), search
    (lowest and highest offset, seconds), near (an offset, seconds), anchor (pairs of IMU time and video time, seconds),
    video_start (UNIX time at which the video's clock is zero, seconds).
    Of labels: labels (a file), tier (one of several in it), subject (who does it, by any name).
    """

    columns: ColumnMap | None = None
    acc_unit: str | None = None
    gyr_unit: str | None = None
    time_unit: str | None = None
    rate: float | None = None
    quat_order: str | None = None
    gravity: str | None = None
    check: bool | None = None
    fps: float | None = None
    frame_times: Path | None = None
    image_size: tuple[int, int] | None = None
    first_frame: int | None = None
    unit_m: float | None = None
    up: str | None = None
    asf: Path | None = None
    format: tuple[str, ...] = ()
    person: str | None = None
    reference: str | None = None
    shared_clock: bool | None = None
    search: Pair | None = None
    near: float | None = None
    anchor: tuple[Pair, ...] = ()
    video_start: float | None = None
    method: str | None = None
    labels: Path | None = None
    tier: str | None = None
    subject: str | None = None

    @staticmethod
    def parse(given: Mapping[str, Any], folder: Path = Path(), *, flags: bool = False) -> Settings:
        """Settings from words as flags, tables and TOML give them; None and empty ones count as not said.

        folder: what paths are relative to. flags: whether errors should call the settings by their flags.
        Raises InputError that names the setting.
        """
        values: dict[str, Any] = {}
        for name, value in given.items():
            if value is None or value == "" or value == []:
                continue
            parsed = _PARSERS[name](value, flag(name) if flags else name)
            values[name] = folder / parsed if isinstance(parsed, Path) else parsed
        return Settings(**values)

    def over(self, other: Settings) -> Settings:
        """These settings, with the other's where these say nothing."""
        return dataclasses.replace(other, **self.said())

    def said(self) -> dict[str, Any]:
        """The settings that were said, by name."""
        default = Settings()
        names = [f.name for f in dataclasses.fields(self)]
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(default, n)}


def flag(name: str) -> str:
    """The flag of a setting: `flag("acc_unit") == "--acc-unit"`."""
    return "--no-check" if name == "check" else f"--{name.replace('_', '-')}"


def unknown(name: str, known: list[str], place: str) -> InputError:
    """The error for a word that means nothing, with the nearest one that does."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(known)}."
    return InputError(f"{place} has '{name}', which means nothing.", hint)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InputError(f"{name} has {value!r}, not a word.", "Write it in quotes.")
    return str(value)


def _number(value: Any, name: str) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name} has '{value}', not a number.", "Write a number, with a point for decimals.")
    return number


def _positive(value: Any, name: str) -> float:
    number = _number(value, name)
    if not number > 0:
        raise InputError(f"{name} is {number:g}.", "Give a number above zero.")
    return number


def _integer(value: Any, name: str) -> int:
    number = _number(value, name)
    if number != int(number):
        raise InputError(f"{name} is {number:g}.", "Give a whole number.")
    return int(number)


def _boolean(value: Any, name: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
    if found is None:
        raise InputError(f"{name} has '{value}'.", "Write true or false.")
    return found


def _file(value: Any, name: str) -> Path:
    return Path(_text(value, name))


def _one_of(*words: str) -> Callable[[Any, str], str]:
    def parse(value: Any, name: str) -> str:
        if value not in words:
            raise InputError(f"{name} has '{value}'.", f"Use one of: {', '.join(words)}.")
        return str(value)

    return parse


def _columns(value: Any, name: str) -> ColumnMap:
    if isinstance(value, Mapping):
        value = ",".join(f"{role}={column}" for role, column in value.items())
    return ColumnMap.parse(_text(value, name))


def _image_size(value: Any, name: str) -> tuple[int, int]:
    size = image_size_px(tuple(value) if isinstance(value, list) else _text(value, name))
    assert size is not None
    return size


def _words(value: Any, name: str) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else _text(value, name).split(",")
    return tuple(_text(v, name).strip() for v in values)


def seconds(value: Any, name: str) -> float:
    """Seconds from a number or from what a player shows: `seconds("1:23.5", …) == 83.5`."""
    text = str(value).strip()
    clock = re.fullmatch(r"(-?)(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)", text)
    if clock is None:
        return _number(value, name)
    whole = 3600 * int(clock[2] or 0) + 60 * int(clock[3]) + float(clock[4])
    return -whole if clock[1] else whole


def _search(value: Any, name: str) -> Pair:
    parts = value.split(":") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) != 2:
        raise InputError(f"{name} has '{value}'.", "Write the lowest and the highest offset in seconds, as -60:60.")
    low, high = (_number(part, name) for part in parts)
    if not low < high:
        raise InputError(f"{name} ends at {high:g} s, before it starts at {low:g} s.", "Write the lower offset first.")
    return low, high


def _anchors(value: Any, name: str) -> tuple[Pair, ...]:
    several = value if isinstance(value, list | tuple) else _text(value, name).split(",")
    pairs = []
    for part in several:
        sides = part.split("=") if isinstance(part, str) else part
        if not isinstance(sides, list | tuple) or len(sides) != 2:
            raise InputError(
                f"{name} has '{part}'.", "Write IMU_TIME=VIDEO_TIME of one and the same moment, as 12.4=1:03.2."
            )
        pairs.append((seconds(sides[0], name), seconds(sides[1], name)))
    return tuple(pairs)


def _instant(value: Any, name: str) -> float:
    """UNIX time in seconds of an ISO date (in UTC unless it says otherwise), of UNIX seconds or milliseconds."""
    if not isinstance(value, datetime):
        try:
            number = float(value)
            if 1e8 < number < 1e10 or 1e11 < number < 1e13:
                return number if number < 1e10 else number / 1000.0
            raise InputError(f"{name} is {value}, which is no UNIX time of our days.", _INSTANT)
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
        text = str(value).strip()
        try:
            # Python 3.10 does not take the Z.
            value = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        except ValueError as error:
            raise InputError(f"{name} has '{value}', which is no time.", _INSTANT) from error
        if ":" not in text:
            raise InputError(f"{name} has '{value}', a day without a time.", _INSTANT)
    return float((value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp())


_INSTANT = "Write it as 2025-03-09T14:05:30Z, or as UNIX seconds."

_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "columns": _columns, "acc_unit": _text, "gyr_unit": _text, "time_unit": _text, "rate": _positive,
    "quat_order": _text, "gravity": _one_of("included", "removed"), "check": _boolean,
    "fps": _positive, "frame_times": _file, "image_size": _image_size, "first_frame": _integer,
    "unit_m": _positive, "up": _one_of("y", "z"), "asf": _file, "format": _words,
    "person": _text, "reference": _text, "shared_clock": _boolean,
    "search": _search, "near": seconds, "anchor": _anchors, "video_start": _instant,
    "method": _one_of("universal", "classical"), "labels": _file, "tier": _text, "subject": _text,
}  # fmt: skip

SENSOR_SETTINGS = ("columns", "acc_unit", "gyr_unit", "time_unit", "rate", "quat_order", "gravity", "check")
POSE_SETTINGS = ("fps", "frame_times", "image_size", "first_frame")
MOTION_SETTINGS = ("unit_m", "up", "asf")
LABEL_SETTINGS = ("labels", "tier", "subject")
"""Said in recording.toml and in tables alone: no command has flags for them."""
SETTINGS = tuple(_PARSERS)
