"""The universal model's file: what was saved comes back, and whatever happens to a byte of it is told."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import sync_scene
from kinebind import Recording, save
from kinebind.errors import InputError
from kinebind.nn import sealed
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_contract import UniversalContract
from kinebind.nn.universal_file import is_universal_file, load_universal, read_universal, save_universal

SMALL = UniversalConfig(width=8, stem=4, blocks=1, heads=2, token=4)
ABOUT = {"licence": "CC BY-NC 4.0", "data": {"one": {"hours": 1.5}}}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Universal(SMALL)


@pytest.fixture
def path(tmp_path, model):
    save_universal(model, tmp_path / "m.safetensors", ABOUT)
    return tmp_path / "m.safetensors"


def test_what_was_saved_comes_back_to_the_bit(path, model):
    found = read_universal(path)
    assert found.model.config == SMALL
    assert not found.model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor), name
    assert found.about == ABOUT
    assert found.contract == UniversalContract()
    assert is_universal_file(path)
    assert torch.equal(load_universal(path).pair_scale, model.pair_scale)


def test_a_contract_of_ones_own_is_kept(tmp_path, model):
    own = UniversalContract(sites=("head", "chest"))
    save_universal(model, tmp_path / "own.safetensors", ABOUT, own)
    assert read_universal(tmp_path / "own.safetensors").contract == own


def test_every_damaged_byte_is_told(path, tmp_path):
    whole = path.read_bytes()
    head = 8 + int.from_bytes(whole[:8], "little")
    places = {0, 3, 8, 9, *range(10, head, 61), *np.linspace(head, len(whole) - 1, 40).astype(int).tolist()}
    for place in sorted(places):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << (place % 7)
        (tmp_path / "spoilt.safetensors").write_bytes(spoilt)
        with pytest.raises(InputError):
            read_universal(tmp_path / "spoilt.safetensors")


def test_a_damaged_weight_is_told_as_such(path):
    spoilt = bytearray(path.read_bytes())
    spoilt[-2] ^= 8
    path.write_bytes(spoilt)
    with pytest.raises(InputError, match="damaged: its checksum") as refused:
        load_universal(path)
    assert "install Kinebind again" in refused.value.fix


def test_half_a_file_is_told(path):
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged"):
        load_universal(path)


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        load_universal(tmp_path / "nothing.safetensors")
    save(Recording(people=(sync_scene.poses(2.0),)), tmp_path / "walk.safetensors")
    assert not is_universal_file(tmp_path / "walk.safetensors")
    with pytest.raises(InputError, match="not a universal model"):
        load_universal(tmp_path / "walk.safetensors")
    torch.save({"a": torch.zeros(1)}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="damaged"):
        load_universal(tmp_path / "state.pt")


def rewritten(path, change):
    """The same file with its head changed and the checksum made to fit."""
    with safe_open(str(path), framework="pt") as file:
        found = json.loads(file.metadata()["kinebind-universal"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(found["head"])
    found["sha256"] = sealed._checksum(found["head"], tensors)
    save_file(tensors, path, metadata={"kinebind-universal": json.dumps(found)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda head: head.update(version=2), "format version 2"),
        (lambda head: head["contract"].update(grid_hz=100.0), "wants another input: grid_hz 100.0 against 50.0"),
        (lambda head: head["contract"].update(colour="red"), "unknown keys: colour"),
        (lambda head: head["config"].update(width=16), "does not fit"),
        (lambda head: head.pop("config"), "does not fit"),
    ],
)
def test_what_another_kinebind_wrote_is_told(path, change, words):
    rewritten(path, change)
    with pytest.raises(InputError, match=words):
        read_universal(path)


def test_what_cannot_be_written_leaves_the_old_file(path, model):
    before = path.read_bytes()
    with pytest.raises(InputError, match="plain JSON"):
        save_universal(model, path, {"when": object()})
    with pytest.raises(InputError, match="plain JSON"):
        save_universal(model, path, {"loss": float("nan")})
    with pytest.raises(InputError, match="Cannot write"):
        save_universal(model, path.parent / "nowhere" / "m.safetensors", ABOUT)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
