"""Files of OpenSim: orientations of sensors for OpenSense (.sto), markers of 3D motion (.trc).

OpenSense reads a Storage file of quaternions, scalar first, one column a sensor called after a body of the model
(opensim.stanford.edu, "OpenSense: IMU data"). Its world is the sensors', with z up, as the files of Xsens have it:
set `sensor_to_opensim_rotations` to −π/2 0 0, as OpenSim's examples do and the file's header repeats.
TRC is Motion Analysis' table of markers; OpenSim's world has y up, so z-up points (x, y, z) become (x, z, −y).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinebind.body.kinematics import forward
from kinebind.clock import FloatArray
from kinebind.motion import Motion
from kinebind.output.aligned import AlignedSensor, file_name, resampled, sensors_of, video_times
from kinebind.recording import Recording
from kinebind.tasks.sync.result import SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import LocateResult

BODIES = {
    "head": "head", "chest": "torso", "pelvis": "pelvis",
    "left_upper_arm": "humerus_l", "right_upper_arm": "humerus_r", "left_wrist": "radius_l", "right_wrist": "radius_r",
    "left_thigh": "femur_l", "right_thigh": "femur_r", "left_shank": "tibia_l", "right_shank": "tibia_r",
    "left_foot": "calcn_l", "right_foot": "calcn_r",
}  # fmt: skip
"""OpenSim's bodies, as its full-body models call them, by the site of a sensor."""


def write_orientations(
    recording: Recording, result: SyncResult, folder: Path, located: LocateResult | None = None
) -> list[Path]:
    """One `orientations[-PERSON].sto` for each person who wears aligned sensors with an orientation; their paths.

    Rows are on the video's clock, at the fastest sensor's rate, over the stretch that all of them cover; a time at
    which one of them is missing, or its piece was refused, has no row. Sensors are called `BODY_imu`; those without a
    site or a wearer, or whose body another one has, are left out. located: who wears what, where it was found.
    """
    worn: dict[str, dict[str, AlignedSensor]] = {}
    for sensor in sensors_of(recording, result, located):
        known = sensor.answer.answered and sensor.imu.rot_world_from_sensor is not None
        if known and sensor.person is not None and sensor.site in BODIES:
            worn.setdefault(sensor.person, {}).setdefault(f"{BODIES[sensor.site]}_imu", sensor)
    paths: list[Path] = []
    for person, sensors in worn.items():
        table = _together(list(sensors.values()))
        if table is not None:
            ending = "" if len(worn) == 1 else f"-{person}"
            paths.append(folder / file_name("orientations", ending, ".sto", [p.name for p in paths]))
            _write_sto(paths[-1], list(sensors), *table)
    return paths


def _together(sensors: Sequence[AlignedSensor]) -> tuple[FloatArray, FloatArray, float] | None:
    """Times (T,), quaternions (T, S, 4) scalar last, and the rate, where all sensors are known."""
    times_s = [video_times(s.imu.time_s, s.answer)[0] for s in sensors]
    if not all(np.isfinite(t).any() for t in times_s):
        return None
    start_s = max(float(np.nanmin(t)) for t in times_s)
    end_s = min(float(np.nanmax(t)) for t in times_s)
    rate_hz = max(s.imu.rate_hz for s in sensors)
    if end_s - start_s < 2.0 / rate_hz:
        return None
    time_s = start_s + np.arange(int((end_s - start_s) * rate_hz + 1e-9) + 1) / rate_hz
    turned = []
    for sensor in sensors:
        at_times = resampled(sensor.imu.replace(gyr_sensor=None, mag_sensor=None), sensor.answer, time_s)
        turned.append(np.stack([at_times[f"{sensor.imu.name}_quat_{axis}"] for axis in "xyzw"], axis=1))
    whole = np.stack(turned, axis=1)
    known = np.isfinite(whole).all(axis=(1, 2))  # OpenSense takes no missing values
    return (time_s[known], whole[known], rate_hz) if known.sum() >= 2 else None


def _write_sto(path: Path, names: Sequence[str], time_s: FloatArray, turned: FloatArray, rate_hz: float) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"DataRate={rate_hz:.6f}\nDataType=Quaternion\nversion=3\nOpenSimVersion=4.4\n")
        file.write("sensor_to_opensim_rotations=-1.5707963267948966 0 0\nendheader\n")
        file.write("\t".join(["time", *names]) + "\n")
        for at_s, row in zip(time_s, turned[..., [3, 0, 1, 2]], strict=True):
            file.write("\t".join([f"{at_s:.6f}", *(",".join(f"{v:.7f}" for v in q) for q in row)]) + "\n")


def write_trc(recording: Recording, folder: Path) -> list[Path]:
    """One `markers[-NAME].trc` for each 3D motion, its joints as markers, metres, y up; their paths. Missing is empty.

    Raises InputError where a motion's joints cannot be placed, as `kinebind.body.kinematics.forward` does.
    """
    paths: list[Path] = []
    for motion in recording.motions:
        ending = "" if len(recording.motions) == 1 else f"-{motion.name}"
        paths.append(folder / file_name("markers", ending, ".trc", [p.name for p in paths]))
        _write_one_trc(paths[-1], motion)
    return paths


def _write_one_trc(path: Path, motion: Motion) -> None:
    names, rate, frames = motion.skeleton.joints, f"{motion.rate_hz:.6f}", motion.time_s.size
    points = forward(motion)[0][..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
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
            # OpenSim takes a tab for the end of a cell: without the last one, an empty last cell is none.
            file.write("\t".join([str(k), f"{at_s:.6f}", *cells]) + "\t\n")
