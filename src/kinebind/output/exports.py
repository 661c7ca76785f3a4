"""An aligned recording in the files of other programs."""

from __future__ import annotations

import difflib
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinebind.errors import InputError
from kinebind.output.imu_clock import write_imu_clock
from kinebind.output.label_tracks import write_tiers
from kinebind.output.opensim import write_orientations, write_trc
from kinebind.output.rerun_file import write_rerun
from kinebind.output.stretches import label_studio, stretches_of
from kinebind.recording import Recording
from kinebind.tasks.sync.result import SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult


@dataclass(frozen=True, eq=False)
class Aligned:
    """What there is to export. video: the file that the people come from, where there is one."""

    recording: Recording
    result: SyncResult
    video: Path | None
    located: LocateResult | None


def _elan(what: Aligned, folder: Path) -> list[Path]:
    tiers = {name: [label for label, _ in own] for name, own in stretches_of(what.recording, what.result).items()}
    return [write_tiers(folder / "aligned.eaf", tiers, media=None if what.video is None else _media(what.video))]


def _media(video: Path) -> dict[str, str]:
    """A linked video, as ELAN names it."""
    kind = mimetypes.guess_type(video.name)[0] or "video/mp4"
    return {"MEDIA_URL": video.resolve().as_uri(), "MIME_TYPE": kind, "RELATIVE_MEDIA_URL": f"./{video.name}"}


def _label_studio(what: Aligned, folder: Path) -> list[Path]:
    return [label_studio(folder / "label-studio.json", what.recording, what.result, what.video)]


def _opensim(what: Aligned, folder: Path) -> list[Path]:
    found = [*write_orientations(what.recording, what.result, folder), *write_trc(what.recording, folder)]
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
    "labelstudio": ("Label Studio's tasks: the aligned table, the video and labels", _label_studio),
    "rerun": ("a Rerun .rrd: video, skeletons and signals on one timeline",
              lambda what, folder: [write_rerun(what.recording, what.result, folder / "aligned.rrd", what.video)]),
    "opensim": ("OpenSense orientations (.sto) and markers of 3D motion (.trc)", _opensim),
}  # fmt: skip
"""Kinds of export: what each is, and what writes it. Tables on the video's clock are always written."""


def check_kinds(words: Sequence[str]) -> tuple[str, ...]:
    """The kinds that are named, each once; raises InputError for others, with the nearest one."""
    out: list[str] = []
    for word in words:
        kind = word.strip().lower()
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, 1)
            raise InputError(
                f"--export has '{word}'.", f"Did you mean {near[0]}?" if near else f"Use {', '.join(KINDS)}."
            )
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
) -> tuple[Path, ...]:
    """Write an aligned recording into a folder, once in each kind; the files' paths.

    Sensors whose clock was refused are left out. Raises InputError for unknown kinds, where no clock was answered,
    where a kind has nothing to write, or needs a package that is not installed.
    """
    wanted = check_kinds(kinds)
    if wanted and not any(answer.answered for answer in result.answers):
        raise InputError("No clock was answered, so there is nothing aligned to export.", "Leave --export out.")
    what = Aligned(recording, result, video, located)
    return tuple(path for kind in wanted for path in KINDS[kind][1](what, folder))
