"""Flags that several commands share: each is defined here, once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from kinebind.cli.settings import MOTION_SETTINGS, POSE_SETTINGS, SENSOR_SETTINGS, Settings, flag

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]

Command = Callable[..., int]


def _word(metavar: str, help: str, panel: str | None = None) -> Any:
    # Text, whatever is meant by it: `Settings` parses it as it does in files, with the same errors.
    return Annotated[str | None, typer.Option(metavar=metavar, help=help, rich_help_panel=panel)]


def _words(metavar: str, help: str, panel: str | None = None) -> Any:
    return Annotated[list[str] | None, typer.Option(metavar=metavar, help=help, rich_help_panel=panel)]


def _switch(name: str, help: str, panel: str | None = None) -> Any:
    # With its name, as Typer would add the opposite.
    return Annotated[bool, typer.Option(name, help=help, rich_help_panel=panel)]


_SENSORS, _POSES, _MOTION, _HINTS = "Sensor files", "Pose files", "Motion files", "What you know beforehand"

_FLAGS = {
    "person": _word("NAME", "Who wears the sensors."),
    "reference": _word("SENSOR", "Synchronise with this sensor instead of a video."),
    "shared_clock": _switch("--shared-clock", "All sensors run on one clock."),
    "search": _word("LO:HI", "Offsets (video minus IMU, seconds) to consider.", _HINTS),
    "method": _word("NAME", "universal (the default), or classical: without the model."),
    "near": _word("S", "An offset near which to look first.", _HINTS),
    "anchor": _words("IMU_S=VIDEO_S", "A moment in both, best given twice.", _HINTS),
    "video_start": _word("TIME", "When the video starts, for UNIX-clock IMUs.", _HINTS),
    "fps": _word("HZ", "The video's frames per second.", _POSES),
    "frame_times": _word("FILE", "The frames' times in seconds, one a line or .npy.", _POSES),
    "image_size": _word("WxH", "The video's size in pixels.", _POSES),
    "first_frame": _word("N", "Number of the video's first frame.", _POSES),
    "columns": _word("ROLE=NAME,...", "A table's columns: time=t,ax=AccX,...", _SENSORS),
    "acc_unit": _word("UNIT", "m/s2, g or mg; -g for the negative.", _SENSORS),
    "gyr_unit": _word("UNIT", "rad/s, deg/s or mdeg/s.", _SENSORS),
    "time_unit": _word("UNIT", "s, ms, us or ns.", _SENSORS),
    "rate": _word("HZ", "Samples per second.", _SENSORS),
    "quat_order": _word("ORDER", "xyzw, wxyz, either with -inverse, or none.", _SENSORS),
    "gravity": _word("WORD", "included in the acceleration, or removed.", _SENSORS),
    "check": _switch("--no-check", "Do not check units and frames on the data.", _SENSORS),
    "unit_m": _word("M", "Metres in a unit of length.", _MOTION),
    "up": _word("AXIS", "Axis that points up: y or z.", _MOTION),
    "asf": _word("FILE", "An AMC's skeleton.", _MOTION),
    "format": _words("NAME", "Take files of its kind for this format (docs/formats.md)."),
}
_SWITCHED = {"shared_clock": True, "check": False}
"""What a setting is where its switch was given; else it is not said."""

FILES = (*POSE_SETTINGS, *SENSOR_SETTINGS, *MOTION_SETTINGS, "format")
"""The settings of files."""
EVERYTHING = tuple(_FLAGS)
"""The settings of files and of the synchronisation."""


def takes(*names: str) -> Callable[[Command], Command]:
    """Give a command the flags of some settings, in the place of its argument `settings`, which is what they say.

    Bad values raise InputError that names the flag.
    """
    by_argument = {flag(name)[2:].replace("-", "_"): name for name in names}

    def with_flags(command: Command) -> Command:
        @functools.wraps(command)
        def called(**arguments: Any) -> int:
            given = {name: arguments.pop(argument) for argument, name in by_argument.items()}
            return command(**arguments, settings=_said(given))

        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            if own.name != "settings":
                parameters.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY))
                continue
            parameters += [
                inspect.Parameter(
                    argument, inspect.Parameter.KEYWORD_ONLY, default=False if name in _SWITCHED else None,
                    annotation=_FLAGS[name],
                )
                for argument, name in by_argument.items()
            ]  # fmt: skip
        # Typer looks at both.
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return with_flags


def _said(given: Mapping[str, Any]) -> Settings:
    """The settings that flags were given for."""
    switched = {name: value if given[name] else None for name, value in _SWITCHED.items() if name in given}
    return Settings.parse({**given, **switched}, flags=True)
