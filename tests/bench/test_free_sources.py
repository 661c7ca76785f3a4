"""The benchmark of free motion: who learns from what, and going on where it was stopped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from kinebind.bench import free_sources


class Motion(SimpleNamespace):
    def of_sources(self, names):
        return names


@pytest.fixture
def trained(monkeypatch, tmp_path):
    done = []

    class Trainer:
        def __init__(self, config, folder, device):
            self.folder, self.step, self.steps = folder, 0, config.steps

        def train(self, library, minutes):
            done.append((self.folder.name, library, self.steps, minutes))
            return minutes is None or minutes > 0.5

    def ship(state, out):
        Path(out).parent.mkdir(parents=True)
        Path(out).write_text("")

    terms = {"paid": "CC BY-NC 4.0", "open": "free for all uses", "other": "MIT with CC BY-NC 4.0 parts"}
    monkeypatch.setattr(free_sources.Corpus, "open", lambda path: Motion(terms=terms))
    monkeypatch.setattr(free_sources, "_corpus", lambda data, folder: folder / "train.kbcorpus")
    monkeypatch.setattr(free_sources, "Trainer", Trainer)
    monkeypatch.setattr(free_sources, "ship", ship)
    monkeypatch.setattr(free_sources.Library, "of", lambda corpus, weights: corpus)
    return done


def test_free_is_what_the_terms_say_and_all_else_is_alike(trained, tmp_path):
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    assert [(name, sources) for name, sources, _, _ in trained] == [
        ("all", ("paid", "open", "other")), ("free", ("open",)),
    ]  # fmt: skip
    assert {steps for _, _, steps, _ in trained} == {free_sources.STEPS}
    # What is trained is not trained again; a look has a folder of its own.
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    assert len(trained) == 2
    free_sources.work(tmp_path, tmp_path / "w", small=True)
    assert [name for name, *_ in trained[2:]] == ["all-small", "free-small"]


def test_what_is_not_finished_is_told(trained, tmp_path):
    assert free_sources.work(tmp_path, tmp_path / "w", small=False, minutes=0.2) == ["all", "free"]
    assert [name for name, *_ in trained] == ["all", "free"]
