"""`kinebind embed`: a file of tokens for each stream, an index beside them, and refusals."""

from __future__ import annotations

import json

import numpy as np

import kinebind as package
from kinebind.nn.universal_file import save_universal
from kinebind.tasks import binder


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_sensors_and_their_limbs(kinebind, walk):
    said = kinebind("embed", "poses.npz", "left_wrist=left_wrist.csv", "R_LowLeg=right_shank.csv", "--out", "found")
    assert said.code == 0, said
    streams = ["imu-left_wrist.npz", "imu-right_shank.npz", "pose-1-left_wrist.npz", "pose-1-right_shank.npz"]
    assert names(walk / "found") == sorted(["embed.json", *streams])
    assert all(name in said.out for name in streams)
    imu = package.read("left_wrist.csv", site="left_wrist").imus[0]
    wanted = package.load().embed_imu(imu)
    with np.load("found/imu-left_wrist.npz") as found:
        assert np.array_equal(found["tokens"], wanted.tokens)
        assert np.array_equal(found["time_s"], wanted.time_s)
        assert np.array_equal(found["there"], wanted.there)
        assert (str(found["site"]), str(found["name"])) == ("left_wrist", "left_wrist")


def test_the_licence_is_told_on_the_side(kinebind, walk, monkeypatch):
    monkeypatch.setattr(binder, "_told", set())
    said = kinebind("embed", "left_wrist.csv", "--out", "found")
    assert "CC BY 4.0" in said.err
    assert "CC BY 4.0" not in said.out


def test_as_json_the_index_is_told(kinebind, walk):
    said = kinebind("embed", "recording.toml", "--out", "found", "--json")
    told = said.json
    assert told["format"] == "kinebind-embed-1"
    assert "CC BY 4.0" in told["licence"]
    assert told["out"] == "found"
    assert {row["file"] for row in told["streams"]} == set(names(walk / "found")) - {"embed.json"}
    assert all(row["tokens"] > 120 and row["width"] == 64 and row["there"] > 0.9 for row in told["streams"])
    index = json.loads((walk / "found" / "embed.json").read_text(encoding="utf-8"))
    assert index["streams"] == told["streams"]


def test_quiet_says_nothing_beside_the_result(kinebind, walk, monkeypatch):
    monkeypatch.setattr(binder, "_told", set())
    said = kinebind("embed", "left_wrist.csv", "--out", "found", "-q")
    assert (said.code, said.err) == (0, "")


def test_limbs_are_chosen_by_name_and_earlier_files_go(kinebind, walk):
    assert kinebind("embed", "poses.npz", "--out", "found", "-q").code == 0
    assert len(names(walk / "found")) == 1 + 13
    (walk / "found" / "mine.npz").write_bytes(b"")
    said = kinebind("embed", "poses.npz", "--sites", "head,left_forearm", "--out", "found", "--person", "1")
    assert said.code == 0, said
    assert names(walk / "found") == ["embed.json", "mine.npz", "pose-1-head.npz", "pose-1-left_wrist.npz"]


def test_another_model(kinebind, walk):
    save_universal(package.load().model, "mine.safetensors", {"licence": "MIT"})
    said = kinebind("embed", "left_wrist.csv", "--model", "mine.safetensors", "--out", "found", "--json")
    assert "MIT" in said.json["licence"]
    kinebind("embed", "left_wrist.csv", "--model", "left_wrist.csv", "--out", "found").refused("left_wrist.csv")
    kinebind("embed", "left_wrist.csv", "--model", ".", "--out", "found").refused("contract.json")


def test_bad_input_writes_nothing(kinebind, walk):
    before = names(walk)
    kinebind("embed", "left_wrist=left_wrist.csv", "--acc-unit", "g", "--out", "found").refused("m/s2")
    kinebind("embed", "poses.npz", "--sites", "chin", "--out", "found").refused("chin", "left_wrist")
    kinebind("embed", "poses.npz", "--person", "9", "--out", "found").refused("no person '9'", "It has: 1")
    kinebind("embed", "nowhere.npz", "--out", "found").refused("nowhere.npz")
    kinebind("embed", "recording.toml", "poses.npz", "--out", "found").refused("Name it alone")
    kinebind("embed", "poses.npz", "--out", "poses.npz").refused("is a file")
    kinebind("embed", "poses.npz").refused("--out")
    assert names(walk) == before


def test_the_contract_is_kept_after_reading_and_waived_with_no_check(kinebind, walk):
    words = ("embed", "left_wrist=left_wrist.csv", "--acc-unit", "g", "--no-check", "--out", "found")
    assert kinebind(*words).code == 0
