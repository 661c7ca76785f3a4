"""Windows, training, tests and fine-tuning, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import kinebind as package
import made_up_people
from kinebind.cli.app import run
from kinebind.store import load, save
from kinebind.tasks.sync.annotations import Annotation, write_annotations


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """people/NAME/swing.kinebind, tiny.toml, a store of them, and a training of two epochs in run."""
    root = made_up_people.folder(tmp_path_factory.mktemp("models"))
    recipe, store = str(root / "tiny.toml"), str(root / "store")
    assert run(["data", "build", recipe, "--data", str(root / "people"), "--out", store, "-q"]) == 0
    assert run(["train", recipe, "--store", store, "--out", str(root / "run"), "--device", "cpu", "-q"]) == 0
    return root


@pytest.fixture
def here(made, monkeypatch) -> Path:
    monkeypatch.chdir(made)
    return made


BEST = "run/best.safetensors"
DEVICE = ("--device", "cpu")


@pytest.mark.usefixtures("here")
def test_a_folder_of_recordings_becomes_windows(kinebind, tmp_path):
    said = kinebind("data", "build", "tiny.toml", "--data", "people", "--out", tmp_path / "store", "--json")
    assert said.code == 0
    told = said.json
    assert told["splits"] == {
        "train": {"takes": 2, "windows": 62}, "val": {"takes": 1, "windows": 31}, "test": {"takes": 1, "windows": 31},
    }  # fmt: skip
    assert told["length_s"] == pytest.approx(64.0)
    assert sorted(told["labels"]) == ["fast", "slow"]
    changed = kinebind(
        "data", "build", "tiny.toml", "--data", "people", "--out", tmp_path / "store", "--set", 'data.test=["emil"]'
    )
    assert "Not there, though the recipe names them: folder emil." in changed.out


def test_a_training_stops_when_its_time_is_up_and_goes_on(kinebind, here, tmp_path):
    """From a data folder, in slices of one step; the windows are made once and then found."""
    words = ("train", "tiny.toml", "--out", tmp_path / "run", *DEVICE, "--json")
    said = kinebind(*words, "--data", "people", "--minutes", "1e-9")
    assert (said.code, said.json["finished"], said.json["best_r1"]) == (4, False, None)
    codes = []
    while not codes or codes[-1] == 4:
        said = kinebind(*words, "--minutes", "1e-9")
        codes.append(said.code)
    assert codes == [4, 4, 4, 4, 0]  # of 2 epochs of 3 batches
    whole = kinebind("train", "tiny.toml", "--store", "store", "--out", tmp_path / "whole", *DEVICE, "--json").json
    assert said.json["history"] == whole["history"]
    assert said.json["windows"] == {"train": 62, "val": 31}
    again = kinebind(*words)
    assert (again.code, again.json["epochs"]) == (0, 2)
    longer = kinebind(*words, "--set", "train.max_epochs=3")
    assert (longer.code, longer.json["epochs"]) == (0, 3)
    assert (here / "people").is_dir()


def test_what_training_says_for_people(kinebind, here, tmp_path):
    said = kinebind("train", "tiny.toml", "--store", "store", "--out", tmp_path, *DEVICE, "--set", "train.seed=7")
    assert said.code == 0
    assert "2 epochs: finished." in said.out
    assert "Best validation R@1 0." in said.out
    assert "62 windows to train on, 31 to choose by, on cpu." in said.err
    assert "train.seed = 7" in (tmp_path / "recipe.toml").read_text(encoding="utf-8")
    assert not (tmp_path / "tensorboard").exists()
    more = ("--set", "train.seed=7", "--set", "train.max_epochs=3", "--tensorboard")
    assert kinebind("train", "tiny.toml", "--store", "store", "--out", tmp_path, *DEVICE, *more).code == 0
    assert list((tmp_path / "tensorboard").iterdir())
    assert here.is_dir()


@pytest.mark.usefixtures("here")
def test_a_training_can_start_from_another(kinebind, tmp_path):
    words = ("train", "tiny.toml", "--store", "store", *DEVICE, "--set", "train.starts_from=tiny", "-q")
    kinebind(*words, "--out", tmp_path / "a").refused("goes on from tiny, whose model is not given")
    assert kinebind(*words, "--out", tmp_path / "b", "--init", BEST).code == 0


@pytest.mark.usefixtures("here")
def test_retrieval_with_sensors_dropped(kinebind, tmp_path):
    said = kinebind(
        "test", "retrieval", BEST, "--store", "store", "--drop", "1,0", "--out", tmp_path, *DEVICE, "--json"
    )
    assert said.code == 0
    told = said.json
    assert (told["job"], told["split"], told["recipe"]) == ("retrieval", "test", "tiny")
    assert [(row["sensors dropped"], row["direction"]) for row in told["rows"]] == [
        (0, "IMU to video"), (0, "video to IMU"), (1, "IMU to video"), (1, "video to IMU"),
    ]  # fmt: skip
    metrics = told["metrics"]
    assert metrics["imu_to_pose_gallery"] == 31
    assert 0 <= metrics["imu_to_pose_r1"] <= metrics["imu_to_pose_r5"] <= metrics["imu_to_pose_r10"] <= 1
    assert metrics["imu_to_pose_mean_rank_drop1"] != metrics["imu_to_pose_mean_rank"]
    assert told["files"] == ["retrieval.json", "recall.svg", "dropped.svg"]
    written = json.loads((tmp_path / "retrieval.json").read_text(encoding="utf-8"))
    assert written["metrics"] == metrics
    assert (tmp_path / "recall.svg").read_text(encoding="utf-8").startswith("<?xml")
    table = kinebind("test", "retrieval", BEST, "--store", "store", "--split", "val", *DEVICE).out
    assert "IMU to video" in table
    assert "mean_rank" in table


@pytest.mark.usefixtures("here")
def test_synchronisation_of_drawn_and_of_annotated_clips(kinebind, tmp_path):
    drawn = kinebind(
        "test", "sync", BEST, "--store", "store", "--clip", "8", "--draws", "2", "--out", tmp_path, *DEVICE, "--json"
    ).json
    assert drawn["metrics"]["clips"] == 4  # from 0 and 5 s of 16 s, twice each
    assert {row["method"] for row in drawn["rows"]} == {"ours", "vote"}
    assert drawn["files"] == ["sync.json", "sync.svg"]
    write_annotations(tmp_path / "clips.txt", [Annotation(0, 2.0, 10.0, "swing", "swing", 1500.0)])
    kinebind("test", "sync", BEST, "--store", "store", "--annotations", tmp_path / "clips.txt", *DEVICE).refused(
        "Clip 0 is of 'swing', 'swing', which the split lacks", "dora/swing"
    )
    write_annotations(tmp_path / "clips.txt", [Annotation(0, 2.0, 10.0, "dora/swing", "swing", 1500.0)])
    said = kinebind(
        "test", "sync", BEST, "--store", "store", "--annotations", tmp_path / "clips.txt", "--method", "vote", *DEVICE,
        "--json",
    )  # fmt: skip
    assert said.json["metrics"]["clips"] == 1
    # All answers lie on the grid of tokens, 0.2 s.
    off_s = said.json["metrics"]["mae_s_vote"] % 0.2
    assert min(abs(off_s - 0.1), abs(off_s - 0.3)) < 1e-6


@pytest.mark.usefixtures("here")
def test_parts(kinebind, tmp_path):
    told = kinebind("test", "parts", BEST, "--store", "store", "--out", tmp_path, *DEVICE, "--json").json
    assert told["metrics"]["sensors"] == 62
    assert [row["choice"] for row in told["rows"]] == ["each for itself", "one to one"]
    assert told["files"] == ["parts.json", "parts_each.svg", "parts_together.svg"]
    kinebind("test", "parts", BEST, "--store", "store", "--drop", "2", *DEVICE).refused("2 of 2 sensors cannot")


def test_people_of_one_scene(kinebind, here, tmp_path):
    said = kinebind("test", "person", BEST, "--store", "store", *DEVICE)
    said.refused("In no window of the split are two people of one scene there together", "meta 'scene'")
    for name in made_up_people.PEOPLE:
        (tmp_path / name).mkdir()
        recording = load(here / "people" / name / "swing.kinebind")
        save(
            recording.replace(meta={"scene": "hall", "person": name, "folder": "dora"}), tmp_path / name / "a.kinebind"
        )
    assert kinebind("data", "build", "tiny.toml", "--data", tmp_path, "--out", tmp_path / "store", "-q").code == 0
    told = kinebind(
        "test", "person", BEST, "--store", tmp_path / "store", "--out", tmp_path / "o", *DEVICE, "--json"
    ).json
    assert told["metrics"]["clips"] == 31
    assert told["metrics"]["chance"] == pytest.approx(0.25)
    assert told["files"] == ["person.json", "people_each.svg", "people_together.svg"]


@pytest.mark.usefixtures("here")
def test_activities_frozen_and_fine_tuned(kinebind, tmp_path):
    tuned = kinebind(
        "finetune", "har", BEST, "--store", "store", "--out", tmp_path / "tuned", "--epochs", "15", "--rate",
        "1e-3", *DEVICE,
        "--json",
    )  # fmt: skip
    assert tuned.code == 0
    history = tuned.json["history"]
    assert history[-1]["loss"] < history[0]["loss"]
    assert tuned.json["best_accuracy"] == max(epoch["accuracy"] for epoch in history) > 0.7
    told = kinebind(
        "test", "har", tuned.json["model"], "--head", tuned.json["head"], "--store", "store", "--drop", "0,1", "--out",
        tmp_path / "out", *DEVICE, "--json",
    ).json  # fmt: skip
    metrics = told["metrics"]
    assert {row["by"] for row in told["rows"]} == {"1nn", "probe", "finetuned"}
    assert metrics["accuracy_finetuned"] > 0.7  # of two classes: by chance 0.5
    assert metrics["accuracy_probe"] > 0.7
    assert "accuracy_1nn_drop1" in metrics
    assert {"activities_1nn.svg", "activities_probe.svg", "activities_finetuned.svg", "dropped.svg"} < set(
        told["files"]
    )
    # As validation found it, which was the same model and head.
    again = kinebind(
        "test", "har", tuned.json["model"], "--head", tuned.json["head"], "--store", "store", "--split", "val", *DEVICE,
        "--json",
    ).json  # fmt: skip
    assert again["metrics"]["accuracy_finetuned"] == pytest.approx(tuned.json["best_accuracy"])


@pytest.mark.usefixtures("here")
def test_load_gives_a_model_with_its_contract_or_a_recording(tmp_path):
    model = package.load(BEST)
    assert model.contract.parts == ("left_wrist", "right_wrist")
    assert not model.training
    assert package.load(BEST, recipe="tiny.toml").contract == model.contract
    with pytest.raises(package.InputError, match="another contract"):
        package.load(BEST, recipe="mobind-mri")
    torch.save(model.state_dict(), tmp_path / "best.pt")
    with pytest.raises(package.InputError, match="does not say what its input was"):
        package.load(tmp_path / "best.pt")
    assert isinstance(package.load("people/anna/swing.kinebind"), package.Recording)
    shutil.copy("people/anna/swing.kinebind", tmp_path / "recording.safetensors")
    assert isinstance(package.load(tmp_path / "recording.safetensors"), package.Recording)
    with pytest.raises(package.InputError, match="There is no file"):
        package.load(tmp_path / "none.kinebind")


def test_the_release_is_tested_by_the_recipe_that_is_named(kinebind, tmp_path):
    """The authors' state dict of the second stage, on made-up recordings in mRi's channels."""
    from kinebind.nn import MoBind
    from kinebind.nn.mobind import LossConfig
    from kinebind.nn.release import release_name
    from kinebind.training import load_recipe, store_from_recordings
    from kinebind.training.takes import Take

    contract = load_recipe("mobind-mri-stage2").contract
    torch.manual_seed(0)
    state = MoBind(contract, losses=LossConfig.stage2()).state_dict()
    torch.save({release_name(name): tensor for name, tensor in state.items()}, tmp_path / "best.pt")
    rng = np.random.default_rng(0)
    take = Take(
        "one", rng.normal(size=(4, 7, 600)).astype(np.float32), rng.normal(size=(4, 6, 120)).astype(np.float32),
        (package.Label(0.0, 12.0, "walk"),), {"split": "test"},
    )  # fmt: skip
    store_from_recordings([take], contract, tmp_path / "store")
    words = ("test", "retrieval", tmp_path / "best.pt", "--store", tmp_path / "store", *DEVICE)
    kinebind(*words).refused("does not say what its input was")
    said = kinebind(*words, "--recipe", "mobind-mri-stage2", "--json")
    assert said.json["metrics"]["imu_to_pose_gallery"] == 4
    kinebind(*words, "--recipe", "mobind-egohumans-stage2").refused("another architecture", "sensor_id_emb.weight")


def test_what_does_not_need_torch_does_not_import_it():
    """Neither the package, nor the help, nor looking at a file."""
    look = "import sys; assert 'torch' not in sys.modules, [m for m in sys.modules if m.startswith('torch')][:3]"
    parts = (
        "import kinebind",
        "from kinebind.cli.app import run; [run([*w.split(), '-h']) for w in ('', 'train', 'test', 'data build')]",
        "import kinebind; kinebind.sync; kinebind.read",
    )
    for part in parts:
        done = subprocess.run(
            [sys.executable, "-c", f"{part}\n{look}"], capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, f"{part}: {done.stderr}"


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "kinebind", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"kinebind {package.__version__}"


@pytest.mark.usefixtures("here")
def test_what_learns_nothing_gets_the_same_clips(kinebind, tmp_path):
    words = ("--data", "people", "--recipe", "tiny.toml", "--store", "store", "--clip", "8", "--draws", "2", "--json")
    found = {name: kinebind("test", "sync", name, *words) for name in ("correlation", "syncwise")}
    learnt = kinebind("test", "sync", BEST, "--store", "store", "--clip", "8", "--draws", "2", *DEVICE, "--json").json
    for name, said in found.items():
        assert said.code == 0
        assert said.json["metrics"]["clips"] == learnt["metrics"]["clips"] == 4
        assert (said.json["rows"][0]["method"], said.json["recipe"]) == (name, "tiny")
        assert 0.0 <= said.json["metrics"][f"mae_s_{name}"] < 14.0
    kinebind("test", "sync", "syncwise", "--store", "store").refused("--data DIR and --recipe")
    kinebind("test", "sync", BEST, "--store", "store", "--data", "people").refused("means nothing for a trained model")
    kinebind("test", "sync", "syncwise", *words, "--method", "vote").refused("--method means nothing for syncwise")
