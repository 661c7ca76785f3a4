"""Segments give the joints back: legs to millimetres, limbs with their lengths, arms but for the collar bones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import JOINTS, SHAPE_NAMES, BodyShape, SegmentMotion, joints_world, segment_motion
from kinebind.body.segments import SEGMENTS, posture, segment_trajectory
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton

SHAPE = BodyShape(0.09, 0.42, 0.41, 0.13, 0.2, 0.25, 0.18, -0.02, 0.28, 0.25, 0.16)
BONES = {
    "thigh": ("hip", "knee"), "shank": ("knee", "ankle"), "foot": ("ankle", "toe"), "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}  # fmt: skip
ARMS = ("shoulder", "elbow", "wrist")


def without(motion: Motion, *lost: str) -> Motion:
    """The motion of a skeleton that lacks some leaf joints."""
    keep = [j for j, name in enumerate(motion.skeleton.joints) if not name.endswith(lost)]
    joints, parents = motion.skeleton.joints, motion.skeleton.parents
    skeleton = Skeleton(
        tuple(joints[j] for j in keep), tuple(keep.index(parents[j]) if parents[j] >= 0 else -1 for j in keep),
        motion.skeleton.offsets_m[keep],
    )  # fmt: skip
    return motion.replace(skeleton=skeleton, rot_parent_from_joint=motion.rot_parent_from_joint[:, keep])


def rebuilt(motion: Motion) -> dict[str, np.ndarray]:
    """Joint to its positions (T, 3) as its segments say."""
    s = segment_motion(motion)
    return dict(zip(JOINTS, joints_world(s.rot_world_from_segment, s.root_world, s.shape).swapaxes(0, 1), strict=True))


@pytest.fixture(scope="module")
def person():
    return made_up_motion(20.0, np.random.default_rng(4))


def test_there_are_thirteen_segments():
    assert len(SEGMENTS) == 13
    assert len(JOINTS) == 17


def test_the_joints_of_a_person_come_back(person):
    p, at = posture(person), rebuilt(person)
    error_m = {n: np.linalg.norm(at[n] - p.point(n), axis=1) for n in JOINTS if n not in ("pelvis", "head")}
    assert np.allclose(at["pelvis"], p.mid_hip(), atol=1e-12)
    for side in ("left", "right"):
        for name in ("hip", "knee", "ankle", "toe"):
            assert error_m[f"{side}_{name}"].max() < 1e-6, name
        for name in ARMS:  # no collar bones play in a made-up person, but its spine bends in two places
            assert error_m[f"{side}_{name}"].max() < 0.03, name
    assert error_m["neck"].max() < 0.03
    head = segment_trajectory(p, "head").origin_world
    assert np.linalg.norm(at["head"] - head, axis=1).max() < 0.045


def test_the_trunk_is_parted_where_it_bends(person):
    """The made-up spine turns 0.17 m and 0.33 m above the hips, of 0.56 m to the neck."""
    shape = segment_motion(person).shape
    p = posture(person)
    whole = np.median(np.linalg.norm(p.point("neck") - p.mid_hip(), axis=1))
    assert shape.lower_trunk + shape.upper_trunk == pytest.approx(whole, rel=0.03)
    assert 0.3 < shape.lower_trunk / whole < 0.7


def test_lengths_are_exact(make_moving):
    at, shape = rebuilt(make_moving(seed=2)), segment_motion(make_moving(seed=2)).shape
    for side in ("left", "right"):
        for bone, (near, far) in BONES.items():
            length = np.linalg.norm(at[f"{side}_{far}"] - at[f"{side}_{near}"], axis=1)
            assert np.allclose(length, getattr(shape, bone), atol=1e-12), bone
    assert (shape.thigh, shape.shank, shape.upper_arm, shape.forearm, shape.hip_half_width) == pytest.approx(
        (0.42, 0.41, 0.28, 0.25, 0.09), abs=1e-9
    )
    assert shape.foot == pytest.approx(np.hypot(0.06, 0.13), abs=1e-9)
    # The collar bones of this body carry its shoulders 0.18 m out and 4 cm below the base of its neck.
    assert shape.shoulder_half_width == pytest.approx(0.18, abs=0.01)
    assert shape.shoulder_rise == pytest.approx(-0.04, abs=0.01)


def test_every_rig_gives_the_same_segments(make_moving, to_other_rig):
    a, b = (segment_motion(m) for m in (make_moving(seed=6), to_other_rig(make_moving(seed=6))))
    assert np.allclose(a.shape.as_array(), b.shape.as_array(), atol=1e-9)
    assert np.allclose(a.root_world, b.root_world, atol=1e-9)
    same = np.abs((a.rot_world_from_segment * b.rot_world_from_segment).sum(-1))
    assert same.min() > 1 - 1e-9


@given(seed=st.integers(0, 10_000), heading=st.floats(-3.0, 3.0), x=st.floats(-50.0, 50.0))
def test_a_turned_and_moved_body_has_turned_and_moved_joints(seed, heading, x):
    rng = np.random.default_rng(seed)
    rot = Rotation.random(2 * len(SEGMENTS), random_state=rng)
    root = rng.normal(size=(2, 3))
    turn = Rotation.from_euler("z", heading)
    before = joints_world(rot.as_quat().reshape(2, len(SEGMENTS), 4), root, SHAPE)
    moved = (turn * rot).as_quat().reshape(2, len(SEGMENTS), 4)
    after = joints_world(moved, turn.apply(root) + [x, 0, 0], SHAPE)
    assert np.allclose(after.reshape(-1, 3), turn.apply(before.reshape(-1, 3)) + [x, 0, 0], atol=1e-9)
    far = np.linalg.norm(before - before[:, :1], axis=-1).max()
    assert far < SHAPE.lower_trunk + SHAPE.upper_trunk + SHAPE.thigh + SHAPE.shank + SHAPE.foot + 0.1


def test_someone_upright_is_as_tall_as_the_lengths_say():
    rot = np.tile(Rotation.from_euler("x", 90, degrees=True).as_quat(), (1, len(SEGMENTS), 1))
    at = dict(zip(JOINTS, joints_world(rot, np.array([[0.0, 0.0, 1.0]]), SHAPE)[0], strict=True))
    assert np.allclose(at["left_ankle"], [0.09, 0, 1 - 0.83])
    assert np.allclose(at["right_ankle"], [-0.09, 0, 1 - 0.83])
    assert np.allclose(at["left_toe"] - at["left_ankle"], [0, -0.13, 0])
    assert np.allclose(at["head"], [0, 0, 1 + 0.45 + 0.16])
    assert np.allclose(at["right_wrist"], [-0.18, 0, 1 + 0.45 - 0.02 - 0.53])


def test_a_shape_is_an_array_and_back():
    values = SHAPE.as_array()
    assert values.shape == (len(SHAPE_NAMES),) == (11,)
    assert BodyShape.from_array(values) == SHAPE
    assert SHAPE_NAMES[0] == "hip_half_width"
    with pytest.raises(InputError, match="11 lengths"):
        BodyShape.from_array(values[:-1])
    with pytest.raises(InputError, match=r"thigh of -0\.42 m"):
        BodyShape.from_array(values * np.where(np.array(SHAPE_NAMES) == "thigh", -1, 1))
    with pytest.raises(InputError, match="forearm of nan"):
        BodyShape.from_array(np.where(np.array(SHAPE_NAMES) == "forearm", np.nan, values))


def test_what_a_skeleton_lacks_is_stood_in_for_and_told(person):
    whole, lacking = segment_motion(person), segment_motion(without(person, "toe", "head"))
    assert any("no toes" in note for note in lacking.notes)
    assert any("no head" in note for note in lacking.notes)
    at = {name: k for k, name in enumerate(SEGMENTS)}
    rot = lacking.rot_world_from_segment
    assert np.array_equal(rot[:, at["left_foot"]], rot[:, at["left_shank"]])
    chest = rot[:, at["chest"]]
    neck = np.abs((rot[:, at["head"]] * chest).sum(-1))
    assert neck.min() < 0.999 < neck.max()  # it turns with the neck's joint, not with the chest
    assert lacking.shape.foot == pytest.approx(0.14, abs=0.01)
    assert lacking.shape.neck_to_ears == pytest.approx(whole.shape.neck_to_ears, abs=0.06)
    others = [at[name] for name in SEGMENTS if not name.endswith("foot") and name != "head"]
    assert np.allclose(rot[:, others], whole.rot_world_from_segment[:, others])


def test_positions_alone_are_enough(person):
    p = posture(person)
    seen = Motion(person.time_s, person.skeleton, position_world=p.position_world)
    at = rebuilt(seen)
    for side in ("left", "right"):
        assert np.linalg.norm(at[f"{side}_ankle"] - p.point(f"{side}_ankle"), axis=1).max() < 0.002


def test_without_arms_or_shoulders_it_is_refused(person):
    with pytest.raises(InputError, match="no left forearm"):
        segment_motion(without(person, "wrist"))
    with pytest.raises(InputError, match="no chest"):
        segment_motion(without(person, "wrist", "elbow", "shoulder"))


def test_uneven_frames_become_even(person):
    keep = np.ones(person.time_s.size, dtype=bool)
    keep[200:203] = False
    even = segment_motion(person.take(keep))
    assert even.rate_hz == pytest.approx(100.0)
    assert len(even.root_world) == person.time_s.size
    assert any("unevenly" in note for note in even.notes)
    whole = segment_motion(person)
    known = np.isfinite(even.root_world).all(axis=1)
    assert known.mean() > 0.99
    assert np.abs(even.root_world - whole.root_world)[known].max() < 1e-3


def test_a_gap_parts_a_motion(person):
    quat = np.array(person.rot_parent_from_joint)
    quat[500:900, 3] = np.nan
    runs = list(segment_motion(person.replace(rot_parent_from_joint=quat)).whole_runs(1.0))
    assert [len(run.root_world) for run in runs] == [500, person.time_s.size - 900]
    assert all(np.isfinite(run.rot_world_from_segment).all() for run in runs)
    assert list(segment_motion(person).whole_runs(21.0)) == []


def test_a_motion_of_segments_checks_its_arrays():
    rot = np.tile([0.0, 0.0, 0.0, 1.0], (5, 13, 1))
    motion = SegmentMotion(50.0, rot, np.zeros((5, 3)), SHAPE)
    assert motion.duration_s == pytest.approx(0.08)
    assert motion.time_s[-1] == pytest.approx(0.08)
    for wrong in (
        (0.0, rot, np.zeros((5, 3))),
        (50.0, rot[:, :12], np.zeros((5, 3))),
        (50.0, 2 * rot, np.zeros((5, 3))),
    ):
        with pytest.raises(InputError):
            SegmentMotion(*wrong, SHAPE)
