"""An aligned recording in the files of other programs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinebind.errors import InputError
from kinebind.output.annotations import write_elan_project, write_label_studio_projects
from kinebind.output.imu_clock import write_imu_clock
from kinebind.output.opensim import write_orientations, write_trc
from kinebind.output.rerun_file import needs_rerun, write_rerun
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.tasks.sync.result import SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult


@dataclass(frozen=True, eq=False)
class Aligned:
    """What there is to export. video: the file that the people come from, where there is one. home: the folder in
    which the exports will lie in the end. shown: the people in the video's own pixels."""

    recording: Recording
    result: SyncResult
    video: Path | None
    located: LocateResult | None
    home: Path
    shown: Sequence[Poses]


def _elan(what: Aligned, folder: Path) -> list[Path]:
    return [write_elan_project(folder / "aligned.eaf", what.recording, what.result, what.video, what.home)]


def _label_studio(what: Aligned, folder: Path) -> list[Path]:
    return write_label_studio_projects(folder, what.recording, what.result, what.video, what.located, what.home)


def _rerun(what: Aligned, folder: Path) -> list[Path]:
    shown = what.recording.replace(people=tuple(what.shown))
    return [write_rerun(shown, what.result, folder / "aligned.rrd", what.video, what.located)]


def _opensim(what: Aligned, folder: Path) -> list[Path]:
    found = [
        *write_orientations(what.recording, what.result, folder, what.located),
        *write_trc(what.recording, folder),
    ]
    if not found:
        raise InputError(
            "Nothing here is for OpenSim: no aligned sensor has an orientation, and there is no 3D motion.",
            "Leave opensim out of --export.",
        )
    return found


KINDS: dict[str, tuple[str, Callable[[Aligned, Path], list[Path]]]] = {
    "csv-imu": ("poses at the samples of each sensor's clock, CSV",
                lambda what, folder: write_imu_clock(what.recording, what.result, folder, "csv")),
    "parquet-imu": ("the same as Parquet",
                    lambda what, folder: write_imu_clock(what.recording, what.result, folder, "parquet")),
    "elan": ("ELAN's .eaf: where each sensor is aligned, and labels, beside the video", _elan),
    "labelstudio": ("Label Studio's task, time series and labelling set-up: sensors, video and labels", _label_studio),
    "rerun": ("a Rerun .rrd: video, skeletons and signals on one timeline", _rerun),
    "opensim": ("OpenSense orientations (.sto) and markers of 3D motion (.trc)", _opensim),
}  # fmt: skip
"""Kinds of export: what each is, and what writes it. Tables on the video's clock are always written."""


def check_kinds(words: Sequence[str]) -> tuple[str, ...]:
    """The kinds that are named, each once.

    Raises InputError for others, with the nearest one, and for a kind whose package is not installed.
    """
    out: list[str] = []
    for word in words:
        kind = word.strip().lower()
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, 1)
            raise InputError(
                f"--export has '{word}'.", f"Did you mean {near[0]}?" if near else f"Use {', '.join(KINDS)}."
            )
        if kind == "rerun":
            needs_rerun()
        out.append(kind)
    return tuple(dict.fromkeys(out))


def export(
    recording: Recording,
    result: SyncResult,
    folder: Path,
    kinds: Sequence[str],
    *,
    video: Path | None = None,
    located: LocateResult | None = None,
    home: Path | None = None,
    shown: Sequence[Poses] | None = None,
) -> tuple[Path, ...]:
    """Write an aligned recording into a folder, once in each kind; the files' paths.

    video: shown or linked by kinds that can. located: who wears what, where it was found. home: the folder in which
    the files will lie, where `folder` is a temporary one that is renamed; links to the video start there. shown: the
    people in the video's own pixels, where the camera's motion is taken out of the recording's.
    Sensors whose clock was refused are left out. Raises InputError for unknown kinds, where no clock was answered,
    where a kind has nothing to write, or needs a package that is not installed.
    """
    wanted = check_kinds(kinds)
    if wanted and not any(answer.answered for answer in result.answers):
        raise InputError("No clock was answered, so there is nothing aligned to export.", "Leave --export out.")
    people = recording.people if shown is None else shown
    what = Aligned(recording, result, video, located, folder if home is None else home, people)
    return tuple(path for kind in wanted for path in KINDS[kind][1](what, folder))
