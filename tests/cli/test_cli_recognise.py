"""`kinebind recognise`: label tracks by words alone, in three formats, and refusals."""

from __future__ import annotations

import csv
import itertools
import json
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

from kinebind.nn import sentences
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_file import save_universal


class Letters:
    """An encoder by which letters are there."""

    name, size = "letters", 26

    def encode(self, texts):
        rows = np.asarray([[s.lower().count(chr(97 + k)) for k in range(26)] for s in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def words(walk, monkeypatch):
    """A model that has words, and an encoder that needs no extra."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(walk / "cache"))
    torch.manual_seed(0)
    config = UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8, text=26)
    save_universal(Universal(config), "words.safetensors", {"name": "tiny", "licence": "CC BY 4.0"})
    monkeypatch.setattr(sentences, "sentence_encoder", lambda name: Letters())
    return walk


ASKED = ("recognise", "poses.npz", "left_wrist=left_wrist.csv", "--model", "words.safetensors", "--out", "found")


def test_tracks_of_a_sensor_and_of_its_limb_in_every_format(kinebind, words):
    said = kinebind(*ASKED, "--labels", "walk, sit down,jump", "--window", "2", "--stays", "3")
    assert said.code == 0, said
    assert sorted(p.name for p in (words / "found").iterdir()) == [
        "labels.csv", "labels.eaf", "labels.json", "probabilities.csv",
    ]  # fmt: skip
    with open("found/labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    streams = list(dict.fromkeys(row["stream"] for row in rows))
    assert streams == ["left_wrist", "1 left_wrist"]
    own = [row for row in rows if row["stream"] == "left_wrist"]
    assert all(float(a["end_s"]) <= float(b["start_s"]) + 1e-6 for a, b in itertools.pairwise(own))
    assert {row["label"] for row in rows} <= {"walk", "sit down", "jump"}
    eaf = ET.parse("found/labels.eaf").getroot()
    assert [tier.get("TIER_ID") for tier in eaf.findall("TIER")] == streams
    values = [v.text for v in eaf.findall("TIER/ANNOTATION/ALIGNABLE_ANNOTATION/ANNOTATION_VALUE")]
    assert values == [row["label"] for row in rows]
    slots = {slot.get("TIME_SLOT_ID") for slot in eaf.findall("TIME_ORDER/TIME_SLOT")}
    used = [a.get(f"TIME_SLOT_REF{k}") for a in eaf.iter("ALIGNABLE_ANNOTATION") for k in (1, 2)]
    assert sorted(used) == sorted(slots)
    tasks = json.loads((words / "found/labels.json").read_text(encoding="utf-8"))
    regions = [r["value"]["timeserieslabels"] for task in tasks for r in task["predictions"][0]["result"]]
    assert regions == [[row["label"]] for row in rows]
    with open("found/probabilities.csv", newline="", encoding="utf-8") as file:
        windows = list(csv.DictReader(file))
    assert all(sum(float(w[n]) for n in ("walk", "sit down", "jump")) == pytest.approx(1.0, abs=2e-4) for w in windows)


def test_sentences_are_embedded_once(kinebind, words, monkeypatch):
    asked = (*ASKED, "--labels", "walk,sit", "--json")
    first = kinebind(*asked)

    class Mute(Letters):
        def encode(self, texts):
            raise AssertionError(texts)

    monkeypatch.setattr(sentences, "sentence_encoder", lambda name: Mute())
    again = kinebind(*asked)
    assert again.code == 0, again
    assert again.json["tracks"] == first.json["tracks"]


def test_labels_from_a_file_descriptions_and_unknown(kinebind, words):
    (words / "labels.txt").write_text("walk\n\nsit\n", encoding="utf-8")
    (words / "more.toml").write_text('sit = ["sit down on a chair", "be seated"]\nwalk = "go on foot"\n')
    asked = (*ASKED, "--labels", "labels.txt", "--describe", "more.toml", "--json")
    plain = kinebind(*asked)
    assert plain.code == 0, plain
    assert plain.json["labels"] == ["walk", "sit"]
    sure = kinebind(*asked, "--least", "1")
    assert {s["label"] for own in sure.json["tracks"].values() for s in own} == {"unknown"}


def test_what_cannot_be_recognised(kinebind, words, monkeypatch):
    kinebind(*ASKED, "--labels", "walk").refused("1 activities", "two at least")
    kinebind(*ASKED, "--labels", "none.txt").refused("none.txt")
    kinebind(*ASKED, "--labels", "walk,sit", "--window", "0").refused("--window 0")
    kinebind(*ASKED, "--labels", "walk,sit", "--stays", "-1").refused("--stays")
    kinebind(*ASKED, "--labels", "walk,sit", "--person", "9").refused("no person '9'")
    (words / "more.toml").write_text('squats = ["x"]')
    kinebind(*ASKED, "--labels", "walk,squat", "--describe", "more.toml").refused("is no label", "squat")
    (words / "more.toml").write_text("sit = 3")
    kinebind(*ASKED, "--labels", "walk,sit", "--describe", "more.toml").refused("no list of sentences")
    plain = UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)
    save_universal(Universal(plain), "plain.safetensors", {"name": "tiny", "licence": "CC BY 4.0"})
    without = [w if w != "words.safetensors" else "plain.safetensors" for w in ASKED]
    kinebind(*without, "--labels", "walk,sit").refused("learnt no words")
    monkeypatch.undo()
    monkeypatch.chdir(words)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    kinebind(*ASKED, "--labels", "walk,sit").refused("kinebind[text]")
    assert not (words / "found").exists()
