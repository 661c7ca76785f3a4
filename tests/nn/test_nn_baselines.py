"""The learned baselines: what papers say of them, their masks, their loss, and that they learn."""

from __future__ import annotations

import pytest
import torch

from kinebind.errors import InputError
from kinebind.nn import build
from kinebind.nn.losses import info_nce

BASELINES = ("imu2clip", "despite", "syncnet")


def test_what_is_known_of_them(contract):
    kernels = [conv.kernel_size[0] for conv in build("imu2clip", contract).imu_encoder.convs]
    assert kernels == [10, 5, 5]
    lstm = build("despite", contract).imu_encoder.lstm
    assert (lstm.num_layers, lstm.hidden_size, lstm.input_size) == (2, 512, 21)
    assert build("syncnet", contract).pose_encoder.out.out_features == 1024


@pytest.mark.parametrize("name", BASELINES)
def test_one_vector_a_window_and_nothing_else(contract, make_batch, name):
    batch = make_batch(contract, 3)
    model = build(name, contract, {"width": 24}).eval()
    with torch.no_grad():
        imu, pose = model.embed_imu(batch.imu, batch.imu_mask), model.embed_pose(batch.pose, batch.pose_mask)
        terms = model(batch)
    for e in (imu, pose):
        assert e.whole.shape == (3, 24)
        assert e.tokens is e.local is e.token_mask is None
        assert e.present.all()
    expected = info_nce(imu.whole, pose.whole, 1 / 0.07, torch.ones(3, dtype=torch.bool)).mean()
    torch.testing.assert_close(terms["total"], expected)
    if name == "syncnet":
        torch.testing.assert_close(imu.whole.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("name", BASELINES)
def test_what_masks_hide_has_no_influence(contract, make_batch, name):
    batch = make_batch(contract, 4)
    batch.imu_mask[0, 1] = False
    batch.pose_mask[1, 0, 3:6] = False
    nothing = torch.tensor(torch.nan)
    other = batch.replace(
        imu=torch.where(batch.imu_mask[..., None, None], batch.imu, nothing),
        pose=torch.where(batch.pose_mask[:, :, None], batch.pose, nothing),
    )
    model = build(name, contract, {"width": 24})
    expected, found = model(batch), model(other)
    torch.testing.assert_close(found["total"], expected["total"], rtol=0, atol=0)
    found["total"].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    with torch.no_grad():
        full = model.eval().embed_imu(batch.imu, torch.ones_like(batch.imu_mask)).whole
        less = model.embed_imu(batch.imu, batch.imu_mask).whole
    assert not torch.allclose(full[0], less[0])
    torch.testing.assert_close(full[1:], less[1:])


@pytest.mark.parametrize("name", BASELINES)
def test_they_learn_which_imu_belongs_to_which_pose(contract, make_batch, name):
    torch.manual_seed(0)
    batch = make_batch(contract, 8)
    model = build(name, contract, {"width": 32})
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        losses.append(model(batch)["total"])
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("name", BASELINES)
def test_a_batch_of_one_and_other_shapes_are_refused(contract, make_batch, name):
    batch = make_batch(contract, 2)
    model = build(name, contract, {"width": 24})
    with pytest.raises(InputError, match=r"1 window\(s\)"):
        model(make_batch(contract, 1))
    with pytest.raises(InputError, match="imu has shape"):
        model.embed_imu(batch.imu[:, :2], batch.imu_mask[:, :2])
    with pytest.raises(InputError, match="sensor_dropout"):
        build(name, contract, {"sensor_dropout": 3})
