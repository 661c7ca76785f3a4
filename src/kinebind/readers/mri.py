"""mRi: rehabilitation exercises of 20 people, with sensors on wrists and lower legs aligned to the video at 10 Hz.

`aligned_data/imu/subject{N}/IMU{k}.csv` holds axg, ayg, azg and a quaternion q0 … q3 (w first), a row a video frame;
`aligned_data/pose_labels/subject{N}_all_labels.cpl` is a pickle with `video_label` (action → first and last frame)
and `imu_avail_frames` (first and last frame with sensors). 2D poses come from MMPose, one JSON a subject. Here all
clocks count seconds from the first frame that has sensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.checks import mean_world
from kinebind.readers.delimited import read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.readers.pickles import read_pickle
from kinebind.readers.poses_json import read_mmpose
from kinebind.readers.splits import check_splits, split_of
from kinebind.recording import Label, Recording

RATE_HZ = 10.0
IMAGE_SIZE_PX = (1920, 1080)
SENSORS: Mapping[str, str] = {
    "IMU2": "left_wrist", "IMU1": "right_wrist", "IMU5": "left_shank", "IMU4": "right_shank",
}  # fmt: skip
SUBJECTS = tuple(range(1, 21))
SPLITS: Mapping[str, tuple[int, ...]] = check_splits({"train": range(1, 15), "val": (16, 18), "test": (15, 17, 19, 20)})
CLASSES = ("T pose", *(f"pose_{k}" for k in range(1, 11)), "free_form", "walk")

_SAME_CLASS = {"T pose 2": "T pose"}
_COLUMNS = ("axg", "ayg", "azg", "q0", "q1", "q2", "q3")
_DEFAULT = ImuOptions()
_UPRIGHT = 0.1  # the tolerance of the mean acceleration's direction, radians
_FIX = "Unpack the data set again."


@dataclass(frozen=True)
class Labels:
    """What a subject's labels say. first, last: frames with sensors. actions: class, first and last frame."""

    first: int
    last: int
    actions: tuple[tuple[str, int, int], ...]


def read_mri_labels(path: str | Path) -> Labels:
    """The labels of a subject; both "T pose" and "T pose 2" are the class "T pose".

    Raises InputError for pickles that hold more than plain data, for lacking entries, and for unknown actions.
    """
    content = read_pickle(path)
    try:
        first, last = (int(frame) for frame in content["imu_avail_frames"])
        spans = {str(name): tuple(int(frame) for frame in span) for name, span in content["video_label"].items()}
        actions = tuple((_SAME_CLASS.get(name, name), span[0], span[1]) for name, span in spans.items())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path} has no video_label or imu_avail_frames as labels have them: {error}.", _FIX
        ) from error
    for name, start, end in actions:
        if name not in CLASSES:
            raise InputError(f"{path}: '{name}' is no action of the data set.", f"It has: {', '.join(CLASSES)}.")
        if not 0 <= start <= end:
            raise InputError(f"{path}: '{name}' runs from frame {start} to {end}.", _FIX)
    if not 0 <= first < last:
        raise InputError(f"{path}: sensors run from frame {first} to {last}.", _FIX)
    return Labels(first, last, actions)


def read_mri_channels(path: str | Path) -> FloatArray:
    """(T, 7) of a sensor's file as it stands: axg, ayg, azg in the file's unit, q0 … q3; missing is NaN."""
    return _columns(read_head(path))[0]


def _columns(head: Head) -> tuple[FloatArray, tuple[str, ...]]:
    dialect = find_dialect(head)
    lacking = [name for name in _COLUMNS if name not in dialect.names]
    if lacking:
        raise InputError(f"{head.path} has no column '{lacking[0]}'.", f"It has: {', '.join(dialect.names)}.")
    table = read_text_columns(head, dialect, _COLUMNS)
    return table.numbers, (*dialect.notes(), *table.notes)


def read_mri_imu(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The sensor of a file, at k/10 s in row k; its acceleration is taken to be in g, as its columns' names say.

    The site follows from the number in the file's name. An orientation that does not turn the mean acceleration
    upright is left out, and the notes say so. Raises InputError as `assemble` does.
    """
    head = read_head(path)
    numbers, notes = _columns(head)
    quat, told = numbers[:, 3:], list(notes)
    if options.quat_order is None and options.check and not _is_upright(quat, numbers[:, :3]):
        quat = np.full_like(quat, np.nan)
        told.append("The orientation does not turn the acceleration upright and was left out.")
    number = re.match(r"imu\d+", head.path.stem, re.IGNORECASE)
    name = number[0].upper() if number else head.path.stem
    raw = RawImu(
        acc=numbers[:, :3], quat=quat, name=name, site=SENSORS.get(name), clock_id="mri", acc_unit="g",
        rate_hz=RATE_HZ, quat_order="wxyz", notes=tuple(told),
    )  # fmt: skip
    return assemble(raw, options)


def _is_upright(quat_wxyz: FloatArray, acc: FloatArray) -> bool:
    norm = np.linalg.norm(quat_wxyz, axis=1, keepdims=True)
    unit = np.where(np.abs(norm - 1.0) < 0.05, quat_wxyz / np.where(norm > 0, norm, 1.0), np.nan)
    up = mean_world(unit[:, [1, 2, 3, 0]], acc)
    return bool(np.linalg.norm(up / max(float(np.linalg.norm(up)), 1e-9) - [0, 0, 1]) < _UPRIGHT)


@dataclass(frozen=True)
class Subject:
    """One subject's files; None, or no entry, where one is not there. sensors: "IMU1" … to its file."""

    number: int
    sensors: Mapping[str, Path]
    labels: Path | None
    poses: Path | None


def mri_subjects(root: str | Path) -> tuple[Subject, ...]:
    """The 20 subjects with what is there of them under a folder (the one that holds `aligned_data`, or one above).

    Poses are a subject's MMPose JSON anywhere under it, by the name: `subject7….json`.
    """
    aligned = next(iter(sorted(Path(root).rglob("aligned_data"))), Path(root) / "aligned_data")
    poses: dict[int, Path] = {}
    for file in sorted(Path(root).rglob("*.json")):
        found = re.match(r"subject_?0*(\d+)(?!\d)", file.stem, re.IGNORECASE)
        if found:
            poses.setdefault(int(found[1]), file)
    out = []
    for number in SUBJECTS:
        csv = {name: aligned / "imu" / f"subject{number}" / f"{name}.csv" for name in SENSORS}
        cpl = aligned / "pose_labels" / f"subject{number}_all_labels.cpl"
        here = {name: path for name, path in csv.items() if path.is_file()}
        out.append(Subject(number, here, cpl if cpl.is_file() else None, poses.get(number)))
    return tuple(out)


def read_mri(subject: Subject, options: ImuOptions = _DEFAULT) -> Recording:
    """A subject: four sensors, the 2D track, the actions as labels, `meta["split"]`; all on one clock.

    The track is cut to the frames from the first to one behind the last that have sensors, as published; of several
    people in a frame the first is taken. Raises InputError, naming it, for a file that is not there, and where rows
    and frames do not match.
    """
    missing = [name for name in SENSORS if name not in subject.sensors]
    if missing or subject.labels is None or subject.poses is None:
        lacking = [*(f"{m}.csv" for m in missing), *(["its labels"] if subject.labels is None else [])]
        lacking += ["its MMPose JSON"] if subject.poses is None else []
        raise InputError(f"Subject {subject.number} lacks {', '.join(lacking)}.", "`kinebind data check` lists it all.")
    labels = read_mri_labels(subject.labels)
    imus: list[Imu] = []
    for name in SENSORS:
        pieces = read_mri_imu(subject.sensors[name], options)
        check_rows(subject.sensors[name], pieces[0].time_s.size, labels)
        imus += pieces
    poses = read_mri_poses(subject.poses, labels)
    return Recording(
        people=(poses,), imus=tuple(imus), labels=mri_actions(labels), name=f"subject{subject.number}",
        meta={"subject": str(subject.number), "split": split_of(SPLITS, subject.number)},
    )  # fmt: skip


def check_rows(path: Path, rows: int, labels: Labels) -> None:
    """Raises InputError where a sensor has not as many rows as there are frames with sensors, one more or fewer."""
    frames = labels.last - labels.first + 1
    if abs(rows - frames) > 1:
        raise InputError(f"{path} has {rows} rows for {frames} frames with sensors.", _FIX)


def mri_actions(labels: Labels) -> tuple[Label, ...]:
    """The actions as stretches of seconds since the first frame with sensors; a frame lasts a tenth."""
    return tuple(
        Label((start - labels.first) / RATE_HZ, (end + 1 - labels.first) / RATE_HZ, name)
        for name, start, end in labels.actions
    )


def read_mri_poses(path: str | Path, labels: Labels) -> Poses:
    """The track of MMPose's first person, cut to [first : last + 2] of the frames, on the sensors' clock.

    Raises InputError as `read_mmpose` does, and where fewer than two of these frames show someone.
    """
    options: dict[str, Any] = {"rate_hz": RATE_HZ, "image_size": IMAGE_SIZE_PX, "first_only": True}
    (whole,) = read_mmpose(path, **options)
    # Half a frame early, so that rounding loses none.
    cut = whole.slice_s((labels.first - 0.5) / RATE_HZ, (labels.last + 1.5) / RATE_HZ)
    return cut.replace(time_s=cut.time_s - labels.first / RATE_HZ, person="subject")


def _is_mri_imu(head: Head) -> bool:
    return bool(head.lines) and set(_COLUMNS) <= {cell.strip().strip('"') for cell in head.lines[0].split(",")}


FORMAT = Format("mri-imu", "imu", "mRi sensor (.csv with axg, ayg, azg, q0 … q3)", _is_mri_imu, read_mri_imu)
