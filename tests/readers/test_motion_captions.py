"""Captions of motion capture: HumanML3D's, KIT-ML's, unified and one's own, and which files they are about."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from kinebind import InputError
from kinebind.readers.captions import Caption
from kinebind.readers.motion_captions import captions_below, read_motion_captions, with_captions
from kinebind.readers.motion_sets import Doing, MotionFile

INDEX = """source_path,start_frame,end_frame,new_name
./pose_data/KIT/3/kick high_left02_poses.npy,20,120,000000.npy
./pose_data/humanact12/humanact12/P01G01R01F1.npy,0,-1,000001.npy
./pose_data/TotalCapture/s1/acting1_poses.npy,100,200,000002.npy
"""
TEXTS = {
    "000000": "a man kicks with his left leg.#a/DET man/NOUN#0.0#0.0\nhe kicks high.#he/PRON#nan#nan\n",
    "000001": "a person warms up.#a/DET#0.0#0.0\n",
    "000002": "she waves.#she/PRON#3.0#1.0\n\nshe stands.#she/PRON#4.0#9.0\n",
}


@pytest.fixture
def human_ml3d(tmp_path):
    folder = tmp_path / "HumanML3D"
    (folder / "HumanML3D" / "texts").mkdir(parents=True)
    (folder / "index.csv").write_text(INDEX, encoding="utf-8")
    for name, text in TEXTS.items():
        (folder / "HumanML3D" / "texts" / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def told(captions):
    return [(c.file, c.text, c.start_s, c.end_s) for c in captions]


def test_humanml3d_counts_at_20_hz_from_where_its_sets_are_cut(human_ml3d):
    """What is of another set than AMASS is left out; TotalCapture's files are cut by a second before they count."""
    kick, wave = "KIT/3/kick high_left02_poses.npy", "TotalCapture/s1/acting1_poses.npy"
    assert told(read_motion_captions(human_ml3d)) == [
        (kick, "a man kicks with his left leg.", 1.0, 6.0), (kick, "he kicks high.", 1.0, 6.0),
        (wave, "she waves.", 7.0, 9.0), (wave, "she stands.", 10.0, 11.0),
    ]  # fmt: skip


def test_what_is_missing_or_damaged_of_humanml3d_is_told(human_ml3d):
    texts = human_ml3d / "HumanML3D" / "texts"
    (texts / "000002.txt").write_text("she waves\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"000002.txt, line 1 is no caption of HumanML3D"):
        read_motion_captions(human_ml3d)
    (texts / "000002.txt").unlink()
    with pytest.raises(InputError, match=r"000002.txt cannot be read"):
        read_motion_captions(human_ml3d)
    (human_ml3d / "index.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2 is no line of HumanML3D's index"):
        read_motion_captions(human_ml3d)
    (human_ml3d / "index.csv").unlink()
    with pytest.raises(InputError, match=r"no index\.csv"):
        read_motion_captions(human_ml3d)


def test_an_index_without_texts_says_what_to_unpack(tmp_path):
    (tmp_path / "index.csv").write_text(INDEX, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_motion_captions(tmp_path)
    assert error.value.fix == "Unpack its texts.zip there."


def test_kit_ml_needs_to_know_which_motions_of_amass_its_texts_are_about(tmp_path):
    (tmp_path / "00001_annotations.json").write_text('["A person walks.", " "]', encoding="utf-8")
    (tmp_path / "00001_meta.json").write_text('{"nb_annotations": 1}', encoding="utf-8")
    (tmp_path / "00002_annotations.json").write_text('["A person of nowhere."]', encoding="utf-8")
    with pytest.raises(InputError, match="nothing that says which motions"):
        read_motion_captions(tmp_path)
    for motions in ({"00001": "KIT/3/walk_poses"}, {"00001": {"path": "KIT/3/walk_poses", "duration": 2.0}}):
        (tmp_path / "motions.json").write_text(json.dumps(motions), encoding="utf-8")
        assert told(read_motion_captions(tmp_path)) == [("KIT/3/walk_poses", "A person walks.", -math.inf, math.inf)]
    (tmp_path / "00001_annotations.json").write_text('{"text": 1}', encoding="utf-8")
    with pytest.raises(InputError, match="is no list of texts"):
        read_motion_captions(tmp_path)


def test_unified_captions_go_by_path_with_or_without_ids(tmp_path):
    file = tmp_path / "all.json"
    own = {"text": "sit", "start": 1.5, "end": 3.0}
    for content in (
        {"0001": {"path": "CMU/75/75_18_poses", "annotations": [own]}},
        {"CMU/75/75_18_poses": {"annotations": [own]}},
    ):
        file.write_text(json.dumps(content), encoding="utf-8")
        assert told(read_motion_captions(file)) == [("CMU/75/75_18_poses", "sit", 1.5, 3.0)]
    for wrong, what in (
        ({"a": {}}, "a has no annotations"), ({"a": {"annotations": [{"start": 1}]}}, "without a text"),
        ({"a": {"annotations": [{"text": "x", "start": 2, "end": 1}]}}, "is no caption"), ([1], "no JSON object"),
    ):  # fmt: skip
        file.write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(InputError, match=what):
            read_motion_captions(file)


def test_what_holds_no_captions_is_refused(tmp_path):
    for place, what in ((tmp_path / "nowhere", "There is no"), (tmp_path, "no captions that are known")):
        with pytest.raises(InputError, match=what):
            read_motion_captions(place)
    assert captions_below(tmp_path / "nowhere") == ()
    (tmp_path / ".hidden").write_text("of a file browser", encoding="utf-8")
    (tmp_path / "mine.csv").write_text("file,text,person\nwalk,a walk,\n", encoding="utf-8")
    assert [own.text for own in captions_below(tmp_path)] == ["a walk"]
    (tmp_path / "mine.csv").write_text("file,text,person\nwalk,a walk,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="names the person '2'"):
        captions_below(tmp_path)


def file(name):
    return MotionFile(Path(name), "amass", "who", name, "named so")


def test_files_are_found_whatever_release_they_are_of():
    captions = [
        Caption("KIT/3/kick high_left02_poses.npy", "a kick", 1.0, 6.0),
        Caption("KIT/3/kick high_left02_poses.npy", "he kicks", 1.02, 6.0),
        Caption("KIT/3/kick high_left02_poses.npy", "a kick", 1.0, 6.0),
        Caption("KIT/3/kick high_left02_poses.npy", "he lands", 5.0, 6.0),
        Caption("MPI_HDM05/dg/walk_poses", "a walk"), Caption("CMU/1/nothing_poses", "of no file"),
    ]  # fmt: skip
    kick = (Doing(1.0, 6.0, ("a kick", "he kicks")), Doing(5.0, 6.0, ("he lands",)))
    walk = (Doing(-math.inf, math.inf, ("a walk",)),)
    names = ("KIT/3/kick_high_left02_stageii", "kick_high_left02_poses", "HDM05/dg/walk_poses", "HDM05/tr/walk_poses")
    found, of_none = with_captions([file(name) for name in names], captions)
    assert [own.doings for own in found] == [kick, kick, walk, ()]
    assert of_none == 1
    assert with_captions([file("a/b")], ()) == ([file("a/b")], 0)
