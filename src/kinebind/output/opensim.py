"""Files of OpenSim: orientations of sensors for OpenSense (.sto), markers of 3D motion (.trc).

OpenSense reads a Storage file of quaternions, scalar first, one column a sensor called after a body of the model
(opensim.stanford.edu, "OpenSense: IMU data"); its world has the sensors' direction up, which its own tool
turns. TRC is Motion Analysis' table of markers; OpenSim's world has y up, so z-up points (x, y, z) become (x, z, −y).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.recording import Recording
from kinebind.tasks.sync.result import SyncResult

BODIES = {
    "head": "head", "chest": "torso", "pelvis": "pelvis",
    "left_upper_arm": "humerus_l", "right_upper_arm": "humerus_r", "left_wrist": "radius_l", "right_wrist": "radius_r",
    "left_thigh": "femur_l", "right_thigh": "femur_r", "left_shank": "tibia_l", "right_shank": "tibia_r",
    "left_foot": "calcn_l", "right_foot": "calcn_r",
}  # fmt: skip
"""OpenSim's bodies, as its full-body models call them, by the site of a sensor."""


def write_orientations(recording: Recording, result: SyncResult, folder: Path) -> list[Path]:
    """One `orientations[-PERSON].sto` for each person who wears aligned sensors with an orientation; their paths.

    Rows are on the video's clock, at the fastest sensor's rate, over the stretch that all of them cover; sensors are
    called `BODY_imu`. Sensors without a site, or whose body another one has, are left out.
    """
    worn: dict[str, dict[str, tuple[Imu, FloatArray]]] = {}
    for answer in result.answers:
        if not answer.answered:
            continue
        sites = {s.name: s.site for s in answer.sensors}
        for imu in recording.imus:
            site = sites.get(imu.name) or imu.site
            if imu.clock_id == answer.clock_id and imu.rot_world_from_sensor is not None and site in BODIES:
                times_s = answer.to_video(imu.time_s)
                rising = bool((np.diff(times_s) > 0).all())  # a clock that jumped back has no single place in time
                if rising:
                    worn.setdefault(answer.person, {}).setdefault(f"{BODIES[site]}_imu", (imu, times_s))
    paths: list[Path] = []
    for person, sensors in worn.items():
        table = _together(sensors)
        if table is not None:
            ending = "" if len(worn) == 1 else f"-{re.sub(r'[^A-Za-z0-9_-]+', '_', person)}"
            paths.append(folder / f"orientations{ending}.sto")
            _write_sto(paths[-1], list(sensors), *table)
    return paths


def _together(sensors: dict[str, tuple[Imu, FloatArray]]) -> tuple[FloatArray, FloatArray, float] | None:
    """Times (T,), quaternions (T, S, 4) scalar last, and the rate, where the sensors overlap."""
    start_s = max(float(t[0]) for _, t in sensors.values())
    end_s = min(float(t[-1]) for _, t in sensors.values())
    rate_hz = max(imu.rate_hz for imu, _ in sensors.values())
    if end_s - start_s < 2.0 / rate_hz:
        return None
    time_s = start_s + np.arange(int((end_s - start_s) * rate_hz + 1e-9) + 1) / rate_hz
    turned = []
    for imu, times_s in sensors.values():
        on_video = imu.replace(time_s=times_s).resample(time_s)
        assert on_video.rot_world_from_sensor is not None
        turned.append(on_video.rot_world_from_sensor)
    whole = np.stack(turned, axis=1)
    known = np.isfinite(whole).all(axis=(1, 2))  # OpenSense takes no missing values
    return (time_s[known], whole[known], rate_hz) if known.sum() >= 2 else None


def _write_sto(path: Path, names: Sequence[str], time_s: FloatArray, turned: FloatArray, rate_hz: float) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"DataRate={rate_hz:.6f}\nDataType=Quaternion\nversion=3\nOpenSimVersion=4.4\nendheader\n")
        file.write("\t".join(["time", *names]) + "\n")
        for at_s, row in zip(time_s, turned[..., [3, 0, 1, 2]], strict=True):
            file.write("\t".join([f"{at_s:.6f}", *(",".join(f"{v:.7f}" for v in q) for q in row)]) + "\n")


def write_trc(recording: Recording, folder: Path) -> list[Path]:
    """One `markers[-NAME].trc` for each 3D motion with joint positions, metres, y up; their paths. Missing is empty."""
    shown = [m for m in recording.motions if m.position_world is not None]
    paths = []
    for motion in shown:
        ending = "" if len(shown) == 1 else f"-{re.sub(r'[^A-Za-z0-9_-]+', '_', motion.name)}"
        paths.append(folder / f"markers{ending}.trc")
        _write_one_trc(paths[-1], motion)
    return paths


def _write_one_trc(path: Path, motion: Motion) -> None:
    assert motion.position_world is not None
    names, rate, frames = motion.skeleton.joints, f"{motion.rate_hz:.6f}", motion.time_s.size
    points = motion.position_world[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n")
        file.write(
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
        )
        file.write(f"{rate}\t{rate}\t{frames}\t{len(names)}\tm\t{rate}\t1\t{frames}\n")
        file.write("Frame#\tTime\t" + "\t\t\t".join(re.sub(r"\s+", "_", n) for n in names) + "\t\t\n")
        file.write("\t\t" + "\t".join(f"{a}{k}" for k in range(1, len(names) + 1) for a in "XYZ") + "\n\n")
        for k, (at_s, row) in enumerate(zip(motion.time_s, points, strict=True), 1):
            cells = ["" if np.isnan(v) else f"{v:.6f}" for v in row.ravel()]
            file.write("\t".join([str(k), f"{at_s:.6f}", *cells]) + "\n")
