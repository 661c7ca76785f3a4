"""MediaPipe's pose landmarker, asked for each person around the place where that person is expected.

Its detector looks at 224 pixels of what it is given, so that in a whole picture people who are small or close to
others are missed. Each person who is followed is therefore looked for in a square of her own, and from time to time
everybody is in the whole picture and in overlapping squares of it. Who was found is followed: her body is looked for
where it was in her square of the frame before, without the detector, which is faster and loses her less often. Who is
not found where she should be, as she leans far over or stands against the light, is looked for once more with the
contrast evened and the picture turned.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from kinebind._cache import sha256_of
from kinebind.clock import FloatArray
from kinebind.video.backend import Image, Seen
from kinebind.video.landmarker import Follower, Landmarker, silent
from kinebind.video.mediapipe_model import model_file, needs_mediapipe
from kinebind.video.oks import boxes_px, covered, each_once, no_parts, overlap, similarity
from kinebind.video.squares import square_around, squares_of, whole_square

_AROUND = 1.4
"""Side of the square around a person in which she is looked for, in units of the longer side of her box."""
_AGAIN = ((1.8, 0, True), (1.8, 1, False), (1.8, 3, False), (2.6, 0, True))
"""How she is looked for where she was not found there: such a side, by how many quarters the picture is turned, and
whether its contrast is evened.
"""
_AT_PLACE = 0.3
"""Overlap, intersection over union, with where she should be of what may then be hers."""
_HIDDEN = 0.3
"""Share of where she should be that others cover, from which she is hidden."""
_SAME_PERSON = 0.45
"""Similarity of two sets of keypoints above which they are of one person."""
_ALL_PEOPLE = 6
"""How many people one look at the whole picture may find; those whom it misses are found in its squares."""
_FOLLOWERS = 4
"""How many people are followed from frame to frame, which takes memory; more are looked for in every frame anew."""


@dataclass(eq=False)
class _Following:
    """A follower, and where the person whom it follows was seen last: (4,) in parts of the picture's width, or None."""

    follower: Follower
    box: FloatArray | None = None

    def lose(self) -> None:
        """Whoever is followed next is somebody else."""
        self.follower.forget()
        self.box = None


class MediaPipeBackend:
    """Poses by MediaPipe's Tasks; satisfies `kinebind.video.backend.PoseBackend`."""

    lag_s = 0.0
    """Poses are not smoothed over time; `kinebind bench video` measures what remains (`pose_lag_ms`)."""

    def __init__(self, model: Path | None = None, *, threads: int = 2) -> None:
        """model: a .task bundle, or None for ours. Raises InputError where it, or MediaPipe, is not to be had."""
        needs_mediapipe()
        path = model_file(model)
        self.name = f"mediapipe-{sha256_of(path)[:12]}-5"
        self._model = path
        self._one: SimpleQueue[Landmarker] = SimpleQueue()
        self._following: list[_Following] = []
        with silent():
            for _ in range(threads):
                self._one.put(Landmarker(path, people=2))
            self._all = Landmarker(path, people=_ALL_PEOPLE)
        self._threads = ThreadPoolExecutor(threads)

    def detect(self, image: Image, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """People in a frame; see `PoseBackend`."""
        found = self._expected(image, around)
        seen = [person for group in found for person in group]
        missing = [k for k, box in enumerate(around) if not _who_is_in(box, found[k]) and not _hidden(box, seen)]
        for k, more in self._again(image, {k: around[k] for k in missing}).items():
            found[k].append(more)
        seen = [person for group in found for person in group]
        expected = [person for box, group in zip(around, found, strict=True) for person in _who_is_in(box, group)]
        if search:
            whole_image = self._threads.submit(self._all.look, image, whole_square(image))
            everywhere = self._threads.map(lambda square: self._one_of(image, square), squares_of(image.shape[:2]))
            seen += [person for group in (whole_image.result(), *everywhere) for person in group]
        keypoints = _keypoints(seen)
        once = each_once(keypoints, _SAME_PERSON)
        # Who is followed may be half hidden; who is new is a person only where she is no part of somebody.
        alike = similarity(keypoints[once], _keypoints(expected)).max(axis=1, initial=0.0)
        whole = set(no_parts(keypoints[once]))
        return [seen[k] for n, k in enumerate(once) if n in whole or alike[n] > _SAME_PERSON]

    def forget(self) -> None:
        """Who is followed is found anew in the next frame."""
        for own in self._following:
            own.lose()

    def close(self) -> None:
        """End the threads and MediaPipe's."""
        self._threads.shutdown()
        with silent():
            while not self._one.empty():
                self._one.get().close()
            for own in self._following:
                own.follower.close()
            self._all.close()

    def _expected(self, image: Image, around: Sequence[FloatArray]) -> list[list[Seen]]:
        """Who is found around each of the boxes: by whoever follows her, or else by a look at the square."""
        width = image.shape[1]
        pairs = self._followers([box / width for box in around])
        people = self._threads.map(lambda k: pairs[k].follower.look(image, square_around(around[k], _AROUND)), pairs)
        found = {k: [person] if person is not None else [] for k, person in zip(pairs, people, strict=True)}
        strays = {k for k, own in found.items() if own and not _at_place(around[k], own)}
        # Two who are in one another's way may both be taken for the one in front.
        for a, b in itertools.combinations([k for k in found if found[k] and k not in strays], 2):
            if similarity(_keypoints(found[a]), _keypoints(found[b]))[0, 0] > _SAME_PERSON:
                strays |= {a, b}
        anew = [k for k in range(len(around)) if k not in pairs or k in strays]
        squares = [square_around(around[k], _AROUND) for k in anew]
        found |= zip(anew, self._threads.map(lambda square: self._one_of(image, square), squares), strict=True)
        for k, own in pairs.items():
            if k in strays or not found[k]:
                own.lose()
            else:
                own.box = found[k][0].box_px() / width
        return [found[k] for k in range(len(around))]

    def _followers(self, boxes: Sequence[FloatArray]) -> dict[int, _Following]:
        """Who follows the people in these boxes, in parts of the picture's width, as far as there are followers."""
        if not boxes:  # a new scene
            self.forget()
        pairs: dict[int, _Following] = {}
        before = [own for own in self._following if own.box is not None]
        shared = overlap(np.array(boxes).reshape(-1, 4), np.array([own.box for own in before]).reshape(-1, 4))
        while shared.max(initial=0.0) >= _AT_PLACE:
            best, n = divmod(int(shared.argmax()), len(before))
            pairs[best] = before[n]
            shared[best], shared[:, n] = 0.0, 0.0
        idle = [own for own in self._following if own not in pairs.values()]
        for k in range(len(boxes)):
            if k in pairs:
                continue
            if not idle and len(self._following) < _FOLLOWERS:
                with silent():
                    idle.append(_Following(Follower(self._model)))
                self._following += idle
            if idle:
                pairs[k] = idle.pop(0)
                pairs[k].lose()
        return pairs

    def _one_of(self, image: Image, square: FloatArray, *, quarters: int = 0, evened: bool = False) -> list[Seen]:
        """People in a square of the image, by a landmarker that is free."""
        landmarker = self._one.get()
        try:
            return landmarker.look(image, square, quarters=quarters, evened=evened)
        finally:
            self._one.put(landmarker)

    def _again(self, image: Image, boxes: Mapping[int, FloatArray]) -> dict[int, Seen]:
        """Who was not found in these boxes, by number, looked for in the other ways; two ways at a time for each."""
        out: dict[int, Seen] = {}
        for start in range(0, len(_AGAIN), 2):
            tries = [(k, way) for k in boxes if k not in out for way in _AGAIN[start : start + 2]]
            for (k, _), person in zip(
                tries, self._threads.map(lambda own: self._in(image, boxes, *own), tries), strict=True
            ):
                if person is not None:
                    out.setdefault(k, person)
        return out

    def _in(self, image: Image, boxes: Mapping[int, FloatArray], k: int, way: tuple[float, int, bool]) -> Seen | None:
        """Who is found in a box in one of the ways of `_AGAIN`."""
        side, quarters, evened = way
        people = self._one_of(image, square_around(boxes[k], side), quarters=quarters, evened=evened)
        there = overlap(boxes[k][None], boxes_px(_keypoints(people)))[0]
        return people[int(there.argmax())] if there.max(initial=0.0) >= _AT_PLACE else None


def _at_place(box: FloatArray, people: Sequence[Seen]) -> bool:
    """Whether one of the people is about where somebody should be."""
    return bool(overlap(box[None], boxes_px(_keypoints(people))).max(initial=0.0) >= _AT_PLACE)


def _who_is_in(box: FloatArray, people: Sequence[Seen]) -> list[Seen]:
    """Of the people found around a box, the one who was expected in it, if any."""
    shared = overlap(box[None], boxes_px(_keypoints(people)))[0]
    return [people[int(shared.argmax())]] if shared.max(initial=0.0) > 0.0 else []


def _hidden(box: FloatArray, others: Sequence[Seen]) -> bool:
    """Whether somebody who was found stands where a person was expected."""
    return bool(covered(box[None], boxes_px(_keypoints(others))).max(initial=0.0) > _HIDDEN)


def _keypoints(people: Sequence[Seen]) -> FloatArray:
    return np.array([p.keypoints for p in people]).reshape(-1, 17, 3)
