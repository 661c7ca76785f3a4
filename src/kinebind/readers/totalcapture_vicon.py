"""TotalCapture's Vicon bodies and cameras: joints in inches with y up, cameras in metres.

`gt_skel_gbl_pos.txt` has a line of joint names and a line a frame, joints apart by tabs, each `x y z`.
`gt_skel_gbl_ori.txt` beside it has a quaternion a joint instead. Which of its numbers is the scalar the set does not
say; it is found by trying, as a bone keeps its direction in its parent's frame only if it is read right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind._stream import frozen, frozen_quaternions
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import (
    points_z_up_from_y_up,
    read_text,
    rotation_z_up_from_y_up,
    rotations_to_parents,
)
from kinebind.readers.formats_base import Format, Head

RATE_HZ = 60.0
INCH_M = 0.0254
POSITIONS, ORIENTATIONS = "gt_skel_gbl_pos.txt", "gt_skel_gbl_ori.txt"

_TREE = (
    ("Hips", ""), ("Spine", "Hips"), ("Spine1", "Spine"), ("Spine2", "Spine1"), ("Spine3", "Spine2"),
    ("Neck", "Spine3"), ("Head", "Neck"),
    ("RightShoulder", "Spine3"), ("RightArm", "RightShoulder"), ("RightForeArm", "RightArm"),
    ("RightHand", "RightForeArm"),
    ("LeftShoulder", "Spine3"), ("LeftArm", "LeftShoulder"), ("LeftForeArm", "LeftArm"), ("LeftHand", "LeftForeArm"),
    ("RightUpLeg", "Hips"), ("RightLeg", "RightUpLeg"), ("RightFoot", "RightLeg"),
    ("LeftUpLeg", "Hips"), ("LeftLeg", "LeftUpLeg"), ("LeftFoot", "LeftLeg"),
)  # fmt: skip
JOINTS = tuple(joint for joint, _ in _TREE)
PARENTS = tuple(JOINTS.index(parent) if parent else -1 for _, parent in _TREE)

_RIGID_M = 0.02  # more than a bone's end wanders in its parent's frame where rotations are read right
_FIX = "Unpack the data set again."


def read_totalcapture_vicon(path: str | Path, *, rate_hz: float | None = None) -> Motion:
    """The body of a take: joint positions and, where the orientations lie beside them, rotations; metres, z up.

    rate_hz: frames per second, 60 by default. Frame 0 is time zero. Offsets of the skeleton are what the joints'
    positions and rotations agree on. Raises InputError for other joints, short lines and differing frame counts.
    """
    path = Path(path)
    rate = RATE_HZ if rate_hz is None else rate_hz
    if not 0 < rate < np.inf:
        raise InputError(f"A rate of {rate} frames/s cannot be.", "Give a positive rate_hz.")
    inches = _joint_table(path, 3)
    position = points_z_up_from_y_up(INCH_M * inches)
    notes = [f"Inches with y up became metres with z up; {rate:g} frames/s."]
    rot_world = None
    beside = path.with_name(ORIENTATIONS)
    if beside.is_file():
        rot_world = _rotations(_joint_table(beside, 4), position, beside, notes)
    else:
        notes.append(f"There is no {ORIENTATIONS} beside it: joints have positions, but no rotations.")
    offsets = np.full((len(JOINTS), 3), np.nan)
    if rot_world is not None:
        offsets = _offsets(position, rot_world)[0]
    return Motion(
        time_s=np.arange(len(position)) / rate,
        skeleton=Skeleton(JOINTS, PARENTS, offsets),
        rot_parent_from_joint=None if rot_world is None else rotations_to_parents(rot_world, PARENTS),
        root_position_world=None if rot_world is None else position[:, 0],
        position_world=position,
        name=path.parent.name or path.stem,
        notes=tuple(notes),
    )


def _joint_table(path: Path, width: int) -> FloatArray:
    """(T, 21, width) numbers of a file in the order of `JOINTS`."""
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    names = lines[0] if lines else []
    lacking = [joint for joint in JOINTS if joint not in names]
    if lacking:
        raise InputError(f"{path} has no joint {lacking[0]}.", _FIX)
    for number, words in enumerate(lines[1:], 2):
        if len(words) != width * len(names):
            raise InputError(
                f"{path}: line {number} has {len(words)} numbers, {len(names)} joints need {width * len(names)}.", _FIX
            )
    try:
        table = np.array(lines[1:], dtype=np.float64).reshape(-1, len(names), width)
    except ValueError as error:
        raise InputError(f"{path} holds what is no number: {error}.", _FIX) from error
    return table[:, [names.index(joint) for joint in JOINTS]]


def _rotations(quat: FloatArray, position: FloatArray, path: Path, notes: list[str]) -> FloatArray | None:
    """rot_world_from_joint (T, J, 4), world z up, in the order in which bones are rigid; None where in none."""
    if len(quat) != len(position):
        raise InputError(f"{path} has {len(quat)} frames, the positions {len(position)}.", _FIX)
    norm = np.linalg.norm(quat, axis=-1, keepdims=True)
    unit = np.where(np.abs(norm - 1.0) < 0.05, quat / np.where(norm > 0, norm, 1.0), np.nan)
    wander: dict[str, float] = {}
    turned: dict[str, FloatArray] = {}
    for order, columns in (("last", [0, 1, 2, 3]), ("first", [1, 2, 3, 0])):
        turned[order] = _z_up(unit[..., columns])
        wander[order] = _offsets(position, turned[order])[1]
    best = min(wander, key=lambda order: wander[order])
    if not wander[best] < _RIGID_M:
        notes.append(f"{path.name} fits the positions in no order of its numbers and was left out.")
        return None
    notes.append(
        f"Quaternions are read with the scalar {best}: so bones keep their place to {1000 * wander[best]:.1f} mm."
    )
    return turned[best]


def _z_up(quat: FloatArray) -> FloatArray:
    flat = quat.reshape(-1, 4)
    out = np.full(flat.shape, np.nan)
    good = np.isfinite(flat).all(axis=1)
    if good.any():
        out[good] = rotation_z_up_from_y_up(Rotation.from_quat(flat[good])).as_quat()
    return out.reshape(quat.shape)


def _offsets(position: FloatArray, rot_world: FloatArray) -> tuple[FloatArray, float]:
    """Median place (J, 3) of each joint in its parent's frame, metres, and how far the joints wander from it."""
    offsets = np.zeros((len(JOINTS), 3))
    wander = []
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        apart, rot = position[:, joint] - position[:, parent], rot_world[:, parent]
        good = np.isfinite(apart).all(axis=1) & np.isfinite(rot).all(axis=1)
        if not good.any():
            offsets[joint] = np.nan
            continue
        local = Rotation.from_quat(rot[good]).apply(apart[good], inverse=True)
        offsets[joint] = np.median(local, axis=0)
        wander.append(float(np.sqrt(np.mean(((local - offsets[joint]) ** 2).sum(axis=1)))))
    return offsets, float(np.mean(wander)) if wander else float("inf")


@dataclass(frozen=True, eq=False)
class CalibratedCamera:
    """One camera of the calibration, in a world with z up.

    image_size_px: (width, height). focal_px (2,): along x and y. centre_px (2,): principal point. distortion (K,):
    the file's lens coefficients. position_world (3,): metres. rot_camera_from_world (4,): unit quaternion (x, y, z, w);
    camera axes are x to the image's right, y down, z forward.
    """

    image_size_px: tuple[int, int]
    focal_px: FloatArray
    centre_px: FloatArray
    distortion: FloatArray
    position_world: FloatArray
    rot_camera_from_world: FloatArray


def read_totalcapture_cameras(path: str | Path) -> tuple[CalibratedCamera, ...]:
    """The cameras of the calibration file, in its order.

    The file: number of cameras and of lens coefficients; then for each camera first and last row and column of the
    image, fx fy cx cy, the coefficients, a rotation matrix row by row and a translation in metres, which take points
    of Vicon's y-up world into the camera: x = R·p + t. Raises InputError for other content.
    """
    try:
        numbers = np.array(read_text(path).split(), dtype=np.float64)
        count, coefficients = (int(n) for n in numbers[:2])
        cameras = numbers[2:].reshape(count, 4 + 4 + coefficients + 9 + 3)
        return tuple(_camera(row, coefficients) for row in cameras)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise error.at(str(path)) from error
        raise InputError(f"{path} cannot be read as a camera calibration: {error}.", _FIX) from error


def _camera(row: FloatArray, coefficients: int) -> CalibratedCamera:
    matrix = row[-12:-3].reshape(3, 3)
    size = (int(row[3] - row[2]) + 1, int(row[1] - row[0]) + 1)
    if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3) or np.linalg.det(matrix) < 0:
        raise InputError("A camera's matrix is no rotation.", _FIX)
    if min(size) < 1 or not (row[4:6] > 0).all():
        raise InputError("A camera has no image size or no focal length.", _FIX)
    rot_camera_from_y_up = Rotation.from_matrix(matrix)
    y_up_from_z_up = rotation_z_up_from_y_up(Rotation.identity()).inv()
    centre = -rot_camera_from_y_up.apply(row[-3:], inverse=True)
    return CalibratedCamera(
        image_size_px=size,
        focal_px=frozen(row[4:6], (2,), "focal_px"),
        centre_px=frozen(row[6:8], (2,), "centre_px"),
        distortion=frozen(row[8 : 8 + coefficients], (coefficients,), "distortion"),
        position_world=frozen(points_z_up_from_y_up(centre), (3,), "position_world"),
        rot_camera_from_world=frozen_quaternions(
            (rot_camera_from_y_up * y_up_from_z_up).as_quat(), (4,), "rot_camera_from_world"
        ),
    )


def _is_positions(head: Head) -> bool:
    if head.is_binary or len(head.lines) < 2:
        return False
    names, words = head.lines[0].split(), head.lines[1].split()
    return set(JOINTS) <= set(names) and len(words) == 3 * len(names)


FORMAT = Format(
    "totalcapture-vicon", "motion", "TotalCapture Vicon joints (gt_skel_gbl_pos.txt)", _is_positions,
    read_totalcapture_vicon,
)  # fmt: skip
