"""The whole of the benchmark of zero-shot: its parts, and going on after it was stopped."""

from __future__ import annotations

import pytest

from kinebind.bench import zero_shot
from kinebind.errors import InputError


def test_parts_that_are_done_are_not_done_again(tmp_path, monkeypatch):
    done = []

    def part(name, found):
        def measure(run):
            done.append(name)
            if found is None:
                raise InputError("Stopped.", "Go on.")
            return found

        measure.__name__ = name
        monkeypatch.setattr(zero_shot, name, measure)

    part("_utd", {"a": 1, "b": float("inf")})
    part("_neura", {})
    part("_simulated", None)
    part("_confidence", {"c": 0.5})
    part("_training", {"d": 2.0})
    with pytest.raises(InputError):
        zero_shot.run(tmp_path, folder=tmp_path / "kept")
    part("_simulated", {"s": 0.25})
    assert zero_shot.run(tmp_path, folder=tmp_path / "kept") == {"a": 1.0, "s": 0.25, "c": 0.5, "d": 2.0}
    assert done == ["_utd", "_neura", "_simulated", "_simulated", "_confidence", "_training"]


def test_figures_are_kept_of_whole_commits_alone(tmp_path, monkeypatch):
    for state, name in ((40 * "b", "test-bbbbbbbbbbbb"), (40 * "b" + "+changes", None), ("unknown", None)):
        monkeypatch.setattr(zero_shot, "commit", lambda own=state: own)
        assert zero_shot.folder_of(tmp_path, final=True) == (name and tmp_path / "zero-shot" / name)
