"""Limbs led by their ends: the end is where it is wanted, and joints bend the way they do."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinebind.training.draw.limbs import two_bones
from kinebind.training.draw.turns import from_axes, matrices, random_turns, rotate

DOWN = torch.tensor([0.0, -1.0, 0.0])
LENGTHS = (0.54, 0.46)


def ends(near, far):
    """The middle joint and the far end of a limb of LENGTHS from its near joint."""
    middle = LENGTHS[0] * rotate(near, DOWN.expand(*near.shape[:-1], 3))
    return middle, middle + LENGTHS[1] * rotate(far, DOWN.expand(*far.shape[:-1], 3))


@given(st.integers(0, 1000), st.sampled_from([1.0, -1.0]))
def test_the_end_is_where_it_is_wanted(seed, hinge):
    g = torch.Generator().manual_seed(seed)
    end = torch.nn.functional.normalize(torch.randn(20, 3, generator=g), dim=-1) * (
        0.2 + 0.75 * torch.rand(20, 1, generator=g)
    )
    pole = torch.randn(20, 3, generator=g)
    near, far = two_bones(end, pole, LENGTHS, hinge=hinge)
    middle, found = ends(near, far)
    assert (found - end).abs().max() < 1e-4
    # The middle joint lies on the pole's side of the line to the end.
    along = torch.nn.functional.normalize(end, dim=-1)
    aside = middle - (middle * along).sum(-1, keepdim=True) * along
    assert ((aside * pole).sum(-1) > -1e-5).all()
    # Both segments turn about the same axis: a hinge.
    assert (matrices(near)[..., 0] - matrices(far)[..., 0]).abs().max() < 1e-4


def test_out_of_reach_is_reached_for_and_too_near_is_kept_off():
    far_away, close = torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[0.0, 0.0, 0.01]])
    pole = torch.tensor([[0.0, -1.0, 0.0]])
    _, end = ends(*two_bones(far_away, pole, LENGTHS, hinge=1.0))
    assert end[0, 2] == pytest.approx(0.995, abs=1e-4)
    _, end = ends(*two_bones(close, pole, LENGTHS, hinge=1.0))
    assert end.norm() == pytest.approx(0.13, abs=1e-4)


def test_a_hanging_arm_and_a_straight_leg_have_their_left_to_the_left():
    down = 0.9 * DOWN[None]
    near, _ = two_bones(down, torch.tensor([[0.0, 0.0, -1.0]]), LENGTHS, hinge=1.0)  # elbows point back
    assert matrices(near)[0, :, 0] == pytest.approx(torch.tensor([1.0, 0.0, 0.0]), abs=1e-5)
    near, _ = two_bones(down, torch.tensor([[0.0, 0.0, 1.0]]), LENGTHS, hinge=-1.0)  # knees to the front
    assert matrices(near)[0, :, 0] == pytest.approx(torch.tensor([1.0, 0.0, 0.0]), abs=1e-5)


@given(st.integers(0, 1000))
def test_rotations_are_found_from_two_axes(seed):
    q = random_turns((50,), torch.Generator().manual_seed(seed), torch.device("cpu"))
    m = matrices(q)
    found = from_axes(m[..., 0], m[..., 1])
    assert ((found * q).sum(-1).abs() > 1.0 - 1e-5).all()
