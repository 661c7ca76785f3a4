"""A made-up person who waves, reaches, squats, steps and turns: motion for those who have no motion capture at hand.

Joint angles are smooth curves drawn at random. Nobody moves quite like this; it serves demonstrations and tests,
never a figure in a benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind.body.kinematics import forward
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton

# Name, parent and place in the parent's frame at a stature of 1.72 m, metres: x to the body's left, z up; the
# person stands upright with hanging arms and faces −y.
_TREE = (
    ("pelvis", "", (0.0, 0.0, 0.0)), ("spine", "pelvis", (0.0, 0.0, 0.12)), ("chest", "spine", (0.0, 0.0, 0.16)),
    ("neck", "chest", (0.0, 0.0, 0.23)), ("head", "neck", (0.0, -0.01, 0.09)),
    ("left_shoulder", "chest", (0.18, 0.0, 0.19)), ("left_elbow", "left_shoulder", (0.0, 0.0, -0.29)),
    ("left_wrist", "left_elbow", (0.0, 0.0, -0.26)),
    ("right_shoulder", "chest", (-0.18, 0.0, 0.19)), ("right_elbow", "right_shoulder", (0.0, 0.0, -0.29)),
    ("right_wrist", "right_elbow", (0.0, 0.0, -0.26)),
    ("left_hip", "pelvis", (0.09, 0.0, -0.05)), ("left_knee", "left_hip", (0.0, 0.0, -0.42)),
    ("left_ankle", "left_knee", (0.0, 0.0, -0.41)), ("left_toe", "left_ankle", (0.0, -0.15, -0.06)),
    ("right_hip", "pelvis", (-0.09, 0.0, -0.05)), ("right_knee", "right_hip", (0.0, 0.0, -0.42)),
    ("right_ankle", "right_knee", (0.0, 0.0, -0.41)), ("right_toe", "right_ankle", (0.0, -0.15, -0.06)),
)  # fmt: skip
_JOINTS = tuple(name for name, _, _ in _TREE)
_STATURE_M = 1.72
_SOLE_M = 0.08  # of the ankle above the floor
_SWAY_RAD = 0.03

_Angles = dict[str, FloatArray]
"""Joint to rotation vector (T, 3), radians."""


def made_up_motion(
    duration_s: float, rng: np.random.Generator, *, rate_hz: float = 100.0, stature_m: float = 1.75
) -> Motion:
    """Joint rotations and root position of a person who does gestures in random order, on the spot.

    Raises InputError for a duration or a rate that is too short or too low to move in.
    """
    if not (duration_s >= 1.0 and rate_hz >= 20.0):
        raise InputError(f"A motion of {duration_s:g} s at {rate_hz:g} Hz cannot be made up.", "At least 1 s, 20 Hz.")
    time_s = np.arange(int(duration_s * rate_hz) + 1) / rate_hz
    angles = {joint: _sway(time_s, rng) for joint in _JOINTS}
    for joint in ("pelvis", "left_toe", "right_toe"):
        angles[joint][:] = 0.0
    for side in ("left", "right"):
        _one_after_the_other(time_s, rng, partial(_arm, angles, side, rng), pause_s=1.0)
    _one_after_the_other(time_s, rng, partial(_legs, angles, rng), pause_s=1.5)
    heading = rng.uniform(-0.3, 0.3) + np.zeros(time_s.size)
    _one_after_the_other(time_s, rng, partial(_turn, heading, rng), pause_s=4.0)
    angles["pelvis"][:, 2] += heading

    scale = stature_m / _STATURE_M
    parents = tuple(_JOINTS.index(parent) if parent else -1 for _, parent, _ in _TREE)
    offsets = scale * np.array([offset for _, _, offset in _TREE])
    vectors = np.stack([angles[joint] for joint in _JOINTS], axis=1)
    quat = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_quat().reshape(*vectors.shape[:2], 4)
    root = 0.12 * _sway(time_s, rng, slowest_hz=0.05) / _SWAY_RAD
    root[:, 2] = 0.0
    motion = Motion(
        time_s, Skeleton(_JOINTS, parents, offsets), rot_parent_from_joint=quat, root_position_world=root,
        name="made-up", notes=("A made-up motion, of no real person.",),
    )  # fmt: skip
    root[:, 2] = scale * _SOLE_M - _lowest_foot(motion)
    return motion.replace(root_position_world=root)


def _lowest_foot(motion: Motion) -> FloatArray:
    """Height (T,) of the ankle that stands, with a smooth change from one to the other, metres."""
    position, _ = forward(motion)
    both = np.stack([position[:, _JOINTS.index(f"{side}_ankle"), 2] for side in ("left", "right")])
    soft_m = 0.01
    low = both.min(axis=0)
    return np.asarray(low - soft_m * np.log(np.exp((low - both) / soft_m).sum(axis=0) / 2.0))


def _sway(time_s: FloatArray, rng: np.random.Generator, slowest_hz: float = 0.1) -> FloatArray:
    """Small unrest (T, 3) of four slow sines, RMS `_SWAY_RAD` in each axis, radians."""
    hz, phase = rng.uniform(slowest_hz, 6.0 * slowest_hz, (4, 3)), rng.uniform(0.0, 2.0 * np.pi, (4, 3))
    return np.asarray(_SWAY_RAD * np.sqrt(0.5) * np.sin(2.0 * np.pi * hz * time_s[:, None, None] + phase).sum(axis=1))


def _one_after_the_other(
    time_s: FloatArray, rng: np.random.Generator, add: Callable[[FloatArray, FloatArray], None], *, pause_s: float
) -> None:
    """Fill the time with gestures: `add(u, envelope)` gets the share (T,) of the gesture that is over and its weight.

    Lengths and pauses are random, so that nothing repeats.
    """
    at = float(rng.uniform(0.2, 1.0))
    while at < time_s[-1] - 0.8:
        length_s = float(rng.uniform(1.0, 3.2))
        u = np.clip((time_s - at) / length_s, 0.0, 1.0)
        edge = min(0.5, 0.6 / length_s)
        add(u, _smooth(u / edge) * _smooth((1.0 - u) / edge))
        at += length_s + float(rng.uniform(0.0, pause_s))


def _smooth(u: FloatArray) -> FloatArray:
    """6u⁵ − 15u⁴ + 10u³ between 0 and 1: the path of least jerk."""
    v = np.clip(u, 0.0, 1.0)
    return np.asarray(v**3 * (v * (6.0 * v - 15.0) + 10.0))


def _beats(u: FloatArray, count: float, rng: np.random.Generator) -> FloatArray:
    """About `count` swings (T,) from −1 to 1 that slow down or speed up."""
    uneven = u + rng.uniform(-0.12, 0.12) * np.sin(np.pi * u) ** 2
    return np.asarray(np.sin(2.0 * np.pi * count * uneven + rng.uniform(0.0, 2.0 * np.pi)))


def _arm(angles: _Angles, side: str, rng: np.random.Generator, u: FloatArray, envelope: FloatArray) -> None:
    """A wave, a reach forward, or an arm raised to the side."""
    out = -1.0 if side == "left" else 1.0  # the sign that lifts this arm sideways
    shoulder, elbow = angles[f"{side}_shoulder"], angles[f"{side}_elbow"]
    big = rng.uniform(0.7, 1.1)
    match rng.integers(3):
        case 0:
            shoulder[:, 1] += out * 1.6 * big * envelope
            elbow[:, 0] -= 1.1 * big * envelope
            shoulder[:, 0] += 0.5 * envelope * _beats(u, rng.uniform(1.5, 5.0), rng)
            elbow[:, 1] += 0.6 * envelope * _beats(u, rng.uniform(1.5, 5.0), rng)
        case 1:
            shoulder[:, 0] -= 1.5 * big * envelope
            elbow[:, 0] -= 0.9 * envelope * _smooth(2.0 * (1.0 - u))
            shoulder[:, 2] += 0.5 * envelope * _beats(u, rng.uniform(0.5, 2.0), rng)
        case _:
            shoulder[:, 1] += out * 1.3 * big * envelope
            shoulder[:, 0] += 0.4 * envelope * _beats(u, rng.uniform(0.5, 3.0), rng)
            elbow[:, 0] -= 0.5 * big * envelope * (1.0 + _beats(u, rng.uniform(0.5, 2.0), rng))


def _legs(angles: _Angles, rng: np.random.Generator, u: FloatArray, envelope: FloatArray) -> None:
    """A squat, some steps on the spot, a kick, or a bow."""
    big = rng.uniform(0.7, 1.1)
    match rng.integers(4):
        case 0:
            for side in ("left", "right"):
                angles[f"{side}_hip"][:, 0] -= 0.9 * big * envelope
                angles[f"{side}_knee"][:, 0] += 1.5 * big * envelope
                angles[f"{side}_ankle"][:, 0] -= 0.6 * big * envelope
            angles["spine"][:, 0] += 0.4 * big * envelope
        case 1:
            beat = _beats(u, rng.uniform(1.0, 2.8), rng)
            for side, sign in (("left", 1.0), ("right", -1.0)):
                lifted = envelope * np.maximum(sign * beat, 0.0) ** 2
                angles[f"{side}_hip"][:, 0] -= 0.9 * big * lifted
                angles[f"{side}_knee"][:, 0] += 1.2 * big * lifted
            angles["chest"][:, 2] += 0.2 * envelope * beat
        case 2:
            side = "left" if rng.integers(2) else "right"
            angles[f"{side}_hip"][:, 0] -= 0.9 * big * envelope * _beats(u, rng.uniform(0.5, 1.5), rng)
            angles[f"{side}_knee"][:, 0] += 0.5 * big * envelope
        case _:
            angles["spine"][:, 0] += 0.5 * big * envelope
            angles["chest"][:, 0] += 0.3 * big * envelope
            angles["neck"][:, 2] += 0.5 * envelope * _beats(u, rng.uniform(0.5, 2.0), rng)


def _turn(heading: FloatArray, rng: np.random.Generator, u: FloatArray, _envelope: FloatArray) -> None:
    """The whole body turned, never further than half-way from the camera's first view."""
    now = float(heading[int(np.argmax(u > 0.0))]) if (u > 0.0).any() else 0.0
    heading += (rng.uniform(-0.8, 0.8) - now) * _smooth(1.5 * u)
