"""Longer motions out of short ones: clips chained with aligned heading and smooth blends; and mirror images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kinebind.body.kinematics import forward
from kinebind.body.quaternions import about_axis, conjugate, multiply, rotate
from kinebind.body.segments import Posture, posture, segment_trajectory
from kinebind.body.skeletons import recognise
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.resample import continuous_quaternions

_GENTLE_M_S2 = 10.0
"""Acceleration of a joint that a blend may always reach: an unhurried gesture."""
_LONGER = 1.3  # factor by which a blend grows until it is gentle
_STENCIL_S = 0.033  # over which accelerations are judged
_LARGEST_SHARE = 0.45  # of a clip that one blend may take
_SAME_BONES_M = 0.01

_X, _, _Z = np.eye(3)


def chain(motions: Sequence[Motion], blend_s: float = 0.3) -> Motion:
    """Clips of one body, one after the other, as one motion that starts at time zero.

    Each clip is turned about the vertical and moved over the ground so that its pelvis goes on where the one
    before was. The end of one and the start of the next overlap and are blended, rotations along geodesics of
    SO(3), by the weight 6u⁵ − 15u⁴ + 10u³, whose first two derivatives vanish at both ends. A blend lasts
    `blend_s`, or longer, up to 0.45 of the shorter clip, until no joint is accelerated more than the clips
    themselves ever do, or than 10 m/s². The rate is the first clip's. Feet may slide during a blend.

    Raises InputError for no clips, clips of different skeletons (bones that differ by more than 1 cm) or of
    different kinds (with and without rotations), clips with missing frames, and a blend that is not positive.
    """
    if not motions or not blend_s > 0.0:
        raise InputError("A chain needs at least one clip and a blend that lasts.", "")
    first = motions[0]
    rate_hz = first.rate_hz
    placed = [posture(_checked(first, first, rate_hz))]
    counts: list[int] = []
    for motion in motions[1:]:
        following = posture(_checked(motion, first, rate_hz))
        count = _blend_count(placed[-1], following, max(2, round(blend_s * rate_hz)), rate_hz)
        placed.append(posture(_aligned(placed[-1], following, count)))
        counts.append(count)
    whole = _welded([p.motion for p in placed], counts, rate_hz)
    ends = np.cumsum([p.motion.time_s.size - n for p, n in zip(placed, counts, strict=False)])
    seams = ", ".join(f"{(end + 0.5 * n) / rate_hz:.2f}" for end, n in zip(ends, counts, strict=True))
    note = f"Chained from {len(motions)} clips, blended about {seams or 'no time'} (seconds)."
    return whole.replace(name="+".join(m.name for m in motions), notes=(note,))


def mirrored(motion: Motion) -> Motion:
    """The motion's mirror image: the world's x reversed, left and right exchanged, on a mirrored skeleton.

    Mirroring twice gives the motion back.
    Raises InputError where the joints' own axes or their partners on the other side are unknown.
    """
    skeleton = motion.skeleton
    body = recognise(skeleton)
    other, axes = np.array(body.mirror), body.rot_joint_from_body
    parents = np.array(skeleton.parents)
    symmetric = all(p < 0 or parents[other[j]] == other[p] for j, p in enumerate(parents))
    if not symmetric or (motion.rot_parent_from_joint is not None and np.isnan(axes).any()):
        raise InputError(f"The skeleton of '{motion.name}' cannot be mirrored: its sides do not match.", "")
    rot = motion.rot_parent_from_joint
    if rot is not None:
        # A reflection on both sides of a rotation keeps it one. In the body's axes x is the lateral axis.
        parent_axes = np.where((parents >= 0)[:, None], axes[parents], np.array([0.0, 0.0, 0.0, 1.0]))
        in_body = multiply(multiply(conjugate(parent_axes), rot), axes) * np.array([1.0, -1.0, -1.0, 1.0])
        rot = multiply(multiply(parent_axes[other], in_body), conjugate(axes[other]))[:, other]
    turned_axes = np.where(np.isnan(axes), np.array([0.0, 0.0, 0.0, 1.0]), axes)

    def reflected(vector: FloatArray, joint: int) -> FloatArray:
        """A vector of a joint's frame in the frame of its partner."""
        seen = rotate(conjugate(turned_axes[joint]), vector) * (-1.0, 1.0, 1.0)
        return rotate(turned_axes[other[joint]], seen)

    offsets = np.stack([reflected(o, max(p, 0)) for o, p in zip(skeleton.offsets_m, parents, strict=True)])[other]
    ends = {}
    for j, joint in enumerate(skeleton.joints):
        if joint in skeleton.ends_m:
            tip = reflected(np.array(skeleton.ends_m[joint]), j)
            ends[skeleton.joints[other[j]]] = (float(tip[0]), float(tip[1]), float(tip[2]))
    flip = np.array([-1.0, 1.0, 1.0])
    root, points = motion.root_position_world, motion.position_world
    return motion.replace(
        skeleton=Skeleton(skeleton.joints, skeleton.parents, offsets, ends),
        rot_parent_from_joint=rot,
        root_position_world=None if root is None else root * flip,
        position_world=None if points is None else points[:, other] * flip,
        notes=(*motion.notes, "Mirrored: left and right are exchanged."),
    )


def _checked(motion: Motion, first: Motion, rate_hz: float) -> Motion:
    """The clip at the chain's rate; raises InputError unless it can follow the chain's first clip."""
    a, b = first.skeleton, motion.skeleton
    differ = np.abs(a.offsets_m[1:] - b.offsets_m[1:]) if a.joints == b.joints else np.array([np.inf])
    if a.parents != b.parents or (differ > _SAME_BONES_M).any():
        raise InputError(f"'{motion.name}' has another skeleton than '{first.name}'.", "Chain clips of one body.")
    if (motion.rot_parent_from_joint is None) != (first.rot_parent_from_joint is None):
        raise InputError(f"Of '{motion.name}' and '{first.name}' only one has joint rotations.", "")
    arrays = (motion.rot_parent_from_joint, motion.root_position_world, motion.position_world)
    if any(array is not None and np.isnan(array).any() for array in arrays):
        raise InputError(f"'{motion.name}' has missing frames.", "Chain pieces without gaps.")
    time_s = motion.time_s[0] + np.arange(int(np.floor(motion.duration_s * rate_hz + 1e-6)) + 1) / rate_hz
    regular = time_s.size == motion.time_s.size and np.allclose(time_s, motion.time_s, atol=1e-6)
    return motion if regular else motion.resample(np.minimum(time_s, motion.time_s[-1]))


def _blend_count(before: Posture, after: Posture, least: int, rate_hz: float) -> int:
    """Samples over which two clips overlap."""
    most = int(_LARGEST_SHARE * min(before.motion.time_s.size, after.motion.time_s.size))
    if most < 2:
        raise InputError(f"'{after.motion.name}' or the clip before it is too short to be blended.", "Leave it out.")
    limit = max(_GENTLE_M_S2, *(_peak_m_s2(p.position_world, rate_hz) for p in (before, after)))
    margin = 2 * _stencil(rate_hz)
    count = min(least, most)
    while count < most:
        end = before.motion.take(np.arange(before.motion.time_s.size) >= before.motion.time_s.size - count - margin)
        aligned = _aligned(before, after, count)
        blended = _welded([end, aligned.take(np.arange(count + margin))], [count], rate_hz)
        if _peak_m_s2(forward(blended)[0], rate_hz) <= limit:
            break
        count = min(int(np.ceil(_LONGER * count)), most)
    return count


def _stencil(rate_hz: float) -> int:
    return max(1, round(_STENCIL_S * rate_hz))


def _peak_m_s2(position_world: FloatArray, rate_hz: float) -> float:
    """Greatest acceleration of any joint (T, J, 3), m/s²; zero where the clip is too short to tell."""
    n = _stencil(rate_hz)
    if position_world.shape[0] <= 2 * n:
        return 0.0
    bend = position_world[2 * n :] - 2.0 * position_world[n:-n] + position_world[: -2 * n]
    return float(np.linalg.norm(bend, axis=-1).max() * (rate_hz / n) ** 2)


def _aligned(before: Posture, after: Posture, count: int) -> Motion:
    """The following clip, turned and moved so that in the middle of the overlap both pelves coincide from above."""
    a, b = before.motion.time_s.size - 1 - count // 2, min(count // 2, after.motion.time_s.size - 1)
    heading = [_heading_rad(p)[i] for p, i in ((before, a), (after, b))]
    turn = about_axis(_Z, np.array(heading[0] - heading[1]))
    shift = before.mid_hip()[a] - rotate(turn, after.mid_hip()[b])
    shift[2] = 0.0
    clip = after.motion
    rot, root, points = clip.rot_parent_from_joint, clip.root_position_world, clip.position_world
    if rot is not None:
        rot = rot.copy()
        rot[:, 0] = multiply(turn, rot[:, 0])
    return clip.replace(
        rot_parent_from_joint=rot,
        root_position_world=None if root is None else rotate(turn, root) + shift,
        position_world=None if points is None else rotate(turn, points) + shift,
    )


def _heading_rad(p: Posture) -> FloatArray:
    """Angle over the ground (T,) of the pelvis's left axis, which stays level when the body bends forwards."""
    left = rotate(segment_trajectory(p, "pelvis").rot_world_from_segment, _X)
    return np.asarray(np.arctan2(left[:, 1], left[:, 0]))


def _welded(clips: Sequence[Motion], counts: Sequence[int], rate_hz: float) -> Motion:
    """Clips that are in place already, joined over `counts` samples."""
    rot = _joined([c.rot_parent_from_joint for c in clips], counts, _turned_between)
    root = _joined([c.root_position_world for c in clips], counts, _between)
    points = None
    if any(c.position_world is not None for c in clips):
        points = _joined([forward(c)[0] for c in clips], counts, _between)
    time_s = np.arange(sum(c.time_s.size for c in clips) - sum(counts)) / rate_hz
    return Motion(time_s, clips[0].skeleton, rot, root, points)


def _joined(
    arrays: Sequence[FloatArray | None],
    counts: Sequence[int],
    blend: Callable[[FloatArray, FloatArray, FloatArray], FloatArray],
) -> FloatArray | None:
    """Arrays (T_i, ...) one after the other, each `counts[i]` last samples blended with the next one's first."""
    known = [array for array in arrays if array is not None]
    if len(known) < len(arrays):
        return None
    pieces, start = [], 0
    for array, following, count in zip(known, known[1:], counts, strict=False):
        u = (np.arange(count) + 1.0) / (count + 1.0)
        weight = np.asarray(u**3 * (10.0 - 15.0 * u + 6.0 * u**2))
        end = array.shape[0] - count
        pieces += [array[start:end], blend(array[end:], following[:count], weight)]
        start = count
    return np.concatenate([*pieces, known[-1][start:]])


def _between(a: FloatArray, b: FloatArray, weight: FloatArray) -> FloatArray:
    """From a to b (N, ...) on straight lines by a weight (N,)."""
    return a + (b - a) * weight.reshape(-1, *([1] * (a.ndim - 1)))


def _turned_between(a: FloatArray, b: FloatArray, weight: FloatArray) -> FloatArray:
    """From rotations a to b (N, J, 4) along geodesics by a weight (N,).

    The way round is chosen once for the whole blend: choosing the shorter one at each sample would flip where
    the two lie half a turn apart.
    """
    delta = continuous_quaternions(multiply(conjugate(a), b))
    delta = delta * np.where(delta[..., 3].sum(axis=0) < 0.0, -1.0, 1.0)[:, None]
    sine = np.linalg.norm(delta[..., :3], axis=-1)
    half = np.arctan2(sine, delta[..., 3]) * weight[:, None]
    # sin(w·h)/sin(h) tends to w for small angles.
    share = np.where(sine > 1e-9, np.sin(half) / np.maximum(sine, 1e-9), weight[:, None])
    return multiply(a, np.concatenate([delta[..., :3] * share[..., None], np.cos(half)[..., None]], axis=-1))
