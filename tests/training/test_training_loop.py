"""The loop: it learns, and goes on after any stop as if there had been none."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import made_up_windows
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from kinebind.errors import InputError
from kinebind.nn import load, save
from kinebind.training import loop
from kinebind.training.loop import BEST, STATE, train
from kinebind.training.recipe import recipe_from_text
from kinebind.training.speed import measure_speed
from kinebind.training.store import store_from_recordings

NO_DROPOUT = {
    "model.conv_dropout": 0.0, "model.attention_dropout": 0.0, "model.token_dropout": 0.0, "loss.masked_tokens": 0.0,
}  # fmt: skip
PROCESS = Path(__file__).with_name("training_process.py")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a training's state."""
    return load_file(folder / STATE)


def assert_same_bits(a: Path, b: Path) -> None:
    ours, theirs = weights(a), weights(b)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    best, other = load_file(a / BEST), load_file(b / BEST)
    assert [name for name in best if not torch.equal(best[name], other[name])] == []


def start(store, out: Path, *changes: str, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(PROCESS), str(store.folder), str(out), *changes]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", **environment}, stderr=subprocess.PIPE)


def test_slices_of_one_step_end_where_one_go_ends(recipe, store, tmp_path):
    """It is interrupted after every step, within an epoch and at its end; dropout and masked tokens draw numbers."""
    recipe = recipe.changed({"model.sensor_dropout": 1, "data.random_phase": True, "train.precision": "bf16"})
    whole = train(recipe, recipe.build(), store, tmp_path / "whole")
    slices = []
    while not slices or not slices[-1].finished:
        slices.append(train(recipe, recipe.build(), store, tmp_path / "slices", max_minutes=1e-9))
    assert len(slices) == 6  # of 2 epochs of 3 batches
    assert slices[-1].history == whole.history
    assert_same_bits(tmp_path / "whole", tmp_path / "slices")


def test_a_killed_training_goes_on_to_the_same_bits(recipe, store, tmp_path):
    process = start(store, tmp_path / "killed", "train.max_epochs=100000")
    try:
        state = tmp_path / "killed" / STATE
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
            if state.exists() and progress_of(state)["epoch"] >= 1:
                break
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    to_come = progress_of(state)["epoch"] + 2
    recipe = recipe.changed({"train.max_epochs": to_come})
    outcome = train(recipe, recipe.build(), store, tmp_path / "killed")
    assert outcome.epochs == to_come
    assert train(recipe, recipe.build(), store, tmp_path / "whole").history == outcome.history
    assert_same_bits(tmp_path / "whole", tmp_path / "killed")


def progress_of(state: Path) -> dict[str, Any]:
    with safe_open(str(state), framework="pt") as file:
        return json.loads(file.metadata()["kinebind-training"])["progress"]


def test_two_processes_train_as_one(recipe, store, tmp_path):
    """Without random numbers, and in two parts, so that their state is resumed as well."""
    still = {**NO_DROPOUT, "train.learning_rate": 3e-4, "train.batch_size": 30}
    changes = [*(f"{key}={value}" for key, value in still.items()), "train.max_epochs=1", "train.max_epochs=2"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    both = [start(store, tmp_path / "two", *changes, RANK=rank, LOCAL_RANK=rank, **place) for rank in "01"]
    try:
        errors = [process.communicate(timeout=300)[1].decode() for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], errors
    recipe = recipe.changed(still)
    outcome = train(recipe, recipe.build(), store, tmp_path / "one")
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    # Adam's means of the gradients. Weights do not compare: it moves those without influence by their rounding errors.
    for name in (name for name in one if name.startswith("adam/")):
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5, msg=name)
    for mine, theirs in zip(outcome.history, progress_of(tmp_path / "two" / STATE)["history"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)
    with pytest.raises(InputError, match="ran in 2 process"):
        train(recipe, recipe.build(), store, tmp_path / "two")
    assert outcome.history[-1]["total"] < outcome.history[0]["total"]


def test_it_learns_to_find_the_partners(recipe, tmp_path):
    """Of windows that it was shown: those of a second person who did the very same."""
    contract = recipe.contract
    shown = [made_up_windows.take("1", contract, seconds=1.0, seed=k) for k in range(24)]
    again = [dataclasses.replace(take, meta={"subject": "3"}) for take in shown]
    store = store_from_recordings([*shown, *again], contract, tmp_path / "windows")
    recipe = recipe.changed({
        **NO_DROPOUT, "train.max_epochs": 40, "train.learning_rate": 3e-3, "train.batch_size": 24,
    })  # fmt: skip
    outcome = train(recipe, recipe.build(), store, tmp_path / "run", tensorboard=True)
    assert outcome.best_r1 >= 0.25  # of 24 windows: by chance 0.04
    assert outcome.history[outcome.best_epoch]["r1"] == outcome.best_r1
    model = load(outcome.best, contract)
    assert model.recipe == recipe.text
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_patience_ends_it_and_the_best_is_kept(recipe, store, tmp_path, monkeypatch):
    r1 = iter([0.2, 0.5, 0.5005, 0.4, 0.9])
    monkeypatch.setattr(loop.Stepper, "recall_at_1", lambda self, source: (list(source), next(r1))[1])
    recipe = recipe.changed({"train.patience_epochs": 2, "train.max_epochs": 0})
    outcome = train(recipe, recipe.build(), store, tmp_path)
    assert outcome.finished
    assert (outcome.epochs, outcome.best_epoch, outcome.best_r1) == (4, 1, 0.5)  # 0.5005 is no gain
    again = train(recipe, recipe.build(), store, tmp_path)
    assert again.history == outcome.history
    longer = recipe.changed({"train.patience_epochs": 3, "train.max_epochs": 5})
    assert train(longer, longer.build(), store, tmp_path).best_r1 == 0.9


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_it_trains_in_half_precision(recipe, store, tmp_path, precision):
    recipe = recipe.changed({"train.precision": precision, "train.max_epochs": 3})
    model = recipe.build()
    outcome = train(recipe, model, store, tmp_path)
    assert outcome.history[-1]["total"] < outcome.history[0]["total"]
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_limbs_are_trained_first_and_whole_windows_from_there(recipe, store, tmp_path):
    first = recipe.changed({
        "name": "first", "train.sample": "limb", "train.batch_size": 20, "loss.whole": 0, "loss.masked_tokens": 0,
        "loss.mix_parts": True,
    })  # fmt: skip
    done = train(first, first.build(), store, tmp_path / "first")
    second = recipe.changed({"train.starts_from": "first", "loss.local": 0, "loss.multi_positive": 0.1})
    with pytest.raises(InputError, match="goes on from first, whose model is not given"):
        train(second, second.build(), store, tmp_path / "second")
    outcome = train(second, second.build(), store, tmp_path / "second", init=done.best)
    assert set(outcome.history[0]) == {"epoch", "total", "whole", "token", "multi_positive", "masked_tokens", "r1"}
    third = second.changed({"model.width": 8})
    with pytest.raises(InputError, match="another architecture"):
        train(third, third.build(), store, tmp_path / "third", init=done.best)


def test_a_loss_that_is_not_finite_stops_it_names_the_batch_and_keeps_the_last_state(recipe, tmp_path):
    takes = [made_up_windows.take(s, recipe.contract) for s in "1234"]
    store = store_from_recordings(takes, recipe.contract, tmp_path / "good")
    train(recipe, recipe.build(), store, tmp_path / "run")
    kept = weights(tmp_path / "run")
    takes[1].imu[:, :, 100] = 3e38  # finite, but nothing that comes of it
    store = store_from_recordings(takes, recipe.contract, tmp_path / "bad")
    longer = recipe.changed({"train.max_epochs": 4})
    with pytest.raises(InputError, match=r"In epoch 2, batch \d \(windows .* of .*subject 2.*not finite") as e:
        train(longer, longer.build(), store, tmp_path / "run")
    assert "last good state" in e.value.fix
    now = weights(tmp_path / "run")
    assert all(torch.isfinite(tensor).all() for name, tensor in now.items() if name.startswith("model/"))
    assert [name for name in kept if not torch.equal(kept[name], now[name])] == []


def test_a_full_disk_stops_it_and_the_state_before_is_whole(recipe, store, tmp_path):
    train(recipe, recipe.build(), store, tmp_path)
    before = (tmp_path / STATE).read_bytes(), (tmp_path / BEST).read_bytes()
    longer = recipe.changed({"train.max_epochs": 4})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"Cannot write .* The training stops; the state before is whole") as error:
            train(longer, longer.build(), store, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Free some space" in error.value.fix
    assert ((tmp_path / STATE).read_bytes(), (tmp_path / BEST).read_bytes()) == before
    assert sorted(file.name for file in tmp_path.iterdir()) == [BEST, "recipe.toml", STATE]
    assert train(longer, longer.build(), store, tmp_path).epochs == 4


def test_a_folder_with_another_training_is_refused(recipe, store, tmp_path):
    train(recipe, recipe.build(), store, tmp_path)
    other = recipe.changed({"train.batch_size": 4, "model.heads": 4})
    with pytest.raises(InputError, match=r"model\.heads 2 against 4; train\.batch_size 8 against 4"):
        train(other, other.build(), store, tmp_path)
    fewer = store_from_recordings(
        [made_up_windows.take(s, recipe.contract, seconds=4.0) for s in "1234"], recipe.contract, tmp_path / "fewer"
    )
    with pytest.raises(InputError, match="had 30 samples to train on and 15 to validate with; now there are 14 and 7"):
        train(recipe, recipe.build(), fewer, tmp_path)
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:-10])
    with pytest.raises(InputError, match="not a whole state"):
        train(recipe, recipe.build(), store, tmp_path)
    save(recipe.build(), tmp_path / STATE)
    with pytest.raises(InputError, match="not a training's state"):
        train(recipe, recipe.build(), store, tmp_path)


def test_what_does_not_fit_is_said_before_anything_is_written(recipe, store, tmp_path):
    out = tmp_path / "run"
    twice = recipe.changed({"contract.imu_rate_hz": 80.0})
    with pytest.raises(InputError, match=r"imu_rate_hz 40\.0 against 80\.0"):
        train(twice, twice.build(), store, out)
    with pytest.raises(InputError, match="The model has another contract"):
        train(recipe, twice.build(), store, out)
    empty = recipe.changed({"data.val": []})
    with pytest.raises(InputError, match="val has no windows"):
        train(empty, empty.build(), store, out)
    with pytest.raises(InputError, match="max_minutes"):
        train(recipe, recipe.build(), store, out, max_minutes=0)
    assert not out.exists()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Cannot make"):
        train(recipe, recipe.build(), store, tmp_path / "file" / "run")


def test_training_leaves_the_callers_random_numbers_alone(recipe, store, tmp_path):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    train(recipe, recipe.build(), store, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_speed_is_measured_against_the_bare_step(recipe, store):
    speed = measure_speed(recipe, store, steps=4)
    assert speed.windows_per_s > 0
    assert 0.0 <= speed.data_wait_share < 1.0
    assert 0.1 < speed.share_of_bare < 10.0
    assert np.isfinite(speed.bare_windows_per_s)


def test_progress_is_shown_on_a_terminal(recipe, store, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    train(recipe, recipe.build(), store, tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "epoch" in shown
    assert "best R@1" in shown


def test_the_recipe_lies_beside_the_weights(recipe, store, tmp_path):
    train(recipe, recipe.build(), store, tmp_path)
    assert recipe_from_text((tmp_path / "recipe.toml").read_text(encoding="utf-8")) == recipe
