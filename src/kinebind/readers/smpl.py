"""SMPL and AMASS motion as .npz: axis-angle poses of a body whose bones the model's file knows.

Read are `poses` (T, 3J), or `root_orient` with `pose_body`, or `global_orient` with `body_pose`; `trans` or `transl`
(T, 3) in metres; `betas`; the rate as `mocap_framerate` or `mocap_frame_rate`; and `joints` (T, 22 or more, 3) where
the file has them, which then say where the joints are. Hands are left out.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import points_z_up_from_y_up, rotation_z_up_from_y_up
from kinebind.readers.formats_base import Format, Head
from kinebind.readers.smpl_model import (
    APPROXIMATE_OFFSETS_M,
    BODY_JOINTS,
    JOINTS,
    PARENTS,
    BodyModel,
    read_arrays,
    read_body_model,
)

_ROOTS = (("poses", ""), ("root_orient", "pose_body"), ("global_orient", "body_pose"))
_TRANS = ("trans", "transl")
_RATES = ("mocap_framerate", "mocap_frame_rate", "mocap_frame_rate_hz", "fps")
_NAMES = (*(name for pair in _ROOTS for name in pair if name), *_TRANS, *_RATES, "betas", "joints")
_SMPL_VALUES = 3 * len(JOINTS)  # with more, hands have fingers, and what follows the wrists is another order


def read_smpl(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    up: str | None = None,
    body_model: str | Path | BodyModel | None = None,
) -> Motion:
    """The motion of a file: joint rotations and the pelvis's position, world z up, metres.

    rate_hz: frames per second, where the file has none. up: the file's upward axis, "z" (AMASS, the default) or "y";
    it must be given where the body lies along the other one on average. body_model: the licensed model file, for the
    bones of this very body; without it they are those of an average adult, unless the file holds joints.
    Raises InputError for other arrays, no rate, and as `read_body_model`.
    """
    arrays = read_arrays(path, _NAMES)
    rotvec = _rotations(arrays, path)
    trans = next((arrays[name] for name in _TRANS if name in arrays), None)
    if trans is None or trans.shape != (len(rotvec), 3):
        raise InputError(f"{path} has no trans of shape ({len(rotvec)}, 3).", "Export the root's translation too.")
    joints = arrays.get("joints")
    if joints is not None and (joints.ndim != 3 or joints.shape[0] != len(rotvec) or joints.shape[2] != 3):
        raise InputError(f"{path}: joints has shape {joints.shape}, not ({len(rotvec)}, J, 3).", "Leave them out.")
    told = next((float(arrays[name].ravel()[0]) for name in _RATES if arrays.get(name, np.zeros(0)).size == 1), None)
    rate = told if rate_hz is None else rate_hz
    if rate is None or not 0 < rate < 1e5:
        raise InputError(f"{path} does not say how many frames a second it has.", "Give it: --fps 120.")
    return smpl_motion(
        np.arange(len(rotvec)) / rate, rotvec, trans, betas=arrays.get("betas", np.zeros(0)).ravel(), joints=joints,
        up=up, body_model=body_model, name=Path(path).stem, notes=(f"{rate:g} frames/s.",),
    )  # fmt: skip


def _rotations(arrays: dict[str, FloatArray], path: str | Path) -> FloatArray:
    """Rotation vectors (T, J, 3) with J = 24 (SMPL) or 22."""
    for first, second in _ROOTS:
        if first in arrays and (not second or second in arrays):
            parts = [arrays[name].reshape(len(arrays[name]), -1) for name in (first, second) if name]
            if len({len(part) for part in parts}) == 1:
                both = np.hstack(parts)
                count = len(JOINTS) if both.shape[1] == _SMPL_VALUES else BODY_JOINTS
                if both.shape[1] % 3 == 0 and both.shape[1] >= 3 * BODY_JOINTS and len(both) > 1:
                    return np.asarray(both[:, : 3 * count].reshape(-1, count, 3))
            shapes = ", ".join(f"{name} {arrays[name].shape}" for name in (first, second) if name)
            raise InputError(f"{path}: {shapes} are no poses of a body.", "66 values a frame or more are needed.")
    raise InputError(
        f"{path} has no poses.", f"It must hold {' or '.join(' and '.join(filter(None, p)) for p in _ROOTS)}."
    )


def smpl_motion(
    time_s: FloatArray,
    rotvec: FloatArray,
    trans: FloatArray,
    *,
    betas: FloatArray,
    joints: FloatArray | None = None,
    up: str | None = None,
    body_model: str | Path | BodyModel | None = None,
    name: str = "motion",
    notes: tuple[str, ...] = (),
) -> Motion:
    """A `Motion` from SMPL's numbers in arrays; arguments as in `read_smpl`.

    time_s (T,), rotvec (T, 24 or 22, 3) radians, trans (T, 3) metres, joints (T, J, 3) metres or None. NaN is missing.
    """
    if up not in (None, "y", "z"):
        raise InputError(f"'{up}' is no upward axis.", "Use --up y or --up z.")
    told = list(notes)
    frames, count = rotvec.shape[:2]
    quat = np.full((frames, count, 4), np.nan)
    known = np.asarray(np.isfinite(rotvec).all(axis=-1))
    if not known[:, 0].any():
        raise InputError(f"'{name}' has no frame with a pose.", "Check the file.")
    quat[known] = Rotation.from_rotvec(rotvec[known]).as_quat()
    axis = _upward(Rotation.from_quat(quat[known[:, 0], 0]), up, name)

    model = read_body_model(body_model) if isinstance(body_model, str | Path) else body_model
    offsets, root = APPROXIMATE_OFFSETS_M[:count], np.array(trans, dtype=np.float64)
    if model is not None:
        rest = model.rest_joints(betas[: model.shapedirs.shape[2]])
        if len(rest) < count or model.parents[:BODY_JOINTS] != PARENTS[:BODY_JOINTS]:
            raise InputError(f"The body model's {len(rest)} joints are not SMPL's.", "Use a model of the SMPL family.")
        offsets = np.vstack([np.zeros(3), *(rest[j] - rest[p] for j, p in enumerate(PARENTS[:count]) if p >= 0)])
        root += rest[0]  # the model turns about the pelvis's place at rest
    elif joints is None:
        told.append("Bones have the lengths of an average adult: the body model's file was not given.")
    position = None
    if joints is not None:
        if joints.shape[1] < count:
            raise InputError(f"'{name}' has {joints.shape[1]} joint positions for {count} joints.", "Leave them out.")
        position, root = np.array(joints[:, :count]), np.array(joints[:, 0])
        told.append("Joints are where the file says, not where the bones of a model put them.")
    if axis == "y":
        quat[known[:, 0], 0] = rotation_z_up_from_y_up(Rotation.from_quat(quat[known[:, 0], 0])).as_quat()
        root = points_z_up_from_y_up(root)
        position = None if position is None else points_z_up_from_y_up(position)
        told.append("The world's y axis, which points up in the file, became z.")
    return Motion(
        time_s=time_s, skeleton=Skeleton(JOINTS[:count], PARENTS[:count], offsets), rot_parent_from_joint=quat,
        root_position_world=root, position_world=position, name=name, notes=tuple(told),
    )  # fmt: skip


def _upward(rot_world_from_pelvis: Rotation, up: str | None, name: str) -> str:
    """The world's upward axis: as given, else z unless the body's own y points along the world's y on average."""
    if up is not None:
        return up
    body = rot_world_from_pelvis.apply([0.0, 1.0, 0.0]).mean(axis=0)
    if abs(body[1]) > 0.7 and abs(body[2]) < 0.5:
        raise InputError(
            f"The body of '{name}' lies along the world's y on average, where z is taken to point up.",
            "Say which axis points up: --up y, or --up z for someone who lies.",
        )
    return "z"


def _is_smpl(head: Head) -> bool:
    if not head.data.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(head.path) as file:
            names = set(file.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return any(f"{first}.npy" in names for first, _ in _ROOTS) and any(f"{name}.npy" in names for name in _TRANS)


FORMAT = Format("smpl", "motion", "SMPL or AMASS motion (.npz with poses and trans)", _is_smpl, read_smpl)
