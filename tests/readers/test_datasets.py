"""Data sets as they are unpacked: what is whole, what is missing and what is damaged."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import test_egohumans as ego
import test_mri as mri
import test_totalcapture as tc
from imu_scene import write
from scipy.io import savemat

from kinebind.errors import InputError
from kinebind.readers.datasets import check_data
from kinebind.readers.mri import SUBJECTS
from kinebind.readers.totalcapture import CLASSES, SPLITS


def only(root):
    (found,) = check_data(root)
    return found, {part.name: part for part in found.parts}


def test_mri(tmp_path):
    for number in (1, 15):
        mri.make(tmp_path / "dataset_release", number)
    found, parts = only(tmp_path)
    assert found.dataset == "mRi"
    assert not found.complete
    assert (parts["sensors"].found, parts["sensors"].expected) == (8, 80)
    assert (parts["labels"].found, parts["2D poses"].found) == (2, 2)
    assert "subject 2: IMU4.csv is missing." in parts["sensors"].problems
    assert len(parts["sensors"].problems) == 72
    assert "subject 20: its MMPose JSON is missing." in parts["2D poses"].problems


def test_a_whole_mri_is_complete_until_a_file_is_damaged(tmp_path):
    mri.make(tmp_path, 1)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for number in SUBJECTS[1:]:
        for path, data in first.items():
            other = tmp_path / str(path.relative_to(tmp_path)).replace("subject1", f"subject{number}")
            other.parent.mkdir(exist_ok=True)
            other.write_bytes(data)
    found, parts = only(tmp_path)
    assert found.complete
    assert all(not part.problems for part in found.parts)

    labels = tmp_path / "aligned_data/pose_labels"
    write(labels / "subject3_all_labels.cpl", pickle.dumps({"x": mri.Attack(tmp_path / "made")}))
    write(labels / "subject4_all_labels.cpl", (labels / "subject5_all_labels.cpl").read_bytes()[:50])
    csv = tmp_path / "aligned_data/imu/subject7/IMU2.csv"
    write(csv, csv.read_bytes()[:5000])
    write(tmp_path / "extracted_pose/subject9_results_det.json", '{"instance_info": [')
    found, parts = only(tmp_path)
    assert not (tmp_path / "made").exists()
    assert [len(part.problems) for part in found.parts] == [1, 2, 1]
    assert "IMU2.csv has" in parts["sensors"].problems[0]
    assert "mkdir, which may run code" in parts["labels"].problems[0]
    assert "subject9" in parts["2D poses"].problems[0]


def totalcapture(root):
    frames = {"pos": tc.vicon_text(tc.POSITION[:20]), "ori": None}
    text = tc.sensors_text(7, frames=150)
    for subject in (s for split in SPLITS.values() for s in split):
        for name in CLASSES:
            take, folder = f"{subject}_{name}1", root / subject / f"{name}1"
            folder.mkdir(parents=True)
            write(folder / f"{take}_Xsens.sensors", text)
            write(folder / f"{take}_calib_imu_ref.txt", tc.calibration_text(tc.REF))
            write(folder / f"{take}_calib_imu_bone.txt", tc.calibration_text(tc.MOUNT))
            write(folder / "gt_skel_gbl_pos.txt", frames["pos"])
    write(root / "calibration.cal", tc.CAMERAS)


def test_totalcapture(tmp_path):
    totalcapture(tmp_path)
    found, parts = only(tmp_path)
    assert found.dataset == "TotalCapture"
    assert found.complete, [part.problems for part in found.parts]
    assert parts["takes of s3"].found == 4

    (tmp_path / "s1/rom1/s1_rom1_calib_imu_bone.txt").unlink()
    (tmp_path / "s2/walking1/gt_skel_gbl_pos.txt").unlink()
    write(tmp_path / "s3/acting1/s3_acting1_Xsens.sensors", tc.sensors_text(7, frames=20).replace("6\t20", "6\t21"))
    write(tmp_path / "s4/acting1/s4_acting1_calib_imu_ref.txt", "x")
    for file in (tmp_path / "s5/freestyle1").iterdir():
        file.unlink()
    (tmp_path / "calibration.cal").unlink()
    found, parts = only(tmp_path)
    told = [part.problems for part in found.parts]
    assert told[0] == ("s1 rom1: its calib_imu_bone.txt is missing.",)
    assert told[1] == ("s2 walking1: its gt_skel_gbl_pos.txt is missing.",)
    assert "promises 21 frames and holds 20 whole" in told[2][0]
    assert "s4_acting1_calib_imu_ref.txt cannot be read" in told[3][0]
    assert told[4] == ("s5: there is no take of 'freestyle'.",)
    assert told[5] == ("The calibration of the cameras is missing.",)
    assert [part.complete for part in found.parts] == [False] * 6


def test_egohumans(tmp_path):
    for number in (1, 2, 3, 4, 6):
        ego.make(tmp_path / "03_fencing" / f"{number:03d}_fencing", lost=())
    folder = tmp_path / "03_fencing" / "004_fencing" / "processed_data"
    (folder / "smpl" / "00010.npy").unlink()
    write(folder / "poses2d/cam03/rgb/00003.npy", b"\x93NUMPY cut")
    found, parts = only(tmp_path)
    assert found.dataset == "EgoHumans"
    problems = parts["fencing"].problems
    assert problems[0] == "fencing: take 005 is missing."
    assert problems[1].endswith("1 SMPL frames are missing, the first is 00010.")
    assert problems[2].endswith("39 SMPL frames, but 40 of 2D poses.")
    assert "00003.npy cannot be read as .npy" in problems[3]
    assert len(problems) == 4
    assert "tennis: there is no take to train on (006 and up)." in parts["tennis"].problems


def test_utd_mhad_and_several_sets_in_one_folder(tmp_path):
    for name in ("Inertial", "Skeleton"):
        (tmp_path / "utd" / name).mkdir(parents=True)
    savemat(tmp_path / "utd/Inertial/a1_s1_t1_inertial.mat", {"d_iner": np.zeros((9, 6))})
    savemat(tmp_path / "utd/Skeleton/a1_s1_t1_skeleton.mat", {"other": np.zeros(3)})
    found, parts = only(tmp_path)
    assert found.dataset == "UTD-MHAD"
    assert parts["inertial"].problems == ()
    assert not parts["inertial"].complete
    assert "holds no d_skel" in parts["skeleton"].problems[0]
    totalcapture(tmp_path / "tc")
    assert [check.dataset for check in check_data(tmp_path)] == ["TotalCapture", "UTD-MHAD"]


def test_nothing_known(tmp_path):
    with pytest.raises(InputError, match="no data set that is known"):
        check_data(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        check_data(write(tmp_path / "file", "x"))


def test_neura_walk(real_data, tmp_path):
    root = real_data("neura-walk")
    found, _ = only(root)
    assert (found.dataset, found.complete) == ("Neura walk", True)
    raw = tmp_path / "rawimu"
    raw.mkdir()
    for path in sorted((root / "data/sample/rawimu").glob("*00B40C[34]?.txt")):
        write(raw / path.name, path.read_bytes()[: 200 if "C3C" in path.name else None])
    found, parts = only(tmp_path)
    assert "rawvicon holds no .mat file." in parts["Vicon"].problems
    assert any("(left foot) is missing" in text for text in parts["sensors"].problems)
    assert any("C3C.txt" in text for text in parts["sensors"].problems)
