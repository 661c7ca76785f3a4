"""How fast a training is, and how much of its time is computing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from kinebind.nn.contract import Batch
from kinebind.training.batches import Prefetched, order_of_epoch, pinned, samples_of, training_batches
from kinebind.training.ranks import Ranks
from kinebind.training.recipe import Recipe
from kinebind.training.step import Stepper
from kinebind.training.store import WindowStore
from kinebind.training.windows import split_windows

_WARM_UP = 2  # steps


@dataclass(frozen=True)
class Speed:
    """windows_per_s: in training, fed from the store; bare_windows_per_s: of the same step on random tensors that
    are there already; share_of_bare: their ratio. All by the median step. data_wait_share: of the training's time
    spent waiting for data.
    """

    windows_per_s: float
    bare_windows_per_s: float
    share_of_bare: float
    data_wait_share: float


def measure_speed(recipe: Recipe, store: WindowStore, *, device: str = "cpu", steps: int = 20) -> Speed:
    """Train for some steps, a bare one after each, so that both meet the same machine.

    A batch is taken off and not used before each bare step, untimed, so that they must be made as fast as training
    needs them. Raises InputError as `train` does for data that do not fit.
    """
    ranks = Ranks(0, 1, torch.device(device))
    windows = split_windows(store, recipe.contract, recipe.data, "train")
    count = samples_of(windows, recipe.train)[0].size

    def source() -> Iterator[Batch]:
        for epoch in itertools.count():
            order = order_of_epoch(count, recipe.train, epoch)
            for batch in training_batches(store, recipe.contract, windows, recipe.train, order):
                yield pinned(batch, ranks.device)

    fed_s, bare_s, waited_s = [], [], []
    with torch.random.fork_rng([ranks.device] if ranks.device.type == "cuda" else []), Prefetched(source()) as made:
        stepper = Stepper(recipe.build().to(ranks.device).train(), recipe.train, ranks)
        ready = iter(made)
        first = next(ready)
        random = first.replace(imu=torch.randn_like(first.imu), pose=torch.randn_like(first.pose)).to(ranks.device)
        for _ in range(_WARM_UP):
            stepper.step(random)
        for _ in range(steps):
            asked_s = time.perf_counter()
            batch = next(ready)
            got_s = time.perf_counter()
            stepper.step(batch)
            fed_s.append(time.perf_counter() - asked_s)
            waited_s.append(got_s - asked_s)
            next(ready)
            start_s = time.perf_counter()
            stepper.step(random)
            bare_s.append(time.perf_counter() - start_s)
    fed, bare = float(np.median(fed_s)), float(np.median(bare_s))
    return Speed(len(random) / fed, len(random) / bare, bare / fed, sum(waited_s) / sum(fed_s))
