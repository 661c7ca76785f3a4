"""A subject that is true to the format: four sensors, labels in a pickle, one JSON of MMPose."""

from __future__ import annotations

import contextlib
import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imu_scene import feel, table_text, write
from scipy.spatial.transform import Rotation

from kinebind.errors import InputError
from kinebind.readers import read_imu, sniff
from kinebind.readers.mri import (
    CLASSES,
    SPLITS,
    mri_subjects,
    read_mri,
    read_mri_channels,
    read_mri_labels,
    read_mri_poses,
)

SOME = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
FIRST, LAST, VIDEO = 20, 319, 330  # frames with sensors, frames of the video
FELT = {f"IMU{k}": feel(30.0, 10.0, seed=k) for k in (1, 2, 4, 5)}
LABELS = {
    "video_label": {"T pose": (20, 59), "pose_1": [60, 119], "T pose 2": (120, 139), "walk": (np.int64(200), 319)},
    "imu_avail_frames": [FIRST, LAST], "camera_matrix": np.eye(3), "refined_gt_kps": np.zeros((VIDEO, 3, 17)),
}  # fmt: skip


def csv(felt):
    wxyz = felt.quat[:, [3, 0, 1, 2]]
    header = ["address", "axg", "ayg", "azg", "AngleXdeg", "AngleYdeg", "AngleZdeg", "q0", "q1", "q2", "q3"]
    rows = np.column_stack([np.ones(len(wxyz)), felt.acc / 9.81, np.zeros((len(wxyz), 3)), wxyz])
    return table_text(rows, header)


def mmpose(strangers=True):
    """Keypoint k of frame n lies at (100 + n, 200 + k); a second person stands in every other frame."""
    frames = []
    for n in range(VIDEO):
        own = {"keypoints": [[100 + n, 200 + k] for k in range(17)], "keypoint_scores": [0.9] * 17}
        other = {"keypoints": [[1500, 300 + k] for k in range(17)], "keypoint_scores": [0.8] * 17}
        frames.append({"frame_id": n + 1, "instances": [own, other] if strangers and n % 2 else [own]})
    return json.dumps({"meta_info": {}, "instance_info": frames})


@pytest.fixture
def root(tmp_path):
    make(tmp_path, 15)
    return tmp_path


def make(root, number):
    imu, poses = root / f"aligned_data/imu/subject{number}", root / "extracted_pose"
    labels = root / "aligned_data/pose_labels"
    for folder in (imu, labels, poses):
        folder.mkdir(parents=True, exist_ok=True)
    for name, felt in FELT.items():
        write(imu / f"{name}.csv", csv(felt))
    write(labels / f"subject{number}_all_labels.cpl", pickle.dumps(LABELS))
    write(poses / f"subject{number}_results_det.json", mmpose())


def subject(root, number=15):
    return mri_subjects(root)[number - 1]


def test_a_subject_as_a_recording(root):
    recording = read_mri(subject(root))
    assert recording.meta == {"subject": "15", "split": "test"}
    assert {i.name: i.site for i in recording.imus} == {
        "IMU2": "left_wrist", "IMU1": "right_wrist", "IMU5": "left_shank", "IMU4": "right_shank",
    }  # fmt: skip
    for imu in recording.imus:
        np.testing.assert_allclose(imu.time_s, np.arange(300) / 10, atol=1e-9)
        np.testing.assert_allclose(imu.acc_sensor, FELT[imu.name].acc, atol=1e-4)
        turned = Rotation.from_quat(imu.rot_world_from_sensor).inv() * Rotation.from_quat(FELT[imu.name].quat)
        assert turned.magnitude().max() < 1e-5
        assert imu.clock_id == "mri"


def test_the_track_is_cut_as_published(root):
    """By hand: [20 : 319 + 2] are the frames 20 to 320, of the first person alone; frame 20 is time zero."""
    (person,) = read_mri(subject(root)).people
    assert person.time_s.size == 301
    np.testing.assert_allclose(person.time_s, np.arange(301) / 10, atol=1e-9)
    expected = np.column_stack([100 + np.arange(20, 321), np.full(301, 203)])
    np.testing.assert_allclose(person.keypoints_px[:, 3], expected)
    assert person.image_size_px == (1920, 1080)


def test_actions_are_stretches_of_the_sensors_clock(root):
    labels = read_mri(subject(root)).labels
    assert [(label.name, label.start_s, label.end_s) for label in labels] == [
        ("T pose", 0.0, 4.0), ("pose_1", 4.0, 10.0), ("T pose", 10.0, 12.0), ("walk", 18.0, 30.0),
    ]  # fmt: skip


def test_channels_as_the_file_has_them(root):
    channels = read_mri_channels(root / "aligned_data/imu/subject15/IMU5.csv")
    felt = FELT["IMU5"]
    np.testing.assert_allclose(channels, np.hstack([felt.acc / 9.81, felt.quat[:, [3, 0, 1, 2]]]), atol=1e-6)


def test_a_sensor_alone_is_known_by_its_columns(root):
    path = root / "aligned_data/imu/subject15/IMU4.csv"
    assert sniff(path).name == "mri-imu"
    (imu,) = read_imu(path, site="left_foot")
    assert imu.site == "left_foot"
    assert imu.rest_norm_m_s2() == pytest.approx(9.81, abs=0.05)


def test_an_orientation_that_does_not_fit_is_left_out_and_told(root):
    felt = FELT["IMU1"]
    turned = (Rotation.from_rotvec([2, 0, 0]) * Rotation.from_quat(felt.quat)).as_quat()
    upside = type(felt)(felt.time_s, felt.acc, felt.gyr, turned)
    path = write(root / "aligned_data/imu/subject15/IMU1.csv", csv(upside))
    (imu,) = read_imu(path)
    assert imu.rot_world_from_sensor is None
    assert any("was left out" in note for note in imu.notes)
    np.testing.assert_allclose(read_mri_channels(path)[:, 3:], upside.quat[:, [3, 0, 1, 2]], atol=1e-6)


def test_splits_and_classes():
    assert SPLITS["train"] == tuple(range(1, 15))
    assert SPLITS["val"] == (16, 18)
    assert SPLITS["test"] == (15, 17, 19, 20)
    assert len(CLASSES) == 13


def test_what_a_subject_lacks_is_named(root):
    (root / "aligned_data/imu/subject15/IMU4.csv").unlink()
    (root / "extracted_pose/subject15_results_det.json").unlink()
    with pytest.raises(InputError, match=r"Subject 15 lacks IMU4\.csv, its MMPose JSON"):
        read_mri(subject(root))
    with pytest.raises(InputError, match=r"lacks .*, its labels"):
        read_mri(subject(root, 1))


def test_subject_numbers_are_not_mixed_up(root):
    """subject1 must not take the JSON of subject15."""
    assert subject(root, 1).poses is None
    assert subject(root).poses.name == "subject15_results_det.json"


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def labelled(tmp_path, **changed):
    content = {name: value for name, value in {**LABELS, **changed}.items() if value is not None}
    return write(tmp_path / "subject1_all_labels.cpl", pickle.dumps(content))


def test_malicious_labels_are_refused_and_not_run(tmp_path):
    with pytest.raises(InputError, match="mkdir, which may run code"):
        read_mri_labels(labelled(tmp_path, radar=Attack(tmp_path / "made")))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"video_label": None}, "no video_label"), ({"imu_avail_frames": 3}, "no video_label or imu_avail_frames"),
        ({"video_label": {"dance": (1, 2)}}, "'dance' is no action"),
        ({"video_label": {"walk": (5, 2)}}, "from frame 5 to 2"),
        ({"video_label": {"walk": (5,)}}, "no video_label"), ({"imu_avail_frames": (9, 9)}, "from frame 9 to 9"),
        ({"imu_avail_frames": (1, 2, 3)}, "no video_label or imu_avail_frames"),
    ],
)  # fmt: skip
def test_other_labels(tmp_path, changed, told):
    with pytest.raises(InputError, match=told):
        read_mri_labels(labelled(tmp_path, **changed))


def test_rows_and_frames_must_match(root):
    write(root / "aligned_data/imu/subject15/IMU2.csv", csv(feel(20.0, 10.0)))
    with pytest.raises(InputError, match=r"IMU2\.csv has 200 rows for 300 frames"):
        read_mri(subject(root))
    write(root / "aligned_data/imu/subject15/IMU2.csv", csv(FELT["IMU2"]).replace("q2", "other"))
    with pytest.raises(InputError, match="no column 'q2'"):
        read_mri(subject(root))
    with pytest.raises(InputError, match="no column 'q2'"):
        read_mri_channels(root / "aligned_data/imu/subject15/IMU2.csv")


def test_a_track_that_ends_early_is_shorter_and_a_lost_one_refused(root):
    labels = read_mri_labels(root / "aligned_data/pose_labels/subject15_all_labels.cpl")
    content = json.loads(mmpose())
    content["instance_info"] = content["instance_info"][:100]
    path = write(root / "extracted_pose/subject15_results_det.json", json.dumps(content))
    assert read_mri_poses(path, labels).time_s.size == 80
    content["instance_info"] = content["instance_info"][:10]
    write(path, json.dumps(content))
    with pytest.raises(InputError, match="Fewer than two samples"):
        read_mri_poses(path, labels)


@SOME
@given(st.integers(0, 2**31))
def test_whatever_comes_is_read_or_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    if not (tmp_path / "aligned_data").exists():
        make(tmp_path, 15)
    found = subject(tmp_path)
    for path in (found.labels, found.poses, found.sensors["IMU1"]):
        data = path.read_bytes()
        changed = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 10)):
            changed[place] = rng.integers(0, 256)
        write(path, bytes(changed[: rng.integers(1, len(data))] if rng.random() < 0.3 else changed))
        with contextlib.suppress(InputError):
            read_mri(found)
        write(path, data)
