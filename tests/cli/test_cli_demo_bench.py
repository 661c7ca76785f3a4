"""`kinebind demo` finds what it hid; `kinebind bench` runs what it is asked and writes it down."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kinebind.bench import calibrate, kept_parts, results_file, simulate, sync, zero_shot, zero_shot_mobind
from kinebind.bench.results_file import commit, log_final, machine, write_results
from kinebind.cli import demo
from kinebind.cli.console import Screen
from kinebind.errors import InputError


def test_the_demonstration_finds_every_clock(tmp_path, kinebind, monkeypatch):
    monkeypatch.setattr(demo, "_LENGTH_S", 30.0)
    out = tmp_path / "demo"
    said = kinebind("demo", "--out", out, "--json")
    assert said.code == 0
    rows = {row["clock_id"]: row for row in said.json["truth"]}
    assert set(rows) == {"recorder", "watch", "phone", "spare"}
    assert rows["spare"]["found_offset_s"] is None
    for name, person in (("recorder", "1"), ("watch", "1"), ("phone", "2")):
        assert rows[name]["error_ms"] < 50
        assert rows[name]["found_person"] == rows[name]["true_person"] == person
    assert {"report.html", "sync.json", "aligned-1.parquet", "recording"} <= {p.name for p in out.iterdir()}
    truth = {c["clock_id"]: c for c in json.loads((out / "recording" / "truth.json").read_text())["clocks"]}
    assert truth["watch"]["offset_s"] == pytest.approx(rows["watch"]["found_offset_s"], abs=0.05)
    assert [s["name"] for s in truth["recorder"]["sensors"]] == ["left_wrist", "right_shank", "chest"]


ROWS = [
    {"clock_id": "watch", "true_offset_s": 1.8, "found_offset_s": 1.81, "true_skew_ppm": 5.0, "found_skew_ppm": 9.0,
     "error_ms": 10.4, "true_person": "1", "found_person": "1", "right": True},
    {"clock_id": "spare", "true_offset_s": 0.7, "found_offset_s": None, "true_skew_ppm": 0.0, "found_skew_ppm": None,
     "error_ms": None, "true_person": None, "found_person": None, "right": True},
    {"clock_id": "phone", "true_offset_s": 0.7, "found_offset_s": 9.0, "true_skew_ppm": 0.0, "found_skew_ppm": 0.0,
     "error_ms": 8300.0, "true_person": "2", "found_person": "1", "right": False},
]  # fmt: skip


def test_found_stands_beside_true(capsys):
    demo._show_truth(ROWS, Screen(json=False, quiet=False))
    watch, spare, phone = capsys.readouterr().out.splitlines()[-3:]
    assert watch.split() == ["watch", "+1.8000", "+1.8100", "+5", "+9", "10.4", "person", "1", "right"]
    assert spare.split() == ["spare", "+0.7000", "refused", "+0", "nobody", "right"]
    assert phone.split()[-1] == "wrong"


def test_a_demonstration_that_fails_says_so(tmp_path, kinebind, monkeypatch):
    monkeypatch.setattr(demo, "_LENGTH_S", 8.0)
    monkeypatch.setattr(demo, "_against_truth", lambda *_: ROWS)
    said = kinebind("demo", "--out", tmp_path / "demo")
    assert said.code == 3
    assert f"Look at {tmp_path / 'demo' / 'report.html'}" in said.out


# -- benchmarks -----------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the benchmarks were asked, in place of their hours."""
    calls = []

    def run(name):
        def measure(data, *, final=False, **small):
            calls.append((name, data, final, *small.values()))
            return {f"{name}_ms": 1.5, f"{name}_ms_lo": 1.0, f"{name}_ms_hi": 2.0, "clips": np.int64(3)}

        return measure

    monkeypatch.setattr(kept_parts, "commit", lambda: "unknown")
    monkeypatch.setattr(sync, "run", run("sync"))
    monkeypatch.setattr(simulate, "run", run("simulate"))
    monkeypatch.setattr(calibrate, "fit", lambda data: calls.append(("fit", data)))
    monkeypatch.setenv("KINEBIND_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return calls


def test_a_benchmark_is_run_and_written_down(asked, kinebind, tmp_path):
    said = kinebind("bench", "simulate")
    assert said.code == 0
    assert asked == [("simulate", tmp_path, False)]
    told = json.loads((tmp_path / "results" / "simulate.json").read_text())
    assert told["command"] == "kinebind bench simulate"
    assert told["variant"] == "full"
    assert told["metrics"] == {"simulate_ms": 1.5, "simulate_ms_lo": 1.0, "simulate_ms_hi": 2.0, "clips": 3}
    assert "1.5  (1 … 2)" in said.out
    assert not (tmp_path / "results" / "final_log.md").exists()


def test_runs_on_test_sets_are_logged_before_they_start(asked, kinebind, tmp_path, monkeypatch):
    said = kinebind("bench", "sync", "--final", "--fit", "--data", tmp_path, "--out", "here", "--json")
    assert said.code == 0
    assert said.json["metrics"]["clips"] == 3
    assert asked == [("fit", tmp_path), ("sync", tmp_path, True, False, None)]

    def fail(data, *, final, small, folder):
        raise InputError("No.", "Yes.")

    monkeypatch.setattr(sync, "run", fail)
    kinebind("bench", "sync", "--final", "--out", "here").refused("No.")
    lines = (tmp_path / "here" / "final_log.md").read_text().splitlines()
    assert [line.split("|")[2].strip() for line in lines[-2:]] == [
        "`kinebind bench sync --fit --final`", "`kinebind bench sync --final`",
    ]  # fmt: skip
    assert lines[0].startswith("# ")


def test_sync_goes_on_and_opens_the_test_sets_once(asked, kinebind, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_parts, "commit", lambda: 40 * "a")
    kept = Path("w/sync/test-aaaaaaaaaaaa")
    assert kinebind("bench", "sync", "--final", "--work", "w").code == 0
    (tmp_path / kept).mkdir(parents=True)
    assert kinebind("bench", "sync", "--final", "--work", "w").code == 0
    assert asked == [("sync", tmp_path, True, False, kept)] * 2
    assert (tmp_path / "results" / "final_log.md").read_text().count("bench sync --final") == 1
    # Few clips are no part of it, and what is fitted anew is something else.
    assert kinebind("bench", "sync", "--small", "--work", "w").code == 0
    assert kinebind("bench", "sync", "--fit", "--final", "--work", "w").code == 0
    assert [call[-1] for call in asked if call[0] == "sync"][2:] == [None, None]
    assert (tmp_path / "results" / "final_log.md").read_text().count("bench sync") == 2


def test_a_small_run_is_called_so_and_replaces_no_full_one(asked, kinebind, tmp_path):
    assert kinebind("bench", "sync").code == 0
    full = (tmp_path / "results" / "sync.json").read_text()
    said = kinebind("bench", "sync", "--small", "--json")
    assert asked == [("sync", tmp_path, False, False, None), ("sync", tmp_path, False, True, None)]
    assert said.json["out"] == "results/small/sync.json"
    assert (said.json["variant"], said.json["command"]) == ("small", "kinebind bench sync --small")
    assert (tmp_path / "results" / "sync.json").read_text() == full
    kinebind("bench", "sync", "--small", "--final").refused("--small")
    kinebind("bench", "simulate", "--small").refused("--small")


def test_zero_shot_trains_its_rival_first_and_opens_nothing_before(asked, kinebind, tmp_path, monkeypatch):
    rivals = [None, "mobind"]
    given = []

    def rival(data, work, minutes):
        given.append((data, work, minutes))
        return rivals.pop(0)

    def measure(data, rival, *, final, small, folder):
        asked.append((rival, final, small, folder))
        return {"r1": 0.5}

    monkeypatch.setattr(zero_shot_mobind, "rival", rival)
    monkeypatch.setattr(kept_parts, "commit", lambda: 40 * "a")
    monkeypatch.setattr(zero_shot, "run", measure)
    said = kinebind("bench", "zero-shot", "--final", "--minutes", "3", "--work", "w")
    assert (said.code, asked, given) == (0, [], [(tmp_path, Path("w"), 3.0)])
    assert "goes on" in said.out
    assert not (tmp_path / "results").exists()
    assert kinebind("bench", "zero-shot", "--final", "--work", "w").code == 0
    assert asked == [("mobind", True, False, Path("w/zero-shot/test-aaaaaaaaaaaa"))]
    told = json.loads((tmp_path / "results" / "zero_shot.json").read_text())
    assert told["command"] == "kinebind bench zero-shot --final"
    assert "zero-shot" in (tmp_path / "results" / "final_log.md").read_text()
    # A look at few clips has no time to train.
    assert kinebind("bench", "zero-shot", "--small").code == 0
    assert asked[1:] == [(None, False, True, None)]
    # What goes on after it was stopped opens the test sets no second time.
    (tmp_path / "w" / "zero-shot" / "test-aaaaaaaaaaaa").mkdir(parents=True)
    rivals.append("mobind")
    assert kinebind("bench", "zero-shot", "--final", "--work", "w").code == 0
    assert (tmp_path / "results" / "final_log.md").read_text().count("zero-shot") == 1


def test_what_cannot_be_benchmarked(asked, kinebind, tmp_path, monkeypatch):
    kinebind("bench", "sing").refused("'sing'", "sync, simulate")
    kinebind("bench", "simulate", "--fit").refused("--fit")
    kinebind("bench", "sync", "--data", "nowhere").refused("no folder nowhere", "--data")
    (tmp_path / "file").write_text("")
    kinebind("bench", "sync", "--out", "file").refused("is a file")
    monkeypatch.delenv("KINEBIND_DATA")
    kinebind("bench", "sync").refused("KINEBIND_DATA")
    assert asked == []


def test_results_hold_numbers_and_where_they_come_from(tmp_path):
    given = {"command": "kinebind bench x", "variant": "full", "folder": tmp_path / "r"}
    path = write_results("x", {"a": 1, "b": 2.5}, **given)
    told = json.loads(path.read_text())
    assert set(told) == {"command", "commit", "machine", "date", "variant", "metrics"}
    assert isinstance(told["metrics"]["a"], int)
    assert told["machine"] == machine()
    assert f"NumPy {np.__version__}" in machine()
    with pytest.raises(InputError, match="metric b"):
        write_results("x", {"b": float("nan")}, **given)
    small = write_results("x", {"a": 2}, **given | {"variant": "small"})
    assert json.loads(small.read_text())["variant"] == "small"
    assert json.loads(path.read_text()) == told
    assert list((tmp_path / "r").glob("*.json")) == [path]
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="Cannot write"):
        log_final("c", tmp_path / "f")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_that_of_the_source(tmp_path, monkeypatch):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True, capture_output=True)

    source = tmp_path / "bench" / "results_file.py"
    source.parent.mkdir()
    source.write_text("a")
    monkeypatch.setattr(results_file, "__file__", str(source))
    assert commit() == "unknown"
    git("init")
    assert commit() == "unknown"
    git("add", ".")
    git("commit", "-m", "one")
    clean = commit()
    assert len(clean) == 40
    source.write_text("b")
    assert commit() == f"{clean}+changes"
