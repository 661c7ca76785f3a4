"""Processes that start fresh and end with the one that started them."""

from __future__ import annotations

import collections
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
_AHEAD = 4  # items a process that are made before their turn comes


def with_results(function: Callable[[A], B], items: Iterable[A], jobs: int) -> Iterator[tuple[A, B]]:
    """Every item with what the function makes of it, in order, by so many processes, or here by one job.

    Few results are in memory at a time, however many items there are.
    """
    if jobs == 1:
        for item in items:
            yield item, function(item)
        return
    pool = workers(jobs)
    waiting: collections.deque[tuple[A, Future[B]]] = collections.deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > _AHEAD * jobs:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    finally:
        pool.shutdown(cancel_futures=True)


def workers(count: int) -> ProcessPoolExecutor:
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
