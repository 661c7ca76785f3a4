"""Tokens of a stream of any length in bounded memory: piece by piece, each with all that its tokens see.

What a stream of hours takes at once is more than a machine has, and exported models make tables of all pairs of tokens,
though a token looks at its neighbours alone. So longer streams are embedded piece by piece; what lies beyond a piece's
own tokens is computed with it and thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from kinebind.nn.universal import FELT_TOLD, PER_TOKEN, REACH, UniversalConfig

CHUNK = 480
"""Tokens embedded at once: more, and tables of exported models grow; fewer, and more is computed twice."""
STEM = 2
"""Tokens to each side that the convolutions before the blocks look at: samples 5k − 9 … 5k + 13 of token k."""


class Encoders(Protocol):
    """What embeds both streams: `kinebind.nn.universal.Universal`, or the same run by something else than torch."""

    @property
    def config(self) -> UniversalConfig:
        """The sizes, from which follows how far a token sees."""
        ...

    def embed_felt(self, channels: Tensor, site: Tensor) -> Tensor:
        """Tokens (B, T, D) of channels (B, FELT_CHANNELS, S) at RATE_HZ of sensors at site (B,)."""
        ...

    def embed_seen(self, channels: Tensor, site: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, D) of channels (B, SEEN_CHANNELS, S) at RATE_HZ, and what a sensor would feel (B, 3, S)."""
        ...


def reach_tokens(config: UniversalConfig) -> int:
    """Tokens to each side on which a token depends: every block passes on what its neighbours saw.

    >>> reach_tokens(UniversalConfig(blocks=3))
    47
    """
    return config.blocks * REACH + STEM


def in_pieces(
    encode: Callable[[Tensor, Tensor], Tensor],
    config: UniversalConfig,
    channels: Tensor,
    site: Tensor,
    chunk: int = CHUNK,
) -> Tensor:
    """What an encoder of these sizes makes of a stream of any length, `chunk` tokens at a time, (B, S // PER_TOKEN, D).

    encode: channels (B, C, S) and site (B,) to (B, T, D), each row from its token's reach alone.
    """
    return torch.cat(
        [
            encode(channels[..., own], site)[:, kept]
            for own, kept in _pieces(channels.shape[-1] // PER_TOKEN, reach_tokens(config), chunk)
        ],
        dim=1,
    )


def felt_tokens(model: Encoders, channels: Tensor, site: Tensor, chunk: int = CHUNK) -> Tensor:
    """`model.embed_felt` of a stream of any length, `chunk` tokens at a time; the same but for rounding.

    channels (B, FELT_CHANNELS, S), site (B,) int64. Returns (B, S // PER_TOKEN, D).
    """
    return in_pieces(model.embed_felt, model.config, channels, site, chunk)


def seen_tokens(model: Encoders, channels: Tensor, site: Tensor, chunk: int = CHUNK) -> tuple[Tensor, Tensor]:
    """`model.embed_seen` of a stream of any length, `chunk` tokens at a time; the same but for rounding.

    channels (B, SEEN_CHANNELS, S), site (B,) int64. Returns (B, T, D) and (B, FELT_TOLD, PER_TOKEN · T).
    """
    tokens, told = [], []
    for own, kept in _pieces(channels.shape[-1] // PER_TOKEN, reach_tokens(model.config), chunk):
        found, says = model.embed_seen(channels[..., own], site)
        tokens.append(found[:, kept])
        told.append(says[..., kept.start * PER_TOKEN : kept.stop * PER_TOKEN])
    return torch.cat(tokens, dim=1), torch.cat(told, dim=2)


def seen_at_every_phase(model: Encoders, channels: Tensor, site: Tensor) -> tuple[Tensor, Tensor]:
    """A limb's tokens at every sample of its stream, and what a sensor would feel, the mean of all phases.

    channels (1, SEEN_CHANNELS, S), site (1,) int64. Returns (PER_TOKEN, S // PER_TOKEN, D), where token t of phase p
    begins at sample p + PER_TOKEN · t, the last one beyond the stream's end perhaps, and (FELT_TOLD, S).
    """
    samples = channels.shape[-1]
    tokens = samples // PER_TOKEN
    if not tokens:
        return channels.new_zeros(PER_TOKEN, 0, model.config.token), channels.new_zeros(FELT_TOLD, samples)
    padded = functional.pad(channels, (0, PER_TOKEN - 1), mode="replicate")
    phases = torch.cat([padded[..., p : p + tokens * PER_TOKEN] for p in range(PER_TOKEN)])
    found, says = seen_tokens(model, phases, site.expand(PER_TOKEN))
    told, times = says.new_zeros(says.shape[1], samples), says.new_zeros(samples)
    for p, own in enumerate(says):
        inside = min(own.shape[-1], samples - p)
        told[:, p : p + inside] += own[:, :inside]
        times[p : p + inside] += 1.0
    return found, told / times.clamp_min(1.0)


def tokens_there(valid: Tensor, first: int, tokens: int) -> Tensor:
    """(tokens,) bool: most of a token's samples are valid. valid (S,) bool, of which token 0 begins at `first`.

    What lies beyond the end is not valid.
    """
    own = valid[first : first + tokens * PER_TOKEN].float()
    own = functional.pad(own, (0, tokens * PER_TOKEN - own.shape[0])).view(tokens, PER_TOKEN)
    return own.mean(dim=1) > 0.5


def _pieces(tokens: int, reach: int, chunk: int) -> Iterator[tuple[slice, slice]]:
    """Samples that go in together, and which of the tokens that come out are kept."""
    for start in range(0, max(tokens, 1), chunk):
        stop = min(start + chunk, tokens)
        first, last = max(start - reach, 0), min(stop + reach, tokens)
        yield slice(first * PER_TOKEN, last * PER_TOKEN), slice(start - first, stop - first)
