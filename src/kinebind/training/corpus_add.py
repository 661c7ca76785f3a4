"""Video as training material: the motion that it shows, with captions, appended to a corpus file."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.body.lifted_gates import SHORTEST_S, LeftOut
from kinebind.body.segment_motion import SegmentMotion
from kinebind.errors import InputError
from kinebind.readers.captions import Caption
from kinebind.training.corpus_file import Index, read_index, written_corpus
from kinebind.training.footage import Footage, Mover, whole_stretches

UNKNOWN_TERMS = "Not known to Kinebind: whoever added the videos has to know their rights."

_ROUNDING_S = 0.5  # a caption may begin or end so far outside: players show whole seconds


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of one person's motion with its label. name: FILE/PERSON, from the second on with #2, #3, ..."""

    motion: SegmentMotion
    name: str
    group: str
    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Added:
    """What became of a corpus file: clips and hours that are new, clips that it had and kept, clips replaced."""

    clips: int
    hours: float
    kept: int
    replaced: int
    size_bytes: int


def clips_of(
    footage: Footage, label: str, captions: Sequence[Caption] | None = None
) -> tuple[list[Clip], dict[str, tuple[LeftOut, ...]]]:
    """The clips of a file, and by person what is left out of it.

    captions: those of this file; each makes clips of its own, and what none is about is left out. None: everything
    becomes clips with `label`.
    Raises InputError for a caption about a person who is not there, or a time outside the file's.
    """
    for caption in captions or ():
        _check(caption, footage)
    clips: list[Clip] = []
    left_out: dict[str, tuple[LeftOut, ...]] = {}
    for mover in footage.movers:
        own = [Caption(footage.path.name, label)] if captions is None else captions
        made, more = _clips_of(mover, footage.path, [c for c in own if c.person in (None, mover.person)])
        clips += made
        left_out[mover.person] = tuple(sorted((*mover.left_out, *more), key=lambda one: one.start_s))
    return clips, left_out


def _check(caption: Caption, footage: Footage) -> None:
    people = [mover.person for mover in footage.movers]
    if caption.person is not None and caption.person not in people:
        raise InputError(
            f"{caption.place}: {footage.path.name} shows nobody called '{caption.person}'.",
            f"It shows: {', '.join(people)}.",
        )
    outside = [
        f"{time_s:g} s" for time_s in (caption.start_s, caption.end_s)
        if np.isfinite(time_s) and not footage.start_s - _ROUNDING_S <= time_s <= footage.end_s + _ROUNDING_S
    ]  # fmt: skip
    if outside:
        raise InputError(
            f"{caption.place}: {' and '.join(outside)} is not in {footage.path.name}.",
            f"It runs from {footage.start_s:.2f} to {footage.end_s:.2f} s.",
        )


def _clips_of(mover: Mover, path: Path, captions: Sequence[Caption]) -> tuple[list[Clip], list[LeftOut]]:
    motion, clips, left_out = mover.motion, list[Clip](), list[LeftOut]()
    if motion is None:
        return clips, left_out
    times = mover.start_s + motion.time_s
    named = np.zeros(times.size, dtype=bool)
    for caption in captions:
        inside = (times >= caption.start_s - 1e-9) & (times <= caption.end_s + 1e-9)
        named |= inside
        for first, stop in whole_stretches(_masked(motion, inside)):
            start_s, end_s = float(times[first]), float(times[stop - 1])
            if end_s - start_s < SHORTEST_S - 1e-9:
                what = f"{end_s - start_s:.2f} s of '{caption.text}' in one piece, less than {SHORTEST_S:g}"
                left_out.append(LeftOut(start_s, end_s, "short", end_s - start_s, what))
                continue
            count = f"#{len(clips) + 1}" if clips else ""
            piece = dataclasses.replace(
                motion, rot_world_from_segment=motion.rot_world_from_segment[first:stop],
                root_world=motion.root_world[first:stop], notes=(),
            )  # fmt: skip
            name = f"{path.name}/{mover.person}"
            clips.append(Clip(piece, name + count, name, caption.text, start_s, end_s))
    for first, stop in whole_stretches(_masked(motion, ~named)):
        lasts_s = (stop - first) / motion.rate_hz
        what = f"no caption is about these {lasts_s:.2f} s"
        left_out.append(LeftOut(float(times[first]), float(times[stop - 1]), "no caption", lasts_s, what))
    return clips, left_out


def _masked(motion: SegmentMotion, keep: np.ndarray) -> SegmentMotion:
    """A motion with all other frames missing."""
    return dataclasses.replace(motion, root_world=np.where(keep[:, None], motion.root_world, np.nan))


def add_clips(
    out: str | Path, clips: Sequence[Clip], *, source: str, terms: str | None = None, replace: bool = False
) -> Added:
    """Write clips to a corpus file, behind those that it has where it exists; whole or not at all.

    terms: of use; by default those that the corpus has for this source, or `UNKNOWN_TERMS`. A file whose clips are in
    the source already is told by its name; with `replace` they make room for the new ones.
    Raises InputError where there is no clip, where a file was added before and is not to be replaced, where `out` is
    something else than a corpus, and where it cannot be written.
    """
    if not clips:
        raise InputError("Nothing was found that is fit to be learned from.", "See what was left out, and why.")
    path = Path(out)
    files = {clip.group.partition("/")[0] for clip in clips}
    index = check_new(path, files, source=source, replace=replace)
    old = np.zeros(0, dtype=bool) if index is None else _of_files(index, source, files)
    known = {} if index is None else dict(index.terms)
    known[source] = terms if terms is not None else known.get(source, UNKNOWN_TERMS)
    with written_corpus(path, known) as writer:
        if index is not None:
            writer.copy(path, index, ~old)
        before_s, kept = writer.seconds, writer.clips
        for clip in clips:
            writer.add(clip.motion, source=source, group=clip.group, label=clip.label, name=clip.name)
        hours = (writer.seconds - before_s) / 3600.0
    return Added(len(clips), hours, kept, int(old.sum()), path.stat().st_size)


def check_new(out: str | Path, files: Collection[str], *, source: str, replace: bool = False) -> Index | None:
    """What a corpus holds to which files of these names shall be added; None where it does not exist yet.

    Raises InputError where it is no corpus, and, unless they are to be replaced, where it has clips of such a file.
    """
    path = Path(out)
    if not path.exists():
        return None
    index = read_index(path)
    old = _of_files(index, source, files)
    if old.any() and not replace:
        named = sorted({index.groups[c].partition("/")[0] for c in np.flatnonzero(old)})
        raise InputError(
            f"{path} has clips of {', '.join(named)} already, in the source '{source}'.",
            "Replace them with --replace, or give another --source.",
        )
    return index


def _of_files(index: Index, source: str, files: Collection[str]) -> np.ndarray:
    """Which clips (C,) of a corpus are of the source and of one of these files."""
    pairs = zip(index.sources, index.groups, strict=True)
    return np.array([own == source and group.partition("/")[0] in files for own, group in pairs], dtype=bool)
