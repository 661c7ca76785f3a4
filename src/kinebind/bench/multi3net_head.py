"""Multi3Net's wrist encoder below a mixture of experts, for labelled stretches of one real sensor."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinebind.nn.multi3net import Multi3Net
from kinebind.nn.recogniser import AXES, Experts, RecogniserConfig, StreamModel, Streams
from kinebind.nn.universal import RATE_HZ


class WristRecogniser(StreamModel):
    """Streams -> logits: a sensor's own axes at the model's rate through one wrist's encoder, the mean over what was
    measured, and experts. `model` is copied: what is tuned here leaves it as it was.
    """

    bf16 = False  # one token a sample, and narrow: float32 takes two fifths of the time

    def __init__(self, model: Multi3Net, site: str, classes: int, experts: int = 4) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(model.imu[model.sensors.index(site)])
        self.rate_hz = model.contract.imu_rate_hz
        width = model.config.width
        self.norm = nn.LayerNorm(width)
        self.mix = Experts(width, RecogniserConfig(classes, experts=experts))

    def balance(self) -> Tensor:
        return self.mix.balance

    def forward(self, streams: Streams) -> Tensor:
        samples = round(streams.axes.shape[-1] * self.rate_hz / RATE_HZ)
        # What counts as one in these axes is what counts as one in Multi3Net's series.
        axes = F.interpolate(streams.axes.flatten(0, 1), samples, mode="linear")
        there = F.interpolate(streams.felt_there.flatten(0, 1)[:, None].float(), samples, mode="nearest")
        shown = torch.cat([axes * there, 1.0 - there], dim=1)
        tokens, _ = self.encoder(shown)  # (B · N, S, D)
        kept = there.transpose(1, 2)
        pooled = (tokens * kept).sum(dim=1) / kept.sum(dim=1).clamp_min(1.0)
        vectors = pooled.view(streams.axes.shape[0], -1, pooled.shape[-1]).mean(dim=1)
        logits: Tensor = self.mix(self.norm(vectors))
        return logits


def series_r(told: Tensor, true: Tensor, where: Tensor | None = None) -> Tensor:
    """Correlation (B,) of each window's series told and true (B, C, T), the mean over its channels; where (B, T) bool:
    samples that count. Channels that stand still are left out.
    """
    weight = torch.ones_like(true[:, :1]) if where is None else where[:, None].to(true)
    count = weight.sum(dim=-1, keepdim=True).clamp_min(1.0)
    a, b = ((x - (x * weight).sum(dim=-1, keepdim=True) / count) * weight for x in (told, true))
    power_a, power_b = a.square().sum(dim=-1), b.square().sum(dim=-1)
    moves = power_b > 1e-6 * count[..., 0]
    r = (a * b).sum(dim=-1) / (power_a * power_b).sqrt().clamp_min(1e-9)
    return (r * moves).sum(dim=1) / moves.sum(dim=1).clamp_min(1)


def with_norms(series: Tensor) -> Tensor:
    """The norms (B, 2, T) of acceleration and angular rate of series (B, AXES, T), which no mounting changes."""
    return torch.stack([series[:, :3].norm(dim=1), series[:, 3:AXES].norm(dim=1)], dim=1)
