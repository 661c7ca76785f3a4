"""DeepMimic's motion clips: JSON with one row of 44 numbers a frame, for one fixed humanoid.

A row is the frame's duration in seconds, the root's position (metres, y up), then rotations: quaternions, scalar
first, for ball joints, and an angle in radians about the joint's z axis for knees and elbows. The rest pose
looks along x, y up, its right hand on the side of +z. The files hold no skeleton; the joint positions below are
those of the humanoid for which the clips were made (character `humanoid3d` of DeepMimic, Peng et al. 2018).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import points_z_up_from_y_up, read_text, rotation_z_up_from_y_up
from kinebind.readers.formats_base import Format, Head

# Joint, its parent, its position in the parent's frame (metres), how many numbers a row has for it.
_TREE = (
    ("root", "", (0.0, 0.0, 0.0), 4),
    ("chest", "root", (0.0, 0.236151, 0.0), 4),
    ("neck", "chest", (0.0, 0.223894, 0.0), 4),
    ("right_hip", "root", (0.0, 0.0, 0.084887), 4),
    ("right_knee", "right_hip", (0.0, -0.421546, 0.0), 1),
    ("right_ankle", "right_knee", (0.0, -0.40987, 0.0), 4),
    ("right_shoulder", "chest", (-0.02405, 0.2435, 0.18311), 4),
    ("right_elbow", "right_shoulder", (0.0, -0.274788, 0.0), 1),
    ("right_wrist", "right_elbow", (0.0, -0.258947, 0.0), 0),
    ("left_hip", "root", (0.0, 0.0, -0.084887), 4),
    ("left_knee", "left_hip", (0.0, -0.421546, 0.0), 1),
    ("left_ankle", "left_knee", (0.0, -0.40987, 0.0), 4),
    ("left_shoulder", "chest", (-0.02405, 0.2435, -0.18311), 4),
    ("left_elbow", "left_shoulder", (0.0, -0.274788, 0.0), 1),
    ("left_wrist", "left_elbow", (0.0, -0.258947, 0.0), 0),
)
_JOINTS = tuple(name for name, *_ in _TREE)
_SKELETON = Skeleton(
    _JOINTS,
    tuple(_JOINTS.index(parent) if parent else -1 for _, parent, *_ in _TREE),
    np.array([offset for _, _, offset, _ in _TREE]),
    {f"{side}_ankle": (0.1335, -0.05, 0.0) for side in ("left", "right")},  # the front edge of the foot's box
)
_ROW = 4 + sum(numbers for *_, numbers in _TREE)
_FIX = "Check that it is a clip of a person (dogs have 84 values a frame)."


def read_deepmimic(path: str | Path) -> Motion:
    """The motion of a clip: joint rotations and the root's position in a world with z up, metres.

    Raises InputError for other JSON, frames that have not 44 finite numbers, and durations that are not positive.
    """
    try:
        frames = np.array(json.loads(read_text(path))["Frames"], dtype=np.float64)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a DeepMimic clip: {error}.", _FIX) from error
    if frames.ndim != 2 or frames.shape[1] != _ROW or not np.isfinite(frames).all():
        raise InputError(f"{path}: its frames, {frames.shape}, are not rows of {_ROW} finite numbers.", _FIX)
    if (frames[:-1, 0] <= 0).any():
        k = int(np.argmax(frames[:-1, 0] <= 0))
        raise InputError(f"{path}: frame {k} lasts {frames[k, 0]:g} s.", "Correct the frame's duration.")
    rot = np.zeros((len(frames), len(_JOINTS), 4))
    rot[..., 3] = 1.0
    at = 4
    for joint, (*_, numbers) in enumerate(_TREE):
        if numbers == 1:
            rot[:, joint] = Rotation.from_euler("z", frames[:, at : at + 1]).as_quat()
        elif numbers:
            rot[:, joint] = np.roll(frames[:, at : at + 4], -1, axis=1)
        at += numbers
    norm = np.linalg.norm(rot, axis=-1, keepdims=True)
    if (np.abs(norm - 1.0) > 0.5).any():
        raise InputError(f"{path} holds rotations that are no unit quaternions.", _FIX)
    rot /= norm
    notes = ["The skeleton is that of DeepMimic's humanoid: the file has none."]
    scaled = np.count_nonzero((np.abs(norm - 1.0) > 0.01).any(axis=(1, 2)))
    if scaled:
        notes.append(f"Quaternions of {scaled} frames were more than 1 % off unit length; they are scaled to it.")
    rot[:, 0] = rotation_z_up_from_y_up(Rotation.from_quat(rot[:, 0])).as_quat()
    return Motion(
        time_s=np.concatenate([[0.0], np.cumsum(frames[:-1, 0])]),
        skeleton=_SKELETON,
        rot_parent_from_joint=rot,
        root_position_world=points_z_up_from_y_up(frames[:, 1:4]),
        name=Path(path).stem,
        notes=tuple(notes),
    )


def _is_deepmimic(head: Head) -> bool:
    start = head.text[:4000]
    return start.lstrip().startswith("{") and '"Frames"' in start and '"Loop"' in start


FORMATS = (Format("deepmimic", "motion", "DeepMimic humanoid clip (JSON text)", _is_deepmimic, read_deepmimic),)
