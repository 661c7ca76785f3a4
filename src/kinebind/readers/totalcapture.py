"""TotalCapture: 13 inertial sensors at 60 Hz in `.sensors` files, each take with two files of calibration.

A `.sensors` file starts with the numbers of sensors and frames. Every frame is a line with its number and a line a
sensor: name, quaternion (w first, sensor to its inertial frame), acceleration in the sensor's frame with gravity, and
in the `AuxFields` files angular rate and magnetic field besides. `*_calib_imu_ref.txt` turns each inertial frame into
Vicon's, whose y is up; `*_calib_imu_bone.txt` says how the sensor sits on its bone: bone = ref · sensor · bone⁻¹.
Video, Vicon and sensors run on one clock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.readers._mocap import read_text, rotation_z_up_from_y_up
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.formats_base import Format, Head
from kinebind.readers.splits import check_splits, split_of
from kinebind.readers.totalcapture_vicon import POSITIONS, RATE_HZ, read_totalcapture_vicon
from kinebind.recording import Label, Recording

SITES: Mapping[str, str] = {
    "Head": "head", "Sternum": "chest", "Pelvis": "pelvis", "L_UpArm": "left_upper_arm", "R_UpArm": "right_upper_arm",
    "L_LowArm": "left_wrist", "R_LowArm": "right_wrist", "L_UpLeg": "left_thigh", "R_UpLeg": "right_thigh",
    "L_LowLeg": "left_shank", "R_LowLeg": "right_shank", "L_Foot": "left_foot", "R_Foot": "right_foot",
}  # fmt: skip
BONES: Mapping[str, str] = {
    "Head": "Head", "Sternum": "Spine3", "Pelvis": "Hips", "L_UpArm": "LeftArm", "R_UpArm": "RightArm",
    "L_LowArm": "LeftForeArm", "R_LowArm": "RightForeArm", "L_UpLeg": "LeftUpLeg", "R_UpLeg": "RightUpLeg",
    "L_LowLeg": "LeftLeg", "R_LowLeg": "RightLeg", "L_Foot": "LeftFoot", "R_Foot": "RightFoot",
}  # fmt: skip
"""Sensor to the Vicon joint whose bone it sits on."""

CLASSES = ("acting", "freestyle", "rom", "walking")
SPLITS: Mapping[str, tuple[str, ...]] = check_splits({"train": ("s1", "s2", "s3"), "val": ("s4",), "test": ("s5",)})

_DEFAULT = ImuOptions()
_REF, _BONE = "calib_imu_ref.txt", "calib_imu_bone.txt"
_TAKE = re.compile(rf"(?:(s\d+)_)?((?:{'|'.join(CLASSES)})\d*)(?![a-z])", re.IGNORECASE)
_FIX = "Unpack the data set again."


def read_totalcapture_sensors(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The sensors of a take on one clock; frame k is at k/60 s.

    With the take's `*_calib_imu_ref.txt` in the same folder or one beside it, orientations are in Vicon's world,
    turned to z up; without it each sensor keeps a world of its own, and the notes say so.
    Raises InputError for truncated files, lines out of order, calibrations that lack a sensor, and as `assemble`.
    """
    path = Path(path)
    names, frame, values = _sensor_lines(path)
    ref = _beside(path, _REF)
    calibration = read_totalcapture_calibration(ref) if ref is not None and options.quat_order is None else None
    imus: list[Imu] = []
    for k, name in enumerate(names):
        own = values[:, k]
        quat, order, note = own[:, :4], "wxyz", "Each sensor's orientation is in a world of its own."
        if calibration is not None and ref is not None:
            if name not in calibration:
                raise InputError(f"{ref} has no sensor '{name}'.", _FIX)
            quat, order = _in_vicon_world(quat, calibration[name]), "xyzw"
            note = f"The orientation is turned into Vicon's world by {ref.name}, with z up."
        raw = RawImu(
            acc=own[:, 4:7], quat=quat, gyr=own[:, 7:10] if own.shape[1] >= 10 else None,
            mag=own[:, 10:13] if own.shape[1] >= 13 else None, time=(frame - frame[0]) / RATE_HZ,
            name=name, group=name, site=SITES.get(name), clock_id=options.clock_id or path.stem, acc_unit="m/s2",
            gyr_unit="rad/s", time_unit="s", rate_hz=RATE_HZ, quat_order=order, notes=(note,),
        )  # fmt: skip
        imus += assemble(raw, options)
    return tuple(imus)


def _sensor_lines(path: Path) -> tuple[list[str], FloatArray, FloatArray]:
    """Names (S) of the sensors, frame numbers (T,), and the numbers (T, S, 7 … 13) of their lines."""
    words = read_text(path).split()
    try:
        sensors, frames = int(words[0]), int(words[1])
        after = next((k for k in range(4, len(words)) if not _is_number(words[k])), len(words))
        # After the first sensor's numbers stands the next name or, of a lone sensor, the next frame's number.
        width = after - 4 if sensors > 1 else (len(words) - 2) // max(frames, 1) - 2
        columns = 1 + sensors * (1 + width)
        if not (sensors > 0 and frames > 1 and width in (7, 10, 13)):
            raise ValueError(f"{sensors} sensors, {frames} frames, {width} numbers a sensor")
        if len(words) != 2 + frames * columns:
            whole = (len(words) - 2) // columns
            raise InputError(f"{path} promises {frames} frames and holds {whole} whole ones.", _FIX)
        table = np.array(words[2:], dtype=object).reshape(frames, columns)
        names = table[:, 1 :: 1 + width]
        if (names != names[0]).any() or len(set(names[0])) != sensors:
            raise ValueError("the sensors are not the same in every frame")
        keep = np.ones(columns, dtype=bool)
        keep[1 :: 1 + width] = False
        numbers = table[:, keep].astype(np.float64)
    except (ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a .sensors file: {error}.", _FIX) from error
    return list(names[0]), numbers[:, 0], numbers[:, 1:].reshape(frames, sensors, width)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_totalcapture_calibration(path: str | Path) -> dict[str, FloatArray]:
    """Sensor to its unit quaternion (4,), x, y, z, w, of a `*_calib_imu_ref.txt` or `*_calib_imu_bone.txt`.

    The first line holds the number of sensors. Raises InputError for other files and numbers that are no rotation.
    """
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    try:
        out = {words[0]: np.array(words[1:], dtype=np.float64) for words in lines[1:]}
        told = int(lines[0][0])
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} cannot be read as a calibration: {error}.", _FIX) from error
    if len(out) != told:
        raise InputError(f"{path} promises {told} sensors and holds {len(out)}.", _FIX)
    for name, quat in out.items():
        if quat.shape != (4,) or not abs(np.linalg.norm(quat) - 1.0) < 0.05:
            raise InputError(f"{path}: the numbers of '{name}' are no unit quaternion.", _FIX)
        out[name] = quat / np.linalg.norm(quat)
    return out


def _in_vicon_world(quat_wxyz: FloatArray, ref: FloatArray) -> FloatArray:
    """rot_world_from_sensor (T, 4), scalar last, world z up; NaN where the file's quaternion is none."""
    out = np.full(quat_wxyz.shape, np.nan)
    good = np.abs(np.linalg.norm(quat_wxyz, axis=1) - 1.0) < 0.05
    if good.any():
        own = Rotation.from_quat(quat_wxyz[good][:, [1, 2, 3, 0]])
        out[good] = rotation_z_up_from_y_up(Rotation.from_quat(ref) * own).as_quat()
    return out


def rot_world_from_bone(imu: Imu, rot_bone_from_sensor: FloatArray) -> FloatArray:
    """Orientation (T, 4), x, y, z, w, of the bone that a calibrated sensor sits on, as Vicon gives it, world z up.

    rot_bone_from_sensor (4,): the sensor's entry of `*_calib_imu_bone.txt`. Missing samples are NaN.
    Raises InputError where the sensor has no orientation.
    """
    if imu.rot_world_from_sensor is None:
        raise InputError(f"Sensor '{imu.name}' has no orientation.", "Read it with its orientation.")
    out = np.full(imu.rot_world_from_sensor.shape, np.nan)
    good = np.isfinite(imu.rot_world_from_sensor).all(axis=1)
    if good.any():
        bone = Rotation.from_quat(imu.rot_world_from_sensor[good]) * Rotation.from_quat(rot_bone_from_sensor).inv()
        out[good] = bone.as_quat()
    return out


@dataclass(frozen=True)
class Take:
    """The files of one take; None where one is not there. subject: "s1"; name: "acting1"."""

    subject: str
    name: str
    sensors: Path | None = None
    vicon: Path | None = None
    ref: Path | None = None
    bone: Path | None = None

    @property
    def label(self) -> str:
        """The class of movement, one of `CLASSES`."""
        return self.name.rstrip("0123456789")


def totalcapture_takes(root: str | Path) -> tuple[Take, ...]:
    """The takes under a folder, wherever in it the archives were unpacked; files with angular rate are preferred."""
    takes: dict[tuple[str, str], Take] = {}
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            kind = _kind_of(name)
            key = _take_of(path) if kind else None
            if key is None:
                continue
            take = takes.get(key, Take(*key))
            if kind != "sensors" or take.sensors is None or "auxfields" in name.lower():
                files_of_take: dict[str, Any] = {str(kind): path}
                takes[key] = replace(take, **files_of_take)
    return tuple(takes[key] for key in sorted(takes))


def _kind_of(name: str) -> str | None:
    low = name.lower()
    endings = {".sensors": "sensors", POSITIONS: "vicon", _REF: "ref", _BONE: "bone"}
    return next((kind for ending, kind in endings.items() if low.endswith(ending)), None)


def _take_of(path: Path) -> tuple[str, str] | None:
    """Subject and take by the file's name, where it tells them, else by its folders'."""
    subject = take = None
    for word in (path.name, *path.parts[-2::-1]):
        found = _TAKE.search(word)
        if found and take is None:
            take = found[2].lower()
        if subject is None:
            alone = re.match(r"(s\d+)(?![a-z0-9])", word.replace("_", " "), re.IGNORECASE)
            subject = found[1] if found and found[1] else alone[1] if alone else None
        if subject and take:
            return subject.lower(), take
    return None


def _beside(path: Path, ending: str) -> Path | None:
    """The calibration of a take, in the folder of its sensor file or in one beside that."""
    key = _take_of(path)
    here = path.resolve().parent
    for folder in (here, *(sorted(p for p in here.parent.iterdir() if p.is_dir() and p != here))):
        for file in sorted(folder.glob("*")):
            if key and file.name.lower().endswith(ending) and _take_of(file) == key:
                return file
    return None


def read_totalcapture(take: Take, options: ImuOptions = _DEFAULT) -> Recording:
    """A take: its sensors, the Vicon body where it is there, its class as a label, `meta["split"]` by subject.

    Everything stands on the video's clock, which the set's sensors share. Raises InputError where the take has no
    sensor file, and as its readers do.
    """
    if take.sensors is None:
        raise InputError(f"{take.subject} {take.name} has no .sensors file.", "Unpack the set's inertial archives.")
    imus = read_totalcapture_sensors(take.sensors, options)
    motions: tuple[Motion, ...] = () if take.vicon is None else (read_totalcapture_vicon(take.vicon),)
    end_s = max(float(stream.time_s[-1]) for stream in (*imus, *motions))
    return Recording(
        imus=imus, motions=motions, labels=(Label(0.0, end_s, take.label),), name=f"{take.subject}_{take.name}",
        meta={"subject": take.subject, "split": split_of(SPLITS, take.subject)},
    )  # fmt: skip


def _is_sensors(head: Head) -> bool:
    if head.is_binary or len(head.lines) < 3 or not re.fullmatch(r"\d+\s+\d+\s*", head.lines[0]):
        return False
    words = head.lines[2].split()
    return head.lines[1].strip().isdigit() and words[:1] != [] and words[0] in SITES and len(words) in (8, 11, 14)


FORMAT = Format(
    "totalcapture-sensors", "imu", "TotalCapture inertial sensors (.sensors)", _is_sensors, read_totalcapture_sensors
)
