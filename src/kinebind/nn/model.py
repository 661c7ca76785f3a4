"""What every model has: a contract, embeddings of both modalities, a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from kinebind.errors import InputError
from kinebind.nn.contract import Batch, Contract
from kinebind.nn.gather import Gather, alone
from kinebind.nn.losses import log_scale

_MAX_SCALE = 100.0


@dataclass(frozen=True, eq=False)
class Embedded:
    """One modality of B windows, embedded. What a model does not have is None.

    present (B, N) bool: the sensor, or the part in at least one token, is there.
    tokens (B, N, T, D), token_mask (B, N, T) bool; zeros where masked.
    local (B, N, D): one vector a sensor or part; zeros where absent. whole (B, D): one vector a window.
    Vectors are compared by their cosine; none is normalised here.
    """

    present: Tensor
    tokens: Tensor | None = None
    token_mask: Tensor | None = None
    local: Tensor | None = None
    whole: Tensor | None = None


class Model(nn.Module, ABC):
    """Base of MoBind and the baselines.

    contract: what goes in. recipe: the text of the recipe that trained it, or "". sensor_dropout: most sensors that
    a clip loses in training; each clip loses 0 … this many, drawn evenly, and keeps at least one.
    """

    name: ClassVar[str]
    logit_scale: nn.Parameter

    def __init__(self, contract: Contract, temperature: float, sensor_dropout: int) -> None:
        super().__init__()
        if temperature <= 0:
            raise InputError(f"temperature = {temperature} is not above zero.", "MoBind starts at 0.07.")
        if not 0 <= sensor_dropout < len(contract.parts):
            raise InputError(
                f"sensor_dropout = {sensor_dropout} of {len(contract.parts)} sensors.",
                "Give the most sensors that a clip may lose in training; at least one must stay.",
            )
        self.contract = contract
        self.recipe = ""
        self.sensor_dropout = sensor_dropout
        self.logit_scale = nn.Parameter(log_scale(temperature))

    @abstractmethod
    def embed_imu(self, imu: Tensor, imu_mask: Tensor) -> Embedded:
        """Embed imu (B, N, C, Ti); imu_mask (B, N) bool: the sensor is there; what others hold has no influence.

        Raises InputError where the shapes are not the contract's.
        """

    @abstractmethod
    def embed_pose(self, pose: Tensor, pose_mask: Tensor) -> Embedded:
        """Embed pose (B, N, 6, Tp); pose_mask (B, N, Tp) bool: seen frames; what others hold has no influence.

        Raises InputError where the shapes are not the contract's.
        """

    @abstractmethod
    def loss(self, batch: Batch, gather: Gather = alone) -> dict[str, Tensor]:
        """The loss "total" and its terms by name, each before its weight.

        gather: `kinebind.nn.across_ranks` where several processes train together. Raises InputError where fewer
        than two windows can be told apart, or a term is asked for that the batch cannot give.
        """

    @abstractmethod
    def settings(self) -> dict[str, dict[str, Any]]:
        """The tables "model" and "loss" from which `kinebind.nn.build` makes the same architecture."""

    def forward(self, batch: Batch, gather: Gather = alone) -> dict[str, Tensor]:
        """`loss`, so that DistributedDataParallel can wrap a model."""
        return self.loss(batch, gather)

    @property
    def scale(self) -> Tensor:
        """1 / temperature, at most 100."""
        return self.logit_scale.exp().clamp(max=_MAX_SCALE)

    def sensors_kept(self, imu_mask: Tensor) -> Tensor:
        """imu_mask (B, N), less the sensors that this training step drops; the same outside training."""
        if not self.training or self.sensor_dropout == 0:
            return imu_mask
        return drop_sensors(imu_mask, self.sensor_dropout)


def drop_sensors(imu_mask: Tensor, most: int) -> Tensor:
    """imu_mask (B, N) bool less 0 … `most` sensors a clip, drawn evenly, of which at least one stays."""
    left = imu_mask.sum(dim=1) - 1  # (B,) how many a clip can lose
    lost = torch.randint(0, most + 1, left.shape, device=imu_mask.device).minimum(left)
    order = torch.rand(imu_mask.shape, device=imu_mask.device).masked_fill(~imu_mask, 2.0)
    rank = order.argsort(dim=1).argsort(dim=1)  # (B, N): absent sensors come last
    return imu_mask & (rank >= lost[:, None])


def fill_unseen(pose: Tensor, pose_mask: Tensor) -> Tensor:
    """pose (B, N, 6, T) with unseen frames drawn straight between the seen ones before and after them.

    pose_mask (B, N, T) bool. Before the first and after the last seen frame its value is held; a part that is never
    seen is zero. So what stands in an unseen frame has no influence, and convolutions see no jump.

    >>> fill_unseen(torch.tensor([[[[0.0, 9.0, 2.0, 9.0]]]]), torch.tensor([[[True, False, True, False]]]))
    tensor([[[[0., 1., 2., 2.]]]])
    """
    if pose_mask.all():
        return pose
    frames = pose.shape[-1]
    index = torch.arange(frames, device=pose.device).expand(pose_mask.shape)  # (B, N, T)
    before = torch.where(pose_mask, index, -1).cummax(dim=-1).values
    after = torch.where(pose_mask, index, frames).flip(-1).cummin(dim=-1).values.flip(-1)
    first = torch.where(before < 0, after, before).clamp(max=frames - 1)
    last = torch.where(after >= frames, before, after).clamp(min=0)
    share = ((index - first) / (last - first).clamp(min=1)).clamp(0.0, 1.0).to(pose.dtype).unsqueeze(2)  # (B, N, 1, T)
    known = torch.where(pose_mask.unsqueeze(2), pose, torch.zeros_like(pose))
    low = known.gather(3, first.unsqueeze(2).expand_as(pose))
    high = known.gather(3, last.unsqueeze(2).expand_as(pose))
    return torch.where(pose_mask.unsqueeze(2), pose, low + share * (high - low))


def check_pairs(count: int) -> None:
    """Raises InputError for fewer than two pairs: a contrastive loss then has no negatives."""
    if count < 2:
        raise InputError(
            f"The batch has {count} window(s) with both a sensor and a person in view; the loss compares two or more.",
            "Use a larger batch, drop the last short one, or leave out windows in which nothing is seen.",
        )
