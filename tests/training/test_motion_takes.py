"""Takes simulated from sets of motion: what is in them, and which sets are read."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter

import numpy as np
import pytest

import made_up_body
from kinebind import InputError
from kinebind.readers import motion_sets
from kinebind.recording import Recording
from kinebind.store import save
from kinebind.training import load_recipe, motion_takes
from kinebind.training.motion_takes import simulated_take
from kinebind.training.sources import store_for

WRISTS = ("left_wrist", "right_wrist")
CONTRACT = load_recipe("multi3net").contract


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Three sets of a made-up person each; the one that is there to test must not be opened."""
    own = {}
    for k, (name, use) in enumerate((("mine", "train"), ("other", "validate"), ("secret", "test"))):
        folder = tmp_path / name
        folder.mkdir()
        for take, seconds in (("raise-arms_1", 6.0), ("blink_2", 1.0)):
            save(Recording(motions=(made_up_body.motion(k, seconds, size=0.2),)), folder / f"{take}.kinebind")
        own[name] = motion_sets.MotionSet(name, use, "", lambda root, name=name: motion_sets._any_motion(name, root))
    monkeypatch.setattr(motion_takes, "MOTION_SETS", own)
    return tmp_path


def test_sets_to_train_and_to_validate_are_read_and_those_to_test_are_not(sets, caplog):
    with caplog.at_level(logging.WARNING):
        found = list(motion_takes.motion_takes(sets, CONTRACT, WRISTS))
    assert [take.name for take in found] == ["mine/raise-arms_1", "other/raise-arms_1"]
    assert [take.meta["split"] for take in found] == ["train", "val"]
    assert "2 files were left out" in caplog.text
    for take in found:
        take.check(CONTRACT)
        assert take.labels[0].name == "raise arms"
        assert np.isfinite(take.imu[:2]).mean() > 0.99
        assert np.isnan(take.imu[2:]).all()
        norm = np.linalg.norm(take.imu[:2, :3], axis=1)
        assert np.nanmedian(norm) == pytest.approx(9.81, abs=1.0)
        assert np.isfinite(take.pose).mean() > 0.7


def test_captions_beside_the_sets_say_what_is_done_when(sets):
    (sets / "captions").mkdir()
    (sets / "captions" / "mine.csv").write_text(
        "file,text,start_s,end_s\nraise-arms_1,raise both arms,1,3\nraise-arms_1,arms go up,1,3\nnobody,rests,0,1\n",
        encoding="utf-8",
    )
    mine, other = motion_takes.motion_takes(sets, CONTRACT, WRISTS)
    assert [(label.start_s, label.end_s, label.name) for label in mine.labels] == [
        (pytest.approx(1.0, abs=0.05), pytest.approx(3.0, abs=0.05), "raise both arms | arms go up")
    ]
    assert other.labels[0].name == "raise both arms | arms go up"  # a file of the same name


def test_sets_to_test_are_read_alone_where_that_is_asked_for(sets):
    (take,) = motion_takes.motion_takes(sets, CONTRACT, WRISTS, test=True)
    assert take.name == "secret/raise-arms_1"
    assert take.meta["split"] == "test"


def test_a_file_has_sensors_of_its_own_and_always_the_same(sets):
    (file, _) = sorted(motion_takes.MOTION_SETS["mine"].files(sets / "mine"), key=lambda own: own.name, reverse=True)
    one, again = (simulated_take(file, CONTRACT, WRISTS, "train") for _ in range(2))
    np.testing.assert_array_equal(one.imu, again.imu)
    other = simulated_take(dataclasses.replace(file, name="another"), CONTRACT, WRISTS, "train")
    assert not np.allclose(one.imu[:2, :, : other.imu.shape[2]], other.imu[:2, :, : one.imu.shape[2]], equal_nan=True)


def test_a_small_set_is_drawn_more_often_and_what_validates_once(sets, monkeypatch):
    """The large set has three files for the small one's one; draws are others each time, and jobs change nothing."""
    (sets / "large").mkdir()
    for k in range(3):
        body = made_up_body.motion(9 + k, 6.0, size=0.2)
        save(Recording(motions=(body,)), sets / "large" / f"wave_{k}.kinebind")
    (sets / "mine" / "blink_2.kinebind").unlink()
    large = motion_sets.MotionSet("large", "train", "", lambda root: motion_sets._any_motion("large", root))
    monkeypatch.setattr(motion_takes, "MOTION_SETS", motion_takes.MOTION_SETS | {"large": large})
    found = list(motion_takes.motion_takes(sets, CONTRACT, WRISTS, draws=2))
    count = Counter(take.name for take in found)
    assert count["mine/raise-arms_1"] == 2 * 3
    assert [count[f"large/wave_{k}"] for k in range(3)] == [2, 2, 2]
    assert count["other/raise-arms_1"] == 1
    drawn = [take.imu[:2] for take in found if take.name == "mine/raise-arms_1"]
    assert not np.allclose(drawn[0], drawn[1], equal_nan=True)


def test_processes_change_nothing(sets):
    here, there = (list(motion_takes.motion_takes(sets, CONTRACT, WRISTS, draws=2, jobs=jobs)) for jobs in (1, 2))
    assert (
        [take.name for take in here]
        == [take.name for take in there]
        == ["mine/raise-arms_1"] * 2 + ["other/raise-arms_1"]
    )
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.imu, other.imu)


def test_axes_lie_along_the_limb_whoever_wears_the_sensor(sets):
    """Half-turns of a watch, of which no pose tells, would leave nothing to regress."""
    (file, _) = sorted(motion_takes.MOTION_SETS["mine"].files(sets / "mine"), key=lambda own: own.name, reverse=True)
    takes = [
        simulated_take(dataclasses.replace(file, name=name), CONTRACT, WRISTS, "train").imu[:2, :3]
        for name in ("a", "b", "c", "d")
    ]
    mean = [np.nanmean(own, axis=2) for own in takes]  # mostly gravity
    for own in mean[1:]:
        np.testing.assert_allclose(own, mean[0], atol=3.0)


def test_a_folder_without_motion_to_train_on_is_refused(tmp_path):
    with pytest.raises(InputError, match="no set of motion to train on"):
        list(motion_takes.motion_takes(tmp_path, CONTRACT, WRISTS))
    with pytest.raises(InputError, match="no set of motion to test on"):
        list(motion_takes.motion_takes(tmp_path, CONTRACT, WRISTS, test=True))


def test_readers_that_simulate_nothing_draw_once(tmp_path):
    recipe = load_recipe("mobind-mri").changed({"data.draws": 2})
    with pytest.raises(InputError, match="draws = 2, but reader 'mri' simulates nothing"):
        store_for(recipe, tmp_path, tmp_path / "windows")
    with pytest.raises(InputError, match="draws = 0"):
        load_recipe("multi3net").changed({"data.draws": 0})
