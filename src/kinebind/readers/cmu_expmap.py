"""CMU motion capture as exponential maps: rows of 117 numbers, as the literature on motion prediction passes it on.

A row is the root's position and then 38 exponential maps in radians, one a joint, in CMU's hierarchical order; the
ends of the last bones have theirs too, which are zero. A joint's map takes the parent's frame to its own: the rotation
that Kinebind keeps is its inverse (with it the feet of walking people stand still, without it they slide). Lengths are
those of CMU's ASF files; the files hold neither bones nor a rate. Their first row is no pose of the recording, and is
dropped.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import points_z_up_from_y_up, read_text, rotation_z_up_from_y_up
from kinebind.readers.amc import INCH_M
from kinebind.readers.formats_base import Format, Head

UNIT_M = INCH_M / 0.45
"""Metres in a length unit, as CMU's ASF files have it."""
RATE_HZ = 120.0

# Bone, its parent, its vector in the rest pose (metres; the left side's), named as in CMU's ASF files. "*" has two
# sides, the right one mirrored. The bodies that were recorded are not known: these are of an adult of 1.75 m.
_LEG = (
    ("*hipjoint", "root", (0.075, -0.101, 0.047)),
    ("*femur", "*hipjoint", (0.141, -0.387, 0.0)),
    ("*tibia", "*femur", (0.145, -0.398, 0.0)),
    ("*foot", "*tibia", (0.009, -0.025, 0.132)),
    ("*toes", "*foot", (0.0, 0.0, 0.068)),
    ("", "*toes", ()),
)
_TRUNK = (
    ("lowerback", "root", (0.0, 0.115, -0.008)),
    ("upperback", "lowerback", (0.0, 0.116, -0.002)),
    ("thorax", "upperback", (0.0, 0.117, 0.002)),
    ("lowerneck", "thorax", (0.0, 0.098, 0.01)),
    ("upperneck", "lowerneck", (0.0, 0.099, -0.007)),
    ("head", "upperneck", (0.0, 0.1, -0.003)),
    ("", "head", ()),
)
_ARM = (
    ("*clavicle", "thorax", (0.183, 0.073, -0.02)),
    ("*humerus", "*clavicle", (0.288, 0.0, 0.0)),
    ("*radius", "*humerus", (0.195, 0.0, 0.0)),
    ("*wrist", "*radius", (0.098, 0.0, 0.0)),
    ("*hand", "*wrist", (0.038, 0.0, 0.0)),
    ("*fingers", "*hand", (0.03, 0.0, 0.0)),
    ("", "*fingers", ()),
    ("*thumb", "*wrist", (0.031, 0.0, 0.031)),
    ("", "*thumb", ()),
)


def _side(rows: tuple[tuple[str, str, tuple[float, ...]], ...], side: str) -> list[tuple[str, str, tuple[float, ...]]]:
    mirrored = -1.0 if side == "r" else 1.0
    return [
        (name.replace("*", side), parent.replace("*", side), (mirrored * vector[0], *vector[1:]) if vector else ())
        for name, parent, vector in rows
    ]


_ROWS = [
    ("root", "", (0.0, 0.0, 0.0)),
    *_side(_LEG, "l"),
    *_side(_LEG, "r"),
    *_TRUNK,
    *_side(_ARM, "l"),
    *_side(_ARM, "r"),
]
_BONES = {name: (parent, vector) for name, parent, vector in _ROWS if name}
_JOINTS = tuple(_BONES)
_COLUMNS = 3 * (1 + len(_ROWS))


def _skeleton() -> Skeleton:
    parents = tuple(_JOINTS.index(parent) if parent else -1 for parent, _ in _BONES.values())
    offsets = np.array([_BONES[parent or "root"][1] for parent, _ in _BONES.values()])
    leaves = set(_JOINTS) - {parent for parent, _ in _BONES.values()}
    tips = {name: np.array(_BONES[name][1]) for name in _JOINTS if name in leaves}
    return Skeleton(_JOINTS, parents, offsets, {name: (tip[0], tip[1], tip[2]) for name, tip in tips.items()})


_SKELETON = _skeleton()


def read_cmu_expmap(path: str | Path) -> Motion:
    """The motion of a file: joint rotations and the root's position in a world with z up, metres, at 120 frames/s.

    Raises InputError for rows that have not 117 finite numbers, and where nothing is left beside the first one.
    """
    fix = "Check that it is whole, and CMU motion as exponential maps (117 numbers a row)."
    try:
        values = np.loadtxt(io.StringIO(read_text(path)), delimiter=",", dtype=np.float64, ndmin=2)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as rows of numbers: {error}.", fix) from error
    if values.shape[1] != _COLUMNS or not np.isfinite(values).all():
        raise InputError(f"{path}: its rows, {values.shape}, are not {_COLUMNS} finite numbers each.", fix)
    if len(values) < 3:
        raise InputError(f"{path} holds {len(values)} row(s), of which the first is no pose.", fix)
    values = values[1:]
    maps = values[:, 3:].reshape(len(values), len(_ROWS), 3)
    own = maps[:, [k for k, (name, *_) in enumerate(_ROWS) if name]]  # (T, J, 3)
    rot = Rotation.from_rotvec(-own.reshape(-1, 3)).as_quat().reshape(*own.shape[:2], 4)
    rot[:, 0] = rotation_z_up_from_y_up(Rotation.from_quat(rot[:, 0])).as_quat()
    return Motion(
        time_s=np.arange(len(values)) / RATE_HZ,
        skeleton=_SKELETON,
        rot_parent_from_joint=rot,
        root_position_world=UNIT_M * points_z_up_from_y_up(values[:, :3]),
        name=Path(path).stem,
        notes=(
            f"{RATE_HZ:g} frames/s as CMU records: the file has no rate. The first row, which is no pose, is dropped.",
            "The bones are those of an adult of 1.75 m: the file has none.",
        ),
    )


def _is_expmap(head: Head) -> bool:
    rows = [line.split(",") for line in head.lines[:2]]
    try:
        return len(rows) == 2 and all(len(row) == _COLUMNS and [float(v) for v in row] for row in rows)
    except ValueError:
        return False


FORMATS = (Format("cmu-expmap", "motion", "CMU motion as exponential maps (text)", _is_expmap, read_cmu_expmap),)
