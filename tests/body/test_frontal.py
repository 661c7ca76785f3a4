"""A motion seen from the front: left is at the right of the image, up is up, everything is in it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind.body.frontal import seen_from_front
from kinebind.body.made_up import made_up_motion
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.parts import COCO17


@pytest.fixture(scope="module")
def motion():
    return made_up_motion(12.0, np.random.default_rng(2))


def turned(motion, degrees):
    """The motion with the whole world turned about the vertical."""
    turn = Rotation.from_euler("z", degrees, degrees=True)
    rot = motion.rot_parent_from_joint.copy()
    rot[:, 0] = (turn * Rotation.from_quat(rot[:, 0])).as_quat()
    return motion.replace(rot_parent_from_joint=rot, root_position_world=turn.apply(motion.root_position_world.copy()))


def test_the_person_faces_the_camera(motion):
    poses = seen_from_front(motion)
    at = {name: np.median(poses.keypoints_px[:, k], axis=0) for k, name in enumerate(COCO17)}
    assert at["left_shoulder"][0] > at["right_shoulder"][0] + 20
    assert at["nose"][1] < at["left_hip"][1] < at["left_ankle"][1]
    np.testing.assert_array_equal(poses.time_s, motion.time_s)
    assert any("virtual camera" in note for note in poses.notes)


def test_all_of_the_movement_is_inside_the_image(motion):
    poses = seen_from_front(motion)
    assert np.isfinite(poses.keypoints_px).all()
    assert poses.keypoints_px.min() >= 0
    assert poses.keypoints_px.max() <= min(poses.image_size_px)
    assert np.ptp(poses.keypoints_px[..., 1]) > 0.4 * poses.image_size_px[1]


@pytest.mark.parametrize("degrees", [35.0, 90.0, 180.0, -100.0])
def test_turning_the_world_turns_nothing_in_the_image(motion, degrees):
    np.testing.assert_allclose(
        seen_from_front(turned(motion, degrees)).keypoints_px, seen_from_front(motion).keypoints_px, atol=1e-6
    )


def test_somebody_who_turns_right_round_is_seen_all_the_same(motion):
    time_s = motion.time_s
    spin = Rotation.from_rotvec(np.outer(2 * np.pi * time_s / time_s[-1], [0, 0, 1]))
    rot = motion.rot_parent_from_joint.copy()
    rot[:, 0] = (spin * Rotation.from_quat(rot[:, 0])).as_quat()
    assert np.isfinite(seen_from_front(motion.replace(rot_parent_from_joint=rot)).keypoints_px).all()


def test_a_motion_of_which_nothing_is_known():
    names = ("pelvis", *(f"{s}_{p}" for s in ("left", "right") for p in ("hip", "knee", "ankle")))
    skeleton = Skeleton(names, (-1, 0, 1, 2, 0, 4, 5), np.full((7, 3), np.nan))
    motion = Motion(np.arange(5) / 10, skeleton, position_world=np.full((5, 7, 3), np.nan))
    with pytest.raises(InputError, match="No keypoint"):
        seen_from_front(motion)
