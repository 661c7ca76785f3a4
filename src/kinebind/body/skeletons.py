"""Recognising a skeleton by its joint names: which joint is which landmark of the body, and which way it faces.

The names of a handful of rigs are known; a file's origin plays no part. Landmarks are joint centres:

    pelvis, chest, neck, head           neck is the base of the neck; a head that turns hangs at the skull's base
    SIDE_shoulder, SIDE_elbow, SIDE_wrist
    SIDE_hip, SIDE_knee, SIDE_ankle, SIDE_toe            SIDE is left or right

The body's axes are x to its left, y up, z forward, of someone who stands upright.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from kinebind.body.quaternions import from_axes, normalised
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Skeleton

SIDES = ("left", "right")
_LEGS = tuple(f"{side}_{part}" for side in SIDES for part in ("hip", "knee", "ankle"))


@dataclass(frozen=True)
class _Vocabulary:
    """Joint names of one family of rigs, lower-case letters and digits only; `@` stands for the side.

    side: what `@` is on the left and on the right. names: landmark (without its side) to the names that it may
    have, best first; "end:NAME" is the tip of a joint that has no child. axes: for rigs whose zero pose is not an
    upright body, the joint's own axes that point to the body's left and up in a standing person whose arms hang,
    for the left joint and for the right.
    """

    side: tuple[str, str]
    names: dict[str, tuple[str, ...]]
    axes: dict[str, tuple[tuple[str, str], tuple[str, str]]] = field(default_factory=dict)


_TRUNK = ("z", "x"), ("z", "x")
_LIMB = ("y", "-x"), ("y", "x")  # the right side's bones run along −x
_FOOT = ("y", "z"), ("y", "z")

_VOCABULARIES: dict[str, _Vocabulary] = {
    # BVH whose bones run along x: Hips, UpperLeg_L, LowerArm_R ...
    "limb with side suffix": _Vocabulary(
        ("l", "r"),
        {
            "pelvis": ("hips",), "chest": ("chest",), "neck": ("neck",), "head": ("head",),
            "shoulder": ("upperarm@",), "elbow": ("lowerarm@",), "wrist": ("hand@",),
            "hip": ("upperleg@",), "knee": ("lowerleg@",), "ankle": ("foot@",), "toe": ("toes@", "end:foot@"),
        },
        {
            "hips": (("-y", "x"), ("-y", "x")), "spine": _TRUNK, "chest": _TRUNK, "neck": _TRUNK, "head": _TRUNK,
            "shoulder@": (("x", "y"), ("x", "-y")), "upperarm@": _LIMB, "lowerarm@": _LIMB, "hand@": _LIMB,
            "upperleg@": _LIMB, "lowerleg@": _LIMB, "foot@": _FOOT, "toes@": _FOOT,
        },
    ),
    # Blender's names: upper_arm.L, shin.R, spine.001 ...
    "bone with side suffix": _Vocabulary(
        ("l", "r"),
        {
            "pelvis": ("pelvis", "hips"), "chest": ("chest", "spine003", "spine002", "spine001"), "neck": ("neck",),
            "head": ("head", "face"), "shoulder": ("upperarm@",), "elbow": ("forearm@",),
            "wrist": ("hand@", "end:forearm@"),
            "hip": ("thigh@",), "knee": ("shin@",), "ankle": ("foot@",), "toe": ("toe@", "end:foot@"),
        },
    ),
    # ASF bones, named as the joint at their near end: lfemur is the hip.
    "anatomical bones": _Vocabulary(
        ("l", "r"),
        {
            "pelvis": ("root",), "chest": ("thorax",), "neck": ("lowerneck",), "head": ("head",),
            "shoulder": ("@humerus",), "elbow": ("@radius",), "wrist": ("@wrist",),
            "hip": ("@femur",), "knee": ("@tibia",), "ankle": ("@foot",), "toe": ("@toes",),
        },
    ),
    # Joints by their anatomical names: depth cameras, SMPL, and many others.
    "joints": _Vocabulary(
        ("left", "right"),
        {
            "pelvis": ("pelvis", "hipcentre", "hipcenter", "hips", "root"),
            "chest": ("chest", "thorax", "spine3", "chest4", "chest3", "chest2", "spine"),
            "neck": ("neck", "shouldercentre", "shouldercenter"), "head": ("head",),
            "shoulder": ("@shoulder",), "elbow": ("@elbow",), "wrist": ("@wrist",),
            "hip": ("@hip",), "knee": ("@knee",), "ankle": ("@ankle",), "toe": ("@toe", "@foot", "end:@ankle"),
        },
    ),
    # Limbs by everyday names: LeftUpLeg, LeftForeArm ... (LeftShoulder is the collar bone).
    "limb with side prefix": _Vocabulary(
        ("left", "right"),
        {
            "pelvis": ("hips", "pelvis"), "chest": ("spine2", "spine1", "chest", "spine", "t8"),
            "neck": ("neck", "neck1"), "head": ("head",),
            "shoulder": ("@arm", "@uparm", "@upperarm"), "elbow": ("@forearm", "@lowarm"), "wrist": ("@hand",),
            "hip": ("@upleg", "@thigh", "@upperleg"), "knee": ("@leg", "@lowleg", "@lowerleg"), "ankle": ("@foot",),
            "toe": ("@toebase", "@toe", "end:@foot"),
        },
    ),
}  # fmt: skip
_UNSIDED = ("pelvis", "chest", "neck", "head")


@dataclass(frozen=True, eq=False)
class Body:
    """A skeleton that has been recognised.

    vocabulary: which family of names it uses. landmarks: name to joint index and the point in that joint's
    frame, metres. rot_joint_from_body (J, 4): the body's axes (x left, y up, z forward) in each joint's frame,
    in the upright reference pose; NaN where the rig's zero pose tells nothing. mirror (J,): index of the joint
    on the other side; a joint in the middle is its own.
    """

    vocabulary: str
    landmarks: dict[str, tuple[int, FloatArray]]
    rot_joint_from_body: FloatArray
    mirror: tuple[int, ...]


def plain_name(joint: str) -> str:
    """A joint's name without a namespace, case and punctuation: `mixamorig:Left_Up-Leg` gives `leftupleg`."""
    return re.sub(r"[^a-z0-9]", "", joint.rsplit(":", 1)[-1].lower())


def recognise(skeleton: Skeleton) -> Body:
    """Find the landmarks of a skeleton by its joint names.

    Raises InputError where no known vocabulary gives both hips, knees and ankles.
    """
    index: dict[str, int] = {}
    for j, joint in enumerate(skeleton.joints):
        index.setdefault(plain_name(joint), j)
    found = {name: _landmarks(skeleton, index, words) for name, words in _VOCABULARIES.items()}
    best = max(found, key=lambda name: len(found[name]))
    if not all(leg in found[best] for leg in _LEGS):
        raise InputError(
            f"The skeleton's joint names are not known: {', '.join(skeleton.joints[:12])} ...",
            "Rename the joints, for instance to left_hip, left_knee, left_ankle, left_shoulder, left_elbow.",
        )
    words, landmarks = _VOCABULARIES[best], found[best]
    axes = _axes_of_rest_pose(skeleton, landmarks)
    if axes is None:
        axes = _axes_of_table(skeleton, index, words)
    return Body(best, landmarks, axes, _mirror(skeleton, index, words))


def _landmarks(skeleton: Skeleton, index: dict[str, int], words: _Vocabulary) -> dict[str, tuple[int, FloatArray]]:
    out: dict[str, tuple[int, FloatArray]] = {}
    for part, names in words.names.items():
        for side, token in (("", ""),) if part in _UNSIDED else zip(("left_", "right_"), words.side, strict=True):
            for name in names:
                plain = name.removeprefix("end:").replace("@", token)
                if plain not in index:
                    continue
                j = index[plain]
                tip = skeleton.ends_m.get(skeleton.joints[j])
                if name.startswith("end:") and (tip is None or not np.any(tip)):
                    continue
                point = np.zeros(3) if not name.startswith("end:") or tip is None else np.array(tip)
                out[side + part] = (j, point)
                break
    return out


def _rest_positions(skeleton: Skeleton) -> FloatArray:
    """Joint positions (J, 3) with every rotation zero, the root at the origin; NaN where offsets are unknown."""
    position = np.zeros((len(skeleton.joints), 3))
    for j, parent in enumerate(skeleton.parents):
        if parent >= 0:
            position[j] = position[parent] + skeleton.offsets_m[j]
    return position


def _axes_of_rest_pose(skeleton: Skeleton, landmarks: dict[str, tuple[int, FloatArray]]) -> FloatArray | None:
    """The body's axes, one quaternion for all joints, where the zero pose is an upright body; else None."""
    rest = _rest_positions(skeleton)
    point = {name: rest[j] + offset for name, (j, offset) in landmarks.items()}
    left = normalised(point["left_hip"] - point["right_hip"])
    middle = 0.5 * (point["left_hip"] + point["right_hip"])
    top = next((point[name] for name in ("head", "neck", "chest") if name in point), None)
    if top is None:
        return None
    spine = normalised(top - middle)
    legs = [normalised(point[f"{s}_hip"] - point[f"{s}_ankle"]) for s in SIDES]
    if not all(float(leg @ spine) > 0.7 for leg in legs) or not abs(float(left @ spine)) < 0.2:
        return None
    # Rigs are built along their file's axes; the spine itself leans by some degrees.
    up = np.zeros(3)
    up[np.argmax(np.abs(spine))] = np.sign(spine[np.argmax(np.abs(spine))])
    left = normalised(left - (left @ up) * up)
    return np.tile(from_axes(left, up, np.cross(left, up)), (len(skeleton.joints), 1))


def _axes_of_table(skeleton: Skeleton, index: dict[str, int], words: _Vocabulary) -> FloatArray:
    out = np.full((len(skeleton.joints), 4), np.nan)
    for name, per_side in words.axes.items():
        for token, (left, up) in zip(words.side, per_side, strict=True):
            j = index.get(name.replace("@", token))
            if j is not None:
                x, y = _axis(left), _axis(up)
                out[j] = from_axes(x, y, np.cross(x, y))
    return out


def _axis(name: str) -> FloatArray:
    axis = np.zeros(3)
    axis["xyz".index(name[-1])] = -1.0 if name[0] == "-" else 1.0
    return axis


def _mirror(skeleton: Skeleton, index: dict[str, int], words: _Vocabulary) -> tuple[int, ...]:
    """Index of the joint on the other side, found by exchanging the side's token in the name."""
    out = []
    tokens = (words.side, words.side[::-1])
    for j, joint in enumerate(skeleton.joints):
        plain, partner = plain_name(joint), j
        for old, new in tokens:
            for other in (
                new + plain[len(old) :] if plain.startswith(old) else "",
                plain[: -len(old)] + new if plain.endswith(old) else "",
            ):
                partner = index.get(other, partner) if other != plain else partner
        out.append(partner)
    return tuple(out)
