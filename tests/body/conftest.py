"""A made-up body that moves: the same person in two rigs whose joints have different names and axes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind.motion import Motion, Skeleton

# Joint, parent, offset in metres in a T-pose with y up, z forward, x to the left.
_TREE = (
    ("pelvis", "", (0, 0, 0)), ("spine3", "pelvis", (0, 0.3, -0.02)), ("neck", "spine3", (0, 0.22, 0.01)),
    ("head", "neck", (0, 0.1, 0.02)),
    ("left_collar", "spine3", (0.05, 0.15, 0)), ("left_shoulder", "left_collar", (0.13, 0.03, 0)),
    ("left_elbow", "left_shoulder", (0.28, 0, 0)), ("left_wrist", "left_elbow", (0.25, 0, 0)),
    ("right_collar", "spine3", (-0.05, 0.15, 0)), ("right_shoulder", "right_collar", (-0.13, 0.03, 0)),
    ("right_elbow", "right_shoulder", (-0.28, 0, 0)), ("right_wrist", "right_elbow", (-0.25, 0, 0)),
    ("left_hip", "pelvis", (0.09, -0.08, 0)), ("left_knee", "left_hip", (0, -0.42, 0)),
    ("left_ankle", "left_knee", (0, -0.41, 0)), ("left_foot", "left_ankle", (0, -0.06, 0.13)),
    ("right_hip", "pelvis", (-0.09, -0.08, 0)), ("right_knee", "right_hip", (0, -0.42, 0)),
    ("right_ankle", "right_knee", (0, -0.41, 0)), ("right_foot", "right_ankle", (0, -0.06, 0.13)),
)  # fmt: skip
_NAMES = tuple(name for name, _, _ in _TREE)
_PARENTS = tuple(_NAMES.index(parent) if parent else -1 for _, parent, _ in _TREE)
_Z_UP = Rotation.from_euler("x", 90, degrees=True)

# The other rig's names, with the body's left, up and forward in the joint's axes while the arms hang.
_OTHER = {
    "pelvis": ("Hips", [(0, -1, 0), (1, 0, 0)]), "spine3": ("Chest", [(0, 0, 1), (1, 0, 0)]),
    "neck": ("Neck", [(0, 0, 1), (1, 0, 0)]), "head": ("Head", [(0, 0, 1), (1, 0, 0)]),
    "collar": ("Shoulder", [(1, 0, 0), (0, 1, 0)]), "shoulder": ("UpperArm", [(0, 1, 0), (-1, 0, 0)]),
    "elbow": ("LowerArm", [(0, 1, 0), (-1, 0, 0)]), "wrist": ("Hand", [(0, 1, 0), (-1, 0, 0)]),
    "hip": ("UpperLeg", [(0, 1, 0), (-1, 0, 0)]), "knee": ("LowerLeg", [(0, 1, 0), (-1, 0, 0)]),
    "ankle": ("Foot", [(0, 1, 0), (0, 0, 1)]), "foot": ("Toes", [(0, 1, 0), (0, 0, 1)]),
}  # fmt: skip


def standing(frames: int = 240, rate_hz: float = 60.0, hanging: bool = True) -> Motion:
    """Someone who stands upright at (0, 0) and looks along −y, with hanging arms or in a T-pose."""
    rot = np.zeros((frames, len(_NAMES), 4))
    rot[..., 3] = 1.0
    rot[:, 0] = _Z_UP.as_quat()
    if hanging:
        rot[:, _NAMES.index("left_shoulder")] = Rotation.from_euler("z", -90, degrees=True).as_quat()
        rot[:, _NAMES.index("right_shoulder")] = Rotation.from_euler("z", 90, degrees=True).as_quat()
    root = np.tile([0.0, 0.0, 0.95], (frames, 1))
    skeleton = Skeleton(_NAMES, _PARENTS, np.array([offset for _, _, offset in _TREE], dtype=float))
    return Motion(np.arange(frames) / rate_hz, skeleton, rot, root, name="standing")


def moving(
    seed: int = 0, frames: int = 240, rate_hz: float = 60.0, radians: float = 0.4, hanging: bool = True
) -> Motion:
    """The same body whose every joint turns smoothly by about `radians`, while it walks about and turns."""
    rng = np.random.default_rng(seed)
    rest = standing(frames, rate_hz, hanging)
    t = rest.time_s[:, None, None]
    hz, phase = rng.uniform(0.3, 1.5, (3, len(_NAMES), 3)), rng.uniform(0, 2 * np.pi, (3, len(_NAMES), 3))
    turn = radians / 3 * sum(np.sin(2 * np.pi * h * t + p) for h, p in zip(hz, phase, strict=True))
    rot = np.stack(
        [
            (Rotation.from_quat(rest.rot_parent_from_joint[:, j].copy()) * Rotation.from_rotvec(turn[:, j])).as_quat()
            for j in range(len(_NAMES))
        ],
        axis=1,
    )
    heading = Rotation.from_euler("z", (rng.uniform(0, 2 * np.pi) + 0.3 * rest.time_s)[:, None])
    rot[:, 0] = (heading * Rotation.from_quat(rot[:, 0])).as_quat()
    path = np.stack([0.5 * rest.time_s, np.sin(rest.time_s), np.zeros(frames)], axis=1)
    return rest.replace(rot_parent_from_joint=rot, root_position_world=rest.root_position_world + path, name="moving")


def in_other_rig(motion: Motion) -> Motion:
    """The same motion in a rig with other names, whose bones run along x (−x on the right)."""
    basis, names = [], []
    for name in _NAMES:
        side, _, part = name.rpartition("_")
        other, (left, up) = _OTHER[part]
        left, up = np.array(left, float), np.array(up, float)
        if side == "right":
            left, up = (left, -up) if part not in ("ankle", "foot") else (left, up)
        hanging = Rotation.from_matrix(np.stack([left, up, np.cross(left, up)]))  # rot_body_from_joint
        if part in ("shoulder", "elbow", "wrist"):
            hanging = Rotation.from_euler("z", 90 if side == "left" else -90, degrees=True) * hanging
        basis.append(hanging)
        names.append(f"{other}_{side[0].upper()}" if side else other)
    rot = np.empty_like(motion.rot_parent_from_joint)
    offsets = np.empty_like(motion.skeleton.offsets_m)
    for j, parent in enumerate(_PARENTS):
        local = Rotation.from_quat(motion.rot_parent_from_joint[:, j].copy()) * basis[j]
        up_to = Rotation.identity() if parent < 0 else basis[parent].inv()
        rot[:, j] = (up_to * local).as_quat()
        offsets[j] = up_to.apply(np.array(motion.skeleton.offsets_m[j]))
    return motion.replace(skeleton=Skeleton(tuple(names), _PARENTS, offsets), rot_parent_from_joint=rot)


@pytest.fixture(scope="session")
def make_standing():
    """`standing(frames, rate_hz, hanging)`."""
    return standing


@pytest.fixture(scope="session")
def make_moving():
    """`moving(seed, frames, rate_hz, radians, hanging)`."""
    return moving


@pytest.fixture(scope="session")
def to_other_rig():
    """`in_other_rig(motion)`."""
    return in_other_rig
