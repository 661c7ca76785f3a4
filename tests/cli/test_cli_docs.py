"""The page on the command line: its examples run, and its tables name the flags that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kinebind.cli.settings import LABEL_SETTINGS, SETTINGS, flag

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = (
    "align", "pose", "sync", "locate", "search", "inspect", "convert", "simulate", "embed", "recognise", "export",
    "data", "corpus", "train", "finetune", "test", "calibrate", "demo", "bench",
)  # fmt: skip
VIDEOS = {"align", "pose", "calibrate"}
"""Whose examples need a video: test_cli_align.py and test_cli_calibrate.py run them."""
MODELS = {"data", "train", "finetune", "test"}
"""Whose examples run on the page on training: tests/test_docs.py."""


def test_the_examples_run_one_after_another(tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    run = []
    for language, body in FENCES:
        if language in ("toml", "csv"):
            (tmp_path / {"toml": "recording.toml", "csv": "many.csv"}[language]).write_text(body)
        for line in body.splitlines() if language == "console" else ():
            prompt, program, *words = shlex.split(line)
            assert (prompt, program) == ("$", "kinebind")
            run.append(words[0])
            if words[0] == "demo":
                continue  # test_cli_demo_bench.py runs it
            said = kinebind(*words)
            assert said.code == 0 or (said.code == 3 and words[1].startswith("pair")), f"{line}\n{said}"
    assert set(run) == set(COMMANDS) - {"bench", "corpus", "export", "recognise"} - MODELS - VIDEOS
    written = {path.name for path in (tmp_path / "found").iterdir()}
    assert {"sync.json", "report.html", "aligned.parquet", "imu-left_wrist.parquet"} <= written
    assert (tmp_path / "all" / "summary.csv").exists()


def shown_help(kinebind, command):
    parts = {"data": ("check", "build"), "corpus": ("build", "add", "show"), "finetune": ("align", "recognise", "har")}
    if command in parts:
        return "".join(kinebind(command, part, "--help").out for part in parts[command])
    return kinebind(command, "--help").out


def test_every_flag_on_the_page_exists_and_every_setting_is_on_it(kinebind, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    there = {command: set(re.findall(r"--[a-z][a-z-]*", shown_help(kinebind, command))) for command in COMMANDS}
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE))
    assert named <= set.union(*there.values())
    assert {flag(name) for name in SETTINGS if name not in LABEL_SETTINGS} <= named
    assert all(re.search(f"`{name}`|`{name} =", PAGE) for name in LABEL_SETTINGS)
    assert there["simulate"] - there["inspect"] <= named
    for line in (line for _, body in FENCES for line in body.splitlines() if "kinebind " in line):
        command = line.replace("$", "").split()[1]
        assert set(re.findall(r"--[a-z][a-z-]*", line)) <= there[command], line


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_its_part_of_the_page(command):
    assert f"\n## {command.capitalize()}\n" in PAGE
