"""MM-Fit by its own files: sensors on the video's clock, poses in COCO's order, labels with what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind import InputError
from kinebind.readers.mmfit import EXERCISES, FPS, SPLITS, mmfit_workouts, read_mmfit


@pytest.fixture
def workout(tmp_path):
    """Ten seconds: the watch's clock stands at 5000 s and runs 200 ppm fast, the video's at frame 100."""
    folder = tmp_path / "mm-fit" / "w09"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    video_s = np.arange(1000) / 100.0 + 100 / FPS
    own_ms = 5e6 + video_s * 1e3 * (1 + 200e-6)
    frame = np.floor(video_s * FPS)
    for device in ("sw_l", "sw_r", "eb_l"):
        signal = np.sin(2 * np.pi * video_s)
        acc = np.stack([signal, 0 * signal, 9.81 + 0 * signal], axis=1) + 0.01 * rng.standard_normal((1000, 3))
        gyr = np.stack([0 * signal, signal, 0 * signal], axis=1)
        np.save(folder / f"w09_{device}_acc.npy", np.column_stack([frame, own_ms, acc]))
        np.save(folder / f"w09_{device}_gyr.npy", np.column_stack([frame, own_ms + 3.0, gyr]))
    points = rng.uniform(10.0, 300.0, (2, 300, 19))
    points[:, :, 0] = np.arange(100, 400)
    points[:, 5, 4] = 0.0  # the right elbow... of OpenPose is its point 3
    np.save(folder / "w09_pose_2d.npy", points)
    (folder / "w09_labels.csv").write_text("120,180,8,squats\n210,300,10,lunges\n300,330,4,squats\n")
    return folder


def test_a_workout_is_on_the_videos_clock(workout):
    found = read_mmfit(workout)
    assert [(i.name, i.site) for i in found.imus] == [("sw_l", "left_wrist"), ("sw_r", "right_wrist"), ("eb_l", "head")]
    assert {i.clock_id for i in found.imus} == {"video"}
    imu = found.imus[0]
    assert imu.rate_hz == pytest.approx(100.0, rel=1e-3)
    wanted = np.arange(1000) / 100.0 + 100 / FPS
    assert np.abs(imu.time_s - wanted).max() < 0.004
    # The rate was sampled 3 ms later, and stands where the acceleration's times are.
    inner = slice(5, -5)
    assert np.abs(imu.gyr_sensor[inner, 1] - np.sin(2 * np.pi * imu.time_s[inner])).max() < 0.05
    assert found.meta == {"workout": "09", "split": "test"}


def test_poses_are_in_cocos_order_and_zero_is_missing(workout):
    (poses,) = read_mmfit(workout).people
    raw = np.load(workout / "w09_pose_2d.npy")
    assert poses.time_s[0] == pytest.approx(100.5 / FPS)
    assert poses.keypoints_px[0, 0].tolist() == raw[:, 0, 1].tolist()  # nose
    assert poses.keypoints_px[0, 5].tolist() == raw[:, 0, 1 + 5].tolist()  # left shoulder
    assert poses.keypoints_px[0, 16].tolist() == raw[:, 0, 1 + 10].tolist()  # right ankle
    assert np.isnan(poses.keypoints_px[5, 8]).all()  # right elbow
    assert np.isfinite(poses.keypoints_px[6, 8]).all()


def test_between_the_exercises_is_no_activity(workout):
    labels = read_mmfit(workout).labels
    assert [label.name for label in labels] == ["squats", "non_activity", "lunges", "squats"]
    assert (labels[1].start_s, labels[1].end_s) == (180 / FPS, 210 / FPS)
    assert set(EXERCISES) >= {label.name for label in labels}


def test_all_workouts_and_their_split(workout):
    (only,) = mmfit_workouts(workout.parent)
    assert only.name == "w09"
    everyone = [w for own in SPLITS.values() for w in own]
    assert sorted(everyone) == [f"{k:02d}" for k in range(21)]


def test_what_is_wrong_is_told(workout, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        list(mmfit_workouts(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no workouts"):
        list(mmfit_workouts(tmp_path / "empty"))
    acc = np.load(workout / "w09_sw_l_acc.npy")
    np.save(workout / "w09_sw_l_acc.npy", np.column_stack([acc[:, :2], acc[:, 2:] / 9.81]))
    with pytest.raises(InputError, match="m/s² with gravity"):
        read_mmfit(workout)
    np.save(workout / "w09_sw_l_acc.npy", np.column_stack([acc[:, 0], acc[:, 1] / 1e3, acc[:, 2:]]))
    with pytest.raises(InputError, match="frames pass"):
        read_mmfit(workout)
    np.save(workout / "w09_sw_l_acc.npy", acc[:, :4])
    with pytest.raises(InputError, match=r"\(samples, 5\)"):
        read_mmfit(workout)
    (workout / "w09_sw_l_acc.npy").write_bytes(b"")
    with pytest.raises(InputError, match="no NumPy file"):
        read_mmfit(workout)
    np.save(workout / "w09_sw_l_acc.npy", acc)
    (workout / "w09_labels.csv").write_text("120,180,8,juggling\n")
    with pytest.raises(InputError, match="no exercise"):
        read_mmfit(workout)
    (workout / "w09_labels.csv").write_text("a,b\n")
    with pytest.raises(InputError, match="line 1"):
        read_mmfit(workout)
    (workout / "w09_labels.csv").write_text("\n")
    with pytest.raises(InputError, match="no labels"):
        read_mmfit(workout)
