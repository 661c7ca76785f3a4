"""A part of the body in the image: poses cut as where it ends at the hips, or as from the side."""

from __future__ import annotations

from typing import Literal

import numpy as np

from kinebind.parts import COCO17, mirror_site
from kinebind.poses import Poses

Part = Literal["upper", "legs", "side"]
"""The body above the hips; hips and legs; one side."""
LEG_SITES = ("pelvis", "left_thigh", "right_thigh", "left_shank", "right_shank", "left_foot", "right_foot")
_HIPS = COCO17.index("left_hip")


def in_part(poses: Poses, part: Part, site: str = "") -> Poses:
    """Poses of which the image shows a part; site: of the sensor whose side is the one that is seen."""
    other, _, _ = mirror_site(site).partition("_")
    hidden = {
        "upper": slice(_HIPS, None), "legs": slice(0, _HIPS),
        "side": [k for k, name in enumerate(COCO17) if name.startswith(f"{other}_")],
    }  # fmt: skip
    keypoints_px = poses.keypoints_px.copy()
    keypoints_px[:, hidden[part]] = np.nan
    return poses.replace(keypoints_px=keypoints_px)
