"""DeSPITE as a baseline: a 2-layer LSTM whose last output is the embedding, 512-d; pairwise InfoNCE.

Known: that much of the IMU's encoder. Our choice: the same encoder on the poses, a hidden state as wide as the
embedding, no dropout. See `two_stream` for what all baselines share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from kinebind.nn.contract import POSE_CHANNELS, Contract
from kinebind.nn.two_stream import TwoStream


@dataclass(frozen=True)
class DespiteConfig:
    """width: dimensions of the embedding, and of the LSTM's state. sensor_dropout: see `Model`."""

    width: int = 512
    layers: int = 2
    temperature: float = 0.07
    sensor_dropout: int = 0


class LastOfLstm(nn.Module):
    """An LSTM's output at the last sample."""

    def __init__(self, channels: int, config: DespiteConfig) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, config.width, config.layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels, S) -> (B, D)."""
        outputs: Tensor = self.lstm(x.transpose(1, 2))[0]  # (B, S, channels) -> (B, S, D)
        return outputs[:, -1]


class Despite(TwoStream):
    """The baseline; see the module's text for what of it is known."""

    name: ClassVar[str] = "despite"

    def __init__(self, contract: Contract, config: DespiteConfig | None = None) -> None:
        c, parts = config or DespiteConfig(), len(contract.parts)
        imu = LastOfLstm(parts * len(contract.imu_channels), c)
        super().__init__(contract, c, imu, LastOfLstm(parts * POSE_CHANNELS, c))
