"""A model's file: what goes in comes out, it is whole or not there, and a wrong one is refused with its reasons."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from kinebind.errors import InputError
from kinebind.nn import MODELS, Contract, LossConfig, MoBind, build, checkpoint, load, save, start_from

SMALL = {"mobind": {"width": 16, "heads": 2, "layers": 1, "conv_widths": [4, 4, 4, 4]}}
RECIPE = "[train]\nseed = 3  # für Überprüfung\n"


def _embeddings(model, batch):
    model.eval()
    with torch.no_grad():
        sides = model.embed_imu(batch.imu, batch.imu_mask), model.embed_pose(batch.pose, batch.pose_mask)
    return torch.cat([side.whole for side in sides])


@pytest.mark.parametrize("name", MODELS)
def test_what_is_saved_is_loaded(tmp_path, contract, make_batch, name):
    batch = make_batch(contract, 4)
    model = build(name, contract, SMALL.get(name, {"width": 24, "sensor_dropout": 1}))
    model(batch)  # moves the batch statistics
    save(model, tmp_path / "model.safetensors", RECIPE)
    for found in (load(tmp_path / "model.safetensors"), load(tmp_path / "model.safetensors", contract)):
        assert (found.name, found.contract, found.recipe, found.training) == (name, contract, RECIPE, False)
        assert found.settings() == model.settings()
        assert torch.equal(_embeddings(found, batch), _embeddings(model, batch))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_losses_and_settings_come_back(tmp_path, contract, config):
    save(MoBind(contract, config, LossConfig.stage2(0.2)), tmp_path / "m")
    model = load(tmp_path / "m")
    assert model.losses == LossConfig.stage2(0.2)
    assert model.config == config


def test_a_full_disk_leaves_the_old_file(tmp_path, contract, config, monkeypatch):
    path = tmp_path / "m.safetensors"
    save(MoBind(contract, config), path)
    before = path.read_bytes()

    def half_then_full(tensors, part, metadata):
        part.write_bytes(before[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", half_then_full)
    with pytest.raises(InputError, match="No space left"):
        save(MoBind(contract, config), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("keep", [5, 9, 500, -10])
def test_a_truncated_file_is_refused(tmp_path, contract, config, keep):
    path = tmp_path / "m.safetensors"
    save(MoBind(contract, config), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a whole checkpoint"):
        load(path)


def test_another_contract_is_refused_with_what_differs(tmp_path, contract, config):
    save(MoBind(contract, config), tmp_path / "m")
    wanted = Contract.from_dict(contract.to_dict() | {"imu_rate_hz": 50.0, "acc_unit": "g"})
    with pytest.raises(InputError, match=r"imu_rate_hz 20.0 against 50.0; acc_unit m/s2 against g"):
        load(tmp_path / "m", wanted)


def _edited(path, change_head=lambda h: h, change_tensors=lambda t: t):
    with safe_open(path, framework="pt") as file:
        head = json.loads(file.metadata()["kinebind-model"])
    metadata = {"kinebind-model": json.dumps(change_head(head))}
    save_file(change_tensors(load_file(path)), path, metadata=metadata)


def test_another_architecture_is_refused_with_its_tensors(tmp_path, contract, config):
    path = tmp_path / "m.safetensors"
    save(MoBind(contract, config), path)

    def change(tensors):
        del tensors["imu_encoder.projector.weight"]
        return tensors | {"extra": torch.zeros(2), "motion_encoder.bn1.bias": torch.zeros(3)}

    _edited(path, change_tensors=change)
    with pytest.raises(InputError) as error:
        load(path)
    for words in ("lacks imu_encoder.projector.weight", "has besides extra", "motion_encoder.bn1.bias (3,) for (8,)"):
        assert words in error.value.what


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda h: h | {"version": 99}, "version 99"),
        (lambda h: h | {"name": "clip"}, "no model 'clip'"),
        (lambda h: {k: v for k, v in h.items() if k != "settings"}, "lacks a part"),
        (lambda h: h | {"contract": {"fps": 3}}, "unknown keys: fps"),
        (lambda h: h | {"settings": {"model": {"width": "wide"}, "loss": {}}}, "lacks a part"),
        (lambda h: [], "not a Kinebind model"),
    ],
)
def test_a_strange_description_is_refused(tmp_path, contract, config, change, says):
    path = tmp_path / "m.safetensors"
    save(MoBind(contract, config), path)
    _edited(path, change_head=change)
    with pytest.raises(InputError, match=says):
        load(path)


def test_files_of_others_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        load(tmp_path / "none.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not a Kinebind model"):
        load(tmp_path / "other.safetensors")


def test_the_second_stage_starts_from_the_first(contract, config):
    first = MoBind(contract, config, LossConfig.stage1())
    second = MoBind(contract, config, LossConfig.stage2())
    aggregator = second.imu_aggregator.proj[0].weight.clone()
    start_from(second, first)
    for name, tensor in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name
    assert torch.equal(second.imu_aggregator.proj[0].weight, aggregator)
    with pytest.raises(InputError, match="has besides imu_aggregator"):
        start_from(first, second)
    with pytest.raises(InputError, match=r"conv1.weight \(8, 7, 5\) for \(32, 7, 5\)"):
        start_from(MoBind(contract), first)
    with pytest.raises(InputError, match="another contract: patch_s"):
        start_from(MoBind(Contract.from_dict(contract.to_dict() | {"patch_s": 0.1}), config), first)
