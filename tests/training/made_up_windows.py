"""A data set, a recipe and a model small enough to train in a test."""

from __future__ import annotations

import numpy as np

from kinebind import Label
from kinebind.nn import Contract
from kinebind.training.takes import Take

RECIPE = """
name = "tiny"
[contract]
window_s = 1.0
patch_s = 0.25
imu_rate_hz = 40.0
pose_rate_hz = 20.0
parts = ["left_wrist", "right_wrist"]
imu_channels = ["acc_x", "acc_y", "acc_z"]
[model]
conv_widths = [4, 4, 8, 8]
width = 16
heads = 2
layers = 1
feedforward = 16
masked_feedforward = 16
aggregator_width = 16
[train]
batch_size = 8
learning_rate = 1e-3
patience_epochs = 100
max_epochs = 2
seed = 3
precision = "fp32"
[data]
stride_s = 0.5
train = ["1", "2"]
val = ["3"]
test = ["4"]
"""


def take(subject: str, contract: Contract, *, seconds: float = 8.0, seed: int = 0) -> Take:
    """Arms that swing at random: keypoints are where they are, the sensors feel how that changes."""
    rng = np.random.default_rng([int(subject), seed])
    parts = len(contract.parts)
    imu_s = np.arange(round(seconds * contract.imu_rate_hz)) / contract.imu_rate_hz
    pose_s = np.arange(round(seconds * contract.pose_rate_hz)) / contract.pose_rate_hz
    hz = rng.uniform(0.3, 2.5, (parts, 1, 4))
    phase = rng.uniform(0.0, 2 * np.pi, (parts, 3, 4))

    def swing(time_s, power):
        angle = 2 * np.pi * hz[..., None] * time_s + phase[..., None]
        return (np.sin(angle) * (2 * np.pi * hz[..., None] / 5.0) ** power).sum(axis=2)

    imu = swing(imu_s, 2)[:, : len(contract.imu_channels)]
    xy = swing(pose_s, 0)[:, [0, 0, 0, 1, 1, 1]] * np.array([0.2, 0.6, 1.0] * 2)[:, None]
    return Take(
        f"subject {subject}", imu.astype(np.float32), xy.astype(np.float32),
        (Label(0.0, seconds / 2, "swing"),), {"subject": subject},
    )  # fmt: skip
