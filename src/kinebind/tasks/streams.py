"""A user's streams as the universal model's input: any sensor and any poses, on its grid, in its channels.

What training draws goes through the same functions (`kinebind.nn.felt_channels`, `on_grid`, `whole_trunk`,
`seen_channels`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kinebind.body.gravity_frame import angular_rate_from_orientation, gravity_frame
from kinebind.clock import FloatArray
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.nn.felt_channels import felt_channels
from kinebind.nn.on_grid import on_grid
from kinebind.nn.seen_channels import body_scale, seen_channels, shows_limb
from kinebind.nn.universal import RATE_HZ
from kinebind.nn.whole_trunk import whole_trunk
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.resample import resample_vectors, whole_rows
from kinebind.tasks.sync.limb_signals import grid

BRIDGED_S = 0.1
"""Longest stretch of lost samples that is interpolated and still counts as measured."""


@dataclass(frozen=True, eq=False)
class FeltStream:
    """A sensor on the grid: sample k is at (first + k) / RATE_HZ seconds of its clock.

    acc, gyr (S, 3) as `felt_channels` takes them, valid (S,) bool, has_gyr; gaps are filled by lines.
    """

    first: int
    acc: FloatArray
    gyr: FloatArray
    valid: np.ndarray
    has_gyr: bool

    def channels(self) -> Tensor:
        """(1, FELT_CHANNELS, S) float32."""
        acc, gyr = (torch.as_tensor(x, dtype=torch.float32)[None] for x in (self.acc, self.gyr))
        valid = torch.as_tensor(self.valid)[None]
        return felt_channels(acc, gyr, torch.tensor([self.has_gyr]), valid, RATE_HZ)


def felt_stream(imu: Imu) -> FeltStream:
    """Put a sensor on the grid; of one that never measured half a second on end, `valid` is False throughout."""
    step = 2 if imu.rate_hz > 1.5 * RATE_HZ else 1
    rate_hz = step * RATE_HZ
    time_s = grid(imu.time_s[0], imu.time_s[-1], rate_hz)
    out_s = grid(imu.time_s[0], imu.time_s[-1])
    gyr = imu.gyr_sensor
    if gyr is None and imu.rot_world_from_sensor is not None:
        gyr = angular_rate_from_orientation(imu)
    felt = imu.acc_sensor if gyr is None else np.concatenate([imu.acc_sensor, gyr], axis=1)
    felt = np.where(whole_rows(felt)[:, None], felt, np.nan)
    cutoff_hz = 0.4 * rate_hz if imu.rate_hz > 1.2 * rate_hz else np.inf
    gap_s = max(BRIDGED_S, 2.5 / imu.rate_hz)
    felt = resample_vectors(imu.time_s, felt, time_s, cutoff_hz=cutoff_hz, max_gap_s=gap_s)
    if gyr is not None:
        rotation = gravity_frame(time_s, felt, rate_hz)
        felt = np.concatenate([np.einsum("tij,tkj->tki", rotation, felt.reshape(-1, 2, 3)).reshape(-1, 6)], axis=1)
    skip = round((out_s[0] - time_s[0]) * rate_hz) if out_s.size else 0
    felt = felt[skip::step][: out_s.size]
    valid = whole_rows(felt)
    filled = _filled(felt, valid)
    none = np.zeros((out_s.size, 3))
    first = round(out_s[0] * RATE_HZ) if out_s.size else 0
    return FeltStream(first, filled[:, :3], none if gyr is None else filled[:, 3:], valid, gyr is not None)


def _filled(values: FloatArray, valid: np.ndarray) -> FloatArray:
    """Values (S, C) with lines across what is missing; gravity alone where there is nothing."""
    if not valid.any():
        out = np.zeros_like(values)
        out[:, 2] = GRAVITY_M_S2
        return out
    at = np.flatnonzero(valid)
    return np.stack([np.interp(np.arange(len(values)), at, values[at, c]) for c in range(values.shape[1])], axis=1)


@dataclass(frozen=True, eq=False)
class SeenStream:
    """A person on the grid: sample k is at (first + k) / RATE_HZ seconds of the video's clock.

    metres (S, 17, 2): keypoints in metres of the body, x right, y up; seen (S, 17) bool.
    """

    first: int
    metres: Tensor
    seen: Tensor

    def channels(self, site: str) -> Tensor:
        """(1, SEEN_CHANNELS, S) float32 of the limb at a site."""
        index = torch.tensor([SITES.index(site)])
        return seen_channels(self.metres[None], self.seen[None], index, RATE_HZ)

    def shows(self, site: str) -> np.ndarray:
        """(S,) bool: whether the limb itself is seen, both ends of its segment."""
        shown: np.ndarray = shows_limb(self.channels(site))[0].numpy()
        return shown


def seen_stream(poses: Poses) -> SeenStream:
    """Put a person's keypoints on the grid, in metres of their own body; unseen throughout where it has no size."""
    out_s = grid(poses.time_s[0], poses.time_s[-1])
    pixels = torch.as_tensor(np.nan_to_num(poses.keypoints_px), dtype=torch.float32)[None]
    shown = torch.as_tensor(np.isfinite(poses.keypoints_px[..., 0]))[None]
    scale = float(body_scale(pixels, shown)[0])
    if not scale > 0.0 or out_s.size == 0:
        blank = torch.zeros(out_s.size, 17)
        return SeenStream(round(float(poses.time_s[0]) * RATE_HZ), blank[..., None].expand(-1, -1, 2), blank > 0)
    middle = pixels[shown].mean(dim=0)
    metres = (pixels - middle) / scale * torch.tensor([1.0, -1.0])
    # Clocks may stand at 1.6e9 s: times count from the start, in double precision.
    start_s = float(out_s[0])
    time_s = torch.as_tensor(poses.time_s - start_s)[None]
    on, seen = on_grid(time_s, metres, shown, torch.as_tensor(out_s - start_s)[None])
    on, seen = whole_trunk(on.float(), seen, RATE_HZ)
    return SeenStream(round(start_s * RATE_HZ), on[0], seen[0])
