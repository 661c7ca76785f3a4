"""SyncNet as a baseline: a 1D CNN on each stream, 1024-d; the offset is the lag of least mean distance.

Known: that. Our choice: four convolutions of 5 samples, widths 64, 128, 256 and 512, BatchNorm, ReLU and
max-pooling by 2 after each, the mean over time (so that any window is long enough) and one linear map; and InfoNCE
where SyncNet had pairs with a margin, so that the baselines differ in their encoders only. Embeddings have norm 1:
the squared distance of two is then 2 − 2·cosine, and the least distance is the greatest similarity. See
`two_stream` for what all baselines share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from kinebind.nn.contract import POSE_CHANNELS, Contract
from kinebind.nn.two_stream import TwoStream

_WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True)
class SyncNetConfig:
    """width: dimensions of the embedding. sensor_dropout: see `Model`."""

    width: int = 1024
    temperature: float = 0.07
    sensor_dropout: int = 0


class Cnn(nn.Module):
    """Four convolutions with pooling, the mean over time, a linear map, norm 1."""

    def __init__(self, channels: int, config: SyncNetConfig) -> None:
        super().__init__()
        widths = (channels, *_WIDTHS)
        self.convs = nn.ModuleList(nn.Conv1d(widths[i], w, 5, padding=2) for i, w in enumerate(_WIDTHS))
        self.norms = nn.ModuleList(nn.BatchNorm1d(w) for w in _WIDTHS)
        self.out = nn.Linear(_WIDTHS[-1], config.width)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels, S) -> (B, D) of norm 1."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool1d(F.relu(norm(conv(x))), 2, ceil_mode=True)  # (B, 512, S/16) in the end
        return F.normalize(self.out(x.mean(dim=-1)), dim=-1)  # (B, 512) -> (B, D)


class SyncNet(TwoStream):
    """The baseline; see the module's text for what of it is known."""

    name: ClassVar[str] = "syncnet"

    def __init__(self, contract: Contract, config: SyncNetConfig | None = None) -> None:
        c, parts = config or SyncNetConfig(), len(contract.parts)
        imu = Cnn(parts * len(contract.imu_channels), c)
        super().__init__(contract, c, imu, Cnn(parts * POSE_CHANNELS, c))
