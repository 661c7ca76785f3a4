"""What goes into the universal model: rates, units, sites, channels; and whether a stream keeps to it.

The numbers travel with the weights. Units and frames are tested on the data themselves, as far as physics allows: a
sensor at rest reads 9.81 m/s² whatever it is worn on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu, calmest_tenth
from kinebind.nn.contract import settings_from
from kinebind.nn.seen_channels import body_scale
from kinebind.nn.universal import RATE_HZ, REACH, TOKEN_S
from kinebind.parts import COCO17, SITES, parse_site
from kinebind.poses import Poses
from kinebind.readers.checks import check_imu

FELT_NAMES: tuple[str, ...] = (
    "rise", "sideways", "force", "jerk", "turn", "tilt", "rate", "swing", "climb", "drift",
    "drift_along_across", "drift_beside_across", "across_along_tilt", "across_beside_tilt",
    "drift_along_tilt", "drift_beside_tilt", "has_gyr", "valid",
)  # fmt: skip
"""The channels of `felt_channels` in order; of horizontal vectors a_along_b is a · b, a_beside_b is a × b."""

_VECTORS = ("nearest_from_root", "segment", "near_from_parent", "top_from_root", "left_from_right")
_SPEEDS = ("nearest", "root", "segment", "near_from_parent")
SEEN_NAMES: tuple[str, ...] = (
    *(f"{name}_{axis}" for name in _VECTORS for axis in "xy"),
    *(f"{name}_speed_{axis}" for name in _SPEEDS for axis in "xy"), "segment_speed",
    *(f"{name}_{axis}" for name in ("nearest_acceleration", "acceleration_from_root") for axis in "xy"), "load",
    *(f"{name}_seen" for name in ("nearest", "near", "far", "parent", "root")),
)  # fmt: skip
"""The channels of `seen_channels` in order."""

_FASTEST_RAD_S = 40.0
"""Median rate beyond all limbs and chips: these saturate at 2000 °/s, 35 rad/s."""
_SURELY = 0.9  # share of frames with the shoulders below the hips from which the image seems upside down


@dataclass(frozen=True)
class UniversalContract:
    """What the universal model's input is.

    sites: where sensors may be worn. imu_rate_hz, pose_rate_hz: lowest and highest rate that is taken;
    imu_trained_hz, pose_trained_hz: those that it learnt with, outside of which is a note.
    acc_unit: of specific force, gravity included, in the sensor's frame. gyr_unit: of the angular rate, which may be
    missing. pose_unit, keypoints: of a person's track, x right, y down.
    frame: in which the channels are made. grid_hz: rate of the channels. token_s: seconds a token.
    reach_s: to each side, that one block's attention sees. felt_channels, seen_channels: names in the arrays' order.

    Raises InputError where these contradict one another.
    """

    sites: tuple[str, ...] = SITES
    imu_rate_hz: tuple[float, float] = (15.0, 2000.0)
    imu_trained_hz: tuple[float, float] = (20.0, 200.0)
    pose_rate_hz: tuple[float, float] = (5.0, 240.0)
    pose_trained_hz: tuple[float, float] = (10.0, 60.0)
    acc_unit: str = "m/s2"
    gyr_unit: str = "rad/s"
    pose_unit: str = "px"
    keypoints: tuple[str, ...] = COCO17
    frame: str = "z up, heading arbitrary but steady"
    grid_hz: float = RATE_HZ
    token_s: float = TOKEN_S
    reach_s: float = round(REACH * TOKEN_S, 6)
    felt_channels: tuple[str, ...] = FELT_NAMES
    seen_channels: tuple[str, ...] = SEEN_NAMES

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        unknown = [site for site in self.sites if site not in SITES]
        if unknown or not self.sites:
            raise InputError(
                f"The contract's sites have {', '.join(unknown) or 'no entry'}.", f"Use some of: {', '.join(SITES)}."
            )
        for name in ("imu_rate_hz", "imu_trained_hz", "pose_rate_hz", "pose_trained_hz"):
            low, high = getattr(self, name)
            if not 0.0 < low < high:
                raise InputError(f"{name} = {low}–{high} is no range.", "Give the lowest rate, then the highest.")

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> UniversalContract:
        """The contract that `to_dict` wrote. Raises InputError for unknown keys."""
        contract: UniversalContract = settings_from(cls, values, "contract")
        return contract

    def differences_from_this_build(self) -> list[str]:
        """What this Kinebind would make otherwise of a stream than the weights want, a phrase a field."""
        mine, own = self.to_dict(), UniversalContract().to_dict()
        for trained in ("sites", "imu_rate_hz", "imu_trained_hz", "pose_rate_hz", "pose_trained_hz"):
            own[trained] = mine[trained]
        return [f"{name} {mine[name]} against {own[name]}" for name in mine if mine[name] != own[name]]

    def describe(self) -> str:
        """The contract in words, a line for each thing that goes in or comes out."""
        (a, b), (c, d) = self.imu_rate_hz, self.imu_trained_hz
        (e, f), (g, h) = self.pose_rate_hz, self.pose_trained_hz
        return "\n".join([
            f"sensor: specific force with gravity, {self.acc_unit} (at rest 9.81); angular rate, {self.gyr_unit}, "
            "optional; both in the sensor's own frame, mounted in any way",
            f"sensor's rate: {a:g}–{b:g} Hz, learnt with {c:g}–{d:g} Hz",
            f"sensor's site: one of {', '.join(self.sites)}; or not told",
            f"poses: COCO-17 keypoints, {self.pose_unit}, x right, y down, missing ones NaN",
            f"poses' rate: {e:g}–{f:g} frames/s, learnt with {g:g}–{h:g}",
            f"inside: {len(self.felt_channels)} and {len(self.seen_channels)} channels at {self.grid_hz:g} Hz, "
            f"{self.frame}",
            f"out: a token every {self.token_s:g} s; attention sees {self.reach_s:g} s to each side in each block",
        ])  # fmt: skip

    def check_site(self, site: str) -> str:
        """The site that a name means; raises InputError unless the model was trained for it."""
        known = parse_site(site)
        if known not in self.sites:
            raise InputError(
                f"The model was never trained on the site '{known}'.", f"It knows: {', '.join(self.sites)}."
            )
        return known

    def check_imu(self, imu: Imu) -> list[str]:
        """Notes on what a sensor has that the model seldom or never met.

        Raises InputError for a site that it was not trained on, a rate that it does not take, and numbers that cannot
        be specific force in m/s² with gravity, or angular rate in rad/s.
        """
        who = f"sensor '{imu.name}'"
        notes = _rate_notes(who, imu.rate_hz, self.imu_rate_hz, self.imu_trained_hz, "Hz", "--time-unit")
        if imu.site is None:
            notes.append(f"The site of {who} is not told; the model does without, less surely.")
        else:
            self.check_site(imu.site)
        if imu.gyr_sensor is None and imu.rot_world_from_sensor is None:
            notes.append(f"{who.capitalize()} has no angular rate; the model does without, less surely.")
        _check_units(imu)
        try:
            return [*notes, *check_imu(imu, acc_unit=self.acc_unit, gyr_unit=self.gyr_unit)]
        except InputError as error:
            what = f"The model takes {self.acc_unit} with gravity, and {self.gyr_unit}. {error.what}"
            raise InputError(what, error.fix) from error

    def check_poses(self, poses: Poses) -> list[str]:
        """Notes on what a track has that the model seldom or never met.

        Raises InputError for a rate that it does not take, and for a person of whom no segment is ever seen, who has
        no size in the image.
        """
        who = f"person '{poses.person}'"
        notes = _rate_notes(who, poses.rate_hz, self.pose_rate_hz, self.pose_trained_hz, "frames/s", "--fps")
        shown = np.isfinite(poses.keypoints_px[..., 0])
        pixels = torch.as_tensor(np.nan_to_num(poses.keypoints_px), dtype=torch.float32)
        if not float(body_scale(pixels[None], torch.as_tensor(shown)[None])[0]) > 0.0:
            raise InputError(
                f"Of {who} no limb is ever seen at both ends, so nothing tells metres from pixels.",
                "Check the keypoints' order, or choose another track.",
            )
        trunk = shown[:, [5, 6, 11, 12]].all(axis=1)
        if trunk.any():
            y = poses.keypoints_px[trunk, :, 1]
            below = (y[:, 5:7].mean(axis=1) > y[:, 11:13].mean(axis=1)).mean()
            if below > _SURELY:
                notes.append(f"The shoulders of {who} are below the hips: does y point down, and is the video upright?")
        return notes


def _rate_notes(
    who: str, rate: float, taken: tuple[float, float], trained: tuple[float, float], unit: str, flag: str
) -> list[str]:
    if not taken[0] * 0.99 <= rate <= taken[1] * 1.01:
        raise InputError(
            f"{who.capitalize()} has {rate:.4g} {unit}; the model takes {taken[0]:g}–{taken[1]:g}.",
            f"Check how its times were read ({flag}).",
        )
    if trained[0] * 0.95 <= rate <= trained[1] * 1.05:
        return []
    return [f"{who.capitalize()} has {rate:.4g} {unit}; the model learnt with {trained[0]:g}–{trained[1]:g}."]


def _check_units(imu: Imu) -> None:
    """Raises InputError for units that the check of files does not think of, as no file's header names them."""
    rest, _ = calmest_tenth(imu.time_s, imu.acc_sensor)
    if abs(rest / (1000.0 * GRAVITY_M_S2) - 1.0) < 0.12:
        raise InputError(
            f"The acceleration of sensor '{imu.name}' has a norm of {rest:.4g} at rest: it is in mm/s², not m/s².",
            "Divide it by 1000.",
        )
    if imu.gyr_sensor is None:
        return
    rate = np.linalg.norm(imu.gyr_sensor, axis=1)
    rate = rate[np.isfinite(rate)]
    if rate.size and float(np.median(rate)) > _FASTEST_RAD_S:
        raise InputError(
            f"The angular rate of sensor '{imu.name}' is {np.median(rate):.3g} rad/s half of the time, which no limb "
            "does: it is in deg/s.",
            "Add --gyr-unit deg/s, or multiply it by π/180.",
        )
