"""MM-Fit: workouts with a watch on each wrist, phones, an earbud, poses from video, and exercises as labels.

A workout is a folder `wNN` of NumPy files and a table of labels. Sensors carry the number of the video frame in which
each sample fell, so that all of them can be put on the video's clock: frame k is at k / 30 s.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.poses import Poses
from kinebind.recording import Label, Recording

FPS = 30.0
SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": ("01", "02", "03", "04", "06", "07", "08", "16", "17", "18"),
    "val": ("14", "15", "19"),
    "test": ("09", "10", "11"),
    "unseen": ("00", "05", "12", "13", "20"),
}
"""The authors' split, by workout; of those in "unseen" the people are in no other."""
EXERCISES = (
    "squats", "lunges", "bicep_curls", "situps", "pushups", "tricep_extensions", "dumbbell_rows", "jumping_jacks",
    "dumbbell_shoulder_press", "lateral_shoulder_raises", "non_activity",
)  # fmt: skip
_SITES: Mapping[str, str | None] = {
    "sw_l": "left_wrist",
    "sw_r": "right_wrist",
    "sp_l": None,
    "sp_r": None,
    "eb_l": "head",
}
# OpenPose's eighteen points in COCO-17's order.
_COCO17_OF_OPENPOSE = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)


def mmfit_workouts(root: str | Path) -> Iterator[Recording]:
    """All workouts under a folder, sorted; everything on the video's clock.

    meta: `workout` (two digits) and `split`. Raises InputError for what is no folder, where no workout is in it, and as
    `read_mmfit`.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name the folder into which MM-Fit was unpacked.")
    found = sorted({path.parent for path in folder.rglob("w[0-9][0-9]_labels.csv")})
    if not found:
        raise InputError(f"{folder} holds no workouts of MM-Fit.", "It should hold folders w00, w01 and so on.")
    for workout in found:
        yield read_mmfit(workout)


def read_mmfit(folder: str | Path) -> Recording:
    """One workout. Raises InputError where a file is missing, damaged, or not of MM-Fit's shape."""
    folder = Path(folder)
    tables = sorted(folder.glob("w[0-9][0-9]_labels.csv"))
    if len(tables) != 1:
        raise InputError(f"{folder} holds {len(tables)} tables of labels, where a workout has one.", "Unpack it again.")
    name = tables[0].stem.removesuffix("_labels")
    imus = []
    for device, site in _SITES.items():
        acc, gyr = (folder / f"{name}_{device}_{kind}.npy" for kind in ("acc", "gyr"))
        if acc.exists():
            imus.append(_imu(acc, gyr if gyr.exists() else None, device, site))
    if not imus:
        raise InputError(f"{folder} holds no sensor's file, as {name}_sw_l_acc.npy.", "Unpack it again.")
    pose = folder / f"{name}_pose_2d.npy"
    people = (_poses(pose),) if pose.exists() else ()
    workout = name.removeprefix("w")
    split = next((key for key, own in SPLITS.items() if workout in own), "")
    meta = {"workout": workout, "split": split}
    return Recording(people, tuple(imus), labels=_labels(tables[0]), name=name, meta=meta)


def _imu(acc_path: Path, gyr_path: Path | None, device: str, site: str | None) -> Imu:
    """A device's sensor: m/s² and rad/s, as its watch or phone gives them."""
    acc = _table(acc_path)
    time_s, order = _video_time_s(acc, acc_path)
    force = acc[order, 2:5]
    norm = float(np.nanmedian(np.linalg.norm(force, axis=1)))
    if not 0.5 * GRAVITY_M_S2 < norm < 2.0 * GRAVITY_M_S2:
        raise InputError(
            f"{acc_path}: the acceleration's norm is {norm:.3g} mostly, where m/s² with gravity would be 9.81.",
            "Take the files as the authors give them.",
        )
    rate = None
    if gyr_path is not None:
        gyr = _table(gyr_path)
        gyr_s, own = _video_time_s(gyr, gyr_path)
        rate = np.stack([np.interp(time_s, gyr_s, gyr[own, k], np.nan, np.nan) for k in (2, 3, 4)], axis=1)
    return Imu(time_s, force, rate, name=device, site=site, clock_id="video")


def _video_time_s(table: FloatArray, path: Path) -> tuple[FloatArray, np.ndarray]:
    """Seconds of the video's clock, and the rows in their order, those that repeat a time left out.

    Frames are whole numbers, 33 ms apart, and the device's own milliseconds run evenly: a line through both.
    """
    frame, own_s = table[:, 0], table[:, 1] / 1e3
    good = np.isfinite(frame) & np.isfinite(own_s)
    if good.sum() < 2 or np.ptp(own_s[good]) <= 0:
        raise InputError(f"{path} holds no times.", "Unpack it again.")
    middle = float(own_s[good].mean())
    slope, start = np.polyfit(own_s[good] - middle, frame[good], 1)
    if not 0.5 * FPS < slope < 2.0 * FPS:
        raise InputError(
            f"{path}: {slope:.3g} frames pass in a second of its clock, where there should be {FPS:g}.",
            "Its second column should be milliseconds.",
        )
    # A sample falls anywhere in the frame that it is told to be in, on average in its middle.
    time_s = (start + slope * (own_s - middle) + 0.5) / FPS
    order = np.flatnonzero(good)
    order = order[np.argsort(time_s[order], kind="stable")]
    order = order[np.concatenate([[True], np.diff(time_s[order]) > 0])]
    return np.asarray(time_s[order], dtype=np.float64), order


def _table(path: Path) -> FloatArray:
    array = _array(path)
    if array.ndim != 2 or array.shape[1] != 5:
        raise InputError(
            f"{path} has the shape {array.shape}; a sensor's file is (samples, 5).",
            "Its columns are frame, milliseconds, x, y, z.",
        )
    return array


def _array(path: Path) -> FloatArray:
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is no NumPy file ({error}).", "Unpack it again.") from error


def _poses(path: Path) -> Poses:
    """OpenPose's eighteen points as COCO-17; points at zero are missing."""
    array = _array(path)
    if array.ndim != 3 or array.shape[0] != 2 or array.shape[2] != 19:
        raise InputError(
            f"{path} has the shape {array.shape}; 2D poses are (2, frames, 1 + 18).", "Take the authors' pose_2d files."
        )
    frame = array[0, :, 0]
    order = np.argsort(frame, kind="stable")
    order = order[np.concatenate([[True], np.diff(frame[order]) > 0])]
    points = array[:, order, 1:][:, :, list(_COCO17_OF_OPENPOSE)].transpose(1, 2, 0)  # (T, 17, 2)
    missing = (points == 0.0).all(axis=2) | ~np.isfinite(points).all(axis=2)
    points = np.where(missing[..., None], np.nan, points)
    return Poses((frame[order] + 0.5) / FPS, points, (~missing).astype(np.float64), person="1")


def _labels(path: Path) -> tuple[Label, ...]:
    """Exercises, and what lies between them as `non_activity`."""
    labels: list[Label] = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row:
                continue
            try:
                start, end = (float(cell) / FPS for cell in row[:2])
                name = row[3].strip()
            except (ValueError, IndexError) as error:
                raise InputError(
                    f"{path}, line {number}: {', '.join(row)} is not start frame, end frame, repetitions, exercise.",
                    "Unpack it again.",
                ) from error
            if name not in EXERCISES:
                raise InputError(f"{path}, line {number}: '{name}' is no exercise of MM-Fit.", ", ".join(EXERCISES))
            if labels and start > labels[-1].end_s:
                labels.append(Label(labels[-1].end_s, start, "non_activity"))
            labels.append(Label(start, end, name))
    if not labels:
        raise InputError(f"{path} holds no labels.", "Unpack it again.")
    return tuple(labels)
