"""Recipes: those that ship are what the papers say, and what is wrong in one is named with what to do."""

from __future__ import annotations

import made_up_windows
import pytest

from kinebind.errors import InputError
from kinebind.nn import MODELS
from kinebind.training.recipe import load_recipe, recipe_from_text, recipe_names
from kinebind.training.settings import DataConfig

PARAMETERS = {
    "mobind-mri-stage1": 3_448_928, "mobind-mri-stage2": 8.06e6,
    "mobind-egohumans-stage1": 3.32e6, "mobind-egohumans-stage2": 8.19e6,
}  # fmt: skip
"""Of the release, without the temperature where the number is exact."""


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_builds_its_model_and_promises_what_is_known(name):
    recipe = load_recipe(name)
    model = recipe.build()
    assert recipe.name == name
    assert model.recipe == recipe.text
    comment = recipe.text.split("\n\n")[0]
    assert f"kinebind train {name} --data DIR" in comment
    assert all(word in comment for word in ("Score", "Time", "Command"))
    if name in PARAMETERS:
        count = sum(p.numel() for p in model.parameters()) - 1
        assert count == pytest.approx(PARAMETERS[name], abs=0 if name == "mobind-mri-stage1" else 6e3)
    if recipe.train.starts_from:
        assert recipe.contract == load_recipe(recipe.train.starts_from).contract


def test_the_papers_and_the_releases_training_are_those_of_the_papers():
    joint, first, second = (load_recipe(f"mobind-mri{end}") for end in ("", "-stage1", "-stage2"))
    assert dict(joint.loss) == {"whole": 1.0, "local": 1.0, "token": 0.5, "masked_tokens": 0.3}
    train = joint.train
    assert (train.learning_rate, train.batch_size, train.patience_epochs, train.min_gain) == (1e-4, 1356, 500, 1e-3)
    train = first.train
    assert (train.learning_rate, train.batch_size, train.patience_epochs) == (3e-4, 1356, 1000)
    assert (train.weight_decay, train.seed, train.sample) == (1e-4, 1201, "limb")
    assert (first.loss["local"], first.loss["token"], first.loss["mix_parts"]) == (1.0, 0.5, True)
    train = second.train
    assert (train.learning_rate, train.batch_size, train.patience_epochs) == (1e-4, 128, 500)
    assert (train.weight_decay, train.starts_from) == (0.0, "mobind-mri-stage1")
    assert (second.loss["whole"], second.loss["multi_positive"], second.loss["masked_tokens"]) == (1.0, 0.1, 0.3)
    assert load_recipe("mobind-egohumans-stage2").loss["multi_positive"] == 0.2
    assert load_recipe("mobind-egohumans-stage1").train.learning_rate == 1e-4


def test_the_same_seed_gives_the_same_weights_and_another_does_not(recipe):
    import torch

    state = torch.get_rng_state()
    a, b, c = recipe.build(), recipe.build(), recipe.changed({"train.seed": 4}).build()
    assert torch.equal(torch.get_rng_state(), state)
    weight = "imu_encoder.conv1.weight"
    assert torch.equal(a.state_dict()[weight], b.state_dict()[weight])
    assert not torch.equal(a.state_dict()[weight], c.state_dict()[weight])


def test_a_changed_recipe_says_so_and_promises_nothing():
    changed = load_recipe("mobind-mri").changed({"train.seed": 7, "loss.token": 0}).changed({"name": "mine"})
    assert (changed.train.seed, changed.loss["token"], changed.name) == (7, 0.0, "mine")
    assert "Score" not in changed.text
    assert changed.text.startswith(
        "# Changed from mobind-mri: train.seed = 7\n# Changed from mobind-mri: loss.token = 0"
    )
    assert recipe_from_text(changed.text) == changed


WRONG = {
    "a key that is none": ("[train]\nbatchsize = 4", "unknown keys: batchsize", "batch_size"),
    "a table that is none": ("[optimiser]\nlr = 1", "optimiser", "train"),
    "no TOML": ("[train", "not valid TOML", "quotes"),
    "a patch that does not divide": ("[contract]\npatch_s = 0.3", "does not divide", "whole number"),
    "half a sample a patch": ("[contract]\npose_rate_hz = 12.0", "2.4 samples", "whole number"),
    "text for a number": ('[train]\nlearning_rate = "1e-4"', "'1e-4' is not a number", "recipe"),
    "a number for a whole one": ("[train]\nbatch_size = 4.5", "4.5 is not a whole number", "recipe"),
    "truth for a number": ("[train]\nseed = true", "True is not a whole number", "recipe"),
    "a text for a list": ('[data]\ntrain = "rest"', "not a list", "recipe"),
    "a model's number": ('[model]\nwidth = "256"', "'256' is not a whole number", "recipe"),
    "a model's unknown key": ("[model]\nwidht = 256", "unknown keys: widht", "width"),
    "an unknown model": ('[model]\nname = "clip"', "'clip' is unknown", MODELS[0]),
    "weights of a model without": ('[model]\nname = "despite"\n[loss]\nlocal = 1.0', "one loss", "Remove"),
    "a negative weight": ("[loss]\nwhole = -1.0", "negative", "zero or more"),
    "an unknown precision": ('[train]\nprecision = "fp8"', "'fp8' is unknown", "bf16"),
    "a batch of one": ("[train]\nbatch_size = 1", "batch_size = 1", "at least 2"),
    "no step": ("[train]\nlearning_rate = 0", "not above zero", "1e-4"),
    "limbs with whole windows": ('[train]\nsample = "limb"\n[loss]\nmix_parts = true', "contradicts [loss]", "window"),
    "limbs unmixed": (
        '[train]\nsample = "limb"\n[loss]\nwhole = 0.0\nmasked_tokens = 0.0', "without mix_parts", "mix_parts = true",
    ),
    "a subject in two splits": ('[data]\ntrain = ["1"]\nval = ["1"]', "subject '1' in train and in val", "one split"),
    "a subject twice": ('[data]\ntrain = ["1", "1"]', "names '1' twice", "once"),
    "the rest and more": ('[data]\ntrain = ["1", "rest"]', '"rest" beside', "alone"),
    "unlabelled without classes": ("[data]\ndrop_unlabelled = true", "contradicts", "classes"),
    "too many sensors dropped": ("[model]\nsensor_dropout = 4", "sensor_dropout = 4", "one must stay"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_recipe_is_named_with_what_to_do(case):
    text, what, fix = WRONG[case]
    with pytest.raises(InputError) as error:
        recipe_from_text(text, "my.toml")
    assert error.value.what.startswith("my.toml")
    assert what in error.value.what
    assert fix in error.value.fix


def test_a_recipe_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean mobind-mri"):
        load_recipe("mobind_mri")
    with pytest.raises(InputError, match="no file"):
        load_recipe("nowhere/mine.toml")


def test_a_recipe_is_read_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(made_up_windows.RECIPE, encoding="utf-8")
    assert load_recipe(path).name == "tiny"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(path)
    with pytest.raises(InputError, match=r"TABLE\.KEY"):
        load_recipe("mobind-mri").changed({"seed": 3})


def test_the_rest_is_what_no_other_split_names():
    data = DataConfig(train=("rest",), val=("005",), test=("001", "002"))
    assert [data.split_of(take) for take in ("001", "005", "006")] == ["test", "val", "train"]
    assert DataConfig(train=("1",), val=("2",)).split_of("3") is None
