"""A pinhole camera: where it stands, what it sees.

Camera axes: x to the image's right, y down, z forward. World: z up. Pixels: x right, y down, from the upper left
corner. No lens distortion: pose estimators are judged, and trained, on images without it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind._stream import frozen, frozen_quaternions
from kinebind.body.quaternions import conjugate, from_axes, normalised, rotate
from kinebind.clock import FloatArray
from kinebind.errors import InputError

IMAGE_SIZES_PX: tuple[tuple[int, int], ...] = ((1920, 1080), (1280, 720), (640, 480), (1080, 1920))
"""Image sizes that random cameras draw from: two of landscape video, a webcam's, a phone held upright."""

_NEAR_M = 0.2  # points closer to the image plane than this are not seen
_MARGIN = 0.04  # of the image, kept free on each side by random cameras
_DRAWS = 50


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera that stands still.

    focal_px: focal length, pixels. centre_px (2,): principal point. image_size_px: width, height.
    position_world (3,): metres. rot_camera_from_world (4,): unit quaternion (x, y, z, w).
    mirrored: the stored image is flipped left to right, as selfie videos are.
    Raises InputError for a focal length or an image size that is not positive.
    """

    focal_px: float
    centre_px: FloatArray
    image_size_px: tuple[int, int]
    position_world: FloatArray
    rot_camera_from_world: FloatArray
    mirrored: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "centre_px", frozen(self.centre_px, (2,), "centre_px"))
        put(self, "position_world", frozen(self.position_world, (3,), "position_world"))
        rot = frozen_quaternions(self.rot_camera_from_world, (4,), "rot_camera_from_world")
        put(self, "rot_camera_from_world", rot)
        if not (self.focal_px > 0 and min(self.image_size_px) > 0):
            raise InputError("A camera needs a positive focal length and image size.", "")


def look_at(
    position_world: FloatArray,
    target_world: FloatArray,
    *,
    field_of_view_deg: float = 55.0,
    image_size_px: tuple[int, int] = (1920, 1080),
    mirrored: bool = False,
) -> Camera:
    """A level camera at a place (3,) that looks at another (3,), metres.

    field_of_view_deg: angle across the longer side of the image.
    Raises InputError where the camera would look straight up or down, or at itself.
    """
    forward = normalised(np.asarray(target_world, dtype=np.float64) - position_world)
    right = normalised(np.cross(forward, [0.0, 0.0, 1.0]))
    if not np.isfinite(right).all():
        raise InputError("A camera cannot be level and look straight up or down.", "Move it or its target.")
    down = np.cross(forward, right)
    focal_px = 0.5 * max(image_size_px) / np.tan(0.5 * np.deg2rad(field_of_view_deg))
    centre_px = 0.5 * np.array(image_size_px, dtype=np.float64)
    rot_camera_from_world = conjugate(from_axes(right, down, forward))
    return Camera(float(focal_px), centre_px, image_size_px, position_world, rot_camera_from_world, mirrored)


def project(points_world: FloatArray, camera: Camera, *, cut_to_image: bool = False) -> FloatArray:
    """Pixels (..., 2) of points (..., 3) in the world, metres; NaN for points behind the camera's image plane.

    cut_to_image: NaN for points outside the image too.
    """
    seen = rotate(camera.rot_camera_from_world, points_world - camera.position_world)
    depth = np.where(seen[..., 2:] > _NEAR_M, seen[..., 2:], np.nan)
    pixels = camera.centre_px + camera.focal_px * seen[..., :2] / depth
    if camera.mirrored:
        pixels[..., 0] = camera.image_size_px[0] - pixels[..., 0]
    if cut_to_image:
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels <= camera.image_size_px)).all(axis=-1)
        pixels[~inside] = np.nan
    return np.asarray(pixels)


def random_camera(
    rng: np.random.Generator,
    points_world: FloatArray,
    *,
    elevation_deg: tuple[float, float] = (-5.0, 30.0),
    distance_m: tuple[float, float] = (3.0, 8.0),
    field_of_view_deg: tuple[float, float] = (35.0, 75.0),
    mirrored: bool = False,
) -> Camera:
    """A level camera that keeps a body in view: any azimuth, the rest uniform within the bounds.

    points_world (..., 3): what has to be seen, for instance all keypoints of a clip; NaN is left out.
    elevation_deg: of the camera above the middle of the points. distance_m: from that middle. A draw that does
    not see every point with a margin of 4 % of the image is drawn again, fifty times at most; then, for a body
    that walks far, the last draw is moved back until it just does.
    Raises InputError where no point is known.
    """
    points = np.asarray(points_world, dtype=np.float64).reshape(-1, 3)
    points = points[np.isfinite(points).all(axis=1)]
    if points.size == 0:
        raise InputError("No point is known, so no camera can see the body.", "Give a clip with keypoints.")
    # The points that stand out in many directions decide whether all are seen.
    out = np.unique(np.argmax(normalised(rng.normal(size=(64, 3))) @ points.T, axis=1))
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    body = points[out] - middle  # (P, 3)

    azimuth, elevation = rng.uniform(0.0, 2.0 * np.pi, _DRAWS), np.deg2rad(rng.uniform(*elevation_deg, _DRAWS))
    distance, view_deg = rng.uniform(*distance_m, _DRAWS), rng.uniform(*field_of_view_deg, _DRAWS)
    size = np.array(IMAGE_SIZES_PX)[rng.integers(len(IMAGE_SIZES_PX), size=_DRAWS)]  # (D, 2)
    level = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros(_DRAWS)], axis=1)
    away = level * np.cos(elevation)[:, None] + np.array([0.0, 0.0, 1.0]) * np.sin(elevation)[:, None]  # (D, 3)
    right = np.stack([-level[:, 1], level[:, 0], level[:, 2]], axis=1)
    across, upwards, nearer = (body @ axis.T for axis in (right, np.cross(away, right), away))  # (P, D) each
    # Half the image over the focal length, less the margin: the tangent within which a point must lie.
    tangent = (1.0 - 2.0 * _MARGIN) * np.tan(0.5 * np.deg2rad(view_deg))[:, None] * size / size.max(axis=1)[:, None]
    reach = np.maximum(np.abs(across) / tangent[:, 0], np.abs(upwards) / tangent[:, 1])
    needed = np.max(np.maximum(reach, _NEAR_M) + nearer, axis=0)  # (D,)
    good = np.flatnonzero(distance >= needed)
    d = int(good[0]) if good.size else _DRAWS - 1
    return look_at(
        middle + max(distance[d], needed[d]) * away[d],
        middle,
        field_of_view_deg=float(view_deg[d]),
        image_size_px=(int(size[d, 0]), int(size[d, 1])),
        mirrored=mirrored,
    )
