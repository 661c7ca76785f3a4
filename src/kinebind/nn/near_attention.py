"""Attention of tokens to their neighbours alone: with tables of all pairs, or block by block in long streams."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WHOLE_UP_TO = 200
"""Tokens up to which one table of all pairs is faster than blocks."""


def near_attention(query: Tensor, key: Tensor, value: Tensor, distance: Tensor) -> Tensor:
    """What tokens (B, H, T, D) make of those that are at most `reach` from them, (B, H, T, D).

    distance (H, 2 · reach + 1): added to the logits of tokens that are −reach … reach ahead.
    """
    tokens, compiling = query.shape[2], torch.compiler.is_compiling()
    if tokens > WHOLE_UP_TO and not compiling:  # what is exported is for any length, and has one way
        return _by_blocks(query, key, value, distance)
    place = torch.arange(tokens, device=distance.device)
    bias = _bias(place[None] - place[:, None], distance).to(query)
    if not compiling:
        # Without a dimension for the batch torch takes a way that is several times slower; ONNX knows no other.
        bias = bias[None]
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def _bias(apart: Tensor, distance: Tensor) -> Tensor:
    """(H, …): what is added for tokens that are so far apart (…), −∞ beyond the reach."""
    reach = distance.shape[1] // 2
    return torch.where(apart.abs() <= reach, distance[:, (apart + reach).clamp(0, 2 * reach)], -torch.inf)


def _by_blocks(query: Tensor, key: Tensor, value: Tensor, distance: Tensor) -> Tensor:
    """The same, in blocks of reach + 1 tokens, each of which looks at itself and the blocks beside it."""
    batch, heads, tokens, size = query.shape
    long = distance.shape[1] // 2 + 1
    blocks = (tokens + long - 1) // long

    def beside(x: Tensor) -> Tensor:
        """(B, H · blocks, 3 · long, D)."""
        x = functional.pad(x, (0, 0, long, (blocks + 1) * long - tokens)).reshape(batch, heads, blocks + 2, long, size)
        return torch.cat([x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]], dim=3).flatten(1, 2)

    other = torch.arange(-long, 2 * long, device=distance.device)
    near = _bias(other[None] - torch.arange(long, device=distance.device)[:, None], distance)  # (H, long, 3 · long)
    at = other[None] + long * torch.arange(blocks, device=distance.device)[:, None]
    there = ((at >= 0) & (at < tokens))[None, :, None]
    bias = torch.where(there, near[:, None], -torch.inf).flatten(0, 1)[None].to(query)
    # Tokens beyond the end are made up to fill the last block; none is so far that it would see nothing.
    padded = functional.pad(query, (0, 0, 0, blocks * long - tokens)).reshape(batch, heads * blocks, long, size)
    out = functional.scaled_dot_product_attention(padded, beside(key), beside(value), attn_mask=bias)
    return out.reshape(batch, heads, blocks * long, size)[:, :, :tokens]
