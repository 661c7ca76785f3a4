"""Phrases, embedded: whole, of the right corpus, and the same as the encoder gave."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from kinebind import InputError
from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import segment_motion
from kinebind.nn import sentences as encoders
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_file import written_corpus
from kinebind.training.draw.moves import Library, Variety, draw_motion, labels_of
from kinebind.training.draw.words import meanings
from kinebind.training.sentences import read_sentences, write_sentences


class Hashed:
    """An encoder without meaning: every sentence has numbers of its own."""

    name, size = "hashed", 8
    asked = 0

    def encode(self, sentences):
        self.asked += len(sentences)
        rows = [np.frombuffer(hashlib.sha256(s.encode()).digest()[:8], np.uint8) for s in sentences]
        return np.asarray(rows, dtype=np.float32).reshape(-1, 8) / 255.0


def corpus_of(folder, *labels):
    path = folder / f"{'-'.join(labels)}.kbcorpus"
    with written_corpus(path, {"made-up": "Free."}) as writer:
        for k, label in enumerate(labels):
            motion = made_up_motion(3.0, np.random.default_rng(k), rate_hz=30)
            writer.add(segment_motion(motion), source="made-up", group=f"p{k}", label=label)
    return Corpus.open(path)


def test_what_was_written_is_read_with_its_meanings(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "sentence_encoder", lambda name: Hashed())
    corpus = corpus_of(tmp_path, "wave left hand", "walk")
    path = write_sentences(corpus, tmp_path / "s.safetensors")
    found = read_sentences(path, corpus)
    phrases = meanings(labels_of(corpus))
    assert (found.encoder, found.size, len(found.first)) == ("hashed", 8, len(phrases) + 1)
    assert phrases[2:4] == [("wave left hand",), ("wave right hand",)]
    expected = torch.from_numpy(Hashed().encode(["wave left hand", "wave right hand"]))
    drawn = found.drawn(torch.Generator().manual_seed(0))
    assert torch.equal(drawn[2:4], expected)
    for k in (50, 100, len(phrases) - 1):
        own = torch.from_numpy(Hashed().encode(phrases[k]))
        assert (own == drawn[k]).all(dim=1).any()
    means = torch.stack([torch.from_numpy(Hashed().encode(p)).mean(dim=0) for p in phrases])
    torch.testing.assert_close(found.mean(), means.mean(dim=0))


def test_clips_that_nobody_named_have_no_meaning(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "sentence_encoder", lambda name: Hashed())
    corpus = corpus_of(tmp_path, "", "walk")
    assert labels_of(corpus) == ("walk",)
    library = Library.of(corpus)
    assert library.label.tolist() == [-1, 0]
    nothing = dict.fromkeys((k for k in Variety().__dict__ if k != "warp"), 0.0)
    moved = draw_motion(library, 40, torch.arange(100) / 100.0, Variety(**nothing), torch.Generator().manual_seed(0))
    assert set(moved.meaning.tolist()) == {-1, 0}
    assert len(read_sentences(write_sentences(corpus, tmp_path / "s.safetensors"), corpus).first) == len(
        meanings(["walk"])
    ) + 1  # fmt: skip


def test_sentences_of_something_else_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "sentence_encoder", lambda name: Hashed())
    one, other = corpus_of(tmp_path, "walk"), corpus_of(tmp_path, "run")
    path = write_sentences(one, tmp_path / "s.safetensors")
    with pytest.raises(InputError, match="another corpus"):
        read_sentences(path, other)
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no file of sentences"):
        read_sentences(tmp_path / "x", one)
    with pytest.raises(InputError, match="no file of sentences"):
        read_sentences(tmp_path / "absent", one)
