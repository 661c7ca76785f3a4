"""By words alone: labels become sentences, and what a model says nearest to them is the answer."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

import made_up_body
from kinebind import InputError
from kinebind.clock import ClockMap
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.tasks.recognise import prompts as prompts_module
from kinebind.tasks.recognise.by_words import ByWords
from kinebind.tasks.recognise.prompts import TEMPLATES, prompts


class Letters:
    """An encoder by which letters are there: enough to tell labels apart."""

    name, size = "letters", 26

    def encode(self, sentences):
        rows = [[s.lower().count(chr(97 + k)) for k in range(26)] for s in sentences]
        rows = np.asarray(rows, dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8, text=26)).eval()


@pytest.fixture(scope="module")
def streams():
    return made_up_body.take(3, 8.0, ClockMap(0.0))


def test_a_track_of_a_sensor_and_of_a_limb(model, streams):
    poses, imus = streams
    words = ByWords(model, Letters(), ["walk", "sit_down", "jump"])
    for track in (words.of_imu(imus[0], window_s=2.0), words.of_poses(poses, "left_wrist", window_s=2.0)):
        assert track.names == ("walk", "sit_down", "jump")
        assert track.probabilities.sum(axis=1) == pytest.approx(1.0)
        assert (track.stride_s, track.tells_s) == (0.5, 2.0)
        assert np.diff(track.time_s) == pytest.approx(0.5)
        # From the beginning of the stream to its end.
        assert len(track.time_s) == pytest.approx(16, abs=1)
        assert track.time_s[0] == pytest.approx(0.25, abs=0.15)


def test_the_window_by_itself_says_the_same(model, streams):
    """With attention that reaches 1.5 s, the middle of a long stream is that of its surroundings."""
    _, imus = streams
    words = ByWords(model, Letters(), ["walk", "sit"])
    whole = words.of_imu(imus[0], window_s=1.0, stride_s=0.1)
    part = words.of_imu(imus[0].slice_s(1.0, 7.0), window_s=1.0, stride_s=0.1)
    at = int(np.argmin(np.abs(whole.time_s - 4.0)))
    own = int(np.argmin(np.abs(part.time_s - whole.time_s[at])))
    assert part.probabilities[own] == pytest.approx(whole.probabilities[at], abs=0.05)


def test_what_was_said_is_nearest_to_its_own_sentence(model):
    words = ByWords(model, Letters(), ["walk", "jump", "sit"])
    rows = torch.from_numpy(Letters().encode(prompts("jump")))
    assert words.scores(model.sentences(rows)).argmax(axis=1).tolist() == [1] * len(rows)


def test_descriptions_change_what_a_label_means(model):
    plain = ByWords(model, Letters(), ["walk", "a1"])
    told = ByWords(model, Letters(), ["walk", "a1"], {"a1": ["zigzag zigzag"]})
    zigzag = torch.from_numpy(Letters().encode(["zigzag"]))
    assert told.scores(zigzag)[0, 1] > plain.scores(zigzag)[0, 1]


def test_a_sensor_that_measured_nothing_has_no_answer(model, streams):
    _, imus = streams
    blank = imus[0].replace(acc_sensor=np.full_like(imus[0].acc_sensor, np.nan))
    found = ByWords(model, Letters(), ["walk", "sit"]).of_imu(blank)
    assert np.isnan(found.probabilities).all()
    assert found.stretches() == []


def test_what_cannot_be_asked_is_refused(model):
    with pytest.raises(InputError, match="no choice"):
        ByWords(model, Letters(), ["walk", "walk"])
    with pytest.raises(InputError, match="no word in it"):
        ByWords(model, Letters(), ["walk", "__"])
    with pytest.raises(InputError, match="Did you mean squat") as caught:
        ByWords(model, Letters(), ["walk", "squat"], {"squats": ["bend the knees"]})
    assert "is no label" in str(caught.value)
    with pytest.raises(InputError, match="learnt no words"):
        ByWords(Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)), Letters(), ["a", "b"])

    class Other(Letters):
        size = 5

    with pytest.raises(InputError, match="26 numbers"):
        ByWords(model, Other(), ["a", "b"])


def test_examples():
    assert doctest.testmod(prompts_module).failed == 0
    assert len(prompts("walk", ["walk"])) == len(TEMPLATES)
