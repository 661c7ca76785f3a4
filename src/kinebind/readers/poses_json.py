"""2D poses as JSON: MMPose, OpenPose, and COCO's results format, which AlphaPose and others write too.

None of them has a frame rate. Keypoints are brought to COCO-17: by their names where the file has them, else by
the number of keypoints, which tells the layout.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.parts import COCO17
from kinebind.poses import Poses
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.readers.poses_tracks import Detections, PoseOptions, tracks

_COCO_FIRST = {17: "COCO", 26: "Halpe", 133: "COCO-WholeBody", 136: "Halpe full body"}
"""Layouts whose first 17 keypoints are COCO's, by their number of keypoints."""

_OPENPOSE = {
    25: ("BODY_25", (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)),
    18: ("COCO-18", (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)),
}
"""OpenPose's layouts by their number of keypoints: name, and where each of COCO's 17 stands."""

_FEWEST_NAMES = 8  # of COCO's 17: both hips, knees, shoulders, elbows are the least that a body is known by
_WRONG = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError)
_FIX = "Check that the file is what its format says; export it again."


def read_mmpose(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    time_s: npt.ArrayLike | str | Path | None = None,
    image_size: tuple[int, int] | str | None = None,
    first_frame: int | None = None,
    first_only: bool = False,
) -> tuple[Poses, ...]:
    """People in MMPose's predictions: the demo's `meta_info` and `instance_info`, or the inferencer's list of frames.

    Options as in `PoseOptions`. first_only: of each frame the first person alone, all as one track.
    Raises InputError for other JSON, no people, unknown keypoints, no frame rate.
    """
    place, data = str(path), _json(Path(path))
    names: dict[int, str] = {}
    try:
        if isinstance(data, dict):
            meta = data.get("meta_info") or {}
            names = {int(k): str(v).lower() for k, v in (meta.get("keypoint_id2name") or {}).items()}
            data = data["instance_info"]
        seen, layouts = Detections(), set[str]()
        for frame, instances in _mmpose_frames(data):
            seen.listed.add(frame)
            for person in instances[:1] if first_only else instances:
                points, layout = _mmpose_person(person, names)
                layouts.add(layout)
                seen.add(frame, points, None if first_only else _identity(person.get("track_id")))
    except _WRONG as error:
        raise _unreadable(place, "MMPose's predictions", error) from error
    options = PoseOptions(rate_hz, time_s, image_size, first_frame)
    return tracks(seen, options, place, _layout_notes(layouts))


def _mmpose_frames(data: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Frame number and instances of each frame."""
    if not isinstance(data, list):
        raise ValueError("there is no list of frames")
    for index, entry in enumerate(data):
        if isinstance(entry, list):
            yield index, entry
        elif "instances" in entry:
            yield int(entry.get("frame_id", index)), entry["instances"]
        elif "frame_id" in entry:
            yield int(entry["frame_id"]), [entry]
        else:
            raise ValueError("the people have no frames; these are predictions of one image, not of a video")


def _mmpose_person(person: dict[str, Any], names: dict[int, str]) -> tuple[FloatArray, str]:
    points = np.asarray(person["keypoints"], dtype=np.float64)
    points = points.reshape(-1, points.shape[-1])
    layout = ""
    if points.shape[1] == 2:
        scores = person.get("keypoint_scores")
        layout = "" if scores is not None else " without scores, taken as 1"
        column = np.ones(len(points)) if scores is None else np.asarray(scores, dtype=np.float64).reshape(len(points))
        points = np.column_stack([points, column])
    if names:
        where = {name: index for index, name in names.items()}
        known = [k for k, name in enumerate(COCO17) if name in where]
        if len(known) < _FEWEST_NAMES:
            raise InputError(
                f"its keypoints are called {', '.join(names.values())}", "Use a model of COCO's keypoints."
            )
        out = np.full((17, 3), np.nan)
        out[known] = points[[where[COCO17[k]] for k in known]]
        return out, f"{len(known)} of COCO's keypoints by their names{layout}"
    return _coco_first(points), f"{_COCO_FIRST[len(points)]} layout by the {len(points)} keypoints{layout}"


def read_coco_results(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    time_s: npt.ArrayLike | str | Path | None = None,
    image_size: tuple[int, int] | str | None = None,
    first_frame: int | None = None,
) -> tuple[Poses, ...]:
    """People in a COCO results file, and in AlphaPose's: a list of `image_id`, `keypoints` (x, y, score ...).

    An `image_id` is a number or an image's name whose last number is the frame's. `idx` or `track_id` is the
    person's identity. Options as in `PoseOptions`. Raises InputError for other JSON, no people, unknown keypoints,
    images of several videos, no frame rate.
    """
    place, data = str(path), _json(Path(path))
    seen, layouts, videos = Detections(), set[str](), set[str]()
    try:
        if not isinstance(data, list):
            raise ValueError("there is no list of people")
        for entry in data:
            if entry.get("category_id", 1) != 1:
                continue
            video, frame = _frame_of(entry["image_id"])
            points = np.asarray(entry["keypoints"], dtype=np.float64).reshape(-1, 3)
            videos.add(video)
            layouts.add(f"{_COCO_FIRST.get(len(points), '')} layout by the {len(points)} keypoints")
            seen.add(frame, _coco_first(points), _identity(entry.get("idx", entry.get("track_id"))))
    except _WRONG as error:
        raise _unreadable(place, "COCO results", error) from error
    _check_one_video(videos, place)
    options = PoseOptions(rate_hz, time_s, image_size, first_frame)
    return tracks(seen, options, place, _layout_notes(layouts))


def read_openpose(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    time_s: npt.ArrayLike | str | Path | None = None,
    image_size: tuple[int, int] | str | None = None,
    first_frame: int | None = None,
) -> tuple[Poses, ...]:
    """People in OpenPose's output: a folder with one JSON a frame, or one JSON with all frames (BODY_25, COCO-18).

    In a folder the last number of a file's name is the frame's. One JSON holds a list of frames, or frames by
    their image's name. Options as in `PoseOptions`. Raises InputError for other JSON, no people, unknown
    keypoints, frames of several videos, no frame rate.
    """
    place, folder = str(path), Path(path)
    seen, layouts = Detections(), set[str]()
    try:
        for frame, people in _openpose_folder(folder) if folder.is_dir() else _openpose_file(folder):
            seen.listed.add(frame)
            for person in people:
                flat = person["pose_keypoints_2d"] if "pose_keypoints_2d" in person else person["pose_keypoints"]
                points = np.asarray(flat, dtype=np.float64).reshape(-1, 3)
                if not len(points):
                    continue
                if len(points) not in _OPENPOSE:
                    raise InputError(f"a person has {len(points)} keypoints", "Export BODY_25 (25) or COCO (18).")
                layout, order = _OPENPOSE[len(points)]
                layouts.add(f"{layout} layout by the {len(points)} keypoints")
                seen.add(frame, points[list(order)], _identity(person.get("person_id")))
    except _WRONG as error:
        raise _unreadable(place, "OpenPose's output", error) from error
    options = PoseOptions(rate_hz, time_s, image_size, first_frame)
    return tracks(seen, options, place, _layout_notes(layouts))


def _openpose_folder(folder: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    files: dict[int, Path] = {}
    videos = set()
    for file in sorted(folder.glob("*.json")):
        video, frame = _frame_of(file.name)
        videos.add(video)
        files[frame] = file
    if not files:
        raise InputError("the folder holds no JSON files", "Name the folder that OpenPose wrote (--write_json).")
    _check_one_video(videos, str(folder))
    for frame, file in sorted(files.items()):
        data = _json(file)
        if not isinstance(data, dict) or "people" not in data:
            raise InputError(f"{file.name} has no list of people", _FIX)
        yield frame, data["people"]


def _openpose_file(file: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    data = _json(file)
    if isinstance(data, dict) and "people" in data:
        raise InputError("it is a single frame", "Name the folder with all frames.")
    if isinstance(data, dict):
        numbered = [(_frame_of(name), frame) for name, frame in data.items()]
        _check_one_video({video for (video, _), _ in numbered}, str(file))
        frames = [(number, frame) for (_, number), frame in numbered]
    else:
        frames = list(enumerate(data))
    for number, frame in frames:
        yield number, frame["people"]


def _json(path: Path) -> Any:
    head = read_head(path)
    try:
        return json.loads(head.path.read_bytes(), object_hook=_numbers_as_arrays)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no complete JSON: {error}.", "Export it again.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.", "Check the path and the disk.") from error


def _numbers_as_arrays(entry: dict[str, Any]) -> dict[str, Any]:
    """A parsed object whose keypoints are arrays at once: an hour of lists takes twice the time and memory."""
    for key in ("keypoints", "keypoint_scores", "pose_keypoints_2d", "pose_keypoints"):
        if isinstance(entry.get(key), list):
            with contextlib.suppress(TypeError, ValueError, OverflowError):  # the reader says what is wrong, and where
                entry[key] = np.array(entry[key], dtype=np.float64)
    return entry


def _unreadable(place: str, what: str, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error if place in error.what else error.at(place)
    return InputError(f"{place} cannot be read as {what}: {error}.", _FIX)


def _coco_first(points: FloatArray) -> FloatArray:
    if points.ndim != 2 or points.shape[1] != 3 or len(points) not in _COCO_FIRST:
        counts = ", ".join(map(str, _COCO_FIRST))
        raise InputError(f"a person has {len(points)} keypoints", f"Known layouts have {counts} keypoints.")
    return points[:17]


def _identity(given: Any) -> str | None:
    """A track's identity as text, from a number, a text, or a number in lists; None for none (−1, empty)."""
    while isinstance(given, list) and given:
        given = given[0]
    if given is None or isinstance(given, bool | list | dict) or given == "":
        return None
    if isinstance(given, int | float):
        return f"{given:g}" if given >= 0 else None
    return str(given)


def _frame_of(name: Any) -> tuple[str, int]:
    """The video (what stands before the number) and the frame number of an image's number or name."""
    if isinstance(name, int) and not isinstance(name, bool):
        return "", name
    stem = re.sub(r"\.[A-Za-z]\w*$", "", str(name))  # the extension may hold a digit
    match = re.fullmatch(r"(.*?)(\d{1,15})\D*", stem, re.DOTALL)
    if match is None:
        raise InputError(f"'{name}' holds no frame number", "Name images by their frame, as video_000001.jpg.")
    return match[1], int(match[2])


def _check_one_video(videos: set[str], place: str) -> None:
    if len(videos) > 1:
        some = ", ".join(repr(v) for v in sorted(videos)[:4])
        raise InputError(f"{place} holds frames of several videos ({some}).", "Split them, one file or folder each.")


def _layout_notes(layouts: set[str]) -> list[str]:
    return [f"Keypoints are read as {layout}." for layout in sorted(layouts)]


def _is_json(head: Head) -> bool:
    return not head.is_binary and head.text.lstrip()[:1] in ("{", "[")


def _is_mmpose(head: Head) -> bool:
    return _is_json(head) and any(f'"{key}"' in head.text for key in ("instance_info", "instances", "keypoint_scores"))


def _is_openpose(head: Head) -> bool:
    return _is_json(head) and '"people"' in head.text


def _is_coco_results(head: Head) -> bool:
    return _is_json(head) and '"image_id"' in head.text and '"keypoints"' in head.text and '"images"' not in head.text


FORMATS = (
    Format("mmpose", "poses", "MMPose predictions (.json, demo or inferencer)", _is_mmpose, read_mmpose),
    Format("openpose", "poses", "OpenPose output (folder of .json, or one .json)", _is_openpose, read_openpose),
    Format("coco-results", "poses", "COCO results and AlphaPose (.json)", _is_coco_results, read_coco_results),
)
