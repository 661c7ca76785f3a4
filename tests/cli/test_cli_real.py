"""Real files as they come: that they are understood, and end with the exit code that they should."""

from __future__ import annotations

import json

import pytest

MTW = {
    "pelvis": "B91", "left_thigh": "C45", "right_thigh": "C3C", "left_shank": "C44", "right_shank": "C47",
    "left_foot": "C55", "right_foot": "C48",
}  # fmt: skip


@pytest.mark.parametrize("capture", ["rawvicon/S02-Trial-Walk-1.mat", "vicon/S02-Trial-Walk-1.csv"])
def test_raw_mtw_files_beside_vicon(real_data, kinebind, tmp_path, capture):
    root = real_data("neura-walk") / "data" / "sample"
    sensors = [f"{site}={root}/rawimu/S02-Trial-Walk-1-000_00B40{device}.txt" for site, device in MTW.items()]
    said = kinebind("sync", root / capture, *sensors, "--out", tmp_path / "walk", "--json")
    assert said.code in (0, 3), said.err
    (answer,) = said.json["answers"]
    assert said.code == (0 if answer["status"] == "answered" else 3)
    # Files of one export share its clock.
    assert answer["clock_id"] == "S02-Trial-Walk-1-000"
    assert [s["name"] for s in answer["sensors"]] == list(MTW)
    assert all(s["given"] for s in answer["sensors"])
    assert any("virtual camera" in note for note in said.json["inputs"]["people"][0]["notes"])
    assert (tmp_path / "walk" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("clip", ["a3_s1_t1", "a27_s3_t2"])
def test_utd_mhad_clips(real_data, kinebind, tmp_path, clip):
    root = real_data("utd-mhad")
    files = (root / "Skeleton" / f"{clip}_skeleton.mat", root / "Inertial" / f"{clip}_inertial.mat")
    said = kinebind("sync", *files, "--out", tmp_path / "clip", "--json", "--search", "-1:1")
    assert said.code in (0, 3), said.err
    (answer,) = said.json["answers"]
    assert said.code == (0 if answer["status"] == "answered" else 3)
    # The file's name tells the action, and that where the sensor was.
    assert answer["sensors"][0]["site"] == ("right_wrist" if clip.startswith("a3") else "right_thigh")
    assert json.loads((tmp_path / "clip" / "sync.json").read_text())["answers"][0]["clock_id"] == f"{clip}_inertial"


def test_many_utd_mhad_clips_by_a_table(real_data, kinebind, tmp_path):
    root = real_data("utd-mhad")
    rows = ["name,pose,imu,search"]
    for clip in ("a1_s1_t1", "a18_s1_t2", "a99_s9_t9"):
        rows.append(f"{clip},{root}/Skeleton/{clip}_skeleton.mat,{root}/Inertial/{clip}_inertial.mat,-1:1")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    said = kinebind("sync", tmp_path / "clips.csv", "--json")
    assert said.code == 3
    assert ["answers" in r for r in said.json["recordings"]] == [True, True, False]


def test_watch_and_phone_without_a_video(real_data, kinebind):
    watch = min((real_data("geotec") / "DATA" / "s01").rglob("*sw*.csv"))
    phone = watch.with_name(watch.name.replace("sw", "sp"))
    said = kinebind("sync", watch, phone, "--json")
    assert said.code in (0, 3), said.err
    assert said.json["reference"] == watch.stem
    assert said.json["answers"][0]["clock_id"] == phone.stem
    assert kinebind("inspect", watch, phone).code == 0


@pytest.mark.parametrize(
    ("name", "pattern", "word"),
    [
        ("xsens-files", "**/*.csv", "xsens-dot"), ("bandai-namco", "*/data/*walk*.bvh", "bvh"),
        ("cmu-asfamc", "**/02_01.amc", "amc"), ("openpack-u0209-s0500", "**/atr01/*.csv", "openpack-atr"),
    ],
)  # fmt: skip
def test_inspect_knows_real_files(real_data, kinebind, name, pattern, word):
    path = sorted(real_data(name).glob(pattern))[0]
    said = kinebind("inspect", path, "--json")
    assert said.code == 0, said.out
    assert said.json["files"][0]["format"] == word


def test_simulate_from_real_motion_and_find_it_again(real_data, kinebind, tmp_path):
    path = max(real_data("bandai-namco").glob("*/data/*.bvh"), key=lambda p: p.stat().st_size)
    words = ("--sites", "left_wrist,right_wrist,left_shank,right_shank", "--condition", "clean", "--offset", "0.5")
    assert kinebind("simulate", path, *words, "--out", tmp_path / "sim").code == 0
    said = kinebind("sync", tmp_path / "sim" / "recording.toml", "--json")
    (answer,) = said.json["answers"]
    assert answer["offset_s"] == pytest.approx(0.5, abs=0.05)
