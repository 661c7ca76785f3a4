"""The benchmarks of short trainings: who learns from what, and going on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kinebind.bench import free_sources, named_movements, short_trainings


class Motion(SimpleNamespace):
    def of_sources(self, names):
        return names


@pytest.fixture
def trained(monkeypatch, tmp_path):
    done = []

    class Trainer:
        def __init__(self, config, folder, device, *, sentences):
            self.folder, self.step, self.config, self.sentences = folder, 0, config, sentences

        def train(self, library, minutes):
            done.append((self.folder.name, library, self.config, self.sentences))
            return minutes is None or minutes > 0.5

    def ship(state, out):
        Path(out).parent.mkdir(parents=True)
        Path(out).write_text("")

    terms = {"paid": "CC BY-NC 4.0", "open": "free for all uses", "other": "MIT with CC BY-NC 4.0 parts"}
    monkeypatch.setattr(short_trainings.Corpus, "open", lambda path: Motion(terms=terms))
    monkeypatch.setattr(short_trainings, "build_corpus", lambda files, path, terms, jobs: path.write_text(""))
    monkeypatch.setattr(short_trainings, "Trainer", Trainer)
    monkeypatch.setattr(short_trainings, "ship", ship)
    monkeypatch.setattr(short_trainings.Library, "of", lambda corpus, weights: corpus)
    monkeypatch.setattr(named_movements, "write_sentences", lambda corpus, path: path.write_text(""))
    monkeypatch.setattr(named_movements, "read_sentences", lambda path, corpus: "sentences")
    return done


def test_free_is_what_the_terms_say_and_all_else_is_alike(trained, tmp_path):
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    assert [(name, sources) for name, sources, _, _ in trained] == [
        ("all", ("paid", "open", "other")), ("free", ("open",)),
    ]  # fmt: skip
    assert {config.steps for _, _, config, _ in trained} == {short_trainings.STEPS}
    # What is trained is not trained again; a look has a folder of its own.
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    assert len(trained) == 2
    free_sources.work(tmp_path, tmp_path / "w", small=True)
    assert [name for name, *_ in trained[2:]] == ["all-small", "free-small"]


def test_what_is_not_finished_is_told(trained, tmp_path):
    assert free_sources.work(tmp_path, tmp_path / "w", small=False, minutes=0.2) == ["all", "free"]
    assert [name for name, *_ in trained] == ["all", "free"]


def test_without_the_library_or_words_nothing_else_differs(trained, tmp_path):
    assert named_movements.work(tmp_path, tmp_path / "w", small=False) == []
    (one, sources, config, said), (other, same_sources, without, same_said), silent = trained
    assert (one, other, sources, said) == ("recipe", "no_library", same_sources, same_said)
    assert silent == ("no_words", sources, config, None)
    assert said == "sentences"
    assert config.drawing.variety.acted > 0.0
    variety = replace(without.drawing.variety, acted=config.drawing.variety.acted)
    assert replace(without, drawing=replace(without.drawing, variety=variety)) == config
