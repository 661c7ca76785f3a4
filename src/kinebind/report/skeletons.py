"""The skeleton strip: the person at moments of a busy stretch, the sensors' places marked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.parts import COCO17_EDGES
from kinebind.poses import Poses

CELL = (100.0, 150.0)
"""Width and height of one picture in its own units."""
_MARGIN = 9.0
_HEAD = (0, 1, 2, 3, 4)

_PLACES: dict[str, tuple[tuple[int, ...], tuple[int, ...], float]] = {
    "head": (_HEAD, _HEAD, 0.0), "chest": ((11, 12), (5, 6), 0.75), "pelvis": ((11, 12), (5, 6), 0.0),
    "left_upper_arm": ((5,), (7,), 0.55), "right_upper_arm": ((6,), (8,), 0.55),
    "left_wrist": ((7,), (9,), 0.95), "right_wrist": ((8,), (10,), 0.95),
    "left_thigh": ((11,), (13,), 0.55), "right_thigh": ((12,), (14,), 0.55),
    "left_shank": ((13,), (15,), 0.5), "right_shank": ((14,), (16,), 0.5),
    "left_foot": ((13,), (15,), 1.0), "right_foot": ((14,), (16,), 1.0),
}  # fmt: skip
# A site lies this share of the way from the middle of some keypoints to the middle of others.
_EDGES = tuple(edge for edge in COCO17_EDGES if 0 not in edge)  # the head is a circle: no lines to the nose
_RIGHT = frozenset(edge for edge in _EDGES if all(k % 2 == 0 for k in edge))


@dataclass(frozen=True)
class Picture:
    """One moment: lines and rings in `CELL` units, ready to draw; `head` is a circle (x, y, radius) or None.

    lines: (x1, y1, x2, y2, kind), kind "worn" and a state where a sensor is on that limb,
    else "far" on the right side, else "".
    box_px: left, top, right, bottom of what the picture shows, in the poses' pixels.
    """

    number: int
    time_s: float
    lines: tuple[tuple[float, float, float, float, str], ...]
    head: tuple[float, float, float] | None
    rings: tuple[tuple[float, float, str], ...]
    box_px: tuple[float, float, float, float]


def moments(poses: Poses, window_s: tuple[float, float], count: int = 9) -> np.ndarray:
    """Indices of up to `count` evenly spaced frames with somebody in them, inside a window of the video's clock."""
    seen = np.isfinite(poses.keypoints_px[..., 0]).sum(axis=1) >= 4
    inside = np.flatnonzero(seen & (poses.time_s >= window_s[0]) & (poses.time_s <= window_s[1]))
    if inside.size == 0:
        return inside
    wanted = np.linspace(window_s[0], window_s[1], count)
    nearest = np.abs(poses.time_s[inside][None, :] - wanted[:, None]).argmin(axis=1)
    return np.unique(inside[nearest])


def strip(poses: Poses, frames: np.ndarray, sites: Mapping[str, str]) -> list[Picture]:
    """Pictures of the person at some frames, all to one scale, each centred on the person.

    sites: site -> state ("answered" or "refused"), which the page gives to its ring.
    """
    if frames.size == 0:
        return []
    points = poses.keypoints_px[frames]
    kinds = {edge: "far" if edge in _RIGHT else "" for edge in _EDGES}
    for site, state in sites.items():
        start, end, _ = _PLACES[site]
        if (start[0], end[0]) in kinds and len(start) == len(end) == 1:
            kinds[start[0], end[0]] = f"worn {state}"
    width = max(float(np.nanmax(p[:, 0]) - np.nanmin(p[:, 0])) for p in points)
    height = max(float(np.nanmax(p[:, 1]) - np.nanmin(p[:, 1])) for p in points)
    room = (CELL[0] - 2 * _MARGIN, CELL[1] - 2 * _MARGIN)
    scale = min(room[0] / max(width, 1e-9), room[1] / max(height, 1e-9))
    pictures = []
    for number, (frame, p) in enumerate(zip(frames, points, strict=True), start=1):
        centre = np.array([np.nanmin(p, axis=0), np.nanmax(p, axis=0)]).mean(axis=0)
        cell = (p - centre) * scale + np.array(CELL) / 2
        lines = []
        for (a, b), kind in kinds.items():
            if np.isfinite(cell[[a, b]]).all():
                x1, y1, x2, y2 = (round(float(v), 1) for v in (*cell[a], *cell[b]))
                lines.append((x1, y1, x2, y2, kind))
        left, top, right, bottom = (
            float(v) for v in (*(centre - np.array(CELL) / 2 / scale), *(centre + np.array(CELL) / 2 / scale))
        )
        box = (left, top, right, bottom)
        rings = [(*place, state) for site, state in sites.items() if (place := _place(cell, site)) is not None]
        pictures.append(
            Picture(
                number,
                float(poses.time_s[frame]),
                tuple(lines),
                _head(cell, height * scale),
                tuple(rings),
                box,
            )
        )
    return pictures


def _middle(cell: FloatArray, keypoints: tuple[int, ...]) -> FloatArray | None:
    found = cell[list(keypoints)]
    found = found[np.isfinite(found[:, 0])]
    return np.asarray(found.mean(axis=0)) if found.size else None


def _place(cell: FloatArray, site: str) -> tuple[float, float] | None:
    start_of, end_of, share = _PLACES[site]
    start = _middle(cell, start_of)
    end = _middle(cell, end_of) if share else start
    if start is None or end is None:
        return None
    x, y = start + share * (end - start)
    return round(float(x), 1), round(float(y), 1)


def _head(cell: FloatArray, height: float) -> tuple[float, float, float] | None:
    middle = _middle(cell, _HEAD)
    if middle is None or not math.isfinite(height):
        return None
    return round(float(middle[0]), 1), round(float(middle[1]), 1), round(0.055 * height, 1)
