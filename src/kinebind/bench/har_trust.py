"""Whether a tuned recogniser's probabilities can be trusted, and 'unknown' with them.

`kinebind bench har-trust`, on development data: UTD-MHAD's subjects 1, 3 and 5 teach 20 of its 27 actions, drawn for
every seed, as `kinebind finetune recognise` tunes and sets the temperature; subject 7 is asked about all 27. GeoTec's
odd subjects but two teach all its activities, and these two are asked.

`…_ece` is the expected calibration error of the clips or pieces of known activities, `…_raw_ece` the same with the
temperature left at 1. At a least probability of one half: `…_sure` of the known are answered, `…_sure_wrong` of those
wrongly, and `utd_unknown_told` of the seven others are called unknown. `utd_unknown_auc`: how often one of the known is
surer than one of the others. Intervals are over seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from kinebind.bench.har_data import LOOKS, UTD_LABELS, Split, geotec_split, universal, utd_split
from kinebind.bench.har_runs import STEPS
from kinebind.bench.measured import Cases, expected_calibration_error, figures
from kinebind.bench.processes import parallel
from kinebind.clock import FloatArray
from kinebind.tasks.recognise.by_examples import calibrated
from kinebind.tasks.recognise.stretches import Labelled
from kinebind.training.recognise_judged import tune_and_judge
from kinebind.training.recognise_tuning import RecogniseTuning, logits_of

SEEDS = 5
UNKNOWN = 7
"""Actions that nothing is taught about."""
LEAST = 0.5
SMALL_STEPS = 6


@dataclass(frozen=True, eq=False)
class Asked:
    """Probabilities (N, C) of what was asked, without and with the temperature; truth (N,), −1 for what is unknown."""

    raw: FloatArray
    probabilities: FloatArray
    truth: np.ndarray


def run(data: Path, *, small: bool) -> dict[str, float]:
    """All figures, flat. small: one seed and few steps."""
    seeds = range(1 if small else SEEDS)
    steps = SMALL_STEPS if small else STEPS
    by: dict[str, list[float]] = {}
    for task in ("utd", "geotec"):
        for found in parallel(partial(asked_of, data, task, steps=steps), seeds):
            for key, value in figures_of(found).items():
                by.setdefault(f"{task}_{key}", []).append(value)
    return figures({key: Cases(np.array(values)) for key, values in by.items()}, "_dev") | {"seeds": float(len(seeds))}


def asked_of(data: Path, task: str, seed: int, *, steps: int) -> Asked:
    """A recogniser tuned with a seed, and what it answers."""
    torch.set_num_threads(1)
    known, asked, names = _utd(data, seed) if task == "utd" else _geotec(data)
    config = RecogniseTuning(steps=steps, looks=LOOKS["inertial"], seed=seed)
    found = tune_and_judge(universal(), known, names, config, {}).found
    logits = logits_of(found.model, asked, config)
    return Asked(calibrated(logits, 1.0), calibrated(logits, found.temperature), np.array([own.label for own in asked]))


def figures_of(asked: Asked) -> dict[str, float]:
    """The figures of one seed."""
    known = asked.truth >= 0
    sure, raw_sure = asked.probabilities.max(axis=1), asked.raw.max(axis=1)
    right = (asked.probabilities.argmax(axis=1) == asked.truth)[known].astype(float)
    told = sure[known] >= LEAST
    out = {
        "ece": expected_calibration_error(sure[known], right),
        "raw_ece": expected_calibration_error(raw_sure[known], right),
        "acc": float(right.mean()), "sure": float(told.mean()),
        "sure_wrong": float(1.0 - right[told].mean()) if told.any() else 0.0,
    }  # fmt: skip
    if not known.all():
        less = sure[known][:, None] - sure[~known][None]
        out["unknown_auc"] = float((less > 0).mean() + 0.5 * (less == 0).mean())
        out["unknown_told"] = float((sure[~known] < LEAST).mean())
    return out


def _utd(data: Path, seed: int) -> tuple[list[Labelled], list[Labelled], list[str]]:
    """What teaches, what is asked, and the names that are taught."""
    split = utd_split(data / "utd-mhad", "published", "inertial", final=False)
    return taught(split, np.random.default_rng([303, seed]).permutation(len(UTD_LABELS))[UNKNOWN:].tolist())


def taught(split: Split, classes: Iterable[int]) -> tuple[list[Labelled], list[Labelled], list[str]]:
    """The same split with some of its classes taught, in their order; of the others, what is asked has the label −1."""
    place = {label: k for k, label in enumerate(sorted(classes))}

    def renamed(some: Sequence[Labelled]) -> list[Labelled]:
        return [replace(own, label=place.get(own.label, -1)) for own in some]

    known = [own for own in renamed(split.known) if own.label >= 0]
    return known, renamed(split.asked), [split.names[label] for label in place]


def _geotec(data: Path) -> tuple[list[Labelled], list[Labelled], list[str]]:
    split = geotec_split(data / "geotec", final=False)
    return list(split.known), list(split.asked), list(split.names)
