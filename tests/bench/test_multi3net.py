"""The benchmark of Multi3Net: its measures against plain ones, its head, and going on where it was stopped."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind import Label
from kinebind.bench import multi3net
from kinebind.bench.multi3net_head import WristRecogniser, series_r, with_norms
from kinebind.nn.recogniser import Streams
from kinebind.training.step import recall_at_1
from kinebind.training.store import store_from_recordings
from kinebind.training.takes import Take


class Words:
    name, size = "words", 384

    def encode(self, sentences):
        rows = np.stack([np.random.default_rng(len(s)).standard_normal(384) for s in sentences])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    contract = multi3net.recipe_of("", small=True).contract
    takes = []
    for k in range(8):
        rng = np.random.default_rng(k)
        t = np.arange(240) / 30.0
        beat = np.sin(2 * np.pi * (0.4 + 0.2 * k) * t)
        imu = np.full((5, 6, 240), np.nan, dtype=np.float32)
        imu[:2] = 9.8 * beat + 0.1 * rng.standard_normal((2, 6, 240))
        pose = (beat[::2] + 0.05 * rng.standard_normal((5, 6, 120))).astype(np.float32)
        split = "val" if k % 4 == 3 else "train"
        if k == 7:
            imu[:2] = 9.8 + 0.1 * rng.standard_normal((2, 6, 240))  # somebody stands still
        meta = {"split": split, "source": "still" if k == 7 else "lively"}
        takes.append(Take(f"take {k}", imu, pose, (Label(0.0, 8.0, ("wave", "clap")[k % 2]),), meta))
    return store_from_recordings(takes, contract, tmp_path_factory.mktemp("windows"), Words())


def test_correlation_is_that_of_numpy_and_counts_what_it_should():
    rng = np.random.default_rng(0)
    told, true = rng.standard_normal((2, 3, 2, 40))
    where = rng.random((3, 40)) < 0.6
    expected = [
        np.mean([np.corrcoef(told[b, c, where[b]], true[b, c, where[b]])[0, 1] for c in range(2)]) for b in range(3)
    ]
    found = series_r(torch.tensor(told), torch.tensor(true), torch.tensor(where))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    # A channel that stands still has no correlation.
    true[:, 1] = 4.0
    first = [np.corrcoef(told[b, 0], true[b, 0])[0, 1] for b in range(3)]
    np.testing.assert_allclose(series_r(torch.tensor(told), torch.tensor(true)).numpy(), first, atol=1e-6)
    assert with_norms(torch.ones(1, 6, 2))[0, :, 0].tolist() == pytest.approx([3**0.5, 3**0.5])


def test_hits_are_the_recall_of_both_directions():
    felt, seen = torch.randn(2, 40, 5, generator=torch.Generator().manual_seed(0))
    seen = felt + 0.5 * seen
    expected = 0.5 * (recall_at_1(felt, seen) + recall_at_1(seen, felt))
    assert 0.2 < expected < 1.0
    assert multi3net.hits(felt, seen).mean() == pytest.approx(float(expected))


def test_the_head_looks_at_what_was_measured_alone():
    model = multi3net.recipe_of("", small=True).build()
    head = WristRecogniser(model, "right_wrist", 3).eval()
    axes = torch.randn(2, 1, 6, 200)
    there = torch.ones(2, 1, 200, dtype=torch.bool)
    there[:, :, 120:] = False
    none = torch.zeros(2, 0, dtype=torch.long)
    streams = Streams(
        torch.zeros(2, 1, 1, 200), axes, torch.zeros(2, 1, dtype=torch.long), there, torch.zeros(2, 0, 1, 200), none,
        torch.zeros(2, 0, 200, dtype=torch.bool),
    )  # fmt: skip
    changed = axes.clone()
    changed[..., 121:] = 7.0
    other = Streams(**{**streams.__dict__, "axes": changed})
    torch.testing.assert_close(head(streams), head(other))
    assert head(streams).shape == (2, 3)
    assert head.encoder.enter.weight is not model.imu[1].enter.weight


def test_variants_are_trained_once_and_judged(store, tmp_path, monkeypatch):
    monkeypatch.setattr(multi3net, "_store", lambda data, folder: store)
    assert multi3net.work(tmp_path, tmp_path, small=True, minutes=1e-9)  # stopped before anything
    assert multi3net.work(tmp_path, tmp_path, small=True) == []
    when = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("last.safetensors")}
    assert len(when) == len(multi3net.VARIANTS)
    assert multi3net.work(tmp_path, tmp_path, small=True) == []
    monkeypatch.setattr(multi3net, "labelled", lambda *_, **__: {})
    found = multi3net.metrics(tmp_path, tmp_path, final=False, small=True)
    series = {"pose2imu_r_wrist", "recon_r"}
    assert {*series, "m3_imu_pose_r1", "m3_imu_pose_r1_contrast"} <= set(found)
    assert "recon_r_contrast" not in found
    assert "pose2imu_r_wrist_no_pose2imu" not in found
    assert all(-1.0 <= value <= 1.0 for key, value in found.items() if "windows" not in key)


def test_windows_in_which_nothing_moves_are_told_apart(store):
    """One take of eight seconds moves and one does not: seven windows each."""
    model = multi3net.recipe_of("", small=True).build()
    found = multi3net.judged(model, store, "val")
    assert [found[f"m3_windows{suffix}"].of() for suffix in ("", "_all", "_lively")] == [7, 14, 7]
    assert found["m3_windows_still"].of() == 0
    np.testing.assert_array_equal(found["recon_r"].values, found["recon_r_lively"].values)
    np.testing.assert_array_equal(found["recon_r"].values, found["recon_r_all"].values[:7])
