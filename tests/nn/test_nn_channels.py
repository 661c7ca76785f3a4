"""Channel order, units and frames of what a model sees, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind.errors import InputError
from kinebind.nn import Contract, imu_array, pose_array

ACC = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]])
GYR = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
ROT_XYZW = np.array([[0.0, 0.6, 0.0, 0.8], [1.0, 0.0, 0.0, 0.0]])


def test_the_papers_imu_channels_have_the_scalar_first():
    array = imu_array(Contract(), ACC, rot_world_from_sensor=ROT_XYZW)
    assert array.dtype == np.float32
    expected = [[1, 4], [2, 5], [3, np.nan], [0.8, 0.0], [0.0, 1.0], [0.6, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(array, np.array(expected), rtol=1e-6)


def test_channels_come_in_the_contracts_order_and_unit():
    array = imu_array(Contract(imu_channels=("gyr_z", "acc_x"), acc_unit="g"), ACC * 9.81, GYR)
    np.testing.assert_allclose(array, [[0.3, 0.6], [1.0, 4.0]], rtol=1e-6)


def test_what_cannot_be_given_is_refused():
    with pytest.raises(InputError, match="lacks the channels quat_w"):
        imu_array(Contract(), ACC)
    with pytest.raises(InputError, match="file's own unit"):
        imu_array(Contract(acc_unit="file"), ACC, rot_world_from_sensor=ROT_XYZW)


def _keypoints() -> np.ndarray:
    """(2, 17, 2): keypoint k of frame t at x = 100 k + t, y = 10 k + t, pixels."""
    k, t = np.arange(17.0), np.arange(2.0)
    return np.stack([100 * k + t[:, None], 10 * k + t[:, None]], axis=-1)


def test_pose_channels_are_x_of_three_joints_then_y():
    array = pose_array(Contract(parts=("right_shank", "head")), _keypoints(), (1000, 100))
    assert array.shape == (2, 6, 2)
    shank = [[1.2, 1.201], [1.4, 1.401], [1.6, 1.601], [1.2, 1.21], [1.4, 1.41], [1.6, 1.61]]
    head = [[0.0, 0.001], [0.1, 0.101], [0.2, 0.201], [0.0, 0.01], [0.1, 0.11], [0.2, 0.21]]
    np.testing.assert_allclose(array, [shank, head], rtol=1e-6, atol=1e-7)


def test_a_missing_keypoint_stays_missing_in_its_parts_only():
    points = _keypoints()
    points[1, 14] = np.nan
    array = pose_array(Contract(parts=("right_shank", "head")), points, (1000, 100))
    assert np.argwhere(np.isnan(array)).tolist() == [[0, 1, 1], [0, 4, 1]]


def test_the_body_frame_knows_neither_place_nor_resolution():
    rng = np.random.default_rng(0)
    points = rng.normal(500.0, 100.0, (20, 17, 2))
    contract = Contract(pose_frame="body")
    array = pose_array(contract, points)
    np.testing.assert_allclose(pose_array(contract, 1.7 * points + [300.0, -40.0]), array, rtol=1e-4, atol=1e-5)
    hips, shoulders = points[:, 11:13].mean(1), points[:, 5:7].mean(1)
    torso = np.median(np.linalg.norm(shoulders - hips, axis=1))
    np.testing.assert_allclose(array[0, 2], (points[:, 9, 0] - hips[:, 0]) / torso, rtol=1e-4)


def test_frames_that_cannot_be_scaled_are_refused():
    with pytest.raises(InputError, match="size is unknown"):
        pose_array(Contract(), _keypoints())
    points = _keypoints()
    points[:, 11] = np.nan
    with pytest.raises(InputError, match="both hips"):
        pose_array(Contract(pose_frame="body"), points)
