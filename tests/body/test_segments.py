"""Segments have one set of axes on every rig, and turn as bodies do."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind import InputError, Motion
from kinebind.body.quaternions import conjugate, multiply, rotate
from kinebind.body.segments import LIMBS, SEGMENTS, posture, segment_trajectory

_LEFT_UP_FORWARD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""The body's axes in the world of `standing`, which looks along −y."""


def _angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(2 * np.arccos(np.clip(np.abs((a * b).sum(-1)), 0, 1)))


def _points_alone(motion: Motion) -> Motion:
    return Motion(motion.time_s, motion.skeleton, position_world=posture(motion).position_world)


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("seen", ["rotations", "other rig", "positions"])
def test_someone_upright_has_left_up_forward_in_every_segment(make_standing, to_other_rig, segment, seen):
    motion = make_standing(frames=3)
    motion = {"rotations": motion, "other rig": to_other_rig(motion), "positions": _points_alone(motion)}[seen]
    rot = segment_trajectory(posture(motion), segment).rot_world_from_segment
    axes = np.stack([rotate(rot[0], axis) for axis in np.eye(3)])
    lean = np.degrees(np.arccos(np.clip((axes * _LEFT_UP_FORWARD).sum(-1), -1, 1)))
    # A foot's z slopes from the ankle down to the toes, and the made-up spine and neck lean a little.
    assert lean.max() < (30 if segment.endswith("foot") else 12)
    assert lean[0] < 1.0


@pytest.mark.parametrize("segment", SEGMENTS)
def test_two_rigs_of_one_motion_agree(make_moving, to_other_rig, segment):
    motion = make_moving(seed=3)
    a, b = (segment_trajectory(posture(m), segment) for m in (motion, to_other_rig(motion)))
    assert np.allclose(a.origin_world, b.origin_world, atol=1e-9)
    assert _angle_deg(a.rot_world_from_segment, b.rot_world_from_segment).max() < 1e-4


@pytest.mark.parametrize("segment", LIMBS)
def test_a_limb_points_along_its_frame(make_moving, segment):
    for motion in (make_moving(seed=5), _points_alone(make_moving(seed=5))):
        p = posture(motion)
        path = segment_trajectory(p, segment)
        bone = p.point(LIMBS[segment][1]) - p.point(LIMBS[segment][0])
        along = rotate(conjugate(path.rot_world_from_segment), bone)
        axis = [0, 0, path.length_m] if segment.endswith("foot") else [0, -path.length_m, 0]
        assert np.allclose(along, axis, atol=1e-9)


@pytest.mark.parametrize("segment", ["left_thigh", "right_shank", "left_foot", "pelvis"])
def test_positions_give_the_rotation_of_legs_that_do_not_twist(make_standing, segment):
    motion = make_standing(frames=120)
    quat, t = np.array(motion.rot_parent_from_joint), motion.time_s
    for joint, deg in (("left_hip", -40), ("left_knee", 60), ("right_hip", -30), ("right_knee", 80)):
        turn = Rotation.from_euler("x", (deg * (0.5 - 0.5 * np.cos(5 * t)))[:, None], degrees=True).as_quat()
        quat[:, motion.skeleton.index(joint)] = turn
    bent = motion.replace(rot_parent_from_joint=quat)
    true = segment_trajectory(posture(bent), segment).rot_world_from_segment
    seen = segment_trajectory(posture(_points_alone(bent)), segment).rot_world_from_segment
    # The made-up spine leans by some degrees, which is all that positions know of the pelvis's tilt.
    between = multiply(conjugate(true), seen)
    assert _angle_deg(between, between[:1]).max() < 1e-4
    assert _angle_deg(true, seen).max() < 12


@pytest.mark.parametrize("segment", LIMBS)
def test_frames_from_positions_never_jump(make_moving, segment):
    motion = _points_alone(make_moving(seed=8, frames=600, rate_hz=60.0, radians=1.0))
    rot = segment_trajectory(posture(motion), segment).rot_world_from_segment
    rate_deg_s = _angle_deg(rot[1:], rot[:-1]) * 60.0
    assert rate_deg_s.max() < 1500


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_arms_seen_by_positions_alone_can_reach_all_round(make_standing, side, sign):
    """Raised sideways, forwards and overhead, the frame follows the arm without a jump."""
    motion = make_standing(frames=300, hanging=False)
    quat = np.array(motion.rot_parent_from_joint)
    turn = np.linspace(sign * np.pi / 2, -sign * np.pi / 2, 300)
    quat[:, motion.skeleton.index(f"{side}_shoulder")] = Rotation.from_euler("z", turn[:, None]).as_quat()
    path = _points_alone(motion.replace(rot_parent_from_joint=quat))
    for segment in ("upper_arm", "forearm"):
        rot = segment_trajectory(posture(path), f"{side}_{segment}").rot_world_from_segment
        assert np.isfinite(rot).all()
        assert _angle_deg(rot[1:], rot[:-1]).max() < 4 * 180 / 299


def test_the_forearm_turns_with_most_of_the_hands_pronation(make_standing):
    motion = make_standing(frames=100)
    quat = np.array(motion.rot_parent_from_joint)
    turn = np.linspace(0, np.deg2rad(80), 100)
    quat[:, motion.skeleton.index("left_wrist")] = Rotation.from_euler("x", turn[:, None]).as_quat()
    still = segment_trajectory(posture(motion), "left_forearm").rot_world_from_segment
    turned = segment_trajectory(posture(motion.replace(rot_parent_from_joint=quat)), "left_forearm")
    assert np.isclose(_angle_deg(still, turned.rot_world_from_segment)[-1], 0.9 * 80, atol=1e-6)
    assert np.allclose(_angle_deg(turned.rot_world_from_segment, still), np.degrees(0.9 * turn), atol=1e-4)


def test_bending_the_hand_does_not_turn_the_forearm(make_standing):
    motion = make_standing(frames=50)
    quat = np.array(motion.rot_parent_from_joint)
    bend = Rotation.from_euler("z", np.linspace(0, 1.2, 50)[:, None]).as_quat()
    quat[:, motion.skeleton.index("left_wrist")] = bend
    turned = segment_trajectory(posture(motion.replace(rot_parent_from_joint=quat)), "left_forearm")
    still = segment_trajectory(posture(motion), "left_forearm")
    assert _angle_deg(still.rot_world_from_segment, turned.rot_world_from_segment).max() < 1e-4


def test_stature_is_that_of_the_made_up_body(make_standing):
    for motion in (make_standing(), _points_alone(make_standing())):
        assert 1.5 < posture(motion).stature_m < 1.85


def test_a_segment_that_is_not_there_is_named(make_standing):
    motion = _points_alone(make_standing(frames=3))
    keep = [
        j for j, name in enumerate(motion.skeleton.joints) if any(w in name for w in ("pelvis", "hip", "knee", "ankle"))
    ]
    skeleton = type(motion.skeleton)(
        tuple(motion.skeleton.joints[j] for j in keep),
        tuple(keep.index(motion.skeleton.parents[j]) if j else -1 for j in keep),
        np.full((len(keep), 3), np.nan),
    )
    legs = posture(motion.replace(skeleton=skeleton, position_world=motion.position_world[:, keep]))
    with pytest.raises(InputError, match="no left forearm") as caught:
        segment_trajectory(legs, "left_forearm")
    assert "left_thigh" in caught.value.fix


@pytest.mark.parametrize("lost", [slice(2, 5), slice(None)])
def test_frames_that_are_missing_stay_missing(make_moving, lost):
    motion = make_moving(frames=12)
    quat = np.array(motion.rot_parent_from_joint)
    quat[lost] = np.nan
    p = posture(motion.replace(rot_parent_from_joint=quat))
    known = np.isfinite(quat).all(axis=(1, 2))
    for segment in SEGMENTS:
        path = segment_trajectory(p, segment)
        assert np.array_equal(np.isfinite(path.rot_world_from_segment).all(axis=1), known), segment
