"""From sightings in frames to whole people: fragments joined, the fleeting left out, the user's word followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.poses import Poses
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import Step, between
from kinebind.video.flips import mend_flips
from kinebind.video.found import FrameFound
from kinebind.video.joining import chained, rejoined, sightings
from kinebind.video.oks import boxes_px, each_once, overlap
from kinebind.video.tracker import Tracker, other_clothes

IntArray = npt.NDArray[np.int64]

_SAME = 0.7
"""Two sightings of one frame that are this alike are one person's."""
LEAST_S = 0.5
LEAST_FRAMES = 3
"""Who is seen for less than this, in time or in frames, is no person to follow."""
LEAST_SHARE = 0.4
"""Nor who is seen in fewer than this share of the frames from first to last."""
LEAST_JOINTS = 6
"""Who shows fewer joints than this, in the median frame, is none either: a chair, a shadow, a picture on the wall."""
NEAR_S = 3.0
"""Fragments that lie closer in time than this may be joined by where they end and begin, if the clothes are alike."""
OPEN_S = 0.5
"""The same whatever the clothes seem to be, where nobody else is near, for whom one of them might have been taken."""
FAR_S = 60.0
"""Those no farther apart than this by the clothes alone, where these leave no doubt."""
_APART = (0.5, 1.0)
"""How far the end and the beginning may lie apart, in people's heights: at once, and more with every second between."""
_VELOCITY_OVER_S = 0.25
_DOUBLED_S, _DOUBLED = 0.1, 0.3
"""Fragments that are seen at once for no longer than this, and so far over each other, may be one person, told twice.
"""
_SAME_CLOTHES, _UNKNOWN_CLOTHES = 0.45, 0.3
_CLEARLY_SAME, _CLEAR_LEAD = 0.25, 0.15


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
        kept = each_once(np.array([p.keypoints for p in frame.seen]).reshape(-1, 17, 3), _SAME)
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


def _joined(fragments: Sequence[Person], frames: Sequence[FrameFound]) -> list[Person]:
    """Fragments of one person made one: close in time by where one ends and another begins, else by the clothes."""
    time_s, cut = (np.array([getattr(f, name) for f in frames]) for name in ("time_s", "cut"))
    shot = np.cumsum(cut)
    clothes = [_clothes(f, frames) for f in fragments]
    begins, ends = ([_at_end(f, frames, time_s, last=last) for f in fragments] for last in (False, True))
    links: dict[tuple[int, int], float] = {}
    end = np.array([f.frame[-1] for f in fragments], dtype=np.int64)
    begin = np.array([f.frame[0] for f in fragments], dtype=np.int64)
    gaps_s = time_s[begin][None] - time_s[end][:, None]
    later = (begin[None] > begin[:, None]) & (end[None] > end[:, None])
    near = later & (gaps_s > -_DOUBLED_S) & (gaps_s <= FAR_S) & (shot[end][:, None] == shot[begin][None])
    for a, b in np.argwhere(near).tolist():
        if gaps_s[a, b] <= 0.0 and overlap(ends[a].box[None], begins[b].box[None])[0, 0] < _DOUBLED:
            continue
        one, other, gap_s = clothes[a], clothes[b], float(gaps_s[a, b])
        apart = _UNKNOWN_CLOTHES if one is None or other is None else other_clothes(one, other)
        cost = apart - _CLEARLY_SAME - _CLEAR_LEAD
        if gap_s <= NEAR_S:
            away = _away(ends[a], begins[b], gap_s)
            if away < 1.0 and (
                apart <= _SAME_CLOTHES
                or (gap_s <= OPEN_S and _in_the_open(fragments, (a, b), (ends[a].box, begins[b].box), frames))
            ):
                cost = min(cost, away - 1.0)
        if cost < 0.0:
            links[a, b] = cost
    chains = chained(links, len(fragments), _CLEAR_LEAD)
    return [_together([fragments[k] for k in chain]) for chain in chains]


@dataclass(frozen=True, eq=False)
class _End:
    """Where a fragment begins or ends: box (4,) px, and the velocity of its middle (2,) px/s."""

    box: FloatArray
    velocity: FloatArray


def _at_end(fragment: Person, frames: Sequence[FrameFound], time_s: FloatArray, *, last: bool) -> _End:
    """Its end, or its beginning. time_s (F,): of all frames."""
    own_s = time_s[fragment.frame]
    at_s = own_s[-1] if last else own_s[0]
    near = np.flatnonzero(np.abs(own_s - at_s) <= _VELOCITY_OVER_S)
    box = boxes_px(np.stack([_seen(frames, fragment.frame[k], fragment.index[k]).keypoints for k in near]))
    middle = 0.5 * (box[:, :2] + box[:, 2:])
    many = near.size >= LEAST_FRAMES
    velocity: FloatArray = np.polyfit(own_s[near] - at_s, middle, 1)[0] if many else np.zeros(2)
    return _End(box[-1 if last else 0], velocity)


def _away(end: _End, begin: _End, gap_s: float) -> float:
    """How far a beginning lies from an end, of how far somebody may have gone in a time: 1 and more is too far.

    From where she was, or from where she was going: somebody who falls is soon elsewhere.
    """
    height = 0.5 * (max(end.box[2:] - end.box[:2]) + max(begin.box[2:] - begin.box[:2]))
    way = 0.5 * (begin.box[:2] + begin.box[2:] - end.box[:2] - end.box[2:])
    ways = [np.linalg.norm(way - gap_s * velocity) for velocity in (np.zeros(2), end.velocity, begin.velocity)]
    return float(min(ways) / max(height, 1.0) / (_APART[0] + _APART[1] * gap_s))


def _in_the_open(
    fragments: Sequence[Person],
    pair: tuple[int, int],
    boxes: tuple[FloatArray, FloatArray],
    frames: Sequence[FrameFound],
) -> bool:
    """Whether nobody else is near from where one of a pair ends to where the other begins, in boxes (4,) px."""
    first, last = int(fragments[pair[0]].frame[-1]), int(fragments[pair[1]].frame[0])
    hull = np.concatenate([np.minimum(*boxes)[:2], np.maximum(*boxes)[2:]])
    for k, other in enumerate(fragments):
        between_them = (other.frame >= first) & (other.frame <= last) & (k not in pair)
        seen = [_seen(frames, other.frame[row], other.index[row]).keypoints for row in np.flatnonzero(between_them)]
        if seen and (overlap(hull[None], boxes_px(np.stack(seen))) > 0.0).any():
            return False
    return True


def _clothes(fragment: Person, frames: Sequence[FrameFound]) -> FloatArray | None:
    worn = [_seen(frames, f, k).colours for f, k in zip(fragment.frame, fragment.index, strict=True)]
    known = [own for own in worn if own is not None]
    return np.asarray(np.mean(known, axis=0)) if known else None


def _together(parts: Sequence[Person]) -> Person:
    """Parts that follow each other as one; where two are seen at once, the earlier."""
    frame, index = (np.concatenate([getattr(p, name) for p in parts]) for name in ("frame", "index"))
    frame, once = np.unique(frame, return_index=True)
    return Person(parts[0].name, frame, index[once])


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
