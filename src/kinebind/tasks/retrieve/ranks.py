"""Where the right item stands in a gallery, with ties counted as what they are: a draw by lot.

A model that gives every window the same vector ties everything. Counting its ties as wins would score it 1, as
losses 0; by lot it scores what guessing does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.tasks.retrieve.similarity import Vectors, unit

TIE = 1e-6
"""Scores nearer than this are tied: float32 embeddings tell no finer cosines apart."""
_BLOCK = 1024

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Standing of the right item of each query.

    better (Q,): other items that score higher. tied (Q,): other items that score the same. gallery: items in all.
    """

    better: IntArray
    tied: IntArray
    gallery: int

    @property
    def expected(self) -> FloatArray:
        """Mean rank (Q,) over all orders of the tied, from 1.

        >>> Ranks(np.array([0, 2]), np.array([0, 3]), gallery=9).expected.tolist()
        [1.0, 4.5]
        """
        return np.asarray(1.0 + self.better + 0.5 * self.tied)

    def hits(self, k: int) -> FloatArray:
        """Probability (Q,) that the right item is among the first k, the tied in random order.

        >>> Ranks(np.array([0, 2]), np.array([0, 3]), gallery=9).hits(5).tolist()
        [1.0, 0.75]
        """
        return np.asarray(np.clip((k - self.better) / (self.tied + 1.0), 0.0, 1.0))


def ranks(scores: Vectors, right: npt.NDArray[np.integer] | None = None) -> Ranks:
    """Ranks from scores (Q, G), higher is better; right (Q,): index of each query's item, 0, 1, 2 ... where None.

    Raises InputError where scores are not finite or an index lies outside the gallery.

    >>> found = ranks(np.array([[0.9, 0.1, 0.9], [0.5, 0.4, 0.3]]))
    >>> found.better.tolist(), found.tied.tolist()
    ([0, 1], [1, 0])
    """
    s = np.asarray(scores, dtype=np.float64)
    if s.ndim != 2 or not s.size:
        raise InputError(
            f"Scores have shape {s.shape}; they must be (queries, gallery), neither empty.",
            "Check that the split holds windows.",
        )
    if not np.isfinite(s).all():
        raise InputError("Some scores are not finite.", "Leave out windows without data before they are scored.")
    index = np.arange(s.shape[0]) if right is None else np.asarray(right)
    if index.shape != s.shape[:1] or index.min() < 0 or index.max() >= s.shape[1]:
        raise InputError(
            f"{s.shape[0]} queries need {s.shape[0]} right items among the gallery's {s.shape[1]}.",
            "Give `right` as one index into the gallery for each query.",
        )
    own = s[np.arange(s.shape[0]), index][:, None]
    better = np.count_nonzero(s > own + TIE, axis=1)
    tied = np.count_nonzero(np.abs(s - own) <= TIE, axis=1) - 1
    return Ranks(better.astype(np.int64), tied.astype(np.int64), s.shape[1])


def pair_ranks(queries: Vectors, gallery: Vectors) -> Ranks:
    """Ranks by cosine of row i of the gallery (M, D) for row i of the queries (M, D), a block of queries at a time.

    Raises InputError where the shapes differ or fewer than two pairs are given.

    >>> pair_ranks(np.eye(3), np.eye(3)).expected.tolist()
    [1.0, 1.0, 1.0]
    """
    if queries.shape != gallery.shape or queries.ndim != 2:
        raise InputError(
            f"Queries {queries.shape} and gallery {gallery.shape} are not pairs of rows.",
            "Give both as (windows, dimensions), the same windows in the same order.",
        )
    if queries.shape[0] < 2:
        raise InputError(
            f"A gallery of {queries.shape[0]} holds nothing to be confused with.",
            "Check that the split is not empty, and give it at least two windows.",
        )
    q, g = unit(queries, "The queries"), unit(gallery, "The gallery")
    found = [ranks(q[i : i + _BLOCK] @ g.T, np.arange(i, min(i + _BLOCK, len(q)))) for i in range(0, len(q), _BLOCK)]
    return Ranks(np.concatenate([f.better for f in found]), np.concatenate([f.tied for f in found]), len(g))
