"""The authors' checkpoints: state dicts of their names and full shapes, and files that must be refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from kinebind.errors import InputError
from kinebind.nn import Contract, load

MRI = Contract(acc_unit="file")


def _layer(prefix: str, feedforward: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}self_attn.in_proj_weight": (768, 256), f"{prefix}self_attn.in_proj_bias": (768,),
        f"{prefix}self_attn.out_proj.weight": (256, 256), f"{prefix}self_attn.out_proj.bias": (256,),
        f"{prefix}linear1.weight": (feedforward, 256), f"{prefix}linear1.bias": (feedforward,),
        f"{prefix}linear2.weight": (256, feedforward), f"{prefix}linear2.bias": (256,),
        f"{prefix}norm1.weight": (256,), f"{prefix}norm1.bias": (256,),
        f"{prefix}norm2.weight": (256,), f"{prefix}norm2.bias": (256,),
    }  # fmt: skip


def _encoder(prefix: str, channels: int, patch: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (wide, narrow) in enumerate([(32, channels), (64, 32), (128, 64), (128, 128)], start=1):
        shapes |= {f"conv{i}.weight": (wide, narrow, 5), f"conv{i}.bias": (wide,), f"bn{i}.num_batches_tracked": ()}
        shapes |= {f"bn{i}.{name}": (wide,) for name in ("weight", "bias", "running_mean", "running_var")}
    shapes |= {
        "pre_transformer.weight": (256, 128 * patch), "transformer.pos_emb": (1, 25, 256),
        "transformer.cls_token": (1, 1, 256), "projector.weight": (256, 256),
    }  # fmt: skip
    for i in range(4):
        shapes |= _layer(f"transformer.transformer.layers.{i}.", 128)
    return {prefix + name: shape for name, shape in shapes.items()}


def _stage1(imu_patch: int, pose_patch: int) -> dict[str, tuple[int, ...]]:
    both = _encoder("imu_encoder.", 7, imu_patch) | _encoder("motion_encoder.", 6, pose_patch)
    return {"logit_scale": ()} | both


def _stage2(imu_patch: int, pose_patch: int, sensors: int) -> dict[str, tuple[int, ...]]:
    shapes = _stage1(imu_patch, pose_patch)
    shapes |= {"local2global_imu.weight": (256, 256), "local2global_imu.bias": (256,)}
    for side in ("imu", "motion"):
        shapes |= {
            f"{side}_norm.weight": (256,), f"{side}_norm.bias": (256,),
            f"{side}_agg_proj.0.weight": (512, 256 * sensors), f"{side}_agg_proj.0.bias": (512,),
            f"{side}_agg_proj.2.weight": (256, 512), f"{side}_agg_proj.2.bias": (256,),
        }  # fmt: skip
    shapes |= {
        "sensor_id_emb.weight": (sensors, 256), "mask_token": (1, 1, 256), "imu_pos_emb": (1, 25, 256),
        "pre_pred_norm.weight": (256,), "pre_pred_norm.bias": (256,),
        "imu_pred.weight": (256, 256), "imu_pred.bias": (256,),
    }  # fmt: skip
    for i in range(4):
        shapes |= _layer(f"imu_transformer.layers.{i}.", 1024)
    return shapes


def _state(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(4)
    return {
        name: torch.tensor(7) if name.endswith("tracked") else 0.02 * torch.rand(shape, generator=draw)
        for name, shape in shapes.items()
    }


def _saved(state: object, folder: Path) -> Path:
    torch.save(state, folder / "best.pt")
    return folder / "best.pt"


def test_the_lists_are_as_long_as_the_paper_says():
    """The shapes above are written out by hand; their sum is what the papers count, buffers apart."""

    def count(shapes: dict[str, tuple[int, ...]]) -> int:
        return sum(torch.Size(s).numel() for n, s in shapes.items() if "running" not in n and "tracked" not in n)

    assert count(_stage1(10, 2)) - 1 == 3_448_928
    assert [round(count(_stage2(*p)) / 1e6, 2) for p in ((10, 2, 4), (4, 4, 5), (12, 12, 5))] == [8.06, 8.19, 8.72]


def test_the_first_stage_is_read_tensor_by_tensor(tmp_path):
    state = _state(_stage1(10, 2))
    model = load(_saved(state, tmp_path), MRI, recipe="[model]")
    assert (model.name, model.recipe, model.training) == ("mobind", "[model]", False)
    assert model.contract == MRI
    found = model.state_dict()
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(found[name], tensor), name


def test_the_second_stage_is_read_tensor_by_tensor(tmp_path):
    contract = Contract(imu_rate_hz=20.0, pose_rate_hz=20.0, parts=(*MRI.parts, "head"), acc_unit="file")
    state = _state(_stage2(4, 4, 5))
    model = load(_saved(state, tmp_path), contract)
    assert len(model.state_dict()) == len(state)
    for theirs, ours in {
        "logit_scale": model.logit_scale,
        "imu_encoder.conv1.weight": model.imu_encoder.conv1.weight,
        "motion_encoder.transformer.transformer.layers.3.norm2.bias":
            model.motion_encoder.transformer.transformer.layers[3].norm2.bias,
        "motion_norm.weight": model.motion_aggregator.norm.weight,
        "imu_agg_proj.0.weight": model.imu_aggregator.proj[0].weight,
        "motion_agg_proj.2.bias": model.motion_aggregator.proj[2].bias,
        "local2global_imu.weight": model.local2global_imu.weight,
        "sensor_id_emb.weight": model.masked_tokens.sensor_id_emb.weight,
        "mask_token": model.masked_tokens.mask_token,
        "imu_transformer.layers.2.linear1.weight": model.masked_tokens.imu_transformer.layers[2].linear1.weight,
        "imu_pred.bias": model.masked_tokens.imu_pred.bias,
    }.items():  # fmt: skip
        assert torch.equal(state[theirs], ours), theirs
    with torch.no_grad():
        whole = model.embed_imu(torch.randn(2, 5, 7, 100), torch.ones(2, 5, dtype=torch.bool)).whole
    assert whole.shape == (2, 256)
    assert torch.isfinite(whole).all()


def test_without_a_contract_it_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not say what its input was") as error:
        load(_saved(_state(_stage1(10, 2)), tmp_path))
    assert "recipe" in error.value.fix


def test_tensors_that_differ_are_named(tmp_path):
    state = _state(_stage1(10, 2))
    del state["imu_encoder.bn2.running_var"]
    state["imu_encoder.conv5.weight"] = torch.zeros(3)
    state["motion_encoder.conv1.weight"] = torch.zeros(32, 9, 5)
    with pytest.raises(InputError) as error:
        load(_saved(state, tmp_path), MRI)
    assert "lacks imu_encoder.bn2.running_var;" in error.value.what
    assert "has besides imu_encoder.conv5.weight;" in error.value.what
    assert "motion_encoder.conv1.weight (32, 9, 5) for (32, 6, 5)" in error.value.what


def test_a_second_stage_of_other_sensors_is_named_in_its_own_words(tmp_path):
    path = _saved(_state(_stage2(10, 2, 4)), tmp_path)
    with pytest.raises(InputError, match=r"imu_agg_proj\.0\.weight \(512, 1024\) for \(512, 1280\)"):
        load(path, Contract(parts=(*MRI.parts, "head")))
    with pytest.raises(InputError, match=r"imu_encoder\.pre_transformer\.weight \(256, 1280\) for \(256, 1536\)"):
        load(path, Contract(imu_rate_hz=60.0))


class _Malicious:
    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self):
        return os.mkdir, (str(self.touched),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_file_that_would_run_code_is_refused_unread(tmp_path, how):
    touched, path = tmp_path / "touched", tmp_path / "best.pt"
    state = _state({"logit_scale": ()}) | {"bomb": _Malicious(touched)}
    if how == "torch":
        torch.save(state, path)
    else:
        path.write_bytes(pickle.dumps(state))
    with pytest.raises(InputError, match="refused"):
        load(path, MRI)
    assert not touched.exists()
    if how == "pickle":
        pickle.loads(path.read_bytes())  # the file is as malicious as it is meant to be
        assert touched.exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -100])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = _saved(_state({"logit_scale": (), "imu_encoder.conv1.weight": (32, 7, 5)}), tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="damaged"):
        load(path, MRI)


@pytest.mark.parametrize("content", [{}, [torch.zeros(2)], {"epoch": 3, "state": {"a": torch.zeros(2)}}, 5])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="not a state dict"):
        load(_saved(content, tmp_path), MRI)
