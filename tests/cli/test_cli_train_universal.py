"""`kinebind train universal`: trains, stops when its time is up, goes on, and writes a model that loads."""

from __future__ import annotations

import numpy as np
import pytest

import kinebind as package
from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import segment_motion
from kinebind.nn import sentences as encoders
from kinebind.training.corpus_file import written_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "people.kbcorpus"
    with written_corpus(path, {"made-up": "Free for all uses."}) as writer:
        for k in range(2):
            motion = made_up_motion(8.0, np.random.default_rng(k), rate_hz=60)
            writer.add(segment_motion(motion), source="made-up", group=f"p{k}")
    return path


def test_it_stops_goes_on_and_writes_a_model(corpus, tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    train = ("train", "universal", "--corpus", corpus, "--set", "train.steps=2", "--set", "body_seconds=12", "--json")
    first = kinebind(*train, "--minutes", "1e-6")
    assert first.code == 4
    assert not first.json["finished"]
    assert first.json["best"] is None
    second = kinebind(*train)
    assert second.code == 0, second
    told = second.json
    assert told["finished"]
    assert told["steps"] == 2
    assert told["pairs"] > 10
    binder = package.load(told["best"])
    assert binder.about["training"]["steps"] == 2
    assert binder.about["licence"] == "CC BY 4.0"  # as the motion is free
    assert set(binder.about["data"]) == {"made-up"}


def test_what_means_nothing_is_refused(corpus, tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    train = ("train", "universal", "--corpus", corpus)
    kinebind("train", "universal").refused("nothing to train on", "--corpus FILE")
    kinebind("train", "universal", "--corpus", "none.kbcorpus").refused("none.kbcorpus")
    kinebind(*train, "--store", "s").refused("--store means nothing for the recipe universal")
    kinebind(*train, "--minutes", "0").refused("--minutes 0")
    kinebind(*train, "--set", "train.steps=few").refused("--set has 'train.steps=few'", "train.steps")
    kinebind(*train, "--set", "train.width=8").refused("--set has 'train.width=8'")
    kinebind(*train, "--set", "steps=0").refused("--set has 'steps=0'")
    kinebind("train", "mobind-mri", "--corpus", corpus, "--data", ".").refused("--corpus is for the recipe universal")
    assert not (tmp_path / "runs").exists()


def test_words_and_an_earlier_training(corpus, tmp_path, monkeypatch, kinebind):
    class Lengths:
        name, size = "lengths", 4

        def encode(self, sentences):
            return np.asarray([[len(s), s.count("e"), s.count("a"), 1.0] for s in sentences], dtype=np.float32)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "sentence_encoder", lambda name: Lengths())
    train = ("train", "universal", "--corpus", corpus, "--set", "train.steps=1", "--set", "body_seconds=12", "--json")
    plain = kinebind(*train, "--out", "plain")
    assert plain.code == 0, plain
    after = kinebind(*train, "--out", "words", "--sentences", "s.safetensors", "--init", "plain/state.pt")
    assert after.code == 0, after
    told = package.load(after.json["best"])
    assert told.model.config.text == 4
    assert told.about["training"]["steps"] == 2  # both trainings'
    # The file is there now: nothing is embedded again.
    monkeypatch.setattr(encoders, "sentence_encoder", None)
    again = kinebind(*train, "--out", "again", "--sentences", "s.safetensors")
    assert again.code == 0, again
    (tmp_path / "x.pt").write_bytes(b"no state")
    kinebind(*train, "--out", "y", "--init", "x.pt").refused("x.pt is of another model")
    kinebind("train", "mobind-mri", "--sentences", "s", "--data", ".").refused(
        "--sentences is for the recipe universal"
    )
