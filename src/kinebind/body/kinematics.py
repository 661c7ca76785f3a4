"""Forward kinematics: where the joints are and how they are turned."""

from __future__ import annotations

import numpy as np

from kinebind.body.quaternions import multiply, rotate
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion


def forward(motion: Motion) -> tuple[FloatArray, FloatArray]:
    """Joint positions (T, J, 3) in metres and rotations joint to world (T, J, 4) of a motion.

    A motion that has joint rotations and positions gives its own positions, not the chain's. A motion without
    rotations gives NaN rotations.

    Raises InputError where a chain lacks a joint's offset and the motion has no positions either.
    """
    frames, count = motion.time_s.size, len(motion.skeleton.joints)
    rot_local, root, given = motion.rot_parent_from_joint, motion.root_position_world, motion.position_world
    if rot_local is None or root is None:
        assert given is not None  # the type guarantees one of the two
        return np.array(given), np.full((frames, count, 4), np.nan)
    # One block of memory a joint and component: three times as fast as the order of the result.
    local = np.moveaxis(np.ascontiguousarray(np.moveaxis(rot_local, 0, -1)), -1, 0)
    rot_world = np.moveaxis(np.full((count, 4, frames), np.nan), -1, 0)
    position = np.moveaxis(np.full((count, 3, frames), np.nan), -1, 0)
    for j, (parent, offset) in enumerate(zip(motion.skeleton.parents, motion.skeleton.offsets_m, strict=True)):
        rot_world[:, j] = local[:, j] if parent < 0 else multiply(rot_world[:, parent], local[:, j])
        if given is not None:
            position[:, j] = given[:, j]
        elif parent < 0:
            position[:, j] = root
        elif np.isnan(offset).any():
            raise InputError(
                f"Joint '{motion.skeleton.joints[j]}' of '{motion.name}' has no offset and no positions.",
                "Read the motion together with its skeleton (the ASF of an AMC).",
            )
        else:
            position[:, j] = position[:, parent] + rotate(rot_world[:, parent], offset)
    return position, rot_world
