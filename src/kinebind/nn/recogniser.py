"""Telling activities from sensors and limbs: the universal encoders, the sensor's own axes beside them, and experts.

The universal model sees what no mounting changes. Whoever has labels has them of one kind of device worn in one way, so
that its own axes tell more: a small convolution looks at these. Tokens of all streams are pooled by attention, and a
mixture of experts chooses the class, its gate learnt and kept from leaning on few of them.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.nn.universal import PER_TOKEN, Universal, weighed

AXES = 6
"""Channels of a sensor's own axes: specific force over 9.81 m/s², angular rate over 3 rad/s."""
_MOST_MIDDLE = 8.0
"""By how much less, in logits, a window's ends weigh than its middle."""


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


class StreamModel(nn.Module):
    """Streams -> logits (B, classes). bf16: whether it is quicker in bfloat16 where processors have tiles for that."""

    bf16: ClassVar[bool] = True

    def balance(self) -> Tensor:
        """A term of the loss, of the last batch: how unevenly experts were used; 1 where there are none."""
        return torch.ones(())


class Recogniser(StreamModel):
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

    def balance(self) -> Tensor:
        return self.mix.balance

    def forward(self, streams: Streams) -> Tensor:
        b = streams.felt.shape[0]
        felt = seen = None
        if streams.felt.shape[1]:
            hidden = self.felt_hidden(
                streams.felt.flatten(0, 1), streams.axes.flatten(0, 1), streams.felt_site.flatten()
            )
            felt = hidden.view(b, -1, *hidden.shape[1:])
        if streams.seen.shape[1]:
            hidden = self.seen(streams.seen.flatten(0, 1), streams.site.flatten())
            seen = hidden.view(b, -1, *hidden.shape[1:])
        there = [by_token(own) for own in (streams.felt_there, streams.seen_there)]
        return self.read(felt, there[0], seen, there[1])

    def felt_hidden(self, felt: Tensor, axes: Tensor, site: Tensor) -> Tensor:
        """Hidden tokens (B, T, width) of sensors: channels (B, FELT_CHANNELS, S), axes (B, AXES, S), site (B,)."""
        hidden: Tensor = self.felt(felt, site)
        return hidden if self.axes is None else hidden + self.axes(axes)[:, : hidden.shape[1]]

    def read(self, felt: Tensor | None, felt_there: Tensor, seen: Tensor | None, seen_there: Tensor) -> Tensor:
        """Logits (B, classes) of hidden tokens of sensors (B, N, T, width) and limbs (B, M, T, width), either of which
        may be absent; felt_there (B, N, T), seen_there (B, M, T) bool. Raises InputError where both are.
        """
        parts = [
            None if hidden is None else self._pooled(kind, hidden, there)
            for kind, hidden, there in (("felt", felt, felt_there), ("seen", seen, seen_there))
        ]
        some = next((part for part in parts if part is not None), None)
        if some is None:
            raise InputError("There is neither a sensor nor a limb.", "Give at least one.")
        vector = torch.cat([torch.zeros_like(some) if part is None else part for part in parts], dim=1)
        logits: Tensor = self.mix(self.norm(vector))
        return logits

    def _pooled(self, kind: str, hidden: Tensor, there: Tensor) -> Tensor:
        """Vectors (B, width): the mean over the streams that are there."""
        vectors = self.pool[kind](hidden.flatten(0, 1), there.flatten(0, 1)).view(*there.shape[:2], -1)
        present = there.any(dim=-1).to(vectors)[..., None]
        mean: Tensor = (vectors * present).sum(dim=1) / present.sum(dim=1).clamp_min(1.0)
        return mean


def by_token(there: Tensor) -> Tensor:
    """(..., S // PER_TOKEN) bool: most of a token's samples (..., S) were measured."""
    tokens = there.shape[-1] // PER_TOKEN
    own = there[..., : tokens * PER_TOKEN].float()
    return own.view(*there.shape[:-1], tokens, PER_TOKEN).mean(dim=-1) > 0.5


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
    """Tokens (B, T, width) with a mask (B, T) -> one vector (B, width): several weighted means, projected.

    A window's answer is that of its middle: how much the middle counts is learnt for each mean, which begin from not at
    all to nearly alone.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(width, heads)
        self.middle = nn.Parameter(torch.linspace(0.0, _MOST_MIDDLE, heads))
        self.out = nn.Linear(heads * width, width)

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        off = torch.linspace(-1.0, 1.0, tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
        weight = self.weigh(tokens) - off.square()[None, :, None] * self.middle
        vector: Tensor = functional.gelu(self.out(weighed(weight, tokens, there)))
        return vector
