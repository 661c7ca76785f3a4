"""2D poses as NumPy's .npz: the format to write from any other detector in one line.

    np.savez("poses.npz", keypoints_px=keypoints, scores=scores, time_s=times, image_size=(1920, 1080))

keypoints_px (T, 17, 2), or (T, P, 17, 2) for P people whose place in the array is their identity: COCO-17, pixels,
x to the right, y down; NaN (or x = y = 0) where missing.
scores (T, 17) or (T, P, 17), optional: the detector's confidence.
time_s (T,): the frames' times in seconds; or rate_hz: one number.
image_size, optional: width and height in pixels. persons, optional: P names.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.readers.poses_tracks import Detections, PoseOptions, tracks

_KEYS = ("keypoints_px", "scores", "time_s", "rate_hz", "image_size", "persons")


def read_npz(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    time_s: npt.ArrayLike | str | Path | None = None,
    image_size: tuple[int, int] | str | None = None,
) -> tuple[Poses, ...]:
    """People in an .npz with the keys that the module describes; what is given here goes before the file's own.

    Raises InputError for other arrays, wrong shapes, no people, and where neither times nor a rate are known.
    """
    place, arrays = str(path), _arrays(path)
    points = arrays["keypoints_px"]
    if points.ndim == 3:
        points = points[:, None]
    if points.ndim != 4 or points.shape[2:] != (17, 2) or 0 in points.shape:
        raise InputError(
            f"{place}: keypoints_px has shape {arrays['keypoints_px'].shape}.",
            "It must be (T, 17, 2) or (T, P, 17, 2).",
        )
    frames, people = points.shape[:2]
    scores = arrays.get("scores", np.ones((frames, people, 17)))
    if scores.shape not in (points.shape[:3], arrays["keypoints_px"].shape[:-1]):
        raise InputError(
            f"{place}: scores has shape {scores.shape}.", "It must be keypoints_px's without the last axis."
        )
    names = [str(name) for name in arrays.get("persons", np.arange(1, people + 1)).ravel()]
    if len(set(names)) != people:
        raise InputError(f"{place}: persons does not hold {people} different names.", "Give one name each.")
    values = np.concatenate([points, scores.reshape(frames, people, 17, 1)], axis=-1)
    seen = Detections()
    for k in range(frames):
        for person in range(people):
            seen.add(k, values[k, person], names[person])

    size = image_size
    if size is None and "image_size" in arrays:
        sides = np.nan_to_num(arrays["image_size"].ravel())
        size = (int(sides[0]), int(sides[1])) if sides.size == 2 else (0, 0)
    if rate_hz is None and time_s is None:
        time_s = arrays.get("time_s")
        rate_hz = float(arrays["rate_hz"].ravel()[0]) if arrays.get("rate_hz", np.zeros(0)).size == 1 else None
    notes = [] if "scores" in arrays else ["The file has no scores: they are taken as 1."]
    return tracks(seen, PoseOptions(rate_hz, time_s, size, first_frame=0), place, notes)


def _arrays(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """The known arrays of the file: numbers as float64, names as text."""
    head = read_head(path)
    try:
        with head.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = list(file.files)
            known = {key: file[key] for key in _KEYS if key in found}
        arrays = {key: a if key == "persons" else a.astype(np.float64) for key, a in known.items()}
    except Exception as error:  # numpy and zipfile raise whatever a damaged file leads to
        raise InputError(f"{path} cannot be read as .npz: {error}.", "Write it with numpy.savez.") from error
    if "keypoints_px" not in arrays:
        raise InputError(
            f"{path} has no array keypoints_px; it has {', '.join(found) or 'nothing'}.",
            f"Write it with the keys {', '.join(_KEYS)}.",
        )
    return arrays


def _is_npz(head: Head) -> bool:
    if not head.data.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(head.path) as file:
            return "keypoints_px.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


FORMATS = (Format("npz", "poses", "NumPy .npz with keypoints_px, scores, time_s or rate_hz", _is_npz, read_npz),)
