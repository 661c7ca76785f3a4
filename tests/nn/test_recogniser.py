"""The recogniser: what is absent or was not measured has no influence, and experts share the work."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from kinebind import InputError
from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.recogniser import AXES, Experts, Recogniser, RecogniserConfig, Streams
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.nn.universal import UNKNOWN_SITE, Universal, UniversalConfig

UNIVERSAL = Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8))


def streams(batch=3, sensors=2, limbs=1, samples=60, seed=0):
    g = torch.Generator().manual_seed(seed)
    return Streams(
        torch.randn(batch, sensors, FELT_CHANNELS, samples, generator=g),
        torch.randn(batch, sensors, AXES, samples, generator=g),
        torch.full((batch, sensors), UNKNOWN_SITE),
        torch.ones(batch, sensors, samples, dtype=torch.bool),
        torch.randn(batch, limbs, SEEN_CHANNELS, samples, generator=g),
        torch.zeros(batch, limbs, dtype=torch.long),
        torch.ones(batch, limbs, samples, dtype=torch.bool),
    )


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Recogniser(UNIVERSAL, RecogniserConfig(5)).eval()


def test_logits_for_any_streams(model):
    for sensors, limbs in ((1, 0), (0, 2), (2, 3)):
        assert model(streams(sensors=sensors, limbs=limbs)).shape == (3, 5)
    with pytest.raises(InputError, match="neither a sensor nor a limb"):
        model(streams(sensors=0, limbs=0))


def test_an_absent_sensor_has_no_influence(model):
    given = streams()
    there = given.felt_there.clone()
    there[:, 1] = False
    without = dataclasses.replace(given, felt_there=there)
    other = dataclasses.replace(without, felt=given.felt.clone(), axes=given.axes.clone())
    other.felt[:, 1], other.axes[:, 1] = 7.0, -3.0
    torch.testing.assert_close(model(without), model(other))
    assert not torch.allclose(model(given), model(without))


def test_what_was_not_measured_is_not_pooled(model):
    """Tokens see their neighbours' samples; beyond the reach of one block nothing comes through."""
    given = streams(samples=400, limbs=0)
    there = given.felt_there.clone()
    there[..., 200:] = False
    a = dataclasses.replace(given, felt_there=there)
    b = dataclasses.replace(a, felt=given.felt.clone(), axes=given.axes.clone())
    b.felt[..., 320:], b.axes[..., 320:] = 9.0, 9.0
    torch.testing.assert_close(model(a), model(b), atol=1e-5, rtol=1e-5)


def test_it_begins_with_the_universal_model_and_leaves_it_alone(model):
    for name, tensor in UNIVERSAL.felt.state_dict().items():
        assert torch.equal(tensor, model.felt.state_dict()[name])
    with torch.no_grad():
        next(model.felt.parameters()).add_(1.0)
    assert not torch.equal(next(model.felt.parameters()), next(UNIVERSAL.felt.parameters()))


def test_a_balanced_gate_costs_one_and_a_lopsided_one_more():
    torch.manual_seed(1)
    experts = Experts(6, RecogniserConfig(3, experts=4, dropout=0.0))
    x = torch.randn(64, 6)
    with torch.no_grad():
        experts.gate.weight.zero_()
        experts.gate.bias.zero_()
        out = experts(x)
        assert float(experts.balance) == pytest.approx(1.0)
        torch.testing.assert_close(out, torch.stack([e(x) for e in experts.experts]).mean(dim=0))
        experts.gate.bias[0] = 20.0
        torch.testing.assert_close(experts(x), experts.experts[0](x), atol=1e-4, rtol=1e-4)
    assert float(experts.balance) == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize("sizes", [{"classes": 1}, {"classes": 3, "experts": 0}, {"classes": 3, "dropout": 1.0}])
def test_impossible_sizes(sizes):
    with pytest.raises(InputError):
        RecogniserConfig(**sizes)
