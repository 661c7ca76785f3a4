"""3D motion as 2D poses: what a fixed camera in front of the person would see, without a detector's errors."""

from __future__ import annotations

import numpy as np

from kinebind.body.camera import look_at, project
from kinebind.body.keypoints import coco17_world
from kinebind.body.quaternions import normalised
from kinebind.body.segments import Posture, posture
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.poses import Poses

_IMAGE_PX = 1080  # square: a body lies down as well as it stands
_MARGIN = 1.1
_LEAST_AWAY_M = 5.0


def seen_from_front(motion: Motion) -> Poses:
    """A motion's COCO-17 keypoints in a virtual camera's image, on the motion's clock.

    The camera stands still, level with the middle of the movement, where the person's front points on average,
    far enough to see everything.
    Raises InputError where the skeleton's joint names are unknown or no keypoint is.
    """
    body = posture(motion)
    points = coco17_world(body)
    known = points[np.isfinite(points).all(axis=-1)]
    if known.size == 0:
        raise InputError(f"No keypoint of '{motion.name}' is known.", "Check that the file is complete.")
    middle = known.mean(axis=0)
    reach_m = _MARGIN * float(np.linalg.norm(known - middle, axis=1).max())
    away_m = max(_LEAST_AWAY_M, 2.5 * reach_m)
    camera = look_at(
        middle + away_m * _front(body),
        middle,
        # What sticks out towards the camera looks largest.
        field_of_view_deg=float(2.0 * np.rad2deg(np.arctan(reach_m / (away_m - reach_m)))),
        image_size_px=(_IMAGE_PX, _IMAGE_PX),
    )
    note = "3D motion, seen by a virtual camera that stands still in front of the person."
    pixels = project(points, camera)
    return Poses(
        motion.time_s, pixels, np.ones(pixels.shape[:2]), image_size_px=camera.image_size_px,
        notes=(*motion.notes, note),
    )  # fmt: skip


def _front(body: Posture) -> FloatArray:
    """The level direction (3,) in which the pelvis mostly faces, a unit vector."""
    across = body.point("left_hip") - body.point("right_hip")
    across[:, 2] = 0.0
    left = normalised(across)
    left = left[np.isfinite(left).all(axis=1)]
    if left.size == 0:
        return np.array([0.0, -1.0, 0.0])
    mean = left.mean(axis=0)
    # Who turns right round faces nowhere on average: then the first frame decides.
    usual = normalised(mean) if np.linalg.norm(mean) > 0.1 else left[0]
    return np.cross(usual, [0.0, 0.0, 1.0])
