"""`kinebind calibrate`: a constant lag is found, one that is none is told."""

from __future__ import annotations

import json

import numpy as np
import pytest


def result(folder, name: str, offset_s: float, site: str = "left_wrist", status: str = "answered"):
    folder.mkdir()
    answer = {
        "clock_id": "watch",
        "status": status,
        "offset_s": offset_s,
        "skew_ppm": 3.0,
        "ref_time_s": 9.0,
        "sensors": [{"site": site}],
    }
    (folder / "sync.json").write_text(json.dumps({"format": "kinebind-sync-1", "recording": name, "answers": [answer]}))
    return folder


@pytest.fixture
def days(tmp_path):
    rng = np.random.default_rng(1)
    return [result(tmp_path / f"d{k}", f"d{k}", 0.045 + rng.normal(0, 0.004)) for k in range(8)]


def test_a_constant_lag_is_found(days, kinebind):
    said = kinebind("calibrate", *days, "--json")
    assert said.code == 0
    lag = said.json["all"]
    assert lag["lag_ms"] == pytest.approx(45, abs=5)
    assert lag["low_ms"] <= lag["lag_ms"] <= lag["high_ms"]
    assert lag["clocks"] == 8
    assert "--pose-late 4" in kinebind("calibrate", *days).out


def test_known_offsets_are_taken_off(tmp_path, kinebind):
    folders, rows = [], ["recording,clock,offset_s"]
    for k, known in enumerate((12.0, -3.5, 700.25)):
        folders.append(result(tmp_path / f"d{k}", f"d{k}", known + 0.03))
        rows.append(f"d{k},watch,{known}")
    (tmp_path / "known.csv").write_text("\n".join(rows))
    said = kinebind("calibrate", *folders, "--known", tmp_path / "known.csv", "--json")
    assert said.code == 0
    assert said.json["all"]["lag_ms"] == pytest.approx(30)
    (tmp_path / "known.csv").write_text("\n".join(rows[:-1]))
    kinebind("calibrate", *folders, "--known", tmp_path / "known.csv").refused("does not know d2, watch")
    (tmp_path / "known.csv").write_text("recording,clock,offset_s\nd0,watch,soon\n")
    kinebind("calibrate", *folders, "--known", tmp_path / "known.csv").refused("line 2")


def test_sites_are_told_apart(tmp_path, kinebind):
    folders = [result(tmp_path / f"w{k}", f"w{k}", 0.045) for k in range(3)]
    folders += [result(tmp_path / f"t{k}", f"t{k}", 0.090, "right_thigh") for k in range(3)]
    said = kinebind("calibrate", *folders, "--by-site", "--json")
    assert said.json["left_wrist"]["lag_ms"] == pytest.approx(45)
    assert said.json["right_thigh"]["lag_ms"] == pytest.approx(90)


def test_what_is_no_constant(tmp_path, kinebind):
    folders = [result(tmp_path / f"d{k}", f"d{k}", 0.4 * k) for k in range(5)]
    said = kinebind("calibrate", *folders)
    assert said.code == 3
    assert "do not agree" in said.out


def test_bad_input(tmp_path, days, kinebind):
    kinebind("calibrate", *days[:2]).refused("too few")
    kinebind("calibrate", tmp_path / "none").refused("Cannot read")
    (tmp_path / "x.json").write_text("{}")
    kinebind("calibrate", tmp_path / "x.json").refused("no result of a synchronisation")
    refused = result(tmp_path / "r", "r", 0.0, status="refused")
    kinebind("calibrate", refused).refused("None of the results")
