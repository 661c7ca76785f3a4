"""Work shared out to two processes, as the benchmarks' budget has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from kinebind._processes import workers as fresh_workers

A = TypeVar("A")
B = TypeVar("B")

WORKERS = 2


def workers(count: int = WORKERS) -> ProcessPoolExecutor:
    """Fresh processes that end with this one, as many as a benchmark may use."""
    return fresh_workers(count)


def parallel(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Results in order."""
    with workers() as pool:
        return list(pool.map(function, items, chunksize=4))
