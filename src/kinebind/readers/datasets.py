"""What a downloaded data set lacks: recognised by its folders, every file looked at that a reader would read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinebind.errors import InputError
from kinebind.readers import egohumans, mri, totalcapture, xsens_mtw
from kinebind.readers.formats_base import read_head
from kinebind.readers.totalcapture_vicon import read_totalcapture_cameras, read_totalcapture_vicon

_DEPTH = 4  # folders below the one named in which a set's own folders are looked for


@dataclass(frozen=True)
class Part:
    """One part of a data set. found, expected: how many there are, and are at least.

    problems: what is missing or wrong, one sentence each, naming the file.
    """

    name: str
    found: int
    expected: int
    problems: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong."""
        return not self.problems and self.found >= self.expected


@dataclass(frozen=True)
class DataCheck:
    """What was found of a data set. dataset: its name; folder: where."""

    dataset: str
    folder: Path
    parts: tuple[Part, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong."""
        return all(part.complete for part in self.parts)


def check_data(folder: str | Path) -> tuple[DataCheck, ...]:
    """What the data sets in a folder lack; several where it holds several.

    Every file is read that training and evaluation read, videos apart. Raises InputError for what is no folder, and
    where no data set is recognised, with what each is known by.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"There is no folder {root}.", "Name the folder into which the data set was unpacked.")
    checks = tuple(
        DataCheck(name, root, parts) for name, (check, _) in _DATASETS.items() if (parts := tuple(check(root)))
    )
    if not checks:
        known = "; ".join(f"{name} by {by}" for name, (_, by) in _DATASETS.items())
        raise InputError(f"{root} holds no data set that is known.", f"Known are: {known}.")
    return checks


def _folders(root: Path, name: str) -> list[Path]:
    """Folders of a name, the one given among them, down to a limited depth."""
    found = [root] if root.name == name else []
    for here, below, _ in os.walk(root):
        depth = len(Path(here).relative_to(root).parts)
        if depth >= _DEPTH:
            below.clear()
        found += [Path(here, folder) for folder in below if folder == name]
    return sorted(found)


def _problem(read: Callable[..., Any], *args: Any) -> list[str]:
    """What is wrong with a file, in words; nothing where it can be read."""
    try:
        read(*args)
    except InputError as error:
        return [error.what]
    except OSError as error:
        return [f"{error.filename}: {error.strerror}."]
    return []


def _mri(root: Path) -> Iterator[Part]:
    if not _folders(root, "aligned_data"):
        return
    subjects = mri.mri_subjects(root)
    sensors, labels, poses = 0, 0, 0
    wrong: dict[str, list[str]] = {"sensors": [], "labels": [], "poses": []}
    for subject in subjects:
        place = f"subject {subject.number}"
        wrong["sensors"] += [f"{place}: {name}.csv is missing." for name in mri.SENSORS if name not in subject.sensors]
        spans: mri.Labels | None = None
        if subject.labels is None:
            wrong["labels"].append(f"{place}: its labels are missing.")
        else:
            labels += 1
            wrong["labels"] += (told := _problem(mri.read_mri_labels, subject.labels))
            spans = None if told else mri.read_mri_labels(subject.labels)
        for path in subject.sensors.values():
            sensors += 1
            wrong["sensors"] += _problem(_mri_rows, path, spans)
        if subject.poses is None:
            wrong["poses"].append(f"{place}: its MMPose JSON is missing.")
        else:
            poses += 1
            if spans is not None:
                wrong["poses"] += _problem(mri.read_mri_poses, subject.poses, spans)
    count = len(subjects)
    yield Part("sensors", sensors, count * len(mri.SENSORS), tuple(wrong["sensors"]))
    yield Part("labels", labels, count, tuple(wrong["labels"]))
    yield Part("2D poses", poses, count, tuple(wrong["poses"]))


def _mri_rows(path: Path, labels: mri.Labels | None) -> None:
    rows = len(mri.read_mri_channels(path))
    if labels is not None:
        mri.check_rows(path, rows, labels)


def _totalcapture(root: Path) -> Iterator[Part]:
    takes = totalcapture.totalcapture_takes(root)
    if not any(take.sensors or take.vicon for take in takes):
        return
    for subject in (subject for split in totalcapture.SPLITS.values() for subject in split):
        own = [take for take in takes if take.subject == subject]
        lacking = set(totalcapture.CLASSES) - {take.label for take in own}
        problems = [f"{subject}: there is no take of '{name}'." for name in sorted(lacking)]
        for take in own:
            for kind, path in (
                ("sensor file", take.sensors), ("calib_imu_ref.txt", take.ref),
                ("calib_imu_bone.txt", take.bone), ("gt_skel_gbl_pos.txt", take.vicon),
            ):  # fmt: skip
                problems += [f"{subject} {take.name}: its {kind} is missing."] if path is None else []
            for read, path in (
                (totalcapture.read_totalcapture_sensors, take.sensors), (read_totalcapture_vicon, take.vicon),
                (totalcapture.read_totalcapture_calibration, take.bone),
            ):  # fmt: skip
                problems += [] if path is None else _problem(read, path)
        yield Part(f"takes of {subject}", len(own), len(totalcapture.CLASSES), tuple(problems))
    cameras = [p for p in sorted(root.rglob("calibration*")) if p.is_file() and p.suffix in (".cal", ".txt")]
    problems = [] if cameras else ["The calibration of the cameras is missing."]
    for path in cameras:
        problems += _problem(read_totalcapture_cameras, path)
    yield Part("camera calibration", len(cameras), 1, tuple(problems))


def _egohumans(root: Path) -> Iterator[Part]:
    takes = egohumans.egohumans_takes(root)
    if not takes:
        return
    for activity in egohumans.ACTIVITIES:
        own = [take for take in takes if take.activity == activity]
        there = {take.number for take in own}
        problems = [f"{activity}: take {k:03d} is missing." for k in range(1, 6) if k not in there]
        problems += [] if any(k > 5 for k in there) else [f"{activity}: there is no take to train on (006 and up)."]
        for take in own:
            problems += _frames_lacking(take.folder, "SMPL", take.smpl) + _frames_lacking(take.folder, "2D", take.poses)
            if take.smpl and take.poses and len(take.smpl) != len(take.poses):
                problems.append(f"{take.folder}: {len(take.smpl)} SMPL frames, but {len(take.poses)} of 2D poses.")
            problems += _problem(egohumans.read_egohumans, take) if take.smpl and take.poses else []
        yield Part(activity, len(own), 6, tuple(problems))


def _frames_lacking(folder: Path, kind: str, frames: Iterable[int]) -> list[str]:
    there = set(frames)
    if not there:
        return [f"{folder}: it has no {kind} frames."]
    lost = sorted(set(range(1, max(there) + 1)) - there)
    return [f"{folder}: {len(lost)} {kind} frames are missing, the first is {lost[0]:05d}."] if lost else []


def _utd_mhad(root: Path) -> Iterator[Part]:
    inertial, skeleton = _folders(root, "Inertial"), _folders(root, "Skeleton")
    clips: dict[str, dict[str, Path]] = {}
    for kind, folders in (("inertial", inertial), ("skeleton", skeleton)):
        for path in (p for folder in folders for p in sorted(folder.glob("a*_s*_t*.mat"))):
            match = re.fullmatch(r"(a\d+_s\d+_t\d+)_" + kind, path.stem)
            if match:
                clips.setdefault(match[1], {})[kind] = path
    if not clips:
        return
    for kind, variable in (("inertial", "d_iner"), ("skeleton", "d_skel")):
        problems = [f"{name}: its {kind} file is missing." for name, files in clips.items() if kind not in files]
        for files in clips.values():
            problems += _problem(_holds, files[kind], variable) if kind in files else []
        yield Part(kind, sum(kind in files for files in clips.values()), 861, tuple(problems))


def _holds(path: Path, variable: str) -> None:
    if variable not in read_head(path).mat_variables:
        raise InputError(f"{path} holds no {variable}.", "")


_NEURA_DEVICES = {
    "B91": "pelvis", "C45": "left thigh", "C3C": "right thigh", "C44": "left shank", "C47": "right shank",
    "C55": "left foot", "C48": "right foot",
}  # fmt: skip


def _neura_walk(root: Path) -> Iterator[Part]:
    folders = _folders(root, "rawimu")
    files = {path.stem[-3:]: path for folder in folders for path in sorted(folder.glob("*_00B40*.txt"))}
    if not files:
        return
    problems = [
        f"The file of device 00B40{device} ({place}) is missing."
        for device, place in _NEURA_DEVICES.items()
        if device not in files
    ]
    for device in _NEURA_DEVICES:
        problems += _problem(xsens_mtw.read_xsens_mtw, files[device]) if device in files else []
    yield Part("sensors", sum(d in files for d in _NEURA_DEVICES), len(_NEURA_DEVICES), tuple(problems))
    vicon = [path for folder in _folders(root, "rawvicon") for path in sorted(folder.glob("*.mat"))]
    problems = [] if vicon else ["rawvicon holds no .mat file."]
    for path in vicon:
        problems += _problem(_holds, path, "LHJC")
    yield Part("Vicon", len(vicon), 1, tuple(problems))


_DATASETS: dict[str, tuple[Callable[[Path], Iterator[Part]], str]] = {
    "mRi": (_mri, "a folder aligned_data"),
    "TotalCapture": (_totalcapture, ".sensors files or gt_skel_gbl_pos.txt named by subject and take"),
    "EgoHumans": (_egohumans, "ACTIVITY/TAKE/processed_data"),
    "UTD-MHAD": (_utd_mhad, "Inertial and Skeleton with a1_s1_t1_….mat"),
    "Neura walk": (_neura_walk, "a folder rawimu with …_00B40….txt"),
}
