"""Attention to neighbours: block by block the same as with a table of all pairs, and as by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.nn import near_attention as own
from kinebind.nn.near_attention import near_attention


def drawn(tokens, *, reach=4, seed=0, batch=2, heads=3, size=5):
    made = torch.Generator().manual_seed(seed)
    streams = (torch.randn(batch, heads, tokens, size, generator=made, dtype=torch.float64) for _ in range(3))
    return (*streams, torch.randn(heads, 2 * reach + 1, generator=made, dtype=torch.float64))


def by_hand(query, key, value, distance):
    q, k, v, bias = (x.numpy() for x in (query, key, value, distance))
    reach, out = bias.shape[1] // 2, np.zeros_like(v)
    for b, h, t in np.ndindex(*v.shape[:3]):
        near = range(max(0, t - reach), min(v.shape[2], t + reach + 1))
        logit = np.array([q[b, h, t] @ k[b, h, s] / np.sqrt(q.shape[3]) + bias[h, s - t + reach] for s in near])
        weight = np.exp(logit - logit.max())
        out[b, h, t] = weight / weight.sum() @ v[b, h, list(near)]
    return out


@pytest.mark.parametrize("tokens", [1, 3, 23])
def test_it_is_what_it_is_by_hand(tokens, monkeypatch):
    some = drawn(tokens)
    wanted = by_hand(*some)
    np.testing.assert_allclose(near_attention(*some), wanted, atol=1e-12)
    monkeypatch.setattr(own, "WHOLE_UP_TO", 0)
    np.testing.assert_allclose(near_attention(*some), wanted, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(1, 90), reach=st.integers(1, 17), seed=st.integers(0, 99))
def test_blocks_and_the_whole_table_agree(tokens, reach, seed):
    some = drawn(tokens, reach=reach, seed=seed)
    np.testing.assert_allclose(own._by_blocks(*some), near_attention(*some), atol=1e-12)


def test_gradients_agree():
    grads = []
    for way in (near_attention, own._by_blocks):
        some = [x.clone().requires_grad_() for x in drawn(40, reach=15)]
        way(*some).square().sum().backward()
        grads.append([x.grad for x in some])
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("tokens", [32, 45, 48])
def test_streams_that_are_views_of_another_order(tokens):
    """As the model has them: three streams in one tensor, heads behind the tokens."""
    made = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(2, tokens, 3, 4, 8, generator=made).permute(2, 0, 3, 1, 4).unbind(0)
    distance = torch.randn(4, 31, generator=made)
    np.testing.assert_allclose(own._by_blocks(q, k, v, distance), near_attention(q, k, v, distance), atol=1e-5)
