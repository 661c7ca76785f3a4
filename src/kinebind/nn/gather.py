"""Rows of all ranks as one tensor, with gradients, so that a loss sees the joint batch.

Every rank computes the whole loss on the gathered rows. The backward pass adds up what all ranks send back to a
row, and DistributedDataParallel then averages over the ranks, so that the gradient is that of one process which
holds the joint batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor

Gather: TypeAlias = Callable[[Tensor], Tensor]
"""Takes a rank's rows (B, ...) and gives those of all ranks (world·B, ...), in the order of the ranks."""


def alone(rows: Tensor) -> Tensor:
    """The rows themselves: one process has them all."""
    return rows


def across_ranks(rows: Tensor) -> Tensor:
    """The rows of all ranks; every rank must bring as many. The same as `alone` where nothing is distributed."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return rows
    if rows.dtype == torch.bool:  # not every backend can send it
        return across_ranks(rows.to(torch.uint8)).to(torch.bool)
    gathered: Tensor = _GatherRows.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.size = rows.shape[0]
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        whole = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole.narrow(0, dist.get_rank() * ctx.size, ctx.size)
