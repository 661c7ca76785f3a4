"""From sightings in frames to whole people: fragments joined, the fleeting left out, the user's word followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import Step, between
from kinebind.video.flips import mend_flips
from kinebind.video.found import FrameFound
from kinebind.video.joining import rejoined, sightings
from kinebind.video.oks import boxes_px
from kinebind.video.tracker import Tracker, other_clothes, without_doubles

IntArray = npt.NDArray[np.int64]

LEAST_S = 0.5
LEAST_FRAMES = 3
"""Who is seen for less than this, in time or in frames, is no person to follow."""
LEAST_SHARE = 0.4
"""Nor who is seen in fewer than this share of the frames from first to last."""
LEAST_JOINTS = 6
"""Who shows fewer joints than this, in the median frame, is none either: a chair, a shadow, a picture on the wall."""
NEAR_S = 3.0
"""Fragments that lie closer in time than this may be joined by where they end and begin."""
FAR_S = 60.0
"""Those farther apart by the clothes alone, where these leave no doubt."""
_APART = (0.5, 1.0)
"""How far the end and the beginning may lie apart, in people's heights: at once, and more with every second between."""
_SAME_CLOTHES = 0.45
_CLEARLY_SAME, _CLEAR_LEAD = 0.25, 0.15
_EDGE_S = 0.5
"""How much of a fragment's end tells where it goes and how large it is."""


@dataclass(frozen=True, eq=False)
class Person:
    """A whole person. frame (N,): numbers of the frames in which she is seen. index (N,): which of their sightings."""

    name: str
    frame: IntArray
    index: IntArray


def people_of(
    frames: Sequence[FrameFound],
    *,
    merge: Sequence[tuple[str, str]] = (),
    split: Sequence[tuple[str, float]] = (),
) -> tuple[list[Person], list[str]]:
    """The people of a video, who is seen longest first, and what there is to tell.

    They are called "1", "2", ... by how long they are seen. merge: pairs that are one person, who keeps the first
    name. split: a person and the time, seconds of the frames, from which she is somebody else, called "2b".
    Raises InputError where a name means nobody, or two who are one are seen at the same time.
    """
    followed = _rejoined(_followed(frames), frames)
    fragments = _joined([f for f in followed if f.frame.size >= LEAST_FRAMES], frames)
    whole = [f for f in fragments if _is_person(f, frames)]
    whole.sort(key=lambda f: (-f.frame.size, int(f.frame[0])))
    notes = []
    left = len(fragments) - len(whole) + sum(f.frame.size < LEAST_FRAMES for f in followed)
    if left:
        notes.append(f"{left} sightings too short or too poor to be a person are left out.")
    people = [replace(f, name=str(rank)) for rank, f in enumerate(whole, 1)]
    for first, second in merge:
        people = _merged(people, first, second, frames)
    for name, at_s in split:
        people = _parted(people, name, at_s, frames)
    return people, notes


def poses_of(people: Sequence[Person], frames: Sequence[FrameFound], size_px: tuple[int, int]) -> tuple[Poses, ...]:
    """The people's tracks on the frames' clock, keypoints in their pixels. size_px: width and height."""
    out = []
    for person in people:
        time_s = np.array([frames[f].time_s for f in person.frame])
        points = np.stack([_seen(frames, f, k).keypoints for f, k in zip(person.frame, person.index, strict=True)])
        points, count = mend_flips(time_s, points)
        notes = (f"Left and right were exchanged in {count} frames; mended.",) if count else ()
        out.append(Poses(time_s, points[..., :2], points[..., 2], size_px, person.name, notes))
    return tuple(out)


def _seen(frames: Sequence[FrameFound], frame: int, index: int) -> Seen:
    return frames[frame].seen[index]


def _followed(frames: Sequence[FrameFound]) -> list[Person]:
    """Fragments by the tracker, told of all that was seen, also going back."""
    tracker = Tracker()
    rows: dict[int, list[tuple[int, int]]] = {}
    before: Step | None = None
    for k, frame in enumerate(frames):
        kept = without_doubles(frame.seen)
        moved = None if before is None or frame.cut else between(before, frame.camera)
        numbers = tracker.step(frame.time_s, [frame.seen[i] for i in kept], cut=frame.cut, camera_step=moved)
        for number, i in zip(numbers, kept, strict=True):
            rows.setdefault(number, []).append((k, i))
        before = frame.camera
    return [Person(str(n), *np.array(own, dtype=np.int64).T) for n, own in rows.items()]


def _rejoined(followed: list[Person], frames: Sequence[FrameFound]) -> list[Person]:
    """The same where people hid each other looked at again, now that it is known what came of it."""
    if not followed:
        return followed
    seen = sightings(frames, [(f.frame, f.index) for f in followed])
    return [Person(str(k), seen.frame[rows], seen.index[rows]) for k, rows in enumerate(rejoined(seen)) if rows.size]


def _is_person(fragment: Person, frames: Sequence[FrameFound]) -> bool:
    long_s = frames[fragment.frame[-1]].time_s - frames[fragment.frame[0]].time_s
    whole_s = frames[-1].time_s - frames[0].time_s
    # In a video that is shorter than that, all of it is long.
    if fragment.frame.size < LEAST_FRAMES or long_s < min(LEAST_S, 0.5 * whole_s):
        return False
    if fragment.frame.size < LEAST_SHARE * (fragment.frame[-1] - fragment.frame[0] + 1):
        return False
    joints = [
        np.isfinite(_seen(frames, f, k).keypoints[:, 0]).sum()
        for f, k in zip(fragment.frame, fragment.index, strict=True)
    ]
    return float(np.median(joints)) >= LEAST_JOINTS


# -- joining -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _End:
    """An end of a fragment: when, where (2,), how fast (2,) px/s, how tall px, dressed how, and in which shot."""

    time_s: float
    middle: FloatArray
    velocity: FloatArray
    height: float
    colours: FloatArray | None
    shot: int


def _joined(fragments: list[Person], frames: Sequence[FrameFound]) -> list[Person]:
    """Fragments of the same people made one, by ends that fit together; again and again until none do."""
    shot = np.cumsum([f.cut for f in frames])
    while len(fragments) > 1:
        cost = np.full((len(fragments), len(fragments)), np.inf)
        ends = [(_end(f, frames, shot, last=False), _end(f, frames, shot, last=True)) for f in fragments]
        for a in range(len(fragments)):
            for b in range(len(fragments)):
                if a != b:
                    cost[a, b] = _misfit(ends[a][1], ends[b][0])
        _by_clothes(cost, ends)
        rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e3))
        pairs = [(a, b) for a, b in zip(rows, columns, strict=True) if np.isfinite(cost[a, b])]
        if not pairs:
            return fragments
        # One pair at a time, the surest: a joined fragment's ends are others.
        a, b = min(pairs, key=lambda pair: cost[pair])
        both = Person(
            fragments[a].name,
            np.concatenate([fragments[a].frame, fragments[b].frame]),
            np.concatenate([fragments[a].index, fragments[b].index]),
        )
        fragments = [f for k, f in enumerate(fragments) if k not in (a, b)] + [both]
    return fragments


def _end(fragment: Person, frames: Sequence[FrameFound], shot: FloatArray, *, last: bool) -> _End:
    time_s = np.array([frames[f].time_s for f in fragment.frame])
    at = -1 if last else 0
    near = np.abs(time_s - time_s[at]) <= _EDGE_S
    seen = [_seen(frames, f, k) for f, k in zip(fragment.frame[near], fragment.index[near], strict=True)]
    boxes = boxes_px(np.stack([s.keypoints for s in seen]))
    middles = 0.5 * (boxes[:, :2] + boxes[:, 2:])
    velocity = np.zeros(2)
    if np.ptp(time_s[near]) > 0.1:
        velocity = np.polyfit(time_s[near], middles, 1)[0]
    height = float(np.median(np.maximum(boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0])))
    dressed = [s.colours for s in seen if s.colours is not None]
    colours = np.mean(dressed, axis=0) if dressed else None
    return _End(float(time_s[at]), middles[at], velocity, max(height, 1.0), colours, int(shot[fragment.frame[at]]))


def _misfit(end: _End, begin: _End) -> float:
    """How badly the beginning of a fragment goes on with the end of another; infinite where it cannot."""
    gap_s = begin.time_s - end.time_s
    if not 0.0 < gap_s <= NEAR_S or end.shot != begin.shot:
        return np.inf
    ratio = max(end.height / begin.height, begin.height / end.height)
    height = 0.5 * (end.height + begin.height)
    # Each side's velocity carries half of the way, and dies away.
    carried_s = min(0.5 * gap_s, 0.4)
    away = np.linalg.norm(begin.middle - begin.velocity * carried_s - end.middle - end.velocity * carried_s) / height
    reach = _APART[0] + _APART[1] * gap_s
    clothes = 0.3
    if end.colours is not None and begin.colours is not None:
        clothes = other_clothes(end.colours, begin.colours)
    if away > reach or ratio > 2.0 or clothes > _SAME_CLOTHES:
        return np.inf
    return float(away / reach + clothes + 0.1 * gap_s)


def _by_clothes(cost: FloatArray, ends: Sequence[tuple[_End, _End]]) -> None:
    """Pairs farther apart in time that are dressed alike, where nobody else is as much."""
    other = np.full(cost.shape, np.inf)
    for a, (_, end) in enumerate(ends):
        for b, (begin, _) in enumerate(ends):
            gap_s = begin.time_s - end.time_s
            dressed = end.colours is not None and begin.colours is not None
            if a != b and dressed and NEAR_S < gap_s <= FAR_S and end.shot == begin.shot:
                assert end.colours is not None
                assert begin.colours is not None
                other[a, b] = other_clothes(end.colours, begin.colours)
    for a, b in np.argwhere(other <= _CLEARLY_SAME):
        rivals = np.concatenate([np.delete(other[a], b), np.delete(other[:, b], a)])
        if rivals.size == 0 or float(rivals.min()) - other[a, b] >= _CLEAR_LEAD:
            cost[a, b] = min(cost[a, b], 2.0 + other[a, b])


# -- the user's word ---------------------------------------------------------------------------------------------


def _of_name(people: Sequence[Person], name: str, flag: str) -> int:
    for k, person in enumerate(people):
        if person.name == name:
            return k
    known = ", ".join(p.name for p in people) or "nobody"
    raise InputError(f"{flag} names the person '{name}', whom the video does not show.", f"It shows: {known}.")


def _merged(people: list[Person], first: str, second: str, frames: Sequence[FrameFound]) -> list[Person]:
    a, b = _of_name(people, first, "--merge"), _of_name(people, second, "--merge")
    both = np.intersect1d(people[a].frame, people[b].frame)
    if both.size:
        raise InputError(
            f"{first} and {second} are seen at the same time, at {frames[both[0]].time_s:.2f} s, so they are two.",
            "Split one of them first (--split), or leave them as they are.",
        )
    frame = np.concatenate([people[a].frame, people[b].frame])
    order = np.argsort(frame)
    one = Person(first, frame[order], np.concatenate([people[a].index, people[b].index])[order])
    return [one if k == a else p for k, p in enumerate(people) if k != b]


def _parted(people: list[Person], name: str, at_s: float, frames: Sequence[FrameFound]) -> list[Person]:
    k = _of_name(people, name, "--split")
    person = people[k]
    time_s = np.array([frames[f].time_s for f in person.frame])
    later = time_s >= at_s
    if min(later.sum(), (~later).sum()) < 2:
        raise InputError(
            f"--split {name}@{at_s:g} leaves nothing of one part: {name} is seen from {time_s[0]:.2f} to "
            f"{time_s[-1]:.2f} s.",
            "Give a time between.",
        )
    new = next(f"{name}{c}" for c in "bcdefghijklmnopqrstuvwxyz" if all(p.name != f"{name}{c}" for p in people))
    parts = [Person(name, person.frame[~later], person.index[~later]),
             Person(new, person.frame[later], person.index[later])]  # fmt: skip
    return [*people[:k], *parts, *people[k + 1 :]]
