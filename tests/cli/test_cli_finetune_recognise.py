"""`kinebind finetune recognise` and what it writes at work: from labelled recordings to label tracks, and refusals."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
import torch

from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_file import save_universal

LABELS = "start_s,end_s,label\n" + "".join(f"{k},{k + 1.6},{'walk' if k % 4 else 'stand'}\n" for k in range(2, 13, 2))
TUNE = ("finetune", "recognise", "own.toml", "--out", "own.safetensors", "--model", "tiny.safetensors", "--steps", "2")


@pytest.fixture
def own(walk):
    """The simulated walk with labels of its wrist, as recording.toml and as a table of four subjects."""
    torch.manual_seed(0)
    config = UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)
    save_universal(Universal(config), "tiny.safetensors", {"name": "tiny", "licence": "CC BY 4.0"})
    (walk / "labels.csv").write_text(LABELS)
    (walk / "own.toml").write_text('labels = "labels.csv"\n[[imu]]\npath = "left_wrist.csv"\nsite = "left_wrist"\n')
    rows = "".join(f"r{k},left_wrist.csv,labels.csv,subject {k}\n" for k in range(4))
    (walk / "table.csv").write_text("name,left_wrist,labels,subject\n" + rows)
    return walk


def test_from_labels_to_a_track(own, kinebind):
    said = kinebind(*TUNE, "--json")
    assert said.code == 0, said
    told = said.json
    assert told["labels"] == ["stand", "walk"]
    assert told["pieces"] == 6
    assert np.sum(told["confusion"]) == 2
    assert "fewer than four" in told["notes"][0]
    found = kinebind("recognise", "left_wrist=left_wrist.csv", "--model", "own.safetensors", "--out", "found", "--json")
    assert found.code == 0, found
    assert found.json["labels"] == ["stand", "walk"]
    assert list(found.json["tracks"]) == ["left_wrist"]
    with open("found/probabilities.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(r["stand"]) + float(r["walk"]) == pytest.approx(1.0, abs=2e-4) for r in rows)


def test_people_of_a_table_are_held_out_whole(own, kinebind):
    words = [word if word != "own.toml" else "table.csv" for word in TUNE]
    told = kinebind(*words, "--json").json
    assert (told["recordings"], told["subjects"], told["pieces"]) == (4, 4, 24)
    assert list(told["by_subject"]) in [[f"subject {k}"] for k in range(4)]
    assert np.sum(told["confusion"]) == 6
    shown = kinebind(*words, "--classes", "walk", "--rest", "else")
    assert shown.code == 0, shown
    assert "accuracy" in shown.out
    assert "else" in shown.out
    one = kinebind(*words, "--by-folder", "--json").json
    assert one["subjects"] == 4  # the table names them


def test_poses_and_sensors_are_looked_at_together(own, kinebind):
    (own / "both.toml").write_text(
        'pose = "poses.npz"\nlabels = "labels.csv"\n[[imu]]\npath = "left_wrist.csv"\nsite = "left_wrist"\n'
    )
    words = [word if word != "own.toml" else "both.toml" for word in TUNE]
    told = kinebind(*words, "--synced", "--limbs", "left_wrist,right shank", "--json")
    assert told.code == 0, told
    asked = ("recognise", "poses.npz", "left_wrist=left_wrist.csv", "--model", "own.safetensors", "--out", "found")
    found = kinebind(*asked, "--synced", "--json")
    assert found.code == 0, found
    assert len(found.json["tracks"]) == 1
    kinebind("recognise", "poses.npz", "left_wrist=left_wrist.csv", "right_shank=right_shank.csv", "--synced",
             "--model", "own.safetensors", "--out", "other").refused("2 sensors are given")  # fmt: skip


def test_what_cannot_be_learnt_from(own, kinebind):
    kinebind(*TUNE, "-q", "--classes", "stand,wlak").refused("No recording has the label 'wlak'", "walk")
    kinebind(*TUNE, "-q", "--classes", "walk").refused("1 classes")
    kinebind(*TUNE, "-q", "--window", "0.1").refused("0.1 s show no activity")
    kinebind(*TUNE, "-q", "--limbs", "elbow").refused("elbow")
    kinebind(*[w if w != "own.safetensors" else str(own) for w in TUNE], "-q").refused("is a folder")
    kinebind(*[w if w != "own.toml" else "left_wrist.csv" for w in TUNE], "-q").refused("left_wrist has no labels")
    (own / "labels.csv").write_text(LABELS.replace("start_s", "start").replace("end_s", "end"))
    late = "start,end,label\n2000,4000,walk\n5000,7000,stand\n"
    (own / "labels.csv").write_text(late)
    kinebind(*TUNE, "-q").refused("from 2000.00 to 7000.00 s", "start_ms")
    (own / "labels.csv").write_text(late.replace("000", "00000"))
    kinebind(*TUNE, "-q").refused("its streams from", "clock of the video")
    (own / "labels.csv").write_text("start,end,label\n1,3,walk\n")
    kinebind(*TUNE, "-q").refused("1 labelled pieces are too few")
    (own / "own.toml").write_text(
        'labels = "labels.csv"\n[[imu]]\npath = "left_wrist.csv"\nclock = "a"\n'
        '[[imu]]\npath = "right_shank.csv"\nclock = "b"\n'
    )
    kinebind(*TUNE, "-q").refused("2 clocks, and no video")
    assert not (own / "own.safetensors").exists()


def test_a_recogniser_has_its_own_labels(own, kinebind):
    assert kinebind(*TUNE, "-q").code == 0
    asked = ("recognise", "left_wrist.csv", "--out", "found")
    for flag, value in (("--labels", "a,b"), ("--window", "2"), ("--encoder", "x")):
        kinebind(*asked, "--model", "own.safetensors", flag, value).refused(f"{flag} means nothing for a recogniser")
    kinebind(*asked).refused("nothing to tell apart")
    kinebind(*asked, "--model", "none.safetensors").refused("no file none.safetensors")
    kinebind(*asked, "--labels", "a,b", "--synced").refused("--synced means nothing by words")
    data = bytearray((own / "own.safetensors").read_bytes())
    data[-1] ^= 1
    (own / "own.safetensors").write_bytes(data)
    kinebind(*asked, "--model", "own.safetensors").refused("damaged")


def test_labels_inside_sensor_files(own, kinebind, real_data):
    """GeoTec's watches: the file names no unit of people, folders do."""
    for subject in ("s01", "s03"):
        (own / subject).mkdir()
        shutil.copy(real_data("geotec") / "DATA" / subject / f"{subject}_01_sw.csv", own / subject)
    said = kinebind(
        "finetune", "recognise", "s01/s01_01_sw.csv", "s03/s03_01_sw.csv", "--by-folder", "--out", "watch.safetensors",
        "--model", "tiny.safetensors", "--steps", "2", "--json",
    )  # fmt: skip
    assert said.code == 0, said
    assert said.json["labels"] == ["SEATED", "SITTING_DOWN", "STANDING_UP", "TURNING", "WALKING"]
    assert said.json["subjects"] == 2
