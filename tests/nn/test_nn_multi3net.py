"""Multi3Net: its pairs, what masks hide, its series, and that it learns all three tasks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.nn import Contract, build
from kinebind.nn.losses import info_nce
from kinebind.nn.multi3net import bridged, positions

SMALL = {
    "sensors": ("left_wrist", "right_wrist"),
    "width": 16,
    "heads": 2,
    "feedforward": 16,
    "dropout": 0.0,
    "text": 12,
}


@pytest.fixture
def contract():
    return Contract(
        window_s=2.0, imu_rate_hz=30.0, pose_rate_hz=15.0, parts=("left_wrist", "right_wrist", "head"),
        imu_channels=("acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"), pose_frame="body",
    )  # fmt: skip


@pytest.fixture
def batch(contract, make_batch):
    made = make_batch(contract, 6)
    label = torch.tensor([0, 1, 2, 0, -1, 3])
    text = torch.randn(6, 4, 12, generator=torch.Generator().manual_seed(1))
    text[3] = text[0]
    return dataclasses.replace(made, label=label, text=torch.where(label[:, None, None] >= 0, text, 0.0))


def test_six_pairs_of_text_pose_and_two_wrists(contract, batch):
    terms = build("multi3net", contract, SMALL).eval()(batch)
    pairs = {
        "pose_left_wrist", "pose_right_wrist", "pose_text", "left_wrist_right_wrist", "left_wrist_text",
        "right_wrist_text",
    }  # fmt: skip
    assert set(terms) == {"total", "contrast", "pose2imu", "reconstruct"} | pairs
    mean = torch.stack([terms[name] for name in pairs]).mean()
    torch.testing.assert_close(terms["contrast"], mean)
    total = terms["contrast"] + terms["pose2imu"] + terms["reconstruct"]
    torch.testing.assert_close(terms["total"], total)


def test_a_pair_is_info_nce_of_its_vectors(contract, batch):
    model = build("multi3net", contract, SMALL).eval()
    imu = model.embed_imu(batch.imu, batch.imu_mask)
    pose = model.embed_pose(batch.pose, batch.pose_mask)
    expected = info_nce(pose.whole, imu.local[:, 0], 1 / 0.07, torch.ones(6, dtype=torch.bool)).mean()
    torch.testing.assert_close(model(batch)["pose_left_wrist"], expected)
    # A sensor of a part without an encoder is not looked at.
    assert not imu.present[:, 2].any()
    assert not imu.local[:, 2].any()


def test_windows_with_the_same_text_are_not_each_others_negatives(contract, batch):
    model = build("multi3net", contract, SMALL).eval()
    vectors = model.embed_text(batch.text.mean(dim=1))
    imu = model.embed_imu(batch.imu, batch.imu_mask).local[:, 1]
    there = batch.label >= 0
    apart = batch.label[:, None] != batch.label[None]
    logits = torch.nn.functional.cosine_similarity(imu[:, None], vectors[None], dim=-1) / 0.07
    losses = []
    for k in torch.nonzero(there)[:, 0].tolist():
        others = [j for j in range(6) if there[j] and (apart[k, j] or j == k)]
        losses += [logits[k, others].logsumexp(0) - logits[k, k], logits[others, k].logsumexp(0) - logits[k, k]]
    torch.testing.assert_close(model(batch)["right_wrist_text"], torch.stack(losses).mean())


def test_what_is_missing_is_in_no_pair(contract, batch):
    batch.imu_mask[:, 1] = False
    model = build("multi3net", contract, SMALL).eval()
    silent = dataclasses.replace(batch, text=None)
    terms = model(silent)
    assert "pose_text" not in terms
    assert terms["pose_right_wrist"] == terms["left_wrist_right_wrist"] == 0.0
    torch.testing.assert_close(terms["contrast"], terms["pose_left_wrist"])
    # Whatever stands where nothing was measured.
    nan = torch.tensor(torch.nan)
    other = dataclasses.replace(batch, imu=torch.where(batch.imu_mask[..., None, None], batch.imu, nan))
    torch.manual_seed(0)
    expected = model(batch)
    torch.manual_seed(0)
    found = model(other)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    found["total"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_series_come_in_the_contracts_units_and_hidden_samples_have_no_influence(contract, batch):
    model = build("multi3net", contract, SMALL).eval()
    told = model.imu_from_pose(batch.pose, batch.pose_mask)
    assert told.shape == (6, 2, 6, 60)
    in_g = build("multi3net", dataclasses.replace(contract, acc_unit="g"), SMALL).eval()
    in_g.load_state_dict(model.state_dict())
    ratio = told / in_g.imu_from_pose(batch.pose, batch.pose_mask)
    torch.testing.assert_close(ratio[:, :, :3], torch.full_like(ratio[:, :, :3], 9.80665), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(ratio[:, :, 3:], torch.ones_like(ratio[:, :, 3:]))
    hidden = model.hidden_samples(6, batch.imu.device)
    assert hidden.shape == (6, 2, 60)
    assert (hidden.float().mean(dim=-1) == 0.5).all()
    changed = batch.imu.clone()
    changed[:, :2] += 5.0 * hidden[:, :, None].float()
    for shown in ("zero", "line"):
        model = build("multi3net", contract, SMALL | {"hidden": shown, "stem_s": 0.2}).eval()
        torch.testing.assert_close(model.reconstructed(batch.imu, hidden), model.reconstructed(changed, hidden))


@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0))
def test_lines_are_those_of_numpy(seed, share):
    rng = np.random.default_rng(seed)
    series, hidden = rng.standard_normal((2, 3, 20)), rng.random((2, 20)) < share
    found = bridged(torch.from_numpy(series), torch.from_numpy(hidden)).numpy()
    t = np.arange(20)
    for b in range(2):
        for c in range(3):
            seen = ~hidden[b]
            expected = np.interp(t, t[seen], series[b, c, seen]) if seen.any() else np.zeros(20)
            np.testing.assert_allclose(found[b, c], expected, atol=1e-6)


def test_a_line_needs_only_to_be_corrected(contract, batch):
    """With a decoder that says nothing, what is reconstructed is the line, in the contract's units."""
    model = build("multi3net", contract, SMALL | {"hidden": "line"}).eval()
    for decoder in model.reconstruct:
        torch.nn.init.zeros_(decoder.layers[-1].weight)
        torch.nn.init.zeros_(decoder.layers[-1].bias)
    hidden = model.hidden_samples(6, batch.imu.device)
    told = model.reconstructed(batch.imu, hidden)
    torch.testing.assert_close(told, bridged(batch.imu[:, :2], hidden))


def test_a_stem_reaches_as_many_seconds_at_every_rate(contract):
    model = build("multi3net", contract, SMALL | {"stem_s": 0.2})
    assert [own.enter.kernel_size[0] for own in model.imu] == [7, 7]  # 0.1 s at 30 Hz on either side
    assert model.pose.enter.kernel_size[0] == 5  # at 15 Hz rounded to two
    assert build("multi3net", contract, SMALL).pose.enter.kernel_size[0] == 1


def test_it_learns_all_three_tasks(contract, make_batch):
    """Poses that say what the sensors feel, and texts that say which of two."""
    torch.manual_seed(0)
    batch = make_batch(contract, 12)
    beat = torch.sin(torch.linspace(0, 12, 60)[None] * torch.linspace(0.5, 2.0, 12)[:, None])
    imu = batch.imu.clone().mul_(0.01)
    imu[:, :2, :3] += 9.8 * beat[:, None, None]
    pose = batch.pose.clone().mul_(0.01) + beat[:, None, None, ::2]
    label = torch.arange(12) % 2
    text = torch.eye(12)[label][:, None].expand(-1, 4, -1)
    batch = dataclasses.replace(batch, imu=imu, pose=pose, label=label, text=text)
    model = build("multi3net", contract, SMALL)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    first = model(batch)
    for _ in range(80):
        terms = model(batch)
        optimiser.zero_grad()
        terms["total"].backward()
        optimiser.step()
    for name in ("contrast", "pose2imu", "reconstruct"):
        assert terms[name] < 0.6 * first[name], name


def test_settings_that_make_no_sense_are_refused(contract):
    for settings, what in (
        ({"heads": 3}, "heads"), ({"hidden_share": 1.0}, "hidden_share"), ({"text": -1}, "size"),
        ({"hidden": "noise"}, "hidden = 'noise'"), ({"stem_s": -0.1}, "stem_s"),
        ({"sensors": ("left_shank",)}, "left_shank"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=what):
            build("multi3net", contract, settings)
    for loss, what in (({"contrast": 0.0}, "binds"), ({"pose2imu": -1.0}, "negative")):
        with pytest.raises(InputError, match=what):
            build("multi3net", contract, SMALL, loss)
    bare = build("multi3net", contract, SMALL | {"text": 0}, {"pose2imu": 0.0, "reconstruct": 0.0})
    with pytest.raises(InputError, match="no text"):
        bare.embed_text(torch.zeros(1, 12))
    with pytest.raises(InputError, match="not learnt to tell"):
        bare.imu_from_pose(torch.zeros(1, 3, 6, 30), torch.ones(1, 3, 30, dtype=torch.bool))
    with pytest.raises(InputError, match="not learnt to reconstruct"):
        bare.reconstructed(torch.zeros(1, 3, 6, 60), torch.zeros(1, 2, 60, dtype=torch.bool))


def test_all_parts_have_a_sensor_where_none_is_named(contract):
    assert build("multi3net", contract, SMALL | {"sensors": ()}).sensors == contract.parts
    assert positions(30, 16).shape == (30, 16)
