"""What the commands that read videos share: their flags, the pose estimator behind them, progress on the screen."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinebind.cli.console import Screen
from kinebind.cli.settings import seconds
from kinebind.errors import InputError

if TYPE_CHECKING:
    from kinebind.video.backend import PoseBackend
    from kinebind.video.frames import VideoInfo
    from kinebind.video.look_through import Progress
    from kinebind.video.video_people import VideoPeople

_PANEL = "Poses from the video"

PoseModel = Annotated[
    Path | None,
    typer.Option(
        "--pose-model",
        metavar="FILE",
        help="A MediaPipe .task, an RTMPose .onnx, or rtmlib[:MODE].",
        rich_help_panel=_PANEL,
    ),
]
Detector = Annotated[
    Path | None,
    typer.Option(
        "--detector", metavar="FILE", help="The .onnx that finds people for an RTMPose.", rich_help_panel=_PANEL
    ),
]
Merge = Annotated[
    list[str] | None,
    typer.Option("--merge", metavar="A:B", help="Tracks A and B are one person.", rich_help_panel=_PANEL),
]
Split = Annotated[
    list[str] | None,
    typer.Option("--split", metavar="A@S", help="From S seconds on, A is somebody else.", rich_help_panel=_PANEL),
]
KeepCamera = Annotated[
    bool, typer.Option("--keep-camera-motion", help="Do not take it out of the poses.", rich_help_panel=_PANEL)
]
PoseLate = Annotated[
    str | None,
    typer.Option(
        "--pose-late", metavar="MS", help="By how much poses come late, to be taken out.", rich_help_panel=_PANEL
    ),
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Keep nothing, and use nothing kept.", rich_help_panel=_PANEL)
]
Again = Annotated[bool, typer.Option("--again", help="Throw away what is kept of this video.", rich_help_panel=_PANEL)]


@contextmanager
def backend_by(pose_model: Path | None, detector: Path | None) -> Iterator[PoseBackend]:
    """The pose estimator that the flags mean, closed at the end.

    Raises InputError where a file is none of a model, or what it needs is not installed.
    """
    from kinebind.video.rtmlib_models import is_rtmlib, rtmlib_files

    if is_rtmlib(pose_model):
        if detector is not None:
            raise InputError("rtmlib brings a detector of its own.", "Leave --detector out.")
        detector, pose_model = rtmlib_files(str(pose_model))
    if detector is not None and (pose_model is None or pose_model.suffix.lower() != ".onnx"):
        raise InputError(
            "--detector goes with an RTMPose model.", "Give both: --detector det.onnx --pose-model pose.onnx."
        )
    backend: PoseBackend
    if pose_model is not None and pose_model.suffix.lower() == ".onnx":
        if detector is None:
            raise InputError(f"{pose_model} needs a detector of people.", "Give its file: --detector FILE.onnx.")
        from kinebind.video.onnx_backend import OnnxBackend

        backend = OnnxBackend(detector, pose_model)
    else:
        from kinebind.video.mediapipe_backend import MediaPipeBackend

        backend = MediaPipeBackend(pose_model)
    try:
        yield backend
    finally:
        backend.close()


def read_video(
    path: Path,
    backend: PoseBackend,
    screen: Screen,
    *,
    merge: Sequence[str] | None,
    split: Sequence[str] | None,
    keep_camera: bool,
    pose_late: str | None,
    no_cache: bool,
    again: bool,
) -> VideoPeople:
    """The people of a video as the flags say, with progress on the screen."""
    from kinebind.video.frames import video_info
    from kinebind.video.video_people import forget_video, video_people

    merged, parted = [_pair(word) for word in merge or ()], [_parting(word) for word in split or ()]
    later_s = 0.0 if pose_late is None else -1e-3 * _milliseconds(pose_late)
    info = video_info(path)
    if again:
        forget_video(path, backend)
    with progress(screen, info, f"Poses of {path.name}") as told:
        return video_people(
            path, backend, cache=not no_cache, merge=merged, split=parted, camera=not keep_camera, later_s=later_s,
            progress=told,
        )  # fmt: skip


def _pair(word: str) -> tuple[str, str]:
    first, colon, second = word.partition(":")
    if not (colon and first and second and first != second):
        raise InputError(f"--merge has '{word}'.", "Write two people, as 2:5.")
    return first, second


def _parting(word: str) -> tuple[str, float]:
    name, at, when = word.rpartition("@")
    if not (at and name and when):
        raise InputError(f"--split has '{word}'.", "Write a person and a time, as 2@12.5 or 2@1:03.")
    return name, seconds(when, "--split")


def _milliseconds(word: str) -> float:
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d*)?)\s*(ms)?\s*", word)
    if match is None:
        raise InputError(f"--pose-late has '{word}'.", "Write milliseconds, as 45.")
    return float(match[1])


@contextmanager
def progress(screen: Screen, info: VideoInfo, what: str) -> Iterator[Progress]:
    """A line on stderr that tells how far a video is done, how fast, and how long it will take."""
    live = not screen.quiet and sys.stderr.isatty()
    started, first = time.monotonic(), -1
    last = started

    def told(time_s: float, frames: int) -> None:
        nonlocal first, last
        now = time.monotonic()
        first = frames - 1 if first < 0 else first  # what was kept of an earlier run costs no time
        if screen.quiet or now - last < (0.5 if live else 30.0):
            return
        last = now
        rate = (frames - first) / max(now - started, 1e-9)
        line = f"{what}: {_clock(time_s)}"
        if info.duration_s:
            line += f" of {_clock(info.duration_s)}, {rate:.1f} frames/s"
            if info.frames:
                line += f", {_clock(max(info.frames - frames, 0) / max(rate, 1e-9))} left"
        if live:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    try:
        yield told
    finally:
        if live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
        if whole >= 3600
        else f"{whole // 60}:{whole % 60:02d}"
    )
