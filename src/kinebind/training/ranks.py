"""Several processes that train one model together, as `torchrun` starts them; or one alone.

torchrun --nproc-per-node 4 -m kinebind train mobind-mri --data DIR --device cuda
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from kinebind.nn.gather import across_ranks


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes, validates and decides for all."""
        return self.rank == 0

    def agree(self, value: float) -> float:
        """The leading process's value, in every process."""
        if self.world == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(told, src=0)
        return float(told.item())

    def all_of(self, own: Tensor) -> list[Tensor]:
        """Every process's tensor (on the CPU, all of one shape), in the order of the ranks."""
        if self.world == 1:
            return [own]
        sent = own.to(self.device)
        parts = [torch.empty_like(sent) for _ in range(self.world)]
        dist.all_gather(parts, sent)
        return [part.cpu() for part in parts]


def joined(device: str) -> Ranks:
    """This process's place among those that torchrun started: gloo on the CPU, NCCL on GPUs; else alone.

    The processes stay joined until they end: were they to part and join again, one could still meet the other's
    former meeting point, and wait there for ever.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Ranks(0, 1, torch.device(device))
    own = torch.device(device if device != "cuda" else f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    if own.type == "cuda":
        torch.cuda.set_device(own)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    return Ranks(dist.get_rank(), world, own)


class JointBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation over the rows of all processes; torch's own runs on GPUs only.

    Input (M, C) or (M, C, S), where M may differ between the processes. Same parameters and state as BatchNorm1d.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes = [0, 2] if x.ndim == 3 else [0]
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float()
            count = wide.new_full((1,), float(wide.numel() // wide.shape[1]))
            # From a common guess of the mean, so that the squares do not cancel.
            guess = self.running_mean if self.running_mean is not None else torch.zeros_like(wide[0].flatten()[:1])
            moved = wide - _as_channels(guess, x)
            sums = torch.cat([count, moved.sum(axes), moved.square().sum(axes)])
            total = across_ranks(sums[None]).sum(dim=0)
            n = total[0]
            mean, square = (total[1:] / n).chunk(2)
            var = (square - mean.square()).clamp(min=0.0)
            if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
                with torch.no_grad():
                    seen = mean + guess
                    self.running_mean.lerp_(seen, self.momentum)
                    self.running_var.lerp_(var * n / (n - 1).clamp(min=1), self.momentum)
                    if self.num_batches_tracked is not None:
                        self.num_batches_tracked.add_(1)
            out = (moved - _as_channels(mean, x)) * _as_channels(torch.rsqrt(var + self.eps), x)
            return (out * _as_channels(self.weight, x) + _as_channels(self.bias, x)).to(x.dtype)


def _as_channels(values: Tensor, x: Tensor) -> Tensor:
    """(C,) -> (1, C) or (1, C, 1), as x needs it."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def normalise_jointly(model: nn.Module) -> None:
    """Replace every BatchNorm1d of a model, in place, by one over the rows of all processes."""
    for name, module in model.named_children():
        if type(module) is nn.BatchNorm1d:
            joint = JointBatchNorm1d(module.num_features, module.eps, module.momentum)
            joint.load_state_dict(module.state_dict())
            setattr(model, name, joint)
        else:
            normalise_jointly(module)
