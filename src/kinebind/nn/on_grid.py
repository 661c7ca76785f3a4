"""Video frames on a regular grid: straight lines between the frames that show a keypoint, batched.

One function for training and use, so that what a model learns from is what it meets.
"""

from __future__ import annotations

import torch
from torch import Tensor

BRIDGED_S = 0.35
"""Longest stretch without a keypoint across which the line counts as seen."""
FRAMES_BRIDGED = 2.5
"""The same in frames, for slow cameras: whichever is longer."""


def on_grid(time_s: Tensor, keypoints: Tensor, seen: Tensor, grid_s: Tensor) -> tuple[Tensor, Tensor]:
    """Keypoints (B, T, J, 2) at grid_s (B, T) from frames at time_s (B, F) increasing; and whether they count as seen.

    keypoints (B, F, J, 2), seen (B, F, J) bool. Before the first and after the last frame that shows a joint its
    place is held, unseen beyond half the bridged time; a joint that is never seen lies at zero, unseen.
    """
    frames = time_s.shape[1]
    index = torch.arange(frames, device=time_s.device)[None, :, None]
    before = torch.where(seen, index, -1).cummax(dim=1).values  # (B, F, J): last frame that shows it
    after = torch.where(seen, index, frames).flip(1).cummin(dim=1).values.flip(1)
    at = torch.searchsorted(time_s.contiguous(), grid_s.contiguous(), right=True) - 1  # (B, T), −1 before all
    earlier = _rows(before, at.clamp(0, frames - 1))
    earlier = torch.where(at[..., None] < 0, -1, earlier)
    later = _rows(after, (at + 1).clamp(0, frames - 1))
    later = torch.where(at[..., None] + 1 >= frames, frames, later)
    has_earlier, has_later = earlier >= 0, later < frames
    a = torch.where(has_earlier, earlier, later).clamp(0, frames - 1)  # (B, T, J)
    b = torch.where(has_later, later, earlier).clamp(0, frames - 1)
    joints = keypoints.shape[2]
    t_a = time_s[:, :, None].expand(-1, -1, joints).gather(1, a)
    t_b = time_s[:, :, None].expand(-1, -1, joints).gather(1, b)
    grid = grid_s[..., None]
    weight = torch.where(t_b > t_a, (grid - t_a) / (t_b - t_a).clamp_min(1e-9), torch.zeros_like(t_a))
    weight = weight.clamp(0.0, 1.0)[..., None].to(keypoints)
    filled = torch.where(seen[..., None], keypoints, torch.zeros_like(keypoints))
    x_a = filled.gather(1, a[..., None].expand(-1, -1, -1, 2))
    x_b = filled.gather(1, b[..., None].expand(-1, -1, -1, 2))
    period = (time_s[:, -1:] - time_s[:, :1]) / max(frames - 1, 1)
    bridged = (FRAMES_BRIDGED * period).clamp_min(BRIDGED_S)[..., None]  # (B, 1, 1)
    near = torch.minimum((grid - t_a).abs(), (grid - t_b).abs()) <= 0.5 * bridged
    counts = torch.where(has_earlier & has_later, t_b - t_a <= bridged, near & (has_earlier | has_later))
    return x_a + weight * (x_b - x_a), counts


def _rows(values: Tensor, index: Tensor) -> Tensor:
    """values (B, F, J) at index (B, T): (B, T, J)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))
