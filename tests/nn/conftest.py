"""A small contract, a small MoBind and batches for it; one thread, so that the suite's workers do not fight."""

from __future__ import annotations

import pytest
import torch

from kinebind.nn import Batch, Contract, ModelConfig

torch.set_num_threads(1)


@pytest.fixture
def contract():
    """Five tokens; three parts; 4 IMU samples and 2 frames a token."""
    return Contract(window_s=1.0, imu_rate_hz=20.0, pose_rate_hz=10.0, parts=("left_wrist", "right_shank", "head"))


@pytest.fixture
def config():
    return ModelConfig(
        conv_widths=(8, 8, 8, 8),
        width=16,
        heads=2,
        layers=2,
        feedforward=16,
        masked_feedforward=16,
        aggregator_width=16,
    )


@pytest.fixture
def make_batch():
    """Function (contract, size, seed) -> random batch in which all is seen."""

    def make(contract: Contract, size: int, seed: int = 0) -> Batch:
        draw = torch.Generator().manual_seed(seed)
        parts = len(contract.parts)
        return Batch(
            imu=torch.randn(size, parts, len(contract.imu_channels), contract.imu_samples, generator=draw),
            imu_mask=torch.ones(size, parts, dtype=torch.bool),
            pose=torch.randn(size, parts, 6, contract.pose_samples, generator=draw),
            pose_mask=torch.ones(size, parts, contract.pose_samples, dtype=torch.bool),
            label=torch.full((size,), -1),
            clip=torch.arange(size),
        )

    return make
