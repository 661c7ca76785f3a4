"""Cosine similarity of embeddings: the one score that models are trained with, and so the one they are judged by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError

Vectors = npt.NDArray[np.floating[Any]]
"""Embeddings of any float width, the last axis their dimensions."""


def unit(vectors: Vectors, name: str = "The embeddings") -> FloatArray:
    """Vectors (..., D) scaled to length one, float64; one that is zero has no direction and stays zero.

    Raises InputError where a number is not finite.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    v = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(v).all():
        raise InputError(
            f"{name} hold {np.count_nonzero(~np.isfinite(v))} numbers that are not finite.",
            "Embed with a model whose training did not diverge, and leave out windows without data.",
        )
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.asarray(np.divide(v, length, out=np.zeros_like(v), where=length > 0))


def cosine(queries: Vectors, gallery: Vectors) -> FloatArray:
    """Cosine similarity (..., Q, G) of queries (..., Q, D) with a gallery (..., G, D); zero vectors score 0.

    Raises InputError where the widths differ or a number is not finite.

    >>> cosine(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[5.0, 0.0], [0.0, 1.0]])).round(3).tolist()
    [[1.0, 0.0], [0.707, 0.707]]
    """
    if queries.shape[-1] != gallery.shape[-1]:
        raise InputError(
            f"Embeddings of {queries.shape[-1]} dimensions cannot be compared with those of {gallery.shape[-1]}.",
            "Embed both streams with the same model.",
        )
    return np.asarray(unit(queries) @ np.swapaxes(unit(gallery), -1, -2))
