"""Work shared out to two processes, as the benchmarks' budget has it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

WORKERS = 2


def workers(count: int = WORKERS) -> ProcessPoolExecutor:
    """Processes that start fresh (forked ones inherit locks of numerical libraries) and end when this one does.

    Also when it is killed: those of a run that is gone would write into the files of the next one.
    """
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    def watch() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="kinebind-parent").start()


def parallel(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Results in order."""
    with workers() as pool:
        return list(pool.map(function, items, chunksize=4))
