"""The trainings of the study of learned models: which models, on which data, for how long.

All models of a store see the same windows in the same order for the same number of epochs and steps, and the same
small search (3 learning rates × 2 temperatures on validation, at a quarter of the epochs, one seed) is made for each
kind; all variants of MoBind take what was found for MoBind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kinebind.bench.mobind_data import UTD_CLASSES, UTD_CONTRACT
from kinebind.bench.mobind_takes import CONTRACT, PUBLISHED
from kinebind.nn.contract import Contract
from kinebind.training.recipe import Recipe, recipe_from_text

SEARCHED = ("mobind", "imu2clip", "despite", "syncnet")
"""Kinds of model, each with a search of its own."""
CONTRACTS: dict[str, Contract] = {"sim": CONTRACT, "ego": PUBLISHED, "utd": UTD_CONTRACT}
"""What the windows of each store are: simulated sensors, channels as EgoHumans published them, UTD-MHAD."""

_WHOLE_ONLY = {"loss.local": 0.0, "loss.token": 0.0, "loss.masked_tokens": 0.0}
_STAGE1 = {
    "loss.whole": 0.0, "loss.mix_parts": True, "loss.masked_tokens": 0.0, "train.sample": "limb",
}  # fmt: skip
_STAGE2 = {"loss.local": 0.0, "loss.token": 0.0, "loss.multi_positive": 0.2, "train.starts_from": "stage1"}


@dataclass(frozen=True)
class Run:
    """One training. kind: of model. store: what it learns from. changes: to the recipe of its kind.

    share: of the epochs that every model gets. after: the run whose weights it goes on from.
    """

    kind: str = "mobind"
    store: str = "sim"
    changes: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    after: str = ""


RUNS: dict[str, Run] = {
    "mobind": Run(),
    "imu2clip": Run("imu2clip"),
    "despite": Run("despite"),
    "syncnet": Run("syncnet"),
    "global": Run(changes=_WHOLE_ONLY),
    "local": Run(changes={"loss.token": 0.0, "loss.masked_tokens": 0.0}),
    "token": Run(changes={"loss.masked_tokens": 0.0}),
    "stage1": Run(changes=_STAGE1, share=0.5),
    "stage2": Run(changes=_STAGE2, share=0.5, after="stage1"),
    "dropout": Run(changes={"model.sensor_dropout": 3}),
    "ego": Run(store="ego"),
    "utd_mobind": Run(store="utd"),
    "utd_imu2clip": Run("imu2clip", store="utd"),
}
"""Whole vectors alone, with local ones, with tokens, and with masked tokens (`mobind`) are the paper's ablation; the
two stages are the release's, half of the epochs each."""


@dataclass(frozen=True)
class Size:
    """How large a study is. epochs: over the windows of the store "sim" and "ego"; utd_epochs: of the smaller "utd".

    passes: over the training files, each with new cameras. widths: of a kind of model, where not its defaults.
    draws: offsets drawn for every clip. finetune_epochs: at most, of a head with its encoder.
    """

    name: Literal["smoke", "small", "full"]
    seeds: int
    passes: int
    epochs: int
    utd_epochs: int
    batch_size: int
    learning_rates: tuple[float, ...]
    temperatures: tuple[float, ...]
    widths: Mapping[str, Mapping[str, Any]]
    draws: int
    finetune_epochs: int
    utd_batch_size: int = 128
    precision: str = "bf16"


SMALL_WIDTHS: dict[str, Any] = {
    "conv_widths": [16, 16, 32, 32], "width": 64, "heads": 2, "layers": 1, "feedforward": 64,
    "masked_feedforward": 128, "aggregator_width": 128,
    # So short a training does not overfit, and drawing zeros took a quarter of its time.
    "conv_dropout": 0.0, "attention_dropout": 0.0, "token_dropout": 0.0,
}  # fmt: skip
"""MoBind's where two cores train it."""
_REDUCED: dict[str, dict[str, Any]] = {"mobind": SMALL_WIDTHS, "despite": {"width": 128}}
_TINY: dict[str, dict[str, Any]] = {
    "mobind": {
        "conv_widths": [8, 8, 8, 8], "width": 16, "heads": 2, "layers": 1, "feedforward": 16, "masked_feedforward": 16,
        "aggregator_width": 16,
    },
    "imu2clip": {"width": 16}, "despite": {"width": 16, "layers": 1}, "syncnet": {"width": 16},
}  # fmt: skip

SIZES: dict[str, Size] = {
    "smoke": Size("smoke", 1, 1, 1, 1, 16, (1e-3,), (0.07,), _TINY, 1, 1, utd_batch_size=16, precision="fp32"),
    # Small batches, as so short a training needs steps more than negatives. Not in bf16, which processors without it
    # compute three times slower than fp32.
    "small": Size("small", 3, 2, 5, 20, 16, (1e-3, 2e-3, 4e-3), (0.07, 0.2), _REDUCED, 1, 5, 16, "fp32"),
    "full": Size("full", 3, 4, 400, 600, 1356, (1e-4, 3e-4, 1e-3), (0.07, 0.2), {}, 3, 200),
}
"""`small` fits into three hours on two cores; `full`, with the paper's widths and batch, is for a GPU."""


def recipe(size: Size, name: str, seed: int, found: tuple[float, float], *, epochs_share: float = 1.0) -> Recipe:
    """The recipe of a run. found: learning rate and temperature by the search of its kind.

    epochs_share: of the run's own epochs, for the search.
    """
    run = RUNS[name]
    utd = run.store == "utd"
    epochs = (size.utd_epochs if utd else size.epochs) * run.share * epochs_share
    batch_size = size.utd_batch_size if utd else size.batch_size
    contract = CONTRACTS[run.store]
    base = {
        "contract": contract.to_dict(),
        "model": {"name": run.kind, **size.widths.get(run.kind, {}), "temperature": found[1]},
        "loss": {},
        "train": {
            # A limb is a sample in the first stage: as many windows a step as elsewhere.
            "batch_size": batch_size * (len(contract.parts) if run.changes.get("train.sample") == "limb" else 1),
            "learning_rate": found[0], "max_epochs": max(1, round(epochs)), "patience_epochs": max(1, round(epochs)),
            "min_gain": 0.0, "seed": 1201 + seed, "precision": size.precision,
        },
        "data": {
            "stride_s": 0.5 if utd else 2.0, "random_phase": True, "group": "split",
            "train": ["train"], "val": ["val"], "test": ["test"], "classes": list(UTD_CLASSES) if utd else [],
        },
    }  # fmt: skip
    for key, value in run.changes.items():
        table, _, field_name = key.partition(".")
        base[table][field_name] = value
    return recipe_of(name, base)


def recipe_of(name: str, tables: Mapping[str, Mapping[str, Any]]) -> Recipe:
    """A recipe of its tables."""
    lines = [f'name = "{name}"']
    for table, values in tables.items():
        lines += ["", f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return recipe_from_text("\n".join(lines) + "\n", name)
