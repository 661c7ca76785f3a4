"""What `kinebind export` writes and onnxruntime runs is what torch says, within stated bounds; damage is told."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

import kinebind
import sync_scene
from kinebind import ClockMap, InputError
from kinebind.cli.app import run
from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.nn.universal import UNKNOWN_SITE
from kinebind.tasks.onnx_binder import OnnxEncoders, load_onnx

FLOAT_BOUND = 1e-4
"""Largest difference of a token's value, float32; tokens have values of about 4."""
INT8_BOUND = 0.99
"""Least cosine of token sequences."""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The shipped model, exported once: that takes a while."""
    folder = tmp_path_factory.mktemp("onnx") / "out"
    assert run(["export", str(folder), "--int8", "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def shipped():
    return kinebind.load()


@pytest.fixture(scope="module")
def streams():
    return sync_scene.imu("left_wrist", ClockMap(0.0), 75.0).replace(rot_world_from_sensor=None), sync_scene.poses(75.0)


def cosine(a, b) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@pytest.mark.parametrize(("batch", "samples"), [(1, 5), (3, 57), (1, 1000)])
@torch.inference_mode()
def test_any_number_of_streams_of_any_length(exported, shipped, batch, samples):
    onnx = load_onnx(exported, threads=1).model
    draw = torch.Generator().manual_seed(samples)
    site = torch.randint(0, UNKNOWN_SITE, (batch,), generator=draw)
    felt = torch.randn(batch, FELT_CHANNELS, samples, generator=draw)
    seen = torch.randn(batch, SEEN_CHANNELS, samples, generator=draw)
    unknown = torch.full((batch,), UNKNOWN_SITE)
    for own in (site, unknown):
        torch.testing.assert_close(
            onnx.embed_felt(felt, own), shipped.model.embed_felt(felt, own), atol=FLOAT_BOUND, rtol=0
        )
    for got, wanted in zip(onnx.embed_seen(seen, site), shipped.model.embed_seen(seen, site), strict=True):
        torch.testing.assert_close(got, wanted, atol=FLOAT_BOUND, rtol=0)


def test_real_streams_by_the_same_interface(exported, shipped, streams):
    imu, poses = streams
    other = kinebind.load(exported)
    assert isinstance(other.model, OnnxEncoders)
    assert "CC BY 4.0" in repr(other)
    assert other.contract == shipped.contract
    small = load_onnx(exported, int8=True)
    for embed in (lambda b: b.embed_imu(imu), lambda b: b.embed_pose(poses, "left_wrist")):
        wanted, got, eight = (embed(b) for b in (shipped, other, small))
        np.testing.assert_allclose(got.tokens, wanted.tokens, atol=FLOAT_BOUND, rtol=0)
        assert np.array_equal(got.time_s, wanted.time_s)
        assert np.array_equal(got.there, wanted.there)
        assert INT8_BOUND < cosine(eight.tokens, wanted.tokens) < 1.0 - 1e-7  # or nothing was made smaller


def test_the_matcher_runs_on_it_too(exported, shipped, streams):
    imu, poses = streams[0].slice_s(1.0, 9.0), streams[1].slice_s(0.0, 10.0)
    lags_s = np.array([0.0, 0.5])
    tables = []
    for binder in (shipped, kinebind.load(str(exported))):
        matcher = binder.matcher()
        tables.append(matcher.scores([matcher.felt(imu)], [matcher.seen(poses, "left_wrist")], lags_s))
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)


def test_what_is_written(exported):
    assert {p.name for p in exported.iterdir()} == {
        "felt.onnx", "seen.onnx", "felt.int8.onnx", "seen.int8.onnx", "contract.json"
    }  # fmt: skip
    told = json.loads((exported / "contract.json").read_text(encoding="utf-8"))
    assert told["inputs"]["felt"] == {"channels": ["B", FELT_CHANNELS, "S"], "site": ["B"]}
    assert len(told["contract"]["felt_channels"]) == FELT_CHANNELS
    assert told["unknown_site"] == UNKNOWN_SITE
    assert (exported / "felt.int8.onnx").stat().st_size < 0.5 * (exported / "felt.onnx").stat().st_size


def copied(exported, tmp_path):
    shutil.copytree(exported, tmp_path / "copy")
    return tmp_path / "copy"


def test_damage_is_told(exported, tmp_path):
    folder = copied(exported, tmp_path)
    spoilt = bytearray((folder / "seen.onnx").read_bytes())
    spoilt[-9] ^= 1
    (folder / "seen.onnx").write_bytes(spoilt)
    with pytest.raises(InputError, match=r"seen\.onnx is damaged"):
        kinebind.load(folder)
    load_onnx(folder, int8=True)  # which is whole
    (folder / "seen.int8.onnx").unlink()
    with pytest.raises(InputError, match=r"no file .*seen\.int8\.onnx"):
        load_onnx(folder, int8=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda told: told.update(format="kinebind-onnx-2"), "not of the format"),
        (lambda told: told.pop("config"), "lacks a part"),
        (lambda told: told["contract"].update(token_s=0.2), "wants another input: token_s"),
        (lambda told: told["sha256"].pop("felt.onnx"), r"holds no felt\.onnx"),
        (lambda told: told["sha256"].update({"felt.onnx": "0"}), "is damaged"),
    ],
)
def test_a_contract_that_does_not_fit_is_told(exported, tmp_path, change, words):
    folder = copied(exported, tmp_path)
    told = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
    change(told)
    (folder / "contract.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        kinebind.load(folder)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no contract\.json"):
        load_onnx(tmp_path)
    (tmp_path / "contract.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        load_onnx(tmp_path)
