"""Arrays in a contract's channels and units from SI data: what a model's convolutions see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2
from kinebind.nn.contract import POSE_CHANNELS, POSE_INDEX, Contract

_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP, _RIGHT_HIP = 5, 6, 11, 12


def imu_array(
    contract: Contract,
    acc_sensor: FloatArray,
    gyr_sensor: FloatArray | None = None,
    rot_world_from_sensor: FloatArray | None = None,
) -> npt.NDArray[np.float32]:
    """One sensor's channels (C, T) in the contract's order and unit.

    acc_sensor (T, 3) m/s², gyr_sensor (T, 3) rad/s, rot_world_from_sensor (T, 4) scalar last; missing rows are NaN
    and stay NaN. Raises InputError where the contract wants a channel that is not given, or a file's own unit,
    which SI values cannot be turned into.
    """
    if contract.acc_unit == "file":
        raise InputError(
            "The contract takes the acceleration in its file's own unit, which SI values do not tell.",
            "Give the file's channels as they are, or use a contract in m/s2 or g.",
        )
    scale = 1.0 / GRAVITY_M_S2 if contract.acc_unit == "g" else 1.0
    have: dict[str, FloatArray] = {f"acc_{axis}": acc_sensor[:, i] * scale for i, axis in enumerate("xyz")}
    if gyr_sensor is not None:
        have |= {f"gyr_{axis}": gyr_sensor[:, i] for i, axis in enumerate("xyz")}
    if rot_world_from_sensor is not None:
        have |= {f"quat_{axis}": rot_world_from_sensor[:, i] for i, axis in enumerate("xyzw")}
    lacking = [name for name in contract.imu_channels if name not in have]
    if lacking:
        raise InputError(
            f"The sensor lacks the channels {', '.join(lacking)}.",
            "Use a recipe whose imu_channels are the acceleration (and what else the sensor measures) only.",
        )
    return np.stack([have[name] for name in contract.imu_channels]).astype(np.float32)  # (C, T)


def pose_array(
    contract: Contract, keypoints_px: FloatArray, image_size_px: tuple[int, int] | None = None
) -> npt.NDArray[np.float32]:
    """A person's channels (N, 6, T): per part x of its three keypoints, then y of the three.

    keypoints_px (T, 17, 2): COCO-17, x right, y down; missing ones are NaN and stay NaN. image_size_px: width and
    height, needed for the frame "image". In the frame "body" keypoints are taken from the middle of the hips and
    divided by the median length of the torso (hips' middle to shoulders' middle), so they depend neither on where
    the person stands nor on the camera's resolution.
    Raises InputError where the image's size is missing, or no frame shows a torso to scale by.
    """
    if contract.pose_frame == "image":
        if image_size_px is None:
            raise InputError("The image's size is unknown, and the contract divides keypoints by it.", "Give its size.")
        placed = keypoints_px / np.asarray(image_size_px, dtype=np.float64)  # (T, 17, 2)
    else:
        root = keypoints_px[:, [_LEFT_HIP, _RIGHT_HIP]].mean(axis=1, keepdims=True)  # (T, 1, 2)
        top = keypoints_px[:, [_LEFT_SHOULDER, _RIGHT_SHOULDER]].mean(axis=1, keepdims=True)
        torso_px = np.linalg.norm(top - root, axis=-1)
        if not (torso_px > 0).any():
            raise InputError(
                "No frame shows both shoulders and both hips, so the body's size is unknown.",
                "Use a contract with pose_frame = 'image'.",
            )
        placed = (keypoints_px - root) / np.nanmedian(torso_px)
    joints = np.stack([placed[:, POSE_INDEX[part]] for part in contract.parts])  # (N, T, 3, 2)
    parts, frames = joints.shape[:2]
    channels = joints.transpose(0, 3, 2, 1).reshape(parts, POSE_CHANNELS, frames)  # (N, 2, 3, T) -> (N, 6, T)
    return np.asarray(channels, dtype=np.float32)
