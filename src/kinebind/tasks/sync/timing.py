"""How well offsets were found: mean error, and the shares of clips within limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError

WITHIN_S: tuple[float, ...] = (0.1, 0.2, 0.5)
_ROUNDING_S = 1e-9


@dataclass(frozen=True)
class TimingScores:
    """Figures over M clips.

    mae_s, median_s: mean and median absolute error of the answered clips, NaN where none is. within: share of all
    clips, a refused one counted as wrong, whose error is at most the limit in seconds. answered: share of clips.
    """

    mae_s: float
    median_s: float
    within: dict[float, float]
    answered: float


def timing_scores(
    found_s: FloatArray, true_s: FloatArray, within_s: Sequence[float] = WITHIN_S, strictly: bool = False
) -> TimingScores:
    """Figures of offsets found (M,), NaN where refused, against true ones (M,), both in seconds.

    strictly: errors of just the limit do not count. On a grid of offsets that matters: the ceilings of the paper's
    annotation lists (papers.md 1.4) are those of counting strictly. Raises InputError where the lists do not match.

    >>> scores = timing_scores(np.array([1.0, 2.3, np.nan]), np.array([1.05, 2.0, 0.0]))
    >>> round(scores.mae_s, 3), round(scores.within[0.1], 3), round(scores.within[0.5], 3)
    (0.175, 0.333, 0.667)
    """
    found, true = np.asarray(found_s, dtype=np.float64), np.asarray(true_s, dtype=np.float64)
    if found.shape != true.shape or found.ndim != 1 or not found.size:
        raise InputError(
            f"Offsets found {found.shape} and true ones {true.shape} must be two lists of the same length, not empty.",
            "Give one offset for each clip, NaN where it was refused.",
        )
    if not np.isfinite(true).all():
        raise InputError("Some true offsets are not finite.", "Check the annotation file.")
    error = np.abs(found - true)
    known = error[np.isfinite(error)]
    slack = -_ROUNDING_S if strictly else _ROUNDING_S
    return TimingScores(
        mae_s=float(known.mean()) if known.size else float("nan"),
        median_s=float(np.median(known)) if known.size else float("nan"),
        within={limit: float(np.count_nonzero(known <= limit + slack) / found.size) for limit in within_s},
        answered=float(known.size / found.size),
    )
