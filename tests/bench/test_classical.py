"""SyncWISE and correlation on a data set's recordings: the clips and the signs are those of the learned models."""

from __future__ import annotations

from pathlib import Path

import pytest

import sync_scene
from kinebind import ClockMap, InputError, Recording, save
from kinebind.bench.classical import METHODS, synchronise
from kinebind.tasks.sync.annotations import Annotation
from kinebind.training import load_recipe, recipe_from_text, store_from_recordings
from kinebind.training.sources import takes_from

RECIPE = """
[contract]
window_s = 2.0
parts = ["left_wrist", "right_shank"]
imu_channels = ["acc_x", "acc_y", "acc_z"]
pose_frame = "body"
[data]
group = "file"
test = ["walk"]
train = []
"""


@pytest.fixture
def walk(tmp_path) -> Path:
    """A recording whose clocks are one; they begin at 100 s, the sensors half a second later."""
    clock = ClockMap(0.0)
    imus = [sync_scene.imu(site, clock) for site in ("left_wrist", "right_shank")]
    later = tuple(imu.replace(time_s=imu.time_s + 100.0) for imu in imus)
    person = sync_scene.poses()
    (tmp_path / "data").mkdir()
    recording = Recording(people=(person.replace(time_s=person.time_s + 100.0),), imus=later)
    save(recording, tmp_path / "data" / "walk.kinebind")
    return tmp_path


def made(walk):
    recipe = recipe_from_text(RECIPE, "plain")
    return recipe, store_from_recordings(
        takes_from("", walk / "data", recipe.contract), recipe.contract, walk / "store"
    )


def test_correlation_finds_what_the_annotation_shifted(walk):
    recipe, store = made(walk)
    lines = [Annotation(k, 3.0, 18.0, "walk", "walk", offset_ms) for k, offset_ms in enumerate((-2340.0, 0.0, 1760.0))]
    found = synchronise("correlation", recipe, store, walk / "data", annotations=lines)
    assert found.metrics["clips"] == 3
    assert found.metrics["mae_s_correlation"] < 0.05
    drawn = synchronise("syncwise", recipe, store, walk / "data", clip_s=15.0, draws=2)
    assert drawn.metrics["clips"] == 4  # of 23 s, from 0 and 5 s
    assert set(METHODS) == {"correlation", "syncwise"}


def test_data_that_do_not_fit(walk, tmp_path):
    recipe, store = made(walk)
    (walk / "data" / "walk.kinebind").rename(walk / "data" / "run.kinebind")
    with pytest.raises(InputError, match="lacks what the windows were cut from: walk"):
        synchronise("correlation", recipe, store, walk / "data", clip_s=15.0)
    with pytest.raises(InputError, match="There is no method 'guess'"):
        synchronise("guess", recipe, store, walk / "data")
    with pytest.raises(InputError, match="The split val has no windows"):
        synchronise("correlation", recipe, store, walk / "data", "val")
    with pytest.raises(InputError, match="made for another contract"):
        synchronise("correlation", load_recipe("mobind-mri"), store, walk / "data")
