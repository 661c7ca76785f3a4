"""Work shared out to two processes, as the benchmarks' budget has it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

WORKERS = 2


def parallel(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Results in order, from processes that start fresh (forked ones inherit locks of numerical libraries)."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        return list(pool.map(function, items, chunksize=4))
