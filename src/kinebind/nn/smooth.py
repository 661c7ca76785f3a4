"""Zero-phase filters along time, as convolutions: smoothing, its derivatives, and an integral that forgets.

All act on (..., T) at a given rate; ends are continued by their last values, so that a constant has no derivative.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional


def gaussian(x: Tensor, sigma_s: float, rate_hz: float, order: int = 0) -> Tensor:
    """x (..., T) smoothed by a Gaussian of σ seconds, or its first or second derivative per second (order 1, 2).

    The derivative's kernel is scaled so that a straight line (a parabola) has exactly its slope (its curvature).
    """
    return _convolved(x, _gaussian_kernel(sigma_s, rate_hz, order).to(x))


def forgetting_integral(x: Tensor, memory_s: float, rate_hz: float) -> Tensor:
    """∫ x dt less what is slower than the memory: response −iω / (1/τ² + ω²), which is 1/(iω) well above 1/τ.

    Zero-phase: the kernel is ½·sign(t)·exp(−|t|/τ), so that nothing is late.
    """
    return _convolved(x, _forgetting_kernel(memory_s, rate_hz).to(x))


@lru_cache(maxsize=64)
def _gaussian_kernel(sigma_s: float, rate_hz: float, order: int) -> Tensor:
    half = max(1 if order < 2 else 2, math.ceil(3.5 * sigma_s * rate_hz))
    t = torch.arange(-half, half + 1, dtype=torch.float64) / rate_hz
    bell = torch.exp(-0.5 * (t / sigma_s) ** 2)
    bell = bell / bell.sum()
    if order == 0:
        return bell
    if order == 1:
        slope = t * bell
        return slope / (slope * t).sum()
    bend = (t**2 - (bell * t**2).sum()) * bell
    return bend / (0.5 * bend * t**2).sum()


@lru_cache(maxsize=16)
def _forgetting_kernel(memory_s: float, rate_hz: float) -> Tensor:
    half = math.ceil(4.0 * memory_s * rate_hz)
    t = torch.arange(-half, half + 1, dtype=torch.float64) / rate_hz
    # Correlation runs through the kernel backwards, so its sign is turned: what came before t counts positive.
    return -0.5 * torch.sign(t) * torch.exp(-t.abs() / memory_s) / rate_hz


def _convolved(x: Tensor, kernel: Tensor) -> Tensor:
    """Correlation of x (..., T) with an odd-length kernel, as long as x, the ends continued."""
    half = kernel.numel() // 2
    rows = x.reshape(-1, 1, x.shape[-1])
    # Replication is limited to what is there; the rest is as good as constant.
    rows = torch.cat([rows[..., :1].expand(-1, -1, half), rows, rows[..., -1:].expand(-1, -1, half)], dim=-1)
    return functional.conv1d(rows, kernel[None, None]).reshape(x.shape)
