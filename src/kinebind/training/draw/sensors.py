"""What IMUs on the bodies' skin measure, batched: physics, mounting, tissue, chip, clock, and the filter's error.

Accelerations are second derivatives of a point's smoothed path, rates those of the segment's rotation; readings are
made in the sensor's own frame, where its errors live, and come back in a frame whose z is nearly up, as an
orientation filter would give them. The slow and exact way is `kinebind.body.imu_simulate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kinebind.imu import GRAVITY_M_S2
from kinebind.nn.smooth import gaussian
from kinebind.training.draw.noise import slow_noise
from kinebind.training.draw.turns import conjugate, from_rotvec, length, multiply, random_turns, rotate

FINE_HZ = 100.0
"""Rate at which motion is computed."""
_SMOOTHING_S = 0.011  # σ: −3 dB at 12 Hz, what marker noise asks for
_OUT_HZ = 50.0  # of the grid that readings are laid on
_LOW_PASS = 0.9  # width of the chip's averaging, in samples


@dataclass(frozen=True)
class Wearing:
    """What happens to sensors: rates are drawn from rates_hz; the rest are shares of sensors, or σ.

    acc_only: no angular rate. tissue: on soft tissue. gap: a stretch of samples lost. tilt_deg: the largest σ of the
    orientation filter's error, each sensor's own is drawn up to it.
    """

    rates_hz: tuple[float, ...] = (20.0, 25.0, 32.0, 50.0, 50.0, 60.0, 100.0, 100.0, 128.0, 200.0)
    acc_only: float = 0.12
    tissue: float = 0.3
    gap: float = 0.05
    tilt_deg: float = 8.0


def measured(
    position: Tensor, rot: Tensor, out_s: Tensor, wearing: Wearing, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Readings of sensors on paths: acc (N, T, 3), gyr (N, T, 3), has_gyr (N,), valid (N, T), for `felt_channels`.

    position (N, F, 3), rot (N, F, 4): paths and segment rotations at FINE_HZ from time zero. out_s (T,): where on that
    clock the regular grid of the input lies, seconds.
    """
    count, device = position.shape[0], position.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, device=device)

    def chance(share: float) -> Tensor:
        return torch.rand(count, generator=generator, device=device) < share

    force = gaussian(position.transpose(1, 2), _SMOOTHING_S, FINE_HZ, 2).transpose(1, 2)
    force = force + torch.tensor([0.0, 0.0, GRAVITY_M_S2], device=device)
    mounting = random_turns((count,), generator, device)
    frame = multiply(rot, mounting[:, None])  # world from sensor
    acc = rotate(conjugate(frame), force)
    gyr = rotate(conjugate(mounting)[:, None], _rates(rot))
    loose = chance(wearing.tissue)
    if bool(loose.any()):
        both = torch.cat([acc[loose], gyr[loose]], dim=-1)
        both = _on_tissue(both, generator)
        acc, gyr = acc.clone(), gyr.clone()
        acc[loose], gyr[loose] = both[..., :3], both[..., 3:]
    rate = torch.tensor(wearing.rates_hz, device=device)[
        torch.randint(len(wearing.rates_hz), (count,), generator=generator, device=device)
    ]
    both = _sampled(torch.cat([acc, gyr, frame], dim=-1), out_s, rate, generator)
    acc, gyr, frame = both[..., :3], both[..., 3:6], both[..., 6:]
    frame = frame / length(frame).clamp_min(1e-6)
    root_rate = rate.sqrt()[:, None, None]
    acc = acc * (1.0 + 0.01 * normal(1, 3)) + 0.08 * normal(1, 3) + 8e-3 * root_rate * normal(out_s.numel(), 3)
    gyr = gyr * (1.0 + 0.01 * normal(1, 3)) + 0.015 * normal(1, 3) + 1e-3 * root_rate * normal(out_s.numel(), 3)
    reach = torch.where(chance(0.15), 4.0, 16.0)[:, None, None] * GRAVITY_M_S2
    acc = torch.minimum(torch.maximum(acc, -reach), reach)
    gyr = gyr.clamp(-35.0, 35.0)
    has_gyr = ~chance(wearing.acc_only)
    # What the filter takes for the world: z a few degrees off, the heading anyhow.
    sigma = torch.deg2rad(wearing.tilt_deg * torch.rand(count, 1, 1, generator=generator, device=device))
    slow = slow_noise(count * 3, out_s.numel(), 0.6, _OUT_HZ, generator, device).view(count, 3, -1).transpose(1, 2)
    error = sigma * (0.6 * normal(1, 3) + 0.8 * slow)
    level = multiply(from_rotvec(error), frame)
    acc_level, gyr_level = rotate(level, acc), rotate(level, gyr)
    known = has_gyr[:, None, None]
    acc, gyr = torch.where(known, acc_level, acc), torch.where(known, gyr_level, torch.zeros_like(gyr))
    acc, gyr, valid = _with_gaps(acc, gyr, chance(wearing.gap), generator)
    return acc, gyr, has_gyr, valid


def _rates(rot: Tensor) -> Tensor:
    """Angular rates (N, F, 3) in the segments' frames of rotations (N, F, 4) at FINE_HZ, smoothed."""
    ahead, behind = rot[:, 2:], rot[:, :-2]
    step = multiply(conjugate(behind), ahead)
    step = step * torch.where(step[..., 3:] < 0.0, -1.0, 1.0)
    # A step's rotation vector: 2·asin of the vector part for what turns less than half round in 20 ms.
    sine = length(step[..., :3]).clamp(1e-9, 1.0)
    rate = step[..., :3] / sine * 2.0 * torch.asin(sine.clamp_max(1.0)) * (FINE_HZ / 2.0)
    rate = torch.cat([rate[:, :1], rate, rate[:, -1:]], dim=1)
    return gaussian(rate.transpose(1, 2), _SMOOTHING_S, FINE_HZ).transpose(1, 2)


def _on_tissue(x: Tensor, generator: torch.Generator) -> Tensor:
    """Readings (N, F, C) through damped springs, 8–20 Hz: (2ζω₀s + ω₀²) / (s² + 2ζω₀s + ω₀²), as a spectrum."""
    count, device = x.shape[0], x.device
    f0 = 8.0 + 12.0 * torch.rand(count, 1, generator=generator, device=device)
    damping = 0.12 + 0.18 * torch.rand(count, 1, generator=generator, device=device)
    pad = int(0.5 * FINE_HZ)
    x = torch.cat([x[:, :1].expand(-1, pad, -1), x, x[:, -1:].expand(-1, pad, -1)], dim=1)
    s = 1j * torch.fft.rfftfreq(x.shape[1], 1.0 / FINE_HZ).to(device)[None] / f0
    response = (2.0 * damping * s + 1.0) / (s * s + 2.0 * damping * s + 1.0)
    out: Tensor = torch.fft.irfft(torch.fft.rfft(x, dim=1) * response[..., None], n=x.shape[1], dim=1)
    return out[:, pad:-pad]


def _sampled(x: Tensor, out_s: Tensor, rate_hz: Tensor, generator: torch.Generator) -> Tensor:
    """x (N, F, C) at FINE_HZ, averaged over each sensor's sample, sampled at its rate with a phase of its own, and
    laid on out_s (T,) by straight lines.
    """
    count = x.shape[0]
    sums = functional.pad(x.cumsum(dim=1), (0, 0, 1, 0)) / FINE_HZ  # ∫ from the start
    step = 1.0 / rate_hz
    slots = int(torch.ceil((out_s[-1] - out_s[0]) * rate_hz.max()).item()) + 3
    phase = torch.rand(count, 1, generator=generator, device=x.device)
    taken = out_s[0] + (torch.arange(slots, device=x.device)[None] - phase) * step[:, None]  # (N, K)
    half = 0.5 * (_LOW_PASS * step).clamp_min(1.0 / FINE_HZ)[:, None]
    window = _between(sums, taken + half + 0.5 / FINE_HZ) - _between(sums, taken - half + 0.5 / FINE_HZ)
    values = window / (2.0 * half)[..., None]
    place = (out_s[None] - taken[:, :1]) / step[:, None]
    k = place.floor().clamp(0, slots - 2)
    u = (place - k)[..., None]
    index = k.long()[..., None].expand(-1, -1, x.shape[2])
    out = values.gather(1, index) * (1.0 - u) + values.gather(1, index + 1) * u
    return out


def _between(values: Tensor, time_s: Tensor) -> Tensor:
    """values (N, F, C) at FINE_HZ from time zero, at times (N, K), by straight lines, the ends held."""
    place = (time_s * FINE_HZ).clamp(0.0, values.shape[1] - 1.001)
    k = place.floor()
    u = (place - k)[..., None]
    index = k.long()[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index) * (1.0 - u) + values.gather(1, index + 1) * u


def _with_gaps(acc: Tensor, gyr: Tensor, lossy: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The readings with a stretch lost where `lossy` (N,): straight lines across, marked as not valid."""
    samples = acc.shape[1]
    device = acc.device
    draws = torch.rand(acc.shape[0], 2, generator=generator, device=device)
    begin = draws[:, 0] * (samples - 2)
    width = 5.0 + draws[:, 1] * 0.15 * samples
    t = torch.arange(samples, device=device)[None]
    a, b = begin.long(), (begin + width).long().clamp_max(samples - 1)
    inside = lossy[:, None] & (t > a[:, None]) & (t < b[:, None])
    u = ((t - a[:, None]) / (b - a).clamp_min(1)[:, None])[..., None].clamp(0.0, 1.0)
    rows = torch.arange(acc.shape[0], device=device)
    out = []
    for x in (acc, gyr):
        line = x[rows, a][:, None] * (1.0 - u) + x[rows, b][:, None] * u
        out.append(torch.where(inside[..., None], line, x))
    return out[0], out[1], ~inside
