"""Sites are points that move rigidly with their segment, in the same place on every body."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind import InputError
from kinebind.body.quaternions import about_axis, conjugate, multiply, rotate
from kinebind.body.segments import posture, segment_trajectory
from kinebind.body.sites import site_trajectory
from kinebind.parts import SITES, mirror_site


@pytest.mark.parametrize("site", SITES)
def test_the_offset_is_rigid_in_the_segment(make_moving, site):
    motion = make_moving(seed=1)
    here, there = (site_trajectory(motion, site, np.array(offset)) for offset in ([0, 0, 0], [0.03, -0.1, 0.05]))
    assert np.array_equal(here.rot_world_from_segment, there.rot_world_from_segment)
    lever = rotate(conjugate(here.rot_world_from_segment), there.position_world - here.position_world)
    assert np.allclose(lever, [0.03, -0.1, 0.05], atol=1e-12)


@pytest.mark.parametrize("site", SITES)
def test_turning_and_moving_the_world_turns_and_moves_the_path(make_moving, site):
    motion = make_moving(seed=2, frames=30)
    turn, shift = about_axis(np.array([0.6, 0.0, 0.8]), np.array(1.1)), np.array([3.0, -2.0, 0.7])
    quat = np.array(motion.rot_parent_from_joint)
    quat[:, 0] = multiply(turn, quat[:, 0])
    moved = motion.replace(
        rot_parent_from_joint=quat, root_position_world=rotate(turn, motion.root_position_world) + shift
    )
    a, b = site_trajectory(motion, site), site_trajectory(moved, site)
    assert np.allclose(b.position_world, rotate(turn, a.position_world) + shift, atol=1e-9)
    agree = np.abs((multiply(turn, a.rot_world_from_segment) * b.rot_world_from_segment).sum(-1))
    assert np.allclose(agree, 1.0, atol=1e-9)


@given(st.sampled_from(SITES), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_draws_stay_on_the_patch_and_repeat_with_their_seed(make_standing, site, seed):
    p = posture(make_standing(frames=2))
    usual = site_trajectory(p, site)
    drawn, again = (site_trajectory(p, site, rng=np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(drawn.offset_segment_m, again.offset_segment_m)
    assert 0 < np.linalg.norm(drawn.offset_segment_m - usual.offset_segment_m) < 0.08


def test_sites_sit_where_sensors_are_worn(make_standing):
    """Someone who stands at (0, 0), looks along −y and has the left side along +x."""
    p = posture(make_standing(frames=2))
    at = {site: site_trajectory(p, site).position_world[0] for site in SITES}
    hips, knee, ankle, wrist = (p.point(name)[0] for name in ("left_hip", "left_knee", "left_ankle", "left_wrist"))
    assert at["pelvis"][1] > 0.08  # behind
    assert at["chest"][1] < -0.08  # in front
    assert at["head"][2] > at["chest"][2] > at["pelvis"][2] > hips[2] > at["left_thigh"][2] > knee[2]
    assert knee[2] > at["left_shank"][2] > ankle[2]
    assert 0.02 < np.linalg.norm(at["left_wrist"] - wrist) < 0.05
    assert at["left_wrist"][0] > wrist[0]  # the back of a hanging hand looks outwards
    assert at["left_foot"][1] < ankle[1]  # towards the toes
    for site in SITES:
        if mirror_site(site) != site:
            assert np.allclose(at[site] * [-1, 1, 1], at[mirror_site(site)], atol=1e-9)


def test_both_rigs_carry_the_same_sensors(make_moving, to_other_rig):
    motion = make_moving(seed=4, frames=60)
    for site in SITES:
        a, b = site_trajectory(motion, site), site_trajectory(to_other_rig(motion), site)
        assert np.allclose(a.position_world, b.position_world, atol=1e-9), site


def test_the_origin_without_an_offset_is_the_segments(make_moving):
    motion = make_moving(frames=4)
    path = site_trajectory(motion, "left_shank", np.zeros(3))
    assert np.array_equal(path.position_world, segment_trajectory(posture(motion), "left_shank").origin_world)


def test_a_path_can_be_cut_in_seconds(make_moving):
    path = site_trajectory(make_moving(), "left_wrist").slice_s(1.0, 2.0)
    assert path.time_s[0] >= 1.0
    assert path.time_s[-1] < 2.0
    assert path.position_world.shape == (path.time_s.size, 3)


def test_what_cannot_be_is_refused(make_standing):
    motion = make_standing(frames=2)
    with pytest.raises(InputError, match="not a sensor site"):
        site_trajectory(motion, "left_tail")
    with pytest.raises(InputError, match="shape"):
        site_trajectory(motion, "left_wrist", np.zeros(2))
