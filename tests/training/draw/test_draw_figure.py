"""Bodies put together in batches are those put together one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind.body.keypoints import coco17_world
from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import JOINTS, joints_world, segment_motion
from kinebind.body.segments import posture
from kinebind.body.sites import site_trajectory
from kinebind.parts import COCO17, SITES
from kinebind.training.draw import figure
from kinebind.training.draw.turns import matrices


@pytest.fixture(scope="module")
def person():
    motion = made_up_motion(3.0, np.random.default_rng(5), rate_hz=60)
    return motion, segment_motion(motion)


def as_batch(segments):
    rot = torch.tensor(segments.rot_world_from_segment)[None]
    return rot, torch.tensor(segments.root_world)[None], torch.tensor(segments.shape.as_array())[None]


def test_joints_are_those_of_the_plain_way(person):
    _, segments = person
    rot, root, shape = as_batch(segments)
    placed = figure.joints(matrices(rot), root, shape)
    slow = joints_world(segments.rot_world_from_segment, segments.root_world, segments.shape)
    for name, joint in placed.items():
        own = {"ears": "head"}.get(name, name)
        np.testing.assert_allclose(joint[0].numpy(), slow[:, JOINTS.index(own)], atol=1e-9, err_msg=name)


def test_keypoints_lie_where_the_skeleton_has_them(person):
    motion, segments = person
    rot, root, shape = as_batch(segments)
    p = posture(motion)
    placed = figure.joints(matrices(rot), root, shape)
    offset = torch.zeros(1, 17, 3, dtype=rot.dtype)
    points = figure.keypoints(placed, matrices(rot), torch.tensor([p.stature_m]), offset)[0].numpy()
    error = np.linalg.norm(points - coco17_world(motion), axis=-1).max(axis=0)
    legs = [k for k, name in enumerate(COCO17) if name.split("_")[-1] in ("hip", "knee", "ankle")]
    assert error[legs].max() < 0.005
    assert error.max() < 0.06  # collar bones and the spine's bend are not in a body of thirteen segments


def test_an_offset_moves_its_own_keypoint_in_its_segment(person):
    _, segments = person
    rot, root, shape = as_batch(segments)
    axes = matrices(rot)
    placed = figure.joints(axes, root, shape)
    stature = torch.tensor([1.7], dtype=rot.dtype)
    offset = torch.zeros(1, 17, 3, dtype=rot.dtype)
    before = figure.keypoints(placed, axes, stature, offset)
    k = COCO17.index("left_wrist")
    offset[0, k] = torch.tensor([0.01, 0.02, -0.03])
    moved = figure.keypoints(placed, axes, stature, offset) - before
    np.testing.assert_allclose(moved[0, :, k].norm(dim=-1), np.sqrt(0.0014), atol=1e-9)
    moved[:, :, k] = 0.0
    assert moved.abs().max() == 0.0


def test_sensors_sit_on_the_patch_of_their_site(person, generator):
    motion, segments = person
    rot, root, shape = as_batch(segments)
    placed = figure.joints(matrices(rot), root, shape)
    p = posture(motion)
    site = torch.arange(len(SITES))[None]
    draws = [figure.site_paths(placed, rot, shape, site, generator) for _ in range(8)]
    for s, name in enumerate(SITES):
        usual = site_trajectory(p, name)
        apart = [np.linalg.norm(at[0, s].numpy() - usual.position_world, axis=-1).max() for at, _ in draws]
        assert max(apart) < 0.12, name  # the patch, and what the segments leave out
        assert max(apart) > 0.003, name
        turned = np.abs((draws[0][1][0, s].numpy() * usual.rot_world_from_segment).sum(axis=-1))
        np.testing.assert_allclose(turned, 1.0, atol=1e-6, err_msg=name)


def test_random_shapes_are_grown_ups(generator):
    shape, stature = figure.random_shapes(500, generator, torch.device("cpu"))
    assert 1.4 < stature.min() < stature.max() < 2.0
    legs = shape[:, :3][:, [1, 2]].sum(dim=1)
    assert ((legs / stature - 0.491).abs() < 0.09).all()
