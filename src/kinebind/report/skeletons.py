"""The skeleton strip: the person at moments of a busy stretch, the sensors' places marked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.parts import COCO17_EDGES, SITE_PLACES, site_place
from kinebind.poses import Poses

CELL = (100.0, 150.0)
"""Width and height of one picture in its own units."""
_MARGIN = 9.0
_EDGES = tuple(edge for edge in COCO17_EDGES if 0 not in edge)  # the head is a circle: no lines to the nose
_RIGHT = frozenset(edge for edge in _EDGES if all(k % 2 == 0 for k in edge))


@dataclass(frozen=True)
class Picture:
    """One moment: lines and rings in `CELL` units, ready to draw; `head` is a circle (x, y, radius) or None.

    lines: (x1, y1, x2, y2, kind), kind "worn" and a state where a sensor is on that limb,
    else "far" on the right side, else "".
    box_px (4,): left, top, right, bottom of what the picture shows, in the poses' pixels.
    """

    number: int
    time_s: float
    lines: tuple[tuple[float, float, float, float, str], ...]
    head: tuple[float, float, float] | None
    rings: tuple[tuple[float, float, str], ...]
    box_px: FloatArray


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
        start, end, _ = SITE_PLACES[site]
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
        corners = np.concatenate([centre - np.array(CELL) / 2 / scale, centre + np.array(CELL) / 2 / scale])
        rings = [
            (round(float(place[0]), 1), round(float(place[1]), 1), state)
            for site, state in sites.items()
            if (place := site_place(cell, site)) is not None
        ]
        pictures.append(
            Picture(
                number,
                float(poses.time_s[frame]),
                tuple(lines),
                _head(cell, height * scale),
                tuple(rings),
                corners,
            )
        )
    return pictures


def _head(cell: FloatArray, height: float) -> tuple[float, float, float] | None:
    middle = site_place(cell, "head")
    if middle is None or not math.isfinite(height):
        return None
    return round(float(middle[0]), 1), round(float(middle[1]), 1), round(0.055 * height, 1)
