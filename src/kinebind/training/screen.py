"""What a training shows while it runs: a line on the terminal, and curves in TensorBoard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinebind.errors import InputError
from kinebind.training import state

if TYPE_CHECKING:
    from rich.progress import Progress


class Screen:
    """Where a training's numbers go; either place may be None."""

    def __init__(self, bar: Progress | None, curves: Any) -> None:
        self._bar, self._curves = bar, curves
        self._task = bar.add_task("training", total=None) if bar is not None else None

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, progress: bool, tensorboard: bool, epoch: int) -> Iterator[Screen]:
        """A screen for the length of a block; epoch: the first to come, from which on older curves are void.

        Raises InputError where TensorBoard is asked for and not installed.
        """
        with contextlib.ExitStack() as stack:
            bar = None
            if progress:
                # Here, because a machine that only trains need not have it.
                from rich.console import Console
                from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

                columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
                bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            curves = None
            if tensorboard:
                try:
                    from torch.utils.tensorboard import SummaryWriter
                except ImportError as error:
                    raise InputError("TensorBoard is not installed.", "pip install 'kinebind[train]'") from error
                curves = SummaryWriter(str(folder / "tensorboard"), purge_step=epoch)
                stack.callback(curves.close)
            yield cls(bar, curves)

    def step(self, p: state.Progress) -> None:
        """A batch is done."""
        if self._bar is None or self._task is None:
            return
        best = f" · best R@1 {p.best_r1:.3f} in epoch {p.best_epoch}" if p.best_epoch >= 0 else ""
        text = f"epoch {p.epoch} · batch {p.batch} · loss {p.sums['total'] / p.batch:.3f}{best}"
        self._bar.update(self._task, description=text)

    def epoch(self, p: state.Progress) -> None:
        """An epoch is done; its numbers are the last of the history."""
        if self._curves is None:
            return
        for name, value in p.history[-1].items():
            if name != "epoch":
                place = "validation/r1" if name == "r1" else f"train/{name}"
                self._curves.add_scalar(place, value, p.history[-1]["epoch"])
