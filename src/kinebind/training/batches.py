"""Batches: windows copied out of the store in a thread of their own, so that training need not wait for them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from kinebind.errors import InputError
from kinebind.nn.contract import Batch, Contract
from kinebind.training.settings import TrainConfig
from kinebind.training.store import WindowStore
from kinebind.training.windows import Windows

T = TypeVar("T")
Index = npt.NDArray[np.intp]
_AHEAD = 2  # batches: one ready and one in the making


def make_batch(
    store: WindowStore, contract: Contract, windows: Windows, index: Index, limb: Index | None = None
) -> Batch:
    """The windows at `index` (B,) as a batch on the CPU; `Batch.clip` is the index.

    limb (B,): with it each window has that part only and all others are absent, as one limb a sample wants.
    """
    size, parts, channels = index.size, len(contract.parts), len(contract.imu_channels)
    imu = np.empty((size, parts, channels, contract.imu_samples), dtype=np.float32)
    pose = np.empty((size, parts, 6, contract.pose_samples), dtype=np.float32)
    seen = np.empty((size, parts, contract.pose_samples), dtype=np.bool_)
    picked = windows.take(index)
    for b, (i, p) in enumerate(zip(picked.imu_start.tolist(), picked.pose_start.tolist(), strict=True)):
        imu[b] = store.imu[i : i + contract.imu_samples].transpose(1, 2, 0)  # (Ti, N, C) -> (N, C, Ti)
        pose[b] = store.pose[p : p + contract.pose_samples].transpose(1, 2, 0)  # (Tp, N, 6) -> (N, 6, Tp)
        seen[b] = store.seen[p : p + contract.pose_samples].T
    there = picked.imu_mask
    imu[~there] = 0.0
    if limb is not None:
        own = np.zeros((size, parts), dtype=np.bool_)
        own[np.arange(size), limb] = True
        there, seen = there & own, seen & own[:, :, None]
    return Batch(
        torch.from_numpy(imu), torch.from_numpy(there), torch.from_numpy(pose), torch.from_numpy(seen),
        torch.from_numpy(picked.label), torch.from_numpy(index.astype(np.int64)), _text(store, windows, picked.label),
    )  # fmt: skip


def _text(store: WindowStore, windows: Windows, label: npt.NDArray[np.int64]) -> torch.Tensor | None:
    """(B, P, E) the phrases of windows' labels, zeros where there is none; None where the store has no text."""
    if store.text is None:
        return None
    rows = np.array([store.label_names.index(name) for name in windows.classes] + [0], dtype=np.intp)
    text = store.text[rows[np.where(label >= 0, label, len(windows.classes))]]
    return torch.from_numpy(np.where((label >= 0)[:, None, None], text, np.float32(0.0)))


def samples_of(windows: Windows, config: TrainConfig) -> tuple[Index, Index | None]:
    """What one epoch goes through: window indices (S,), and with sample = "limb" the part of each (S,).

    Limbs count where their sensor is there and they are seen. Raises InputError for fewer than two samples.
    """
    limb: Index | None = None
    index: Index = np.arange(len(windows))
    if config.sample == "limb":
        index, limb = np.nonzero(windows.imu_mask & windows.part_seen)
    if index.size < 2:
        raise InputError(
            f"There is {index.size} sample to train on; a contrastive loss compares two or more.",
            "Add recordings, or choose a smaller stride_s.",
        )
    return index, limb


def order_of_epoch(samples: int, config: TrainConfig, epoch: int, world: int = 1) -> list[Index]:
    """The samples (indices) of each batch of an epoch: a random order that seed and epoch settle.

    All batches have the same size, as losses with fewer negatives do not compare: batch_size, or where there are
    fewer samples, all of them; less what `world` processes cannot share equally. The samples left over are others
    in every epoch.
    """
    size = min(config.batch_size, samples) // world * world
    if size < 2 * world:
        raise InputError(
            f"A batch of {size} cannot be shared by {world} processes; each needs two samples or more.",
            "Start fewer processes, or raise [train] batch_size.",
        )
    order = np.random.default_rng([config.seed, epoch]).permutation(samples)
    return list(order[: samples // size * size].reshape(-1, size))


def training_batches(
    store: WindowStore,
    contract: Contract,
    windows: Windows,
    config: TrainConfig,
    order: Iterable[Index],
    *,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """A batch for each of `order`, as `order_of_epoch` gives it; with several processes this rank's equal share."""
    index, limb = samples_of(windows, config)
    for chosen in order:
        share = chosen.size // world
        own = chosen[rank * share : (rank + 1) * share]
        yield make_batch(store, contract, windows, index[own], None if limb is None else limb[own])


def batches(store: WindowStore, contract: Contract, windows: Windows, size: int) -> Iterator[Batch]:
    """All windows in their order, `size` at a time, the last batch with what is left."""
    for start in range(0, len(windows), size):
        yield make_batch(store, contract, windows, np.arange(start, min(start + size, len(windows))))


def pinned(batch: Batch, device: torch.device) -> Batch:
    """For a GPU the batch in page-locked memory, from which it copies while it computes; else the batch."""
    if device.type != "cuda":
        return batch
    return batch.each(lambda tensor: tensor.pin_memory())


class Prefetched(Generic[T]):
    """An iterator that works ahead in a thread; errors there are raised here. Use as a context, which ends it."""

    def __init__(self, source: Iterable[T]) -> None:
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(source,), daemon=True, name="kinebind-batches")
        self._thread.start()

    def __enter__(self) -> Prefetched[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.01)  # makes room for a thread that waits for it

    def __iter__(self) -> Iterator[T]:
        while True:
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def _work(self, source: Iterable[T]) -> None:
        try:
            for item in source:
                if self._stopped.is_set():
                    return
                self._queue.put((item, None))
        except BaseException as error:  # whatever it is, who waits for the batch must hear of it
            self._queue.put((None, error))
        else:
            self._queue.put((None, None))
