"""A recogniser for use: judged by people whom it was not shown, its probabilities set right by them, tuned to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.nn.universal import Universal
from kinebind.tasks.recognise.by_examples import USUAL_STAY_S, ByExamples
from kinebind.tasks.recognise.scores import ClassScores, class_scores
from kinebind.tasks.recognise.stretches import Labelled
from kinebind.training.recognise_tuning import RecogniseTuning, logits_of, tune_recogniser

ONE_IN = 4
"""One in so many groups, or pieces, is held out."""
_PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of a labelled piece, where windows judge: with what lies around it, as the windows of a track have it."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The recogniser, and how one tuned to the rest did on what was held out. by_group: accuracy of each group.

    notes: what a user should know of the labels.
    """

    found: ByExamples
    scores: ClassScores
    by_group: Mapping[str, float]
    notes: tuple[str, ...]


def tune_and_judge(
    universal: Universal,
    known: Sequence[Labelled],
    names: Sequence[str],
    config: RecogniseTuning,
    stays_s: Mapping[str, float],
    about: Mapping[str, Any] | None = None,
) -> Judged:
    """Tune twice: without a quarter of the groups (of fewer than four: of each class's pieces), which judges and sets
    the temperature, then with all. stays_s: how long an activity lasts on average, by its name.

    Raises InputError as `tune_recogniser`, and where there is too little to hold anything out.
    """
    learn, judge, notes = held_out(known, names, config.seed)
    model = tune_recogniser(universal, learn, len(names), config)
    each = [logits_of(model, judge, config, [place], alone=False) for place in _PLACES]
    truth = torch.tensor([own.label for own in judge])
    answer = torch.stack(each).softmax(dim=-1).mean(dim=0).argmax(dim=1)
    by_group = {
        group: float(np.mean([int(a) == own.label for a, own in zip(answer, judge, strict=True) if own.group == group]))
        for group in sorted({own.group for own in judge})
    }
    whole = tune_recogniser(universal, known, len(names), config)
    found = ByExamples(
        whole, universal.config, tuple(names), config.looks,
        best_temperature(torch.cat(each), truth.repeat(len(_PLACES))), max(len(own.stretch.felt) for own in known),
        tuple(float(stays_s.get(name, USUAL_STAY_S)) for name in names), dict(about or {}),
    )  # fmt: skip
    return Judged(found, class_scores(truth.numpy(), answer.numpy(), len(names)), by_group, notes)


def held_out(
    known: Sequence[Labelled], names: Sequence[str], seed: int = 0
) -> tuple[list[Labelled], list[Labelled], tuple[str, ...]]:
    """What is learnt from, what judges, and notes: whole groups where there are four or more, else every class's last
    quarter.
    """
    groups = sorted({own.group for own in known})
    counts = np.bincount([own.label for own in known], minlength=len(names))
    notes = [f"'{names[k]}' has one example: nothing judges it" for k in np.flatnonzero(counts == 1).tolist()]
    notes += [f"'{names[k]}' has no example" for k in np.flatnonzero(counts == 0).tolist()]
    if len(groups) >= ONE_IN:
        order = np.random.default_rng(seed).permutation(groups)
        out = set(order[: max(1, round(len(groups) / ONE_IN))].tolist())
        learn = [own for own in known if own.group not in out]
        missing = sorted({own.label for own in known} - {own.label for own in learn})
        learn += [own for own in known if own.label in missing]
        judge = [own for own in known if own.group in out and own.label not in missing]
        notes += [f"'{names[k]}' is of held-out people alone: nothing judges it" for k in missing if counts[k] > 1]
    else:
        learn, judge = [], []
        for label in range(len(names)):
            own = [k for k in known if k.label == label]
            cut = len(own) - len(own) // ONE_IN if len(own) >= ONE_IN else max(1, len(own) - 1)
            learn += own[:cut]
            judge += own[cut:]
        notes.append("fewer than four people or recordings: judged by the last quarter of each class, of the same ones")
    if not judge:
        raise InputError(f"{len(known)} labelled pieces are too few to hold any out.", "Label more.")
    return learn, judge, tuple(notes)


def best_temperature(logits: Tensor, truth: Tensor) -> float:
    """The temperature at which held-out truth is likeliest (Guo et al., arXiv 1706.04599), between 0.2 and 5.

    >>> best_temperature(torch.tensor([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 0, 0, 1])) > 4
    True
    """

    def loss(logarithm: float) -> float:
        return float(functional.cross_entropy(logits / float(np.exp(logarithm)), truth))

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found.x))
