"""`kinebind align`: from a video and a folder of sensor files to who wears what, where, and when."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from kinebind.cli import options
from kinebind.cli.align_cache import Kept, align_key
from kinebind.cli.console import Screen
from kinebind.cli.hints import hint_of
from kinebind.cli.inputs import Job, SensorFile, gather, inputs_of, sensor_argument
from kinebind.cli.locate import RESULT as LOCATE_RESULT
from kinebind.cli.locate import asked, show_findings, write_located
from kinebind.cli.locate import told_of as told_of_located
from kinebind.cli.model_options import UniversalModel, binder_by
from kinebind.cli.pose import check_file, told_of
from kinebind.cli.settings import Settings
from kinebind.cli.sync import table_kind
from kinebind.cli.sync_table import show_result
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
from kinebind.output.exports import KINDS, check_kinds, export
from kinebind.output.folder import check_out
from kinebind.output.result import write_result
from kinebind.parts import parse_site
from kinebind.readers import sniff
from kinebind.recording import Recording

if TYPE_CHECKING:
    from kinebind.report.page import Pictures
    from kinebind.tasks.align import Aligned
    from kinebind.video.overlay import Trace
    from kinebind.video.video_people import VideoPeople

POSES = "poses.npz"
_TRACE_RATE_HZ = 50.0


@options.takes("search", "near", "anchor", "video_start", "shared_clock", "method", *options.FILES)
def align(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO SENSOR...", help="A video (or a file of its poses); files of sensors, or folders of them."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write report, tables and results.")] = Path(
        "aligned"
    ),
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the video with skeletons, sensors and signals (.mp4)."),
    ] = None,
    exports: Annotated[
        str | None, typer.Option("--export", metavar="KIND,...", help=f"Also write: {', '.join(KINDS)}.")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(metavar="SITE,...", help="Where sensors may be worn; by default anywhere.")
    ] = None,
    table: Annotated[str, typer.Option(metavar="KIND", help="parquet or csv.")] = "parquet",
    model: UniversalModel = None,
    pose_model: PoseModel = None,
    detector: Detector = None,
    merge: Merge = None,
    split: Split = None,
    keep_camera_motion: KeepCamera = False,
    pose_late: PoseLate = None,
    no_cache: NoCache = False,
    again: Again = False,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """The whole job: find the people of a video, who wears each sensor and where, and align the clocks.

    Sensors are files, or folders of them; SITE=FILE says where one is worn, otherwise that is found.

    Exit code: 0 all found and answered, 3 some not (results are written), 2 bad input.
    """
    screen = Screen(json=json, quiet=quiet)
    kind = table_kind(table)
    wanted = check_kinds(exports.split(",")) if exports else ()
    where = [parse_site(site) for site in sites.split(",")] if sites else None
    check_out(out)
    if overlay is not None:
        check_file(overlay, ".mp4")
    if len(files) < 2:
        raise InputError("A video alone cannot be aligned.", "Name sensors behind it: files, or a folder of them.")
    video = Path(files[0])
    sensors, left = _sensor_files(files[1:])
    is_video = _is_video(video)
    if not is_video:
        said = {
            "--overlay": overlay, "--pose-model": pose_model, "--detector": detector, "--merge": merge,
            "--split": split, "--keep-camera-motion": keep_camera_motion, "--pose-late": pose_late,
        }  # fmt: skip
        idle = [flag for flag, value in said.items() if value]
        if idle:
            raise InputError(f"{idle[0]} means nothing: {video} holds poses, and is no video.", "Leave it out.")
    kept = None
    if not no_cache and overlay is None:
        words = [str(settings), str(sorted(where or ())), kind, *wanted, pose_late or "", str(keep_camera_motion)]
        words += [*(merge or ()), "|", *(split or ()), *(str(s) for s in sensors)]
        if wanted:  # exports link to the video from where they lie
            words += [str(video.resolve()), str(out.resolve())]
        models = [p for p in (model, pose_model, detector) if p is not None]
        kept = Kept.of(align_key([video, *(s.path for s in sensors), *models], words))
        if not again and (before := kept.take(out)) is not None:
            screen.show(before.shown)
            screen.show(f"As it was found before (--again looks anew). Written to {out}.")
            screen.answer(before.told | {"out": str(out)})
            return before.code
    # What is quickly read comes first: a video takes minutes.
    with screen.busy("Reading the sensors"):
        job = Job(video.stem, None if is_video else video, tuple(sensors), settings)
        recording = asked(gather(job), settings)
    seen = None
    if is_video:
        with screen.logging(), backend_by(pose_model, detector) as backend:
            seen = read_video(
                video, backend, screen, merge=merge, split=split, keep_camera=keep_camera_motion, pose_late=pose_late,
                no_cache=no_cache, again=again,
            )  # fmt: skip
        recording = recording.replace(people=seen.steady())
    aligned = _aligned(recording, where, settings, model, screen)
    if wanted and not any(answer.answered for answer in aligned.result.answers):
        wanted, left = (), (*left, "No clock was answered, so nothing is exported.")
    result = replace(aligned.result, notes=(*aligned.result.notes, *left))
    aligned = replace(aligned, result=result)
    files_of = _Further(aligned, seen, video if is_video else None, wanted, out)
    with screen.busy(f"Writing {out}"):
        written = write_result(
            aligned.recording, aligned.result, out, table=kind, located=aligned.located,
            pictures=_pictures(video, seen), further=files_of,
        )  # fmt: skip
    if overlay is not None and seen is not None:
        from kinebind.video.overlay import write_overlay

        with progress(screen, seen.info, f"Writing {overlay.name}") as told:
            write_overlay(video, seen.people, _traces(aligned), overlay, progress=told)
    told_all = json_module.loads((out / "sync.json").read_text(encoding="utf-8")) | {
        "located": aligned.located.to_dict(), "video": None if seen is None else told_of(seen),
        "inputs": inputs_of(aligned.recording),
    }  # fmt: skip
    screen.record()
    show_findings(aligned.located, screen)
    show_result(aligned.recording, aligned.result, screen)
    code = 0 if aligned.complete else 3
    if kept is not None:
        kept.put(out, [path.name for path in written], told_all, screen.recorded(), code)
    screen.show(f"Written to {out}: {', '.join(path.name for path in reversed(written))}")
    if overlay is not None:
        screen.show(f"Written: {overlay}")
    screen.answer(told_all | {"out": str(out)})
    return code


def _is_video(path: Path) -> bool:
    """Whether a file is to be decoded; a file of poses is not. Raises InputError where it is a sensor's."""
    if not path.exists():
        raise InputError(f"There is no file {path}.", "Name the video first, then the sensors.")
    if path.is_dir():
        return False  # of JSON files, one a frame
    try:
        kind = sniff(path).kind
    except InputError:
        return True
    if kind == "imu":
        raise InputError(f"{path} holds a sensor, where a video is expected.", "Name the video first.")
    return False


def _sensor_files(words: Sequence[str]) -> tuple[list[SensorFile], tuple[str, ...]]:
    """The sensors that words name, folders opened, and a note about files in folders that are none."""
    sensors: list[SensorFile] = []
    left: list[str] = []
    for word in words:
        folder = Path(word)
        if not folder.is_dir():
            sensors.append(sensor_argument(word))
            continue
        inside = [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")]
        found: list[Path] = []
        for path in inside:
            try:
                good = sniff(path).kind == "imu"
            except InputError:
                good = False
            if good:
                found.append(path)
            else:
                left.append(path.name)
        if not found:
            raise InputError(
                f"The folder {folder} holds no file of a sensor{f' among {len(inside)} files' if inside else ''}.",
                "See kinebind inspect FILE for what a file looks like.",
            )
        sensors += [SensorFile(path) for path in found]
    named = f"Files that hold no sensor are left out: {', '.join(left[:8])}{' …' if len(left) > 8 else ''}."
    return sensors, (named,) if left else ()


def _aligned(
    recording: Recording, sites: Sequence[str] | None, settings: Settings, model: Path | None, screen: Screen
) -> Aligned:
    with screen.logging():
        binder = binder_by(model)
    from kinebind.tasks.align import align as align_all  # it imports torch

    hint, told = hint_of(settings, recording)
    with screen.steps() as step:
        aligned = align_all(
            recording, binder.matcher(told=0.0), sites=sites, search_s=settings.search, hint=hint,
            method="classical" if settings.method == "classical" else "universal", model=binder.model, step=step,
        )  # fmt: skip
    return replace(aligned, result=replace(aligned.result, notes=(*aligned.result.notes, *told)))


def _pictures(video: Path, seen: VideoPeople | None) -> Pictures | None:
    if seen is None:
        return None
    from kinebind.video.stills import Stills

    return Stills(video, seen.time_s, seen.steady_from_image, later_s=seen.later_s)


@dataclass(frozen=True, eq=False)
class _Further:
    """Writes what there is beside a synchronisation's own files."""

    aligned: Aligned
    seen: VideoPeople | None
    video: Path | None
    kinds: Sequence[str]
    out: Path

    def __call__(self, folder: Path) -> list[str]:
        located = self.aligned.located
        write_located(told_of_located(located, self.aligned.recording), folder)
        names = [LOCATE_RESULT]
        if self.seen is not None:
            from kinebind.video.video_people import write_pose_file

            write_pose_file(self.seen, folder / POSES)
            names.append(POSES)
        if self.kinds:
            paths = export(
                self.aligned.recording,
                self.aligned.result,
                folder,
                self.kinds,
                video=self.video,
                located=located,
                home=self.out,
                shown=None if self.seen is None else self.seen.people,
            )
            names += [path.name for path in paths]
        return names


def _traces(aligned: Aligned) -> list[Trace]:
    """What is drawn of each sensor: the norm of its specific force, where its clock is known."""
    from kinebind.video.overlay import Trace

    traces = []
    for imu in aligned.recording.imus:
        finding, answer = aligned.located[imu.name], aligned.result[imu.clock_id]
        place = "" if finding.site is None else f" {finding.site.replace('_', ' ')}"
        time_s, value = np.zeros(0), np.zeros(0)
        if answer.answered:
            every = max(1, round(imu.rate_hz / _TRACE_RATE_HZ))
            time_s = answer.to_video(imu.time_s[::every])
            value = np.linalg.norm(imu.acc_sensor[::every], axis=1)
        traces.append(Trace(f"{imu.name}{place}", finding.person, finding.site, time_s, value))
    return traces
