"""`kinebind finetune align` as it is used: what is learnt from, what is told, and what is refused."""

from __future__ import annotations

import shutil

import pytest

import kinebind as package


@pytest.fixture(scope="session")
def _recorded(tmp_path_factory):
    from kinebind.cli.app import run

    folder = tmp_path_factory.mktemp("own")
    for seed in (1, 2):
        words = ["simulate", "--out", str(folder / f"take{seed}"), "--duration", "70", "--condition", "clean", "-q"]
        assert run([*words, "--seed", str(seed), "--offset", "0.7", "--skew", "0"]) == 0
    return folder


@pytest.fixture
def own(_recorded, monkeypatch):
    """A folder with two simulated takes of seventy seconds, the current one."""
    monkeypatch.chdir(_recorded)
    (_recorded / "tuned.safetensors").unlink(missing_ok=True)
    return _recorded


TAKES = ("take1/recording.toml", "take2/recording.toml")


def test_it_learns_from_clocks_that_were_found_and_writes_what_helped(own, kinebind):
    said = kinebind("finetune", "align", *TAKES, "--out", "tuned.safetensors", "--steps", "2", "--json")
    assert said.code in (0, 3), said
    told = said.json
    assert told["format"] == "kinebind-finetune-align-1"
    assert told["recordings"] == 2
    assert told["sensors"] == 4
    assert "CC BY 4.0" in told["licence"]
    assert set(told["before"]) == set(told["after"]) == {"loss", "pair_r1", "lag_hit"}
    # Found clocks are right ones: at them the model that was not tuned sees that both belong together.
    assert told["before"]["lag_hit"] > 0.4
    written = own / "tuned.safetensors"
    assert written.exists() == (said.code == 0) == (told["step"] > 0)
    assert told["after"]["loss"] <= told["before"]["loss"]
    if written.exists():
        assert package.load(written).about["tuning"]["sensors"] == 4


def test_what_cannot_be_used_is_told_or_refused(own, kinebind):
    tune = ("finetune", "align", *TAKES, "--steps", "1")
    kinebind(*tune, "--out", own).refused("is a folder")
    kinebind(*tune, "--out", "t.safetensors", "--rate", "0").refused("--rate has 0")
    kinebind(*tune, "--out", "t.safetensors", "--model", "none.safetensors").refused("no file none.safetensors")
    kinebind("finetune", "align", "none.toml", "--out", "t.safetensors").refused("none.toml")
    (own / "bare.toml").write_text('pose = "take1/poses.npz"\n[[imu]]\npath = "watch.csv"\n')
    shutil.copy(own / "take1" / "left_wrist.csv", own / "watch.csv")
    said = kinebind("finetune", "align", "bare.toml", "--out", "t.safetensors")
    said.refused("0 s of sensors with known clock, site and limb")
    assert "where it is worn is not said" in said.out
    kinebind("finetune", "align", "take1/poses.npz", "--out", "t.safetensors").refused("0 s of sensors")
    assert not (own / "t.safetensors").exists()
