"""COCO-17 keypoints in 3D, as a perfect detector would see them."""

from __future__ import annotations

import numpy as np

from kinebind.body.quaternions import rotate
from kinebind.body.segments import Posture, posture, segment_trajectory
from kinebind.clock import FloatArray
from kinebind.motion import Motion
from kinebind.parts import COCO17

FACE: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, -0.012, 0.068),
    "left_eye": (0.018, 0.014, 0.050),
    "right_eye": (-0.018, 0.014, 0.050),
    "left_ear": (0.042, 0.0, 0.0),
    "right_ear": (-0.042, 0.0, 0.0),
}
"""Places of the face over stature, in the head's axes (x left, y up, z forward) from between the ears.

Rounded adult means at 1.70 m: ears 14 cm apart, pupils 6 cm apart, 8.5 cm in front of the ears and 2.4 cm above
them, the tip of the nose 11.5 cm in front and 2 cm below.
"""


def coco17_world(motion: Motion | Posture) -> FloatArray:
    """COCO-17 keypoints (T, 17, 3) in the world, metres, in the order of `kinebind.parts.COCO17`.

    Shoulders to ankles are joint centres. Nose, eyes and ears are fixed in the head's frame; a motion without
    joint rotations does not say which way the head looks, so they are NaN there, as is what a skeleton lacks.
    Raises InputError where the skeleton's joint names are unknown.
    """
    p = motion if isinstance(motion, Posture) else posture(motion)
    points = np.full((p.motion.time_s.size, len(COCO17), 3), np.nan)
    for k, name in enumerate(COCO17):
        if name not in FACE:
            points[:, k] = p.point(name)
    if p.has_rotations and p.has("head") and p.has("neck"):
        head = segment_trajectory(p, "head")
        for k, name in enumerate(COCO17):
            if name in FACE:
                offset = np.array(FACE[name]) * p.stature_m
                points[:, k] = head.origin_world + rotate(head.rot_world_from_segment, offset)
    return points
