"""People made of keypoints who walk through a picture, for tests of whoever follows them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kinebind.video.backend import Seen
from kinebind.video.camera_motion import Step
from kinebind.video.found import FrameFound

BODY = np.array([
    [0, -0.95], [0.02, -0.97], [-0.02, -0.97], [0.05, -0.95], [-0.05, -0.95], [0.12, -0.8], [-0.12, -0.8],
    [0.16, -0.6], [-0.16, -0.6], [0.18, -0.45], [-0.18, -0.45], [0.08, -0.48], [-0.08, -0.48], [0.09, -0.25],
    [-0.09, -0.25], [0.09, -0.02], [-0.09, -0.02],
])  # fmt: skip
"""Keypoints of somebody who faces the camera, in units of the height, from the feet up."""
STILL = Step(0, np.eye(2, 3))


def dress(colour: int) -> np.ndarray:
    """Clothes of one colour, with a little of all others."""
    out = np.full(20, 0.01)
    out[colour] += 1.0 - out.sum()
    return out


def walker(
    start_px: tuple[float, float], speed_px_s: tuple[float, float], height_px: float = 200.0, colour: int = 0
) -> Callable[[float], Seen]:
    """Somebody who walks in a straight line and swings arms and legs, once a second."""

    def at(time_s: float) -> Seen:
        swing = np.zeros((17, 2))
        phase = np.sin(2 * np.pi * time_s)
        for k, sign in ((9, 1), (10, -1), (15, -1), (16, 1), (13, -0.5), (14, 0.5)):
            swing[k, 0] = 0.12 * sign * phase
        feet = np.array(start_px) + np.array(speed_px_s) * time_s
        points = np.column_stack([height_px * (BODY + swing) + feet, np.ones(17)])
        return Seen(points, None, dress(colour))

    return at


def frame(time_s: float, seen: list[Seen], *, cut: bool = False, camera: Step = STILL) -> FrameFound:
    return FrameFound(time_s, tuple(seen), (False,) * len(seen), camera, cut)
