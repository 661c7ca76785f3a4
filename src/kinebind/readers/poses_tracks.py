"""From the people that a pose detector saw in single frames to one track a person on the video's clock.

Every pose file comes to this in the end: detections with a frame number, and perhaps a track identity. What is
not in the file (frame rate, image size) must be given; identities that are missing are found by assignment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.readers.formats_base import read_head

IntArray = npt.NDArray[np.int64]

KEEP_S = 2.0
"""How long a person who is out of sight keeps the identity."""

GATE = (0.5, 20.0, 2.0)
"""Farthest that a person moves between two sightings: at once, per second, at most, in units of the body's size.

The size is the RMS distance of the keypoints to their middle, about 0.45 m: 20 a second are 9 m/s.
"""

NORMALISED_LIMIT = 2.0  # coordinates within this are no pixels; the limit of `Poses`


@dataclass(frozen=True)
class PoseOptions:
    """What a user tells about a pose file beside the file itself.

    rate_hz: frames per second of the video. time_s: the times of the video's frames in seconds, as numbers or as
    a file (.npy, or text with one number a line). image_size: (width, height) in pixels or "WIDTHxHEIGHT".
    first_frame: the number that the video's first frame has in the file.
    """

    rate_hz: float | None = None
    time_s: npt.ArrayLike | str | Path | None = None
    image_size: tuple[int, int] | str | None = None
    first_frame: int | None = None


@dataclass
class Detections:
    """People seen in frames: one entry each.

    frame: the frame's number in the file. keypoints: (17, 3) arrays of x, y and score in COCO's order; NaN, a
    score of 0 or x = y = 0 where missing. track: identity, or None. listed: numbers of all frames that the file
    lists, those without people too.
    """

    frame: list[int] = field(default_factory=list)
    keypoints: list[FloatArray] = field(default_factory=list)
    track: list[str | None] = field(default_factory=list)
    listed: set[int] = field(default_factory=set)

    def add(self, frame: int, keypoints: FloatArray, track: str | None) -> None:
        """One more person in a frame; raises ValueError for a number that cannot be a frame's."""
        if not 0 <= frame < 2**53:
            raise ValueError(f"{frame} is no frame number")
        self.listed.add(frame)
        self.frame.append(frame)
        self.keypoints.append(keypoints)
        self.track.append(track)


def tracks(seen: Detections, options: PoseOptions, place: str, notes: Sequence[str] = ()) -> tuple[Poses, ...]:
    """One `Poses` for every person, in the order of how long they are seen.

    People keep the identities of the file; where it has none they are told apart by where they are and are called
    "1", "2", ... Raises InputError where nobody is seen in two frames, where neither a frame rate nor times are
    given, and for coordinates that are no pixels.
    """
    if not seen.frame:
        raise InputError(
            f"{place} shows no people in {len(seen.listed)} frames.",
            "Check that it is the right file, and lower the detector's threshold.",
        )
    told = list(notes)
    frame = np.array(seen.frame, dtype=np.int64)
    points = np.stack(seen.keypoints)
    points[~(points[..., 2] > 0) | ~np.isfinite(points).all(axis=-1) | (points[..., :2] == 0).all(axis=-1)] = np.nan
    visible = np.any(np.isfinite(points[..., 0]), axis=1)
    frame, points = frame[visible], points[visible]
    given = [track for track, keep in zip(seen.track, visible, strict=True) if keep]

    size = image_size_px(options.image_size)
    if visible.any() and float(np.nanmax(np.abs(points[..., :2]))) <= NORMALISED_LIMIT and size is not None:
        if float(np.nanmin(points[..., :2])) < -0.2:
            raise InputError(f"{place}: coordinates run from −1 to 1.", "Export the keypoints in pixels.")
        points[..., :2] *= size
        told.append(f"Coordinates from 0 to 1 are multiplied by the image size {size[0]}x{size[1]}.")
    time_s = _frame_times(frame, min(seen.listed), options, told, place)

    if any(track is not None for track in given):
        track = np.array([-1 if name is None else 0 for name in given])
        names = sorted({name for name in given if name is not None})
        track[track == 0] = [names.index(name) for name in given if name is not None]
        if (track < 0).any():
            told.append(f"{np.count_nonzero(track < 0)} detections without an identity are left out.")
    elif np.unique(frame).size == frame.size:
        track, names = np.zeros(frame.size, dtype=np.int64), ["1"]
    else:
        track, names = associate(time_s, points[..., :2]), []
        told.append("The file names no people: they are told apart by where they are from frame to frame.")
    return _people(time_s, points, track, names, size, told, place)


def _people(
    time_s: FloatArray,
    points: FloatArray,
    track: IntArray,
    names: list[str],
    size: tuple[int, int] | None,
    notes: list[str],
    place: str,
) -> tuple[Poses, ...]:
    """Tracks (N,) of people as `Poses`, longest first, called by `names` or else by their rank."""
    rows: list[tuple[int, IntArray]] = []
    for person in range(int(track.max(initial=-1)) + 1):
        mine = np.flatnonzero(track == person)
        # The surest of several detections with one identity in one frame.
        score = np.where(np.isnan(points[mine, :, 2]), 0.0, points[mine, :, 2]).sum(axis=1)
        order = np.lexsort((-score, time_s[mine]))
        first = np.append(True, np.diff(time_s[mine][order]) > 0)
        if np.count_nonzero(first) >= 2:
            rows.append((person, mine[order][first]))
    if not rows:
        raise InputError(f"{place}: nobody is seen in two frames.", "Check that it is a whole video's file.")
    rows.sort(key=lambda item: -item[1].size)
    return tuple(
        Poses(
            time_s=time_s[mine],
            keypoints_px=points[mine, :, :2],
            scores=points[mine, :, 2],
            image_size_px=size,
            person=names[person] if names else str(rank),
            notes=tuple(notes),
        )
        for rank, (person, mine) in enumerate(rows, 1)
    )


def associate(time_s: FloatArray, keypoints_px: FloatArray) -> IntArray:
    """Identity (N,) of each detection: frame by frame the assignment with the least total movement.

    time_s (N,): the detections' frame times, seconds. keypoints_px (N, 17, 2): NaN where missing. Movement is the
    mean distance of the keypoints that both sightings show, in units of the body's size, within `GATE`.
    """
    known = np.isfinite(keypoints_px[..., 0])
    filled = np.where(known[..., None], keypoints_px, 0.0)
    count = np.maximum(known.sum(axis=1), 1)
    middle = filled.sum(axis=1) / count[:, None]
    spread = np.where(known[..., None], keypoints_px - middle[:, None], 0.0)
    size = np.maximum(np.sqrt((spread**2).sum(axis=(1, 2)) / count), 1.0)

    track = np.full(time_s.size, -1, dtype=np.int64)
    last = np.zeros(0, dtype=np.int64)  # the latest detection of each identity that is still kept
    order = np.argsort(time_s, kind="stable")
    at, new = 0, 0
    for stop in [*(np.flatnonzero(np.diff(time_s[order]) > 0) + 1), time_s.size]:
        here = order[at:stop]
        at = int(stop)
        last = last[time_s[here[0]] - time_s[last] <= KEEP_S]
        if last.size:
            shared = known[last][:, None] & known[here]
            distance = np.linalg.norm(filled[last][:, None] - filled[here], axis=-1)
            moved = (distance * shared).sum(axis=-1) / np.maximum(shared.sum(axis=-1), 1)
            moved /= 0.5 * (size[last][:, None] + size[here])
            least, per_s, most = GATE
            gate = np.minimum(least + per_s * (time_s[here[0]] - time_s[last]), most)[:, None]
            refused = (moved > gate) | ~shared.any(axis=-1)
            rows, columns = linear_sum_assignment(np.where(refused, 1e3, moved))
            fits = ~refused[rows, columns]
            track[here[columns[fits]]] = track[last[rows[fits]]]
            last = np.delete(last, rows[fits])
        unknown = here[track[here] < 0]
        track[unknown] = np.arange(new, new + unknown.size)
        new += unknown.size
        last = np.concatenate([last, here])
    return track


def _frame_times(frame: IntArray, lowest: int, options: PoseOptions, notes: list[str], place: str) -> FloatArray:
    """Times (N,) of frame numbers (N,), seconds on the video's clock; adds to the notes what was assumed.

    lowest: the lowest number of a frame in the file, with or without people.
    """
    if frame.size == 0:
        raise InputError(f"{place} shows no visible keypoints.", "Lower the detector's threshold.")
    # A count that starts at 1 is one-based; one that starts later is a person who came late, counted from zero.
    first = (lowest if lowest == 1 else 0) if options.first_frame is None else options.first_frame
    index = frame - first
    if (index < 0).any():
        raise InputError(f"{place}: frame {frame.min()} stands before the first frame {first}.", "Lower first_frame.")
    if options.first_frame is None:
        notes.append(f"Frame {first} of the file is taken as the video's first (first_frame).")
    step = np.diff(np.unique(frame))
    if step.size and np.median(step) > 1:
        notes.append(f"Frames are numbered in steps of {np.median(step):g}: the rate counts the numbers between, too.")
    if options.time_s is not None:
        times = _times(options.time_s)
        if int(index.max()) >= times.size:
            raise InputError(
                f"{place} has a frame number {frame.max()}, but only {times.size} frame times are given.",
                "Give the times of all frames of the video.",
            )
        return times[index]
    return index / frame_rate_hz(options.rate_hz, place)


def frame_rate_hz(rate_hz: float | None, place: str) -> float:
    """The frame rate that was given; raises InputError where none was, or one that cannot be."""
    if rate_hz is None:
        raise InputError(
            f"{place} does not say how many frames a second its video has.",
            "Give the video's frame rate (--fps 30, or rate_hz=30) or the times of its frames (time_s).",
        )
    if not 0 < rate_hz < 1e5:
        raise InputError(f"A rate of {rate_hz} frames/s cannot be.", "Give the video's frame rate.")
    return float(rate_hz)


def _times(given: npt.ArrayLike | str | Path) -> FloatArray:
    """Frame times as numbers, from numbers or from a file."""
    try:
        if isinstance(given, str | Path):
            path = read_head(given).path
            given = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=1)
        times = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError, EOFError, UnicodeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"The frame times cannot be read: {error}.", "Give one number a line, in seconds.") from error
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError("The frame times do not increase strictly.", "Give one time in seconds for every frame.")
    return times


def image_size_px(given: tuple[int, int] | str | None) -> tuple[int, int] | None:
    """(width, height) from a pair or from "WIDTHxHEIGHT"; raises InputError for anything else."""
    if given is None:
        return None
    if isinstance(given, str):
        match = re.fullmatch(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*", given)
        given = (int(match[1]), int(match[2])) if match else (0, 0)
    if len(given) != 2 or not all(0 < side < 1e6 for side in given):
        raise InputError(f"'{given}' is no image size.", "Give WIDTHxHEIGHT in pixels, as 1920x1080.")
    return int(given[0]), int(given[1])
