"""Work shared out to two processes, as the benchmarks' budget has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import TypeVar

import torch

from kinebind._processes import workers as fresh_workers

A = TypeVar("A")
B = TypeVar("B")

WORKERS = 2


def workers(count: int = WORKERS) -> ProcessPoolExecutor:
    """Fresh processes that end with this one, as many as a benchmark may use."""
    return fresh_workers(count)


def parallel(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Results in order, by processes that are kept for the next call, with what they have read."""
    return list(_kept().map(partial(_alone, function), items, chunksize=4))


@cache
def _kept() -> ProcessPoolExecutor:
    return workers()


def _alone(function: Callable[[A], B], item: A) -> B:
    torch.set_num_threads(1)  # there are as many processes as processors
    return function(item)
