"""`kinebind locate` as it is used: who wears what, what is refused, what is written."""

from __future__ import annotations

import json

import pytest

from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.cli import locate as module

OFFSET_S = 1.2
ARMS_AND_LEGS = ("--sites", "left_wrist,right_wrist,left_shank,right_shank")
NEAR = ("--search", "0.9:1.5", *ARMS_AND_LEGS)
BOTH = ("left_wrist=left_wrist.csv", "right_shank=right_shank.csv")


@pytest.fixture
def quick(monkeypatch):
    """Plain correlation in the place of the model."""

    class Instead:
        def matcher(self, *, told):
            return CorrelationMatcher()

    monkeypatch.setattr(module, "binder_by", lambda path: Instead())


def found(said):
    return {row["sensor"]: row for row in said.json["sensors"]}


def test_the_shipped_model_finds_the_wearer_and_the_site(walk, kinebind):
    (walk / "left_wrist.csv").rename("watch.csv")  # a name that tells no site
    said = kinebind("locate", "poses.npz", "watch.csv", "--search", "1.1:1.3", *ARMS_AND_LEGS, "--json")
    assert said.code == 0, said
    row = found(said)["watch"]
    assert (row["status"], row["person"], row["site"], row["declared_site"]) == ("found", "1", "left_wrist", None)
    assert said.json["lags_s"] == {"watch": pytest.approx(OFFSET_S, abs=0.05)}


@pytest.mark.usefixtures("quick")
def test_a_line_for_each_sensor(walk, kinebind):
    said = kinebind("locate", "poses.npz", *BOTH, "--shared-clock", *NEAR)
    assert said.code == 0, said
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].split() == ["sensor", "person", "site", "sure", "note"]
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["left_wrist", "1", "left_wrist"],
        ["right_shank", "1", "right_shank"],
    ]
    assert "shared: fits best +1.2" in said.out


@pytest.mark.usefixtures("quick")
def test_swapped_sides_are_told(walk, kinebind):
    said = kinebind("locate", "poses.npz", "right_wrist=left_wrist.csv", *NEAR, "--json")
    (row,) = said.json["sensors"]
    assert (row["site"], row["declared_site"], row["swapped"]) == ("left_wrist", "right_wrist", True)
    assert "Left and right are swapped" in row["note"]


@pytest.mark.usefixtures("quick")
def test_the_clocks_of_a_synchronisation_are_used(walk, kinebind):
    assert kinebind("sync", "poses.npz", *BOTH, "--search", "0:3", "--out", "found", "-q").code == 0
    said = kinebind("locate", "poses.npz", *BOTH, "--clocks", "found/sync.json", *ARMS_AND_LEGS, "--json")
    assert said.code == 0, said
    assert {row["person"] for row in said.json["sensors"]} == {"1"}
    assert not said.json["notes"]


@pytest.mark.usefixtures("quick")
def test_what_is_not_located_is_code_3_and_written_all_the_same(walk, kinebind):
    words = ("--acc-unit", "g", "--time-unit", "s")
    said = kinebind("locate", "poses.npz", "spare.csv", *words, "--out", "where", "--json")
    assert said.code == 3
    (row,) = said.json["sensors"]
    assert (row["status"], row["person"]) == ("unusable", None)
    assert "nothing moves" in row["note"]
    assert said.json["out"] == "where"
    written = json.loads((walk / "where" / "locate.json").read_text())
    assert written["sensors"] == said.json["sensors"]
    assert written["inputs"]["imus"][0]["name"] == "spare"
    assert [p.name for p in (walk / "where").iterdir()] == ["locate.json"]
    shown = kinebind("locate", "poses.npz", "spare.csv", *words, "--out", "where")
    assert "unusable" in shown.out
    assert "Written to where: locate.json" in shown.out


@pytest.mark.usefixtures("quick")
def test_without_offsets_clocks_are_taken_as_right_and_that_is_said(walk, kinebind):
    said = kinebind("locate", "recording.toml", *ARMS_AND_LEGS)
    assert "taken to run on the video's clock" in said.out
    assert "taken to run" not in kinebind("locate", "recording.toml", *ARMS_AND_LEGS, "-q").out


@pytest.mark.usefixtures("quick")
def test_bad_input_is_refused(walk, kinebind):
    kinebind("locate", *BOTH).refused("nobody's poses")
    kinebind("locate", "poses.npz").refused("no sensor")
    kinebind("locate", "poses.npz", *BOTH, "--search", "-60:60").refused("too wide", "kinebind sync")
    kinebind("locate", "poses.npz", *BOTH, "--person", "ann").refused("no person 'ann'")
    kinebind("locate", "poses.npz", *BOTH, "--sites", "tail").refused("tail")
    kinebind("locate", "poses.npz", *BOTH, "--clocks", "truth.json").refused("no result of a synchronisation")
    kinebind("locate", "poses.npz", *BOTH, "--clocks", "none.json").refused("none.json")
    kinebind("locate", "recording.toml", "poses.npz").refused("Name it alone")
    answers = {"format": "kinebind-sync-1", "answers": []}
    (walk / "empty.json").write_text(json.dumps(answers))
    kinebind("locate", "poses.npz", *BOTH, "--clocks", "empty.json").refused("answers none of the clocks")
