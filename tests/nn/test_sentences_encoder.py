"""Encoders of sentences: the one of the extra where it is installed, what is missing told, and nothing asked twice."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kinebind import InputError
from kinebind.nn.sentences import DEFAULT, Remembered, _check, sentence_encoder


class Counting:
    name, size = "counting", 3

    def __init__(self):
        self.asked = []

    def encode(self, sentences):
        self.asked += sentences
        return np.asarray([[len(s), 0.0, 1.0] for s in sentences], dtype=np.float32)


def test_what_was_encoded_is_remembered(tmp_path):
    encoder = Counting()
    remembered = Remembered(encoder, tmp_path / "cache")
    assert remembered.encode(["walk", "run"])[:, 0].tolist() == [4.0, 3.0]
    again = Remembered(encoder, tmp_path / "cache")
    assert again.encode(["run", "sit", "walk"])[:, 0].tolist() == [3.0, 3.0, 4.0]
    assert encoder.asked == ["walk", "run", "sit"]
    assert (again.name, again.size) == ("counting", 3)
    assert again.encode([]).shape == (0, 3)


def test_a_damaged_memory_is_done_without(tmp_path):
    remembered = Remembered(Counting(), tmp_path)
    remembered.encode(["walk"])
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"")
    assert remembered.encode(["walk"])[0, 0] == 4.0
    (tmp_path / "file").write_text("")
    assert Remembered(Counting(), tmp_path / "file").encode(["walk"])[0, 0] == 4.0


def test_without_the_extra_its_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InputError, match=r"kinebind\[text\]"):
        sentence_encoder()


@pytest.mark.parametrize("text", ["", "  ", "12 ++", "3."])
def test_what_has_no_word_is_refused(text):
    with pytest.raises(InputError, match="no word"):
        _check(text, "any")


def test_a_script_that_the_encoder_does_not_know_is_refused():
    for text in ("歩く", "гулять", "يمشي"):
        with pytest.raises(InputError, match="script"):
            _check(text, DEFAULT)
        _check(text, "a multilingual one")
    for text in ("walk", "élever le bras", "gehen über"):
        _check(text, DEFAULT)


def test_the_packaged_encoder_knows_what_is_alike():
    encoder = sentence_encoder()
    assert (encoder.name, encoder.size) == (DEFAULT, 384)
    walk, stroll, swim = encoder.encode(["a person walks", "somebody is strolling along", "swimming in a pool"])
    assert walk @ walk == pytest.approx(1.0, abs=1e-5)
    assert walk @ stroll > walk @ swim + 0.1
    with pytest.raises(InputError, match="no encoder"):
        sentence_encoder("/nowhere/at/all")
