"""What a camera and a pose detector make of the bodies, batched: projection, camera motion, errors, frames.

The benchmark's own conditions are in `kinebind.body.detector`; these are drawn wider, so that no condition is met
for the first time in use.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinebind.nn.smooth import gaussian
from kinebind.parts import COCO17_MIRROR
from kinebind.training.draw.noise import slow_noise
from kinebind.training.draw.sensors import FINE_HZ

LEAST_FPS, MOST_FPS = 10.0, 60.0
_LIMBS = ((7, 9), (8, 10), (13, 15), (14, 16))  # elbow and wrist, knee and ankle


@dataclass(frozen=True)
class Filming:
    """What happens to videos: shares of them, and the largest amounts, of which each draws its own.

    sway: shaken cameras, up to sway_m in metres of the body. smoothed: detectors that smooth along time.
    hidden: a limb out of sight for a while. noise_m: σ of a keypoint's error. misstamped: frames were not taken when
    their stamps say, as where dropped frames left the others evenly spaced; stamp_s: σ of that error.
    """

    before: float = 0.5
    sway: float = 0.5
    sway_m: float = 0.22
    smoothed: float = 0.4
    hidden: float = 0.15
    noise_m: tuple[float, float] = (0.003, 0.035)
    no_face: float = 0.3
    misstamped: float = 0.5
    stamp_s: float = 0.08


def filmed(
    points: Tensor, fps: float, span_s: tuple[float, float], filming: Filming, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Keypoints in frames: times (B, F) seconds, keypoints (B, F, 17, 2) in pixels (y down), seen (B, F, 17) bool.

    points (B, T, 17, 3): keypoints in the world at FINE_HZ from time zero. span_s: when the video begins and ends;
    no frame lies outside.
    """
    count, _, joints, _ = points.shape
    device = points.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, device=device)

    def chance(share: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device) < share

    frames = int((span_s[1] - span_s[0]) * fps)
    late = torch.where(chance(0.5), 0.0, 1.0)[:, None] * uniform(-0.3, 0.3, frames)
    time_s = span_s[0] + (torch.arange(frames, device=device)[None] + uniform(0.31, 0.69, 1) + late) / fps

    smooth = torch.nonzero(chance(filming.smoothed))[:, 0]
    if smooth.numel():
        own = points[smooth].flatten(2).transpose(1, 2)  # (b, 51, T)
        # Two kernels mixed stand for any width between: σ² = share · 0.06².
        share = uniform(0.06, 1.0)[smooth][:, None, None]
        own = torch.lerp(own, gaussian(own, 0.06, FINE_HZ), share).transpose(1, 2)
        points = points.clone()
        points[smooth] = own.reshape(*own.shape[:2], joints, 3)
    taken_s = time_s + _stamp_errors(time_s, fps, filming, generator)
    taken = _at(points.flatten(2), taken_s).view(count, frames, joints, 3)

    azimuth = uniform(0.0, 2.0 * torch.pi)
    azimuth = torch.where(chance(filming.before), _front(taken) + (azimuth - torch.pi) / 3.0, azimuth)
    elevation = uniform(-0.14, 0.56)
    pixels, scale = _projected(taken, azimuth, elevation, uniform(2.5, 8.5), uniform(-0.07, 0.07))
    low, high = filming.noise_m
    sigma = torch.exp(uniform(float(torch.tensor(low).log()), float(torch.tensor(high).log())))[:, None, None, None]
    share = uniform(0.0, 1.0)[:, None, None, None]
    white = normal(frames, joints, 2)
    slow = slow_noise(count * joints * 2, frames, 0.085, fps, generator, device)
    slow = slow.view(count, joints, 2, frames).permute(0, 3, 1, 2)
    error = sigma * (share.sqrt() * white + (1.0 - share).sqrt() * slow)
    # Fast joints and those of few detectors burst: something else is taken for them for a while.
    burst = _held(normal(frames, joints, 2), _runs((count, frames, joints), 0.1 * fps, 0.05, generator, device))
    bursting = torch.where(chance(0.3), uniform(0.03, 0.15), torch.zeros(count, device=device))
    error = error + bursting[:, None, None, None] * burst
    pixels = pixels + scale[:, :, None, None] * error
    swap = chance(0.01, frames) & chance(0.3)[:, None]
    mirror = torch.as_tensor(COCO17_MIRROR, device=device)
    pixels = torch.where(swap[..., None, None], pixels[:, :, mirror], pixels)
    pixels = pixels + (scale[:, :1, None] * _sway(time_s, filming, generator))[:, :, None]

    bad = uniform(0.0, 1.0)[:, None] ** 3
    seen = torch.rand(count, frames, joints, generator=generator, device=device) >= 0.25 * bad[..., None]
    seen &= (torch.rand(count, frames, generator=generator, device=device) >= 0.2 * bad)[..., None]
    seen[:, :, :5] &= ~chance(filming.no_face)[:, None, None]
    for limb in _LIMBS:
        begin, width = uniform(-0.3, 1.0), uniform(0.1, 0.5)
        share = torch.arange(frames, device=device)[None] / frames
        away = (share > begin[:, None]) & (share < (begin + width)[:, None]) & chance(filming.hidden)[:, None]
        seen[:, :, list(limb)] &= ~away[..., None]
    return time_s, pixels, seen


def _at(values: Tensor, time_s: Tensor) -> Tensor:
    """values (B, T, C) at FINE_HZ from time zero, at times (B, F), by straight lines."""
    place = (time_s * FINE_HZ).clamp(0.0, values.shape[1] - 1.001)
    k = place.floor()
    u = (place - k)[..., None]
    index = k.long()[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index) * (1.0 - u) + values.gather(1, index + 1) * u


def _front(points: Tensor) -> Tensor:
    """The horizontal direction (B,), radians, that bodies of keypoints (B, F, 17, 3) face on the whole."""
    left = (points[:, :, [5, 11]] - points[:, :, [6, 12]]).mean(dim=(1, 2))
    return torch.atan2(left[:, 1], left[:, 0]) - 0.5 * torch.pi


def _projected(
    points: Tensor, azimuth: Tensor, elevation: Tensor, distance: Tensor, roll: Tensor
) -> tuple[Tensor, Tensor]:
    """Pixels (B, F, J, 2) of points (B, F, J, 3) from cameras about their middle, and pixels per metre (B, F)."""
    middle = points.mean(dim=(1, 2))  # (B, 3)
    level = torch.stack([azimuth.cos(), azimuth.sin(), torch.zeros_like(azimuth)], dim=-1)
    up = torch.tensor([0.0, 0.0, 1.0], device=points.device).expand_as(level)
    away = level * elevation.cos()[:, None] + up * elevation.sin()[:, None]
    right = torch.linalg.cross(up, level)
    above = torch.linalg.cross(away, right)
    # A body that walks towards the camera keeps half a metre off it.
    rel = points - middle[:, None, None]
    depth = distance[:, None, None] - torch.einsum("bfjc,bc->bfj", rel, away)
    push = (0.5 - depth.amin(dim=(1, 2))).clamp_min(0.0)
    depth = depth + push[:, None, None]
    x, y = torch.einsum("bfjc,bc->bfj", rel, right), torch.einsum("bfjc,bc->bfj", rel, above)
    c, s = roll.cos()[:, None, None], roll.sin()[:, None, None]
    focal = 1000.0
    pixels = focal * torch.stack([c * x - s * y, -(s * x + c * y)], dim=-1) / depth[..., None]
    return pixels, focal / depth[..., 11:13].mean(dim=-1)


def _stamp_errors(time_s: Tensor, fps: float, filming: Filming, generator: torch.Generator) -> Tensor:
    """How much later than stamped frames (B, F) were taken, seconds: a slow wander, and a little of it for good."""
    count, device = time_s.shape[0], time_s.device
    draws = torch.rand(count, 2, generator=generator, device=device)
    amount = filming.stamp_s * draws[:, 0] * (draws[:, 1] < filming.misstamped)
    wander = slow_noise(count, time_s.shape[1], 0.25, fps, generator, device)
    steady = torch.randn(count, 1, generator=generator, device=device)
    errors: Tensor = amount[:, None] * (0.9 * wander + 0.4 * steady)
    return errors


def _runs(
    shape: tuple[int, int, int], length: float, share: float, generator: torch.Generator, device: torch.device
) -> Tensor:
    """Number of the run (B, F, J) that each frame is in, 0 where it is in none; runs cover about `share` of all."""
    count, frames, joints = shape
    length = max(1, round(length))
    start = torch.rand(count, frames, joints, generator=generator, device=device) < share / length
    last = torch.where(start, torch.arange(frames, device=device)[None, :, None], -frames).cummax(dim=1).values
    inside = torch.arange(frames, device=device)[None, :, None] - last < length
    return torch.where(inside, last + 1, 0)


def _held(draws: Tensor, run: Tensor) -> Tensor:
    """One draw a run: draws (B, F, J, 2) at the run's first frame, zero outside of runs (B, F, J)."""
    first = (run - 1).clamp_min(0)[..., None].expand_as(draws)
    return torch.where(run[..., None] > 0, draws.gather(1, first), torch.zeros_like(draws))


def _sway(time_s: Tensor, filming: Filming, generator: torch.Generator) -> Tensor:
    """Motion (B, F, 2) of the whole image, metres of the body: slow sines and a steady pan."""
    count, device = time_s.shape[0], time_s.device

    def rand(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    hz = 0.15 * torch.exp(rand(4, 2) * 2.8)  # 0.15–2.5 Hz
    # The slower the wider, as hands do; the whole is scaled to what was drawn.
    size = rand(4, 2) * (0.5 / hz).clamp_max(1.0).sqrt()
    sines = (size[:, None] * torch.sin(2.0 * torch.pi * (hz[:, None] * time_s[:, :, None, None] + rand(1, 4, 2)))).sum(
        dim=2
    )
    pan = (rand(1, 2) - 0.5) * (time_s - time_s[:, :1])[..., None]
    amount = filming.sway_m * rand() * (rand() < filming.sway)
    return amount[:, None, None] * (sines + pan)
