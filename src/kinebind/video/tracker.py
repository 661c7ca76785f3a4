"""Following people from frame to frame: who of those seen now is who of those seen before.

Each person is expected where a damped constant velocity takes her, learnt over a time in seconds, so that frame rates
and gaps do not matter. People are given out together, by how alike keypoints and boxes are; where two fit about as
well, the clothes decide. Who is out of sight is kept for a while, with the place growing less sure.

A pure function of what it is told: told the same again, it says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from kinebind.clock import FloatArray
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import apply
from kinebind.video.oks import boxes_px, overlap, similarity

KEEP_S = 2.0
"""How long somebody who is out of sight may come back as the same person."""
EXPECT_S = 1.0
"""How long she is looked for where she should be."""
_VELOCITY_S = 0.12
"""Time over which a velocity is learnt."""
_DAMPING_S = 0.5
"""Out of sight, people keep their velocity for about this long."""
_ESTABLISHED_S = 0.15
"""Seen for less than this, somebody is no more than a guess, and is not looked for for long."""
_FAR_PER_S = 4.0
_FAR = (0.35, 2.5)
"""How far the middle may lie from where it is expected, in units of the person's height: at once, and at most; it
grows by `_FAR_PER_S` with every second out of sight."""
_COLOUR_MEMORY_S = 1.0
_COLOUR_WEIGHT = 0.5
_SAME = 0.7
"""Two sightings of one frame that are this alike are one person's."""
_REFUSED = 1e3


@dataclass
class _Track:
    """A person as known: keypoints (17, 2) where last seen, a velocity (2,) px/s of the whole, and the clothes."""

    number: int
    keypoints: FloatArray
    velocity: FloatArray
    colours: FloatArray | None
    first_s: float
    last_s: float

    def at(self, time_s: float) -> FloatArray:
        """Keypoints (17, 2) where they are expected."""
        gone_s = max(time_s - self.last_s, 0.0)
        travelled_s = _DAMPING_S * (1.0 - np.exp(-gone_s / _DAMPING_S))
        return np.asarray(self.keypoints + self.velocity * travelled_s)

    @property
    def height_px(self) -> float:
        box = boxes_px(self.keypoints[None])[0]
        return float(max(box[3] - box[1], box[2] - box[0], 1.0))


class Tracker:
    """Told frame after frame who is seen, says who is who."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0

    def step(
        self, time_s: float, seen: Sequence[Seen], *, cut: bool = False, camera_step: FloatArray | None = None
    ) -> list[int]:
        """Track numbers of the people of a frame, in their order.

        time_s: when the frame is shown, later than the one before. cut: nobody is the same as before. camera_step
        (2, 3): maps the pixels of the frame before to this one's, where the camera moved.
        """
        if cut:
            self._tracks = []
        self._tracks = [t for t in self._tracks if time_s - t.last_s <= KEEP_S]
        if camera_step is not None and np.isfinite(camera_step).all():
            for track in self._tracks:
                track.keypoints = apply(camera_step, track.keypoints)
                track.velocity = camera_step[:, :2] @ track.velocity
        numbers = [-1] * len(seen)
        if self._tracks and seen:
            cost = self._cost(time_s, seen)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < _REFUSED:
                    numbers[column] = self._tracks[row].number
                    self._update(self._tracks[row], time_s, seen[column])
        for k, person in enumerate(seen):
            if numbers[k] < 0:
                numbers[k] = self._next
                points = person.keypoints[:, :2].copy()
                self._tracks.append(_Track(self._next, points, np.zeros(2), person.colours, time_s, time_s))
                self._next += 1
        return numbers

    def expected(self, time_s: float) -> list[FloatArray]:
        """Boxes (4,) left, top, right, bottom, pixels, where people should be found at a time."""
        boxes = []
        for track in self._tracks:
            gone_s = time_s - track.last_s
            known_s = track.last_s - track.first_s
            if gone_s <= (EXPECT_S if known_s >= _ESTABLISHED_S else _ESTABLISHED_S):
                box = boxes_px(track.at(time_s)[None])[0]
                if np.isfinite(box).all() and (box[2:] - box[:2]).min() > 0:
                    boxes.append(box)
        return boxes

    def _cost(self, time_s: float, seen: Sequence[Seen]) -> FloatArray:
        """(tracks, seen): how badly each fits each, `_REFUSED` where it cannot be."""
        expected = np.stack([t.at(time_s) for t in self._tracks])
        found = np.stack([p.keypoints[:, :2] for p in seen])
        there, here = boxes_px(expected), boxes_px(found)
        alike = similarity(expected, found)
        cost = 1.0 - 0.5 * (alike + overlap(there, here))
        height = np.array([t.height_px for t in self._tracks])
        gone_s = np.array([time_s - t.last_s for t in self._tracks])
        reach = np.minimum(_FAR[0] + _FAR_PER_S * gone_s, _FAR[1]) * height
        # By the keypoints that both show: arms and legs that are hidden move the middle of a box.
        away = _distance(expected, found, there, here)
        cost += 0.5 * away / reach[:, None]
        for a, track in enumerate(self._tracks):
            for b, person in enumerate(seen):
                if track.colours is not None and person.colours is not None:
                    cost[a, b] += _COLOUR_WEIGHT * other_clothes(track.colours, person.colours)
        own = np.array([max(box[3] - box[1], box[2] - box[0]) for box in here])
        ratio = own[None, :] / height[:, None]
        cost[(away > reach[:, None]) | (ratio > 3.0) | (ratio < 1.0 / 3.0)] = _REFUSED
        return np.asarray(cost)

    @staticmethod
    def _update(track: _Track, time_s: float, person: Seen) -> None:
        """Take in a new sighting."""
        now = person.keypoints[:, :2]
        step_s = time_s - track.last_s
        before = track.keypoints
        shared = np.isfinite(now[:, 0]) & np.isfinite(before[:, 0])
        if shared.any() and step_s > 0:
            moved = np.median(now[shared] - before[shared], axis=0) / step_s
            weight = 1.0 - np.exp(-step_s / _VELOCITY_S)
            track.velocity = track.velocity + weight * (moved - track.velocity)
            # Joints that are hidden for now go with the rest.
            carried = before + np.median(now[shared] - before[shared], axis=0)
        else:
            carried = before
        track.keypoints = np.where(np.isfinite(now), now, carried)
        if person.colours is not None:
            if track.colours is None:
                track.colours = person.colours
            else:
                weight = 1.0 - np.exp(-max(step_s, 1e-3) / _COLOUR_MEMORY_S)
                track.colours = (1.0 - weight) * track.colours + weight * person.colours
        track.last_s = time_s


def other_clothes(first: FloatArray, second: FloatArray) -> float:
    """Hellinger's distance of two shares of colours: 0 the same, 1 nothing in common."""
    return float(np.sqrt(max(0.0, 1.0 - float(np.sqrt(first * second).sum()))))


def without_doubles(seen: Sequence[Seen]) -> list[int]:
    """Indices of the people of a frame, each once: of those who are one, who shows most."""
    if len(seen) < 2:
        return list(range(len(seen)))
    points = np.stack([p.keypoints for p in seen])
    alike = similarity(points, points)
    sure = np.nansum(points[..., 2], axis=1)
    kept: list[int] = []
    for k in np.argsort(-sure, kind="stable"):
        if all(alike[k, other] <= _SAME for other in kept):
            kept.append(int(k))
    return sorted(kept)


def _distance(expected: FloatArray, found: FloatArray, there: FloatArray, here: FloatArray) -> FloatArray:
    """(A, B): distance of the middles of the keypoints that both show, or of the boxes where they share none, px."""
    shared = np.isfinite(expected[:, None, :, 0]) & np.isfinite(found[None, :, :, 0])
    count = shared.sum(axis=-1)
    difference = np.where(shared[..., None], found[None] - expected[:, None], 0.0).sum(axis=2)
    by_joints = np.linalg.norm(difference, axis=-1) / np.maximum(count, 1)
    middles = 0.5 * (here[None, :, :2] + here[None, :, 2:]) - 0.5 * (there[:, None, :2] + there[:, None, 2:])
    return np.asarray(np.where(count >= 3, by_joints, np.linalg.norm(middles, axis=-1)))
