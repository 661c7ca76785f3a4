"""Work shared out to the machine's cores within this process: NumPy, SciPy and torch let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

_MOST = 4
"""Threads at once: each holds what it works on."""


def side_by_side(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Results in order; the first error is raised."""
    ready = list(items)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(len(ready), cores, _MOST)
    if threads < 2:
        return [function(item) for item in ready]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, ready))


def ahead(items: Iterator[A], most: int = 3) -> Iterator[A]:
    """The items in order, up to `most` of them made while the one before is worked on; an error comes at its place."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(next, items, None) for _ in range(most)]
        while (item := waiting.pop(0).result()) is not None:
            waiting.append(pool.submit(next, items, None))
            yield item
