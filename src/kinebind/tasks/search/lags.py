"""How well a short sequence of tokens fits a long one at every lag: exact, by fast Fourier transforms.

The score is that of `kinebind.tasks.universal_matcher`: the cosine of both sequences over the tokens that both have,
times the root of the share of the short one's tokens that meet. Nothing is approximated or left out; the transform is
taken block by block, so that an hour needs no more memory than a minute.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import correlate

from kinebind.clock import FloatArray
from kinebind.errors import InputError

LEAST_SHARE = 0.5
"""Share of the short sequence's tokens that must meet the long one for a lag to count."""
_SHORTEST_BLOCK = 1024

Tokens = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


def aligned_scores(query: Tokens, query_there: Bools, stream: Tokens, stream_there: Bools) -> FloatArray:
    """Score (Q + T − 1,) of a query (Q, D) against a stream (T, D) at every lag; −∞ where too little meets.

    Entry k is the lag k − Q + 1: query token j meets stream token j + lag. query_there (Q,), stream_there (T,) bool.
    Raises InputError where the widths differ or the query has no token.

    >>> stream = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])
    >>> scores = aligned_scores(stream[1:3], np.ones(2, bool), stream, np.ones(4, bool))
    >>> int(scores.argmax()) - 1, round(float(scores.max()), 6)
    (1, 1.0)
    """
    if query.ndim != 2 or stream.ndim != 2 or query.shape[1] != stream.shape[1]:
        raise InputError(
            f"A query {query.shape} cannot be compared with a stream {stream.shape}.", "Embed both with one model."
        )
    if not query_there.any():
        raise InputError("The query has no token that was measured.", "Give a stretch with data.")
    q = np.where(query_there[:, None], query, 0.0).astype(np.float64)
    there_q, there_s = query_there.astype(np.float64), stream_there.astype(np.float64)
    square_s = np.where(stream_there, np.square(stream.astype(np.float64)).sum(axis=1), 0.0)
    product = _correlation(q, stream, stream_there)
    count = np.round(_one(there_s, there_q))
    # A transform leaves dust where the truth is zero.
    xx, yy = (np.maximum(v, 0.0) for v in (_one(there_s, np.square(q).sum(axis=1)), _one(square_s, there_q)))
    enough = (count >= LEAST_SHARE * there_q.sum()) & (count > 0)
    cosine = product / np.sqrt(np.maximum(xx * yy, 1e-12))
    return np.where(enough, np.clip(cosine, -1.0, 1.0) * np.sqrt(count / there_q.sum()), -np.inf)


def _one(stream: FloatArray, query: FloatArray) -> FloatArray:
    """Σ_j query[j] · stream[j + lag] at every lag."""
    return np.asarray(correlate(stream, query, mode="full", method="fft"))


def _correlation(query: FloatArray, stream: Tokens, there: Bools) -> FloatArray:
    """Σ_j query[j] · stream[j + lag] of vectors (Q, D) and (T, D) at every lag, a block of the stream at a time."""
    count, length = len(query), len(stream)
    size = next_fast_len(max(4 * count, _SHORTEST_BLOCK), real=True)
    step = size - count + 1
    # Correlation is convolution with the reversed query.
    spectrum = rfft(query[::-1], size, axis=0)
    out = np.zeros(count + length - 1)
    for start in range(0, length, step):
        own = slice(start, start + step)
        block = np.where(there[own, None], stream[own], 0.0).astype(np.float64)
        part = irfft((rfft(block, size, axis=0) * spectrum).sum(axis=1), size)
        stop = min(start + len(block) + count - 1, out.size)
        out[start:stop] += part[: stop - start]
    return out
