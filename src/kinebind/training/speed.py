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


@dataclass(frozen=True)
class Speed:
    """windows_per_s: in training, fed from the store; bare_windows_per_s: of the same step on random tensors that
    are there already; share_of_bare: their ratio. data_wait_share: of the training's time spent waiting for data.
    Medians over the rounds.
    """

    windows_per_s: float
    bare_windows_per_s: float
    share_of_bare: float
    data_wait_share: float


def measure_speed(recipe: Recipe, store: WindowStore, *, device: str = "cpu", rounds: int = 5, steps: int = 6) -> Speed:
    """Train for a few steps and take as many bare ones, in turn, so that both meet the same machine.

    Each round begins, as training goes on, with the batches ahead ready, and ends with as many that are not used.
    The first round warms up and does not count. Raises InputError as `train` does for data that do not fit.
    """
    ranks = Ranks(0, 1, torch.device(device))
    windows = split_windows(store, recipe.contract, recipe.data, "train")
    count = samples_of(windows, recipe.train)[0].size

    def source() -> Iterator[Batch]:
        for epoch in itertools.count():
            order = order_of_epoch(count, recipe.train, epoch)
            for batch in training_batches(store, recipe.contract, windows, recipe.train, order):
                yield pinned(batch, ranks.device)

    with torch.random.fork_rng([ranks.device] if ranks.device.type == "cuda" else []):
        stepper = Stepper(recipe.build().to(ranks.device).train(), recipe.train, ranks)
        fed_s, bare_s, wait = [], [], []
        random = _random_like(next(source())).to(ranks.device)
        for _ in range(rounds + 1):
            fed, waited = _fed_s(stepper, source(), steps)
            fed_s.append(fed)
            wait.append(waited / fed)
            start_s = time.perf_counter()
            for _ in range(steps):
                stepper.step(random)
            bare_s.append(time.perf_counter() - start_s)
    done = steps * len(random)
    fed_all, bare_all = np.array(fed_s[1:]), np.array(bare_s[1:])
    return Speed(
        float(np.median(done / fed_all)), float(np.median(done / bare_all)),
        float(np.median(bare_all / fed_all)), float(np.median(wait[1:])),
    )  # fmt: skip


def _fed_s(stepper: Stepper, source: Iterator[Batch], steps: int) -> tuple[float, float]:
    """Seconds of so many steps on batches of a source, and of them those spent waiting."""
    waited_s = 0.0
    with Prefetched(source) as ready:
        while not ready.full:
            time.sleep(0.001)
        start_s = asked_s = time.perf_counter()
        for batch in itertools.islice(ready, steps):
            waited_s += time.perf_counter() - asked_s
            stepper.step(batch)
            asked_s = time.perf_counter()
        return time.perf_counter() - start_s, waited_s


def _random_like(batch: Batch) -> Batch:
    """Random numbers in the shapes and masks of a batch."""
    return batch.replace(imu=torch.randn_like(batch.imu), pose=torch.randn_like(batch.pose))
