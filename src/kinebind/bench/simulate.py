"""`kinebind bench simulate`: is the IMU simulator right, and how fast is it?

Promises `broad_acc_r`, `broad_gyro_r` ≥ 0.98, `neura_shank_acc_r` ≥ 0.93 and `simulate_x_realtime` ≥ 500 within a
minute on one core. Needs the sets broad, neura-walk and bandai-namco, and the package h5py (BROAD's files are HDF5).

BROAD, a board with an IMU and optical markers, two trials, samples that the set marks as movement: the IMU is
simulated from the optical pose and compared with the real one, both low-passed at 15 Hz (−3 dB). Mounting, lever arm
and biases are fitted (`fit_mounting`). `broad_*_r` is Pearson's r, mean of the three axes and the two trials, on the
set's own clock; `broad_*_lag_r` with the constant lag between the two systems (`broad_lag_ms`) fitted as well.

Neura walk, a person, all 25 s: the IMUs of both shanks, both feet and the pelvis are simulated from Vicon's joint
centres and compared with the MTw sensors, both low-passed at 10 Hz. Mounting, lever arm and biases are fitted; the
set's constant lag (`neura_lag_ms`, median of the five sensors) is taken out. Joint centres do not show how a limb
turns about its own bone, so that the split into axes is partly guessed: `neura_*_acc_r` is therefore r of the norm of
specific force, which no rotation changes, mean of left and right; `neura_*_acc_axes_r` is the mean of the three axes.

Speed: joint rotations at 120 Hz (the longest Bandai-Namco file, resampled beforehand) to five IMUs at 100 Hz with
every effect on; seconds of motion per second of processor time of all threads, median of seven runs.
"""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.body.imu_fit import FittedMounting, fit_mounting
from kinebind.body.imu_simulate import HARD, IDEAL, simulate_imu, simulate_imus
from kinebind.body.sites import SiteTrajectory, site_trajectory
from kinebind.clock import ClockMap, FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion
from kinebind.readers.bvh import read_bvh
from kinebind.readers.vicon import read_vicon
from kinebind.readers.xsens_mtw import read_xsens_mtw
from kinebind.resample import resample_vectors

BROAD_TRIALS = ("07_undisturbed_fast_rotation_B.hdf5", "16_undisturbed_fast_translation_B.hdf5")
BROAD_LOW_PASS_HZ = 15.0
NEURA_LOW_PASS_HZ = 10.0
NEURA_SENSORS = {
    "left_shank": "00B40C44", "right_shank": "00B40C47", "left_foot": "00B40C55", "right_foot": "00B40C48",
    "pelvis": "00B40B91",
}  # fmt: skip
SPEED_SITES = ("left_wrist", "right_wrist", "left_shank", "right_shank", "pelvis")


def run(data_dir: str | Path, final: bool = False) -> dict[str, float]:
    """All metrics. No method is judged here, only physics, so that `final` changes nothing.

    Raises InputError where a data set or h5py is missing.
    """
    data = Path(data_dir)
    return {**broad(data / "broad"), **neura(data / "neura-walk"), **speed(data / "bandai-namco")}


def broad(folder: Path) -> dict[str, float]:
    """Correlation of simulated and real readings of the board."""
    found: dict[str, list[float]] = {}
    lags = []
    for name in BROAD_TRIALS:
        path, imu, moving = read_broad(folder / name)
        for suffix, max_lag_s in (("", 0.0), ("_lag", 0.02)):
            fit = fit_mounting(path, imu, max_lag_s=max_lag_s, cutoff_hz=BROAD_LOW_PASS_HZ)
            acc, gyr = (axes_r(*pair, moving) for pair in compared(path, imu, fit, BROAD_LOW_PASS_HZ))
            found.setdefault(f"broad_acc{suffix}_r", []).append(float(acc.mean()))
            found.setdefault(f"broad_gyro{suffix}_r", []).append(float(gyr.mean()))
        lags.append(1e3 * fit.lag_s)
    return {**{key: float(np.mean(values)) for key, values in found.items()}, "broad_lag_ms": float(np.mean(lags))}


def neura(folder: Path) -> dict[str, float]:
    """Correlation of simulated and real readings of the walking person."""
    root = _there(folder / "data" / "sample")
    motion = read_vicon(root / "rawvicon" / "S02-Trial-Walk-1.mat")
    sensors = {}
    for site, device in NEURA_SENSORS.items():
        (imu,) = read_xsens_mtw(root / "rawimu" / f"S02-Trial-Walk-1-000_{device}.txt")
        # Both files' rows share one frame clock.
        sensors[site] = imu.replace(time_s=imu.time_s - imu.time_s[0])
    paths = {site: site_trajectory(motion, site) for site in sensors}
    fits = [fit_mounting(paths[s], imu, max_lag_s=0.1, cutoff_hz=NEURA_LOW_PASS_HZ) for s, imu in sensors.items()]
    lag_s = float(np.median([fit.lag_s for fit in fits]))
    found: dict[str, list[float]] = {}
    for site, imu in sensors.items():
        on_time = imu.replace(time_s=imu.time_s + lag_s)
        fit = fit_mounting(paths[site], on_time, cutoff_hz=NEURA_LOW_PASS_HZ)
        (acc, acc_real), (gyr, gyr_real) = compared(paths[site], on_time, fit, NEURA_LOW_PASS_HZ)
        everywhere = np.ones(imu.time_s.size, dtype=bool)
        part = site.split("_")[-1]
        norm, norm_real = (np.linalg.norm(v, axis=1, keepdims=True) for v in (acc, acc_real))
        for key, r in (
            (f"neura_{part}_acc_r", axes_r(norm, norm_real, everywhere)),
            (f"neura_{part}_acc_axes_r", axes_r(acc, acc_real, everywhere)),
            (f"neura_{part}_gyro_axes_r", axes_r(gyr, gyr_real, everywhere)),
        ):
            found.setdefault(key, []).append(float(r.mean()))
    return {**{key: float(np.mean(values)) for key, values in found.items()}, "neura_lag_ms": 1e3 * lag_s}


def speed(folder: Path) -> dict[str, float]:
    """How many seconds of motion a second of processor time simulates."""
    files = _there(folder).glob("*/data/*.bvh")
    motion = read_bvh(max(files, key=lambda file: file.stat().st_size))
    motion = motion.resample(np.arange(motion.time_s[0], motion.time_s[-1], 1.0 / 120.0))
    ratios = [motion.duration_s / _seconds_for(motion, seed) for seed in range(7)]
    return {"simulate_x_realtime": float(np.median(ratios)), "simulate_clip_s": motion.duration_s}


def _seconds_for(motion: Motion, seed: int) -> float:
    start = time.process_time()
    simulate_imus(motion, SPEED_SITES, rng=np.random.default_rng(seed), effects=HARD)
    return time.process_time() - start


def read_broad(file: Path) -> tuple[SiteTrajectory, Imu, np.ndarray]:
    """A BROAD trial: the board's optical pose, its IMU on the same clock, and which samples (T,) are movement."""
    try:
        h5py: Any = importlib.import_module("h5py")  # no dependency: nothing else in Kinebind reads HDF5
    except ImportError as error:
        raise InputError("BROAD's files are HDF5, which needs h5py.", "Install it: pip install h5py") from error
    with h5py.File(_there(file)) as trial:
        acc, gyr, position, quat_wxyz = (trial[name][:] for name in ("imu_acc", "imu_gyr", "opt_pos", "opt_quat"))
        moving = trial["movement"][:]
        time_s = np.arange(acc.shape[0]) / float(trial.attrs["sampling_rate"])
    path = SiteTrajectory(time_s, "board", position, quat_wxyz[:, [1, 2, 3, 0]], np.zeros(3))
    return path, Imu(time_s, acc, gyr, name="board"), moving


def compared(
    path: SiteTrajectory, imu: Imu, fit: FittedMounting, low_pass_hz: float
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Simulated and real specific force, and angular rate (T, 3) at the real sensor's times, low-passed alike."""
    ideal = simulate_imu(
        path, rng=np.random.default_rng(0), rate_hz=imu.rate_hz, effects=IDEAL, clock=ClockMap(fit.lag_s),
        cutoff_hz=2.0 * low_pass_hz, mounting=fit,
    )  # fmt: skip
    assert ideal.gyr_sensor is not None
    assert imu.gyr_sensor is not None

    def low(source: Imu, values: FloatArray) -> FloatArray:
        return resample_vectors(source.time_s, values, imu.time_s, cutoff_hz=low_pass_hz)

    acc = low(ideal, ideal.acc_sensor), low(imu, imu.acc_sensor)
    return acc, (low(ideal, ideal.gyr_sensor), low(imu, imu.gyr_sensor))


def axes_r(simulated: FloatArray, real: FloatArray, where: np.ndarray) -> FloatArray:
    """Pearson's r (K,) of the columns of two (T, K) over the samples `where` both are known."""
    known = where & np.isfinite(simulated).all(axis=1) & np.isfinite(real).all(axis=1)
    a, b = (v[known] - v[known].mean(axis=0) for v in (simulated, real))
    return np.asarray((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)))


def _there(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"The benchmark needs {path}.", "Set KINEBIND_DATA to the folder with the unpacked sets.")
    return path
