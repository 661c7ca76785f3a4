"""2D poses as NumPy's .npz: the format to write from any other detector in one line.

    np.savez("poses.npz", keypoints_px=keypoints, scores=scores, time_s=times, image_size=(1920, 1080))

keypoints_px (T, 17, 2), or (T, P, 17, 2) for P people whose place in the array is their identity: COCO-17, pixels,
x to the right, y down; NaN (or x = y = 0) where missing.
scores (T, 17) or (T, P, 17), optional: the detector's confidence.
time_s (T,): the frames' times in seconds; or rate_hz: one number.
image_size, optional: width and height in pixels. persons, optional: P names.
steady_from_image (T, 2, 3), optional: for each frame the affine map of its pixels to those of one steady picture, by
which the camera's own motion is taken out when the file is read; NaN where it is not known.
notes, optional: sentences about how the poses came to be.

`kinebind pose` writes such files, with further arrays that this reader leaves alone.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.readers.poses_tracks import Detections, PoseOptions, tracks
from kinebind.store import written_whole

_KEYS = ("keypoints_px", "scores", "time_s", "rate_hz", "image_size", "persons", "steady_from_image", "notes")
_TEXT = ("persons", "notes")


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
    notes = [str(note) for note in arrays.get("notes", np.zeros(0, dtype=str)).ravel()]
    if "steady_from_image" in arrays:
        points = _steady(points, arrays["steady_from_image"], place)
        notes.append("The camera's own motion is taken out.")
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
    own_s = arrays.get("time_s", np.zeros(0)).ravel()
    if rate_hz is not None and time_s is None and own_s.size == frames > 1 and np.isfinite(own_s).all():
        # Frames in which nobody is seen may be missing: what is wrong with the times is how fast they run.
        own_hz = 1.0 / float(np.median(np.diff(own_s)))
        notes.append(f"The file's times, {own_hz:.4g} frames a second, are taken as {rate_hz:.4g}.")
        time_s, rate_hz = own_s * (own_hz / rate_hz), None
    if "scores" not in arrays:
        notes.append("The file has no scores: they are taken as 1.")
    return tracks(seen, PoseOptions(rate_hz, time_s, size, first_frame=0), place, notes)


def write_npz(people: Sequence[Poses], path: str | Path, **further: npt.NDArray[Any]) -> None:
    """Write people to an .npz, whole or not at all, on the union of their frames; NaN where somebody is not seen.

    further: arrays beside them, such as `steady_from_image` and `notes`.
    Raises InputError where the place cannot be written.
    """
    time_s = np.unique(np.concatenate([p.time_s for p in people]))
    points = np.full((time_s.size, len(people), 17, 2), np.nan)
    scores = np.full((time_s.size, len(people), 17), np.nan)
    for k, person in enumerate(people):
        at = np.searchsorted(time_s, person.time_s)
        points[at, k] = person.keypoints_px
        # In the file a score of zero, or none, would make a keypoint count as missing.
        scores[at, k] = np.where(np.isnan(person.scores), 1.0, np.maximum(person.scores, 1e-6))
    arrays: dict[str, npt.NDArray[Any]] = {
        "keypoints_px": points, "scores": scores, "time_s": time_s, "persons": np.array([p.person for p in people]),
    }  # fmt: skip
    size = people[0].image_size_px
    if size is not None:
        arrays["image_size"] = np.array(size)
    with written_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays, **further)  # type: ignore[arg-type]


def _steady(points: FloatArray, maps: FloatArray, place: str) -> FloatArray:
    """Keypoints (T, P, 17, 2) in the steady picture, by maps (T, 2, 3)."""
    if maps.shape != (points.shape[0], 2, 3):
        raise InputError(f"{place}: steady_from_image has shape {maps.shape}.", "It must be (T, 2, 3).")
    missing = (points == 0).all(axis=-1)  # which stands for a missing keypoint, and is no place to be moved
    moved = np.einsum("tij,tpkj->tpki", maps[:, :, :2], points) + maps[:, None, None, :, 2]
    return np.where(missing[..., None], np.nan, moved)


def _arrays(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """The known arrays of the file: numbers as float64, names as text."""
    head = read_head(path)
    try:
        with head.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = list(file.files)
            known = {key: file[key] for key in _KEYS if key in found}
        arrays = {key: a if key in _TEXT else a.astype(np.float64) for key, a in known.items()}
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
