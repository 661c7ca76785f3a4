"""`Poses`: one person's 2D keypoints in a video."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kinebind._stream import Stream, frozen
from kinebind.clock import FloatArray, check_time
from kinebind.errors import InputError
from kinebind.parts import COCO17_MIRROR
from kinebind.resample import resample_vectors


@dataclass(frozen=True, eq=False)
class Poses(Stream):
    """One person's COCO-17 track. Immutable; validated when built.

    time_s (T,): seconds on the video's clock, strictly increasing (presentation times).
    keypoints_px (T, 17, 2): pixels, x to the right, y down, in the order of `kinebind.parts.COCO17`;
        a missing keypoint is NaN in both coordinates, never zero.
    scores (T, 17): the detector's confidence, 0 or more; NaN where the keypoint is missing or has none.
    image_size_px: (width, height) or None where the file does not say.
    person: the track's name. notes: what a reader repaired, converted or assumed.

    Raises InputError for wrong shapes, negative scores, half-missing keypoints, and coordinates that look
    normalised to 0..1 instead of pixels.
    """

    time_s: FloatArray
    keypoints_px: FloatArray
    scores: FloatArray
    image_size_px: tuple[int, int] | None = None
    person: str = "1"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "time_s", check_time(self.time_s))
        n = self.time_s.size
        put(self, "keypoints_px", frozen(self.keypoints_px, (n, 17, 2), "keypoints_px"))
        missing = np.isnan(self.keypoints_px)
        if (missing[..., 0] != missing[..., 1]).any():
            raise InputError("A keypoint is missing in one coordinate only.", "Set both x and y to NaN.")
        scores = frozen(self.scores, (n, 17), "scores")
        put(self, "scores", frozen(np.where(missing[..., 0], np.nan, scores), (n, 17), "scores"))
        if (self.scores < 0).any():
            raise InputError("Keypoint scores must not be negative.", "Check which column holds the score.")
        present = self.keypoints_px[~missing]
        if present.size and np.abs(present).max() <= 2.0:
            raise InputError(
                "Keypoints lie within ±2: they look normalised, but Kinebind needs pixels.",
                "Multiply x by the image's width and y by its height (--image-size WIDTHxHEIGHT does it).",
            )
        if self.image_size_px is not None:
            width, height = (int(side) for side in self.image_size_px)
            if width < 1 or height < 1:
                raise InputError(f"An image of {width}×{height} pixels cannot be.", "Give width and height in pixels.")
            put(self, "image_size_px", (width, height))
        put(self, "notes", tuple(self.notes))

    def resample(self, time_s: FloatArray) -> Poses:
        """The track at other times (seconds, strictly increasing); gaps and missing keypoints stay missing."""
        new = check_time(time_s)
        both = resample_vectors(self.time_s, np.dstack([self.keypoints_px, self.scores]), new)
        return self.replace(time_s=new, keypoints_px=both[..., :2], scores=np.clip(both[..., 2], 0.0, None))

    def left_right_swapped(self) -> Poses:
        """The same track with left and right keypoints exchanged, as a mirrored video needs."""
        return self.replace(keypoints_px=self.keypoints_px[:, COCO17_MIRROR], scores=self.scores[:, COCO17_MIRROR])

    def body_scale_px(self) -> float:
        """RMS distance of the keypoints to the middle of the hips, pixels; the unit of detector errors.

        NaN where no frame shows both hips.
        """
        root = self.keypoints_px[:, 11:13].mean(axis=1, keepdims=True)
        squared = ((self.keypoints_px - root) ** 2).sum(axis=-1)
        return float(np.sqrt(np.nanmean(squared))) if np.isfinite(squared).any() else float("nan")
