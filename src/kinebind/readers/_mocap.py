"""What the motion capture formats share: y-up worlds turned to z up, and a skeleton's size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head

BODY_REACH_M = (1.2, 2.9)
"""Least and greatest longest way along a human skeleton (toe to fingers, hand to hand), metres, children included."""

_ROT_Z_UP_FROM_Y_UP = Rotation.from_euler("x", 90, degrees=True)


def rotation_z_up_from_y_up(rot: Rotation) -> Rotation:
    """World-from-body rotations whose world has y up, in a world with z up."""
    return _ROT_Z_UP_FROM_Y_UP * rot


def points_z_up_from_y_up(points: FloatArray) -> FloatArray:
    """Points (..., 3) of a world with y up in a world with z up: (x, y, z) becomes (x, −z, y)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def longest_way(parents: Sequence[int], offsets: FloatArray) -> float:
    """Longest way between two joints along the bones, in the unit of `offsets` (J, 3); parents stand first.

    It needs no joint names, and for bodies of all sizes it varies less than the common length units differ.
    """
    length = np.linalg.norm(offsets, axis=1)
    below = np.zeros(len(parents))  # longest way from each joint down to a leaf
    longest = 0.0
    for joint in range(len(parents) - 1, 0, -1):
        parent, down = parents[joint], below[joint] + length[joint]
        longest = max(longest, below[parent] + down)
        below[parent] = max(below[parent], down)
    return float(longest)


def read_text(path: str | Path) -> str:
    """A text file whole; raises InputError where it is missing, empty, unreadable or no text."""
    head = read_head(path)
    if head.is_binary:
        raise InputError(f"{path} is binary, not text.", "Export the motion as text.")
    try:
        return head.path.read_bytes().decode(head.encoding, errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.", "Check the path and the disk.") from error


def read_mat(path: str | Path, *names: str) -> list[FloatArray]:
    """Variables of a MATLAB 5 file as float arrays; raises InputError where one is missing or no real numbers."""
    head = read_head(path)
    missing = [name for name in names if name not in head.mat_variables]
    if missing:
        found = ", ".join(head.mat_variables) or "nothing that can be read"
        raise InputError(f"{path} holds no {', '.join(missing)}; it holds {found}.", "Check that it is the right file.")
    try:
        variables = loadmat(str(path), variable_names=names)
        return [variables[name].astype(np.float64, casting="safe") for name in names]
    except Exception as error:  # scipy raises whatever a damaged file leads to
        raise InputError(f"{path} cannot be read: {error}.", "It is damaged or incomplete: fetch it again.") from error


def rotations_to_parents(rot_world_from_joint: FloatArray, parents: Sequence[int]) -> FloatArray:
    """rot_parent_from_joint (T, J, 4) of world rotations (T, J, 4), x, y, z, w; a root's parent is the world.

    Missing rotations (NaN) stay missing, and so do those of their children. Raises ValueError for a zero norm.
    """
    out = np.full(rot_world_from_joint.shape, np.nan)
    known = np.asarray(np.isfinite(rot_world_from_joint).all(axis=-1))
    for joint, parent in enumerate(parents):
        rows = known[:, joint] & (known[:, parent] if parent >= 0 else True)
        if not rows.any():
            continue
        own = Rotation.from_quat(rot_world_from_joint[rows, joint])
        if parent >= 0:
            own = Rotation.from_quat(rot_world_from_joint[rows, parent]).inv() * own
        out[rows, joint] = own.as_quat()
    return out
