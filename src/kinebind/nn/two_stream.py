"""What the learned baselines share: all sensors in one encoder, all parts in another, one vector a window from each.

They know neither parts nor tokens. Our choices, the same for all of them, because the papers do not tell or compare
other modalities: the channels of all sensors (of all parts) are stacked, (B, N·C, S); a sensor that is absent is
zero, as the release drops them; unseen pose frames are interpolated; a window's pairing partner is found by
symmetric InfoNCE on cosines with MoBind's learned temperature, so that models differ in nothing but their encoders.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from kinebind.nn.contract import Batch, Contract
from kinebind.nn.gather import Gather, alone
from kinebind.nn.losses import info_nce, masked_mean
from kinebind.nn.model import Embedded, Model, check_pairs, fill_unseen


class TwoStreamConfig(Protocol):
    """What the baselines' settings have in common."""

    @property
    def temperature(self) -> float: ...
    @property
    def sensor_dropout(self) -> int: ...


class TwoStream(Model):
    """Two encoders (B, channels, S) -> (B, D), bound by InfoNCE on their whole vectors."""

    def __init__(self, contract: Contract, config: TwoStreamConfig, imu_encoder: nn.Module, pose_encoder: nn.Module):
        super().__init__(contract, config.temperature, config.sensor_dropout)
        self.config = config
        self.imu_encoder = imu_encoder
        self.pose_encoder = pose_encoder

    def embed_imu(self, imu: Tensor, imu_mask: Tensor) -> Embedded:
        """See `Model.embed_imu`; gives `whole` only."""
        return Embedded(imu_mask, whole=self._imu_vector(imu, imu_mask))

    def embed_pose(self, pose: Tensor, pose_mask: Tensor) -> Embedded:
        """See `Model.embed_pose`; gives `whole` only."""
        return Embedded(pose_mask.any(dim=-1), whole=self._pose_vector(pose, pose_mask))

    def loss(self, batch: Batch, gather: Gather = alone) -> dict[str, Tensor]:
        """See `Model.loss`; one term: whole."""
        there = gather(batch.imu_mask.any(dim=1) & batch.pose_mask.flatten(1).any(dim=1))  # (B,)
        check_pairs(int(there.sum()))
        imu = gather(self._imu_vector(batch.imu, self.sensors_kept(batch.imu_mask)))
        pose = gather(self._pose_vector(batch.pose, batch.pose_mask))
        whole = masked_mean(info_nce(imu, pose, self.scale, there), there)
        return {"total": whole, "whole": whole}

    def settings(self) -> dict[str, dict[str, Any]]:
        """See `Model.settings`; the baselines have no losses to weigh."""
        return {"model": dataclasses.asdict(self.config), "loss": {}}  # type: ignore[call-overload]

    def _imu_vector(self, imu: Tensor, imu_mask: Tensor) -> Tensor:
        self.contract.check_imu(imu, imu_mask)
        x = torch.where(imu_mask[..., None, None], imu, torch.zeros_like(imu))  # (B, N, C, S)
        vector: Tensor = self.imu_encoder(x.flatten(1, 2))  # (B, N·C, S) -> (B, D)
        return vector

    def _pose_vector(self, pose: Tensor, pose_mask: Tensor) -> Tensor:
        self.contract.check_pose(pose, pose_mask)
        x = fill_unseen(pose, pose_mask)  # (B, N, 6, S)
        vector: Tensor = self.pose_encoder(x.flatten(1, 2))  # (B, N·6, S) -> (B, D)
        return vector
