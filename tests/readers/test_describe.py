from __future__ import annotations

import json

import numpy as np
import pytest
from imu_scene import feel

from kinebind import Imu, Motion, Poses, Skeleton
from kinebind.readers import describe_imu, describe_motion, describe_poses

FELT = feel(20.0)


def test_an_imu_in_numbers():
    acc = np.clip(FELT.acc, None, 10.0)
    acc[100:110] = np.nan
    kept = np.delete(np.arange(2000), np.arange(500, 600))
    imu = Imu(FELT.time_s, acc, FELT.gyr, FELT.quat, name="a", site="left_foot", notes=("told",)).take(kept)
    facts = describe_imu(imu)
    assert facts["rate_hz"] == pytest.approx(100.0)
    assert (facts["samples"], facts["gaps"]) == (1900, 1)
    assert facts["longest_gap_s"] == pytest.approx(1.01)
    assert facts["missing_share"] == pytest.approx(10 / 1900)
    assert facts["rest_norm_m_s2"] == pytest.approx(9.81, abs=0.1)
    assert facts["acc_range_m_s2"]["z"][1] == 10.0
    assert facts["clipped"]["acc_z+"]["value"] == 10.0
    assert 0.01 < facts["clipped"]["acc_z+"]["share"] < 0.5
    assert not any(key.startswith("gyr") for key in facts["clipped"])
    assert json.loads(json.dumps(facts))["notes"] == ["told"]
    bare = describe_imu(Imu(FELT.time_s, FELT.acc))
    assert bare["gyr_range_rad_s"] is None
    assert bare["clipped"] == {}
    lost = describe_imu(Imu(FELT.time_s, np.full((2000, 3), np.nan)))
    assert lost["rest_norm_m_s2"] is None
    assert lost["acc_range_m_s2"]["x"] is None


def test_poses_in_numbers():
    points = np.random.default_rng(0).uniform(100, 300, (50, 17, 2))
    points[:, 3] = np.nan
    points[7] = np.nan
    facts = describe_poses(Poses(np.arange(50) / 25, points, np.full((50, 17), 0.8), image_size_px=(640, 480)))
    assert facts["rate_hz"] == pytest.approx(25.0)
    assert facts["seen_share_by_keypoint"]["left_ear"] == 0.0
    assert facts["empty_frames_share"] == pytest.approx(0.02)
    assert facts["median_score"] == pytest.approx(0.8)
    assert 100 <= facts["box_px"][0] <= facts["box_px"][2] <= 300
    json.dumps(facts)


def test_a_motion_in_numbers():
    skeleton = Skeleton(("hips", "knee"), (-1, 0), np.zeros((2, 3)))
    position = np.zeros((30, 2, 3))
    position[:, 0, 0] = np.linspace(0, 3, 30)
    position[5] = np.nan
    facts = describe_motion(Motion(np.arange(30) / 30, skeleton, position_world=position))
    assert facts["joints"] == ["hips", "knee"]
    assert facts["root_range_m"]["x"] == [0.0, 3.0]
    assert facts["missing_share"] == pytest.approx(1 / 30)
    assert (facts["has_rotations"], facts["has_positions"]) == (False, True)
    json.dumps(facts)
