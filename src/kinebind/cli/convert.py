"""`kinebind convert`: any readable file as one that everything reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.files import write_imu_table
from kinebind.cli.job_files import nothing_idle, read_any
from kinebind.cli.settings import Settings
from kinebind.errors import InputError
from kinebind.readers.poses_npz import write_npz
from kinebind.recording import Recording
from kinebind.store import SUFFIX, save

_ENDINGS = (SUFFIX, ".npz", ".csv", ".parquet")


@options.takes(*options.FILES)
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any file that Kinebind reads, or a recording.toml.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help=".kinebind, .npz (poses), .csv or .parquet (sensors).")],
    sensor: Annotated[str | None, typer.Option(metavar="NAME", help="Only this sensor.")] = None,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Convert a file to SI units and Kinebind's frames: everything to .kinebind, poses to .npz, sensors to a table."""
    screen = Screen(json=json, quiet=quiet)
    ending = target.suffix.lower()
    if ending not in _ENDINGS:
        raise InputError(f"{target} has an ending that says no format.", f"Use one of: {', '.join(_ENDINGS)}.")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {target.parent}.", "Make it first, or choose another place.")
    if target.is_dir():
        raise InputError(f"{target} is a folder.", "Name a file.")
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(f"{target} is the file that is read.", "Choose another name.")
    with screen.busy(f"Reading {source}"):
        fmt, _, recording = read_any(source, settings)
    nothing_idle(settings, [fmt])
    if sensor is not None:
        chosen = [imu for imu in recording.imus if imu.name == sensor]
        if not chosen:
            names = ", ".join(imu.name for imu in recording.imus) or "none"
            raise InputError(f"{source} has no sensor '{sensor}'.", f"It has: {names}.")
        recording = recording.replace(imus=chosen)
    left_out = _write(recording, target, ending, source)
    written = _counts(recording, ending)
    screen.show(f"{target}: {written}")
    if left_out:
        screen.note(f"Left out, as {ending} does not hold them: {left_out}.")
    screen.answer({"format": "kinebind-convert-1", "out": str(target), "holds": written, "left_out": left_out})
    return 0


def _write(recording: Recording, target: Path, ending: str, source: Path) -> str:
    """Write what the ending stands for; what of the recording it does not hold, in words."""
    if ending == SUFFIX:
        save(recording, target)
        return ""
    if ending == ".npz":
        if not recording.people:
            raise InputError(f"{source} holds no 2D poses, and .npz holds nothing else.", f"Choose {SUFFIX}.")
        write_npz(recording.people, target)
        return _list(recording.replace(people=()))
    if not recording.imus:
        raise InputError(
            f"{source} holds no sensor, and {ending} holds nothing else.", f"Choose .npz for poses, {SUFFIX} for all."
        )
    write_imu_table(recording.imus, target)
    return _list(recording.replace(imus=()))


def _counts(recording: Recording, ending: str) -> str:
    kept = {".npz": recording.replace(imus=(), motions=(), labels=()), SUFFIX: recording}
    return _list(kept.get(ending, recording.replace(people=(), motions=(), labels=())))


def _list(recording: Recording) -> str:
    counts = (
        (len(recording.people), "person", "people"), (len(recording.imus), "sensor", "sensors"),
        (len(recording.motions), "motion", "motions"), (len(recording.labels), "label", "labels"),
    )  # fmt: skip
    return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in counts if n)
