"""Calibrated cameras: bodies triangulated from several of them, and who of one camera is who of another.

Needs OpenCV, for the lenses' distortion.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray

BoolArray = npt.NDArray[np.bool_]

_PER_PIXEL = 64.0  # of Qualisys' intrinsics
_WRONG_PX = 40.0
"""A camera that is farther off than this from what the others agree on is left out of a joint."""
_SAME_PX = 25.0
"""Median misfit of two tracks of two cameras up to which they are of one person."""


@dataclass(frozen=True, eq=False)
class View:
    """A calibrated camera. matrix (3, 3) and distortion (5,) as OpenCV has them; rot_camera_from_world (3, 3), the
    camera's x to the image's right, y down, z forward; centre_world_m (3,).
    """

    name: str
    matrix: FloatArray
    distortion: FloatArray
    rot_camera_from_world: FloatArray
    centre_world_m: FloatArray

    def rays(self, points_px: FloatArray) -> FloatArray:
        """Undistorted image coordinates (..., 2) at a distance of 1 of pixels (..., 2); NaN stays NaN."""
        flat = points_px.reshape(-1, 1, 2)
        known = np.isfinite(flat).all(axis=(1, 2))
        out = np.full((len(flat), 2), np.nan)
        if known.any():
            out[known] = cv2.undistortPoints(flat[known], self.matrix, self.distortion)[:, 0]
        return out.reshape(points_px.shape)

    def project(self, points_world: FloatArray) -> FloatArray:
        """Pixels (..., 2) of points (..., 3), metres; NaN stays NaN."""
        flat = points_world.reshape(-1, 3)
        known = np.isfinite(flat).all(axis=1)
        out = np.full((len(flat), 2), np.nan)
        if known.any():
            turn, _ = cv2.Rodrigues(self.rot_camera_from_world)
            shift = -self.rot_camera_from_world @ self.centre_world_m
            out[known] = cv2.projectPoints(flat[known], turn, shift, self.matrix, self.distortion)[0][:, 0]
        return out.reshape(*points_world.shape[:-1], 2)


def read_qualisys(path: str | Path) -> tuple[View, ...]:
    """The cameras of a Qualisys calibration: intrinsics in 64ths of a pixel, places in millimetres, z up.

    The rows of its rotation are the image's right, its up, and backwards.
    """
    out = []
    for camera in ElementTree.parse(path).getroot().iter("camera"):
        lens, pose = camera.find("intrinsic"), camera.find("transform")
        assert lens is not None, "every camera of such a file has both"
        assert pose is not None, "every camera of such a file has both"

        def number(name: str, of: ElementTree.Element = lens) -> float:
            return float(of.attrib[name])

        rows = np.array([[number(f"r{i}{j}", pose) for j in (1, 2, 3)] for i in (1, 2, 3)])
        matrix = np.eye(3)
        matrix[0, 0], matrix[1, 1] = number("focalLengthU") / _PER_PIXEL, number("focalLengthV") / _PER_PIXEL
        matrix[0, 2], matrix[1, 2] = number("centerPointU") / _PER_PIXEL, number("centerPointV") / _PER_PIXEL
        radial = [number(f"radialDistortion{k}") for k in (1, 2, 3)]
        tangential = [number(f"tangentalDistortion{k}") for k in (1, 2)]
        out.append(
            View(
                camera.attrib["serial"], matrix, np.array([*radial[:2], *tangential, radial[2]]),
                np.array([rows[0], -rows[1], -rows[2]]), np.array([number(axis, pose) for axis in "xyz"]) / 1000.0,
            )
        )  # fmt: skip
    return tuple(out)


def triangulated(views: Sequence[View], points_px: FloatArray) -> FloatArray:
    """Points (..., 3), metres, nearest to the rays of pixels (V, ..., 2); NaN with fewer than two rays.

    Linear: a camera's ray (x, y) asks of the point in its frame that X − x·Z = 0 and Y − y·Z = 0.
    """
    square = np.zeros((*points_px.shape[1:-1], 3, 3))
    right = np.zeros((*points_px.shape[1:-1], 3))
    count = np.zeros(points_px.shape[1:-1])
    for view, own in zip(views, points_px, strict=True):
        rays = view.rays(own)
        known = np.isfinite(rays).all(axis=-1)
        x, y, z = view.rot_camera_from_world
        for k, axis in enumerate((x, y)):
            row = np.where(np.asarray(known)[..., None], axis - np.nan_to_num(rays[..., k : k + 1]) * z, 0.0)
            square += row[..., :, None] * row[..., None, :]
            right += row * (row @ view.centre_world_m)[..., None]
        count += known
    enough = np.asarray(count >= 2)
    out = np.full(right.shape, np.nan)
    out[enough] = np.linalg.solve(square[enough], right[enough][..., None])[..., 0]
    return out


def agreed(views: Sequence[View], points_px: FloatArray) -> FloatArray:
    """Joints (F, J, 3), metres, of a body in pixels (V, F, J, 2) of three cameras or more, by those that agree.

    In each frame two cameras are sought with whom most others agree, half of the joints within 40 px; the others are
    left out, as they follow somebody else. Of the rest, a camera may be left out of single joints.
    """
    best = np.full(points_px.shape[1], -1.0)
    trusted = np.zeros(points_px.shape[:2], dtype=bool)
    for pair in itertools.combinations(range(len(views)), 2):
        world = triangulated([views[k] for k in pair], points_px[list(pair)])
        off = np.stack(_distances(views, world, points_px))
        off = np.minimum(np.where(np.isfinite(off), off, _WRONG_PX), _WRONG_PX)
        usual = np.median(off, axis=2)  # (V, F)
        worth = (usual < _WRONG_PX).sum(axis=0) + 1.0 - usual.mean(axis=0) / _WRONG_PX
        better = worth > best
        best = np.where(better, worth, best)
        trusted = np.where(better, usual < _WRONG_PX, trusted)
    points_px = np.where(trusted[:, :, None, None], points_px, np.nan)
    for _ in range(len(views) - 2):
        off = np.nan_to_num(np.stack(_distances(views, triangulated(views, points_px), points_px)), nan=-1.0)
        worst = np.arange(len(views))[:, None, None] == off.argmax(axis=0)
        bad = worst & (off > _WRONG_PX) & ((off >= 0.0).sum(axis=0) > 2)
        if not bad.any():
            break
        points_px[bad] = np.nan
    return triangulated(views, points_px)


def same_people(views: Sequence[View], tracks: Sequence[FloatArray]) -> list[list[tuple[int, int]]]:
    """Who is who: for each person the tracks, (view, number), that are hers.

    tracks: (N, F, 17, 2) of each view, pixels, at frames that all views share. Tracks are joined, the best fitting
    first, where two cameras' rays meet, and where no camera then has two of one person in the same frame.
    """
    each = [(v, n) for v, own in enumerate(tracks) for n in range(len(own))]
    pairs = []
    for a, b in itertools.combinations(each, 2):
        if a[0] != b[0]:
            misfit = _misfit([views[a[0]], views[b[0]]], np.stack([tracks[a[0]][a[1]], tracks[b[0]][b[1]]]))
            if misfit < _SAME_PX:
                pairs.append((misfit, a, b))
    group = {own: [own] for own in each}
    for _, a, b in sorted(pairs):
        if group[a] is not group[b] and not _clash(group[a] + group[b], tracks):
            joined = group[a] + group[b]
            for own in joined:
                group[own] = joined
    people = {id(own): own for own in group.values() if len({v for v, _ in own}) > 1}
    return [sorted(own) for own in people.values()]


def _distances(views: Sequence[View], world: FloatArray, points_px: FloatArray) -> list[FloatArray]:
    """Distances (...) in pixels, a view each, of points (..., 3) to where they are seen (V, ..., 2)."""
    return [np.linalg.norm(v.project(world) - own, axis=-1) for v, own in zip(views, points_px, strict=True)]


def _misfit(views: Sequence[View], points_px: FloatArray) -> float:
    """Median distance, pixels, of points (2, F, 17, 2) to where both cameras' rays meet best."""
    off = _distances(views, triangulated(views, points_px), points_px)
    values = np.concatenate([o[np.isfinite(o)] for o in off])
    return float(np.median(values)) if values.size >= 100 else float("inf")


def _clash(group: Sequence[tuple[int, int]], tracks: Sequence[FloatArray]) -> bool:
    """Whether a camera sees one person twice in a frame."""
    for (v, n), (w, m) in itertools.combinations(group, 2):
        if v == w:
            both = np.isfinite(tracks[v][n][..., 0]).any(axis=1) & np.isfinite(tracks[w][m][..., 0]).any(axis=1)
            if both.any():
                return True
    return False
