"""Slow random signals, as strong at their ends as in their middle."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def slow_noise(
    rows: int, length: int, sigma_s: float, rate_hz: float, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Gaussian signals (rows, length) of unit variance: white noise through a Gaussian of σ seconds.

    The correlation falls to 1/e within 2σ. Noise is drawn beyond both ends, so that no end is louder.
    """
    half = max(1, math.ceil(3.0 * sigma_s * rate_hz))
    t = torch.arange(-half, half + 1, device=device) / rate_hz
    kernel = torch.exp(-0.5 * (t / sigma_s) ** 2)
    kernel = kernel / kernel.square().sum().sqrt()
    count = length + 2 * half
    white = torch.randn(rows, count, generator=generator, device=device)
    spectrum = torch.fft.rfft(white) * torch.fft.rfft(kernel, count)
    smooth: Tensor = torch.fft.irfft(spectrum, count)
    return smooth[:, 2 * half :]  # where the circle of the transform has not closed
