"""From the files that a user names to a recording: sensors, people, and what was settled on the way."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kinebind.body.frontal import seen_from_front
from kinebind.cli.settings import MOTION_SETTINGS, POSE_SETTINGS, SENSOR_SETTINGS, Settings, flag
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.parts import parse_site
from kinebind.poses import Poses
from kinebind.readers import Format, format_named, read, read_imu, read_motion, read_poses, sniff
from kinebind.readers.labels import read_labels
from kinebind.recording import Label, Recording

_USAGE = "Sensors are written SITE=FILE, the file of poses alone."
_HOLDS = {"imu": "an IMU", "poses": "2D poses", "motion": "3D motion", "recording": "a recording"}


@dataclass(frozen=True)
class SensorFile:
    """A file of sensor samples. site, name, clock: what the user says of it, or None. settings: for it alone."""

    path: Path
    site: str | None = None
    name: str | None = None
    clock: str | None = None
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Job:
    """One recording's files, and what the user said about them. poses: a file of 2D poses, a motion or a recording."""

    name: str
    poses: Path | None = None
    sensors: tuple[SensorFile, ...] = ()
    settings: Settings = field(default_factory=Settings)


def sensor_argument(text: str) -> SensorFile:
    """A sensor as the command line takes it, `left_wrist=watch.csv` or a bare `watch.csv`.

    Raises InputError with the sites where the word before "=" is none, and for a site without its file.
    """
    site, equals, path = text.partition("=")
    # A file may well have an equals sign in its name; a site never holds a dot or a slash.
    if Path(text).exists() or re.search(r"[./\\]", site):
        return SensorFile(Path(text))
    if equals and path:
        return SensorFile(Path(path), parse_site(site))
    if site_of(site):
        raise InputError(f"'{text}' is a site without a file.", f"Write {site_of(site)}=FILE, without spaces.")
    return SensorFile(Path(text))


def site_of(word: str) -> str | None:
    """The site that a word names, or None."""
    try:
        return parse_site(word)
    except InputError:
        return None


def job_of(arguments: Sequence[str], settings: Settings) -> Job:
    """The job of bare arguments: the first bare file that is no IMU's holds the poses, all others are sensors.

    Raises InputError for unknown sites, files of unknown content and a second file of poses.
    """
    sensors: list[SensorFile] = []
    poses: Path | None = None
    for argument in arguments:
        file = sensor_argument(argument)
        # With a site it is a sensor; reading it will say so if it is not.
        kind = "imu" if file.site is not None else _kind_of(file.path, settings)
        if kind == "imu" or (kind == "recording" and poses is not None):
            sensors.append(file)
        elif poses is None:
            poses = file.path
        else:
            raise InputError(
                f"{poses} and {file.path} both hold poses.", "Name one file of poses; sensors are written SITE=FILE."
            )
    first = poses or (sensors[0].path if sensors else Path("recording"))
    return Job(first.stem, poses, tuple(sensors), settings)


def gather(job: Job) -> Recording:
    """Read a job's files into one recording. A motion is filmed by a virtual camera in front of it. Labels of a file of
    their own are on the video's clock, or where there is none on the first sensor's, as `meta["labels_clock"]` says.

    Sensors whose site the user gave are called after it. Files do not share a clock unless their export, or the
    user, says so. Raises InputError, naming the file, for what cannot be read, and for settings without a file.
    """
    base = Recording(name=job.name)
    if job.poses is not None:
        base = _with_people(job.poses, job.name, job.settings)
    imus = list(base.imus)
    for file in job.sensors:
        imus += _apart(read_sensor(file, job), imus, file)
    _nothing_idle(job, base, bool(job.sensors))
    recording = replace(base, imus=tuple(imus))
    labels, clock = _labels(job, recording)
    if labels:
        recording = replace(recording, labels=labels, meta=recording.meta | ({"labels_clock": clock} if clock else {}))
    return recording


def _labels(job: Job, recording: Recording) -> tuple[tuple[Label, ...], str | None]:
    """The labels of a job's file of labels, or else of its first file of a sensor that holds any, and their clock."""
    if job.settings.labels is not None:
        clock = None if recording.people or not recording.imus else recording.imus[0].clock_id
        return read_labels(job.settings.labels, job.settings.tier), clock
    for file in job.sensors:
        fmt = format_of(file.path, file.settings.over(job.settings), "imu", "recording")
        if fmt.labels is not None and (labels := fmt.labels(file.path)):
            own = [imu for imu in recording.imus if imu.clock_id.startswith(file.path.stem)]
            return labels, (own or recording.imus)[0].clock_id
    return (), None


def inputs_of(recording: Recording) -> dict[str, Any]:
    """What the readers had to say, as plain values."""
    people = [{"person": p.person, "notes": list(p.notes)} for p in recording.people]
    imus = [{"name": i.name, "clock_id": i.clock_id, "notes": list(i.notes)} for i in recording.imus]
    return {"people": people, "imus": imus}


def people_of(recording: Recording, person: str | None) -> Sequence[Poses]:
    """The people of a recording: all, or the one that is named; raises InputError where there is no such one."""
    if person is None:
        return recording.people
    found = [p for p in recording.people if p.person == person]
    if not found:
        known = ", ".join(p.person for p in recording.people) or "nobody"
        raise InputError(f"The recording has no person '{person}'.", f"It has: {known}.")
    return found


def read_sensor(file: SensorFile, job: Job) -> tuple[Imu, ...]:
    """A file's sensors, called as the user says, else after the site if no other file of the job has it."""
    settings = file.settings.over(job.settings)
    fmt = format_of(file.path, settings, "imu", "recording")
    if fmt.kind == "recording":
        imus = read_imu(file.path)
        if file.site is not None or file.name is not None:
            if len(imus) > 1:
                raise InputError(f"{file.path} holds {len(imus)} sensors.", "Name it without a site.")
            imus = (imus[0].replace(site=file.site or imus[0].site, name=file.name or imus[0].name),)
        return imus
    alone = sum(other.site == file.site for other in job.sensors) == 1
    name = file.name or (file.site if alone else None)
    return read_imu(
        file.path, format=fmt.name, site=file.site, name=name, clock_id=file.clock, **sensor_options(settings)
    )


def sensor_options(settings: Settings) -> dict[str, Any]:
    """Settings of sensor files as `read_imu` takes them."""
    said = {name: value for name, value in settings.said().items() if name in SENSOR_SETTINGS}
    if "rate" in said:
        said["rate_hz"] = said.pop("rate")
    return said


def pose_options(settings: Settings) -> dict[str, Any]:
    """Settings of pose files as `read_poses` takes them."""
    names = {"fps": "rate_hz", "frame_times": "time_s", "image_size": "image_size_px", "first_frame": "first_frame"}
    return {names[name]: value for name, value in settings.said().items() if name in names}


def motion_options(settings: Settings, fmt: Format) -> dict[str, Any]:
    """Settings of motion files as the format's reader takes them; raises InputError for those that it does not."""
    names = {"fps": "rate_hz", "unit_m": "unit_m", "up": "up", "asf": "asf_path"}
    said = {name: value for name, value in settings.said().items() if name in (*MOTION_SETTINGS, *POSE_SETTINGS)}
    taken = inspect.signature(fmt.read).parameters
    for name in said:
        if names.get(name) not in taken:
            raise InputError(f"{flag(name)} means nothing for a file of the format {fmt.name}.", "Leave it out.")
    return {names[name]: value for name, value in said.items()}


def format_of(path: Path, settings: Settings, *kinds: str) -> Format:
    """A file's format: as the user named it for one of `kinds`, else by its content.

    Raises InputError, where kinds are given, unless it is of one of them.
    """
    named = [fmt for fmt in map(format_named, settings.format) if fmt.kind in kinds]
    fmt = named[0] if named else sniff(path)
    if kinds and fmt.kind not in kinds:
        raise InputError(
            f"{path} holds {_HOLDS[fmt.kind]} ({fmt.describes}), where {_HOLDS[kinds[0]]} is expected.",
            "Name a file of motion capture." if kinds[0] == "motion" else _USAGE,
        )
    return fmt


def _kind_of(path: Path, settings: Settings) -> str:
    """What a bare file holds; a file that nobody recognises is what the user named a format for."""
    try:
        kind = sniff(path).kind
    except InputError:
        if path.is_file() and settings.format:
            return format_named(settings.format[0]).kind
        raise
    if kind == "recording":
        recording = read(path)
        return "recording" if recording.people or recording.motions else "imu"
    return kind


def _with_people(path: Path, name: str, settings: Settings) -> Recording:
    """The recording of a file of poses or a motion, or in a file of a recording, which keeps its own name."""
    fmt = format_of(path, settings, "poses", "motion", "recording")
    if fmt.kind == "poses":
        return Recording(people=read_poses(path, format=fmt.name, **pose_options(settings)), name=name)
    if fmt.kind == "motion":
        motion = read_motion(path, format=fmt.name, **motion_options(settings, fmt))
        return Recording(people=(_filmed(motion),), name=name)
    recording = read(path)
    if not recording.people and recording.motions:
        return replace(recording, people=tuple(_filmed(m) for m in recording.motions))
    return recording


def _filmed(motion: Motion) -> Poses:
    return seen_from_front(motion).replace(person=motion.name)


def _apart(new: tuple[Imu, ...], before: Sequence[Imu], file: SensorFile) -> list[Imu]:
    """A file's sensors with names, and clocks unless they are shared on purpose, that no earlier file's has.

    A clock that is called after its file or sensor is that file's own, also where another file is called alike.
    """
    names, clocks = {imu.name for imu in before}, {imu.clock_id for imu in before}
    renamed: dict[str, str] = {}
    out = []
    for imu in new:
        clock = renamed.get(imu.clock_id, imu.clock_id)
        own = imu.clock_id.startswith(file.path.stem) or imu.clock_id == imu.name
        if file.clock is None and own and clock in clocks and imu.clock_id not in renamed:
            clock = renamed[imu.clock_id] = free_name(imu.clock_id, clocks)
        out.append(imu.replace(name=free_name(imu.name, names), clock_id=clock))
        names.add(out[-1].name)
    return out


def free_name(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken."""
    candidates = (name if k == 1 else f"{name}-{k}" for k in range(1, len(taken) + 2))
    return next(c for c in candidates if c not in taken)


def _nothing_idle(job: Job, base: Recording, has_sensor_files: bool) -> None:
    """Raises InputError for a setting that no file of the job takes."""
    whole = job.poses is not None and format_of(job.poses, job.settings).kind == "recording"
    for name in job.settings.said():
        if name in SENSOR_SETTINGS and not has_sensor_files:
            raise InputError(f"{flag(name)} means nothing: no file of a sensor is named.", "Leave it out.")
        if name in (*POSE_SETTINGS, *MOTION_SETTINGS) and (whole or not base.people):
            raise InputError(f"{flag(name)} means nothing: no file of poses is named.", "Leave it out.")
        if name in MOTION_SETTINGS and not whole and job.poses is not None:
            kind = format_of(job.poses, job.settings).kind
            if kind != "motion":
                raise InputError(f"{flag(name)} means nothing for 2D poses.", "Leave it out.")
