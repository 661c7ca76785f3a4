"""What a pose estimator gives, and how it is asked: the one interface that all backends have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray

Image = npt.NDArray[np.uint8]
"""(H, W, 3) RGB, as it is shown: turned upright, pixels square."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One person as seen in one frame.

    keypoints (17, 3): x and y in the frame's pixels and the score 0..1, in COCO's order; NaN in all three where
    the joint is not seen.
    world_m (17, 3): joints about the middle of the hips in metres, x to the image's right, y down, z away from the
    camera, as the backend guesses them; None where it does not.
    colours (B,): what the torso looks like, sums to 1; None where it was not seen. A backend leaves them to others.
    """

    keypoints: FloatArray
    world_m: FloatArray | None = None
    colours: FloatArray | None = field(default=None)

    def box_px(self) -> FloatArray:
        """(4,): left, top, right, bottom of the keypoints that are seen."""
        points = self.keypoints[np.isfinite(self.keypoints[:, 0]), :2]
        return np.concatenate([points.min(axis=0), points.max(axis=0)])


class PoseBackend(Protocol):
    """A pose estimator. `name` tells model and settings apart, so that what it found can be kept under it."""

    name: str
    lag_s: float
    """By how much its poses come late, measured; taken out of the frames' times."""

    def detect(self, image: Image, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """People in a frame, each once, in no order.

        around: boxes (4,) left, top, right, bottom in pixels where people are expected, from the frame that was looked
        at before, in which a backend may remember them; none at the beginning and behind a cut.
        search: look for people everywhere, not only there.
        """
        ...

    def forget(self) -> None:
        """What it remembers of the frames before has no say in those that come."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...
