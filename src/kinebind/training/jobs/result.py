"""What the jobs are given, and what they answer with: rows to read, numbers by name, and what pictures are drawn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.nn.contract import Batch
from kinebind.nn.model import Model
from kinebind.report.curves import PlottedCurve, confusion_picture, curves_picture, save_picture
from kinebind.tasks.embed import Pairs, embed_windows
from kinebind.training.batches import batches
from kinebind.training.recipe import Recipe
from kinebind.training.settings import SPLITS
from kinebind.training.store import WindowStore
from kinebind.training.windows import Windows, split_windows

_BATCH = 256


@dataclass(frozen=True, eq=False)
class Subject:
    """What is tested: a model on one split of a store, by a recipe whose [data] say which windows that are.

    Raises InputError where model, recipe and store are of different contracts, or there is no such split.
    """

    model: Model
    recipe: Recipe
    store: WindowStore
    split: str = "test"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InputError(f"There is no split '{self.split}'.", f"Use one of: {', '.join(SPLITS)}.")
        if differences := self.model.contract.differences(self.recipe.contract):
            raise InputError(
                f"Model and recipe have different contracts: {'; '.join(differences)}.",
                "Name the recipe that the model was trained with.",
            )
        self.store.check(self.model.contract)

    def windows(self, split: str | None = None) -> Windows:
        """The windows of a split, by default the one tested; raises InputError where it has none."""
        return split_windows(self.store, self.model.contract, self.recipe.data, split or self.split)

    def batches(self, windows: Windows) -> Iterator[Batch]:
        """Windows as batches, in their order."""
        return batches(self.store, self.model.contract, windows, _BATCH)

    def embedded(self, windows: Windows, dropped: int = 0, seed: int = 0) -> Pairs:
        """Windows embedded, each less `dropped` sensors."""
        return embed_windows(self.model, self.batches(windows), self.device, dropped, seed)


@dataclass(frozen=True, eq=False)
class Plot:
    """Curves over one axis; shares: y is between 0 and 1."""

    curves: list[PlottedCurve]
    x_label: str
    y_label: str
    shares: bool = True


@dataclass(frozen=True, eq=False)
class JobResult:
    """What a job found.

    rows: a table for people, all rows with the same columns. metrics: every number by name; rates are shares of 1,
    times seconds. confusions: name → matrix (C, C) and the names of its C classes. plots: by name. notes: sentences.
    """

    rows: list[dict[str, str | float]]
    metrics: dict[str, float]
    confusions: dict[str, tuple[npt.NDArray[np.int64], tuple[str, ...]]] = field(default_factory=dict)
    plots: dict[str, Plot] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def draw(self, folder: Path, title: str) -> list[str]:
        """Write all pictures as .svg files into a folder that exists; their names."""
        names = []
        for name, (matrix, classes) in self.confusions.items():
            save_picture(confusion_picture(matrix, classes, title), folder / f"{name}.svg")
            names.append(f"{name}.svg")
        for name, plot in self.plots.items():
            figure = curves_picture(plot.curves, plot.x_label, plot.y_label, title, plot.shares)
            save_picture(figure, folder / f"{name}.svg")
            names.append(f"{name}.svg")
        return names


def after_drop(name: str, dropped: int) -> str:
    """The name of a metric with sensors dropped: `after_drop("r1", 2) == "r1_drop2"`; without any, as it is."""
    return f"{name}_drop{dropped}" if dropped else name


def over_drops(curves: dict[str, list[float]], dropped: tuple[int, ...], y_label: str) -> dict[str, Plot]:
    """A picture of figures over the sensors dropped; none where only one number of them was asked for."""
    if len(dropped) < 2:
        return {}
    x = np.array(dropped, dtype=np.float64)
    drawn = [PlottedCurve(name, x, np.array(values)) for name, values in curves.items()]
    return {"dropped": Plot(drawn, "sensors dropped", y_label)}
