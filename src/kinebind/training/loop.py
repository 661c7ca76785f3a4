"""The loop: trains a recipe's model on a window store, in one go or in slices, and survives being killed.

A folder holds `recipe.toml`, `state.safetensors` (where to go on) and `best.safetensors` (the model so far best in
validation, for `kinebind.nn.load`). `train` on a folder with a state goes on from there: on a CPU to the same last
bit as if it had never stopped, wherever it was stopped. So a long training is a row of calls of `max_minutes` each:

    while not train(recipe, recipe.build(), store, "runs/mri", max_minutes=9.5).finished:
        pass

Under `torchrun` all processes share each batch, and the gradient is that of one process which has the whole batch.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinebind.errors import InputError
from kinebind.nn.checkpoint import load as load_model
from kinebind.nn.checkpoint import save as save_model
from kinebind.nn.contract import Batch
from kinebind.nn.model import Model
from kinebind.nn.weights import start_from
from kinebind.store import written_whole
from kinebind.training.batches import Prefetched, batches, order_of_epoch, pinned, samples_of, training_batches
from kinebind.training.ranks import Ranks, joined, normalise_jointly
from kinebind.training.recipe import Recipe, recipe_from_text
from kinebind.training.screen import Screen
from kinebind.training.state import Progress, load_state, save_state
from kinebind.training.step import NonFiniteLoss, Stepper
from kinebind.training.store import WindowStore
from kinebind.training.windows import Windows, absent_groups, entries_by_split, split_windows, windows_of

_log = logging.getLogger("kinebind")

STATE, BEST, RECIPE = "state.safetensors", "best.safetensors", "recipe.toml"
_VALIDATION_BATCH = 256
_SAVING_SHARE = 0.05  # of the time that saving at the end of each epoch may cost
_MAY_CHANGE = ("train.max_epochs", "train.patience_epochs")  # when a training goes on


@dataclass(frozen=True)
class Outcome:
    """What a call of `train` came to.

    finished: whether patience or max_epochs ended it; else its time was up, and another call goes on. best: the file
    of the best model. best_r1, best_epoch: its validation R@1 and epoch, −1 before the first validation. history:
    per epoch its number, mean losses and R@1. windows_per_s, data_wait_share: of all calls together.
    """

    finished: bool
    best: Path
    best_r1: float
    best_epoch: int
    epochs: int
    history: list[dict[str, float]]
    windows_per_s: float
    data_wait_share: float


def train(
    recipe: Recipe,
    model: Model,
    store: WindowStore,
    folder: str | Path,
    *,
    device: str = "cpu",
    init: str | Path | None = None,
    max_minutes: float | None = None,
    checkpoint_minutes: float = 5.0,
    progress: bool = False,
    tensorboard: bool = False,
) -> Outcome:
    """Train `model`, as `recipe.build()` gives it, and keep the one with the best validation R@1; see the module.

    init: file of a model whose weights it starts from, as recipes with `starts_from` demand. max_minutes: stop
    after so long, to be resumed. checkpoint_minutes: longest time between two states on the disk; besides there is
    one at the end of every epoch, unless saving took more than a twentieth of the time. progress: show it on a
    terminal. tensorboard: write its events to `folder/tensorboard`.
    `model` holds the last weights afterwards. Torch's global random state is left as it was.

    Raises InputError for data of another contract, an empty split, a folder with a training of another recipe, model
    or data, a loss that is not finite (naming the batch; the last state is kept), and a full disk (likewise).
    """
    if max_minutes is not None and max_minutes <= 0:
        raise InputError(f"max_minutes = {max_minutes} is not above zero.", "Give the minutes that this call may take.")
    began_s = time.monotonic()
    deadline_s = float("inf") if max_minutes is None else began_s + 60.0 * max_minutes
    if differences := recipe.contract.differences(model.contract):
        raise InputError(f"The model has another contract: {'; '.join(differences)}.", "Build it from the recipe.")
    ranks = joined(device)
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng([ranks.device] if ranks.device.type == "cuda" else []))
        run = _Run(recipe, model, store, Path(folder), ranks, init)
        run.screen = stack.enter_context(
            Screen.opened(Path(folder), progress and ranks.leads, tensorboard and ranks.leads, run.progress.epoch)
        )
        run.until(deadline_s, 60.0 * checkpoint_minutes)
        return run.outcome()


class _Run:
    """A training under way."""

    screen: Screen

    def __init__(
        self, recipe: Recipe, model: Model, store: WindowStore, folder: Path, ranks: Ranks, init: str | Path | None
    ) -> None:
        self.recipe, self.store, self.folder, self.ranks = recipe, store, folder, ranks
        _check_text(recipe, store)
        self.training = split_windows(store, recipe.contract, recipe.data, "train")
        self.validation = split_windows(store, recipe.contract, recipe.data, "val")
        self.entries = entries_by_split(store, recipe.data)["train"]
        samples = samples_of(self.training, recipe.train)[0].size
        order_of_epoch(samples, recipe.train, 0, ranks.world)  # says now what would fail later
        if ranks.world > 1:
            normalise_jointly(model)
        model.to(ranks.device)
        model.recipe = recipe.text
        self.best_model: Model | None = None
        self.saved_s, self.saving_s = time.monotonic(), 0.0
        self.progress = Progress(recipe.text, (samples, len(self.validation)))
        if (folder / STATE).exists():
            self.stepper = Stepper(model, recipe.train, ranks)
            self._resume()
        else:
            self._begin(model, init)
        model.train()

    def until(self, deadline_s: float, checkpoint_s: float) -> None:
        """Train until it is finished or the time (monotonic, seconds) is up."""
        if self.finished():
            return
        with Prefetched(self._source()) as source:
            waiting_s = time.perf_counter()
            for epoch, number, last, batch in source:
                got_s = time.perf_counter()
                self._step(epoch, number, batch)
                self.progress.waited_s += got_s - waiting_s
                self.progress.train_s += time.perf_counter() - waiting_s
                now_s = time.monotonic()
                time_up = bool(self.ranks.agree(now_s >= deadline_s))
                if last:
                    self._end_epoch()
                    if self.finished():
                        break
                costly = time.monotonic() - self.saved_s < self.saving_s / _SAVING_SHARE
                due = now_s - self.saved_s >= checkpoint_s or (last and not costly)
                if time_up:
                    break
                if self.ranks.agree(due):
                    self._save()
                waiting_s = time.perf_counter()
        self._save()

    def finished(self) -> bool:
        """Whether patience or max_epochs has ended the training."""
        p, config = self.progress, self.recipe.train
        out_of_patience = p.epoch - 1 - p.best_epoch >= config.patience_epochs and p.best_epoch >= 0
        return out_of_patience or 0 < config.max_epochs <= p.epoch

    def outcome(self) -> Outcome:
        """See `Outcome`."""
        p = self.progress
        return Outcome(
            self.finished(), self.folder / BEST, p.best_r1, p.best_epoch, p.epoch, p.history,
            p.windows / max(p.train_s, 1e-9), p.waited_s / max(p.train_s, 1e-9),
        )  # fmt: skip

    def _source(self) -> Iterator[tuple[int, int, bool, Batch]]:
        """Epoch, number, whether it is its epoch's last, and batch; from where the training stands, without end."""
        epoch, first = self.progress.epoch, self.progress.batch
        config, contract = self.recipe.train, self.recipe.contract
        while True:
            windows = self._windows(epoch)
            order = order_of_epoch(samples_of(windows, config)[0].size, config, epoch, self.ranks.world)
            made = training_batches(
                self.store, contract, windows, config, order[first:], rank=self.ranks.rank, world=self.ranks.world
            )
            for number, batch in enumerate(made, first):
                yield epoch, number, number + 1 == len(order), pinned(batch, self.ranks.device)
            epoch, first = epoch + 1, 0

    def _windows(self, epoch: int) -> Windows:
        if not self.recipe.data.random_phase:
            return self.training
        rng = np.random.default_rng([self.recipe.train.seed, epoch, 1])
        return windows_of(self.store, self.recipe.contract, self.recipe.data, self.entries, rng)

    def _step(self, epoch: int, number: int, batch: Batch) -> None:
        try:
            terms = self.stepper.step(batch)
        except NonFiniteLoss as error:
            windows = self._windows(epoch)
            clips = batch.clip.tolist()
            takes = sorted({self.store.entries[e].name for e in windows.entry[clips].tolist()})
            raise InputError(
                f"In epoch {epoch}, batch {number} (windows {_some(clips)}, of {_some(takes)}) the loss is not finite: "
                f"{error}.",
                f"{self.folder / STATE} holds the last good state. Look at these recordings; or train with another "
                "learning_rate or precision.",
            ) from error
        p = self.progress
        for name, value in terms.items():
            p.sums[name] = p.sums.get(name, 0.0) + value
        p.batch, p.steps, p.windows = number + 1, p.steps + 1, p.windows + len(batch) * self.ranks.world
        self.screen.step(p)

    def _end_epoch(self) -> None:
        """Validate, keep the best, go on to the next epoch."""
        p, r1 = self.progress, 0.0
        if self.ranks.leads:
            made = batches(self.store, self.recipe.contract, self.validation, _VALIDATION_BATCH)
            with Prefetched(pinned(batch, self.ranks.device) for batch in made) as source:
                r1 = self.stepper.recall_at_1(source)
        r1 = self.ranks.agree(r1)
        mean = {name: value / p.batch for name, value in p.sums.items()}
        p.history.append({"epoch": p.epoch, **mean, "r1": r1})
        if p.best_epoch < 0 or r1 > p.best_r1 + self.recipe.train.min_gain:
            p.best_r1, p.best_epoch = r1, p.epoch
            self.best_model = copy.deepcopy(self.stepper.model)
        p.epoch, p.batch, p.sums = p.epoch + 1, 0, {}
        self.screen.epoch(p)

    def _save(self) -> None:
        """The best model first: the state then never speaks of one that is not there."""
        start_s = time.monotonic()
        try:
            if self.best_model is not None and self.ranks.leads:
                save_model(self.best_model, self.folder / BEST, self.recipe.text)
            save_state(self.folder / STATE, self.progress, self.stepper, self.ranks)
        except InputError as error:
            raise InputError(
                f"{error.what} The training stops; the state before is whole.", f"{error.fix} Then train on."
            ) from error
        self.best_model = None
        self.saved_s = time.monotonic()
        self.saving_s = self.saved_s - start_s

    def _begin(self, model: Model, init: str | Path | None) -> None:
        wanted = self.recipe.train.starts_from
        if wanted and init is None:
            raise InputError(
                f"{self.recipe.name} goes on from {wanted}, whose model is not given.",
                f"Train {wanted} first, and give its {BEST} with --init.",
            )
        if init is not None:
            start_from(model, load_model(init, self.recipe.contract))
        torch.manual_seed(self.recipe.train.seed + self.ranks.rank)
        self.stepper = Stepper(model, self.recipe.train, self.ranks)
        absent = absent_groups(self.store, self.recipe.data)
        if self.ranks.leads:
            if absent:
                _log.warning("No data of %s %s, which the recipe names.", self.recipe.data.group, ", ".join(absent))
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"Cannot make {self.folder}: {error.strerror}.", "Choose another folder.") from error
            with written_whole(self.folder / RECIPE) as part:
                part.write_text(self.recipe.text, encoding="utf-8")
        self._save()

    def _resume(self) -> None:
        now = self.progress
        then = load_state(self.folder / STATE, self.stepper, self.ranks)
        changed = _differences(recipe_from_text(then.recipe), self.recipe)
        if changed:
            raise InputError(
                f"The training in {self.folder} follows another recipe: {'; '.join(changed)}.",
                "Go on with its recipe.toml, or start a new training in another folder.",
            )
        if then.samples != now.samples:
            raise InputError(
                f"The training in {self.folder} had {then.samples[0]} samples to train on and {then.samples[1]} to "
                f"validate with; now there are {now.samples[0]} and {now.samples[1]}.",
                "Give the data that it began with, or start a new training in another folder.",
            )
        self.progress = dataclasses.replace(then, recipe=self.recipe.text)


def _check_text(recipe: Recipe, store: WindowStore) -> None:
    """Raises InputError where a model learns text and the windows have none, or embedded otherwise."""
    wanted, have = recipe.sentence_size, 0 if store.text is None else store.text.shape[2]
    if wanted and not have:
        raise InputError(
            f"{recipe.name} learns text, and the windows in {store.folder} have none.",
            'Build them with this recipe, of data that have labels (classes = ["all"]), or set model.text=0.',
        )
    if wanted and wanted != have:
        raise InputError(
            f"{recipe.name} wants sentences of {wanted} numbers; those of {store.encoder} have {have}.",
            f"Set model.text={have}, or build the windows with another encoder.",
        )


def _differences(then: Recipe, now: Recipe) -> list[str]:
    """What differs between two recipes and decides about the result: `train.batch_size 256 against 128`."""

    def flat(recipe: Recipe) -> dict[str, Any]:
        tables = {
            "contract": recipe.contract.to_dict(), "model": recipe.model, "loss": recipe.loss,
            "train": dataclasses.asdict(recipe.train), "data": dataclasses.asdict(recipe.data),
        }  # fmt: skip
        return {"model.name": recipe.model_name} | {
            f"{t}.{k}": v for t, table in tables.items() for k, v in table.items()
        }

    a, b = flat(then), flat(now)
    keys = [key for key in {**a, **b} if key not in _MAY_CHANGE]
    return [
        f"{key} {json.dumps(a.get(key))} against {json.dumps(b.get(key))}" for key in keys if a.get(key) != b.get(key)
    ]


def _some(items: list[Any]) -> str:
    return ", ".join(map(str, items[:5])) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
