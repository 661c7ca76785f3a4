"""Clip synchronisation on UTD-MHAD: the cut of the protocol, on made-up and on development clips."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind import ClockMap, Imu, Poses
from kinebind.bench import utd
from kinebind.bench.scenes import timing_error_s
from kinebind.body.camera import look_at
from kinebind.body.detector import DetectorErrors, film
from kinebind.body.keypoints import coco17_world
from kinebind.body.segments import posture
from kinebind.parts import COCO17


def clip(duration_s: float) -> utd.Clip:
    """A clip whose sensor shows in its first axis which time of the set's clock it was taken at, and its video too."""
    time_s = np.arange(round(duration_s * 50)) / 50
    imu = Imu(time_s, np.stack([time_s, 0 * time_s, 9.81 + 0 * time_s], axis=1), name="w", site="right_wrist")
    frames_s = np.arange(round(duration_s * 30)) / 30 - 0.045
    keypoints = np.full((frames_s.size, 17, 2), 100.0)
    keypoints[:, 0, 0] = 100.0 + frames_s
    return utd.Clip(1, 1, imu, Poses(frames_s, keypoints, np.ones((frames_s.size, 17))))


@pytest.mark.parametrize("duration_s", [2.46, 3.0, 6.5])
def test_cuts_follow_the_protocol(duration_s):
    shifts = []
    whole = clip(duration_s)
    for seed in range(60):
        imu, poses, truth = utd.cut(whole, np.random.default_rng(seed))
        assert imu.duration_s == pytest.approx(duration_s - utd.CUT_S, abs=0.045)
        assert poses.duration_s <= duration_s - utd.CUT_S + 1e-9
        assert 0.0 <= imu.time_s[0] < 0.021
        assert 0.0 <= poses.time_s[0] < 0.051
        assert abs(truth.offset_s) <= 1.0
        assert truth.skew == 0.0
        shifts.append(truth.offset_s)
        # Both pieces say which time of the set's clock they show; through the truth these agree.
        assert imu.acc_sensor[0, 0] - imu.time_s[0] - (poses.keypoints_px[0, 0, 0] - 100.0 - poses.time_s[0]) == (
            pytest.approx(truth.offset_s, abs=1e-9)
        )
        assert timing_error_s(truth, truth, imu, poses) == 0.0
    assert max(shifts) > 0.5
    assert min(shifts) < -0.5


@pytest.mark.parametrize("duration_s", [1.0, 2.0, 2.44])
def test_clips_that_are_too_short_are_left_out(duration_s):
    assert utd.cut(clip(duration_s), np.random.default_rng(0)) is None


def test_subjects_are_apart():
    assert not set(utd.DEVELOPMENT) & set(utd.TEST)
    assert set(utd.DEVELOPMENT) | set(utd.TEST) == set(range(1, 9))


def test_the_set_s_camera_shows_up_as_up_and_left_as_the_set_has_it():
    """In the z-up world of its reader depth is −y; pixels are x to the right, y down, 320 by 240."""
    points = np.full((2, 17, 3), np.nan)
    points[:, COCO17.index("nose")] = [0.0, -2.0, 0.5]
    points[:, COCO17.index("left_wrist")] = [0.3, -2.0, 0.0]
    poses = utd._seen(np.array([0.0, 0.1]), points)
    nose, wrist = poses.keypoints_px[0, 0], poses.keypoints_px[0, COCO17.index("left_wrist")]
    np.testing.assert_allclose(nose, [160.0, 120.0 - 285.63 * 0.25])
    np.testing.assert_allclose(wrist, [160.0 - 285.63 * 0.15, 120.0])
    assert np.isnan(poses.keypoints_px[:, 5]).all()
    assert poses.image_size_px == (320, 240)


def test_the_camera_agrees_with_a_pinhole_that_looks_along_minus_y():
    body = posture(made_up_body.motion(1, 2.0))
    moved = coco17_world(body) + [0.0, -3.0, -1.0]
    camera = look_at(np.zeros(3), np.array([0.0, -1.0, 0.0]), image_size_px=(320, 240))
    own = film(body.motion.replace(root_position_world=body.motion.root_position_world + [0.0, -3.0, -1.0]), camera,
               rate_hz=60.0, errors=DetectorErrors(), rng=np.random.default_rng(0))  # fmt: skip
    seen = utd._seen(body.motion.time_s, moved).keypoints_px
    count = min(len(seen), own.time_s.size)
    scale = utd._FOCAL_PX / camera.focal_px
    expected = (own.keypoints_px[:count] - [160.0, 120.0]) * scale + [160.0, 120.0]
    shown = np.isfinite(expected)
    np.testing.assert_allclose(seen[:count][shown], expected[shown], atol=0.05)


@pytest.mark.parametrize("subject", utd.DEVELOPMENT[:1])
def test_development_clips_are_read_with_the_kinect_s_lag_taken_out(real_data, subject):
    found = utd.clips(real_data("utd-mhad"), (subject,))
    sites = set()
    for k, own in enumerate(found):
        assert own.subject == subject
        assert 1 <= own.action <= 27
        assert own.imu.gyr_sensor is not None
        assert own.imu.site == ("right_thigh" if own.action >= 22 else "right_wrist")
        assert own.poses.time_s[0] == pytest.approx(-utd.KINECT_LAG_S[own.imu.site], abs=0.04)
        assert abs(own.imu.duration_s - own.poses.duration_s) < 0.5
        piece = utd.cut(own, np.random.default_rng(k))
        if piece is not None:
            imu, poses, truth = piece
            assert timing_error_s(truth, truth, imu, poses) == 0.0
            assert timing_error_s(ClockMap(truth.offset_s + 0.1), truth, imu, poses) == pytest.approx(0.1)
        sites.add(own.imu.site)
        if k > 20:
            break
    assert sites
