"""The universal model: one pair of encoders for any sensor, mounting, rate and camera.

Both streams become tokens of 0.1 s whose attention reaches 1.5 s to each side in every block and no further, so one
model runs unchanged on two seconds or an hour. Tokens are not normalised one by one: two streams are compared by the
cosine of their token sequences, aligned at a lag, in which still moments weigh little. A head on the pose's tokens says
what a sensor would feel (Pose2IMU).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.near_attention import near_attention
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.parts import SITES

RATE_HZ = 50.0
"""Rate of the channels that go in."""
PER_TOKEN = 5
TOKEN_S = PER_TOKEN / RATE_HZ
REACH = 15
"""Tokens that attention sees to each side: 1.5 s."""
UNKNOWN_SITE = len(SITES)
FELT_TOLD = 3
"""What Pose2IMU tells: |f| − g over 3 m/s², |ω| over 2 rad/s, the vertical acceleration over 3 m/s², each asinh."""


@dataclass(frozen=True)
class UniversalConfig:
    """Sizes: width of tokens inside, of stems, blocks, heads, and of the tokens that are compared.

    text: size of a sentence's embedding, in which the model says what it perceives; 0 for a model without words.
    """

    width: int = 128
    stem: int = 64
    blocks: int = 3
    heads: int = 4
    token: int = 64
    text: int = 0

    def __post_init__(self) -> None:
        if min(self.width, self.stem, self.blocks, self.heads, self.token) < 1 or self.width % self.heads:
            raise InputError("The model's sizes must be positive, and heads must divide its width.", "")
        if self.text < 0:
            raise InputError("The size of a sentence's embedding cannot be negative.", "0 stands for no words.")


class Encoder(nn.Module):
    """Channels (B, C, T) at RATE_HZ with a site each -> hidden tokens (B, T // PER_TOKEN, width)."""

    def __init__(self, channels: int, config: UniversalConfig) -> None:
        super().__init__()
        stem, width = config.stem, config.width
        self.enter = nn.Conv1d(channels, stem, 7, padding=3)
        self.site = nn.Embedding(len(SITES) + 1, stem)
        self.mix = nn.Sequential(nn.GELU(), nn.Conv1d(stem, stem, 7, padding=3))
        # Token k looks at samples 5k − 3 … 5k + 7: it is centred on its own five.
        self.patch = nn.Sequential(nn.GELU(), nn.Conv1d(stem, width, 2 * PER_TOKEN + 1, stride=PER_TOKEN, padding=3))
        self.site_of_token = nn.Embedding(len(SITES) + 1, width)
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(width)

    def forward(self, channels: Tensor, site: Tensor) -> Tensor:
        samples = channels.shape[-1] // PER_TOKEN * PER_TOKEN
        x = self.enter(channels[..., :samples]) + self.site(site)[..., None]  # (B, stem, T)
        x = x + self.mix(x)
        x = self.patch(x).transpose(1, 2) + self.site_of_token(site)[:, None]  # (B, tokens, width)
        for block in self.blocks:
            x = block(x)
        tokens: Tensor = self.norm(x)
        return tokens


class Block(nn.Module):
    """Attention within REACH with a learned bias for each distance, then an MLP; both residual, normalised first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(heads, 2 * REACH + 1))
        self.mlp = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm_1(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, H, T, width / H)
        mixed = near_attention(q, k, v, self.distance)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out


class Said(nn.Module):
    """Hidden tokens (B, T, width) -> what they show, in a space of sentences (B, text): weighed by what matters."""

    def __init__(self, config: UniversalConfig) -> None:
        super().__init__()
        self.weigh = nn.Linear(config.width, config.heads)
        self.out = nn.Sequential(
            nn.Linear(config.heads * config.width, 2 * config.width),
            nn.GELU(),
            nn.Linear(2 * config.width, config.text),
        )

    def forward(self, hidden: Tensor, there: Tensor) -> Tensor:
        """there (B, T) bool: which tokens count."""
        said: Tensor = self.out(weighed(self.weigh(hidden), hidden, there))
        return said


def weighed(weights: Tensor, tokens: Tensor, there: Tensor) -> Tensor:
    """Means (B, heads · width) of tokens (B, T, width) that are there (B, T); weights (B, T, heads) are logits."""
    share = weights.masked_fill(~there[..., None], -1e9).softmax(dim=1)
    return torch.einsum("bth,btw->bhw", share, tokens).flatten(1)


class Universal(nn.Module):
    """The two encoders and what is read off them."""

    sentence_mean: Tensor

    def __init__(self, config: UniversalConfig = UniversalConfig()) -> None:
        super().__init__()
        self.config = config
        self.felt = Encoder(FELT_CHANNELS, config)
        self.seen = Encoder(SEEN_CHANNELS, config)
        self.felt_token = nn.Linear(config.width, config.token)
        self.seen_token = nn.Linear(config.width, config.token)
        self.told = nn.Linear(config.width, PER_TOKEN * FELT_TOLD)
        self.pair_scale = nn.Parameter(torch.tensor(10.0).log())
        self.lag_scale = nn.Parameter(torch.tensor(10.0).log())
        if config.text:
            self.felt_said, self.seen_said = Said(config), Said(config)
            self.said_scale = nn.Parameter(torch.tensor(10.0).log())
            self.register_buffer("sentence_mean", torch.zeros(config.text))

    def embed_felt(self, channels: Tensor, site: Tensor) -> Tensor:
        """Tokens (B, T, D) of what sensors felt: channels (B, FELT_CHANNELS, S), site (B,), UNKNOWN_SITE allowed."""
        tokens: Tensor = self.felt_token(self.felt(channels, site))
        return tokens

    def embed_seen(self, channels: Tensor, site: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, D) of limbs, and what a sensor there would feel (B, FELT_TOLD, S) at RATE_HZ."""
        hidden = self.seen(channels, site)
        return self.seen_token(hidden), self.told_of(hidden)

    def told_of(self, hidden: Tensor) -> Tensor:
        """What a sensor would feel (B, FELT_TOLD, S) of the hidden tokens of a limb (B, T, width)."""
        told: Tensor = self.told(hidden)  # (B, T, PER_TOKEN · FELT_TOLD)
        return told.view(*told.shape[:2], PER_TOKEN, FELT_TOLD).flatten(1, 2).transpose(1, 2)

    def sentences(self, embedded: Tensor) -> Tensor:
        """Sentences' embeddings (N, text) as what is said is compared with them: about their mean, of length one."""
        return functional.normalize(embedded - self.sentence_mean, dim=-1)

    def settings(self) -> dict[str, Any]:
        """The sizes, from which the same architecture can be built."""
        return dataclasses.asdict(self.config)


def pair_scores(felt: Tensor, seen: Tensor, felt_there: Tensor, seen_there: Tensor) -> Tensor:
    """Cosine (N, M) of token sequences felt (N, T, D) and seen (M, T, D), aligned, over what both have.

    felt_there (N, T), seen_there (M, T) bool.
    """
    x, y = felt * felt_there[..., None], seen * seen_there[..., None]
    product = x.flatten(1) @ y.flatten(1).T
    xx = x.square().sum(-1) @ seen_there.to(x).T
    yy = felt_there.to(y) @ y.square().sum(-1).T
    return product / (xx * yy).clamp_min(1e-12).sqrt()


def lag_scores(felt: Tensor, seen: Tensor, lags: range) -> Tensor:
    """Cosine (B, L) of each pair's sequences (B, T, D) when felt[t] meets seen[t + lag], times √(share of overlap)."""
    count = felt.shape[1]
    product = torch.einsum("btd,bud->btu", felt, seen)
    xx, yy = felt.square().sum(-1), seen.square().sum(-1)
    out = []
    for lag in lags:
        a, b = max(0, -lag), min(count, seen.shape[1] - lag)
        cosine = torch.diagonal(product, lag, 1, 2).sum(-1)
        square = xx[:, a:b].sum(1) * yy[:, a + lag : b + lag].sum(1)
        out.append(cosine / square.clamp_min(1e-12).sqrt() * ((b - a) / count) ** 0.5)
    return torch.stack(out, dim=1)
