"""Telling activities from sensors and limbs: the universal encoders, the sensor's own axes beside them, and experts.

The universal model sees what no mounting changes. Whoever has labels has them of one kind of device worn in one way, so
that its own axes tell more: a small convolution looks at these. Tokens of all streams are pooled by attention, and a
mixture of experts chooses the class, its gate learnt and kept from leaning on few of them.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.nn.universal import PER_TOKEN, Universal, weighed

AXES = 6
"""Channels of a sensor's own axes: specific force over 9.81 m/s², angular rate over 3 rad/s."""


@dataclass(frozen=True)
class RecogniserConfig:
    """classes: how many. axes: width of the convolution over a sensor's own axes; 0 leaves it out. experts, hidden: of
    the classifier. heads: of the pooling. dropout: before the experts.
    """

    classes: int
    axes: int = 64
    experts: int = 4
    hidden: int = 128
    heads: int = 4
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.classes < 2 or min(self.experts, self.hidden, self.heads) < 1 or self.axes < 0:
            raise InputError("A recogniser needs two classes and an expert at least.", "Check its sizes.")
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"dropout = {self.dropout} is no share.", "Give 0 to less than 1.")


@dataclass(frozen=True, eq=False)
class Streams:
    """B windows of N sensors and M limbs, any of which may be absent.

    felt (B, N, FELT_CHANNELS, S), axes (B, N, AXES, S), felt_site (B, N), felt_there (B, N, S) bool; seen
    (B, M, SEEN_CHANNELS, S), site (B, M), seen_there (B, M, S) bool: where each was measured.
    """

    felt: Tensor
    axes: Tensor
    felt_site: Tensor
    felt_there: Tensor
    seen: Tensor
    site: Tensor
    seen_there: Tensor

    def to(self, device: torch.device | str) -> Streams:
        """The same on a device."""
        return Streams(**{f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)})


class Recogniser(nn.Module):
    """Streams -> logits (B, classes). `universal` is copied: what is tuned here leaves it as it was."""

    def __init__(self, universal: Universal, config: RecogniserConfig) -> None:
        super().__init__()
        self.config = config
        width = universal.config.width
        self.felt, self.seen = copy.deepcopy(universal.felt), copy.deepcopy(universal.seen)
        self.axes = _Axes(config.axes, width) if config.axes else None
        self.pool = nn.ModuleDict({kind: _Pool(width, config.heads) for kind in ("felt", "seen")})
        self.norm = nn.LayerNorm(2 * width)
        self.mix = Experts(2 * width, config)

    def embed(self, streams: Streams) -> Tensor:
        """Vectors (B, 2 · width), of sensors and of limbs: the mean over the streams that are there."""
        b, n, m = *streams.felt.shape[:2], streams.seen.shape[1]
        parts = []
        if n:
            hidden = self.felt(streams.felt.flatten(0, 1), streams.felt_site.flatten())
            if self.axes is not None:
                hidden = hidden + self.axes(streams.axes.flatten(0, 1))[:, : hidden.shape[1]]
            parts.append(self._pooled("felt", hidden, streams.felt_there, b))
        if m:
            hidden = self.seen(streams.seen.flatten(0, 1), streams.site.flatten())
            parts.append(self._pooled("seen", hidden, streams.seen_there, b))
        if not parts:
            raise InputError("There is neither a sensor nor a limb.", "Give at least one.")
        none = parts[0].new_zeros(parts[0].shape)
        vector: Tensor = self.norm(torch.cat([parts[0] if n else none, parts[-1] if m else none], dim=1))
        return vector

    def _pooled(self, kind: str, hidden: Tensor, there: Tensor, batch: int) -> Tensor:
        tokens = hidden.shape[1]
        own = there[..., : tokens * PER_TOKEN].float().view(*there.shape[:-1], tokens, PER_TOKEN).mean(dim=-1) > 0.5
        vectors = self.pool[kind](hidden, own.flatten(0, 1)).view(batch, there.shape[1], -1)
        present = own.any(dim=-1).to(vectors)[..., None]
        mean: Tensor = (vectors * present).sum(dim=1) / present.sum(dim=1).clamp_min(1.0)
        return mean

    def forward(self, streams: Streams) -> Tensor:
        logits: Tensor = self.mix(self.embed(streams))
        return logits


class Experts(nn.Module):
    """A mixture of experts: each a small network, weighed by a gate. `balance` is the last batch's load-balancing term:
    experts · Σ share², 1 where all are used alike (Shazeer et al., arXiv 1701.06538, in the form of a mean gate).
    """

    def __init__(self, width: int, config: RecogniserConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(width, config.experts)
        self.dropout = nn.Dropout(config.dropout)
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, config.hidden), nn.GELU(), nn.Dropout(config.dropout),
                nn.Linear(config.hidden, config.classes),
            )
            for _ in range(config.experts)
        )  # fmt: skip
        self.balance = torch.ones(())

    def forward(self, vectors: Tensor) -> Tensor:
        x = self.dropout(vectors)
        weight = self.gate(x).softmax(dim=-1)  # (B, E)
        self.balance = weight.shape[1] * weight.mean(dim=0).square().sum()
        answers = torch.stack([expert(x) for expert in self.experts], dim=1)  # (B, E, C)
        return torch.einsum("be,bec->bc", weight, answers)


class _Axes(nn.Module):
    """A sensor's own axes (B, AXES, S) -> tokens (B, S // PER_TOKEN, width), which begin as nothing."""

    def __init__(self, stem: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(AXES, stem, 7, padding=3), nn.GELU(), nn.Conv1d(stem, stem, 7, padding=3), nn.GELU(),
            nn.Conv1d(stem, stem, 2 * PER_TOKEN + 1, stride=PER_TOKEN, padding=3), nn.GELU(),
            nn.Conv1d(stem, stem, 3, padding=1), nn.GELU(),
        )  # fmt: skip
        self.out = nn.Linear(stem, width)

    def forward(self, axes: Tensor) -> Tensor:
        samples = axes.shape[-1] // PER_TOKEN * PER_TOKEN
        tokens: Tensor = self.out(self.layers(axes[..., :samples]).transpose(1, 2))
        return tokens


class _Pool(nn.Module):
    """Tokens (B, T, width) with a mask (B, T) -> one vector (B, width): several weighted means, projected."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(width, heads)
        self.out = nn.Linear(heads * width, width)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        vector: Tensor = functional.gelu(self.out(weighed(self.weigh(tokens), tokens, there)))
        return vector
