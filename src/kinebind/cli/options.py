"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kinebind.cli.settings import SETTINGS, Settings

_SENSORS, _POSES, _MOTION = "Sensor files", "Pose files", "Motion files"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]

FormatNames = Annotated[
    list[str] | None,
    typer.Option("--format", metavar="NAME", help="Take files of its kind for this format (docs/formats.md)."),
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="ROLE=NAME,...", help="A table's columns: time=t,ax=AccX,...", rich_help_panel=_SENSORS),
]
AccUnit = Annotated[
    str | None, typer.Option(metavar="UNIT", help="m/s2, g or mg; -g for the negative.", rich_help_panel=_SENSORS)
]
GyrUnit = Annotated[str | None, typer.Option(metavar="UNIT", help="rad/s, deg/s or mdeg/s.", rich_help_panel=_SENSORS)]
TimeUnit = Annotated[str | None, typer.Option(metavar="UNIT", help="s, ms, us or ns.", rich_help_panel=_SENSORS)]
Rate = Annotated[float | None, typer.Option(metavar="HZ", help="Samples per second.", rich_help_panel=_SENSORS)]
QuatOrder = Annotated[
    str | None,
    typer.Option(metavar="ORDER", help="xyzw, wxyz, either with -inverse, or none.", rich_help_panel=_SENSORS),
]
Gravity = Annotated[
    str | None,
    typer.Option(metavar="WORD", help="included in the acceleration, or removed.", rich_help_panel=_SENSORS),
]
NoCheck = Annotated[
    bool, typer.Option("--no-check", help="Do not check units and frames on the data.", rich_help_panel=_SENSORS)
]
Fps = Annotated[float | None, typer.Option(metavar="HZ", help="The video's frames per second.", rich_help_panel=_POSES)]
FrameTimes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The frames' times in seconds, one a line or .npy.", rich_help_panel=_POSES),
]
ImageSize = Annotated[
    str | None, typer.Option(metavar="WxH", help="The video's size in pixels.", rich_help_panel=_POSES)
]
FirstFrame = Annotated[
    int | None, typer.Option(metavar="N", help="Number of the video's first frame.", rich_help_panel=_POSES)
]
UnitM = Annotated[
    float | None, typer.Option("--unit-m", metavar="M", help="Metres in a unit of length.", rich_help_panel=_MOTION)
]
Up = Annotated[str | None, typer.Option(metavar="AXIS", help="Axis that points up: y or z.", rich_help_panel=_MOTION)]
Asf = Annotated[Path | None, typer.Option(metavar="FILE", help="An AMC's skeleton.", rich_help_panel=_MOTION)]


def settings_of(arguments: dict[str, Any]) -> Settings:
    """The settings among a command's arguments, checked; raises InputError that names the flag."""
    given = {name: value for name, value in arguments.items() if name in SETTINGS}
    if arguments.get("no_check"):
        given["check"] = False
    # Paths on the command line are relative to where it runs, as all its paths.
    return Settings.parse({name: str(v) if isinstance(v, Path) else v for name, v in given.items()}, flags=True)
