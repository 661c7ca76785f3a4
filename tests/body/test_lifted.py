"""Joints seen by a camera as motion: what goes in comes back, gaps stay gaps, and what is no body is left out."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind.bench.video_lifted import SITES, imu_r
from kinebind.body.camera import look_at, project
from kinebind.body.keypoints import coco17_world
from kinebind.body.lifted import BRIDGED_S, LIMB_JOINTS, SMOOTHED_HZ, lift, motion_from_joints
from kinebind.body.lifted_gates import SEEN_SHARE, passed
from kinebind.body.made_up import made_up_motion
from kinebind.body.quaternions import rotate
from kinebind.body.segment_motion import segment_motion
from kinebind.body.segments import posture
from kinebind.errors import InputError
from kinebind.parts import COCO17

RATE_HZ = 30.0
NOSE, WRIST, KNEE = COCO17.index("nose"), COCO17.index("left_wrist"), COCO17.index("left_knee")


@pytest.fixture(scope="module")
def true():
    return made_up_motion(12.0, np.random.default_rng(3), rate_hz=100.0)


@pytest.fixture(scope="module")
def joints(true):
    """Times (T,) and joints (T, 17, 3) of the made-up person in the world, as a video would have them."""
    video = true.resample(np.arange(0.0, 11.9, 1.0 / RATE_HZ))
    return video.time_s, coco17_world(video)


def as_seen(points, elevation_m=1.0):
    """world_m and keypoints_px of a camera to the person's left, and the camera."""
    camera = look_at(np.array([3.0, -4.0, elevation_m]), np.array([0.0, 0.0, 1.0]))
    own = rotate(camera.rot_camera_from_world, points - camera.position_world)
    return own - own[:, 11:13].mean(axis=1, keepdims=True), project(points, camera), camera


def bones(motion, at_s):
    """Unit vectors (U, 4, 3) of the left limbs."""
    p = posture(motion.resample(at_s))
    pairs = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
    vectors = np.stack([p.point(f"left_{b}") - p.point(f"left_{a}") for a, b in pairs], axis=1)
    return vectors / np.linalg.norm(vectors, axis=2, keepdims=True)


def angles_deg(a, b):
    return np.rad2deg(np.arccos(np.clip((a * b).sum(axis=-1), -1.0, 1.0)))


def test_limbs_point_where_they_pointed_and_the_world_stands_upright(true, joints):
    time_s, points = joints
    world_m, pixels, camera = as_seen(points)
    rng = np.random.default_rng(0)
    lifted = lift(time_s, world_m + rng.normal(0, 0.005, world_m.shape), keypoints_px=pixels)
    at_s = np.arange(0.5, 11.0, 0.1)
    # The lifted world's x is the picture's right: it is turned about the vertical alone.
    right = rotate(np.array([*-camera.rot_camera_from_world[:3], camera.rot_camera_from_world[3]]), np.eye(3)[0])
    there = bones(true, at_s)
    heading = np.stack([there @ right, there @ np.cross([0.0, 0.0, 1.0], right), there[..., 2]], axis=-1)
    off = angles_deg(bones(lifted, at_s), heading)
    assert np.median(off) < 1.5
    assert np.percentile(off, 95) < 8.0


def test_a_camera_that_looks_down_is_told_and_turned_back(joints):
    time_s, points = joints
    world_m, _, _ = as_seen(points, elevation_m=3.5)
    tilt_deg = np.rad2deg(np.arctan2(2.5, 5.0))
    up = [posture(lift(time_s, world_m, tilt_deg=deg)) for deg in (0.0, tilt_deg)]
    heights = [p.point("neck")[:, 2] - p.mid_hip()[:, 2] for p in up]
    true_m = points[:, 5:7, 2].mean(axis=1) - points[:, 11:13, 2].mean(axis=1)
    inner = slice(15, -15)
    assert np.abs(heights[1] - true_m)[inner].max() < 0.01
    assert np.abs(heights[0] - true_m)[inner].mean() > 0.03
    leaning = points[:, 5:7].mean(axis=1) - points[:, 11:13].mean(axis=1)
    away = (up[1].point("neck") - up[1].mid_hip())[:, 1]
    assert np.abs(away - leaning @ [-0.6, 0.8, 0.0])[inner].max() < 0.01


def test_the_hips_move_as_in_the_picture(joints):
    time_s, points = joints
    # Someone who also goes to and fro across the picture, 1.2 m, and up and down, 0.4 m.
    across = np.array([4.0, 3.0, 0.0]) / 5.0  # at right angles to where the camera looks
    went = 0.6 * np.sin(2 * np.pi * 0.2 * time_s)[:, None] * across
    went[:, 2] = 0.2 * np.sin(2 * np.pi * 0.5 * time_s)
    world_m, pixels, _ = as_seen(points + went[:, None])
    moved = posture(lift(time_s, world_m, keypoints_px=pixels)).mid_hip()
    truly = points[:, 11:13].mean(axis=1) + went
    for ours, theirs in ((moved[:, 0], truly @ across), (moved[:, 2], truly[:, 2])):
        assert np.abs(ours - ours.mean() - theirs + theirs.mean()).max() < 0.03
    assert np.ptp(moved[:, 1]) < 1e-9
    still = posture(lift(time_s, world_m)).mid_hip()
    assert np.abs(still).max() < 1e-9


def test_sensors_that_are_simulated_from_it_feel_what_those_on_the_body_do(true, joints):
    time_s, points = joints
    world_m, pixels, _ = as_seen(points)
    clean = imu_r(lift(time_s, world_m, keypoints_px=pixels), true)
    assert set(clean) == {f"{site}_{kind}" for site in SITES for kind in ("acc", "gyr")} | {"mean"}
    assert clean["mean"] > 0.85
    rng = np.random.default_rng(1)
    lifted = lift(
        time_s, world_m + rng.normal(0, 0.005, world_m.shape),
        keypoints_px=pixels + rng.normal(0, 1.0, pixels.shape),
    )  # fmt: skip
    noisy = imu_r(lifted, true)
    assert min(noisy[f"{side}_wrist_{kind}"] for side in ("left", "right") for kind in ("acc", "gyr")) > 0.95
    assert min(noisy["chest_gyr"], noisy["left_thigh_gyr"], noisy["right_upper_arm_acc"]) > 0.75
    # Another person's sensors, or the same ones at another time, do not fit.
    other = made_up_motion(12.0, np.random.default_rng(4), rate_hz=100.0)
    assert imu_r(lifted, other)["mean"] < 0.3
    assert imu_r(lifted.replace(time_s=lifted.time_s + 1.0), true)["mean"] < 0.3


def test_comparing_needs_a_common_second(true, joints):
    with pytest.raises(InputError, match="less than 1 s"):
        imu_r(motion_from_joints(*joints).replace(time_s=joints[0] + 11.5), true)
    with pytest.raises(InputError, match="less than 1 s"):
        imu_r(motion_from_joints(*joints).replace(time_s=joints[0] + 100.0), true)


def test_joints_in_the_world_give_the_motion_of_that_world(true, joints):
    time_s, points = joints
    motion = motion_from_joints(time_s, points, "walk")
    off = motion.position_world[:, motion.skeleton.index("left_wrist")] - points[:, WRIST]
    assert np.linalg.norm(off, axis=1)[5:-5].mean() < 0.01
    assert imu_r(motion, true)["mean"] > 0.9
    # The same turned and moved in the world feels the same.
    turned = np.stack([-points[..., 1], points[..., 0], points[..., 2] + 1.0], axis=-1)
    assert imu_r(motion_from_joints(time_s, turned), motion)["mean"] > 0.9999


@pytest.mark.parametrize("rate_hz", [25.0, 120.0])
def test_what_is_smoothed_is_told_in_hertz_not_in_frames(rate_hz):
    time_s = np.arange(0.0, 6.0, 1.0 / rate_hz)
    points = np.tile(np.linspace([0.2, 0.0, 0.0], [-0.2, 0.1, 1.7], 17), (time_s.size, 1, 1))
    for hz, left in ((1.0, 1.0), (SMOOTHED_HZ, np.sqrt(0.5)), (2 * SMOOTHED_HZ, 0.07)):
        wave = np.array(points)
        wave[:, WRIST, 0] += 0.1 * np.sin(2 * np.pi * hz * time_s)
        out = motion_from_joints(time_s, wave)
        x = out.position_world[:, out.skeleton.index("left_wrist"), 0][time_s.size // 4 : -time_s.size // 4]
        assert np.std(x) / (0.1 * np.sqrt(0.5)) == pytest.approx(left, abs=0.08)


def test_a_short_gap_is_bridged_and_a_longer_one_cuts(joints):
    time_s, points = joints
    short, long = np.array(points), np.array(points)
    frames = int(BRIDGED_S * RATE_HZ)
    short[100 : 100 + frames, WRIST] = np.nan
    long[100 : 100 + frames + 2, WRIST] = np.nan
    assert not motion_from_joints(time_s, short).is_missing().any()
    missing = motion_from_joints(time_s, long).is_missing()
    assert missing[101:105].all()
    assert np.count_nonzero(missing) == frames + 2
    assert [run.root_world.shape[0] for run in segment_motion(motion_from_joints(time_s, long)).whole_runs()] == [
        100, time_s.size - 100 - frames - 2,
    ]  # fmt: skip
    # Absent frames are the same as missing joints.
    kept = np.r_[0:100, 100 + frames + 2 : time_s.size]
    assert np.count_nonzero(motion_from_joints(time_s[kept], points[kept]).is_missing()) == frames + 2


def test_what_was_not_seen_is_not_taken_from_the_guess_save_the_head(joints):
    time_s, points = joints
    world_m, pixels, _ = as_seen(points)
    pixels[:, :5] = np.nan
    pixels[200:230, KNEE] = np.nan
    motion = lift(time_s, world_m, keypoints_px=pixels)
    assert motion.skeleton.joints[-1] == "head"
    assert motion.is_missing()[200:230].all()
    world_m[:, :5] = np.nan
    assert "head" not in lift(time_s, world_m).skeleton.joints


def test_wrong_shapes_and_nobody_are_refused(joints):
    time_s, points = joints
    with pytest.raises(InputError, match="must be"):
        motion_from_joints(time_s, points[:, :16])
    with pytest.raises(InputError, match="world_m"):
        lift(time_s, points[1:])
    with pytest.raises(InputError, match="keypoints_px"):
        lift(time_s, points, keypoints_px=points)
    points = np.array(points)
    points[:, WRIST] = np.nan
    with pytest.raises(InputError, match="all twelve"):
        motion_from_joints(time_s, points)


def gated(time_s, points, seen=None):
    motion = motion_from_joints(time_s, points)
    return passed(motion, time_s, np.ones(time_s.size, dtype=bool) if seen is None else seen)


def test_a_body_that_moves_as_bodies_do_passes_whole(joints):
    motion, left_out = gated(*joints)
    assert left_out == ()
    assert not motion.is_missing().any()


def test_a_jump_goes_with_a_little_around_it(joints):
    time_s, points = joints
    points = np.array(points)
    points[150:158, WRIST] += [0.0, 0.6, 0.0]
    motion, left_out = gated(time_s, points)
    assert {one.reason for one in left_out} == {"too sudden"}
    assert left_out[0].value > 100.0
    missing = motion.is_missing()
    assert missing[149:159].all()
    assert not missing[:135].any()
    assert not missing[173:].any()


def test_what_is_faster_than_anybody_goes(joints):
    time_s, points = joints
    flies = points + (20.0 * time_s)[:, None, None] * np.array([1.0, 0.0, 0.0])
    motion, left_out = gated(time_s, flies)
    assert motion.is_missing().all()
    assert [one.reason for one in left_out] == ["too fast"]
    assert (left_out[0].start_s, left_out[0].end_s) == (0.0, pytest.approx(time_s[-1]))


@pytest.mark.parametrize(("reason", "factor"), [("no human", 1.6), ("no human", 0.4), ("sides differ", 1.4)])
def test_bones_of_no_body_go(joints, reason, factor):
    time_s, points = joints
    points = np.array(points)
    if reason == "no human":
        points *= factor
    else:
        points[:, 15] = points[:, 13] + factor * (points[:, 15] - points[:, 13])
    motion, left_out = gated(2.0 * time_s, points)  # slowly, so that a giant is not too sudden
    assert [one.reason for one in left_out] == [reason]
    assert left_out[0].value == pytest.approx(factor, rel=0.25)
    assert motion.is_missing().all()


def test_bones_that_grow_and_shrink_go(joints):
    time_s, points = joints
    for share, reasons in ((0.1, []), (0.5, ["bones vary"])):
        breathing = np.array(points)
        swing = 1.0 + share * np.sin(2 * np.pi * 0.5 * time_s)[:, None]
        breathing[:, 15] = points[:, 13] + swing * (points[:, 15] - points[:, 13])
        breathing[:, 16] = points[:, 14] + swing * (points[:, 16] - points[:, 14])
        assert [one.reason for one in gated(time_s, breathing)[1]] == reasons


def test_what_is_seldom_seen_or_too_short_goes(joints):
    time_s, points = joints
    seen = np.arange(time_s.size) % 10 < 10 * SEEN_SHARE + 0.5
    assert gated(time_s, points, seen)[1] == ()
    seldom = np.arange(time_s.size) % 2 == 0
    assert [(one.reason, one.value) for one in gated(time_s, points, seldom)[1]] == [
        ("unseen", pytest.approx(0.5, abs=0.01))
    ]
    # 0.9 s before a gap and the rest behind it.
    gap = np.array(points)
    gap[28:60, LIMB_JOINTS.index("left_hip") + 5] = np.nan
    motion, left_out = gated(time_s, gap)
    assert [(one.reason, one.start_s) for one in left_out] == [("short", 0.0), ("unseen", pytest.approx(28 / RATE_HZ))]
    assert not motion.is_missing()[60:].any()


def test_a_slow_camera_is_told(joints):
    time_s, points = joints
    motion, left_out = gated(time_s[::3], points[::3])
    assert [(one.reason, round(one.value)) for one in left_out] == [("few frames", 10)]
    assert motion.is_missing().all()
