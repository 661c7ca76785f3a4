"""Text in windows: labels as sentences in the store and in batches, and models that learn from them."""

from __future__ import annotations

import dataclasses

import made_up_windows
import numpy as np
import pytest
import torch

from kinebind import InputError, Label
from kinebind.tasks.recognise.prompts import prompts
from kinebind.training.batches import make_batch
from kinebind.training.loop import train
from kinebind.training.phrases import label_of
from kinebind.training.recipe import recipe_from_text
from kinebind.training.settings import DataConfig
from kinebind.training.store import open_store, store_from_recordings
from kinebind.training.windows import split_windows, windows_of

RECIPE = made_up_windows.RECIPE.replace(
    made_up_windows.RECIPE[made_up_windows.RECIPE.index("[model]") : made_up_windows.RECIPE.index("[train]")],
    '[model]\nname = "multi3net"\nwidth = 16\nheads = 2\nfeedforward = 16\ntext = 8\n',
).replace("[data]", '[data]\nclasses = ["all"]')


class Letters:
    """Sentences as how often letters stand in them, eight kinds."""

    name, size = "letters", 8

    def encode(self, sentences):
        rows = np.array([[sum(ord(c) % 8 == k for c in s) for k in range(8)] for s in sentences], dtype=np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6) if len(rows) else rows.reshape(0, 8)


@pytest.fixture(scope="module")
def recipe():
    return recipe_from_text(RECIPE, "told")


@pytest.fixture(scope="module")
def store(recipe, tmp_path_factory):
    takes = []
    for subject, name in zip("1234", ("arm_swing", "clap", "arm_swing", "arm_swing"), strict=True):
        take = made_up_windows.take(subject, recipe.contract)
        takes.append(dataclasses.replace(take, labels=(Label(0.0, 4.0, name),)))
    return store_from_recordings(takes, recipe.contract, tmp_path_factory.mktemp("told"), Letters())


def test_a_store_keeps_each_labels_sentences(store):
    again = open_store(store.folder)
    assert again.encoder == "letters"
    assert again.text.shape == (2, 4, 8)
    np.testing.assert_array_equal(again.text[1], Letters().encode(prompts("clap")))


def test_several_phrases_of_a_label_take_turns(recipe, tmp_path):
    take = made_up_windows.take("1", recipe.contract)
    take = dataclasses.replace(take, labels=(Label(0.0, 4.0, label_of(["Clap!", "a person applauds"])),))
    (text,) = store_from_recordings([take], recipe.contract, tmp_path, Letters()).text
    expected = [prompts("Clap!")[0], prompts("a person applauds")[1], prompts("Clap!")[2]]
    np.testing.assert_array_equal(text[:3], Letters().encode(expected))


def test_a_window_has_its_labels_sentences_or_none(store, recipe):
    windows = windows_of(store, recipe.contract, recipe.data)
    assert windows.classes == ("arm_swing", "clap")
    index = np.flatnonzero(windows.label >= 0)[[0, -1]].tolist() + np.flatnonzero(windows.label < 0)[:1].tolist()
    batch = make_batch(store, recipe.contract, windows, np.array(index))
    for row, k in enumerate(index[:2]):
        np.testing.assert_array_equal(batch.text[row].numpy(), store.text[windows.label[k]])
    assert not batch.text[2].any()
    # Classes that the recipe names are in its order.
    named = windows_of(store, recipe.contract, DataConfig(stride_s=0.5, classes=("clap", "arm_swing")))
    batch = make_batch(store, recipe.contract, named, np.array(index[:1]))
    assert batch.label.tolist() == [1]
    np.testing.assert_array_equal(batch.text[0].numpy(), store.text[0])
    assert batch.to("cpu").text is not None


def test_a_model_of_text_trains_in_slices_to_the_same_bit(store, recipe, tmp_path):
    whole = recipe.build()
    found = train(recipe, whole, store, tmp_path / "whole")
    assert found.finished
    assert {"contrast", "pose2imu", "reconstruct", "pose_text"} <= set(found.history[-1])
    sliced = recipe.build()
    for _ in range(200):
        if train(recipe, sliced, store, tmp_path / "sliced", max_minutes=1e-4).finished:
            break
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, sliced.state_dict()[name]), name


def test_text_that_is_missing_or_of_another_size_is_refused(store, recipe, tmp_path):
    bare = [made_up_windows.take(subject, recipe.contract) for subject in "123"]
    silent = store_from_recordings(bare, recipe.contract, tmp_path / "silent")
    with pytest.raises(InputError, match=r"learns text.*model\.text=0"):
        train(recipe, recipe.build(), silent, tmp_path / "a")
    mute = recipe.changed({"model.text": 0})
    assert train(mute, mute.build(), silent, tmp_path / "b").finished
    other = recipe.changed({"model.text": 5})
    with pytest.raises(InputError, match="wants sentences of 5 numbers"):
        train(other, other.build(), store, tmp_path / "c")
    nameless = [dataclasses.replace(bare[0], labels=(Label(0.0, 4.0, "17"),))]
    with pytest.raises(InputError, match="no word"):
        store_from_recordings(nameless, recipe.contract, tmp_path / "d", Letters())
    (store.folder / "text.npy").rename(tmp_path / "text.npy")
    try:
        with pytest.raises(InputError, match=r"text\.npy"):
            open_store(store.folder)
    finally:
        (tmp_path / "text.npy").rename(store.folder / "text.npy")


def test_all_stands_alone(store, recipe):
    with pytest.raises(InputError, match='"all" beside other names'):
        DataConfig(classes=("all", "clap"))
    assert len(split_windows(store, recipe.contract, recipe.data, "val")) > 0
