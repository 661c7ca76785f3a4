"""Simulated recordings: people before one camera, and devices on their bodies or beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kinebind.body.camera import random_camera
from kinebind.body.detector import DetectorErrors, film_points, frame_times
from kinebind.body.imu_simulate import ImuEffects, simulate_imu, simulate_imus
from kinebind.body.keypoints import coco17_world
from kinebind.body.segments import Posture, posture
from kinebind.body.sites import SiteTrajectory
from kinebind.clock import ClockMap
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.poses import Poses
from kinebind.recording import Recording

_APART_M = 1.4
_POINTS_FOR_CAMERA = 300


@dataclass(frozen=True, eq=False)
class Device:
    """Sensors that share a clock. name: of the clock. person: index of the wearer; None, it lies on a table.

    sites: where its sensors are worn. names: of the sensors. clock: the truth, from its times to the video's.
    """

    name: str
    person: int | None
    sites: tuple[str, ...]
    names: tuple[str, ...]
    clock: ClockMap
    rate_hz: float = 100.0


def side_by_side(motions: Sequence[Motion]) -> list[Motion]:
    """Motions moved over the ground so that people do not stand in each other; a single one stays where it is."""
    if len(motions) == 1:
        return list(motions)
    out = []
    for k, motion in enumerate(motions):
        hips = posture(motion).mid_hip()
        shift = np.append(-np.nanmean(hips[:, :2], axis=0), 0.0) + (k * _APART_M, 0.0, 0.0)
        root, points = motion.root_position_world, motion.position_world
        moved = motion.replace(
            root_position_world=None if root is None else root + shift,
            position_world=None if points is None else points + shift,
        )
        out.append(moved)
    return out


def recorded(
    motions: Sequence[Motion],
    devices: Sequence[Device],
    *,
    errors: DetectorErrors,
    effects: ImuEffects,
    fps: float,
    rng: np.random.Generator,
) -> Recording:
    """Film motions, whose time is the video's, and let devices feel them.

    The video starts at its time zero or with the motion, whichever is later; a device starts at its own time zero.
    People are called "1", "2", ... Raises InputError for unknown sites and motions that are too short.
    """
    bodies = [posture(motion) for motion in side_by_side(motions)]
    for_camera, for_frames, for_errors, for_devices = rng.spawn(4)
    people = _filmed_together(bodies, errors, fps, for_camera, for_frames, for_errors)
    imus: list[Imu] = []
    for device, own in zip(devices, for_devices.spawn(len(devices)), strict=True):
        imus += _felt(device, bodies, effects, own)
    return Recording(people=people, imus=tuple(imus))


def _filmed_together(
    bodies: Sequence[Posture],
    errors: DetectorErrors,
    fps: float,
    for_camera: np.random.Generator,
    for_frames: np.random.Generator,
    for_errors: np.random.Generator,
) -> tuple[Poses, ...]:
    """All people from one random camera, in the same frames."""
    points = [coco17_world(body) for body in bodies]
    clocks = [body.motion.time_s for body in bodies]
    start_s, end_s = max(0.0, *(t[0] for t in clocks)), min(t[-1] for t in clocks)
    times = frame_times(start_s, end_s, fps, float(for_frames.uniform(0.0, 1.0 / fps)), errors, for_frames)
    shown = [p[:: max(1, len(p) // _POINTS_FOR_CAMERA)].reshape(-1, 3) for p in points]
    camera = random_camera(for_camera, np.concatenate(shown))
    return tuple(
        film_points(time_s, p, camera, times, errors=errors, rng=for_errors).replace(person=str(k))
        for k, (time_s, p) in enumerate(zip(clocks, points, strict=True), 1)
    )


def _felt(device: Device, bodies: Sequence[Posture], effects: ImuEffects, rng: np.random.Generator) -> list[Imu]:
    given: dict[str, Any] = {"rate_hz": device.rate_hz, "effects": effects, "clock_id": device.name}
    if device.person is None:
        time_s = bodies[0].motion.time_s
        at_rest = np.tile([0.0, 0.0, 0.0, 1.0], (time_s.size, 1))
        path = SiteTrajectory(time_s, "table", np.zeros((time_s.size, 3)), at_rest, np.zeros(3))
        imus: tuple[Imu, ...] = (simulate_imu(path, rng=rng, clock=device.clock, **given),)
    else:
        imus = simulate_imus(bodies[device.person], device.sites, rng=rng, clocks=device.clock, **given)
    return [
        imu.slice_s(0.0, np.inf).replace(name=name, clock_id=device.name)
        for imu, name in zip(imus, device.names, strict=True)
    ]


def truth(devices: Sequence[Device], **facts: object) -> dict[str, object]:
    """What is to be found, as plain values."""
    clocks = [
        {
            "clock_id": d.name, "person": None if d.person is None else str(d.person + 1),
            "sensors": [{"name": n, "site": s} for n, s in zip(d.names, d.sites or ("",), strict=True)],
            "offset_s": d.clock.offset_s, "skew_ppm": d.clock.skew_ppm, "ref_time_s": d.clock.ref_time_s,
        }
        for d in devices
    ]  # fmt: skip
    return {
        "format": "kinebind-truth-1",
        "clock": "video_time = imu_time + offset_s + skew_ppm / 1e6 * (imu_time - ref_time_s)",
        "clocks": clocks,
    } | facts


def from_zero(motion: Motion, zero_s: float) -> Motion:
    """A motion on a clock that starts `zero_s` after the motion's first frame."""
    return replace(motion, time_s=motion.time_s - motion.time_s[0] - zero_s)
