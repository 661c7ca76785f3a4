"""`Motion` and `Skeleton`: trees, rotations on SO(3), and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind import InputError, Motion, Skeleton

ARM = Skeleton(("root", "elbow", "wrist"), (-1, 0, 1), [[0, 0, 0], [0.3, 0, 0], [0.25, 0, 0]], {"wrist": (0.1, 0, 0)})


def swinging(rate_hz: float = 120.0, seconds: float = 5.0) -> Motion:
    time_s = np.arange(int(rate_hz * seconds)) / rate_hz
    angle = np.stack([0.4 * time_s, np.sin(2 * np.pi * 0.8 * time_s), np.cos(2 * np.pi * 0.5 * time_s)], axis=1)
    quat = Rotation.from_rotvec((angle[..., None] * [0, 0, 1.0]).reshape(-1, 3)).as_quat().reshape(-1, 3, 4)
    return Motion(time_s, ARM, quat, np.stack([time_s, 0 * time_s, 1 + 0 * time_s], axis=1))


def test_joints_turn_as_far_at_another_rate():
    motion = swinging()
    new = motion.resample(np.arange(0.2, 4.8, 1 / 50))
    inside = (new.time_s > 1) & (new.time_s < 4)
    angle = Rotation.from_quat(new.rot_parent_from_joint[inside, 1]).as_rotvec()
    np.testing.assert_allclose(angle[:, 2], np.sin(2 * np.pi * 0.8 * new.time_s[inside]), atol=1e-3)
    np.testing.assert_allclose(angle[:, :2], 0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(new.rot_parent_from_joint, axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(new.root_position_world[inside, 0], new.time_s[inside], atol=1e-6)


def test_frames_that_were_lost_stay_lost():
    motion = swinging()
    points = np.tile(np.arange(9.0).reshape(3, 3), (motion.time_s.size, 1, 1))
    quat, root = motion.rot_parent_from_joint.copy(), motion.root_position_world.copy()
    for array in (points, quat, root):
        array[200:260] = np.nan
    holey = motion.replace(rot_parent_from_joint=quat, root_position_world=root, position_world=points)
    new = holey.resample(np.arange(0, 4.9, 1 / 60))
    gap = (new.time_s > motion.time_s[199] + 1e-6) & (new.time_s < motion.time_s[260] - 1e-6)
    np.testing.assert_array_equal(new.is_missing(), gap)
    assert holey.is_missing().sum() == 60


def test_positions_alone_are_a_motion():
    time_s = np.arange(10) / 30
    motion = Motion(time_s, ARM, position_world=np.ones((10, 3, 3)))
    assert motion.resample(time_s[:-1] + 0.01).rot_parent_from_joint is None
    assert motion.slice_s(0.1, 0.2).position_world.shape[0] == 3


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rot_parent_from_joint": None}, "needs joint rotations"),
        ({"root_position_world": None}, "needs joint rotations"),
        ({"rot_parent_from_joint": np.zeros((600, 2, 4))}, "rot_parent_from_joint has shape"),
        ({"rot_parent_from_joint": np.zeros((600, 3, 4))}, "norm is not 1"),
        ({"root_position_world": np.zeros((600, 2))}, "root_position_world has shape"),
        ({"position_world": np.zeros((600, 2, 3))}, "position_world has shape"),
    ],
)
def test_what_cannot_be_a_motion_is_refused(fields, says):
    with pytest.raises(InputError, match=says) as caught:
        swinging().replace(**fields)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("joints", "parents", "ends", "says"),
    [
        (("a", "a"), (-1, 0), {}, "unique joint names"),
        (("a", "b"), (-1,), {}, "one parent each"),
        (("a", "b"), (1, -1), {}, "before its parent"),
        (("a", "b"), (-1, 1), {}, "before its parent"),
        (("a", "b"), (-1, -2), {}, "before its parent"),
        (("a", "b"), (-1, 0), {"c": (0.0, 0.0, 0.1)}, "an end for a joint"),
    ],
)
def test_what_is_no_tree_is_refused(joints, parents, ends, says):
    with pytest.raises(InputError, match=says):
        Skeleton(joints, parents, np.zeros((2, 3)), ends)


def test_a_joint_is_found_by_name_or_the_names_are_told():
    assert ARM.index("wrist") == 2
    with pytest.raises(InputError, match="no joint 'knee'") as caught:
        ARM.index("knee")
    assert "elbow" in caught.value.fix


def test_a_skeleton_keeps_its_own_copies():
    ends = {"b": (0.0, 0.0, 0.1)}
    joints = ["a", "b"]
    skeleton = Skeleton(joints, [-1, 0], np.zeros((2, 3)), ends)
    ends["a"] = (1.0, 1.0, 1.0)
    joints[0] = "z"
    assert skeleton.ends_m == {"b": (0.0, 0.0, 0.1)}
    assert skeleton.joints == ("a", "b")
    with pytest.raises(ValueError, match="read-only"):
        skeleton.offsets_m[0] = 1.0
