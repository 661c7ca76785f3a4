"""Forward kinematics: where the joints are and how they are turned."""

from __future__ import annotations

import numpy as np

from kinebind.body.quaternions import multiply, rotate
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion


def forward(motion: Motion, joints: tuple[int, ...] | None = None) -> tuple[FloatArray, FloatArray]:
    """Joint positions (T, J, 3) in metres and rotations joint to world (T, J, 4) of a motion.

    joints: indices that are wanted; the others (unless they are ancestors of these) stay NaN, which saves time.
    A motion that has joint rotations and positions gives its own positions, not the chain's. A motion without
    rotations gives NaN rotations.

    Raises InputError where a chain lacks a joint's offset and the motion has no positions either.
    """
    shape = (motion.time_s.size, len(motion.skeleton.joints))
    rot_world = np.full((*shape, 4), np.nan)
    rot_local, root = motion.rot_parent_from_joint, motion.root_position_world
    needed = _with_ancestors(motion, joints)
    if rot_local is None or root is None:
        assert motion.position_world is not None  # the type guarantees one of the two
        return np.array(motion.position_world), rot_world
    given = motion.position_world
    position = np.full((*shape, 3), np.nan) if given is None else np.array(given)
    for j in needed:
        parent = motion.skeleton.parents[j]
        rot_world[:, j] = rot_local[:, j] if parent < 0 else multiply(rot_world[:, parent], rot_local[:, j])
        if given is not None:
            continue
        if parent < 0:
            position[:, j] = root
            continue
        offset = motion.skeleton.offsets_m[j]
        if np.isnan(offset).any():
            raise InputError(
                f"Joint '{motion.skeleton.joints[j]}' of {motion.name} has no offset and no positions.",
                "Read the motion together with its skeleton (the ASF of an AMC).",
            )
        position[:, j] = position[:, parent] + rotate(rot_world[:, parent], offset)
    return position, rot_world


def _with_ancestors(motion: Motion, joints: tuple[int, ...] | None) -> list[int]:
    parents = motion.skeleton.parents
    if joints is None:
        return list(range(len(parents)))
    needed: set[int] = set()
    for joint in joints:
        j = joint
        while j >= 0 and j not in needed:
            needed.add(j)
            j = parents[j]
    return sorted(needed)
