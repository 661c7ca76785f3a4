"""One step of training, and the number that training is stopped by."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from kinebind.nn.contract import Batch
from kinebind.nn.gather import across_ranks
from kinebind.nn.model import Model
from kinebind.training.ranks import Ranks
from kinebind.training.settings import TrainConfig

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_ROWS_AT_ONCE = 1024  # of a similarity matrix: bounds the memory


class NonFiniteLoss(ArithmeticError):
    """A loss, gradient or running statistic that is NaN or infinite; `terms` are the losses and what else is not.

    The weights have not been changed, the running statistics have.
    """

    def __init__(self, terms: dict[str, float]) -> None:
        self.terms = terms
        bad = [f"{name} = {value}" for name, value in terms.items() if not math.isfinite(value)]
        super().__init__(", ".join(bad) or "the gradient is not finite")


class Stepper:
    """A model with its optimiser and, for fp16, its gradient scaler."""

    def __init__(self, model: Model, config: TrainConfig, ranks: Ranks) -> None:
        self.model = model
        self.device = ranks.device
        self.dtype = _TYPES.get(config.precision)
        self._forward: nn.Module = DistributedDataParallel(model) if ranks.world > 1 else model
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._statistics = [b for b in model.buffers() if b.is_floating_point()]
        self.optimiser = torch.optim.Adam(
            self._parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.precision == "fp16")

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The precision of the recipe."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def step(self, batch: Batch) -> dict[str, float]:
        """Train on one batch; the losses by name. Raises NonFiniteLoss, and then leaves the weights as they were."""
        self.optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            losses: dict[str, Tensor] = self._forward(batch.to(self.device), across_ranks)
        self.scaler.scale(losses["total"]).backward()  # type: ignore[no-untyped-call]
        numbers = [loss.detach().float() for loss in losses.values()]
        numbers += [self._gradient_norm(), self._sum_of_statistics()]
        *values, gradient, statistics = torch.stack(numbers).tolist()
        terms = dict(zip(losses, values, strict=True))
        if not math.isfinite(statistics):
            terms["running statistics"] = statistics
        # In fp16 gradients overflow now and then: the scaler leaves out such a step and halves its scale.
        overflow = not math.isfinite(gradient) and not self.scaler.is_enabled()
        if overflow or not all(map(math.isfinite, terms.values())):
            self.optimiser.zero_grad(set_to_none=True)
            raise NonFiniteLoss(terms)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return terms

    @torch.no_grad()
    def recall_at_1(self, batches: Iterable[Batch]) -> float:
        """Validation R@1: the share of windows whose partner is the most similar one, both directions averaged.

        By the vectors of whole windows; where a model has none, by those of single parts, all parts mixed.
        """
        self.model.eval()
        imus, poses = [], []
        for batch in batches:
            moved = batch.to(self.device)
            with self.autocast():
                imu = self.model.embed_imu(moved.imu, moved.imu_mask)
                pose = self.model.embed_pose(moved.pose, moved.pose_mask)
            both = imu.present & pose.present  # (B, N)
            if imu.whole is not None and pose.whole is not None:
                there = both.any(dim=1)
                imus.append(imu.whole[there].float())
                poses.append(pose.whole[there].float())
            else:
                assert imu.local is not None, "a model has whole vectors or local ones"
                assert pose.local is not None
                imus.append(imu.local[both].float())
                poses.append(pose.local[both].float())
        self.model.train()
        a, b = torch.cat(imus), torch.cat(poses)
        return 0.5 * (recall_at_1(a, b) + recall_at_1(b, a))

    def _sum_of_statistics(self) -> Tensor:
        """Of all running means and variances: a huge input leaves the loss finite, and these not."""
        sums = [b.float().sum() for b in self._statistics]
        return torch.stack(sums).sum() if sums else torch.zeros((), device=self.device)

    def _gradient_norm(self) -> Tensor:
        norms = [torch.linalg.vector_norm(p.grad) for p in self._parameters if p.grad is not None]
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        return norm


def recall_at_1(queries: Tensor, gallery: Tensor) -> float:
    """Share of queries (M, D) whose own row of the gallery (M, D) alone has the highest cosine.

    An equal that is not the own one is a miss, so vectors that are all alike find nothing.

    >>> recall_at_1(torch.eye(2), torch.tensor([[1.0, 0.1], [1.0, 0.0]]))
    0.0
    """
    a, b = F.normalize(queries, dim=-1), F.normalize(gallery, dim=-1)
    hits = 0
    for start in range(0, len(a), _ROWS_AT_ONCE):
        similarity = a[start : start + _ROWS_AT_ONCE] @ b.T
        own = similarity.diagonal(start).unsqueeze(1)
        hits += int(((similarity >= own).sum(dim=1) == 1).sum())
    return hits / len(a)
