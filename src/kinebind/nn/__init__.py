"""Learned models: MoBind and its baselines, what goes into them, their losses and files.

Importing this imports torch, so nothing that starts the command line does.
"""

from kinebind.nn.build import MODELS, build
from kinebind.nn.channels import imu_array, pose_array
from kinebind.nn.checkpoint import load, save
from kinebind.nn.contract import IMU_CHANNELS, POSE_INDEX, POSE_JOINTS, Batch, Contract, settings_from
from kinebind.nn.gather import Gather, across_ranks, alone
from kinebind.nn.mobind import LossConfig, MoBind, ModelConfig
from kinebind.nn.model import Embedded, Model, drop_sensors
from kinebind.nn.weights import start_from

__all__ = [
    "IMU_CHANNELS", "MODELS", "POSE_INDEX", "POSE_JOINTS", "Batch", "Contract", "Embedded", "Gather", "LossConfig",
    "MoBind", "Model", "ModelConfig", "across_ranks", "alone", "build", "drop_sensors", "imu_array", "load",
    "pose_array", "save", "settings_from", "start_from",
]  # fmt: skip
