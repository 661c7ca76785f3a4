"""`kinebind corpus` as a user types it, right and wrong."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind import Recording, save
from kinebind.body.made_up import made_up_motion


@pytest.fixture
def data(tmp_path):
    """A folder of sets: eight walks as exponential maps, of which one is damaged, and a folder of the user's own."""
    folder = tmp_path / "data" / "cmu-expmap" / "cmu_mocap" / "train" / "walking"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(8):
        values = np.zeros((300, 117))
        values[:, 3:42] = 0.2 * np.sin(np.linspace(0, 9, 300)[:, None] + rng.uniform(0, 6, 39))
        np.savetxt(folder / f"walking_{k}.txt", values if k else values[:, :100], delimiter=",", fmt="%.5f")
    own = tmp_path / "own"
    own.mkdir()
    save(Recording(motions=(made_up_motion(3.0, rng),)), own / "wave_02.kinebind")
    return tmp_path / "data"


def test_the_sets_for_training_become_a_file_that_can_be_shown(kinebind, data, tmp_path):
    out = tmp_path / "new" / "train.kbcorpus"
    said = kinebind("corpus", "build", "--data", data, "--out", out)
    assert said.code == 0, said
    assert "7 clips" in said.out
    assert "1 files could not be read" in said.out
    assert "Skipped: " in said.err
    assert "walking_0.txt" in said.err
    said = kinebind("corpus", "show", out)
    assert said.code == 0
    assert "cmu-expmap: walking." in said.out
    assert "not for resale" in said.out
    assert "undamaged" in said.out


def test_the_same_as_json(kinebind, data, tmp_path):
    out = tmp_path / "train.kbcorpus"
    said = kinebind("corpus", "build", "--data", data, "--out", out, "--json", "--quiet")
    assert said.json["format"] == "kinebind-corpus-build-1"
    assert (said.json["files"], said.json["clips"], said.json["too_short"]) == (8, 7, 0)
    assert said.json["size_bytes"] == out.stat().st_size
    assert said.json["skipped"][0]["file"].endswith("walking_0.txt")
    shown = kinebind("corpus", "show", out, "--json").json
    assert shown["format"] == "kinebind-corpus-1"
    assert shown["sources"]["cmu-expmap"]["rates_hz"] == [120.0]
    assert shown["hours"] == pytest.approx(7 * 299 / 120 / 3600)
    assert list(shown["sources"]["cmu-expmap"]["labels"]) == ["walking"]


def test_captions_cut_and_name_clips(kinebind, data, tmp_path):
    table, out = tmp_path / "captions.csv", tmp_path / "train.kbcorpus"
    table.write_text(
        "file,text,start_s,end_s\nwalking/walking_3,a slow walk,0.5,2\nwalking/x,z,0,1\n", encoding="utf-8"
    )
    said = kinebind("corpus", "build", "--data", data, "--captions", table, "--out", out)
    assert said.code == 0, said
    told = " ".join(said.err.split())
    assert "1 captions are about 1 of 8 files, of which only that is taken. 1 captions are about others." in told
    labels = kinebind("corpus", "show", out, "--json").json["sources"]["cmu-expmap"]["labels"]
    hours = {"walking": pytest.approx(6 * 2.5 / 3600, rel=0.01), "a slow walk": pytest.approx(1.5 / 3600, rel=0.01)}
    assert labels == hours


def test_captions_of_other_motion_are_refused_with_examples(kinebind, data, tmp_path):
    table, out = tmp_path / "captions.csv", tmp_path / "train.kbcorpus"
    table.write_text("file,text\nKIT/3/kick_poses,a kick\n", encoding="utf-8")
    said = kinebind("corpus", "build", "--data", data, "--captions", table, "--out", out)
    assert said.code != 0
    told = " ".join(said.err.split())
    assert "None of the 1 captions is about one of the 8 files." in told
    assert "They are about motions such as KIT/3/kick_poses, the files are called such as" in told
    assert not out.exists()


def test_a_folder_of_ones_own(kinebind, data, tmp_path):
    out = tmp_path / "both.kbcorpus"
    words = ["--source", f"mine={tmp_path / 'own'}", "--source", "cmu-expmap", "--data", data]
    assert kinebind("corpus", "build", *words, "--out", out).code == 0
    sources = kinebind("corpus", "show", out, "--json").json["sources"]
    assert {name: own["clips"] for name, own in sources.items()} == {"mine": 1, "cmu-expmap": 7}
    assert "Not known to Kinebind" in sources["mine"]["terms"]


def test_what_is_not_for_training_is_told(kinebind, data, tmp_path):
    (data / "cmu-expmap").rename(data / "reactidle")
    folder = data / "reactidle" / "genuine"
    folder.mkdir()
    for k in range(6):
        (folder / f"{k}.bvh").write_text("HIERARCHY")
    said = kinebind(
        "corpus", "build", "--data", data, "--source", "reactidle-test=" + str(folder), "--out", tmp_path / "x"
    )
    assert "reactidle-test is there to test" in said.err
    assert said.code == 2
    assert not (tmp_path / "x").exists()


def test_wrong_words_are_told(kinebind, data, tmp_path):
    out = tmp_path / "x.kbcorpus"
    kinebind("corpus", "build", "--out", out).refused("nothing to read", "--data")
    kinebind("corpus", "build", "--data", data).refused("--out")
    kinebind("corpus", "build", "--data", tmp_path / "none", "--out", out).refused("There is no folder")
    kinebind("corpus", "build", "--data", tmp_path, "--out", out).refused("none of the sets for training")
    kinebind("corpus", "build", "--data", data, "--out", tmp_path).refused("is a folder")
    kinebind("corpus", "build", "--data", data, "--out", out, "--jobs", "0").refused("--jobs")
    kinebind("corpus", "build", "--data", data, "--jobs", "many", "--out", out).refused("--jobs", "integer")
    source = ("corpus", "build", "--data", data, "--out", out, "--source")
    kinebind(*source, "nobody").refused("no set called 'nobody'", "bandai-namco", "nobody=DIR")
    kinebind(*source, "deepmimic").refused("There is no folder", "deepmimic")
    kinebind(*source, "mine=").refused("has no folder")
    kinebind(*source, "=here").refused("has no name")
    kinebind(*source, "cmu-expmap", "--source", f"cmu-expmap={data}").refused("given twice")
    kinebind("corpus", "build", "--out", out, "--source", "cmu-expmap").refused("Where cmu-expmap lies was not told")
    kinebind("corpus").refused("kinebind --help")
    assert not out.exists()


def test_showing_what_is_no_corpus(kinebind, data, tmp_path):
    kinebind("corpus", "show", tmp_path / "none").refused("There is no file")
    kinebind("corpus", "show", data / "cmu-expmap/cmu_mocap/train/walking/walking_1.txt").refused(
        "no whole corpus file"
    )
    out = tmp_path / "train.kbcorpus"
    assert kinebind("corpus", "build", "--data", data, "--out", out, "-q").code == 0
    broken = bytearray(out.read_bytes())
    broken[1000] ^= 255
    out.write_bytes(broken)
    kinebind("corpus", "show", out).refused("is damaged")
