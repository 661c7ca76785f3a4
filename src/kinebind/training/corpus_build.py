"""Building a corpus: files of motion, whatever their format, as segments in one small file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kinebind.body.segment_files import read_all
from kinebind.readers.motion_sets import MotionFile
from kinebind.training.corpus_file import written_corpus
from kinebind.training.phrases import label_of

SHORTEST_S = 1.0
"""Clips that are shorter are left out: no window fits."""

_log = logging.getLogger("kinebind")
_TELL = 500  # files after which the log says how far it is


@dataclass(frozen=True)
class Built:
    """What became of the files. too_short: files without an unbroken stretch of `SHORTEST_S`.

    skipped: files that could not be read, each with the reason.
    """

    files: int
    clips: int
    hours: float
    size_bytes: int
    too_short: int
    skipped: tuple[tuple[Path, str], ...]


def build_corpus(files: Iterable[MotionFile], out: str | Path, terms: Mapping[str, str], *, jobs: int = 1) -> Built:
    """Write the corpus of some files; terms: of use, by source. One file at a time is in memory, or a few a process.

    A file that cannot be read is skipped, which is logged and counted; a clip is cut where frames are missing, and
    further pieces of it are called "NAME#2". jobs: processes that read.
    Raises InputError where no file gives a clip and where `out` cannot be written.
    """
    count, too_short = 0, 0
    skipped: list[tuple[Path, str]] = []
    with written_corpus(out, terms) as writer:
        for file, runs in read_all(files, SHORTEST_S, jobs):
            count += 1
            if isinstance(runs, str):
                _log.warning("Skipped: %s", runs)
                skipped.append((file.path, runs))
            elif not runs:
                too_short += 1
                _log.debug("Left out, shorter than %g s: %s", SHORTEST_S, file.path)
            else:
                for k, (run, phrases) in enumerate(runs):
                    name = file.name if k == 0 else f"{file.name}#{k + 1}"
                    writer.add(run, source=file.source, group=file.group, label=label_of(phrases), name=name)
            if count % _TELL == 0:
                _log.info("%d files: %d clips, %.2f hours.", count, writer.clips, writer.seconds / 3600.0)
    size_bytes = Path(out).stat().st_size
    return Built(count, writer.clips, writer.seconds / 3600.0, size_bytes, too_short, tuple(skipped))
