"""UTD-MHAD's skeletons: 20 joints of a first-generation Kinect, one MATLAB file a clip.

The file holds no times, and the camera lost frames. The clip's wrist or thigh sensor covers the same interval
at 50 Hz, so that frame k of T stands at k·(N/50)/T seconds on the sensor's clock, N being the sensor's samples.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.readers._mocap import points_z_up_from_y_up, read_mat
from kinebind.readers.formats_base import Format, Head, read_head

INERTIAL_RATE_HZ = 50.0
"""Rate of the inertial sensor that was worn in every clip."""

# Joint, its parent, its row in the file; sorted from the root outwards.
_TREE = (
    ("hip_centre", "", 3), ("spine", "hip_centre", 2), ("shoulder_centre", "spine", 1), ("head", "shoulder_centre", 0),
    ("left_shoulder", "shoulder_centre", 4), ("left_elbow", "left_shoulder", 5),
    ("left_wrist", "left_elbow", 6), ("left_hand", "left_wrist", 7),
    ("right_shoulder", "shoulder_centre", 8), ("right_elbow", "right_shoulder", 9),
    ("right_wrist", "right_elbow", 10), ("right_hand", "right_wrist", 11),
    ("left_hip", "hip_centre", 12), ("left_knee", "left_hip", 13),
    ("left_ankle", "left_knee", 14), ("left_foot", "left_ankle", 15),
    ("right_hip", "hip_centre", 16), ("right_knee", "right_hip", 17),
    ("right_ankle", "right_knee", 18), ("right_foot", "right_ankle", 19),
)  # fmt: skip
_JOINTS = tuple(name for name, _, _ in _TREE)
_PARENTS = tuple(_JOINTS.index(parent) if parent else -1 for _, parent, _ in _TREE)
_ROWS = np.array([row for _, _, row in _TREE])


def read_utd_skeleton(path: str | Path, *, inertial_samples: int | None = None, rate_hz: float | None = None) -> Motion:
    """Joint positions of a clip, metres, world z up; x to the subject's right, y towards the camera.

    inertial_samples: number of samples of the clip's inertial file; by default it is read from that file, which
    the data set keeps in ../Inertial. rate_hz: frames per second instead, where there is no inertial file.
    Raises InputError where neither is at hand, and for a file without a whole `d_skel` of shape (20, 3, T).
    """
    path = Path(path)
    (skeleton,) = read_mat(path, "d_skel")
    if skeleton.ndim != 3 or skeleton.shape[:2] != (20, 3):
        raise InputError(f"{path}: d_skel has shape {skeleton.shape}, not (20, 3, T).", "Check that it is a skeleton.")
    frames = skeleton.shape[2]
    if rate_hz is None:
        samples = _inertial_samples(path) if inertial_samples is None else inertial_samples
        rate_hz = frames * INERTIAL_RATE_HZ / samples if samples else 0.0
        note = f"Frames are spread evenly over the {samples} samples (50 Hz) of the clip's inertial sensor."
    else:
        note = f"The file has no times: {rate_hz:g} frames/s as given."
    if not 0 < rate_hz < np.inf:
        raise InputError(f"{path}: a rate of {rate_hz} frames/s cannot be.", "Give a positive rate or sample count.")
    position = points_z_up_from_y_up(np.moveaxis(skeleton, 2, 0)[:, _ROWS])
    return Motion(
        time_s=np.arange(frames) / rate_hz,
        skeleton=Skeleton(_JOINTS, _PARENTS, np.full((20, 3), np.nan)),
        position_world=position,
        name=path.stem.removesuffix("_skeleton"),
        notes=(note,),
    )


def _inertial_samples(path: Path) -> int:
    """Samples of the inertial file that belongs to a skeleton file; the file's array is not read."""
    clip = re.sub("_skeleton$", "", path.stem)
    for folder in (path.parent.parent / "Inertial", path.parent):
        inertial = folder / f"{clip}_inertial.mat"
        if inertial.is_file():
            shape = read_head(inertial).mat_variables.get("d_iner", ())
            if len(shape) == 2 and shape[1] == 6 and shape[0] > 0:
                return shape[0]
            raise InputError(f"{inertial} holds no d_iner of shape (N, 6).", "Unpack the data set again.")
    raise InputError(
        f"{path} has no times, and its inertial file is neither in ../Inertial nor beside it.",
        "Put that file there, or give inertial_samples (its number of samples) or rate_hz (frames per second).",
    )


def _is_utd_skeleton(head: Head) -> bool:
    return head.mat_variables.get("d_skel", ())[:2] == (20, 3)


FORMATS = (
    Format("utd-skeleton", "motion", "UTD-MHAD Kinect skeleton (.mat, d_skel)", _is_utd_skeleton, read_utd_skeleton),
)
