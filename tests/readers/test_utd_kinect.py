from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head
from kinebind.readers.utd_kinect import FORMATS, read_utd_skeleton


def put(tmp_path, frames=40, samples=100, inertial=True):
    """A clip of random joints with its inertial file, laid out as the data set is."""
    for folder in ("Skeleton", "Inertial"):
        (tmp_path / folder).mkdir(exist_ok=True)
    joints = np.random.default_rng(1).normal(size=(20, 3, frames))
    path = tmp_path / "Skeleton" / "a1_s2_t3_skeleton.mat"
    savemat(path, {"d_skel": joints})
    if inertial:
        savemat(tmp_path / "Inertial" / "a1_s2_t3_inertial.mat", {"d_iner": np.zeros((samples, 6))})
    return path, joints


def test_joints_world_and_clock(tmp_path):
    path, joints = put(tmp_path)
    motion = read_utd_skeleton(path)
    for name, row in (("head", 0), ("hip_centre", 3), ("left_hand", 7), ("right_wrist", 10), ("right_foot", 19)):
        x, y, z = joints[row]
        got = motion.position_world[:, motion.skeleton.index(name)]
        np.testing.assert_allclose(got, np.stack([x, -z, y], axis=1))
    joint = motion.skeleton.joints
    parent = {j: joint[p] for j, p in zip(joint, motion.skeleton.parents, strict=True) if p >= 0}
    assert parent["head"] == "shoulder_centre"
    assert parent["left_hand"] == "left_wrist"
    assert parent["right_hip"] == "hip_centre"
    np.testing.assert_allclose(motion.time_s, np.arange(40) * (100 / 50) / 40)
    assert motion.name == "a1_s2_t3"


def test_without_an_inertial_file_the_clock_must_be_given(tmp_path):
    path, _ = put(tmp_path, inertial=False)
    with pytest.raises(InputError, match="inertial_samples"):
        read_utd_skeleton(path)
    np.testing.assert_allclose(read_utd_skeleton(path, inertial_samples=80).time_s, np.arange(40) * 0.04)
    np.testing.assert_allclose(read_utd_skeleton(path, rate_hz=20.0).time_s, np.arange(40) * 0.05)
    for wrong in ({"rate_hz": 0.0}, {"rate_hz": float("nan")}, {"inertial_samples": 0}, {"inertial_samples": -5}):
        with pytest.raises(InputError, match="cannot be"):
            read_utd_skeleton(path, **wrong)


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    path, joints = put(tmp_path)
    savemat(path, {"d_skel": joints[:15]})
    with pytest.raises(InputError, match=r"shape \(15, 3, 40\)"):
        read_utd_skeleton(path)
    savemat(path, {"d_iner": joints})
    with pytest.raises(InputError, match="holds no d_skel; it holds d_iner"):
        read_utd_skeleton(path)
    savemat(path, {"d_skel": joints})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"damaged|nothing that can be read"):
        read_utd_skeleton(path)
    savemat(path, {"d_skel": joints})
    savemat(tmp_path / "Inertial" / "a1_s2_t3_inertial.mat", {"other": np.zeros(3)})
    with pytest.raises(InputError, match="holds no d_iner"):
        read_utd_skeleton(path)


def test_the_sniffer_tells_skeleton_from_inertial(tmp_path):
    path, _ = put(tmp_path)
    assert FORMATS[0].sniff(read_head(path))
    assert not FORMATS[0].sniff(read_head(tmp_path / "Inertial" / "a1_s2_t3_inertial.mat"))


def test_utd_mhad(real_data):
    files = sorted((real_data("utd-mhad") / "Skeleton").glob("*.mat"))
    assert len(files) == 861
    for file in files[::60]:
        motion = read_utd_skeleton(file)
        assert 10 < motion.rate_hz < 22
        at = {name: motion.position_world[:, j] for j, name in enumerate(motion.skeleton.joints)}
        assert np.median(at["head"][:, 2] - at["left_foot"][:, 2]) > 0.8  # z points up
        assert np.median(at["right_shoulder"][:, 0] - at["left_shoulder"][:, 0]) > 0.1  # people face the camera
        assert (at["hip_centre"][:, 1] < -1.5).all()  # which stands at the origin, y towards it
