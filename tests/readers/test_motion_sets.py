"""Sets of motion capture: each file in its place, with words that say what is done, and no test file among others."""

from __future__ import annotations

import json

import pytest

from kinebind.errors import InputError
from kinebind.readers.motion_sets import MOTION_SETS, motion_files, plain_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("walk_happy_001", "walk happy"), ("raise-up-left-hand_active_012", "raise up left hand active"),
        ("basketball_signal", "basketball signal"), ("Walk2_poses", "walk poses"), ("001", ""),
    ],
)  # fmt: skip
def test_a_name_in_words(name, words):
    assert plain_words(name) == words


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("-")


def told(name, root):
    return [(f.source, f.group, f.name, f.label) for f in motion_files(name, root)]


def test_what_the_sets_say_of_their_files(tmp_path):
    put(
        tmp_path / "bn", "set-1/data/dataset-1_walk-left_happy_001.bvh", "set-1/data/dataset-1_walk-left_happy_001.json"
    )
    assert told("bandai-namco", tmp_path / "bn") == [
        ("bandai-namco", "dataset-1", "dataset-1_walk-left_happy_001", "walk left happy")
    ]
    put(tmp_path / "ex", "cmu_mocap/train/walking_extra/walking_13.txt", "cmu_mocap/test/soccer/soccer_1.txt")
    assert told("cmu-expmap", tmp_path / "ex") == [
        ("cmu-expmap", "soccer", "test/soccer/soccer_1", "soccer"),
        ("cmu-expmap", "walking", "train/walking_extra/walking_13", "walking"),
    ]
    put(tmp_path / "am", "CMU/01/jump_02_poses.npz", "CMU/01/shape.npz")
    assert told("amass", tmp_path / "am") == [("amass", "CMU/01", "CMU/01/jump_02_poses", "jump")]
    put(tmp_path / "mine", "a.bvh", "anna/kick_3.bvh", "anna/notes.pdf")
    assert told("mine", tmp_path / "mine") == [("mine", "a", "a", "a"), ("mine", "anna", "anna/kick_3", "kick")]


def test_dogs_are_no_people(tmp_path):
    (tmp_path / "motions" / "sie").mkdir(parents=True)
    for name, numbers in (("dog3d_trot", 84), ("humanoid3d_walk", 44), ("sie/sie_humanoid3d_run_left00_mirror", 44)):
        (tmp_path / "motions" / f"{name}.txt").write_text(json.dumps({"Frames": [[0.0] * numbers]}))
    assert told("deepmimic", tmp_path) == [
        ("deepmimic", "humanoid3d_walk", "humanoid3d_walk", "walk"),
        ("deepmimic", "sie/sie_humanoid3d_run_left00", "sie/sie_humanoid3d_run_left00_mirror", "run left"),
    ]


def test_what_is_kept_for_the_test_is_in_no_other_set(tmp_path):
    put(tmp_path, *(f"genuine/{k:03d}_genuine.bvh" for k in range(8)))
    there, kept = ({f.path.name for f in motion_files(name, tmp_path)} for name in ("reactidle", "reactidle-test"))
    assert len(kept) == 5
    assert len(there) == 3
    assert not there & kept
    uses = {name: known.use for name, known in MOTION_SETS.items()}
    assert {n for n, use in uses.items() if use == "train"} == {"bandai-namco", "cmu-expmap", "amass"}
    assert {n for n, use in uses.items() if use == "test"} == {"cmu-asfamc", "cmu-mocap6", "reactidle-test"}
    assert all(known.terms for known in MOTION_SETS.values())


def test_a_folder_without_them_is_told(tmp_path):
    with pytest.raises(InputError, match="There is no folder"):
        next(motion_files("deepmimic", tmp_path / "none"))
    with pytest.raises(InputError, match="no files of deepmimic"):
        next(motion_files("deepmimic", tmp_path))


def test_all_files_of_the_real_sets(real_data):
    for name, count in (("bandai-namco", 3076), ("cmu-expmap", 96), ("deepmimic", 81), ("reactidle", 17)):
        files = list(motion_files(name, real_data(name)))
        assert len(files) == count
        assert len({file.name for file in files}) == count
        assert all(file.label for file in files)
    six = list(motion_files("cmu-mocap6", real_data("cmu-mocap6")))
    assert len(six) == 5
    assert all(file.options["asf_path"].suffix == ".asf" for file in six)
    left = real_data("reactidle")
    assert len(list(motion_files("reactidle-test", left))) == 5
