"""The benchmarks that compare trainings: who learns from what, and going on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kinebind.bench import free_sources, named_movements, trainings
from kinebind.errors import InputError


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
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text("")

    terms = {"paid": "CC BY-NC 4.0", "open": "free for all uses", "other": "MIT with CC BY-NC 4.0 parts"}
    monkeypatch.setattr(trainings.Corpus, "open", lambda path: Motion(terms=terms))
    monkeypatch.setattr(trainings, "build_corpus", lambda files, path, terms, jobs: path.write_text(""))
    monkeypatch.setattr(trainings, "Trainer", Trainer)
    monkeypatch.setattr(trainings, "ship", ship)
    monkeypatch.setattr(trainings.Library, "of", lambda corpus, weights: corpus)
    monkeypatch.setattr(trainings, "write_sentences", lambda corpus, path: path.write_text(" ".join(corpus)))
    monkeypatch.setattr(trainings, "read_sentences", lambda path, corpus: path.read_text())
    return done


@pytest.fixture
def in_the_package(monkeypatch):
    """Has weights be in the package that were trained on sets of some terms."""

    def put(*terms, steps=40):
        data = {str(k): {"terms": own} for k, own in enumerate(terms)}
        about = {"data": data, "training": {"steps": steps, "pairs": 1, "minutes": 1}}
        monkeypatch.setattr(free_sources, "shipped_once", lambda: SimpleNamespace(about=about))

    return put


def test_the_weights_that_are_not_in_the_package_are_trained_as_long(trained, in_the_package, tmp_path):
    in_the_package("CC BY-NC 4.0", "free for all uses", steps=40)
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    in_the_package("free for all uses", steps=50)
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    (free, sources, config, said), (every, all_sources, all_config, all_said) = trained
    # Free is what the terms say; nobody learns the words of motion that it does not see.
    assert (free, sources, said) == ("free", ("open",), "open")
    assert (every, all_sources, all_said) == ("all", ("paid", "open", "other"), "paid open other")
    assert (config.steps, all_config.steps) == (40, 50)
    assert replace(config, steps=50) == all_config
    # What is trained is not trained again; a look has a folder of its own, and few steps.
    assert free_sources.work(tmp_path, tmp_path / "w", small=False) == []
    assert len(trained) == 2
    free_sources.work(tmp_path, tmp_path / "w", small=True)
    assert [(name, config.steps) for name, _, config, _ in trained[2:]] == [("all-small", trainings.SMALL_STEPS)]


def test_weights_of_another_length_are_not_compared(trained, in_the_package, monkeypatch, tmp_path):
    in_the_package("CC BY-NC 4.0", steps=40)
    earlier = SimpleNamespace(about={"training": {"steps": 30}})
    monkeypatch.setattr(free_sources, "from_file", lambda path: earlier)
    monkeypatch.setattr(free_sources.utd, "clips", lambda folder, subjects: [])
    monkeypatch.setattr(free_sources, "validation_sources", lambda data: [])
    with pytest.raises(InputError, match="trained for 30 steps, and not for 40"):
        free_sources.metrics(tmp_path, tmp_path / "w", small=False)


def test_what_is_not_finished_is_told(trained, tmp_path):
    assert named_movements.work(tmp_path, tmp_path / "w", small=False, minutes=0.2) == [
        "recipe", "no_library", "no_words",
    ]  # fmt: skip
    assert [name for name, *_ in trained] == ["recipe", "no_library", "no_words"]


def test_without_the_library_or_words_nothing_else_differs(trained, tmp_path):
    assert named_movements.work(tmp_path, tmp_path / "w", small=False) == []
    (one, sources, config, said), (other, same_sources, without, same_said), silent = trained
    assert (one, other, sources, said) == ("recipe", "no_library", same_sources, same_said)
    assert silent == ("no_words", sources, config, None)
    assert said == "paid open other"
    assert config.steps == trainings.SHORT_STEPS
    assert config.drawing.variety.acted > 0.0
    variety = replace(without.drawing.variety, acted=config.drawing.variety.acted)
    assert replace(without, drawing=replace(without.drawing, variety=variety)) == config
