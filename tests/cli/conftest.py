"""A command line as a user types it, and a small simulated recording to type about."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinebind.cli.app import run


@dataclass
class Said:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON, all of it."""
        return json.loads(self.out)

    def refused(self, *words: str) -> None:
        """The command failed as bad input does: exit code 2, `error:` with these words, `fix:`, no traceback."""
        assert self.code == 2, self
        assert self.err.startswith("error: "), self.err
        assert "\nfix: " in self.err, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err, self.err


@pytest.fixture
def kinebind(capsys):
    """Function of a command line's words: runs it in this process and returns what it `Said`."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


OFFSET_S = 1.2


@pytest.fixture(scope="session")
def _simulated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    words = ["simulate", "--out", str(folder), "--duration", "14", "--offset", str(OFFSET_S), "--skew", "0", "-q"]
    assert run([*words, "--condition", "clean", "--seed", "5"]) == 0
    # A sensor that lay still, in g, without a unit in its header.
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.arange(1400) / 100, rng.normal([0, 0, 1], 0.002, (1400, 3))])
    np.savetxt(folder / "spare.csv", rows, delimiter=",", header="time,ax,ay,az", comments="", fmt="%.5f")
    return folder


@pytest.fixture
def walk(_simulated, tmp_path, monkeypatch) -> Path:
    """The working folder: poses.npz, left_wrist.csv, right_shank.csv, spare.csv (still), recording.toml, truth.json.

    Both worn sensors share a clock that is `OFFSET_S` behind the video's.
    """
    folder = tmp_path / "walk"
    shutil.copytree(_simulated, folder)
    monkeypatch.chdir(folder)
    return folder
