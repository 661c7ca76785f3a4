"""`kinebind corpus add` as a user types it, right and wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind import Poses, Recording, save
from kinebind.body.camera import look_at, project
from kinebind.body.keypoints import coco17_world
from kinebind.body.made_up import made_up_motion
from kinebind.body.quaternions import rotate
from kinebind.readers.poses_npz import write_npz
from kinebind.training.corpus import Corpus

RATE_HZ = 30.0
ADD = ("corpus", "add")


def write_poses(path, people=("ann",), duration_s=8.0, spoil=None, world=True):
    """A file as `kinebind pose` writes it. spoil: changes pixels (T, 17, 2) and guess (T, 17, 3) of the first."""
    time_s = np.arange(0.0, duration_s, 1.0 / RATE_HZ)
    camera = look_at(np.array([0.5, -5.0, 1.2]), np.array([0.0, 0.0, 1.0]))
    poses, guesses = [], []
    for k, person in enumerate(people):
        motion = made_up_motion(duration_s + 1.0, np.random.default_rng(k), rate_hz=100.0)
        points = coco17_world(motion.resample(time_s)) + [1.2 * k, 0.0, 0.0]
        own = rotate(camera.rot_camera_from_world, points - camera.position_world)
        world_m, pixels = own - own[:, 11:13].mean(axis=1, keepdims=True), project(points, camera)
        if k == 0 and spoil is not None:
            spoil(pixels, world_m)
        poses.append(Poses(time_s, pixels, np.ones((time_s.size, 17)), (1920, 1080), person))
        guesses.append(world_m)
    write_npz(poses, path, **({"world_m": np.stack(guesses, axis=1).astype(np.float32)} if world else {}))
    return path


@pytest.fixture(scope="module")
def wave(tmp_path_factory):
    return write_poses(tmp_path_factory.mktemp("poses") / "hand_wave_03.poses.npz", ("ann", "bo"))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "mine.kbcorpus"


def test_people_of_a_pose_file_become_clips_with_the_files_name_in_words(kinebind, wave, out):
    said = kinebind(*ADD, wave, "--out", out)
    assert said.code == 0, said
    assert "2 people, 2 clips" in said.out
    corpus = Corpus.open(out)
    assert corpus.labels == ("hand wave", "hand wave")
    assert corpus.names == ("hand_wave_03.poses.npz/ann", "hand_wave_03.poses.npz/bo")
    assert len(set(corpus.groups)) == 2
    assert set(corpus.sources) == {"video"}
    assert "rights" in corpus.terms["video"]
    assert corpus.frames.tolist() == [240, 240]
    # What is drawn from it later is this person: 1.75 m tall, upright, with the made-up bones.
    motion = corpus.motion(0)
    assert motion.shape.thigh == pytest.approx(0.427, abs=0.01)
    up = Rotation.from_quat(motion.rot_world_from_segment[:, 1]).apply([0.0, 1.0, 0.0])
    assert up[:, 2].min() > 0.8
    assert kinebind("corpus", "show", out).code == 0


def test_as_json_without_a_label_and_with_terms(kinebind, wave, out):
    said = kinebind(*ADD, wave, "--out", out, "--no-label", "--source", "mine", "--terms", "CC0.", "--json")
    assert said.json["format"] == "kinebind-corpus-add-1"
    assert (said.json["added"], said.json["kept"], said.json["replaced"]) == (2, 0, 0)
    assert said.json["hours"] == pytest.approx(2 * 8 / 3600)
    assert said.json["left_out"] == []
    assert said.json["size_bytes"] == out.stat().st_size
    corpus = Corpus.open(out)
    assert (corpus.labels, corpus.terms) == (("", ""), {"mine": "CC0."})


def test_what_is_left_out_is_told_by_person_with_its_number(kinebind, tmp_path, out):
    def spoil(pixels, world_m):
        pixels[60:90, 9] = np.nan  # the left wrist for 1 s
        world_m[150:158, 10, 0] += 0.7  # the right wrist jumps

    poses = write_poses(tmp_path / "a.npz", ("ann", "bo"), spoil=spoil)
    said = kinebind(*ADD, poses, "--out", out)
    assert said.code == 0, said
    assert "left out of person ann, 2.00–2.97 s: not all twelve limb joints are seen for 1.00 s." in said.out
    assert "m/s², more than 100" in said.out
    assert "person bo" not in said.out
    corpus = Corpus.open(out)
    assert corpus.names == ("a.npz/ann", "a.npz/ann#2", "a.npz/ann#3", "a.npz/bo")
    assert corpus.groups[:3] == ("a.npz/ann",) * 3
    told = kinebind(*ADD, poses, "--out", out, "--replace", "--json").json
    assert [one["reason"] for one in told["left_out"]] == ["unseen", "too sudden"]
    assert {one["person"] for one in told["left_out"]} == {"ann"}
    assert all(clip["end_s"] - clip["start_s"] >= 1.0 for clip in told["clips"])


CAPTIONS = "file,start_s,end_s,person,text\n{0},0,3,,waves\n{0},3.5,6,bo,points at the door\n{0},7.5,8,ann,stops\n"


@pytest.mark.parametrize("name", ["hand_wave_03.poses.npz", "hand_wave_03.mp4"])
def test_captions_become_the_labels_of_their_stretches(kinebind, wave, out, tmp_path, name):
    (tmp_path / "c.csv").write_text(CAPTIONS.format(name))
    said = kinebind(*ADD, wave, "--out", out, "--captions", tmp_path / "c.csv", "--json")
    assert said.code == 0, said
    clips = [(c["name"].rpartition("/")[2], c["label"], c["start_s"], c["end_s"]) for c in said.json["clips"]]
    near = pytest.approx
    assert clips == [
        ("ann", "waves", near(0), near(3)), ("bo", "waves", near(0), near(3)),
        ("bo#2", "points at the door", near(3.5), near(6)),
    ]  # fmt: skip
    assert Corpus.open(out).frames.tolist() == [91, 91, 76]
    left = [(one["person"], one["reason"]) for one in said.json["left_out"]]
    assert left == [("ann", "no caption"), ("ann", "short"), ("bo", "no caption"), ("bo", "no caption")]


def test_captions_as_tabs_and_as_lines_of_json(kinebind, wave, tmp_path):
    (tmp_path / "c.tsv").write_text("text\tfile\nwaves, then stops\thand_wave_03\n")
    (tmp_path / "c.jsonl").write_text(
        json.dumps({"file": "hand_wave_03", "text": "sits", "start_s": 1, "end_s": None}) + "\n\n"
        + json.dumps({"file": "clips/hand_wave_03.mp4", "text": "waves", "person": "bo"}) + "\n"
    )  # fmt: skip
    for name, labels in (("c.tsv", ["waves, then stops"] * 2), ("c.jsonl", ["sits", "sits", "waves"])):
        made = kinebind(*ADD, wave, "--out", tmp_path / f"{name}.kbcorpus", "--captions", tmp_path / name, "--json")
        assert [clip["label"] for clip in made.json["clips"]] == labels
    assert made.json["clips"][0]["start_s"] == pytest.approx(1.0)


def test_captions_that_fit_nothing_are_refused(kinebind, wave, out, tmp_path):
    def refused(text, *words, name="c.csv"):
        (tmp_path / name).write_text(text)
        kinebind(*ADD, wave, "--out", out, "--captions", tmp_path / name).refused(*words)

    refused("file,text\nrun.mp4,runs\n", "line 2", "none of the given files", "hand_wave_03.poses.npz")
    refused("file,start_s,end_s,text\nhand_wave_03,5,12,waves\n", "line 2", "12 s is not in", "7.97 s")
    refused("file,start_s,end_s,text\nhand_wave_03,-3,2,waves\n", "-3 s is not in")
    refused("file,start_s,end_s,text\nhand_wave_03,5,2,waves\n", "ends at 2 s")
    refused("file,person,text\nhand_wave_03,cleo,waves\n", "nobody called 'cleo'", "ann, bo")
    refused("file,caption\nhand_wave_03,waves\n", "no text", "file, caption")
    refused("file,text,begin\nhand_wave_03,waves,1\n", "begin, which means nothing")
    refused("file,text\nhand_wave_03,waves,twice\n", "3 cells")
    refused("file,text\nhand_wave_03,\n", "line 2 has no text")
    refused("file,start_s,text\nhand_wave_03,soon,waves\n", "'soon' is no time")
    refused("file,text\n", "holds no caption")
    refused("", "is empty")
    refused("walks\nsits\n", "no file and no text")
    refused('{"file": "hand_wave_03"}\n', "line 1 has no text", name="c.jsonl")
    refused('{"file": \n', "no JSON", name="c.jsonl")
    kinebind(*ADD, wave, "--out", out, "--captions", tmp_path / "none.csv").refused("none.csv")
    assert not out.exists()


def test_appending_keeps_what_there_is_to_the_bit(kinebind, wave, tmp_path, out):
    own = tmp_path / "own"
    own.mkdir()
    for k in range(3):
        motion = made_up_motion(3.0 + k, np.random.default_rng(k))
        save(Recording(motions=(motion,)), own / f"reach_{k}.kinebind")
    out.parent.mkdir()
    assert kinebind("corpus", "build", "--source", f"mocap={own}", "--out", out).code == 0
    before = Corpus.open(out, tmp_path / "before")
    assert kinebind(*ADD, wave, "--out", out).code == 0
    after = Corpus.open(out, tmp_path / "after")
    assert (len(before), len(after)) == (3, 5)
    assert after.names[:3] == before.names
    assert after.labels == ("reach",) * 3 + ("hand wave",) * 2
    assert after.terms["mocap"] == before.terms["mocap"]
    rows = len(before.root)
    np.testing.assert_array_equal(after.rot[:rows], before.rot)
    np.testing.assert_array_equal(after.root[:rows], before.root)
    np.testing.assert_array_equal(after.shape[:3], before.shape)
    np.testing.assert_array_equal(after.rate_hz[:3], before.rate_hz)


def test_a_video_that_is_there_is_refused_or_replaced(kinebind, wave, tmp_path, out):
    first = write_poses(tmp_path / "sit.npz", duration_s=4.0)
    second = write_poses(tmp_path / "sit down.npz", duration_s=5.0)
    assert kinebind(*ADD, first, second, "--out", out, "--terms", "Mine.").code == 0
    before = Corpus.open(out, tmp_path / "before")
    bytes_before = out.read_bytes()
    kinebind(*ADD, wave, first, "--out", out).refused("has clips of sit.npz already", "--replace", "--source")
    assert out.read_bytes() == bytes_before
    write_poses(first, duration_s=6.0)
    said = kinebind(*ADD, first, "--out", out, "--replace", "--json")
    assert (said.json["added"], said.json["kept"], said.json["replaced"]) == (1, 1, 1)
    after = Corpus.open(out, tmp_path / "after")
    assert after.names == ("sit down.npz/ann", "sit.npz/ann")
    assert after.frames.tolist() == [150, 180]
    np.testing.assert_array_equal(after.rot[:150], before.rot[before.first[1] :])
    np.testing.assert_array_equal(after.root[:150], before.root[before.first[1] :])
    assert after.terms == {"video": "Mine."}
    # Another source may hold the same video.
    assert kinebind(*ADD, first, "--out", out, "--source", "again").code == 0
    assert len(Corpus.open(out, tmp_path / "third")) == 3


def test_smpl_fits_become_motion_as_they_are(kinebind, tmp_path, out):
    time_s = np.arange(120) / 30.0
    poses = np.zeros((120, 72))
    poses[:, 0] = np.pi / 2  # SMPL stands along y
    poses[:, 3 * 18] = 0.5 * np.sin(2 * time_s)
    trans = np.tile([0.0, 0.0, 1.0], (120, 1))
    np.savez(tmp_path / "squat_fit.npz", poses=poses, trans=trans)
    kinebind(*ADD, tmp_path / "squat_fit.npz", "--out", out).refused("frames a second", "--fps")
    said = kinebind(*ADD, tmp_path / "squat_fit.npz", "--out", out, "--fps", "30", "--json")
    assert said.code == 0, said
    corpus = Corpus.open(out)
    assert (corpus.names, corpus.labels) == (("squat_fit.npz/1",), ("squat fit",))
    assert (corpus.frames[0], corpus.rate_hz[0]) == (120, pytest.approx(30.0))
    poses[50:70] = np.nan
    np.savez(tmp_path / "squat_fit.npz", poses=poses, trans=trans)
    said = kinebind(*ADD, tmp_path / "squat_fit.npz", "--out", out, "--fps", "30", "--replace", "--json")
    assert [(one["reason"], one["value"]) for one in said.json["left_out"]] == [("unseen", pytest.approx(20 / 30))]
    assert len(said.json["clips"]) == 2


def test_bad_input_is_told_and_leaves_the_corpus_alone(kinebind, wave, tmp_path, out, monkeypatch):
    kinebind(*ADD, "--out", out).refused("VIDEO")
    kinebind(*ADD, wave).refused("--out")
    kinebind(*ADD, wave, "--out", tmp_path).refused("is a folder")
    kinebind(*ADD, tmp_path / "none.mp4", "--out", out).refused("There is no file")
    kinebind(*ADD, wave, wave, "--out", out).refused("Two files are called")
    kinebind(*ADD, wave, "--out", out, "--camera-tilt", "120").refused("tilted by 120")
    kinebind(*ADD, wave, "--out", out, "--source", " ").refused("no name")
    kinebind(*ADD, wave, "--out", out, "--fps", "30").refused("--fps means nothing")
    kinebind(*ADD, wave, "--out", out, "--pose-late", "40").refused("--pose-late means nothing")
    flat = write_poses(tmp_path / "flat.npz", world=False)
    kinebind(*ADD, flat, "--out", out).refused("no joints in 3D", "kinebind pose")
    (tmp_path / "watch.csv").write_text("time,ax,ay,az\n" + "".join(f"{k / 100},0,0,9.81\n" for k in range(200)))
    kinebind(*ADD, tmp_path / "watch.csv", "--out", out).refused("neither a video")
    other = tmp_path / "other.kbcorpus"
    other.write_text("something else")
    kinebind(*ADD, wave, "--out", other).refused("no whole corpus file")
    assert other.read_text() == "something else"

    def unseen(pixels, world_m):
        pixels[:, 15] = np.nan

    hidden = write_poses(tmp_path / "hidden.npz", spoil=unseen)
    kinebind(*ADD, hidden, "--out", out).refused("Nothing is fit to be learned from", "unseen 8.0 s")

    def guessed_nowhere(pixels, world_m):
        world_m[:] = np.nan

    rtm = write_poses(tmp_path / "rtm.npz", spoil=guessed_nowhere)
    kinebind(*ADD, rtm, "--out", out).refused("guesses no joints in 3D", "--pose-model")
    assert not out.exists()


def test_a_camera_that_looks_down_is_taken_into_account(kinebind, wave, tmp_path):
    lean_deg = []
    for tilt in (0, 20):
        out = tmp_path / f"{tilt}.kbcorpus"
        assert kinebind(*ADD, wave, "--out", out, "--camera-tilt", tilt).code == 0
        turned = Rotation.from_quat(Corpus.open(out).motion(0).rot_world_from_segment[:, 0])
        lean_deg.append(np.rad2deg(np.arctan2(*turned.apply([0.0, 1.0, 0.0]).mean(axis=0)[[1, 2]])))
    # Upright in the picture of a camera that looks down is leaning away from it.
    assert lean_deg[1] - lean_deg[0] == pytest.approx(20.0, abs=1.0)
