"""`kinebind corpus add`: videos as clips of motion with captions, appended to a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import motion_options
from kinebind.cli.settings import Settings
from kinebind.cli.video_options import Detector, NoCache, PoseLate, PoseModel, backend_by, read_video
from kinebind.errors import InputError
from kinebind.output.folder import check_out
from kinebind.readers import Format, sniff
from kinebind.readers.captions import captions_by_file, read_captions
from kinebind.readers.motion_sets import plain_words

if TYPE_CHECKING:
    from kinebind.body.lifted_gates import LeftOut
    from kinebind.training.footage import Footage

_SHOWN = 12  # stretches of a file that are left out and that a person is shown; --json has them all


@options.takes("fps", "up")
def add(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO...", help="Videos, their files of `kinebind pose`, or SMPL fits (.npz)."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The corpus to write, or to append to.")],
    settings: Settings,
    captions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is done when: a table, or lines of JSON.")
    ] = None,
    no_label: Annotated[
        bool, typer.Option("--no-label", help="Without captions: no label, rather than the file's name in words.")
    ] = False,
    source: Annotated[str, typer.Option(metavar="NAME", help="What the clips' source is called.")] = "video",
    terms: Annotated[str | None, typer.Option(metavar="TEXT", help="The terms of use of the videos.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the clips of videos that it has.")] = False,
    camera_tilt: Annotated[float, typer.Option(metavar="DEG", help="How far the camera looks down.")] = 0.0,
    pose_model: PoseModel = None,
    detector: Detector = None,
    pose_late: PoseLate = None,
    no_cache: NoCache = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Append the people of videos to a corpus, as motion with captions (docs/cli.md).

    Exit code: 0 done, 2 bad input; then the corpus is as it was.
    """
    screen = Screen(json=json, quiet=quiet)
    if out.is_dir():
        raise InputError(f"{out} is a folder.", "Name a file: --out NAME.kbcorpus.")
    check_out(out.parent)
    if not source.strip():
        raise InputError("The source has no name.", "Give it one: --source NAME.")
    if not -90.0 < camera_tilt < 90.0:
        raise InputError(f"A camera cannot be tilted by {camera_tilt:g}°.", "Give degrees between −90 and 90.")
    formats = _formats(files)
    told = None if captions is None else captions_by_file(read_captions(captions), files)
    # Here, because this imports torch.
    from kinebind.training.corpus_add import Clip, add_clips, check_new, clips_of

    check_new(out, [file.name for file in files], source=source, replace=replace)  # before minutes of work
    motion = {file: motion_options(settings, fmt) for file, fmt in formats.items() if fmt and fmt.kind == "motion"}
    _nothing_idle(
        None in formats.values(), bool(motion), settings,
        {"--pose-model": pose_model, "--detector": detector, "--pose-late": pose_late, "--no-cache": no_cache},
    )  # fmt: skip
    clips: list[Clip] = []
    left_out: dict[Path, Mapping[str, tuple[LeftOut, ...]]] = {}
    for file in files:
        with screen.logging():
            footage = _footage(
                file,
                formats[file],
                motion.get(file, {}),
                screen,
                camera_tilt,
                pose_model,
                detector,
                pose_late,
                no_cache,
            )
        label = "" if no_label else plain_words(file.stem.removesuffix(".poses"))
        made, left_out[file] = clips_of(footage, label, None if told is None else told[file])
        clips += made
        seconds = sum(clip.end_s - clip.start_s for clip in made)
        screen.show(f"{file.name}: {len(footage.movers)} people, {len(made)} clips, {seconds:.1f} s.")
        _show(left_out[file], screen)
    if not clips:
        raise _nothing_fit(left_out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with screen.busy(f"Writing {out}"):
        added = add_clips(out, clips, source=source, terms=terms, replace=replace)
    replaced = f" in place of {added.replaced}" if added.replaced else ""
    screen.show(
        f"{added.clips} clips, {3600.0 * added.hours:.1f} s, added{replaced} to {added.kept} others; "
        f"{added.size_bytes / 1e6:.2f} MB written to {out}."
    )
    screen.answer({
        "format": "kinebind-corpus-add-1", "out": str(out), "source": source, "added": added.clips,
        "hours": added.hours, "kept": added.kept, "replaced": added.replaced, "size_bytes": added.size_bytes,
        "clips": [
            {"name": clip.name, "label": clip.label, "start_s": clip.start_s, "end_s": clip.end_s} for clip in clips
        ],
        "left_out": [
            {"file": str(file), "person": person, **vars(one)}
            for file, people in left_out.items() for person, own in people.items() for one in own
        ],
    })  # fmt: skip
    return 0


def _formats(files: Sequence[Path]) -> dict[Path, Format | None]:
    """The format of each file of poses or of motion; None for what must be a video. Raises InputError for others."""
    out: dict[Path, Format | None] = {}
    names: set[str] = set()
    for file in files:
        if not file.is_file():
            raise InputError(f"There is no file {file}.", "Name videos, or files of their poses or SMPL fits.")
        if file.name in names:
            raise InputError(f"Two files are called {file.name}.", "Rename one: clips are named after their files.")
        names.add(file.name)
        try:
            fmt = sniff(file)
        except InputError:
            out[file] = None
            continue
        if fmt.kind not in ("poses", "motion"):
            raise InputError(
                f"{file} holds neither a video, nor its poses, nor motion ({fmt.describes}).", "Name a video."
            )
        out[file] = fmt
    return out


def _nothing_idle(has_video: bool, has_motion: bool, settings: Settings, of_videos: Mapping[str, Any]) -> None:
    """Raises InputError for a flag that no file takes."""
    idle = [name for name, value in of_videos.items() if value and not has_video]
    idle += [f"--{name}" for name in settings.said() if not has_motion]
    if idle:
        raise InputError(f"{idle[0]} means nothing for files of this kind.", "Leave it out.")


def _nothing_fit(left_out: Mapping[Path, Mapping[str, tuple[LeftOut, ...]]]) -> InputError:
    seconds: dict[str, float] = {}
    for one in (one for people in left_out.values() for own in people.values() for one in own):
        seconds[one.reason] = seconds.get(one.reason, 0.0) + one.end_s - one.start_s
    told = ", ".join(f"{reason} {time_s:.1f} s" for reason, time_s in seconds.items())
    return InputError(
        f"Nothing is fit to be learned from ({told}).",
        "Film whole people, well lit, for some seconds; docs/cli.md has the reasons.",
    )


def _footage(
    file: Path,
    fmt: Format | None,
    motion: Mapping[str, Any],
    screen: Screen,
    tilt_deg: float,
    pose_model: Path | None,
    detector: Path | None,
    pose_late: str | None,
    no_cache: bool,
) -> Footage:
    from kinebind.training.footage import motion_footage, pose_footage, video_footage

    if fmt is not None and fmt.kind == "motion":
        return motion_footage(file, **motion)
    if fmt is not None:
        return pose_footage(file, tilt_deg)
    from kinebind.video.extra import needs_video

    needs_video()
    with backend_by(pose_model, detector) as backend:
        found = read_video(
            file, backend, screen, merge=None, split=None, keep_camera=False, pose_late=pose_late, no_cache=no_cache,
            again=False,
        )  # fmt: skip
    return video_footage(found, tilt_deg)


def _show(left_out: Mapping[str, tuple[LeftOut, ...]], screen: Screen) -> None:
    """What is left out of a file, a line a stretch."""
    lines = [
        f"  left out of person {person}, {one.start_s:.2f}–{one.end_s:.2f} s: {one.what}."
        for person, own in left_out.items()
        for one in own
    ]
    for line in lines[:_SHOWN]:
        screen.show(line)
    if len(lines) > _SHOWN:
        screen.show(f"  … and {len(lines) - _SHOWN} more stretches (--json lists them).")
