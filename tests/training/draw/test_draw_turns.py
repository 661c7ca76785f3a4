"""Rotations in torch are those of `kinebind.body.quaternions`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinebind.body import quaternions as slow
from kinebind.training.draw import turns

A, B = (Rotation.random(50, rng=np.random.default_rng(k)).as_quat() for k in (1, 2))
V = np.random.default_rng(3).normal(size=(50, 3))


def close(torch_value, numpy_value):
    np.testing.assert_allclose(torch_value.numpy(), numpy_value, atol=1e-9)


def test_products_inverses_and_turned_vectors_are_the_same():
    a, b, v = torch.tensor(A), torch.tensor(B), torch.tensor(V)
    close(turns.multiply(a, b), slow.multiply(A, B))
    close(turns.conjugate(a), slow.conjugate(A))
    close(turns.rotate(a, v), slow.rotate(A, V))
    close(turns.matrices(a), Rotation.from_quat(A).as_matrix())


def test_rotation_vectors_are_scipys_down_to_nothing():
    vectors = V * np.geomspace(1e-9, 1.0, 50)[:, None]
    close(turns.from_rotvec(torch.tensor(vectors)), Rotation.from_rotvec(vectors).as_quat())


def test_a_heading_is_the_angle_that_was_turned_about_the_vertical():
    angle = torch.linspace(-3.0, 3.0, 13)
    np.testing.assert_allclose(turns.heading(turns.about_z(angle)), angle, atol=1e-6)
    # It survives a lean forwards, which is about the x axis.
    lean = turns.from_rotvec(torch.tensor([0.4, 0.0, 0.0]).expand(13, 3))
    np.testing.assert_allclose(turns.heading(turns.multiply(turns.about_z(angle), lean)), angle, atol=1e-6)


def test_between_has_its_ends_whatever_their_signs():
    a, b = torch.tensor(A), torch.tensor(-B)
    for weight, end in ((0.0, A), (1.0, B)):
        got = turns.between(a, b, torch.full((50,), weight, dtype=torch.float64)).numpy()
        np.testing.assert_allclose(np.abs((got * end).sum(axis=-1)), 1.0, atol=1e-9)


def test_random_turns_have_no_preferred_direction():
    q = turns.random_turns((20000,), torch.Generator().manual_seed(0), torch.device("cpu"))
    turned = turns.rotate(q, torch.tensor([[0.0, 0.0, 1.0]]).expand(20000, 3))
    assert turned.mean(dim=0).abs().max() < 0.03
    assert (turned.square().mean(dim=0) - 1 / 3).abs().max() < 0.02
    assert q.norm(dim=-1) == pytest.approx(1.0, abs=1e-5)
