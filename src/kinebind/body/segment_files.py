"""Files of motion read as segments, one after the other or by several processes.

Imports no torch, so that the processes start fast and are small.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import partial

from kinebind._processes import with_results
from kinebind.body.segment_motion import SegmentMotion, segment_motion
from kinebind.errors import InputError
from kinebind.readers import read_motion
from kinebind.readers.motion_sets import MotionFile

Runs = tuple[tuple[SegmentMotion, tuple[str, ...]], ...]
"""Stretches, each with the phrases that say what is done in it."""


def read_runs(file: MotionFile, shortest_s: float) -> Runs | str:
    """A file's unbroken stretches that last `shortest_s` or longer, of what captions are about where there are some.

    Or, naming the file, why it cannot be read.
    """
    try:
        motion = segment_motion(read_motion(file.path, **file.options))
    except InputError as error:
        return str(error if str(file.path) in error.what else error.at(str(file.path)))
    motion = dataclasses.replace(motion, notes=())
    if not file.doings:
        return tuple((run, (file.label,)) for run in motion.whole_runs(shortest_s))
    return tuple(
        (run, doing.phrases)
        for doing in file.doings
        for run in motion.between(doing.start_s, doing.end_s).whole_runs(shortest_s)
    )


def read_all(files: Iterable[MotionFile], shortest_s: float, jobs: int = 1) -> Iterator[tuple[MotionFile, Runs | str]]:
    """Every file with what `read_runs` says of it, in order; jobs: processes that read.

    Few files are in memory at a time, however many there are. Raises InputError for less than one process.
    """
    if jobs < 1:
        raise InputError(f"{jobs} processes cannot read anything.", "Give 1 or more jobs.")
    return with_results(partial(read_runs, shortest_s=shortest_s), files, jobs)
