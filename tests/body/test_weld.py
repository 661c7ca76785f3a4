"""Chained and mirrored motions."""

import numpy as np
import pytest

from kinebind import InputError, Motion
from kinebind.body.keypoints import coco17_world
from kinebind.body.kinematics import forward
from kinebind.body.quaternions import conjugate, multiply, rotate
from kinebind.body.segments import SEGMENTS, posture, segment_trajectory
from kinebind.body.weld import chain, mirrored
from kinebind.parts import COCO17_MIRROR


def _peak_m_s2(motion: Motion) -> float:
    """Greatest acceleration of a joint, over the 33 ms stencil."""
    position, n = forward(motion)[0], round(motion.rate_hz / 30)
    bend = position[2 * n :] - 2 * position[n:-n] + position[: -2 * n]
    return float(np.linalg.norm(bend, axis=-1).max() * (motion.rate_hz / n) ** 2)


def test_a_chain_is_as_long_as_its_clips_less_the_overlaps(make_moving):
    clips = [make_moving(seed=s, radians=0.2) for s in range(4)]
    whole = chain(clips)
    longest, shortest = sum(c.duration_s for c in clips) - 3 * 0.3, sum(c.duration_s for c in clips) - 3 * 1.8
    assert shortest < whole.duration_s < longest + 0.1
    assert np.allclose(np.diff(whole.time_s), 1 / 60)
    assert whole.time_s[0] == 0.0


@pytest.mark.parametrize("seeds", [(0, 1, 2), (10, 11), (20, 21, 22, 23)])
def test_seams_are_no_rougher_than_the_clips(make_moving, seeds):
    clips = [make_moving(seed=s, radians=0.8) for s in seeds]
    own = max(_peak_m_s2(clip) for clip in clips)
    assert _peak_m_s2(chain(clips)) < max(1.25 * own, 12.0)


def test_a_sudden_join_would_be_rougher_by_far(make_moving):
    """The test above can fail: the same clips put end to end without a blend."""
    clips = [make_moving(seed=s, radians=0.8) for s in (0, 1)]
    a, b = clips
    joined = a.replace(
        time_s=np.arange(a.time_s.size + b.time_s.size) / 60.0,
        rot_parent_from_joint=np.concatenate([a.rot_parent_from_joint, b.rot_parent_from_joint]),
        root_position_world=np.concatenate([a.root_position_world, b.root_position_world]),
    )
    assert _peak_m_s2(joined) > 5 * max(_peak_m_s2(clip) for clip in clips)


def test_bones_keep_their_length_through_a_blend(make_moving):
    whole = chain([make_moving(seed=s) for s in (1, 2)])
    position = forward(whole)[0]
    parents = np.array(whole.skeleton.parents[1:])
    length = np.linalg.norm(position[:, 1:] - position[:, parents], axis=-1)
    assert np.ptp(length, axis=0).max() < 1e-9


def test_the_pelvis_goes_on_where_and_as_it_was(make_moving):
    whole = posture(chain([make_moving(seed=s) for s in (3, 4, 5)]))
    step = np.linalg.norm(np.diff(whole.mid_hip(), axis=0), axis=1) * 60.0
    left = rotate(segment_trajectory(whole, "pelvis").rot_world_from_segment, np.array([1.0, 0.0, 0.0]))
    turn_deg_s = np.degrees(np.arccos(np.clip((left[1:] * left[:-1]).sum(1), -1, 1))) * 60.0
    assert step.max() < 3.0
    assert turn_deg_s.max() < 300.0


def test_clips_are_turned_about_the_vertical_alone(make_moving):
    """What gravity does in a clip must not change: the first clip's start and the last one's end keep their tilt."""
    clips = [make_moving(seed=s) for s in (6, 7)]
    whole = chain(clips)
    for clip, at in ((clips[0], 0), (clips[1], -1)):
        up = np.array([0.0, 0.0, 1.0])
        a, b = (rotate(conjugate(m.rot_parent_from_joint[at, 0]), up) for m in (clip, whole))
        assert np.allclose(a, b, atol=1e-9)
        assert np.isclose(clip.root_position_world[at, 2], whole.root_position_world[at, 2])


def test_one_clip_stays_itself(make_moving):
    clip = make_moving(frames=50)
    whole = chain([clip])
    assert np.array_equal(whole.rot_parent_from_joint, clip.rot_parent_from_joint)
    assert np.array_equal(whole.root_position_world, clip.root_position_world)


def test_clips_of_another_rate_are_brought_to_the_firsts(make_moving):
    whole = chain([make_moving(seed=1, rate_hz=60.0), make_moving(seed=2, frames=480, rate_hz=120.0)])
    assert np.isclose(whole.rate_hz, 60.0)
    assert 6.0 < whole.duration_s < 7.8


def test_positions_alone_can_be_chained(make_moving):
    clips = [make_moving(seed=s) for s in (1, 2)]
    alone = [Motion(c.time_s, c.skeleton, position_world=forward(c)[0]) for c in clips]
    whole = chain(alone)
    assert whole.rot_parent_from_joint is None
    assert np.isfinite(whole.position_world).all()
    assert np.linalg.norm(np.diff(whole.position_world, axis=0), axis=-1).max() * 60 < 8.0


def test_what_cannot_be_chained_is_refused(make_moving, to_other_rig):
    clip = make_moving(frames=60)
    quat = np.array(clip.rot_parent_from_joint)
    quat[5] = np.nan
    alone = Motion(clip.time_s, clip.skeleton, position_world=forward(clip)[0])
    for wrong, words in (
        ([], "at least one"), ([clip, to_other_rig(clip)], "another skeleton"), ([clip, alone], "only one"),
        ([clip, clip.replace(rot_parent_from_joint=quat)], "missing"), ([clip, clip.slice_s(0.0, 0.05)], "too short"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            chain(wrong)


@pytest.mark.parametrize("rig", ["first", "other"])
def test_a_mirror_image_shows_the_other_side(make_moving, to_other_rig, rig):
    motion = make_moving(seed=9, frames=40)
    motion = motion if rig == "first" else to_other_rig(motion)
    image = mirrored(motion)
    assert image.skeleton.joints == motion.skeleton.joints
    assert np.allclose(coco17_world(image)[:, COCO17_MIRROR] * [-1, 1, 1], coco17_world(motion), atol=1e-9)
    a, b = posture(motion), posture(image)
    point = np.array([0.05, -0.2, 0.1])
    for segment in SEGMENTS:
        other = _other(segment) if "_" in segment else segment
        here, there = segment_trajectory(a, segment), segment_trajectory(b, other)
        seen = here.origin_world + rotate(here.rot_world_from_segment, point)
        image_of = there.origin_world + rotate(there.rot_world_from_segment, point * [-1, 1, 1])
        assert np.allclose(seen * [-1, 1, 1], image_of, atol=1e-9), segment


def _other(segment: str) -> str:
    side, part = segment.split("_", 1)
    return f"{'right' if side == 'left' else 'left'}_{part}"


@pytest.mark.parametrize("rig", ["first", "other"])
def test_mirroring_twice_changes_nothing(make_moving, to_other_rig, rig):
    motion = make_moving(seed=9, frames=20)
    motion = motion if rig == "first" else to_other_rig(motion)
    again = mirrored(mirrored(motion))
    assert np.allclose(again.skeleton.offsets_m, motion.skeleton.offsets_m, atol=1e-12)
    turn = multiply(conjugate(motion.rot_parent_from_joint), again.rot_parent_from_joint)
    assert np.allclose(np.abs(turn[..., 3]), 1.0, atol=1e-12)
    assert np.allclose(again.root_position_world, motion.root_position_world)
