"""A body's motion as thirteen turning segments, a root and a handful of lengths: small, and the same for every rig.

Whatever the skeleton, `segment_motion` gives the rotations of `kinebind.body.segments.SEGMENTS` and the middle of the
hips; `joints_world` puts the joints back:

    hip = root ± hip_half_width·x_pelvis        knee = hip − thigh·y_thigh          ankle = knee − shank·y_shank
    toe = ankle + foot·z_foot                   neck = root + lower_trunk·y_pelvis + upper_trunk·y_chest
    head = neck + neck_to_ears·y_head           shoulder = neck ± shoulder_half_width·x_chest + shoulder_rise·y_chest
    elbow = shoulder − upper_arm·y_upper_arm    wrist = elbow − forearm·y_forearm         (+ is the left side)

Legs come back to millimetres and limbs have their lengths. What is lost is the collar bones' play, of some
centimetres, and the spine's bend between pelvis and chest. Imports nothing heavier than scipy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kinebind._stream import frozen, frozen_quaternions
from kinebind.body.quaternions import conjugate, multiply, rotate
from kinebind.body.segments import SEGMENTS, Posture, posture, segment_trajectory
from kinebind.body.skeletons import SIDES
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.resample import runs_of, whole_rows

JOINTS: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_toe", "right_toe",
    "neck", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
"""Joints of `joints_world`; pelvis is the middle of the hips, head the middle between the ears."""

_STEADY = 0.01
"""Share of its usual step by which a step may differ in a motion whose frames count as evenly spaced."""

# Stand-ins for what a skeleton lacks, over stature. The ears as in `kinebind.body.segments`; from ankle to the base
# of the toes as in CMU's skeletons.
_EARS_ABOVE_NECK = 0.11
_FOOT = 0.08

_USUAL_LOWER_TRUNK = 0.5
"""Share of the way from hips to neck along the pelvis' axis, where a motion does not bend enough to tell."""
_BEND = 0.001
"""Mean squared sine between pelvis and chest that tells as much as what is usual."""
_SMALLEST_TRUNK = 0.1
"""Share of that way that either part has at least."""

_X, _Y, _Z = np.eye(3)


@dataclass(frozen=True)
class BodyShape:
    """The lengths from which joints are put back, metres; left and right share theirs. See the module's text.

    shoulder_rise may be negative: shoulders below the base of the neck.
    """

    hip_half_width: float
    thigh: float
    shank: float
    foot: float
    lower_trunk: float
    upper_trunk: float
    shoulder_half_width: float
    shoulder_rise: float
    upper_arm: float
    forearm: float
    neck_to_ears: float

    def __post_init__(self) -> None:
        for name in SHAPE_NAMES:
            value = getattr(self, name)
            if not np.isfinite(value) or not abs(value) < 10.0 or (value <= 0.0 and name != "shoulder_rise"):
                raise InputError(f"A body's {name} of {value:g} m cannot be.", "Check the skeleton's lengths.")

    def as_array(self) -> FloatArray:
        """The lengths (K,) in the order of `SHAPE_NAMES`."""
        return np.array([getattr(self, name) for name in SHAPE_NAMES], dtype=np.float64)

    @classmethod
    def from_array(cls, values: npt.ArrayLike) -> BodyShape:
        """Lengths (K,) in the order of `SHAPE_NAMES`; raises InputError for another shape, or for no lengths."""
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (len(SHAPE_NAMES),):
            raise InputError(
                f"A body's shape is {len(SHAPE_NAMES)} lengths, not {array.shape}.", f"Give {', '.join(SHAPE_NAMES)}."
            )
        return cls(*(float(value) for value in array))


SHAPE_NAMES: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(BodyShape))
"""The lengths of `BodyShape` in the order of its array."""


@dataclass(frozen=True, eq=False)
class SegmentMotion:
    """A body's segments in time, evenly spaced; frame k is at k / rate_hz seconds.

    rot_world_from_segment (T, 13, 4): unit quaternions, scalar last, in the order of `SEGMENTS`; root_world (T, 3):
    the middle of the hips, metres, z up. Missing is NaN. notes: what was assumed.
    Raises InputError for other shapes, for quaternions of another norm and for a rate that is not positive.
    """

    rate_hz: float
    rot_world_from_segment: FloatArray
    root_world: FloatArray
    shape: BodyShape
    name: str = "motion"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not 0.0 < self.rate_hz < np.inf:
            raise InputError(f"A rate of {self.rate_hz} frames/s cannot be.", "Give a positive rate_hz.")
        frames, put = len(self.root_world), object.__setattr__
        quat = frozen_quaternions(self.rot_world_from_segment, (frames, len(SEGMENTS), 4), "rot_world_from_segment")
        put(self, "rot_world_from_segment", quat)
        put(self, "root_world", frozen(self.root_world, (frames, 3), "root_world"))
        put(self, "notes", tuple(self.notes))

    @property
    def time_s(self) -> FloatArray:
        """Time of each frame (T,), seconds from the first."""
        return np.arange(len(self.root_world)) / self.rate_hz

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the last."""
        return max(len(self.root_world) - 1, 0) / self.rate_hz

    def between(self, start_s: float, end_s: float) -> SegmentMotion:
        """Its frames from start_s to end_s, seconds from the first; there may be none."""
        inside = (self.time_s >= start_s - 1e-9) & (self.time_s <= end_s + 1e-9)
        return dataclasses.replace(
            self, rot_world_from_segment=self.rot_world_from_segment[inside], root_world=self.root_world[inside]
        )

    def whole_runs(self, shortest_s: float = 0.0) -> Iterator[SegmentMotion]:
        """Its unbroken stretches, of which nothing is missing, that last `shortest_s` or longer."""
        whole = whole_rows(self.rot_world_from_segment) & whole_rows(self.root_world)
        for first, stop in runs_of(whole):
            if (stop - first - 1) / self.rate_hz >= shortest_s:
                yield dataclasses.replace(
                    self, rot_world_from_segment=self.rot_world_from_segment[first:stop],
                    root_world=self.root_world[first:stop],
                )  # fmt: skip


def segment_motion(motion: Motion) -> SegmentMotion:
    """A motion's segments, and its body's shape by the medians over its frames.

    Frames that are not evenly spaced are resampled at their median rate. Where the skeleton has no toes the foot
    turns with the shank; where it has no head the head turns with the neck's joint, or else with the chest; notes say
    so. Raises InputError where the joint names are unknown, and where legs, shoulders or arms are missing.
    """
    even, rate_hz = _evenly_spaced(motion)
    p = posture(even)
    notes = list(even.notes)
    rot: dict[str, FloatArray] = {}
    for segment in SEGMENTS:
        if segment.endswith("_foot") and not p.has(f"{segment.removesuffix('_foot')}_toe"):
            notes.append(f"There are no toes: the {segment.replace('_', ' ')} turns with the shank.")
        elif segment == "head" and not p.has("head"):
            notes.append("There is no head: it turns with the base of the neck.")
        else:
            rot[segment] = segment_trajectory(p, segment).rot_world_from_segment
    for side in SIDES:
        rot.setdefault(f"{side}_foot", rot[f"{side}_shank"])
    if "head" not in rot:
        rot["head"] = _turned_with_neck(p, rot["chest"])
    shape = _shape(p, rot)
    return SegmentMotion(
        rate_hz, np.stack([rot[name] for name in SEGMENTS], axis=1), p.mid_hip(), shape, motion.name,
        tuple(notes),
    )  # fmt: skip


def joints_world(rot_world_from_segment: FloatArray, root_world: FloatArray, shape: BodyShape) -> FloatArray:
    """Positions (T, 17, 3) of `JOINTS` in the world, metres, by the module's formulas.

    rot_world_from_segment (T, 13, 4) in the order of `SEGMENTS`, root_world (T, 3). NaN where a segment is.
    """
    rot = {name: rot_world_from_segment[..., k, :] for k, name in enumerate(SEGMENTS)}
    at: dict[str, FloatArray] = {"pelvis": np.asarray(root_world, dtype=np.float64)}
    trunk = shape.lower_trunk * rotate(rot["pelvis"], _Y) + shape.upper_trunk * rotate(rot["chest"], _Y)
    at["neck"] = root_world + trunk
    at["head"] = at["neck"] + shape.neck_to_ears * rotate(rot["head"], _Y)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at[f"{side}_hip"] = root_world + sign * shape.hip_half_width * rotate(rot["pelvis"], _X)
        at[f"{side}_knee"] = at[f"{side}_hip"] - shape.thigh * rotate(rot[f"{side}_thigh"], _Y)
        at[f"{side}_ankle"] = at[f"{side}_knee"] - shape.shank * rotate(rot[f"{side}_shank"], _Y)
        at[f"{side}_toe"] = at[f"{side}_ankle"] + shape.foot * rotate(rot[f"{side}_foot"], _Z)
        shoulder = np.array([sign * shape.shoulder_half_width, shape.shoulder_rise, 0.0])
        at[f"{side}_shoulder"] = at["neck"] + rotate(rot["chest"], shoulder)
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] - shape.upper_arm * rotate(rot[f"{side}_upper_arm"], _Y)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] - shape.forearm * rotate(rot[f"{side}_forearm"], _Y)
    return np.stack([at[name] for name in JOINTS], axis=-2)


def _evenly_spaced(motion: Motion) -> tuple[Motion, float]:
    """The motion on evenly spaced frames, and how many a second."""
    time_s = motion.time_s
    step = np.diff(time_s)
    usual = float(np.median(step))
    if (np.abs(step - usual) <= _STEADY * usual).all():
        return motion, step.size / motion.duration_s
    count = int(motion.duration_s / usual + 1e-6) + 1
    # The last one must not lie beyond the end by a rounding error.
    even = motion.resample(np.minimum(time_s[0] + usual * np.arange(count), time_s[-1]))
    note = f"Frames were unevenly spaced: resampled at {1.0 / usual:.4g} Hz."
    return even.replace(notes=(*even.notes, note)), 1.0 / usual


def _turned_with_neck(p: Posture, chest: FloatArray) -> FloatArray:
    """rot_world_from_segment (T, 4) of a head that the skeleton lacks."""
    joint, _ = p.body.landmarks["neck"]
    rot_joint_from_body = p.body.rot_joint_from_body[joint]
    if not p.has_rotations or np.isnan(rot_joint_from_body).any():
        return chest
    return multiply(p.rot_world_from_joint[:, joint], rot_joint_from_body)


def _shape(p: Posture, rot: dict[str, FloatArray]) -> BodyShape:
    neck, chest = p.point("neck"), rot["chest"]
    lengths = {
        name: float(np.mean([segment_trajectory(p, f"{side}_{name}").length_m for side in SIDES]))
        for name in ("thigh", "shank", "upper_arm", "forearm")
    }
    feet = [segment_trajectory(p, f"{side}_foot").length_m for side in SIDES if p.has(f"{side}_toe")]
    lower, upper = _trunk(neck - p.mid_hip(), rot["pelvis"], chest)
    shoulders = np.stack([rotate(conjugate(chest), p.point(f"{side}_shoulder") - neck) for side in SIDES])
    wide, rise = _medians(shoulders[0, :, 0]), _medians(shoulders[..., 1].mean(axis=0))
    ears = _EARS_ABOVE_NECK * p.stature_m
    if p.has("head"):
        above = segment_trajectory(p, "head").origin_world - neck
        ears = _medians(rotate(conjugate(rot["head"]), above)[:, 1])
    return BodyShape(
        hip_half_width=0.5 * segment_trajectory(p, "pelvis").length_m,
        foot=float(np.mean(feet)) if feet else _FOOT * p.stature_m,
        lower_trunk=lower,
        upper_trunk=upper,
        shoulder_half_width=0.5 * (wide - _medians(shoulders[1, :, 0])),
        shoulder_rise=rise,
        neck_to_ears=ears,
        **lengths,
    )


def _medians(values: FloatArray) -> float:
    """The median of values (T,), missing ones left out; NaN where all are missing."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _trunk(neck_from_hips: FloatArray, rot_pelvis: FloatArray, rot_chest: FloatArray) -> tuple[float, float]:
    """How far the neck lies along the pelvis' and how far along the chest's y, metres.

    neck_from_hips (T, 3) in the world. Least squares of |neck − a·y_pelvis − b·y_chest − c·z_pelvis|; c is how far the
    neck stands before or behind the hips, which a shape does not hold, but which would pass for bending. Someone
    upright tells the sum of a and b alone, so that they are drawn to what is usual by as much as a little bending
    would tell.
    """
    axes = np.stack([rotate(rot_pelvis, _Y), rotate(rot_chest, _Y), rotate(rot_pelvis, _Z)])  # (3, T, 3)
    known = whole_rows(neck_from_hips) & np.isfinite(axes).all(axis=(0, 2))
    if not known.any():
        return float("nan"), float("nan")
    neck, axes = neck_from_hips[known], axes[:, known]
    whole = float(np.median(np.linalg.norm(neck, axis=1)))
    usual = whole * np.array([_USUAL_LOWER_TRUNK, 1.0 - _USUAL_LOWER_TRUNK, 0.0])
    weight = np.diag([_BEND, _BEND, 1e-6])
    normal = np.einsum("iud,jud->ij", axes, axes) / len(neck) + weight
    seen = np.einsum("iud,ud->i", axes, neck) / len(neck) + weight @ usual
    lower, upper, _ = np.clip(np.linalg.solve(normal, seen), _SMALLEST_TRUNK * whole, None)
    return float(lower), float(upper)
