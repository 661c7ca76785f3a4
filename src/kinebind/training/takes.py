"""A take: one person's sensors and pose on one clock, at a contract's rates and in its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kinebind._stream import Stream
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.nn.channels import imu_array, pose_array
from kinebind.nn.contract import POSE_CHANNELS, Contract
from kinebind.recording import Label, Recording

Float32 = npt.NDArray[np.float32]
_ROUNDING = 1e-6  # of a sample: what times lose by being added up


@dataclass(frozen=True, eq=False)
class Take:
    """What windows are cut from. Sample k of a stream is at k / rate seconds; both streams start together.

    imu (N, C, Ti) float32 at the contract's imu_rate_hz, in its parts, channels and units; missing is NaN.
    pose (N, 6, Tp) float32 at pose_rate_hz in the contract's frame; missing is NaN.
    labels: stretches in seconds from the start. meta: what it can be split by (subject, take ...).
    """

    name: str
    imu: Float32
    pose: Float32
    labels: tuple[Label, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)

    def check(self, contract: Contract) -> None:
        """Raises InputError where the arrays are not what the contract says."""
        parts, channels = len(contract.parts), len(contract.imu_channels)
        for name, array, wanted, rate_hz in (
            ("imu", self.imu, (parts, channels), contract.imu_rate_hz),
            ("pose", self.pose, (parts, POSE_CHANNELS), contract.pose_rate_hz),
        ):
            if array.ndim != 3 or array.shape[:2] != wanted or array.shape[2] == 0:
                raise InputError(
                    f"{self.name}: {name} has shape {array.shape}; the contract says {wanted} × samples.",
                    f"Give its parts ({', '.join(contract.parts)}) and channels in its order.",
                )
            if array.dtype != np.float32 or np.isinf(array).any():
                raise InputError(
                    f"{self.name}: {name} holds what is no float32 number.", "Mark what is missing by NaN."
                )
            seconds = array.shape[2] / rate_hz
            other = self.imu.shape[2] / contract.imu_rate_hz if name == "pose" else seconds
            if abs(seconds - other) > 1.0 / min(contract.imu_rate_hz, contract.pose_rate_hz) + _ROUNDING:
                raise InputError(
                    f"{self.name}: imu lasts {other:.3f} s at {contract.imu_rate_hz:g} Hz, but pose {seconds:.3f} s at "
                    f"{contract.pose_rate_hz:g} Hz.",
                    "Check the rates in the recipe's [contract], and that both streams start together.",
                )


def take_from_recording(recording: Recording, contract: Contract) -> Take:
    """A recording of one person whose streams share one time axis, brought to the contract's rates and channels.

    The take runs from where both pose and some sensor have begun to where the first of the two ends; a sensor that
    the contract wants and the recording lacks is missing throughout. Each sample stands for its period, so a stream
    reaches one period beyond its last sample and holds that value there; nothing else is extrapolated.
    Raises InputError where there is not exactly one person, two sensors share a site, none has a site of the
    contract, or the streams have no time in common.
    """
    if len(recording.people) != 1:
        raise InputError(
            f"{recording.name} shows {len(recording.people)} people; a take is of one.",
            "Make one recording per person, each with that person's sensors.",
        )
    person = recording.people[0]
    imus = {}
    for imu in recording.imus:
        if imu.site in contract.parts:
            if imu.site in imus:
                raise InputError(f"{recording.name} has two sensors on {imu.site}.", "Leave one of them out.")
            imus[imu.site] = imu
    if not imus:
        worn = ", ".join(str(imu.site) for imu in recording.imus) or "none"
        raise InputError(
            f"{recording.name} has no sensor where the contract wants one; it has: {worn}.",
            f"Give the sensors one of the sites {', '.join(contract.parts)}.",
        )
    start_s = max(person.time_s[0], min(imu.time_s[0] for imu in imus.values()))
    end_s = min(_end_s(person), max(_end_s(imu) for imu in imus.values()))
    imu_s = _grid_s(start_s, end_s, contract.imu_rate_hz)
    pose_s = _grid_s(start_s, end_s, contract.pose_rate_hz)
    if imu_s.size < 2 or pose_s.size < 2:
        raise InputError(
            f"In {recording.name} person and sensors have less than two samples in common.",
            "Synchronise the recording first (kinebind sync), so that its streams share one time axis.",
        )
    stack = np.full((len(contract.parts), len(contract.imu_channels), imu_s.size), np.nan, dtype=np.float32)
    for n, part in enumerate(contract.parts):
        if part in imus:
            new = imus[part].resample(imu_s)
            try:
                channels = imu_array(contract, new.acc_sensor, new.gyr_sensor, new.rot_world_from_sensor)
            except InputError as error:
                raise error.at(f"{recording.name}, {imus[part].name}") from error
            stack[n] = _held(channels, imu_s, imus[part])
    try:
        pose = pose_array(contract, person.resample(pose_s).keypoints_px, person.image_size_px)
    except InputError as error:
        raise error.at(recording.name) from error
    labels = tuple(
        Label(label.start_s - start_s, label.end_s - start_s, label.name)
        for label in recording.labels
        if label.person in (None, person.person)
    )
    return Take(recording.name, stack, _held(pose, pose_s, person), labels, recording.meta)


def _end_s(stream: Stream) -> float:
    return float(stream.time_s[-1]) + 1.0 / stream.rate_hz


def _grid_s(start_s: float, end_s: float, rate_hz: float) -> FloatArray:
    count = int(np.floor((end_s - start_s) * rate_hz + _ROUNDING)) if end_s > start_s else 0
    return start_s + np.arange(count) / rate_hz


def _held(values: Float32, grid_s: FloatArray, stream: Stream) -> Float32:
    """Values (..., T) with those in the last sample's own period set to that sample."""
    beyond = (grid_s > stream.time_s[-1]) & (grid_s < _end_s(stream) - _ROUNDING / stream.rate_hz)
    last = int(np.searchsorted(grid_s, stream.time_s[-1], side="right")) - 1
    if beyond.any() and last >= 0:
        values[..., beyond] = values[..., last : last + 1]
    return values
