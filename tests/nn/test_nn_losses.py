"""The losses against twins that loop, and what a row that is not valid must not do."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

from kinebind.nn import losses, mobind, model, release
from kinebind.nn.losses import cosine, info_nce, masked_mean, multi_positive


@pytest.mark.parametrize("module", [losses, mobind, model, release])
def test_examples_in_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def _cos(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _naive_info_nce(a, b, scale, valid):
    """One set: (B, D), (B, D), (B,) -> (B,)."""
    out = np.zeros(len(a))
    rows = np.flatnonzero(valid)
    for i in rows:
        forth = sum(np.exp(scale * _cos(a[i], b[j])) for j in rows)
        back = sum(np.exp(scale * _cos(a[j], b[i])) for j in rows)
        own = np.exp(scale * _cos(a[i], b[i]))
        out[i] = -(np.log(own / forth) + np.log(own / back)) / 2
    return out


def _naive_multi_positive(pose, imu, scale, valid):
    """pose (B, D), imu (B, N, D), valid (B, N) -> (B,)."""
    rows = np.flatnonzero(valid.any(1))

    def fit(i, j):
        return np.mean([np.exp(scale * _cos(pose[i], imu[j, n])) for n in np.flatnonzero(valid[j])])

    out = np.zeros(len(pose))
    for i in rows:
        forth = fit(i, i) / sum(fit(i, j) for j in rows)
        back = fit(i, i) / sum(fit(j, i) for j in rows)
        out[i] = -(np.log(forth) + np.log(back)) / 2
    return out


@pytest.fixture
def draw():
    return torch.Generator().manual_seed(3)


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
def test_info_nce_equals_its_twin(draw, share, scale):
    a, b = (torch.randn(3, 7, 5, generator=draw) for _ in range(2))
    valid = torch.rand(3, 7, generator=draw) <= share
    expected = [_naive_info_nce(*(x[n].double().numpy() for x in (a, b)), scale, valid[n].numpy()) for n in range(3)]
    np.testing.assert_allclose(info_nce(a, b, scale, valid), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_multi_positive_equals_its_twin(draw, share):
    pose, imu = torch.randn(6, 5, generator=draw), torch.randn(6, 3, 5, generator=draw)
    valid = torch.rand(6, 3, generator=draw) <= share
    expected = _naive_multi_positive(pose.double().numpy(), imu.double().numpy(), 5.0, valid.numpy())
    np.testing.assert_allclose(multi_positive(pose, imu, 5.0, valid), expected, rtol=1e-4, atol=1e-5)


def test_a_perfect_match_costs_nothing_and_chance_costs_log_b():
    eye = torch.eye(8)
    everyone = torch.ones(8, dtype=torch.bool)
    assert info_nce(eye, eye, 100.0, everyone).max() < 1e-6
    same = torch.ones(8, 4)
    torch.testing.assert_close(info_nce(same, same, 100.0, everyone), torch.full((8,), np.log(8)))


def test_rows_that_are_not_valid_have_no_influence_and_no_gradient(draw):
    a, b = torch.randn(5, 4, generator=draw), torch.randn(5, 4, generator=draw)
    valid = torch.tensor([True, True, False, True, False])
    other = a.clone()
    other[~valid] = 1e6
    torch.testing.assert_close(info_nce(other, b, 10.0, valid), info_nce(a, b, 10.0, valid), rtol=0, atol=0)
    a[~valid] = 0.0  # the zeros that an absent sensor leaves: their norm must not give NaN
    a.requires_grad_()
    info_nce(a, b, 10.0, valid).sum().backward()
    assert torch.isfinite(a.grad).all()
    assert (a.grad[~valid] == 0).all()
    assert (a.grad[valid] != 0).any(dim=1).all()


def test_no_valid_row_is_zero_not_nan():
    nobody = torch.zeros(3, dtype=torch.bool)
    each = info_nce(torch.zeros(3, 2), torch.zeros(3, 2), 1.0, nobody)
    assert masked_mean(each, nobody) == 0.0
    assert (
        multi_positive(torch.zeros(3, 2), torch.zeros(3, 2, 2), 1.0, torch.zeros(3, 2, dtype=torch.bool)) == 0
    ).all()


def test_similarity_stays_in_float32_under_autocast(draw):
    a, b = torch.randn(4, 64, generator=draw), torch.randn(4, 64, generator=draw)
    with torch.autocast("cpu", torch.bfloat16):
        inside = cosine(a, b)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, cosine(a, b), rtol=0, atol=0)
