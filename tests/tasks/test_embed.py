"""Embeddings as arrays: windows as they are, streams as their windows, sensors dropped as asked."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

from kinebind.errors import InputError
from kinebind.nn import Batch, Contract, LossConfig, MoBind, ModelConfig, build
from kinebind.tasks import embed
from kinebind.tasks.embed import Places, embed_windows, imu_stream, pose_stream, sub_windows, token_places
from kinebind.tasks.sync.token_stream import stitched

CONTRACT = Contract(
    window_s=1.0, patch_s=0.2, imu_rate_hz=50.0, pose_rate_hz=20.0, parts=("left_wrist", "right_wrist"),
    imu_channels=("acc_x", "acc_y", "acc_z"),
)  # fmt: skip
SMALL = ModelConfig(
    conv_widths=(4, 4, 8, 8), width=16, heads=2, layers=1, feedforward=16, masked_feedforward=16, aggregator_width=16
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = MoBind(CONTRACT, SMALL)
    made.train()
    return made


def streams(seconds: float, seed: int = 0):
    """imu (2, 3, S), pose (2, 6, S'), seen (2, S')."""
    rng = np.random.default_rng(seed)
    imu = rng.normal(size=(2, 3, round(50 * seconds))).astype(np.float32)
    pose = rng.normal(size=(2, 6, round(20 * seconds))).astype(np.float32)
    return imu, pose, np.ones((2, pose.shape[2]), dtype=bool)


def batch_of(imu, pose, seen, starts_s, first: int = 0) -> Batch:
    windows = [imu[:, :, round(50 * s) : round(50 * s) + 50] for s in starts_s]
    poses = [pose[:, :, round(20 * s) : round(20 * s) + 20] for s in starts_s]
    masks = [seen[:, round(20 * s) : round(20 * s) + 20] for s in starts_s]
    count = len(windows)
    return Batch(
        torch.from_numpy(np.stack(windows)), torch.ones(count, 2, dtype=torch.bool), torch.from_numpy(np.stack(poses)),
        torch.from_numpy(np.stack(masks)), torch.arange(count), torch.arange(first, first + count),
    )  # fmt: skip


def test_the_docstrings_examples_hold():
    found = doctest.testmod(embed)
    assert found.attempted >= 3
    assert found.failed == 0


def test_windows_are_what_the_model_makes_of_them(model):
    batch = batch_of(*streams(6.0), [0.0, 2.0, 4.0, 5.0])
    pairs = embed_windows(model, [batch])
    assert model.training  # as it was before
    model.eval()
    with torch.no_grad():
        imu = model.embed_imu(batch.imu, batch.imu_mask)
    model.train()
    np.testing.assert_array_equal(pairs.imu.whole, imu.whole.numpy())
    np.testing.assert_array_equal(pairs.imu.local, imu.local.numpy())
    assert (pairs.pose.whole.shape, pairs.pose.local.shape) == ((4, 16), (4, 2, 16))
    assert pairs.label.tolist() == pairs.clip.tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="no windows"):
        embed_windows(model, [])


def test_dropped_sensors_do_not_depend_on_the_batches(model):
    both = streams(6.0)
    whole = embed_windows(model, [batch_of(*both, [0.0, 1.0, 2.0, 3.0, 4.0])], dropped=1, seed=5)
    parts = [batch_of(*both, [0.0, 1.0]), batch_of(*both, [2.0, 3.0, 4.0], first=2)]
    split = embed_windows(model, parts, dropped=1, seed=5)
    np.testing.assert_array_equal(whole.imu.present, split.imu.present)
    np.testing.assert_allclose(whole.imu.whole, split.imu.whole, atol=1e-5)
    assert (whole.imu.present.sum(axis=1) == 1).all()
    assert whole.imu.present[:, 0].any()
    assert whole.imu.present[:, 1].any()
    assert whole.pose.present.all()
    for count in (2, -1):
        with pytest.raises(InputError, match=f"{count} of 2 sensors cannot be dropped"):
            embed_windows(model, parts, dropped=count)


def test_a_model_of_parts_alone_has_them_side_by_side():
    torch.manual_seed(0)
    model = MoBind(CONTRACT, SMALL, LossConfig.stage1())
    pairs = embed_windows(model, [batch_of(*streams(4.0), [0.0, 1.0, 2.0])])
    assert pairs.imu.whole.shape == (3, 32)
    np.testing.assert_allclose(np.linalg.norm(pairs.imu.whole.reshape(3, 2, 16), axis=2), 1.0, rtol=1e-5)


def test_a_stream_is_its_windows_stitched(model):
    """Naive twin: window by window, in a loop."""
    imu, pose, seen = streams(3.0)
    places = token_places(model, [batch_of(imu, pose, seen, [0.0, 1.0, 2.0])])
    hop = 2  # tokens
    stream = imu_stream(model, imu, hop=hop, phases=1, places=places)
    starts_s = [k * hop * 0.2 for k in range(6)]
    pairs = batch_of(imu, pose, seen, starts_s)
    model.eval()
    with torch.no_grad():
        windows = model.embed_imu(pairs.imu, pairs.imu_mask)
    model.train()
    twin, there = stitched(windows.tokens.numpy(), windows.token_mask.numpy(), hop, places.imu)
    np.testing.assert_allclose(stream.tokens[0], twin, atol=1e-5)
    assert there.all()
    assert stream.mask.all()
    assert (stream.rate_hz, stream.tokens.shape) == (5.0, (1, 2, 15, 16))


@pytest.mark.parametrize("seconds", [1.0, 1.1, 2.6, 3.0])
def test_a_stream_has_every_token_that_is_whole(model, seconds):
    imu, pose, seen = streams(seconds)
    ours = imu_stream(model, imu)
    assert ours.tokens.shape[:3] == (5, 2, int(seconds / 0.2 + 1e-6))
    # A phase that begins later ends before the last token does, unless the stream has that much more.
    more = seconds / 0.2 + 1e-6 - int(seconds / 0.2 + 1e-6)
    assert ours.mask[0].all()
    assert [bool(phase[:, -1].all()) for phase in ours.mask] == [p / 5 <= more for p in range(5)]
    assert ours.mask[:, :, :-1].all()
    track = pose_stream(model, pose, seen)
    assert track.tokens.shape[:3] == (1, 2, int(seconds / 0.2 + 1e-6))
    assert track.mask.all()


def test_a_phase_is_the_stream_begun_later(model):
    imu, _, _ = streams(3.0)
    zero = Places(np.zeros((2, 5, 16), np.float32), None)
    every = imu_stream(model, imu, phases=5, hop=5, places=zero)
    later = imu_stream(model, imu[:, :, 4:], phases=1, hop=5, places=zero)  # two fifths of 10 samples
    np.testing.assert_allclose(every.tokens[2, :, :10], later.tokens[0, :, :10], atol=1e-5)
    with pytest.raises(InputError, match="has no 3 phases"):
        imu_stream(model, imu, phases=3)


def test_what_is_missing_is_masked(model):
    imu, pose, seen = streams(4.0)
    imu[0, 1, 60:70] = np.nan
    seen[1, 40:] = False
    felt = imu_stream(model, imu, hop=5, phases=1)
    assert felt.mask[0, 0].tolist() == [True] * 5 + [False] * 5 + [True] * 10
    assert felt.mask[0, 1].all()
    track = pose_stream(model, pose, seen, hop=5)
    assert track.mask[0, 1].tolist() == [True] * 10 + [False] * 10
    for stream in (felt, track):
        assert np.isfinite(stream.tokens).all()


def test_sub_windows_are_the_vectors_of_windows_a_token_apart(model):
    imu, pose, seen = streams(2.0)
    ours, theirs = sub_windows(model, imu, pose, seen)
    pairs = embed_windows(model, [batch_of(imu, pose, seen, [0.2 * k for k in range(6)])])
    np.testing.assert_allclose(ours, pairs.imu.whole, atol=1e-5)
    np.testing.assert_allclose(theirs, pairs.pose.whole, atol=1e-5)


def test_a_model_without_tokens_has_one_a_window():
    torch.manual_seed(0)
    model = build("imu2clip", CONTRACT)
    imu, pose, seen = streams(3.0)
    stream = imu_stream(model, imu)
    ours, theirs = sub_windows(model, imu, pose, seen)
    assert stream.tokens.shape == (5, 1, 11, ours.shape[1])
    np.testing.assert_allclose(stream.tokens[0, 0], ours, atol=1e-5)
    assert stream.mask[0].all()
    assert not stream.mask[1:, :, -1].any()
    np.testing.assert_allclose(pose_stream(model, pose, seen).tokens[0, 0], theirs, atol=1e-5)
    assert token_places(model, [batch_of(imu, pose, seen, [0.0, 1.0])]).imu is None


def test_streams_shorter_than_a_window(model):
    imu, pose, seen = streams(0.9)
    with pytest.raises(InputError, match="shorter than the model's window of 1 s"):
        imu_stream(model, imu)
    with pytest.raises(InputError, match="shorter"):
        pose_stream(model, pose, seen)
    with pytest.raises(InputError, match="shorter"):
        sub_windows(model, imu, pose, seen)
