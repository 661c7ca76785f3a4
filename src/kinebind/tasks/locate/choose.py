"""Choices among candidates by score: each for itself, or all together so that none is chosen twice."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from kinebind.errors import InputError
from kinebind.tasks.retrieve.similarity import Vectors

How = Literal["each", "together"]
"""each: the best candidate of every row, as the paper does; together: the best one-to-one assignment (Hungarian)."""

BoolArray = npt.NDArray[np.bool_]


def choose(scores: Vectors, rows: BoolArray, columns: BoolArray, how: How) -> npt.NDArray[np.int64]:
    """Column (R,) chosen for each row of scores (R, C) among what is there, −1 for a row that is not.

    rows (R,), columns (C,): what is there. Of equal scores, each for itself takes the first. Together, rows that are
    more than the columns get −1 where they are left over. Raises InputError where the shapes do not fit or a score
    that is needed is not finite.

    >>> scores = np.array([[0.9, 0.8], [0.7, 0.1]])
    >>> here = np.array([True, True])
    >>> choose(scores, here, here, "each").tolist(), choose(scores, here, here, "together").tolist()
    ([0, 0], [1, 0])
    """
    if scores.ndim != 2 or scores.shape != (rows.size, columns.size):
        raise InputError(
            f"Scores {scores.shape} do not fit {rows.size} rows and {columns.size} columns.",
            "Give a score for each pair, and a mask for each side.",
        )
    chosen = np.full(rows.size, -1, dtype=np.int64)
    own, there = np.flatnonzero(rows), np.flatnonzero(columns)
    if not own.size or not there.size:
        return chosen
    of_those = scores[np.ix_(own, there)]
    if not np.isfinite(of_those).all():
        raise InputError("Some scores are not finite.", "Mask out what has no data.")
    if how == "each":
        chosen[own] = there[np.argmax(of_those, axis=1)]
    else:
        row, column = linear_sum_assignment(of_those, maximize=True)
        chosen[own[row]] = there[column]
    return chosen
