"""Takes, stores and windows: what is on the disk, which windows there are, and what a batch holds."""

from __future__ import annotations

import dataclasses
import json

import made_up_windows
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sync_scene
from kinebind import ClockMap, Imu, InputError, Label, Poses, Recording
from kinebind.nn import Contract, pose_array
from kinebind.training.batches import Prefetched, batches, make_batch, order_of_epoch, samples_of, training_batches
from kinebind.training.recipe import recipe_from_text
from kinebind.training.settings import DataConfig, TrainConfig
from kinebind.training.store import open_store, store_from_recordings
from kinebind.training.takes import Take, take_from_recording
from kinebind.training.windows import absent_groups, common_step, split_windows, windows_of

CONTRACT = recipe_from_text(made_up_windows.RECIPE).contract
DATA = DataConfig(stride_s=0.5)
WALK = DataConfig(stride_s=0.5, classes=("swing",), drop_unlabelled=True)


def one(take: Take, folder):
    return store_from_recordings([take], CONTRACT, folder)


def still(seconds: float, **changes) -> Take:
    return dataclasses.replace(made_up_windows.take("1", CONTRACT, seconds=seconds), **changes)


def naive_starts_s(seconds: float, stride_s: float) -> list[float]:
    starts, k = [], 0
    while k * stride_s + CONTRACT.window_s <= seconds + 1e-9:
        starts.append(k * stride_s)
        k += 1
    return starts


@given(frames=st.integers(1, 120), stride=st.integers(1, 40))
def test_windows_go_up_to_the_last_full_one(tmp_path_factory, frames, stride):
    seconds, stride_s = frames / 20.0, stride / 20.0
    take = still(seconds)
    store = one(take, tmp_path_factory.mktemp("w"))
    windows = windows_of(store, CONTRACT, DataConfig(stride_s=stride_s))
    assert (windows.pose_start / 20.0).tolist() == pytest.approx(naive_starts_s(seconds, stride_s))
    assert (windows.imu_start == 2 * windows.pose_start).all()


def test_no_window_reaches_from_one_take_into_another(tmp_path):
    lengths = (2.35, 0.9, 1.0, 3.05)
    takes = [made_up_windows.take("1", CONTRACT, seconds=s, seed=k) for k, s in enumerate(lengths)]
    store = store_from_recordings(takes, CONTRACT, tmp_path)
    windows = windows_of(store, CONTRACT, DATA)
    for e, entry in enumerate(store.entries):
        own = windows.take(windows.entry == e)
        assert len(own) == len(naive_starts_s(lengths[e], 0.5))
        assert (own.pose_start >= entry.pose_start).all()
        assert (own.pose_start + CONTRACT.pose_samples <= entry.pose_start + entry.pose_count).all()
        assert (own.imu_start + CONTRACT.imu_samples <= entry.imu_start + entry.imu_count).all()


def test_a_batch_holds_what_the_takes_hold(store, recipe):
    windows = windows_of(store, recipe.contract, recipe.data)
    index = np.array([0, 7, 20, 3])
    batch = make_batch(store, recipe.contract, windows, index)
    recipe.contract.check(batch)
    for b, w in enumerate(index):
        take = made_up_windows.take("1234"[windows.entry[w]], recipe.contract)
        entry = store.entries[windows.entry[w]]
        i, p = windows.imu_start[w] - entry.imu_start, windows.pose_start[w] - entry.pose_start
        np.testing.assert_array_equal(batch.imu[b].numpy(), take.imu[:, :, i : i + 40])
        np.testing.assert_array_equal(batch.pose[b].numpy(), take.pose[:, :, p : p + 20])
    assert batch.imu_mask.all()
    assert batch.pose_mask.all()
    assert batch.clip.tolist() == index.tolist()


def test_a_sensor_with_a_gap_is_absent_from_the_windows_that_meet_it_and_not_filled(tmp_path):
    take = still(4.0)
    take.imu[0, :, 60:70] = np.nan
    store = one(take, tmp_path)
    assert np.isnan(store.imu[60:70, 0]).all()
    windows = windows_of(store, CONTRACT, DATA)
    meets = (windows.imu_start < 70) & (windows.imu_start + 40 > 60)
    assert windows.imu_mask[:, 0].tolist() == (~meets).tolist()
    assert windows.imu_mask[:, 1].all()
    batch = make_batch(store, CONTRACT, windows, np.flatnonzero(meets))
    assert (batch.imu[:, 0] == 0).all()
    assert not batch.imu_mask[:, 0].any()


def test_unseen_frames_are_masked_and_drawn_between_the_seen_ones(tmp_path):
    take = still(2.0)
    take.pose[1, 3, 10:15] = np.nan  # one coordinate is missing: the part is not seen
    store = one(take, tmp_path)
    windows = windows_of(store, CONTRACT, DATA)
    batch = make_batch(store, CONTRACT, windows, np.array([0]))
    assert batch.pose_mask[0, 0].all()
    assert torch.nonzero(~batch.pose_mask[0, 1]).flatten().tolist() == [10, 11, 12, 13, 14]
    filled = batch.pose[0, 1, 3, 9:16].numpy()
    np.testing.assert_allclose(filled, np.linspace(filled[0], filled[-1], 7), rtol=1e-5)


def test_windows_in_which_nothing_can_be_paired_are_left_out(tmp_path):
    take = still(6.0)
    take.imu[0] = np.nan
    take.pose[1, :, :60] = np.nan  # the other part is not seen in the first three seconds
    starts_s = windows_of(one(take, tmp_path), CONTRACT, DATA).pose_start / 20.0
    assert starts_s.tolist() == [2.5, 3.0, 3.5, 4.0, 4.5, 5.0]  # from where half of a window's frames are seen


def test_a_windows_label_is_that_of_most_frames_and_unlabelled_ones_can_be_dropped(tmp_path):
    labels = (Label(0.0, 1.5, "swing"), Label(2.4, 4.0, "rest"))
    store = one(still(4.0, labels=labels), tmp_path)
    data = DataConfig(stride_s=0.5, classes=("rest", "swing"))
    assert windows_of(store, CONTRACT, data).label.tolist() == [1, 1, -1, -1, 0, 0, 0]
    kept = windows_of(store, CONTRACT, dataclasses.replace(data, drop_unlabelled=True))
    assert kept.label.tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(InputError, match="'rest', which is no class"):
        windows_of(store, CONTRACT, WALK)


def test_a_random_phase_moves_windows_and_keeps_them_inside(store, recipe):
    fixed = windows_of(store, recipe.contract, recipe.data)
    moved = windows_of(store, recipe.contract, recipe.data, rng=np.random.default_rng(0))
    again = windows_of(store, recipe.contract, recipe.data, rng=np.random.default_rng(0))
    assert moved.pose_start.tolist() == again.pose_start.tolist()
    assert set(moved.pose_start.tolist()) - set(fixed.pose_start.tolist())
    for e, entry in enumerate(store.entries):
        own = moved.pose_start[moved.entry == e]
        assert (own >= entry.pose_start).all()
        assert (own + recipe.contract.pose_samples <= entry.pose_start + entry.pose_count).all()


@pytest.mark.parametrize(("imu_hz", "pose_hz", "step"), [(50, 10, (5, 1)), (100, 30, (10, 3)), (60, 60, (1, 1))])
def test_streams_meet_at_a_common_step(imu_hz, pose_hz, step):
    assert common_step(Contract(imu_rate_hz=imu_hz, pose_rate_hz=pose_hz)) == step


def test_splits_are_by_group_and_say_what_is_missing(store, recipe):
    names = {s: {store.entries[e].name for e in split_windows(store, recipe.contract, recipe.data, s).entry}
             for s in ("train", "val", "test")}  # fmt: skip
    assert names == {"train": {"subject 1", "subject 2"}, "val": {"subject 3"}, "test": {"subject 4"}}
    with pytest.raises(InputError, match="val has no windows: it wants subject 9") as error:
        split_windows(store, recipe.contract, dataclasses.replace(recipe.data, val=("9",)), "val")
    assert "subject 1, 2, 3, 4" in error.value.fix
    assert absent_groups(store, dataclasses.replace(recipe.data, val=("9",), test=("rest",))) == ["9"]
    with pytest.raises(InputError, match="does not say its take"):
        split_windows(store, recipe.contract, dataclasses.replace(recipe.data, group="take"), "val")


def test_a_store_says_which_contract_it_was_made_for(store, recipe):
    longer = dataclasses.replace(recipe.contract, window_s=2.0, patch_s=0.5)
    assert len(windows_of(store, longer, recipe.data))
    with pytest.raises(InputError, match=r"imu_rate_hz 40.0 against 20.0"):
        open_store(store.folder, dataclasses.replace(recipe.contract, imu_rate_hz=20.0))


def test_a_store_that_is_not_whole_is_refused(tmp_path):
    with pytest.raises(InputError, match="no finished windows"):
        open_store(tmp_path)
    store = one(still(2.0), tmp_path)

    def takes():
        yield still(2.0)
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        store_from_recordings(takes(), CONTRACT, tmp_path)
    with pytest.raises(InputError, match="no finished windows"):
        open_store(tmp_path)
    store = one(still(2.0), tmp_path)
    whole = (tmp_path / "imu.npy").read_bytes()
    (tmp_path / "imu.npy").write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"imu\.npy cannot be read"):
        open_store(tmp_path)
    (tmp_path / "imu.npy").write_bytes(whole)
    index = json.loads((tmp_path / "index.json").read_text())
    index["entries"][0]["imu_count"] += 1
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="not the length"):
        open_store(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        open_store(tmp_path)
    assert store.imu.shape == (80, 2, 3)
    with pytest.raises(InputError, match="no recordings"):
        store_from_recordings([], CONTRACT, tmp_path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"imu": np.zeros((2, 4, 80), np.float32)}, "imu has shape"),
        ({"pose": np.zeros((2, 6, 50), np.float32)}, "imu lasts 2.000 s"),
        ({"imu": np.full((2, 3, 80), np.inf, np.float32)}, "no float32 number"),
        ({"imu": np.zeros((2, 3, 80))}, "no float32 number"),
    ],
)
def test_a_take_that_breaks_the_contract_is_refused(tmp_path, changes, what):
    with pytest.raises(InputError, match=what):
        one(still(2.0, **changes), tmp_path)


def scene(**contract) -> tuple[Recording, Contract]:
    imus = tuple(sync_scene.imu(site, ClockMap(offset_s=0.3)) for site in ("left_wrist", "right_shank"))
    recording = Recording(
        people=(sync_scene.poses().replace(image_size_px=(1920, 1080)),), imus=imus,
        labels=(Label(1.0, 5.0, "walk"),), name="scene", meta={"subject": "1"},
    )  # fmt: skip
    channels = ("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
    wanted = {"parts": ("left_wrist", "right_shank", "head"), "imu_channels": channels, "imu_rate_hz": 50.0}
    return recording, Contract(**{"pose_rate_hz": 10.0, **wanted, **contract})


def test_a_recording_becomes_a_take_at_the_contracts_rates():
    recording, contract = scene()
    take = take_from_recording(recording, contract)
    take.check(contract)
    person, imu = recording.people[0], recording.imus[1]
    start_s = max(person.time_s[0], min(i.time_s[0] for i in recording.imus))
    imu_s = start_s + np.arange(take.imu.shape[2]) / 50.0
    inside = (imu_s > imu.time_s[0]) & (imu_s < imu.time_s[-1])
    expected = np.hstack([imu.resample(imu_s).acc_sensor, imu.resample(imu_s).gyr_sensor]).T
    np.testing.assert_allclose(take.imu[1][:, inside], expected[:, inside], rtol=1e-5, atol=1e-5)
    assert np.isnan(take.imu[2]).all()
    pose_s = start_s + np.arange(take.pose.shape[2] - 2) / 10.0
    expected = pose_array(contract, person.resample(pose_s).keypoints_px, person.image_size_px)
    np.testing.assert_allclose(take.pose[:, :, :-2], expected, rtol=1e-5, atol=1e-6)
    assert take.labels[0].start_s == pytest.approx(1.0 - start_s)


def test_rows_at_a_low_rate_fill_windows_to_the_end_of_their_last_period():
    time_s = np.arange(50) / 10.0
    rng = np.random.default_rng(0)
    imu = Imu(time_s, rng.normal(size=(50, 3)), site="left_wrist")
    poses = Poses(time_s, rng.uniform(100, 900, (50, 17, 2)), np.ones((50, 17)), image_size_px=(1000, 1000))
    contract = Contract(parts=("left_wrist",), imu_channels=("acc_x", "acc_y", "acc_z"))
    take = take_from_recording(Recording(people=(poses,), imus=(imu,)), contract)
    assert (take.imu.shape[2], take.pose.shape[2]) == (250, 50)  # 5 s: one whole window
    assert np.isfinite(take.imu).all()
    np.testing.assert_allclose(take.imu[0, :, -4:], np.repeat(take.imu[0, :, 245:246], 4, axis=1))


def test_a_recording_that_is_no_take_is_refused():
    recording, contract = scene()
    person, imu = recording.people[0], recording.imus[0]
    cases = {
        "shows 2 people": recording.replace(people=(person, person.replace(person="2"))),
        "two sensors on left_wrist": recording.replace(imus=(imu, imu.replace(name="other"))),
        "no sensor where": recording.replace(imus=(imu.replace(site="chest"),)),
        "less than two samples": recording.replace(imus=(imu.replace(time_s=imu.time_s + 1e4),)),
        "image's size": recording.replace(people=(person.replace(image_size_px=None),)),
        "lacks the channels gyr_x": recording.replace(imus=(imu.replace(gyr_sensor=None),)),
    }
    for what, bad in cases.items():
        with pytest.raises(InputError, match=what):
            take_from_recording(bad, contract)
    with pytest.raises(InputError, match="file's own unit"):
        take_from_recording(recording, dataclasses.replace(contract, acc_unit="file"))


def test_an_epoch_goes_once_through_equal_batches_in_a_new_order():
    config = TrainConfig(batch_size=8, seed=5)
    first, second = order_of_epoch(30, config, 0), order_of_epoch(30, config, 1)
    assert [index.size for index in first] == [8, 8, 8]
    assert np.unique(np.concatenate(first)).size == 24
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    assert [index.size for index in order_of_epoch(5, config, 0)] == [5]
    assert [index.size for index in order_of_epoch(7, config, 0, world=2)] == [6]
    with pytest.raises(InputError, match="cannot be shared by 4 processes"):
        order_of_epoch(7, config, 0, world=4)


def test_one_limb_a_sample_mixes_all_limbs(store, recipe):
    windows = windows_of(store, recipe.contract, recipe.data)
    config = TrainConfig(batch_size=32, sample="limb")
    index, limb = samples_of(windows, config)
    assert index.size == 2 * len(windows)
    batch = next(training_batches(store, recipe.contract, windows, config, order_of_epoch(index.size, config, 0)))
    assert (batch.imu_mask.sum(dim=1) == 1).all()
    assert (batch.pose_mask.any(dim=2) == batch.imu_mask).all()
    assert batch.imu_mask.any(dim=0).all()
    assert limb is not None


def test_a_single_window_is_nothing_to_train_on(tmp_path):
    windows = windows_of(one(still(1.0), tmp_path), CONTRACT, DATA)
    with pytest.raises(InputError, match="1 sample to train on"):
        samples_of(windows, TrainConfig())


def test_all_windows_come_in_their_order(store, recipe):
    windows = windows_of(store, recipe.contract, recipe.data)
    clips = torch.cat([batch.clip for batch in batches(store, recipe.contract, windows, 16)])
    assert clips.tolist() == list(range(len(windows)))


def test_working_ahead_keeps_the_order_hands_errors_over_and_can_be_left():
    with Prefetched(range(100)) as source:
        assert list(source) == list(range(100))

    def fails():
        yield 1
        raise OSError("the disk is gone")

    with Prefetched(fails()) as source, pytest.raises(OSError, match="disk is gone"):
        list(source)
    with Prefetched(iter(int, 1)) as endless:
        assert next(iter(endless)) == 0
    assert not endless._thread.is_alive()
