"""BVH: a hierarchy of joints, then one row of channel values a frame.

Conventions, after the description of the format that the University of Wisconsin published for CS 838 (1999):
a joint's rotations are intrinsic in the order of its channels, and the root's position is its OFFSET plus its
position channels. Position channels of other joints are younger than that description; every exporter that
writes them writes the whole offset from the parent, so they replace OFFSET.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import (
    BODY_REACH_M,
    longest_way,
    points_z_up_from_y_up,
    read_text,
    rotation_z_up_from_y_up,
)
from kinebind.readers.formats_base import Format, Head

UNITS_M = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254, "CMU's 0.45 inch": 0.0254 / 0.45}
"""Length units that are tried on a skeleton's size, metres each."""

_STEADY_M = 1e-3  # position channels that move less than this are a constant offset
_USUAL_RATES_HZ = (
    10.0, 12.0, 12.5, 15.0, 20.0, 24e3 / 1001, 24.0, 25.0, 30e3 / 1001, 30.0, 40.0, 48.0, 50.0, 60e3 / 1001, 60.0, 72.0,
    75.0, 80.0, 90.0, 100.0, 120.0, 125.0, 144.0, 150.0, 180.0, 200.0, 240.0, 250.0, 300.0, 400.0, 480.0, 500.0, 1000.0,
)  # fmt: skip
_MOTION = re.compile(r"^[ \t]*MOTION\s+Frames:\s*(\S+)\s+Frame\s+Time:\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_CHANNEL = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)


@dataclass
class _Joint:
    """One joint of the hierarchy; lengths in the file's unit, channels as ("position" or "rotation", axis)."""

    name: str
    parent: int
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: list[tuple[str, int]] = field(default_factory=list)
    end: list[float] | None = None


def read_bvh(path: str | Path, *, unit_m: float | None = None, up: Literal["y", "z"] | None = None) -> Motion:
    """The motion of a BVH file: joint rotations and the root's position in a world with z up, metres.

    unit_m: metres in the file's length unit; BVH declares none, so by default the unit is chosen by which the
    skeleton has a human size. up: the axis of the file that points up; by default y, as the format has it,
    unless the head stands above the feet along z. Both are told in the notes.
    A root that has one child which moves away from it is merged with that child, so that the body's path is the
    root's. Where position channels of other joints vary, the skeleton holds their median offset and
    `position_world` is given, which has the true ones.
    Raises InputError for anything but one complete skeleton with complete frames.
    """
    text = read_text(path)
    motion = _MOTION.search(text)
    if motion is None:
        raise InputError(f"{path} has no MOTION block with Frames and Frame Time.", "Export the BVH file again.")
    joints = _hierarchy(text[: motion.start()], str(path))
    values = _frames(text[motion.end() :], motion[1], sum(len(j.channels) for j in joints), str(path))
    time_s, notes = _times(motion[2], len(values), str(path))

    rot, offset = _local(joints, values, str(path))
    names, parents = [j.name for j in joints], [j.parent for j in joints]
    if any(joints[0].offset) and any(kind == "position" for kind, _ in joints[0].channels):
        notes.append("The root's OFFSET is added to its position channels.")
    while _only_child_moves(offset, parents):
        notes.append(f"The joint '{names[0]}' is merged with its only child '{names[1]}', which carries the body.")
        rot, offset = _merge_root(rot, offset)
        names, parents = names[1:], [parent - 1 for parent in parents[1:]]
    if unit_m is None:
        unit_m, note = _unit(longest_way(parents, np.median(offset, axis=0)), str(path))
        notes.append(note)
    offset *= unit_m

    ends = {j.name: (j.end[0] * unit_m, j.end[1] * unit_m, j.end[2] * unit_m) for j in joints if j.end is not None}
    if up is None:
        up, note = _up_axis(rot, offset, parents, names)
        notes.append(note)
    elif up not in ("y", "z"):
        raise InputError(f"up is '{up}'.", "Use 'y' or 'z'.")
    if up == "y":
        rot[:, 0] = rotation_z_up_from_y_up(Rotation.from_quat(rot[:, 0])).as_quat()
        offset[:, 0] = points_z_up_from_y_up(offset[:, 0])

    rest = np.median(offset, axis=0)
    rest[0] = 0.0
    moving = np.ptp(offset, axis=0).max(axis=-1) > _STEADY_M
    moving[0] = False
    position = None
    if moving.any():
        notes.append(f"Position channels move {', '.join(np.array(names)[moving])} against the parent joint.")
        position = _forward(rot, offset, parents)
    return Motion(
        time_s=time_s,
        skeleton=Skeleton(tuple(names), tuple(parents), rest, ends),
        rot_parent_from_joint=rot,
        root_position_world=offset[:, 0],
        position_world=position,
        name=Path(path).stem,
        notes=tuple(notes),
    )


def _hierarchy(text: str, place: str) -> list[_Joint]:
    """The joints of the text before MOTION, parents first."""
    joints: list[_Joint] = []
    open_: list[tuple[int, bool]] = []  # (joint, whether this is its End Site)
    pending: tuple[int, bool] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace("{", " { ").replace("}", " } ").split()
        while words:
            key = words.pop(0).upper()
            try:
                if key in ("ROOT", "JOINT"):
                    if (key == "ROOT") != (not joints) or bool(joints) != bool(open_):
                        raise InputError("a second skeleton or a joint outside of one", "Write one skeleton a file.")
                    name = " ".join(w for w in words if w != "{")
                    joints.append(_Joint(name or f"joint {len(joints) + 1}", open_[-1][0] if open_ else -1))
                    pending = (len(joints) - 1, False)
                    words = [w for w in words if w == "{"]
                elif key == "END":
                    pending = (open_[-1][0], True)
                    words = [w for w in words if w == "{"]
                elif key == "{" and pending is not None:
                    open_.append(pending)
                    pending = None
                elif key == "}":
                    open_.pop()
                elif key == "OFFSET":
                    joint, is_end = open_[-1]
                    vector = [float(w) for w in words[:3]]
                    if len(vector) != 3 or not np.isfinite(vector).all():
                        raise ValueError("OFFSET needs three numbers")
                    if is_end:
                        joints[joint].end = vector
                    else:
                        joints[joint].offset = vector
                    words = words[3:]
                elif key == "CHANNELS":
                    count = int(words[0])
                    joints[open_[-1][0]].channels = [_channel(w) for w in words[1 : 1 + count]]
                    if len(words) < 1 + count:
                        raise ValueError(f"CHANNELS promises {count} names")
                    words = words[1 + count :]
                elif key != "HIERARCHY":
                    raise ValueError(f"'{key}' is no word of the format")
            except (ValueError, IndexError) as error:
                what = error.what if isinstance(error, InputError) else str(error)
                raise InputError(
                    f"{place}: line {number} ('{line.strip()[:60]}') cannot be read: {what}.", "Export the file again."
                ) from error
    if open_ or not joints:
        raise InputError(f"{place}: the hierarchy is not complete.", "Export the file again.")
    return joints


def _channel(word: str) -> tuple[str, int]:
    match = _CHANNEL.fullmatch(word)
    if match is None:
        raise ValueError(f"'{word}' is no channel")
    return match[2].lower(), "XYZ".index(match[1].upper())


def _frames(text: str, declared: str, channels: int, place: str) -> FloatArray:
    """Channel values (T, C) of the text after Frame Time; raises InputError unless T is the declared number."""
    words = text.split()
    try:
        values = np.fromiter(map(float, words), np.float64, len(words))
        frames = int(declared)
    except ValueError as error:
        raise InputError(f"{place}: the MOTION block holds something else than numbers: {error}.", "") from error
    if channels == 0 or values.size != frames * channels:
        whole = values.size // max(channels, 1)
        raise InputError(
            f"{place} declares {frames} frames of {channels} values but holds {whole} complete ones "
            f"and {values.size - whole * channels} values more.",
            "Export it again; to use what is there, write the number of complete frames behind 'Frames:'.",
        )
    finite = np.isfinite(values)
    if not finite.all():
        raise InputError(
            f"{place}: frame {int(np.argmin(finite)) // channels + 1} holds a value that is no finite number.",
            "Fill or cut the frames without data before exporting.",
        )
    return values.reshape(frames, channels)


def _times(frame_time: str, frames: int, place: str) -> tuple[FloatArray, list[str]]:
    """Times from zero, seconds, and notes. A period that is a usual rate's but for its last digit is that rate's."""
    try:
        period_s = float(frame_time)
    except ValueError:
        period_s = 0.0
    if not 0 < period_s < 10:
        raise InputError(f"{place}: Frame Time is '{frame_time}', not a period in seconds.", "Correct it in the file.")
    frame: FloatArray = np.arange(frames, dtype=np.float64)
    # Half a unit of the last digit printed: 0.0333 s alone would let an hour run 3.6 s off.
    rounding_s = 0.5001 * 10.0 ** int(Decimal(frame_time).as_tuple().exponent)
    rate_hz = min(_USUAL_RATES_HZ, key=lambda rate: abs(1.0 / rate - period_s))
    if 1.0 / rate_hz == period_s or abs(1.0 / rate_hz - period_s) > rounding_s:
        return period_s * frame, []
    note = f"Frame Time {frame_time} s is taken as {rate_hz:.6g} frames/s, rounded in the file."
    return frame / rate_hz, [note]


def _local(joints: list[_Joint], values: FloatArray, place: str) -> tuple[FloatArray, FloatArray]:
    """Rotations (T, J, 4) from each joint to its parent and offsets (T, J, 3) in the parent's frame, file units."""
    rot = np.zeros((len(values), len(joints), 4))
    rot[..., 3] = 1.0
    offset: FloatArray = np.tile(np.array([j.offset for j in joints]), (len(values), 1, 1))
    columns: dict[str, tuple[list[int], list[list[int]]]] = {}  # joints that share an order are turned at once
    at = 0
    for index, joint in enumerate(joints):
        order, turns = "", []
        for column, (kind, axis) in enumerate(joint.channels, at):
            if kind == "rotation":
                order += "XYZ"[axis]
                turns.append(column)
            else:
                offset[:, index, axis] = values[:, column] + (joint.offset[axis] if index == 0 else 0.0)
        at += len(joint.channels)
        if turns:
            columns.setdefault(order, ([], []))
            columns[order][0].append(index)
            columns[order][1].append(turns)
    for order, (indices, turns_of) in columns.items():
        angles = values[:, np.array(turns_of)].reshape(-1, len(order))
        try:
            quat = Rotation.from_euler(order, angles, degrees=True).as_quat()
        except ValueError as error:
            names = ", ".join(joints[i].name for i in indices)
            raise InputError(f"{place}: {names} cannot turn in the order {order}: {error}.", "") from error
        rot[:, indices] = quat.reshape(len(values), len(indices), 4)
    return rot, offset


def _only_child_moves(offset: FloatArray, parents: list[int]) -> bool:
    """Whether the root has one child, and that child moves against it by more than a bone's rounding."""
    if parents.count(0) != 1:
        return False
    return bool(np.ptp(offset[:, 1], axis=0).max() > 5e-4 * longest_way(parents, np.median(offset, axis=0)))


def _merge_root(rot: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rotations and offsets without the root, whose place and turn go to its only child."""
    root = Rotation.from_quat(rot[:, 0])
    rot, child = rot[:, 1:].copy(), offset[:, 0] + root.apply(offset[:, 1])
    offset = offset[:, 1:].copy()
    rot[:, 0] = (root * Rotation.from_quat(rot[:, 0])).as_quat()
    offset[:, 0] = child
    return rot, offset


def _unit(reach: float, place: str) -> tuple[float, str]:
    """The length unit, metres, in which the longest way along the skeleton is a human one, and a note."""
    least, greatest = BODY_REACH_M
    fitting = {name: unit for name, unit in UNITS_M.items() if least <= reach * unit <= greatest}
    if not fitting:
        raise InputError(
            f"{place}: the skeleton's longest way along its bones is {reach:.4g} units, no human size in "
            f"{', '.join(UNITS_M)}.",
            "Give the length unit (unit_m=0.01 for centimetres).",
        )
    name = min(fitting, key=lambda n: abs(np.log(reach * fitting[n] / np.sqrt(least * greatest))))
    return fitting[name], f"Lengths are taken as {name}: the skeleton is {reach * fitting[name]:.2f} m along its bones."


def _up_axis(
    rot: FloatArray, offset: FloatArray, parents: list[int], names: list[str]
) -> tuple[Literal["y", "z"], str]:
    """The axis that points up in the file, and a note: z where the head stands above the feet along z, else y."""
    heads = [i for i, n in enumerate(names) if re.search("head|face|neck", n, re.IGNORECASE)]
    feet = [i for i, n in enumerate(names) if re.search("foot|toe|ankle", n, re.IGNORECASE)]
    if heads and feet:
        some = np.unique(np.linspace(0, len(rot) - 1, 50).astype(int))
        position = _forward(rot[some], offset[some], parents)
        upright = np.mean(position[:, heads].mean(axis=1) - position[:, feet].mean(axis=1), axis=0)
        upright /= max(float(np.linalg.norm(upright)), 1e-9)
        if upright[1] > 0.8:
            return "y", "y points up: the head stands above the feet along it."
        if upright[2] > 0.8:
            return "z", "z points up: the head stands above the feet along it."
    return "y", "y is taken as up, as the format has it (the body's posture does not tell)."


def _forward(rot: FloatArray, offset: FloatArray, parents: list[int]) -> FloatArray:
    """Positions (T, J, 3) by forward kinematics with offsets that may change from frame to frame."""
    world: list[Rotation] = []
    position = np.empty_like(offset)
    for joint, parent in enumerate(parents):
        local = Rotation.from_quat(rot[:, joint])
        world.append(local if parent < 0 else world[parent] * local)
        position[:, joint] = offset[:, joint]
        if parent >= 0:
            position[:, joint] = position[:, parent] + world[parent].apply(offset[:, joint])
    return position


def _is_bvh(head: Head) -> bool:
    return head.text.lstrip().upper().startswith("HIERARCHY")


FORMATS = (Format("bvh", "motion", "BVH motion capture (joint rotations, any channel order)", _is_bvh, read_bvh),)
