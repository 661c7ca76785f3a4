"""From a video to what is seen in each of its frames: kept in parts, from which a run that was stopped goes on.

People who are followed are looked for where they are expected; everybody is looked for everywhere every 1.5 s, at
every cut, and sooner while somebody is lost. Who is found only then was there before: the frames since the last such
look are gone through backwards.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from kinebind._threads import ahead
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.video.appearance import torso_colours
from kinebind.video.backend import Image, PoseBackend, Seen
from kinebind.video.camera_motion import CameraMotion, Step, between
from kinebind.video.cuts import CutFinder
from kinebind.video.found import Arrays, Found, FrameFound, packed, read_part, write_part
from kinebind.video.frames import Damage, Frame, frames
from kinebind.video.oks import similarity
from kinebind.video.tracker import Tracker

log = logging.getLogger(__name__)

SEARCH_EVERY_S = 1.5
LOST_EVERY_S = 0.25
"""How often everybody is looked for everywhere: usually, and while somebody who was expected is not seen."""
PART_S = 10.0
"""How much of a video a kept part holds: what a stop may cost."""
_BACK_SIDE_PX = 960
"""Frames that may be gone back through are kept this large, as whoever is found in them once was found already."""
_BACK_BYTES = 256 << 20
_SAME_PERSON = 0.3
VERSION = 4
"""Of how frames are looked at: what an older version found is not taken for this one's."""

Progress = Callable[[float, int], None]
"""Told the time in the video that is done, seconds, and the number of frames."""


def look_through(
    path: Path,
    backend: PoseBackend,
    *,
    kept: Path | None = None,
    damage: Damage | None = None,
    progress: Progress | None = None,
) -> Found:
    """What is seen in every frame of a video.

    kept: a folder for the parts, which is read first: a run that was stopped goes on where its last part ended.
    Raises InputError where the video cannot be read or the folder cannot be written.
    """
    found = Found()
    for before in _kept_parts(kept) if kept is not None else []:
        found.add_part(before)
    if kept is not None and (kept / _DONE).exists():
        return found
    if kept is not None:
        try:
            kept.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"Cannot make {kept}: {error.strerror}.", "Set XDG_CACHE_HOME to another place, or use --no-cache."
            ) from error
    with closing(_Looking(backend)) as looking:
        for done in found:
            looking.again(done)
        done_s = found[-1].time_s if len(found) else None
        number = len(list(kept.glob("part-*.npz"))) if kept is not None else 0
        if done_s is not None:
            # Camera and cuts are told against the frame before: the last one is decoded once more.
            looking.last_again(path, done_s, found[-1].camera)
        for frame in ahead(frames(path, after_s=done_s, damage=damage)):
            part = looking.at(frame)
            if part:
                found.add_part(_kept(kept, number, part))
                number += 1
            if progress is not None:
                progress(frame.time_s, len(found) + looking.waiting)
        part = looking.rest()
        if part:
            found.add_part(_kept(kept, number, part))
    if kept is not None:
        (kept / _DONE).touch()
    return found


_DONE = "done"


def forget(kept: Path) -> None:
    """Remove what is kept of a video."""
    shutil.rmtree(kept, ignore_errors=True)


def _kept(kept: Path | None, number: int, frames: Sequence[FrameFound]) -> Arrays:
    """Frames as a part, which is written where there is a place for it."""
    part = packed(frames)
    if kept is not None:
        write_part(kept / f"part-{number:06d}.npz", part)
    return part


def _kept_parts(kept: Path) -> list[Arrays]:
    """The parts that are whole; from a damaged one on, all frames are looked at again."""
    found: list[Arrays] = []
    paths = sorted(kept.glob("part-*.npz"))
    for k, path in enumerate(paths):
        try:
            if path.name != f"part-{k:06d}.npz":
                raise ValueError(f"{path.name} is out of order")
            found.append(read_part(path))
        except ValueError as error:
            log.warning("A part of what was found before is damaged (%s): the rest is looked at again.", error)
            (kept / _DONE).unlink(missing_ok=True)
            for late in paths[k:]:
                late.unlink(missing_ok=True)
            break
    return found


class _Looking:
    """Looks at frame after frame."""

    def __init__(self, backend: PoseBackend) -> None:
        self._backend = backend
        self._aside = ThreadPoolExecutor(1)
        self._tracker = Tracker()
        self._camera = CameraMotion()
        self._cuts = CutFinder()
        self._searched_s: float | None = None
        self._latest_s = 0.0
        self._part: list[FrameFound] = []
        self._pending: list[FrameFound] = []
        self._images: list[tuple[Image, float]] = []
        self._before: dict[int, Seen] = {}
        self._placed: Step | None = None  # where the frame before lies, in the video's pixels

    def close(self) -> None:
        """End the thread."""
        self._aside.shutdown()

    @property
    def waiting(self) -> int:
        """How many frames have been looked at and not been handed over."""
        return len(self._part) + len(self._pending)

    def again(self, frame: FrameFound) -> None:
        """A frame that was looked at before the stop: people are followed as they were then."""
        seen = [s for s, late in zip(frame.seen, frame.later, strict=True) if not late]
        self._follow(frame.time_s, seen, frame.camera, cut=frame.cut)
        self._searched_s = None  # parts end before a look at everything

    def last_again(self, path: Path, time_s: float, step: Step) -> None:
        """The last frame before a stop, for those who compare frames."""
        for frame in frames(path, after_s=time_s - 2.0):
            if frame.time_s >= time_s - 1e-9:
                around = [box * frame.scale for box in self._tracker.expected(time_s)]
                self._camera.begin(frame.image, around, step.scaled(frame.scale))
                self._cuts.step(frame.image)
                return

    def at(self, frame: Frame) -> list[FrameFound]:
        """Look at the next frame; a part of frames that are done, if one is whole."""
        image, scale = frame.image, frame.scale
        cut = self._cuts.step(image)
        around = [] if cut else [box * scale for box in self._tracker.expected(frame.time_s)]
        # Neither needs the other, and both take long.
        moved = self._aside.submit(self._camera.step, image, frame.time_s, around, cut=cut)
        every_s = LOST_EVERY_S if self._tracker.lost(self._latest_s) else SEARCH_EVERY_S
        search = cut or self._searched_s is None or frame.time_s - self._searched_s >= every_s
        # A part ends before a look at everything, behind which nobody goes back, and one who goes on there after a stop
        # remembers nothing.
        ends = search and self._latest_s - self._began_s() >= PART_S
        if ends:
            self._backend.forget()
        seen = self._detected(image, scale, around, search=search)
        camera = moved.result().scaled(1.0 / scale)
        before = self._before
        tracks = self._follow(frame.time_s, seen, camera, cut=cut)
        own = FrameFound(frame.time_s, tuple(seen), (False,) * len(seen), camera, cut)
        done: list[FrameFound] = []
        if search:
            if not cut:
                new = [p for track, p in zip(tracks, seen, strict=True) if track not in before]
                self._go_back(new)
            self._part += self._pending
            self._pending, self._images = [], []
            self._searched_s = frame.time_s
        if ends:
            done, self._part = self._part, []
        self._pending.append(own)
        self._images.append(_small(image, scale))
        kept_bytes = sum(i.nbytes for i, _ in self._images)
        while kept_bytes > _BACK_BYTES:
            kept_bytes -= self._images.pop(0)[0].nbytes
        return done

    def _follow(self, time_s: float, seen: Sequence[Seen], camera: Step, *, cut: bool) -> list[int]:
        """Track numbers of the people of a frame, for knowing where they will be in the next."""
        moved = None if cut or self._placed is None else between(self._placed, camera)
        tracks = self._tracker.step(time_s, seen, cut=cut, camera_step=moved)
        self._before, self._placed, self._latest_s = dict(zip(tracks, seen, strict=True)), camera, time_s
        return tracks

    def rest(self) -> list[FrameFound]:
        """The frames that are left after the last one."""
        done = self._part + self._pending
        self._part, self._pending, self._images = [], [], []
        return done

    def _began_s(self) -> float:
        """When the part that frames go to now began; infinite where no frame has been looked at."""
        first = next(iter(self._part or self._pending), None)
        return float("inf") if first is None else first.time_s

    def _detected(self, image: Image, scale: float, around: Sequence[FloatArray], *, search: bool) -> list[Seen]:
        """The people of a frame in the video's pixels, with the colours of their clothes."""
        found = self._backend.detect(image, around, search=search)
        return [_scaled(replace(p, colours=torso_colours(image, p.keypoints)), 1.0 / scale) for p in found]

    def _go_back(self, people: Sequence[Seen]) -> None:
        """Look for people in the frames since the last look at everything, the latest first, until they are lost."""
        first = len(self._pending) - len(self._images)
        for k in range(len(self._pending) - 1, first - 1, -1):
            if not people:
                return
            image, scale = self._images[k - first]
            frame = self._pending[k]
            around = [p.box_px() * scale for p in people]
            seen = self._detected(image, scale, around, search=False)
            followed = []
            for person in people:
                at = _same(person, seen)
                if at is None or _same(seen[at], frame.seen) is not None:
                    continue  # lost, or somebody who was seen there already
                followed.append(seen[at])
            if followed:
                self._pending[k] = replace(
                    frame, seen=(*frame.seen, *followed), later=(*frame.later, *([True] * len(followed)))
                )
            people = followed


def _same(person: Seen, among: Sequence[Seen]) -> int | None:
    """Which of the others is the same person, if any."""
    if not among:
        return None
    alike = similarity(person.keypoints[None], np.stack([p.keypoints for p in among]))[0]
    best = int(np.argmax(alike))
    return best if alike[best] > _SAME_PERSON else None


def _scaled(person: Seen, factor: float) -> Seen:
    """The same person in pixels that are so many times as small."""
    if factor == 1.0:
        return person
    keypoints: FloatArray = person.keypoints.copy()
    keypoints[:, :2] *= factor
    return replace(person, keypoints=keypoints)


def _small(image: Image, scale: float) -> tuple[Image, float]:
    """An image made smaller by a whole number, which is ten times as fast as by any other."""
    times = -(-max(image.shape[:2]) // _BACK_SIDE_PX)
    if times == 1:
        return image, scale
    height, width = image.shape[0] // times, image.shape[1] // times
    whole = image[: height * times, : width * times]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8), scale / times
