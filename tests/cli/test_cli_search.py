"""`kinebind search` as it is used: an excerpt in a folder of poses, a clip in a folder of sensors."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import kinebind as package
from kinebind.body.made_up import made_up_motion


@pytest.fixture
def corpus(walk):
    """The recording's poses, cut short, and its wrist's sensor; and what is nothing to search."""
    folder = walk / "corpus"
    folder.mkdir()
    people = package.read("poses.npz").people
    package.save(package.Recording(people=tuple(p.slice_s(2.0, 12.0) for p in people)), folder / "video.kinebind")
    shutil.copy("left_wrist.csv", folder)
    (folder / "readme.txt").write_text("What is here.")
    return folder


def test_an_excerpt_is_found_where_it_is_seen(corpus, kinebind):
    said = kinebind(
        "search", "left_wrist=left_wrist.csv", corpus, "--from", "4", "--to", "0:08", "--json", "--top", "3"
    )
    assert said.code == 0, said
    told = said.json
    assert told["format"] == "kinebind-search-1"
    best = told["matches"][0]
    assert (best["file"], best["name"], best["site"]) == ("video.kinebind", "1", "left_wrist")
    # The sensor's clock is 1.2 s behind the video's.
    assert best["start_s"] == pytest.approx(5.2, abs=0.15)
    assert best["end_s"] == pytest.approx(best["start_s"] + 4.0, abs=0.11)
    assert (told["index"]["embedded"], told["index"]["skipped"]) == (2, 1)
    assert told["query"]["kind"] == "imu"
    assert (told["query"]["start_s"], told["query"]["end_s"]) == pytest.approx((4.0, 8.0), abs=0.02)
    assert (corpus / ".kinebind-index" / "index.json").exists()


def test_a_clip_of_poses_is_found_where_it_is_felt_and_the_index_is_kept(corpus, kinebind):
    words = ("search", "poses.npz", corpus, "--site", "left_wrist", "--from", "4", "--to", "9")
    first = kinebind(*words, "--json").json
    assert first["matches"][0]["name"] == "left_wrist"
    assert first["matches"][0]["start_s"] == pytest.approx(2.8, abs=0.15)
    said = kinebind(*words)
    lines = said.out.splitlines()
    assert lines[0].split()[:6] == ["score", "from,", "s", "to,", "s", "sensor"]
    assert lines[1].split()[0] == "1"
    assert lines[1].split()[-1] == "left_wrist.csv"
    assert "2 files with sensors or poses, 1 others; 0 of them embedded now." in said.out
    # Asked in another way, files are read again.
    assert kinebind(*words, "--acc-unit", "m/s2", "--json").json["index"]["embedded"] == 2


def test_bad_input_is_refused(corpus, kinebind, walk):
    kinebind("search", "left_wrist.csv", "poses.npz").refused("not a folder")
    kinebind("search", "left_wrist.csv", corpus, "--from", "5", "--to", "3").refused("before it starts")
    kinebind("search", "left_wrist.csv", corpus, "--from", "5", "--to", "5.5").refused("1 s or more")
    kinebind("search", "left_wrist.csv", corpus, "--from", "500").refused("Fewer than two samples")
    kinebind("search", "left_wrist=poses.npz", corpus).refused("no sensor", "--site")
    kinebind("search", "left_wrist=left_wrist.csv", corpus, "--site", "right_wrist").refused("Say it once")
    kinebind("search", "left_wrist.csv", corpus, "--sensor", "watch").refused("no sensor 'watch'")
    kinebind("search", "poses.npz", corpus, "--sensor", "watch").refused("no sensor 'watch'")
    kinebind("search", "poses.npz", corpus, "--person", "ann").refused("no person 'ann'")
    kinebind("search", "readme.txt", corpus).refused("readme.txt")
    kinebind("search", corpus / "readme.txt", corpus).refused("readme.txt")
    kinebind("search", "recording.toml", corpus).refused()
    both = package.Recording(people=package.read("poses.npz").people, imus=package.read("left_wrist.csv").imus)
    package.save(both, "both.kinebind")
    kinebind("search", "both.kinebind", corpus).refused("--sensor NAME", "--person NAME")
    kinebind("search", "left_wrist.csv", corpus, "--top", "0").refused("top")
    (walk / "empty").mkdir()
    kinebind("search", "left_wrist.csv", "empty").refused("nobody's poses")


def test_motions_of_a_corpus_are_filmed(walk, kinebind):
    (walk / "moves").mkdir()
    package.save(
        package.Recording(motions=(made_up_motion(6.0, np.random.default_rng(3)),)), walk / "moves" / "moves.kinebind"
    )
    said = kinebind("search", "left_wrist=left_wrist.csv", "moves", "--to", "3", "--json", "--top", "2")
    assert said.code == 0, said
    assert {m["file"] for m in said.json["matches"]} == {"moves.kinebind"}
