"""MoBind: its size, its order of values, its masks, its losses, and that it learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinebind.errors import InputError
from kinebind.nn import Batch, Contract, LossConfig, MoBind, drop_sensors
from kinebind.nn.losses import info_nce
from kinebind.nn.losses import multi_positive as multi_positive_loss
from kinebind.nn.mobind import Aggregator, Encoder, MaskedTokens, ModelConfig, patches, seen_tokens
from kinebind.nn.model import fill_unseen

FIVE = ("left_wrist", "right_wrist", "left_shank", "right_shank", "head")
MRI = Contract()
EGOHUMANS = Contract(imu_rate_hz=20.0, pose_rate_hz=20.0, parts=FIVE)
TOTAL_CAPTURE = Contract(imu_rate_hz=60.0, pose_rate_hz=60.0, parts=FIVE)


def size(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameters_are_as_many_as_in_the_paper():
    mri = MoBind(MRI, losses=LossConfig.stage2())
    assert size(mri.imu_encoder) + size(mri.motion_encoder) == 3_448_928
    assert (round(size(mri.imu_encoder) / 1e6, 2), round(size(mri.motion_encoder) / 1e6, 2)) == (1.86, 1.59)
    for contract, pair, whole in ((MRI, 3.45, 8.06), (EGOHUMANS, 3.32, 8.19), (TOTAL_CAPTURE, 3.84, 8.72)):
        model = MoBind(contract, losses=LossConfig.stage2())
        assert round((size(model.imu_encoder) + size(model.motion_encoder)) / 1e6, 2) == pair
        assert round(size(model) / 1e6, 2) == whole


def test_a_loss_without_weight_needs_no_modules(contract, config):
    stage1 = MoBind(contract, config, LossConfig.stage1())
    assert {name.split(".")[0] for name in stage1.state_dict()} == {"logit_scale", "imu_encoder", "motion_encoder"}
    joint = MoBind(contract, config, LossConfig.joint())
    assert joint.local2global_imu is None
    assert joint.masked_tokens is not None


def test_patches_are_flattened_channel_by_channel():
    x = torch.arange(2 * 3 * 8).reshape(2, 3, 8)
    out = patches(x, 4)
    assert out.shape == (2, 2, 12)
    # Row 1, second patch: samples 4..7 of channel 0, then of channel 1, then of channel 2.
    assert out[1, 1].tolist() == [28, 29, 30, 31, 36, 37, 38, 39, 44, 45, 46, 47]


def _naive_encoder(encoder: Encoder, x: torch.Tensor, heads: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The paper's encoder from its state dict by the release's names, one window at a time, attention by hand."""
    w = encoder.state_dict()
    tokens, local = [], []
    for window in x:
        h = window
        for i in "1234":
            h = F.conv1d(F.pad(h[None], (2, 2)), w[f"conv{i}.weight"], w[f"conv{i}.bias"])[0]
            mean, var = w[f"bn{i}.running_mean"][:, None], w[f"bn{i}.running_var"][:, None]
            h = (h - mean) / (var + 1e-5).sqrt() * w[f"bn{i}.weight"][:, None] + w[f"bn{i}.bias"][:, None]
            h = h.clamp(min=0)
        flat = [h[:, k : k + encoder.patch].flatten() for k in range(0, h.shape[1], encoder.patch)]
        t = torch.stack(flat) @ w["pre_transformer.weight"].T + w["transformer.pos_emb"][0]
        layers = {name.split(".")[3] for name in w if name.startswith("transformer.transformer.layers.")}
        for i in sorted(layers):
            p = {n.split(f"layers.{i}.")[1]: v for n, v in w.items() if f"layers.{i}." in n}
            q, k, v = (t @ p["self_attn.in_proj_weight"].T + p["self_attn.in_proj_bias"]).chunk(3, dim=1)
            d = q.shape[1] // heads
            seen = []
            for at in (slice(h * d, (h + 1) * d) for h in range(heads)):
                seen.append(torch.softmax(q[:, at] @ k[:, at].T / d**0.5, dim=1) @ v[:, at])
            attended = torch.cat(seen, dim=1) @ p["self_attn.out_proj.weight"].T + p["self_attn.out_proj.bias"]
            t = F.layer_norm(t + attended, t.shape[1:], p["norm1.weight"], p["norm1.bias"])
            fed = (t @ p["linear1.weight"].T + p["linear1.bias"]).clamp(min=0) @ p["linear2.weight"].T
            t = F.layer_norm(t + fed + p["linear2.bias"], t.shape[1:], p["norm2.weight"], p["norm2.bias"])
        tokens.append(t)
        local.append(t.mean(dim=0) @ w["projector.weight"].T)
    return torch.stack(tokens), torch.stack(local)


def test_the_encoder_equals_its_twin(config):
    torch.manual_seed(1)
    encoder = Encoder(7, 4, 5, config).eval()
    for tensor in encoder.state_dict().values():  # no norm is the identity, no bias zero
        if tensor.dtype == torch.float32:
            tensor.add_(0.1 * torch.rand_like(tensor))
    x = torch.randn(3, 7, 20)
    everything = torch.ones(3, 5, dtype=torch.bool)
    with torch.no_grad():
        expected = _naive_encoder(encoder, x, config.heads)
        for found in (encoder(x, everything), torch.enable_grad()(encoder)(x, everything)):  # torch has two ways
            for a, b in zip(found, expected, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_masked_tokens_are_as_if_the_sequence_were_without_them(config):
    torch.manual_seed(1)
    encoder = Encoder(7, 4, 5, config).eval()
    mask = torch.tensor([[True, False, True, True, False]])
    with torch.no_grad():
        x = torch.randn(1, 5, config.width)
        attended = encoder.transformer(x, mask)[mask]
        alone = encoder.transformer.transformer((x + encoder.transformer.pos_emb)[mask][None])[0]
        torch.testing.assert_close(attended, alone, rtol=1e-4, atol=1e-5)
        tokens, local = encoder(torch.randn(1, 7, 20), mask)
    assert (tokens[~mask] == 0).all()
    torch.testing.assert_close(local[0], encoder.projector(tokens[0, mask[0]].mean(dim=0)), rtol=1e-4, atol=1e-6)


def test_an_absent_sensor_leaves_zeros_in_the_aggregators_slot(config):
    aggregator = Aggregator(3, config)
    seen = []
    aggregator.proj[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    local = torch.randn(1, 3, config.width)
    aggregator(local, torch.tensor([[True, False, True]]))
    first, absent, last = seen[0].reshape(3, config.width)
    assert (absent == 0).all()
    torch.testing.assert_close(first, F.layer_norm(local[0, 0], (config.width,)))
    torch.testing.assert_close(last, F.layer_norm(local[0, 2], (config.width,)))


def test_unseen_frames_are_filled_as_numpy_would():
    rng = np.random.default_rng(2)
    pose, mask = rng.normal(size=(4, 3, 6, 9)).astype(np.float32), rng.random((4, 3, 9)) < 0.5
    mask[0, 0] = False
    holes = np.where(mask[:, :, None], pose, np.nan)
    filled = fill_unseen(torch.from_numpy(holes), torch.from_numpy(mask)).numpy()
    for b, n, c in np.ndindex(4, 3, 6):
        seen = np.flatnonzero(mask[b, n])
        expected = np.interp(np.arange(9), seen, pose[b, n, c, seen]) if seen.size else np.zeros(9)
        np.testing.assert_allclose(filled[b, n, c], expected, rtol=1e-5, atol=1e-6)


def test_a_token_needs_half_of_its_frames():
    contract = Contract(window_s=0.6, pose_rate_hz=15.0, imu_rate_hz=5.0, parts=("head",))  # three frames a token
    mask = torch.tensor([[[1, 1, 0, 1, 0, 0, 0, 0, 0]]], dtype=torch.bool)
    assert seen_tokens(contract, mask).tolist() == [[[True, False, False]]]


def _with_holes(batch: Batch) -> Batch:
    """A sensor of window 0, and some or all frames of parts of windows 1 and 2, not there."""
    imu_mask, pose_mask = batch.imu_mask.clone(), batch.pose_mask.clone()
    imu_mask[0, 1] = False
    pose_mask[1, 0, 3:6] = False
    pose_mask[2, 2] = False
    return batch.replace(imu_mask=imu_mask, pose_mask=pose_mask)


def _scribbled(batch: Batch, value: float) -> Batch:
    """The same with another content where the masks say that nothing is there."""
    nothing = torch.tensor(value)
    return batch.replace(
        imu=torch.where(batch.imu_mask[..., None, None], batch.imu, nothing),
        pose=torch.where(batch.pose_mask[:, :, None], batch.pose, nothing),
    )


@pytest.mark.parametrize("value", [1e4, float("nan")])
@pytest.mark.parametrize("training", [False, True])
def test_what_masks_hide_has_no_influence(contract, config, make_batch, value, training):
    batch = _with_holes(make_batch(contract, 4))
    model = MoBind(contract, config, LossConfig(multi_positive=0.1)).train(training)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = []
    for version in (batch, _scribbled(batch, value)):
        model.load_state_dict(state)
        model.zero_grad()
        torch.manual_seed(7)
        terms = model(version)
        terms["total"].backward()
        found.append(terms | {name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert len(found[0]) > 50
    for name, expected in found[0].items():
        assert torch.isfinite(expected).all(), name
        torch.testing.assert_close(found[1][name], expected, rtol=0, atol=0, msg=name)


def test_what_is_absent_is_zero_and_what_is_there_is_not(contract, config, make_batch):
    batch = _with_holes(make_batch(contract, 4))
    model = MoBind(contract, config).eval()
    with torch.no_grad():
        imu, pose = model.embed_imu(batch.imu, batch.imu_mask), model.embed_pose(batch.pose, batch.pose_mask)
        full = model.embed_imu(batch.imu, torch.ones_like(batch.imu_mask))
    assert pose.present.tolist() == [[True] * 3, [True] * 3, [True, True, False], [True] * 3]
    assert pose.token_mask[1, 0].tolist() == [True, True, False, True, True]  # frames 3, 4, 5: half of token 1 is seen
    for e in (imu, pose):
        assert (e.local[~e.present] == 0).all()
        assert (e.tokens[~e.token_mask] == 0).all()
        assert (e.local[e.present] != 0).any(dim=-1).all()
    assert not torch.allclose(imu.whole[0], full.whole[0])
    torch.testing.assert_close(imu.whole[1:], full.whole[1:])


def test_each_loss_is_what_its_embeddings_give(contract, config, make_batch):
    batch = _with_holes(make_batch(contract, 4))
    losses = LossConfig(whole=0.7, local=0.6, token=0.5, masked_tokens=0.0, multi_positive=0.4)
    model = MoBind(contract, config, losses).eval()
    with torch.no_grad():
        terms = model(batch)
        imu, pose = model.embed_imu(batch.imu, batch.imu_mask), model.embed_pose(batch.pose, batch.pose_mask)
        scale = torch.tensor(1 / 0.07)
        everyone = torch.ones(4, dtype=torch.bool)
        torch.testing.assert_close(terms["whole"], info_nce(imu.whole, pose.whole, scale, everyone).mean())
        local, token = [], []
        for n in range(3):
            both = imu.present[:, n] & pose.present[:, n]
            local += info_nce(imu.local[both, n], pose.local[both, n], scale, everyone[: both.sum()]).tolist()
            for b in range(4):
                seen = imu.token_mask[b, n] & pose.token_mask[b, n]
                pair = imu.tokens[b, n, seen], pose.tokens[b, n, seen]
                token += info_nce(*pair, scale, torch.ones(int(seen.sum()), dtype=torch.bool)).tolist()
        assert terms["local"].item() == pytest.approx(np.mean(local), rel=1e-4)
        assert terms["token"].item() == pytest.approx(np.mean(token), rel=1e-4)
        projected = model.local2global_imu(imu.local)
        expected = multi_positive_loss(pose.whole, projected, scale, imu.present).mean()
        torch.testing.assert_close(terms["multi_positive"], expected)
        weighed = sum(getattr(losses, name) * term for name, term in terms.items() if name != "total")
        torch.testing.assert_close(terms["total"], weighed)


def test_the_first_stage_has_the_other_limbs_as_negatives(contract, config, make_batch):
    batch = _with_holes(make_batch(contract, 4))
    model = MoBind(contract, config, LossConfig.stage1()).eval()
    with torch.no_grad():
        imu, pose = model.embed_imu(batch.imu, batch.imu_mask), model.embed_pose(batch.pose, batch.pose_mask)
        assert imu.whole is None
        both = (imu.present & pose.present).flatten()
        a, b = imu.local.flatten(0, 1)[both], pose.local.flatten(0, 1)[both]
        assert len(a) == 10
        expected = info_nce(a, b, 1 / 0.07, torch.ones(10, dtype=torch.bool)).mean()
        terms = model(batch)
    assert terms.keys() == {"total", "local", "token"}
    torch.testing.assert_close(terms["local"], expected)


def test_the_pose_gets_no_gradient_from_the_multi_positive_loss(contract, config, make_batch):
    model = MoBind(contract, config, LossConfig.stage2()).eval()
    model(make_batch(contract, 4))["multi_positive"].backward()
    assert all(p.grad is None for p in model.motion_encoder.parameters())
    assert model.local2global_imu.weight.grad.abs().max() > 0


def _bare_masked_tokens(sensors: int) -> MaskedTokens:
    """Nothing but the embeddings that are added to the tokens, all zero."""
    masked = MaskedTokens(sensors, 25, ModelConfig(width=8, heads=2, layers=1))
    masked.imu_transformer = masked.pre_pred_norm = masked.imu_pred = torch.nn.Identity()
    for name in ("mask_token", "imu_pos_emb"):
        torch.nn.init.zeros_(getattr(masked, name))
    torch.nn.init.zeros_(masked.sensor_id_emb.weight)
    return masked


def test_a_sensors_identity_goes_to_the_sensor_and_a_position_to_its_time():
    present = torch.tensor([[True, True, True, True], [False, True, False, True]])
    masked = _bare_masked_tokens(4)
    with torch.no_grad():
        masked.sensor_id_emb.weight += torch.arange(1.0, 5.0)[:, None]
        error, hidden = masked(torch.zeros(2, 4, 25, 8), present)
        assert error.shape == hidden.shape == (6, 25)
        torch.testing.assert_close(error, torch.tensor([1.0, 4, 9, 16, 4, 16])[:, None].expand(6, 25))
        masked.sensor_id_emb.weight.zero_()
        masked.imu_pos_emb += torch.arange(25.0)[None, :, None]
        error = masked(torch.zeros(2, 4, 25, 8), present)[0]
        torch.testing.assert_close(error, torch.arange(25.0).square().expand(6, 25))


def test_six_of_25_tokens_stay_visible_and_others_in_each_sensor():
    masked = _bare_masked_tokens(4)
    with torch.no_grad():
        error, hidden = masked(torch.ones(50, 4, 25, 8), torch.ones(50, 4, dtype=torch.bool))
    assert (hidden.sum(dim=1) == 19).all()
    assert len({tuple(row.tolist()) for row in hidden}) == 200
    assert 0.6 < hidden.float().mean(dim=0).min() < hidden.float().mean(dim=0).max() < 0.95  # no time is spared
    torch.testing.assert_close(error, hidden.float())  # visible tokens pass, hidden ones are replaced by zero


def test_hidden_tokens_are_neither_seen_nor_pulled_at():
    torch.manual_seed(2)
    masked = MaskedTokens(2, 25, ModelConfig(width=8, heads=2, layers=1)).eval()
    tokens = torch.randn(3, 2, 25, 8, requires_grad=True)
    error, hidden = masked(tokens, torch.ones(3, 2, dtype=torch.bool))
    error[hidden].sum().backward()
    moved = (tokens.grad != 0).any(dim=-1).flatten(0, 1)
    assert (moved == ~hidden).all()


def test_the_scale_is_learned_and_at_most_100(contract, config, make_batch):
    model = MoBind(contract, config)
    assert model.logit_scale.item() == pytest.approx(2.659, abs=5e-4)
    assert model.scale.item() == pytest.approx(1 / 0.07, rel=1e-5)
    model(make_batch(contract, 4))["total"].backward()
    assert model.logit_scale.grad.item() != 0
    torch.nn.init.constant_(model.logit_scale, 9.0)
    assert model.scale.item() == 100.0


@pytest.mark.parametrize("most", [1, 2, 3])
def test_sensors_are_dropped_evenly_and_one_stays(most):
    torch.manual_seed(0)
    present = torch.ones(4000, 4, dtype=torch.bool)
    present[:1000, 1:] = False
    kept = drop_sensors(present, most)
    assert (kept <= present).all()
    assert (kept[:1000] == present[:1000]).all()
    lost = 4 - kept[1000:].sum(dim=1)
    assert torch.bincount(lost).tolist() == pytest.approx([3000 / (most + 1)] * (most + 1), rel=0.15)
    shares = kept[1000:].float().mean(dim=0)
    assert shares.tolist() == pytest.approx([1 - most / 8] * 4, abs=0.03)


def test_sensors_are_dropped_in_training_only(contract, config, make_batch):
    batch = make_batch(contract, 64)
    model = MoBind(contract, dataclasses.replace(config, sensor_dropout=2))
    assert (model.eval().sensors_kept(batch.imu_mask) == batch.imu_mask).all()
    kept = model.train().sensors_kept(batch.imu_mask).sum(dim=1)
    assert (kept.min(), kept.max()) == (1, 3)
    assert torch.isfinite(model(batch)["total"])


def test_a_batch_without_two_pairs_is_refused(contract, config, make_batch):
    model = MoBind(contract, config)
    with pytest.raises(InputError, match=r"1 window\(s\)"):
        model(make_batch(contract, 1))
    batch = make_batch(contract, 2)
    with pytest.raises(InputError, match=r"1 window\(s\)"):
        model(batch.replace(pose_mask=batch.pose_mask & (batch.clip == 0)[:, None, None]))
    with pytest.raises(InputError, match="imu has shape"):
        model.embed_imu(batch.imu[:, :, :3], batch.imu_mask)
    with pytest.raises(InputError, match="pose has shape"):
        model.embed_pose(batch.pose[..., :4], batch.pose_mask)


def test_nothing_there_at_all_embeds_as_zeros(contract, config, make_batch):
    batch = make_batch(contract, 2)
    model = MoBind(contract, config).eval()
    with torch.no_grad():
        imu = model.embed_imu(batch.imu, torch.zeros_like(batch.imu_mask))
        pose = model.embed_pose(batch.pose, torch.zeros_like(batch.pose_mask))
    for e in (imu, pose):
        assert not e.present.any()
        assert (e.local == 0).all()
        assert torch.isfinite(e.whole).all()


def test_bfloat16_is_near_float32(contract, config, make_batch):
    batch = make_batch(contract, 8)
    model = MoBind(contract, config, LossConfig(masked_tokens=0.0)).eval()
    exact = model(batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(batch)
    assert rounded["total"].dtype == torch.float32
    for name, value in exact.items():
        assert rounded[name].item() == pytest.approx(value.item(), rel=0.05), name
    rounded["total"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("losses", [LossConfig.joint(), LossConfig.stage2()])
def test_every_parameter_is_trained(contract, config, make_batch, losses):
    """So that distributed training waits for no gradient that never comes; the release's unused token is frozen."""
    model = MoBind(contract, config, losses)
    model(make_batch(contract, 4))["total"].backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == [
        "imu_encoder.transformer.cls_token", "motion_encoder.transformer.cls_token",
    ]  # fmt: skip


def test_it_learns_which_imu_belongs_to_which_pose(contract, config, make_batch):
    torch.manual_seed(0)
    batch = make_batch(contract, 8)
    model = MoBind(contract, dataclasses.replace(config, conv_dropout=0.0, token_dropout=0.0), LossConfig.joint())
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = None
    for _ in range(60):
        terms = model(batch)
        first = first or {name: value.item() for name, value in terms.items()}
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
    for name in ("whole", "local", "token"):
        assert terms[name].item() < 0.5 * first[name], name
    with torch.no_grad():
        imu, pose = (
            F.normalize(e.whole, dim=1)
            for e in (model.eval().embed_imu(batch.imu, batch.imu_mask), model.embed_pose(batch.pose, batch.pose_mask))
        )
    assert ((imu @ pose.T).argmax(dim=1) == torch.arange(8)).all()
