"""The benchmark of a recogniser's probabilities: which activities are taught, and figures of answers that are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kinebind.bench import har_trust
from kinebind.tasks.recognise.stretches import Labelled


def test_the_taught_are_numbered_anew_and_the_others_are_nobodys():
    known = tuple(Labelled(None, label, "1") for label in (0, 1, 2, 3))  # type: ignore[arg-type]
    split = SimpleNamespace(names=("a", "b", "c", "d"), known=known, asked=known)
    teach, ask, names = har_trust.taught(split, [3, 1])  # type: ignore[arg-type]
    assert names == ["b", "d"]
    assert [own.label for own in teach] == [0, 1]
    assert [own.label for own in ask] == [-1, 0, -1, 1]


def test_answers_as_sure_as_they_are_right():
    """Of a hundred, said at 0.8, eighty are right; those of others are said at 0.4."""
    sure = np.r_[np.full(100, 0.8), np.full(10, 0.4)]
    probabilities = np.c_[sure, 1.0 - sure, np.zeros(110)]
    probabilities[100:] = [0.4, 0.3, 0.3]
    truth = np.r_[np.tile([0, 0, 0, 0, 1], 20), np.full(10, -1)]
    raw = np.where(probabilities == 0.8, 1.0, probabilities)
    found = har_trust.figures_of(har_trust.Asked(raw, probabilities, truth))
    assert found["ece"] == pytest.approx(0.0, abs=1e-9)
    assert found["raw_ece"] == pytest.approx(0.2)
    assert (found["sure"], found["acc"]) == (1.0, 0.8)
    assert found["sure_wrong"] == pytest.approx(0.2)
    assert (found["unknown_auc"], found["unknown_told"]) == (1.0, 1.0)
