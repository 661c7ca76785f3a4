"""COCO-17 in 3D."""

import numpy as np

from kinebind import Motion
from kinebind.body.keypoints import coco17_world
from kinebind.body.kinematics import forward
from kinebind.parts import COCO17, COCO17_MIRROR

_AT = {name: k for k, name in enumerate(COCO17)}


def test_joints_are_joint_centres(make_moving):
    motion = make_moving(frames=20)
    points, joints = coco17_world(motion), forward(motion)[0]
    for name in COCO17[5:]:
        assert np.array_equal(points[:, _AT[name]], joints[:, motion.skeleton.index(name)])


def test_the_face_looks_forward(make_standing):
    """Looking along −y, the left side along +x."""
    points = coco17_world(make_standing(frames=2))[0]
    nose, left_eye, left_ear, left_shoulder = (
        points[_AT[n]] for n in ("nose", "left_eye", "left_ear", "left_shoulder")
    )
    assert nose[1] < left_eye[1] < left_ear[1]
    assert left_ear[0] > left_eye[0] > nose[0]
    assert left_eye[2] > left_ear[2] > nose[2] > left_shoulder[2]
    assert np.allclose(points[COCO17_MIRROR] * [-1, 1, 1], points, atol=1e-9)
    head_width = np.linalg.norm(points[_AT["left_ear"]] - points[_AT["right_ear"]])
    assert 0.12 < head_width < 0.16


def test_the_face_is_rigid(make_moving):
    points = coco17_world(make_moving(seed=6))[:, :5]
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    assert np.ptp(distance, axis=0).max() < 1e-9


def test_positions_alone_do_not_tell_where_the_head_looks(make_moving):
    motion = make_moving(frames=10)
    alone = Motion(motion.time_s, motion.skeleton, position_world=forward(motion)[0])
    points = coco17_world(alone)
    assert np.isnan(points[:, :5]).all()
    assert np.array_equal(points[:, 5:], coco17_world(motion)[:, 5:])


def test_both_rigs_look_the_same(make_moving, to_other_rig):
    motion = make_moving(seed=7, frames=30)
    assert np.allclose(coco17_world(motion), coco17_world(to_other_rig(motion)), atol=1e-9)
