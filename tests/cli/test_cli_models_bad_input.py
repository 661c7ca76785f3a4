"""What goes wrong with recipes, data and checkpoints: told through the command line, with what to do."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import made_up_people
from kinebind.cli.app import run
from kinebind.recording import Label
from kinebind.store import load, save

DEVICE = ("--device", "cpu")
BEST = "run/best.safetensors"


@pytest.fixture(scope="module")
def _made(tmp_path_factory) -> Path:
    root = made_up_people.folder(tmp_path_factory.mktemp("bad"), seconds=8.0)
    recipe, store = str(root / "tiny.toml"), str(root / "store")
    assert run(["data", "build", recipe, "--data", str(root / "people"), "--out", store, "-q"]) == 0
    assert run(["train", recipe, "--store", store, "--out", str(root / "run"), *DEVICE, "-q"]) == 0
    return root


@pytest.fixture
def here(_made, tmp_path, monkeypatch) -> Path:
    """A working folder with people, tiny.toml, store, and a finished training in run."""
    folder = tmp_path / "here"
    shutil.copytree(_made, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def train(kinebind):
    """Function of changes (and further words): trains in a new folder, on the store."""

    def call(*words, recipe="tiny.toml", store="store", out="new"):
        return kinebind("train", recipe, "--store", store, "--out", out, *DEVICE, "-q", *words)

    return call


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# -- recipes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[train]", "[train]\nlearning_speed = 1", ("[train] has unknown keys: learning_speed", "learning_rate")),
        ("[train]", "[tuning]\nx = 1\n[train]", ("Unknown: tuning",)),
        ("[train]", "[loss]\nwhole = 0.0\nmulti_positive = 0.1\n[train]", ("multi_positive", "whole has none")),
        ("[train]", '[train]\nsample = "limb"', ('sample = "limb" contradicts [loss]', "mix_parts")),
        ("patch_s = 0.2", "patch_s = 0.3", ("A patch of 0.3 s does not divide a window of 1.0 s",)),
        ("imu_rate_hz = 50.0", "imu_rate_hz = 33.0", ("6.6 samples at imu_rate_hz = 33",)),
        ("batch_size = 16", "batch_size = 1", ("[train] batch_size = 1 is below 2",)),
        ('val = ["cleo"]', 'val = ["anna"]', ("folder 'anna' in train and in val", "one split only")),
        ('name = "tiny"', 'name = "tiny', ("not valid TOML",)),
        ("learning_rate = 1e-3", 'learning_rate = "fast"', ("learning_rate = 'fast' is not a number",)),
    ],
)
def test_recipes(here, train, old, new, told):
    changed(here / "tiny.toml", old, new)
    train().refused("tiny.toml", *told)
    assert not (here / "new").exists()


@pytest.mark.usefixtures("here")
def test_recipes_that_there_are_not_and_changes_that_mean_nothing(train):
    train(recipe="mobind-mir").refused("no recipe 'mobind-mir'", "Did you mean mobind-mri?")
    train(recipe="none.toml").refused("There is no file none.toml")
    train("--set", "train.seed").refused("--set has 'train.seed'", "train.seed=7")
    train("--set", "seed=7").refused("'seed' is no key of a recipe", "TABLE.KEY")
    train("--set", "train.sed=7").refused("unknown keys: sed")
    train("--set", "train.seed=many").refused("seed = 'many' is not a whole number")


# -- data --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_windows_of_another_contract(train):
    for change, told in (
        ("contract.imu_rate_hz=25.0", "imu_rate_hz 50.0 against 25.0"),
        ('contract.acc_unit="g"', "acc_unit m/s2 against g"),
        ('contract.imu_channels=["acc_x", "acc_y", "acc_z"]', "imu_channels"),
    ):
        train("--set", change).refused("made for another contract", told, "Build them again with this recipe")


@pytest.mark.usefixtures("here")
def test_data_that_cannot_be_brought_to_the_contract(kinebind):
    build = ("data", "build", "tiny.toml", "--data", "people", "--out", "new", "-q", "--set")
    kinebind(*build, "contract.acc_unit=file").refused("anna/swing, left_wrist", "file's own unit")
    channels = 'contract.imu_channels=["acc_x", "quat_w"]'
    kinebind(*build, channels).refused("anna/swing, left_wrist: The sensor lacks the channels quat_w")
    kinebind(*build, 'contract.parts=["head"]').refused("has no sensor where the contract wants one")
    kinebind(*build, "data.reader=mvi").refused("no reader of a data set called 'mvi'", "mri")
    kinebind(*build, "data.group=subject").refused("does not say its subject", "folder")


@pytest.mark.usefixtures("here")
def test_folders_without_data(kinebind, train, tmp_path):
    (tmp_path / "empty").mkdir()
    build = ("data", "build", "tiny.toml", "--out", "new", "--data")
    kinebind(*build, tmp_path / "empty").refused("holds nothing that the reader 'recordings' knows", ".kinebind")
    kinebind(*build, tmp_path / "none").refused("There is no folder")
    kinebind("data", "build", "mobind-mri", "--data", "people", "--out", "new").refused("'mri'", "kinebind data check")
    train(store=tmp_path / "empty").refused("holds no finished windows", "Build the windows again")
    kinebind("train", "tiny.toml", "--out", "new").refused("nothing to train on", "--data DIR")
    both = ("--data", "people", "--store", "store")
    kinebind("train", "tiny.toml", "--out", "new", *both).refused("--data and --store")


def test_a_truncated_store(here, train):
    size = (here / "store" / "imu.npy").stat().st_size
    os.truncate(here / "store" / "imu.npy", size // 2)
    train().refused("imu.npy cannot be read", "Build the windows again")


@pytest.mark.usefixtures("here")
def test_empty_splits(kinebind, train):
    train("--set", "data.val=[]").refused("The split val has no windows", "cleo")
    train("--set", 'data.train=["emil"]').refused("The split train has no windows: it wants folder emil", "anna")
    words = ("test", "retrieval", BEST, "--store", "store", *DEVICE)
    kinebind(*words, "--set", "data.test=[]").refused("The split test has no windows")
    kinebind(*words, "--split", "tset").refused("no split 'tset'", "test")
    kinebind("test", "sync", *words[2:], "--set", "data.test=[]").refused("The split test has no windows")


def test_unseen_labels(here, kinebind, train):
    path = here / "people" / "dora" / "swing.kinebind"
    recording = load(path)
    save(recording.replace(labels=(Label(0.0, 8.0, "hop"),)), path)
    assert kinebind("data", "build", "tiny.toml", "--data", "people", "--out", "new/windows", "-q").code == 2
    kinebind("test", "har", BEST, "--store", "new/windows", *DEVICE).refused("label 'hop', which is no class", "slow")
    kinebind("test", "har", BEST, "--store", "store", *DEVICE, "--set", "data.classes=[]").refused("names no classes")


def test_a_batch_of_one(here, train):
    short = {"data.stride_s=100": "There is 1 sample to train on", "data.stride_s=0": "[data] stride_s = 0.0"}
    for change, told in short.items():
        train("--set", change, "--set", 'data.train=["anna"]').refused(told)
    assert not (here / "new" / "state.safetensors").exists()


def test_a_loss_that_is_not_finite(here, kinebind):
    path = here / "people" / "ben" / "swing.kinebind"
    recording = load(path)
    huge = 3e38 * np.random.default_rng(0).choice([-1.0, 1.0], (400, 3))  # finite, but nothing that comes of it
    save(recording.replace(imus=(recording.imus[0].replace(acc_sensor=huge, gyr_sensor=huge), recording.imus[1])), path)
    words = ("train", "tiny.toml", "--data", "people", "--out", "new", *DEVICE, "-q")
    kinebind(*words).refused("In epoch 0, batch", "ben/swing", "not finite", "state.safetensors holds the last good")
    state = load_file(here / "new" / "state.safetensors")
    assert all(torch.isfinite(tensor).all() for name, tensor in state.items() if name.startswith("model/"))
    tune = ("finetune", "har", BEST, "--store", "new/windows", "--out", "tuned", *DEVICE)
    kinebind(*tune).refused("In epoch 0 the loss is not finite", "ben/swing", "--rate")
    assert not (here / "tuned").exists()


# -- checkpoints -------------------------------------------------------------------------------------------------


@pytest.fixture
def tested(kinebind):
    """Function of a checkpoint and further words: tests retrieval with it."""

    def call(checkpoint, *words):
        return kinebind("test", "retrieval", checkpoint, "--store", "store", *DEVICE, *words)

    return call


def test_checkpoints_that_are_not_whole(here, tested):
    whole = (here / BEST).read_bytes()
    (here / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    tested("cut.safetensors").refused("cut.safetensors is not a whole checkpoint")
    (here / "head.safetensors").write_bytes(whole[:100])
    tested("head.safetensors").refused("not a whole checkpoint")
    (here / "empty.safetensors").write_bytes(b"")
    tested("empty.safetensors").refused("not a whole checkpoint")
    tested("none.safetensors").refused("There is no file none.safetensors")
    tested("people/anna/swing.kinebind").refused("not a Kinebind model")
    tested("store").refused("There is no file store")


class _Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_malicious_checkpoint_is_not_run(here, tested):
    torch.save({"imu_encoder.conv1.weight": _Malicious(here / "hit")}, here / "bad.pt")
    tested("bad.pt", "--recipe", "mobind-mri").refused("bad.pt was refused", "more than tensors")
    assert not (here / "hit").exists()


def test_checkpoints_of_another_architecture_name_the_tensors(here, train, tested):
    train("--init", BEST, "--set", "model.width=8").refused("another architecture", "pos_emb", "(1, 5, 16)")
    assert not (here / "new" / "state.safetensors").exists()
    torch.save({"linear.weight": torch.zeros(2, 2)}, here / "other.pt")
    tested("other.pt", "--recipe", "tiny.toml").refused("it lacks", "imu_encoder.conv1.weight", "linear.weight")


@pytest.mark.usefixtures("here")
def test_checkpoints_of_another_contract(tested, train, kinebind):
    tested(BEST, "--recipe", "mobind-mri").refused("another contract than asked for", "window_s 1.0 against 5.0")
    channels = 'contract.imu_channels=["acc_x", "acc_y", "acc_z"]'
    assert kinebind(
        "data", "build", "tiny.toml", "--data", "people", "--out", "three", "-q", "--set", channels
    ).code == 0  # fmt: skip
    kinebind("test", "retrieval", BEST, "--store", "three", *DEVICE).refused(
        "made for another contract", "imu_channels"
    )
    train("--init", BEST, "--set", channels, store="three").refused("another contract")
    tested(BEST, "--set", 'contract.acc_unit="g"').refused("Model and recipe have different contracts", "acc_unit")


def test_a_full_disk_leaves_the_last_state_whole(here, train, monkeypatch):
    state = here / "run" / "state.safetensors"
    before = state.read_bytes(), (here / BEST).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        said = train("--set", "train.max_epochs=4", out="run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said.refused("Cannot write", "the state before is whole", "Free some space")
    assert (state.read_bytes(), (here / BEST).read_bytes()) == before
    assert train("--set", "train.max_epochs=4", out="run").code == 0


def test_a_folder_with_another_training(here, train):
    train("--set", "train.seed=9", out="run").refused("follows another recipe: train.seed 3 against 9")
    state = here / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-10])
    train(out="run").refused("not a whole state")
    (here / "file").write_text("")
    train(out="file").refused("file is a file, not a folder")


# -- words -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_flags_that_mean_nothing(kinebind, tested, train):
    kinebind("test", "retreival", BEST, "--store", "store").refused("no job 'retreival'", "retrieval")
    tested(BEST, "--clip", "20").refused("--clip means nothing for the job retrieval")
    tested(BEST, "--drop", "one").refused("--drop has 'one'")
    tested(BEST, "--drop", "2").refused("2 of 2 sensors cannot be dropped")
    sync = ("test", "sync", BEST, "--store", "store", *DEVICE)
    kinebind(*sync, "--method", "guess").refused("no method 'guess'", "ours, vote")
    kinebind(*sync).refused("No recording lasts 20 s", "--clip")
    kinebind(*sync, "--clip", "nan").refused("--clip is nan")
    kinebind(*sync, "--clip", "0.5").refused("shorter than the model's window of 1 s")
    kinebind(*sync, "--annotations", "none.txt").refused("none.txt cannot be read")
    kinebind(*sync, "--annotations", "tiny.toml", "--clip", "6").refused("--clip and --annotations contradict")
    kinebind(*sync, "--annotations", "tiny.toml").refused("tiny.toml, line")
    kinebind("test", "har", BEST, "--store", "store", *DEVICE, "--head", BEST).refused("safetensors file, but no head")
    train("--device", "tpu").refused("--device has 'tpu'")
    train("--minutes", "0").refused("max_minutes = 0.0 is not above zero")
    kinebind("finetune", "har", BEST, "--store", "store", "--out", "t", *DEVICE, "--batch", "1").refused("batch of one")
    if not torch.cuda.is_available():
        train("--device", "cuda").refused("no GPU")


@pytest.mark.usefixtures("here")
def test_several_processes_need_a_store(kinebind, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    kinebind("train", "tiny.toml", "--data", "people", "--out", "new", *DEVICE).refused(
        "cannot make the windows", "--store"
    )


def test_numbers_of_a_clip_beyond_its_take(here, kinebind):
    (here / "clips.txt").write_text("0 0.0 7.0 dora/swing swing 3000\n")
    words = ("test", "sync", BEST, "--store", "store", *DEVICE, "--annotations", "clips.txt")
    kinebind(*words).refused("Clip 0 runs from 0 to 10 s, but dora/swing lasts 8.00 s")
