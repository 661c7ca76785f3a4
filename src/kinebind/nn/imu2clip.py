"""IMU2CLIP as a baseline: GroupNorm, three convolutions, GroupNorm, a GRU's last state; InfoNCE on whole windows.

Known: that order, and kernels of 10, 5 and 5 samples. Our choice: widths of 32, 64 and 128, ReLU and a max-pooling
by 2 after each convolution, 4 groups in the second norm and one group a stream in the first (a group of all
channels would measure quaternions in accelerations), 256 dimensions; and the same encoder on the poses, where the
paper has a frozen video encoder. See `two_stream` for what all baselines share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from kinebind.nn.contract import POSE_CHANNELS, Contract
from kinebind.nn.two_stream import TwoStream

_KERNELS = (10, 5, 5)
_WIDTHS = (32, 64, 128)


@dataclass(frozen=True)
class Imu2ClipConfig:
    """width: dimensions of the embedding. sensor_dropout: see `Model`."""

    width: int = 256
    temperature: float = 0.07
    sensor_dropout: int = 0


class ConvGru(nn.Module):
    """GroupNorm, three convolutions with pooling, GroupNorm, GRU."""

    def __init__(self, groups: int, channels: int, config: Imu2ClipConfig) -> None:
        """groups: sensors or parts, each normalised by itself; channels: of all of them."""
        super().__init__()
        self.norm_in = nn.GroupNorm(groups, channels)
        widths = (channels, *_WIDTHS)
        self.convs = nn.ModuleList(
            nn.Conv1d(widths[i], widths[i + 1], kernel, padding=kernel // 2) for i, kernel in enumerate(_KERNELS)
        )
        self.norm_out = nn.GroupNorm(4, _WIDTHS[-1])
        self.gru = nn.GRU(_WIDTHS[-1], config.width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels, S) -> (B, D)."""
        x = self.norm_in(x)
        for conv in self.convs:
            x = F.max_pool1d(F.relu(conv(x)), 2, ceil_mode=True)  # (B, 128, S/8) in the end
        x = self.norm_out(x)
        last: Tensor = self.gru(x.transpose(1, 2))[1][0]  # (B, S/8, 128) -> (1, B, D)[0]
        return last


class Imu2Clip(TwoStream):
    """The baseline; see the module's text for what of it is known."""

    name: ClassVar[str] = "imu2clip"

    def __init__(self, contract: Contract, config: Imu2ClipConfig | None = None) -> None:
        c, parts = config or Imu2ClipConfig(), len(contract.parts)
        imu = ConvGru(parts, parts * len(contract.imu_channels), c)
        super().__init__(contract, c, imu, ConvGru(parts, parts * POSE_CHANNELS, c))
