"""`kinebind data check`: what is told of a folder, and with which exit code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat


@pytest.fixture
def two_clips(tmp_path):
    """Two of UTD-MHAD's 861 clips, of which one has no skeleton."""
    for name in ("Inertial", "Skeleton"):
        (tmp_path / name).mkdir()
    for clip in ("a1_s1_t1", "a2_s3_t4"):
        savemat(tmp_path / "Inertial" / f"{clip}_inertial.mat", {"d_iner": np.zeros((100, 6))})
    savemat(tmp_path / "Skeleton" / "a1_s1_t1_skeleton.mat", {"d_skel": np.zeros((20, 3, 40))})
    return tmp_path


def test_what_is_incomplete_is_listed(kinebind, two_clips):
    said = kinebind("data", "check", two_clips)
    assert said.code == 3
    assert "UTD-MHAD: incomplete" in said.out
    assert "a2_s3_t4: its skeleton file is missing." in said.out
    assert "861" in said.out


def test_the_same_as_json(kinebind, two_clips):
    said = kinebind("data", "check", two_clips, "--json")
    assert said.code == 3
    assert said.json["format"] == "kinebind-data-check-1"
    assert said.json["complete"] is False
    (found,) = said.json["datasets"]
    assert found["name"] == "UTD-MHAD"
    inertial, skeleton = found["parts"]
    assert (inertial["found"], inertial["expected"], inertial["complete"]) == (2, 861, False)
    assert skeleton["problems"] == ["a2_s3_t4: its skeleton file is missing."]


def test_long_lists_are_cut_for_people(kinebind, two_clips):
    for k in range(5, 15):
        savemat(two_clips / "Inertial" / f"a{k}_s1_t1_inertial.mat", {"d_iner": np.zeros((100, 6))})
    assert "… and 6 more (--json lists them)." in kinebind("data", "check", two_clips).out
    assert len(kinebind("data", "check", two_clips, "--json").json["datasets"][0]["parts"][1]["problems"]) == 11


def test_nothing_known_is_bad_input(kinebind, tmp_path):
    kinebind("data", "check", tmp_path).refused("no data set that is known", "mRi by a folder aligned_data")
    kinebind("data", "check", tmp_path / "none").refused("There is no folder")
    kinebind("data", "check").refused("DIR")
    kinebind("data").refused("kinebind --help")
    assert kinebind("data", "check", tmp_path, "--json").json["error"]["what"]


def test_a_complete_set(kinebind, real_data):
    said = kinebind("data", "check", real_data("utd-mhad"))
    assert said.code == 0
    assert "UTD-MHAD: complete" in said.out
