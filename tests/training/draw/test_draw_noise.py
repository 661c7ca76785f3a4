"""Slow noise: its variance is one everywhere, and it is as slow as it says."""

from __future__ import annotations

import math

import pytest
import torch

from kinebind.training.draw.noise import slow_noise


@pytest.mark.parametrize(("length", "sigma_s", "rate_hz"), [(100, 0.6, 50.0), (20, 0.25, 10.0), (400, 0.085, 30.0)])
def test_ends_are_no_louder_than_the_middle(length, sigma_s, rate_hz):
    noise = slow_noise(8000, length, sigma_s, rate_hz, torch.Generator().manual_seed(1), torch.device("cpu"))
    spread = noise.std(dim=0)
    assert spread.min() > 0.95
    assert spread.max() < 1.05


def test_it_forgets_within_its_time():
    noise = slow_noise(4000, 200, 0.3, 50.0, torch.Generator().manual_seed(2), torch.device("cpu"))
    for lag_s in (0.1, 0.3, 0.6, 1.5):
        lag = round(lag_s * 50.0)
        found = float((noise[:, lag:] * noise[:, :-lag]).mean())
        assert found == pytest.approx(math.exp(-0.25 * (lag_s / 0.3) ** 2), abs=0.03)
