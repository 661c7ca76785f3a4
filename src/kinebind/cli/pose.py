"""`kinebind pose`: the people of a video, as a file of poses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.video_options import (
    Again,
    Detector,
    KeepCamera,
    Merge,
    NoCache,
    PoseLate,
    PoseModel,
    Split,
    backend_by,
    progress,
    read_video,
)
from kinebind.errors import InputError

if TYPE_CHECKING:
    from kinebind.video.video_people import VideoPeople


def pose(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="Any video that FFmpeg reads.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The .npz to write; by default beside where you are.")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the video with the skeletons in it (.mp4).")
    ] = None,
    pose_model: PoseModel = None,
    detector: Detector = None,
    merge: Merge = None,
    split: Split = None,
    keep_camera_motion: KeepCamera = False,
    pose_late: PoseLate = None,
    no_cache: NoCache = False,
    again: Again = False,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find the people of a video, follow them, and write their 2D poses.

    What is found is kept by the video's content: a second run is instant, one that was stopped goes on.

    Exit code: 0 done, 2 bad input.
    """
    screen = Screen(json=json, quiet=quiet)
    target = out if out is not None else Path(f"{video.stem}.poses.npz")
    check_file(target, ".npz")
    if overlay is not None:
        check_file(overlay, ".mp4")
    from kinebind.video.extra import needs_video

    needs_video()
    from kinebind.video.video_people import write_pose_file

    with screen.logging(), backend_by(pose_model, detector) as backend:
        found = read_video(
            video, backend, screen, merge=merge, split=split, keep_camera=keep_camera_motion, pose_late=pose_late,
            no_cache=no_cache, again=again,
        )  # fmt: skip
    write_pose_file(found, target)
    if overlay is not None:
        from kinebind.video.overlay import write_overlay

        with progress(screen, found.info, f"Writing {overlay.name}") as told:
            write_overlay(video, found.people, (), overlay, progress=told)
    _show(found, screen)
    written = [str(target), *([str(overlay)] if overlay is not None else [])]
    screen.show(f"Written: {', '.join(written)}")
    screen.answer(told_of(found) | {"written": written})
    return 0


def check_file(path: Path, ending: str) -> None:
    """Raises InputError where a file cannot be written, before minutes of work end there."""
    if path.suffix.lower() != ending:
        raise InputError(f"{path} does not end in {ending}.", f"Call it {path.stem}{ending}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder.", "Name a file.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"There is no folder {path.absolute().parent}.", "Make it, or choose another place.")


def told_of(found: VideoPeople) -> dict[str, Any]:
    """What was found, as plain values."""
    return {
        "video": str(found.info.path), "frames": int(found.time_s.size), "duration_s": _duration_s(found),
        "size_px": list(found.info.size_px), "backend": found.backend, "camera_moved": found.moved,
        "cuts_s": list(found.cuts_s), "notes": list(found.notes),
        "people": [
            {
                "person": p.person, "start_s": float(p.time_s[0]), "end_s": float(p.time_s[-1]),
                "frames": int(p.time_s.size), "coverage": p.time_s.size / max(int(found.time_s.size), 1),
                "keypoints_seen": float(np.isfinite(p.keypoints_px[..., 0]).mean()), "notes": list(p.notes),
            }
            for p in found.people
        ],
    }  # fmt: skip


def _duration_s(found: VideoPeople) -> float:
    return float(found.time_s[-1] - found.time_s[0])


def _show(found: VideoPeople, screen: Screen) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("person", "from", "to", "frames", "joints seen"):
        table.add_column(name, justify="left" if name == "person" else "right", no_wrap=True)
    for person in found.people:
        share = person.time_s.size / found.time_s.size
        seen = float(np.isfinite(person.keypoints_px[..., 0]).mean())
        table.add_row(
            person.person, f"{person.time_s[0]:.2f} s", f"{person.time_s[-1]:.2f} s",
            f"{person.time_s.size} ({100 * share:.0f} %)", f"{100 * seen:.0f} %",
        )  # fmt: skip
    screen.show(table)
    if found.moved:
        screen.note("The camera moved: its motion is taken out when the poses are read.")
    for note in dict.fromkeys([*found.notes, *(n for p in found.people for n in p.notes)]):
        screen.note(note)
