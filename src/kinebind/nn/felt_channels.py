"""What a sensor felt, in channels that no mounting changes: the universal model's input from an IMU.

They are made of specific force and angular rate in a frame whose z is up and whose heading is unknown but steady
(a 6-axis orientation filter gives it): vertical parts, horizontal lengths, and products of horizontal vectors, which
do not depend on the heading. A sensor without angular rate has no such frame; of it the direction of the low-passed
force stands for up, and what needs a heading is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinebind.imu import GRAVITY_M_S2
from kinebind.nn.smooth import forgetting_integral, gaussian

FELT_CHANNELS = 18
_MEMORY_S = 0.4  # of velocities: slower motion is drift
_SLOPE_S = 0.02  # σ of derivatives
_UP_S = 0.5  # σ of the low-pass that stands for gravity where there is no angular rate


def felt_channels(acc: Tensor, gyr: Tensor, has_gyr: Tensor, valid: Tensor, rate_hz: float) -> Tensor:
    """Channels (B, FELT_CHANNELS, T) of sensors.

    acc (B, T, 3): specific force, m/s², in the gravity frame where has_gyr, else in the sensor's. gyr (B, T, 3):
    angular rate in the gravity frame, rad/s; zero where has_gyr (B,) is False. valid (B, T) bool: measured; what lies
    in a gap must be filled (by lines) and is marked.
    """
    force = acc.norm(dim=-1)
    slow = gaussian(acc.transpose(1, 2), _UP_S, rate_hz).transpose(1, 2)
    up = slow / slow.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    rise = torch.where(has_gyr[:, None], acc[..., 2], (acc * up).sum(-1)) - GRAVITY_M_S2  # (B, T)
    across = torch.where(has_gyr[:, None, None], acc[..., :2], torch.zeros_like(acc[..., :2]))  # (B, T, 2)
    level = acc - (acc * up).sum(-1, keepdim=True) * up
    sideways = torch.where(has_gyr[:, None], across.norm(dim=-1), level.norm(dim=-1))
    world = torch.where(has_gyr[:, None, None], acc, acc - GRAVITY_M_S2 * up)
    jerk = gaussian(world.transpose(1, 2), _SLOPE_S, rate_hz, 1).norm(dim=1)
    swing = gaussian(gyr.transpose(1, 2), _SLOPE_S, rate_hz, 1).norm(dim=1)
    climb = forgetting_integral(rise, _MEMORY_S, rate_hz)
    drift = forgetting_integral(across.transpose(1, 2), _MEMORY_S, rate_hz).transpose(1, 2)
    tilt, turn = gyr[..., :2], gyr[..., 2]
    channels = [
        rise / 3.0, sideways / 3.0, (force - GRAVITY_M_S2) / 3.0, jerk / 30.0,
        turn / 2.0, tilt.norm(dim=-1) / 2.0, gyr.norm(dim=-1) / 2.0, swing / 20.0,
        climb / 0.5, drift.norm(dim=-1) / 0.5, _dot(drift, across) / 1.5, _cross(drift, across) / 1.5,
        _dot(across, tilt) / 6.0, _cross(across, tilt) / 6.0, _dot(drift, tilt) / 1.0, _cross(drift, tilt) / 1.0,
    ]  # fmt: skip
    signals = torch.asinh(torch.stack(channels, dim=1)) * valid[:, None]
    flags = torch.stack([has_gyr[:, None].expand_as(valid), valid], dim=1).to(signals)
    return torch.cat([signals, flags], dim=1)


def told_signals(acc: Tensor, gyr: Tensor) -> Tensor:
    """What Pose2IMU is to tell (N, 3, S): |f| − g over 3 m/s², |ω| over 2 rad/s, the vertical acceleration over 3 m/s².

    Each is compressed by asinh. acc, gyr (N, S, 3) in the gravity frame, m/s² and rad/s.
    """
    rise, force, turn = acc[..., 2] - GRAVITY_M_S2, acc.norm(dim=-1) - GRAVITY_M_S2, gyr.norm(dim=-1)
    return torch.asinh(torch.stack([force / 3.0, turn / 2.0, rise / 3.0], dim=1))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
