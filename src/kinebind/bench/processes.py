"""Work shared out to two processes, as the benchmarks' budget has it, and kept, so that a stop loses little of it."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from kinebind._processes import workers as fresh_workers
from kinebind.store import written_whole

A = TypeVar("A")
B = TypeVar("B")

WORKERS = 2
_PIECE = 40
"""Items whose results are kept together."""
_MANY = 50


def workers(count: int = WORKERS) -> ProcessPoolExecutor:
    """Fresh processes that end with this one, as many as a benchmark may use."""
    return fresh_workers(count)


def parallel(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Results in order, by processes that are kept for the next call, with what they have read; see `kept_in`."""
    ready = list(items)
    if _kept_now is None:
        return _shared_out(function, ready)
    call = _kept_now.next_call()
    out: list[B] = []
    for start in range(0, len(ready), _PIECE):
        some = ready[start : start + _PIECE]
        out += _kept_now.made(f"{call}-{start}-{len(ready)}", partial(_shared_out, function, some))
    return out


def parallel_if_many(function: Callable[[A], B], items: Sequence[A]) -> list[B]:
    """The same where there is enough to make up for the start of processes, else here."""
    return parallel(function, items) if len(items) >= _MANY else [function(item) for item in items]


@contextlib.contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """What `parallel` and `once` come to is kept in a folder of the caller's own, and taken from there the next time.

    Calls are known by their order: the same work must call them in the same order with the same items. None keeps
    nothing.
    """
    global _kept_now
    before = _kept_now
    _kept_now = None if folder is None else _Kept(folder)
    try:
        yield
    finally:
        _kept_now = before


def once(make: Callable[[], B]) -> B:
    """What `make` gives, kept as `kept_in` says."""
    return make() if _kept_now is None else _kept_now.made(f"{_kept_now.next_call()}", make)


@dataclass
class _Kept:
    """A folder of pickles, which this program alone has written."""

    folder: Path
    calls: int = 0

    def next_call(self) -> int:
        self.calls += 1
        return self.calls

    def made(self, name: str, make: Callable[[], Any]) -> Any:
        path = self.folder / f"{name}.pkl"
        if path.exists():
            return pickle.loads(path.read_bytes())
        found = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.write_bytes(pickle.dumps(found))
        return found


_kept_now: _Kept | None = None


def _shared_out(function: Callable[[A], B], items: list[A]) -> list[B]:
    return list(_pool().map(partial(_alone, function), items, chunksize=4))


@cache
def _pool() -> ProcessPoolExecutor:
    return workers()


def _alone(function: Callable[[A], B], item: A) -> B:
    torch.set_num_threads(1)  # there are as many processes as processors
    return function(item)
