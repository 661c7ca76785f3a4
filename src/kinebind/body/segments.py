"""Segments of the body and the frames that are fixed in them.

Every segment has the same axes in someone who stands upright with hanging arms, on every skeleton:
x to the body's left, y up (along a limb: from its far end to its near end), z forward. A foot's z runs from the
ankle to the toes and its y out of the instep. The origin is the near joint's centre: hip, knee, ankle, shoulder,
elbow; between the hips for the pelvis, the base of the neck for the chest, between the ears for the head.

With joint rotations the frame turns with its joint, and the forearm near the wrist with the hand's pronation.
With joint positions alone the turn of a limb about its own bone cannot be seen. It is then chosen so that it is
smooth: thigh and upper arm swing from the trunk without twisting, shank from thigh and forearm from upper arm.
The pelvis then has the hips' line and leans with the trunk (or, of legs alone, not at all).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind.body.kinematics import forward
from kinebind.body.quaternions import (
    about_axis,
    conjugate,
    from_axes,
    multiply,
    normalised,
    rotate,
    shortest_arc,
    twist_angle,
)
from kinebind.body.skeletons import SIDES, Body, recognise
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion

LIMBS: dict[str, tuple[str, str]] = {
    f"{side}_{name}": (f"{side}_{near}", f"{side}_{far}")
    for side in SIDES
    for name, near, far in (
        ("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"),
        ("thigh", "hip", "knee"), ("shank", "knee", "ankle"), ("foot", "ankle", "toe"),
    )
}  # fmt: skip
"""Limb segments with the landmarks at their near and far ends."""

_NEEDS: dict[str, tuple[str, ...]] = {
    "pelvis": ("left_hip", "right_hip"), "chest": ("neck", "left_shoulder", "right_shoulder"),
    "head": ("neck", "head", "left_shoulder", "right_shoulder"), **LIMBS,
}  # fmt: skip
SEGMENTS: tuple[str, ...] = tuple(_NEEDS)

# Lengths over stature, rounded from Winter, Biomechanics and Motor Control of Human Movement (2009), figure 4.1.
_LEGS = 0.491  # thigh and shank
_LEGS_AND_TRUNK = 0.79  # thigh, shank and from the hips to the base of the neck
_EARS_ABOVE_NECK = 0.11

_PRONATION_AT_WRIST = 0.9
"""Share of the hand's turn about the forearm that the skin just above the wrist follows."""

_RAISED = normalised(np.array([0.5, -0.6, 0.6]))
"""Direction of a left upper arm, in the chest's axes, whose opposite no arm can reach."""

_X, _Y, _Z = np.eye(3)


@dataclass(frozen=True, eq=False)
class Posture:
    """A motion with its skeleton recognised and its joints placed in the world.

    position_world (T, J, 3), rot_world_from_joint (T, J, 4; NaN without rotations), stature_m: the body's height
    as its legs and trunk suggest it, metres.
    """

    motion: Motion
    body: Body
    position_world: FloatArray
    rot_world_from_joint: FloatArray
    stature_m: float

    @property
    def has_rotations(self) -> bool:
        """Whether joint rotations are known."""
        return self.motion.rot_parent_from_joint is not None and self.motion.root_position_world is not None

    def has(self, landmark: str) -> bool:
        """Whether the skeleton has a landmark."""
        return landmark in self.body.landmarks

    def point(self, landmark: str) -> FloatArray:
        """A landmark's position in the world (T, 3), metres; NaN rows where the skeleton lacks it."""
        if landmark not in self.body.landmarks:
            return np.full((self.motion.time_s.size, 3), np.nan)
        joint, offset = self.body.landmarks[landmark]
        position = self.position_world[:, joint]
        return position + rotate(self.rot_world_from_joint[:, joint], offset) if offset.any() else position

    def mid_hip(self) -> FloatArray:
        """The middle between the hips (T, 3), metres."""
        return np.asarray(0.5 * (self.point("left_hip") + self.point("right_hip")))


@dataclass(frozen=True, eq=False)
class SegmentTrajectory:
    """A segment's path: origin_world (T, 3) metres, rot_world_from_segment (T, 4), length_m of its bone."""

    origin_world: FloatArray
    rot_world_from_segment: FloatArray
    length_m: float


def posture(motion: Motion) -> Posture:
    """Recognise a motion's skeleton and place its joints; raises InputError where its joint names are unknown."""
    body = recognise(motion.skeleton)
    position, rot = forward(motion)
    placed = Posture(motion, body, position, rot, float("nan"))
    return Posture(motion, body, position, rot, _stature_m(placed))


def segment_trajectory(p: Posture, segment: str) -> SegmentTrajectory:
    """Path of a segment of `SEGMENTS`, in the axes that the module's head describes.

    Raises InputError where the skeleton lacks the segment's joints.
    """
    if not _is_there(p, segment):
        raise InputError(
            f"'{p.motion.name}' has no {segment.replace('_', ' ')}.",
            f"Its skeleton has: {', '.join(s for s in SEGMENTS if _is_there(p, s))}.",
        )
    rot = _carried(p, segment)
    rot = _seen(p, segment) if rot is None else rot
    if segment in LIMBS:
        near, far = LIMBS[segment]
        return SegmentTrajectory(p.point(near), rot, _length_m(p, near, far))
    if segment == "pelvis":
        return SegmentTrajectory(p.mid_hip(), rot, _length_m(p, "left_hip", "right_hip"))
    if segment == "chest":
        return SegmentTrajectory(p.point("neck"), rot, _length_m(p, "left_shoulder", "right_shoulder"))
    neck_m = _length_m(p, "neck", "head")
    # Without rotations, "head" is a depth camera's point in the middle of the head already.
    rise = np.array([0.0, _EARS_ABOVE_NECK * p.stature_m - neck_m if p.has_rotations else 0.0, 0.0])
    return SegmentTrajectory(p.point("head") + rotate(rot, rise), rot, neck_m)


def _is_there(p: Posture, segment: str) -> bool:
    return segment in _NEEDS and all(p.has(name) for name in _NEEDS[segment])


def _length_m(p: Posture, near: str, far: str) -> float:
    return _usual_m(p.point(far) - p.point(near))


def _usual_m(vectors: FloatArray) -> float:
    """Median length of vectors (T, 3), missing ones left out; NaN where all are missing."""
    length = np.linalg.norm(vectors, axis=1)
    length = length[np.isfinite(length)]
    return float(np.median(length)) if length.size else float("nan")


def _stature_m(p: Posture) -> float:
    legs = np.mean([_length_m(p, f"{s}_hip", f"{s}_knee") + _length_m(p, f"{s}_knee", f"{s}_ankle") for s in SIDES])
    if not p.has("neck"):
        return float(legs / _LEGS)
    return float((legs + _usual_m(p.point("neck") - p.mid_hip())) / _LEGS_AND_TRUNK)


def _carried(p: Posture, segment: str) -> FloatArray | None:
    """rot_world_from_segment (T, 4) of a segment that turns with a joint; None where no joint's axes are known."""
    landmark = LIMBS[segment][0] if segment in LIMBS else segment
    if not p.has_rotations or not p.has(landmark):
        return None
    joint, _ = p.body.landmarks[landmark]
    rot_joint_from_body = p.body.rot_joint_from_body[joint]
    if np.isnan(rot_joint_from_body).any():
        return None
    rot_joint = p.rot_world_from_joint[:, joint]
    if segment not in LIMBS:
        return multiply(rot_joint, rot_joint_from_body)
    bone_world = p.point(LIMBS[segment][1]) - p.point(landmark)
    seen = rotate(conjugate(rot_joint), bone_world)
    seen = seen[np.isfinite(seen).all(axis=1)]
    bone = normalised(seen.mean(axis=0)) if seen.size else np.full(3, np.nan)
    if segment.endswith("foot"):
        fixed = _orthonormal("z", bone, "y", rotate(rot_joint_from_body, _Y))
    else:
        fixed = _orthonormal("y", -bone, "z", rotate(rot_joint_from_body, _Z))
    rot = multiply(rot_joint, fixed)
    return _pronated(p, segment, rot) if segment.endswith("forearm") else rot


def _pronated(p: Posture, segment: str, rot_world_from_forearm: FloatArray) -> FloatArray:
    """The forearm's frame turned about its bone with the hand, as far as the skin above the wrist follows."""
    elbow, wrist = (p.body.landmarks[name][0] for name in LIMBS[segment])
    if wrist == elbow:
        return rot_world_from_forearm
    rot_forearm_from_elbow = multiply(conjugate(rot_world_from_forearm), p.rot_world_from_joint[:, elbow])
    between = multiply(conjugate(p.rot_world_from_joint[:, elbow]), p.rot_world_from_joint[:, wrist])
    in_forearm = multiply(multiply(rot_forearm_from_elbow, between), conjugate(rot_forearm_from_elbow))
    angle = twist_angle(in_forearm, _Y)
    known = np.isfinite(angle)
    angle[known] = np.unwrap(angle[known])
    return multiply(rot_world_from_forearm, about_axis(_Y, _PRONATION_AT_WRIST * angle))


def _seen(p: Posture, segment: str) -> FloatArray:
    """rot_world_from_segment (T, 4) from joint positions alone, by the convention of the module's head."""
    if segment == "pelvis":
        # The neck, not the spine's middle, which depth cameras place at the skin of the back.
        spine = p.point("neck") - p.mid_hip() if p.has("neck") else _Z
        return _orthonormal("x", normalised(p.point("left_hip") - p.point("right_hip")), "y", spine)
    if segment == "chest":
        spine = p.point("neck") - (p.point("chest") if p.has("chest") else p.mid_hip())
        return _orthonormal("y", normalised(spine), "x", p.point("left_shoulder") - p.point("right_shoulder"))
    if segment == "head":
        return _swung(_seen(p, "chest"), _Y, p.point("head") - p.point("neck"))
    near, far = LIMBS[segment]
    bone_world = p.point(far) - p.point(near)
    side, name = segment.split("_", 1)
    if name == "foot":
        return _orthonormal("z", normalised(bone_world), "y", rotate(_seen(p, f"{side}_shank"), _Y))
    if name == "upper_arm":
        raised = _RAISED * (1.0 if side == "left" else -1.0, 1.0, 1.0)
        chest = _seen(p, "chest")
        return _swung(_swung(chest, -_Y, rotate(chest, raised)), -_Y, bone_world)
    parent = {"thigh": "pelvis", "shank": f"{side}_thigh", "forearm": f"{side}_upper_arm"}[name]
    return _swung(_seen(p, parent), -_Y, bone_world)


def _swung(rot_world_from_parent: FloatArray, axis: FloatArray, direction_world: FloatArray) -> FloatArray:
    """A frame (T, 4) turned by the shortest arc that carries its `axis` (3,) to a direction (T, 3)."""
    arc = shortest_arc(rotate(rot_world_from_parent, axis), normalised(direction_world))
    return multiply(arc, rot_world_from_parent)


def _orthonormal(exact: str, along: FloatArray, near: str, towards: FloatArray) -> FloatArray:
    """Frames (..., 4) whose axis `exact` is the unit vector `along` (..., 3), `near` as near `towards` as can be."""
    a, b = "xyz".index(exact), "xyz".index(near)
    sign = 1.0 if b == (a + 1) % 3 else -1.0
    third = normalised(sign * np.cross(along, towards))
    axes = {a: along, b: sign * np.cross(third, along), 3 - a - b: third}
    return from_axes(axes[0], axes[1], axes[2])
