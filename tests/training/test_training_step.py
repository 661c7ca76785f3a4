"""Parts of a step: normalisation over processes, validation R@1, steps that must not be taken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from kinebind.training.batches import make_batch
from kinebind.training.ranks import JointBatchNorm1d, Ranks, normalise_jointly
from kinebind.training.step import NonFiniteLoss, Stepper, recall_at_1
from kinebind.training.windows import windows_of

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("shape", [(12, 5), (6, 5, 40)])
def test_joint_normalisation_of_one_process_is_torchs_own(shape):
    torch.manual_seed(0)
    theirs = nn.BatchNorm1d(5)
    nn.init.normal_(theirs.weight)
    nn.init.normal_(theirs.bias)
    holder = nn.Sequential(theirs)
    normalise_jointly(holder)
    ours = holder[0]
    assert isinstance(ours, JointBatchNorm1d)
    for k in range(4):
        x = (100.0 + 3.0 * torch.randn(shape)).requires_grad_()
        y = x.detach().clone().requires_grad_()
        up = torch.randn(shape)
        (ours(x) * up).sum().backward()
        (theirs(y) * up).sum().backward()
        torch.testing.assert_close(ours(x), theirs(y), rtol=1e-4, atol=1e-4 if k else 1e-2)
        torch.testing.assert_close(x.grad, y.grad, rtol=1e-3, atol=1e-4 if k else 1e-2)
        torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-3, atol=1e-2)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-4)


def naive_recall(a: np.ndarray, b: np.ndarray) -> float:
    hits = 0
    for i, query in enumerate(a):
        cosine = [query @ other / np.linalg.norm(query) / np.linalg.norm(other) for other in b]
        hits += all(cosine[i] > c for j, c in enumerate(cosine) if j != i)
    return hits / len(a)


def test_recall_is_that_of_a_plain_loop(monkeypatch):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(50, 8))
    b = a + rng.normal(size=(50, 8))
    expected = naive_recall(a, b)
    assert 0.1 < expected < 0.95
    assert recall_at_1(torch.tensor(a), torch.tensor(b)) == expected
    monkeypatch.setattr("kinebind.training.step._ROWS_AT_ONCE", 7)
    assert recall_at_1(torch.tensor(a), torch.tensor(b)) == expected
    assert recall_at_1(torch.ones(4, 3), torch.ones(4, 3)) == 0.0


def test_a_step_that_is_not_finite_leaves_the_weights(store, recipe):
    stepper = Stepper(recipe.build(), recipe.train, ALONE)
    batch = make_batch(store, recipe.contract, windows_of(store, recipe.contract, recipe.data), np.arange(8))
    stepper.step(batch)
    before = {name: p.detach().clone() for name, p in stepper.model.named_parameters()}
    bad = batch.pose.clone()
    bad[3, 0, 0, 0] = math.nan
    with pytest.raises(NonFiniteLoss, match="total = nan"):
        stepper.step(batch.replace(pose=bad))
    assert [n for n, p in stepper.model.named_parameters() if not torch.equal(p, before[n])] == []


def test_an_input_too_large_for_the_running_statistics_stops_the_step(store, recipe):
    stepper = Stepper(recipe.build(), recipe.train, ALONE)
    batch = make_batch(store, recipe.contract, windows_of(store, recipe.contract, recipe.data), np.arange(8))
    huge = batch.imu.clone()
    huge[3, 0] *= 1e19  # its square is none of float32, and yet batch normalisation makes a finite loss of it
    with pytest.raises(NonFiniteLoss, match="running statistics = inf") as error:
        stepper.step(batch.replace(imu=huge))
    assert math.isfinite(error.value.terms["total"])


def test_fp16_leaves_out_steps_whose_gradients_overflow(store, recipe):
    config = recipe.changed({"train.precision": "fp16"}).train
    stepper = Stepper(recipe.build(), config, ALONE)
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    batch = make_batch(store, recipe.contract, windows_of(store, recipe.contract, recipe.data), np.arange(8))
    before = stepper.model.state_dict()["imu_encoder.conv1.weight"].clone()
    stepper.step(batch)
    assert torch.equal(stepper.model.state_dict()["imu_encoder.conv1.weight"], before)
    assert stepper.scaler.get_scale() == 2.0**39
    for _ in range(40):
        stepper.step(batch)
    assert not torch.equal(stepper.model.state_dict()["imu_encoder.conv1.weight"], before)
