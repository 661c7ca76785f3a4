"""What goes into a model: its window, rates, parts and channels, and a batch that keeps to them.

Lengths are seconds; samples follow from them. A checkpoint carries its contract, so data are checked against the
weights that they are meant for.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from kinebind.errors import InputError
from kinebind.parts import COCO17

POSE_JOINTS: dict[str, tuple[str, str, str]] = {
    "left_wrist": ("left_shoulder", "left_elbow", "left_wrist"),
    "right_wrist": ("right_shoulder", "right_elbow", "right_wrist"),
    "left_shank": ("left_hip", "left_knee", "left_ankle"),
    "right_shank": ("right_hip", "right_knee", "right_ankle"),
    "head": ("nose", "left_eye", "right_eye"),
    "left_upper_arm": ("right_shoulder", "left_shoulder", "left_elbow"),
    "right_upper_arm": ("left_shoulder", "right_shoulder", "right_elbow"),
    "left_thigh": ("left_shoulder", "left_hip", "left_knee"),
    "right_thigh": ("right_shoulder", "right_hip", "right_knee"),
    "chest": ("nose", "left_shoulder", "right_shoulder"),
}
"""The three COCO-17 keypoints that stand for a sensor's site; wrists, shanks and head are MoBind's, the others ours."""

POSE_INDEX: dict[str, tuple[int, ...]] = {
    part: tuple(COCO17.index(joint) for joint in joints) for part, joints in POSE_JOINTS.items()
}
"""The same as indices into `COCO17`: left_wrist (5, 7, 9), left_shank (11, 13, 15), head (0, 1, 2)."""

POSE_CHANNELS = 6
"""x of the three keypoints, then y of the three."""

IMU_CHANNELS: tuple[str, ...] = (
    "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z", "quat_w", "quat_x", "quat_y", "quat_z",
)  # fmt: skip
"""Channels that an IMU array can have, each at most once and in any order."""


@dataclass(frozen=True)
class Contract:
    """What a model's input is.

    window_s, patch_s: lengths of a window and of one token, seconds; the patch divides the window.
    imu_rate_hz, pose_rate_hz: samples a second. parts: sites (`kinebind.parts.SITES`) in the order of axis N.
    imu_channels: names from IMU_CHANNELS in the array's order; the default is MoBind's, its quaternion scalar first.
    pose_frame: "image", keypoints over the image's width and height (MoBind's), or "body", from the middle of the
        hips in torso lengths. acc_unit: "m/s2", "g", or "file" where the numbers are a file's own.

    Raises InputError where these contradict one another.
    """

    window_s: float = 5.0
    patch_s: float = 0.2
    imu_rate_hz: float = 50.0
    pose_rate_hz: float = 10.0
    parts: tuple[str, ...] = ("left_wrist", "right_wrist", "left_shank", "right_shank")
    imu_channels: tuple[str, ...] = ("acc_x", "acc_y", "acc_z", "quat_w", "quat_x", "quat_y", "quat_z")
    pose_frame: Literal["image", "body"] = "image"
    acc_unit: Literal["m/s2", "g", "file"] = "m/s2"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        object.__setattr__(self, "imu_channels", tuple(self.imu_channels))
        for name in ("window_s", "patch_s", "imu_rate_hz", "pose_rate_hz"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} = {getattr(self, name)} is not above zero.", "Give a positive number.")
        if _whole(self.window_s / self.patch_s) is None:
            raise InputError(
                f"A patch of {self.patch_s} s does not divide a window of {self.window_s} s.",
                "Choose patch_s so that window_s / patch_s is a whole number.",
            )
        for stream, rate_hz in (("imu", self.imu_rate_hz), ("pose", self.pose_rate_hz)):
            if _whole(self.patch_s * rate_hz) is None:
                raise InputError(
                    f"A patch of {self.patch_s} s is {self.patch_s * rate_hz:g} samples at "
                    f"{stream}_rate_hz = {rate_hz:g}.",
                    "Choose patch_s and the rate so that a patch is a whole number of samples.",
                )
        _check_names("parts", self.parts, tuple(POSE_JOINTS))
        _check_names("imu_channels", self.imu_channels, IMU_CHANNELS)
        for name, choices in (("pose_frame", ("image", "body")), ("acc_unit", ("m/s2", "g", "file"))):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} = '{getattr(self, name)}' is unknown.", f"Use one of: {', '.join(choices)}.")

    @property
    def imu_patch(self) -> int:
        """IMU samples in a patch."""
        return round(self.patch_s * self.imu_rate_hz)

    @property
    def pose_patch(self) -> int:
        """Pose frames in a patch."""
        return round(self.patch_s * self.pose_rate_hz)

    @property
    def tokens(self) -> int:
        """Patches in a window."""
        return round(self.window_s / self.patch_s)

    @property
    def imu_samples(self) -> int:
        """IMU samples in a window."""
        return self.tokens * self.imu_patch

    @property
    def pose_samples(self) -> int:
        """Pose frames in a window."""
        return self.tokens * self.pose_patch

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain JSON (and TOML) values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Contract:
        """The contract that `to_dict` wrote; what is not given has its default. Raises InputError for unknown keys."""
        contract: Contract = settings_from(cls, values, "contract")
        return contract

    def differences(self, other: Contract) -> list[str]:
        """What differs, one phrase a field: `imu_rate_hz 50.0 against 20.0`."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [f"{name} {mine[name]} against {theirs[name]}" for name in mine if mine[name] != theirs[name]]

    def check_imu(self, imu: Tensor, imu_mask: Tensor) -> None:
        """Raises InputError unless imu is (B, N, C, imu_samples) of this contract and imu_mask (B, N) bool."""
        wanted = (len(self.parts), len(self.imu_channels), self.imu_samples)
        _check_shape("imu", imu, wanted, f"N parts, {len(self.imu_channels)} channels, {self.imu_rate_hz:g} Hz")
        _check_mask("imu_mask", imu_mask, tuple(imu.shape[:2]))

    def check_pose(self, pose: Tensor, pose_mask: Tensor) -> None:
        """Raises InputError unless pose is (B, N, 6, pose_samples) of this contract, pose_mask (B, N, samples) bool."""
        wanted = (len(self.parts), POSE_CHANNELS, self.pose_samples)
        _check_shape("pose", pose, wanted, f"N parts, {POSE_CHANNELS} channels, {self.pose_rate_hz:g} Hz")
        _check_mask("pose_mask", pose_mask, (*pose.shape[:2], self.pose_samples))

    def check(self, batch: Batch) -> None:
        """Raises InputError unless a batch's shapes, types and numbers are what this contract says."""
        self.check_imu(batch.imu, batch.imu_mask)
        self.check_pose(batch.pose, batch.pose_mask)
        size = batch.imu.shape[0]
        for name in ("pose", "label", "clip"):
            if getattr(batch, name).shape[0] != size:
                raise InputError(
                    f"The batch has {size} windows of imu but {getattr(batch, name).shape[0]} of {name}.",
                    "Give one of each per window.",
                )
        for name in ("imu", "pose"):
            bad = ~torch.isfinite(getattr(batch, name)).flatten(1).all(dim=1)
            if bad.any():
                raise InputError(
                    f"Window {int(batch.clip[bad][0])} holds values of {name} that are not finite.",
                    "Fill what is missing by interpolation and mark it in the mask.",
                )


@dataclass(frozen=True, eq=False)
class Batch:
    """B windows of N parts.

    imu (B, N, C, Ti) float32 in the contract's channels and units; imu_mask (B, N) bool: the sensor is there.
    pose (B, N, 6, Tp) float32 in the contract's frame, what is missing filled by interpolation, never NaN;
    pose_mask (B, N, Tp) bool: the part's three keypoints were seen in that frame.
    label (B,) int64: class, or −1 where there is none. clip (B,) int64: which window of the data this is.
    text (B, P, E) float32: the label's phrases as an encoder of sentences embeds them, zeros where there is no label;
    None where the data have no text.
    """

    imu: Tensor
    imu_mask: Tensor
    pose: Tensor
    pose_mask: Tensor
    label: Tensor
    clip: Tensor
    text: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with all its tensors changed."""
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        changed: dict[str, Any] = {k: None if tensor is None else change(tensor) for k, tensor in own.items()}
        return Batch(**changed)

    def replace(self, **changes: Tensor) -> Batch:
        """A copy with some tensors changed."""
        return dataclasses.replace(self, **changes)

    def __len__(self) -> int:
        return int(self.imu.shape[0])


def settings_from(cls: type[Any], values: Mapping[str, Any], table: str) -> Any:
    """A settings dataclass from a mapping (a recipe's table). Raises InputError for keys that it does not have."""
    known = [f.name for f in dataclasses.fields(cls)]
    unknown = [key for key in values if key not in known]
    if unknown:
        raise InputError(f"[{table}] has unknown keys: {', '.join(unknown)}.", f"Known are: {', '.join(known)}.")
    return cls(**values)


def _whole(value: float) -> int | None:
    """The whole number, at least 1, that `value` is but for rounding; else None."""
    near = round(value)
    return near if near >= 1 and abs(value - near) <= 1e-6 * near else None


def _check_names(field: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not names:
        raise InputError(f"{field} is empty.", f"Use some of: {', '.join(known)}.")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"{field} has unknown names: {', '.join(unknown)}.", f"Use some of: {', '.join(known)}.")
    twice = [a for a, b in itertools.pairwise(sorted(names)) if a == b]
    if twice:
        raise InputError(f"{field} names {twice[0]} twice.", "Name each once.")


def _check_shape(name: str, tensor: Tensor, wanted: tuple[int, ...], meaning: str) -> None:
    if tensor.ndim != 4 or tuple(tensor.shape[1:]) != wanted:
        raise InputError(
            f"{name} has shape {tuple(tensor.shape)}; the contract says (B, {', '.join(map(str, wanted))}): {meaning}.",
            "Build the windows with the model's own contract, or use the model that belongs to these data.",
        )
    if not tensor.is_floating_point():
        raise InputError(f"{name} has type {tensor.dtype}.", "Give floating-point numbers.")


def _check_mask(name: str, mask: Tensor, wanted: tuple[int, ...]) -> None:
    if tuple(mask.shape) != wanted or mask.dtype != torch.bool:
        raise InputError(
            f"{name} is {tuple(mask.shape)} of {mask.dtype}; expected {wanted} of torch.bool.",
            "Mark with True what was measured.",
        )
