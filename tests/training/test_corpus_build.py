"""Building a corpus of files: every one is read, cut, left out or skipped, and counted."""

from __future__ import annotations

import dataclasses
import json
import logging
import math

import numpy as np
import pytest

from kinebind import Recording, save
from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_files import read_runs
from kinebind.body.segment_motion import JOINTS, joints_world
from kinebind.errors import InputError
from kinebind.readers.motion_sets import MOTION_SETS, Doing, MotionFile, motion_files
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_build import build_corpus
from kinebind.training.draw.words import meanings


@pytest.fixture
def folder(tmp_path):
    """Motion of two people as recordings, one with a hole; a clip of half a second; and two files of nothing."""
    root = tmp_path / "motion"
    for person in ("anna", "ben"):
        (root / person).mkdir(parents=True)
    motion = made_up_motion(6.0, np.random.default_rng(0), rate_hz=60.0)
    save(Recording(motions=(motion,)), root / "anna" / "wave-hello_01.kinebind")
    holed = np.array(motion.rot_parent_from_joint)
    holed[150:170] = np.nan
    save(Recording(motions=(motion.replace(rot_parent_from_joint=holed),)), root / "ben" / "squat.kinebind")
    save(Recording(motions=(motion.slice_s(0.0, 0.5),)), root / "ben" / "blink.kinebind")
    (root / "ben" / "readme.txt").write_text("Nothing moves here.\n")
    (root / "ben" / "dance.bvh").write_text("HIERARCHY\nROOT hips\n{\n")
    return root


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_file_is_accounted_for(folder, tmp_path, caplog, jobs):
    out = tmp_path / "all.kbcorpus"
    with caplog.at_level(logging.WARNING, "kinebind"):
        built = build_corpus(motion_files("mine", folder), out, {"mine": "Ours."}, jobs=jobs)
    assert (built.files, built.clips, built.too_short) == (5, 3, 1)
    assert [path.name for path, _ in built.skipped] == ["dance.bvh", "readme.txt"]
    assert all(str(path) in why for path, why in built.skipped)
    assert len([r for r in caplog.records if "Skipped" in r.message]) == 2
    assert built.size_bytes == out.stat().st_size
    corpus = Corpus.open(out)
    assert corpus.names == ("anna/wave-hello_01", "ben/squat", "ben/squat#2")
    assert corpus.groups == ("anna", "ben", "ben")
    assert corpus.labels == ("wave hello", "squat", "squat")
    assert corpus.frames.tolist() == [361, 150, 191]
    assert built.hours == pytest.approx(corpus.hours)


def test_of_what_captions_are_about_nothing_else_is_taken(folder, tmp_path):
    """Two stretches, one described twice, one reaching beyond the end; and one that is too short."""
    wave = next(file for file in motion_files("mine", folder) if file.name == "anna/wave-hello_01")
    doings = (
        Doing(1.0, 3.0, ("wave", "a person | says hello")), Doing(2.5, math.inf, ("go on",)),
        Doing(0.0, 0.4, ("blink",)),
    )  # fmt: skip
    out = tmp_path / "told.kbcorpus"
    build_corpus([dataclasses.replace(wave, doings=doings)], out, {"mine": ""})
    corpus = Corpus.open(out)
    assert corpus.names == ("anna/wave-hello_01", "anna/wave-hello_01#2")
    assert corpus.labels == ("wave | a person / says hello", "go on")
    assert corpus.frames.tolist() == [121, 211]
    assert meanings(corpus.labels)[0] == ("wave", "a person / says hello")
    whole = tmp_path / "whole.kbcorpus"
    build_corpus([wave], whole, {"mine": ""})
    np.testing.assert_array_equal(corpus.motion(0).root_world, Corpus.open(whole).motion(0).root_world[60:181])


def test_nothing_to_build_of_leaves_nothing(folder, tmp_path):
    bad = [file for file in motion_files("mine", folder) if file.path.suffix == ".bvh"]
    with pytest.raises(InputError, match="no motion to make a corpus of"):
        build_corpus(bad, tmp_path / "none.kbcorpus", {"mine": ""})
    assert not (tmp_path / "none.kbcorpus").exists()
    with pytest.raises(InputError, match="0 processes"):
        build_corpus(bad, tmp_path / "none.kbcorpus", {"mine": ""}, jobs=0)


def test_a_sets_options_reach_the_reader(tmp_path):
    """A set's options reach the reader: with a wrong one the file is skipped, with the reason."""
    np.savez(tmp_path / "a.npz", poses=np.zeros((200, 66)), trans=np.zeros((200, 3)), mocap_framerate=100.0)
    whole = MotionFile(tmp_path / "a.npz", "amass", "s", "a", "", {"up": "y"})
    ((run, _),) = read_runs(whole, 1.0)
    assert run.rate_hz == pytest.approx(100.0)
    assert "'x' is no upward axis" in read_runs(MotionFile(tmp_path / "a.npz", "amass", "s", "a", "", {"up": "x"}), 1.0)


@pytest.mark.parametrize(
    ("name", "label", "rate_hz", "slowest_foot_m_s"),
    [
        ("bandai-namco", "walk normal", 30.0, 0.4), ("cmu-expmap", "walking", 120.0, 0.4),
        ("deepmimic", "long walk", None, 0.4), ("cmu-asfamc", "", 120.0, None), ("reactidle", "stand idle", 24.0, 0.1),
    ],
)  # fmt: skip
def test_real_people_stand_on_their_feet(real_data, tmp_path, name, label, rate_hz, slowest_foot_m_s):
    files = [file for file in motion_files(name, real_data(name)) if file.label == label][:3]
    assert len(files) == 3
    built = build_corpus(files, tmp_path / "real.kbcorpus", {name: MOTION_SETS[name].terms})
    assert not built.skipped
    corpus = Corpus.open(tmp_path / "real.kbcorpus")
    for clip in range(len(corpus)):
        motion = corpus.motion(clip)
        at = joints_world(motion.rot_world_from_segment, motion.root_world, motion.shape)
        feet = at[:, [JOINTS.index("left_ankle"), JOINTS.index("right_ankle")]]
        assert (at[:, JOINTS.index("head"), 2] - feet[..., 2].min(axis=1) > 0.8).mean() > 0.9
        if rate_hz is not None:
            assert motion.rate_hz == pytest.approx(rate_hz, rel=1e-3)
        if slowest_foot_m_s is not None:
            speed = np.linalg.norm(feet[2:] - feet[:-2], axis=-1) * motion.rate_hz / 2
            lower = feet[1:-1, :, 2].argmin(axis=1)
            assert np.median(speed[np.arange(len(lower)), lower]) < slowest_foot_m_s


def test_a_corpus_of_real_motion_is_small(real_data, tmp_path):
    files = list(motion_files("bandai-namco", real_data("bandai-namco")))[::300]
    built = build_corpus(files, tmp_path / "real.kbcorpus", {"bandai-namco": ""})
    frames = Corpus.open(tmp_path / "real.kbcorpus").frames.sum()
    assert built.size_bytes / frames < 75  # 110 bytes without packing; 54 over the whole set
    assert json.loads(json.dumps(built.skipped)) == []
