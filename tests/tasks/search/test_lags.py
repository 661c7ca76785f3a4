"""Scores at every lag: those of a plain loop over tokens, and of the matcher that they imitate."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind import InputError
from kinebind.tasks.search import lags as module
from kinebind.tasks.search.lags import LEAST_SHARE, aligned_scores
from kinebind.tasks.universal_matcher import _cosine


def drawn(seed, query, stream, width=6, lost=0.2):
    rng = np.random.default_rng(seed)
    tokens = [rng.normal(size=(n, width)).astype(np.float32) * rng.lognormal(size=(n, 1)) for n in (query, stream)]
    there = [rng.random(n) >= lost for n in (query, stream)]
    return tokens[0], there[0], tokens[1], there[1]


def loop(query, query_there, stream, stream_there):
    """The definition, token by token."""
    out = []
    for lag in range(1 - len(query), len(stream)):
        pairs = [(j, j + lag) for j in range(len(query)) if 0 <= j + lag < len(stream)]
        pairs = [(j, t) for j, t in pairs if query_there[j] and stream_there[t]]
        if not pairs or len(pairs) < LEAST_SHARE * query_there.sum():
            out.append(-np.inf)
            continue
        x, y = (
            np.array([v[k] for k in at], dtype=float)
            for v, at in zip((query, stream), zip(*pairs, strict=True), strict=True)
        )
        cosine = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
        out.append(cosine * np.sqrt(len(pairs) / query_there.sum()))
    return np.array(out)


@pytest.mark.parametrize(("query", "stream"), [(7, 40), (30, 31), (30, 12), (1, 9), (9, 1)])
def test_all_lags_are_those_of_a_loop(query, stream):
    given = drawn([1, query], query, stream)
    given[1][0] = True
    np.testing.assert_allclose(aligned_scores(*given), loop(*given), atol=1e-9)


@pytest.mark.parametrize("block", [64, 97])
def test_blocks_meet_without_a_seam(monkeypatch, block):
    given = drawn(2, 10, 700)
    whole = aligned_scores(*given)
    monkeypatch.setattr(module, "_SHORTEST_BLOCK", block)
    np.testing.assert_allclose(aligned_scores(*given), whole, atol=1e-9)
    np.testing.assert_allclose(whole, loop(*given), atol=1e-9)


def test_the_matcher_scores_the_same():
    query, query_there, stream, stream_there = drawn(3, 20, 60)
    found = aligned_scores(query, query_there, stream, stream_there)
    x, a, y, b = (torch.as_tensor(v)[None] for v in (query.astype(np.float32), query_there, stream, stream_there))
    for lag in (-3, 0, 17, 41):
        assert found[lag + len(query) - 1] == pytest.approx(_cosine(x, a, y.float(), b, lag)[0, 0], abs=1e-5)


def test_a_quiet_stretch_beside_a_loud_one_keeps_its_digits():
    query, query_there, stream, stream_there = drawn(4, 10, 200, lost=0.0)
    stream[:100] *= 1e-4
    stream[40:50] = 1e-4 * query
    scores = aligned_scores(query, query_there, stream, stream_there)
    assert scores.argmax() == 40 + 9
    assert scores.max() == pytest.approx(1.0, abs=1e-6)


def test_what_cannot_be_compared_is_refused():
    query, there, stream, stream_there = drawn(5, 5, 9)
    with pytest.raises(InputError, match="one model"):
        aligned_scores(query[:, :3], there, stream, stream_there)
    with pytest.raises(InputError, match="no token"):
        aligned_scores(query, np.zeros(5, bool), stream, stream_there)
