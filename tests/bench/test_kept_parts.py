"""Benchmarks part by part: going on after a stop, and only where the commit is the same."""

from __future__ import annotations

import pytest

from kinebind.bench import kept_parts
from kinebind.bench.kept_parts import by_parts, folder_of
from kinebind.bench.processes import once
from kinebind.errors import InputError


def test_parts_that_are_done_are_not_done_again(tmp_path):
    done = []

    def part(name, found):
        def measure():
            done.append(name)
            value = once(lambda: done.append(f"{name}, a piece") or 0.25)
            if found is None:
                raise InputError("Stopped.", "Go on.")
            return found | {f"{name}_piece": value}

        return measure

    parts = {"one": part("one", {"a": 1, "none": float("inf")}), "two": part("two", None)}
    with pytest.raises(InputError):
        by_parts(parts, tmp_path / "kept")
    assert done == ["one", "one, a piece", "two", "two, a piece"]
    parts["two"] = part("two", {"b": 2.0})
    found = by_parts(parts, tmp_path / "kept")
    assert found == {"a": 1.0, "one_piece": 0.25, "b": 2.0, "two_piece": 0.25}
    assert done[4:] == ["two"]  # its piece was there
    # Of what is done only the figures stay.
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"one.json", "two.json"}
    assert by_parts(parts, tmp_path / "kept") == found
    assert done[5:] == []


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert by_parts({"one": lambda: {"a": 1.0}}, None) == {"a": 1.0}
    assert list(tmp_path.iterdir()) == []


def test_figures_are_kept_of_whole_commits_alone(tmp_path, monkeypatch):
    for state, name in ((40 * "b", "test-bbbbbbbbbbbb"), (40 * "b" + "+changes", None), ("unknown", None)):
        monkeypatch.setattr(kept_parts, "commit", lambda own=state: own)
        assert folder_of(tmp_path, "sync", final=True) == (name and tmp_path / "sync" / name)
    monkeypatch.setattr(kept_parts, "commit", lambda: 40 * "b")
    assert folder_of(tmp_path, "sync", final=False) == tmp_path / "sync" / "dev-bbbbbbbbbbbb"
