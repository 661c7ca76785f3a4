"""Accuracy, macro F1 and the confusion matrix of answers that are classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Figures of answers among C classes.

    confusion (C, C): how often the row's class was answered as the column's. unanswered (C,): how often a class got
    no answer; that counts as wrong.
    """

    confusion: IntArray
    unanswered: IntArray

    @property
    def accuracy(self) -> float:
        """Share of the cases that were answered right."""
        return float(np.trace(self.confusion) / (self.confusion.sum() + self.unanswered.sum()))

    @property
    def f1(self) -> FloatArray:
        """F1 (C,) of each class: 2·right / (times true + times answered); NaN where it neither is nor is answered."""
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) + self.unanswered
        return np.where(either > 0, 2.0 * np.diag(self.confusion) / np.maximum(either, 1), np.nan)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that are true or answered at least once."""
        return float(np.nanmean(self.f1))


def class_scores(true: npt.NDArray[np.integer], answer: npt.NDArray[np.integer], classes: int) -> ClassScores:
    """Figures of answers (M,) against the truth (M,), both indices 0 ... classes − 1; −1 is an answer not given.

    Raises InputError where they differ in length, are empty, or hold another index.

    >>> found = class_scores(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, -1]), classes=3)
    >>> found.confusion.tolist(), found.unanswered.tolist()
    ([[1, 1, 0], [0, 2, 0], [0, 0, 0]], [0, 0, 1])
    >>> found.accuracy, found.f1.round(3).tolist(), round(found.macro_f1, 3)
    (0.6, [0.667, 0.8, 0.0], 0.489)
    """
    t, a = np.asarray(true, dtype=np.int64), np.asarray(answer, dtype=np.int64)
    if t.shape != a.shape or t.ndim != 1 or not t.size:
        raise InputError(
            f"Truth {t.shape} and answers {a.shape} must be two lists of the same length, not empty.",
            "Check that the split holds labelled windows.",
        )
    for name, values, least in (("The truth", t, 0), ("An answer", a, -1)):
        outside = values[(values < least) | (values >= classes)]
        if outside.size:
            raise InputError(
                f"{name} holds the index {outside[0]}, which is none of the {classes} classes.",
                "Leave out unlabelled windows (−1), and number the classes from 0.",
            )
    counts = np.bincount(t * (classes + 1) + np.where(a < 0, classes, a), minlength=classes * (classes + 1))
    table = counts.reshape(classes, classes + 1).astype(np.int64)
    return ClassScores(table[:, :classes], table[:, classes])
