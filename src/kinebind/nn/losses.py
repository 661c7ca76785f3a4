"""The contrastive losses, as pure functions of embeddings; similarity is the cosine everywhere.

Each gives one number per row, zero where the row is not valid; `masked_mean` averages them. Rows that are not valid
are neither positives nor negatives.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from kinebind.nn.gather import Gather, alone


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine similarity of every row with every row: (..., M, D) and (..., K, D) -> (..., M, K) float32.

    Computed in float32 also under autocast: at a scale of 100 the rounding of bfloat16 is as large as a loss.

    >>> cosine(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    tensor([[1., 0.]])
    """
    with torch.autocast(a.device.type, enabled=False):
        return F.normalize(a.float(), dim=-1) @ F.normalize(b.float(), dim=-1).transpose(-1, -2)


def info_nce(a: Tensor, b: Tensor, scale: Tensor | float, valid: Tensor, apart: Tensor | None = None) -> Tensor:
    """InfoNCE of pairs: row i of `a` belongs to row i of `b`, the other rows are its negatives.

    a, b (..., B, D); valid (..., B) bool; leading axes are separate sets (parts for the local loss, clips for the
    token loss). scale: 1 / temperature. apart (..., B, B) bool: rows that are negatives of each other; by default all
    others. Returns (..., B), both directions averaged.

    >>> two = torch.eye(2)
    >>> info_nce(two, two, 1.0, torch.tensor([True, True]))  # log(1 + 1/e)
    tensor([0.3133, 0.3133])
    """
    return _pairs_cross_entropy(cosine(a, b) * scale, valid, apart)


def multi_positive(whole_pose: Tensor, local_imu: Tensor, scale: Tensor | float, valid: Tensor) -> Tensor:
    """Each clip's pose against the sensors of every clip, all sensors of its own clip being positives.

    whole_pose (B, D), detached by the caller; local_imu (B, N, D), projected into its space; valid (B, N) bool: the
    sensor is there (and so is the pose). Returns (B,). A pair of clips is scored by the log of the mean over the
    sensors of exp(scale · cosine), and the scores of all pairs go through cross-entropy, both directions averaged;
    so a sensor of the own clip may lag behind where another fits well.

    >>> pose, imu = torch.eye(2), torch.eye(2)[:, None]
    >>> multi_positive(pose, imu, 1.0, torch.ones(2, 1, dtype=torch.bool))  # one sensor: InfoNCE
    tensor([0.3133, 0.3133])
    """
    clips, sensors = valid.shape
    each = cosine(whole_pose, local_imu.flatten(0, 1)).reshape(clips, clips, sensors) * scale  # (B, B, N)
    lowest = torch.finfo(each.dtype).min
    count = valid.sum(dim=1).clamp(min=1)
    score = each.masked_fill(~valid, lowest).logsumexp(dim=-1) - count.log()  # (B, B)
    return _pairs_cross_entropy(score, valid.any(dim=1))


def masked_mean(each: Tensor, valid: Tensor, gather: Gather = alone) -> Tensor:
    """Mean of `each` over the valid rows (of all ranks, where `gather` brings them together); 0 where none is.

    >>> masked_mean(torch.tensor([1.0, 3.0, 0.0]), torch.tensor([True, True, False]))
    tensor(2.)
    """
    total = gather((each * valid).sum().reshape(1)).sum()
    count = gather(valid.sum().reshape(1)).sum()
    return total / count.clamp(min=1)


def log_scale(temperature: float) -> Tensor:
    """The parameter from which a similarity's scale is learned: ln(1 / temperature), 2.659 for 0.07."""
    return torch.tensor(math.log(1.0 / temperature))


def _pairs_cross_entropy(logits: Tensor, valid: Tensor, apart: Tensor | None = None) -> Tensor:
    """Cross-entropy of the diagonal among rows and among columns, averaged: (..., B, B), (..., B) -> (..., B)."""
    pairs = valid.unsqueeze(-1) & valid.unsqueeze(-2)  # (..., B, B)
    if apart is not None:
        pairs = pairs & (apart | torch.eye(valid.shape[-1], dtype=torch.bool, device=valid.device))
    held = logits.masked_fill(~pairs, torch.finfo(logits.dtype).min)
    own = logits.diagonal(dim1=-2, dim2=-1)  # (..., B)
    each = 0.5 * (held.logsumexp(dim=-1) + held.logsumexp(dim=-2)) - own
    return torch.where(valid, each, torch.zeros_like(each))
