"""Following people from frame to frame: who of those seen now is who of those seen before.

Of each person a place, a velocity and how sure both are, are carried on (a Kalman filter whose velocity is forgotten
with time, in metres by the body's own size and in seconds, so that frame rates and gaps do not matter), and beside
them the pose, the size and the clothes. People of a frame are given out together, so that all of it is likeliest; who
is out of sight is kept for a while, with the place growing less sure.

A pure function of what it is told: told the same again, it says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from kinebind.clock import FloatArray
from kinebind.parts import COCO17, COCO17_MIRROR
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import apply
from kinebind.video.oks import boxes_px, mean_similarity, metre_px, overlap

KEEP_S = 2.0
"""How long somebody who is out of sight may come back as the same person."""
EXPECT_S = 0.6
"""The longest time for which she is looked for where she should be, in every frame."""
_ESTABLISHED_S = 0.15
"""Seen for less than this, somebody is no more than a guess, and is looked for for no longer."""
_STEADY_S = 0.2
"""Seen again after more than this, somebody was out of sight."""
_BESIDE = 0.4
"""Overlap of two boxes, intersection over union, from which a look at one is one at the other."""
VELOCITY_M_S = 1.2
"""Usual speed of people on each axis of the image."""
VELOCITY_S = 1.2
"""Time in which a velocity falls to 1/e: people turn."""
_PLACE_M = 0.05
_JOINT_M = 0.15
"""Error of a place that is told by all joints, and by a single one."""
_POSE_S = 0.08
"""Time over which a pose is smoothed."""
_POSE_LIKE_S = 0.4
"""A pose tells who somebody is for about this long."""
_JOINT_KEEP_S = 1.0
_COLOURS_S = 3.0
_NEW = 10.0
"""What it costs that somebody is new, in units of the logarithm of likelihood."""
_GATE = 16.0  # of squared distance over variance
_POSE, _CLOTHES, _SIZE = 4.0, 10.0, 0.15
_UNKNOWN_CLOTHES = 0.6
_FLIPPED = 0.5
_REFUSED = 1e3
_SWINGS = {"wrist": 0.3, "ankle": 0.3, "elbow": 0.6, "knee": 0.6}
JOINT_WEIGHT = np.array([_SWINGS.get(name.split("_")[-1], 1.0) for name in COCO17])
"""(17,) how much each keypoint tells of where the whole body is."""


@dataclass
class _Track:
    """A person as known when last seen.

    points (17, 2): pixels, NaN where never seen; seen_s (17,): when each last was. velocity (2,) px/s. cov (2, 2): of
    place and velocity on either axis, metres and m/s. metre: pixels to a metre. colours (B,), known for dressed_s.
    known_s: how long she has been in sight, all in all.
    """

    number: int
    points: FloatArray
    seen_s: FloatArray
    velocity: FloatArray
    cov: FloatArray
    metre: float
    colours: FloatArray | None
    dressed_s: float
    known_s: float
    last_s: float

    def ahead(self, time_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Keypoints (17, 2), velocity (2,) and covariance (2, 2) at a time: a velocity that is slowly forgotten."""
        step_s = max(time_s - self.last_s, 0.0)
        go, spread = walked(step_s)
        return self.points + go[0, 1] * self.velocity, go[1, 1] * self.velocity, go @ self.cov @ go.T + spread

    def expected_s(self) -> float:
        """How long she is looked for where she should be: about as long as she was in sight."""
        return min(max(self.known_s, _ESTABLISHED_S), EXPECT_S)


def walked(step_s: float) -> tuple[FloatArray, FloatArray]:
    """How place and velocity go on in a time, (2, 2), and the covariance (2, 2) by which they spread: m, m/s."""
    keep = float(np.exp(-step_s / VELOCITY_S))
    travel_s = VELOCITY_S * (1.0 - keep)
    place = VELOCITY_S**2 * max(2.0 * step_s / VELOCITY_S - 3.0 + 4.0 * keep - keep**2, 0.0)
    both = VELOCITY_S * (1.0 - keep) ** 2
    spread = VELOCITY_M_S**2 * np.array([[place, both], [both, 1.0 - keep**2]])
    return np.array([[1.0, travel_s], [0.0, keep]]), spread


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
                track.points = apply(camera_step, track.points)
                track.velocity = camera_step[:, :2] @ track.velocity
                track.metre *= float(np.sqrt(abs(np.linalg.det(camera_step[:, :2]))))
        numbers = [-1] * len(seen)
        if self._tracks and seen:
            found = np.stack([p.keypoints[:, :2] for p in seen])
            cost, moved, flipped = self._cost(time_s, found, seen)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < 0.0:
                    numbers[column] = self._tracks[row].number
                    _update(self._tracks[row], time_s, seen[column], moved[row, column], flipped[row, column])
        # In an order of their own, so that theirs in the frame does not matter.
        for k in sorted(range(len(seen)), key=lambda k: tuple(np.nan_to_num(seen[k].keypoints, nan=-1.0).ravel())):
            if numbers[k] < 0:
                numbers[k] = self._next
                self._tracks.append(_begun(self._next, time_s, seen[k]))
                self._next += 1
        return numbers

    def expected(self, time_s: float) -> list[FloatArray]:
        """Boxes (4,) left, top, right, bottom, pixels, where people should be found at a time.

        Who was not seen just before, or is no more than a guess, is found beside others where she would be.
        """
        boxes: list[FloatArray] = []
        latest_s = max((track.last_s for track in self._tracks), default=0.0)
        for track in sorted(self._tracks, key=lambda own: -own.known_s):
            guess = track.known_s < _ESTABLISHED_S
            if time_s - track.last_s <= track.expected_s():
                points = np.where(_recent(track)[:, None], track.ahead(time_s)[0], np.nan)
                box = boxes_px(points[None])[0]
                if not np.isfinite(box).all() or (box[2:] - box[:2]).min() <= 0:
                    continue
                doubtful = guess or track.last_s < latest_s
                if doubtful and boxes and overlap(box[None], np.stack(boxes)).max() > _BESIDE:
                    continue
                boxes.append(box)
        return boxes

    def lost(self, time_s: float) -> bool:
        """Whether somebody, no mere guess, is out of sight at the time of a frame and still expected in the next."""
        return any(
            track.last_s < time_s <= track.last_s + track.expected_s() and track.known_s >= _ESTABLISHED_S
            for track in self._tracks
        )

    def _cost(
        self, time_s: float, found: FloatArray, seen: Sequence[Seen]
    ) -> tuple[FloatArray, FloatArray, np.ndarray]:
        """For each track and each of those seen: how much less likely it is that they are one than that somebody new
        came, negative where it is likelier; the way (A, B, 2) from where she was expected, px; and whether she agrees
        much better with left and right exchanged.
        """
        ahead = [t.ahead(time_s) for t in self._tracks]
        expected = np.stack(
            [np.where(_recent(t)[:, None], a[0], np.nan) for t, a in zip(self._tracks, ahead, strict=True)]
        )
        variance = np.array([a[2][0, 0] for a in ahead])[:, None]
        metre = np.array([t.metre for t in self._tracks])
        gone_s = np.array([time_s - t.last_s for t in self._tracks])[:, None]

        moved, alike, count = _aligned(expected, found, metre)
        moved_f, alike_f, _ = _aligned(expected, found[:, COCO17_MIRROR], metre)
        flipped = alike_f > alike + 0.2
        moved = np.where(flipped[..., None], moved_f, moved)
        # Who shares no joint with what is known of a track lies where the boxes' middles tell.
        there, here = boxes_px(expected), boxes_px(found)
        middles = 0.5 * (here[None, :, :2] + here[None, :, 2:] - there[:, None, :2] - there[:, None, 2:])
        moved = np.where((count > 0)[..., None], moved, middles)
        error = np.where(count > 0, _PLACE_M**2 + _JOINT_M**2 / np.maximum(count, 1), 0.09)

        total = variance + error
        squared = (moved**2).sum(axis=-1) / metre[:, None] ** 2
        cost = 0.5 * squared / total + np.log(total / _PLACE_M**2) - _NEW
        like = np.where(flipped, alike_f, alike)
        cost += np.where(count > 0, (1.0 - like) * _POSE * np.exp(-gone_s / _POSE_LIKE_S) + _FLIPPED * flipped, 1.0)
        ratio = np.log(metre_px(found)[None] / metre[:, None])
        cost += np.minimum(0.5 * ratio**2 / (_SIZE**2 * (1.0 + 2.0 * gone_s)), 3.0)
        for a, track in enumerate(self._tracks):
            for b, person in enumerate(seen):
                if track.colours is not None and person.colours is not None:
                    cost[a, b] += _CLOTHES * other_clothes(track.colours, person.colours) ** 2
                else:
                    cost[a, b] += _UNKNOWN_CLOTHES
        cost[squared > _GATE * total] = _REFUSED
        # One who is given to nobody costs nothing, so what costs more than somebody new is never forced on others.
        return np.where(cost < 0.0, cost, _REFUSED), moved, flipped


def _recent(track: _Track) -> np.ndarray:
    return np.isfinite(track.points[:, 0]) & (track.last_s - track.seen_s <= _JOINT_KEEP_S)


def _aligned(expected: FloatArray, found: FloatArray, metre: FloatArray) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Mean way (A, B, 2) px from keypoints (A, 17, 2) to (B, 17, 2), how alike the poses are besides, and how many
    joints both show.
    """
    way = found[None] - expected[:, None]  # (A, B, 17, 2)
    shared = np.isfinite(way[..., 0])
    weight = np.where(shared, JOINT_WEIGHT, 0.0)
    total = np.maximum(weight.sum(axis=-1), 1e-9)
    moved = (np.where(shared[..., None], way, 0.0) * weight[..., None]).sum(axis=2) / total[..., None]
    rest = ((way - moved[:, :, None]) ** 2).sum(axis=-1)
    alike = mean_similarity(rest, metre[:, None] ** 2)
    return moved, alike, shared.sum(axis=-1)


def _begun(number: int, time_s: float, person: Seen) -> _Track:
    size = float(metre_px(person.keypoints[None])[0])
    cov = np.diag([_PLACE_M**2, VELOCITY_M_S**2])
    seen_s = np.where(np.isfinite(person.keypoints[:, 0]), time_s, -np.inf)
    return _Track(
        number, person.keypoints[:, :2].copy(), seen_s, np.zeros(2), cov, size, person.colours, 0.0, 0.0, time_s
    )


def _update(track: _Track, time_s: float, person: Seen, moved: FloatArray, flipped: bool) -> None:
    """Take in a new sighting that lies `moved` (2,) px from where it was expected."""
    now = person.keypoints[:, :2]
    seen = np.isfinite(now[:, 0])
    step_s = time_s - track.last_s
    points, velocity, cov = track.ahead(time_s)
    count = int((seen & np.isfinite(points[:, 0])).sum())
    gain = cov[:, 0] / (cov[0, 0] + _PLACE_M**2 + _JOINT_M**2 / max(count, 1))
    track.cov = cov - np.outer(gain, cov[0])
    track.velocity = velocity + gain[1] * moved
    points = points + gain[0] * moved
    weight = 1.0 - np.exp(-step_s / _POSE_S)
    if not flipped:
        points = np.where(np.isfinite(points), points + weight * np.where(seen[:, None], now - points, 0.0), now)
        track.seen_s = np.where(seen, time_s, track.seen_s)
    track.points = points
    size = float(metre_px(person.keypoints[None])[0])
    track.metre *= float((size / track.metre) ** (1.0 - np.exp(-step_s / 0.5)))
    if person.colours is not None:
        worn_s = min(step_s, 0.1)
        if track.colours is None:
            track.colours, track.dressed_s = person.colours, worn_s
        else:
            track.dressed_s = min(track.dressed_s + worn_s, _COLOURS_S)
            share = worn_s / (track.dressed_s + worn_s)
            track.colours = (1.0 - share) * track.colours + share * person.colours
    track.known_s += step_s if step_s <= _STEADY_S else 0.0
    track.last_s = time_s


def other_clothes(first: FloatArray, second: FloatArray) -> float:
    """Hellinger's distance of two shares of colours: 0 the same, 1 nothing in common."""
    return float(np.sqrt(max(0.0, 1.0 - float(np.sqrt(first * second).sum()))))
