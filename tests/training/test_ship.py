"""Shipping: the averaged weights go into one file that says what they were made from."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import segment_motion
from kinebind.errors import InputError
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_file import read_universal
from kinebind.training import ship as module
from kinebind.training.corpus_file import written_corpus
from kinebind.training.ship import config_of, main, ship

SMALL = UniversalConfig(width=12, stem=4, blocks=2, heads=3, token=5)


@pytest.fixture
def state(tmp_path):
    torch.manual_seed(0)
    model, mean = Universal(SMALL), Universal(SMALL)
    torch.save(
        {"model": model.state_dict(), "mean": mean.state_dict(), "step": 7, "pairs": 70, "seconds": 90.0},
        tmp_path / "state.pt",
    )
    return tmp_path / "state.pt"


@pytest.fixture
def corpus(tmp_path):
    with written_corpus(tmp_path / "c.kbcorpus", {"one": "Not for sale.", "two": "Free."}) as writer:
        motion = segment_motion(made_up_motion(3.6, np.random.default_rng(0), rate_hz=30))
        writer.add(motion, source="one", group="p", label="wave", name="clip")
    return tmp_path / "c.kbcorpus"


def test_sizes_are_read_off_the_weights():
    for config in (SMALL, UniversalConfig()):
        assert config_of(Universal(config).state_dict()) == config


def test_the_mean_ships_with_its_origin(state, corpus, tmp_path):
    path = ship(state, tmp_path / "out.safetensors", corpus=corpus, commit="abc", provisional=True)
    found = read_universal(path)
    mean = torch.load(state, weights_only=True)["mean"]
    assert all(torch.equal(found.model.state_dict()[name], tensor) for name, tensor in mean.items())
    assert found.about["licence"] == "CC BY-NC 4.0"
    assert found.about["commit"] == "abc"
    assert found.about["provisional"] is True
    assert found.about["figures"] == "results/zero_shot.json"
    assert found.about["training"] == {"steps": 7, "pairs": 70, "minutes": 1.5}
    assert found.about["data"]["one"] == {"clips": 1, "hours": 0.001, "terms": "Not for sale."}


def test_what_cannot_ship_is_told(state, tmp_path, monkeypatch):
    out = tmp_path / "out.safetensors"
    with pytest.raises(InputError, match="no file"):
        ship(tmp_path / "gone.pt", out)
    (tmp_path / "text.pt").write_text("nothing")
    with pytest.raises(InputError, match="not a training's state"):
        ship(tmp_path / "text.pt", out)
    torch.save({"a": 1}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="not the universal model's training"):
        ship(tmp_path / "other.pt", out)
    torch.save({"mean": {"weight": torch.zeros(1)}}, tmp_path / "plain.pt")
    with pytest.raises(InputError, match="no universal model's"):
        ship(tmp_path / "plain.pt", out)
    spoilt = torch.load(state, weights_only=True)
    spoilt["mean"]["pair_scale"].fill_(float("nan"))
    torch.save(spoilt, tmp_path / "nan.pt")
    with pytest.raises(InputError, match="not finite"):
        ship(tmp_path / "nan.pt", out)
    monkeypatch.setattr(module, "LARGEST_BYTES", 1000)
    with pytest.raises(InputError, match="may ship"):
        ship(state, out)
    assert not out.exists()


def test_as_a_program(state, tmp_path, monkeypatch, capsys):
    words = ["ship", str(state), "--out", str(tmp_path / "out.safetensors")]
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 0
    assert "MB" in capsys.readouterr().out
    assert read_universal(tmp_path / "out.safetensors").about["provisional"] is False
    monkeypatch.setattr(sys, "argv", ["ship", str(tmp_path / "gone.pt"), *words[2:]])
    assert main() == 2
    assert "fix: " in capsys.readouterr().err
