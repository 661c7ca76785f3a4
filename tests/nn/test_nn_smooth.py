"""Filters along time: exact on lines and parabolas, zero-phase, and an integral that undoes the derivative."""

from __future__ import annotations

import math

import pytest
import torch

from kinebind.nn.smooth import forgetting_integral, gaussian

RATE_HZ = 50.0
T = torch.arange(400, dtype=torch.float64) / RATE_HZ
INNER = slice(120, 280)


@pytest.mark.parametrize("sigma_s", [0.005, 0.02, 0.07])
def test_derivatives_of_lines_and_parabolas_are_exact(sigma_s):
    line = 2.0 + 3.0 * T
    assert gaussian(line, sigma_s, RATE_HZ)[INNER] == pytest.approx(line[INNER], abs=1e-9)
    assert gaussian(line, sigma_s, RATE_HZ, 1)[INNER] == pytest.approx(3.0, abs=1e-9)
    parabola = 0.5 * T - 1.5 * T**2
    assert gaussian(parabola, sigma_s, RATE_HZ, 2)[INNER] == pytest.approx(-3.0, abs=1e-6)


def test_a_constant_has_no_derivative_even_at_the_ends():
    constant = torch.full((3, 2, 30), 4.2)
    assert gaussian(constant, 0.05, RATE_HZ, 1).abs().max() < 1e-3
    assert gaussian(constant, 0.05, RATE_HZ, 2).abs().max() < 1e-2
    assert forgetting_integral(torch.zeros(5), 0.4, RATE_HZ).abs().max() == 0.0


def test_smoothing_has_a_gaussians_response():
    for hz in (0.5, 2.0, 4.0):
        wave = torch.cos(2 * math.pi * hz * T)
        expected = math.exp(-0.5 * (2 * math.pi * hz * 0.04) ** 2) * wave
        assert (gaussian(wave, 0.04, RATE_HZ) - expected)[INNER].abs().max() < 5e-3


@pytest.mark.parametrize("hz", [0.5, 1.0, 3.0])
def test_the_integral_forgets_what_is_slow_and_is_never_late(hz):
    """Response −iω / (1/τ² + ω²): a cosine becomes a sine of ω / (1/τ² + ω²), in phase."""
    omega = 2 * math.pi * hz
    got = forgetting_integral(torch.cos(omega * T), 0.4, RATE_HZ)
    expected = omega / (1 / 0.4**2 + omega**2) * torch.sin(omega * T)
    assert (got - expected)[INNER].abs().max() < 0.03 * omega / (1 / 0.4**2 + omega**2)


def test_one_sample_and_any_leading_axes():
    assert gaussian(torch.ones(2, 1), 0.05, RATE_HZ, 1).shape == (2, 1)
    assert gaussian(torch.randn(2, 3, 4, 50), 0.05, RATE_HZ).shape == (2, 3, 4, 50)
