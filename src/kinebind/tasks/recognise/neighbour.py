"""Recognition by the nearest neighbour: what frozen embeddings know without any training on labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.tasks.retrieve.similarity import Vectors, unit

_BLOCK = 1024


def nearest(known: Vectors, label: npt.NDArray[np.integer], asked: Vectors) -> npt.NDArray[np.int64]:
    """Label (Q,) of the known embedding (M, D), with labels (M,), that is nearest to each asked one (Q, D) by cosine.

    Of neighbours that are equally near, the first. Raises InputError where a set is empty or the shapes do not fit.

    >>> nearest(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([3, 7]), np.array([[2.0, 0.1], [-1.0, 0.5]])).tolist()
    [3, 7]
    """
    if not len(known) or not len(asked):
        raise InputError(
            f"{len(known)} known and {len(asked)} asked embeddings: neither may be none.", "Check the splits."
        )
    if np.shape(label) != (len(known),) or known.shape[1:] != asked.shape[1:]:
        raise InputError(
            f"Known {known.shape} with labels {np.shape(label)} and asked {asked.shape} do not fit.",
            "Give (M, D), (M,) and (Q, D) of one model.",
        )
    k, q = unit(known, "The known embeddings"), unit(asked, "The asked embeddings")
    nearby = [np.argmax(q[i : i + _BLOCK] @ k.T, axis=1) for i in range(0, len(q), _BLOCK)]
    return np.asarray(np.asarray(label, dtype=np.int64)[np.concatenate(nearby)])
