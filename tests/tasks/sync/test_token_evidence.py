"""Evidence from tokens: fast against naive, gaps, and where the truth lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.tasks.sync.evidence import MIN_OVERLAP_S
from kinebind.tasks.sync.token_evidence import TOKEN_S, token_evidence


def slowly(x, y, first, last, per_s):
    out = []
    for lag in range(first, last + 1):
        pairs = [(t, t + lag) for t in range(len(x)) if 0 <= t + lag < len(y)]
        pairs = [(a, b) for a, b in pairs if np.isfinite(x[a]).all() and np.isfinite(y[b]).all()]
        if TOKEN_S * len(pairs) < MIN_OVERLAP_S - 0.5 * TOKEN_S:
            out.append(0.0)
            continue
        u, v = x[[a for a, _ in pairs]].ravel(), y[[b for _, b in pairs]].ravel()
        c = float(np.clip(u @ v / np.sqrt((u @ u) * (v @ v)), 0.0, 0.99))
        n = TOKEN_S * len(pairs) * per_s
        out.append(-0.5 * np.log1p(n) - 0.5 * n * np.log1p(-(c**2)))
    return np.array(out)


@given(seed=st.integers(0, 10_000), length=st.integers(30, 80), gaps=st.booleans())
def test_the_fast_way_is_the_loops(seed, length, gaps):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(length, 3))
    y[: min(length, 60)] += 0.7 * x[: min(length, 60)]
    if gaps:
        x[10:14] = np.nan
        y[20:27] = np.nan
    x[np.arange(60) % 5 != 2] = np.nan  # every 0.1 s
    got = token_evidence(x, y, -25, 30, per_s=4.0)
    np.testing.assert_allclose(got, slowly(x, y, -25, 30, 4.0), atol=1e-6)


def test_windows_are_looked_at_each_by_itself():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(3, 60, 4)), rng.normal(size=(3, 60, 4))
    together = token_evidence(x, y, -10, 10)
    for k in range(3):
        np.testing.assert_allclose(together[k], token_evidence(x[k], y[k], -10, 10), atol=1e-9)


def test_a_shifted_copy_has_its_evidence_at_the_shift_and_none_against_it_elsewhere():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 8)).astype(np.float32)
    y = np.roll(x, 13, axis=0) + 0.3 * rng.normal(size=(400, 8))
    nats = token_evidence(x, y, -50, 50)
    assert int(np.argmax(nats)) - 50 == 13
    assert nats.max() > 20.0
    assert np.median(nats) < 0.0


def test_nothing_at_all_is_no_evidence():
    x = np.full((100, 4), np.nan, dtype=np.float32)
    assert not token_evidence(x, np.ones((100, 4)), -5, 5).any()
    still = np.zeros((100, 4))
    assert token_evidence(still, still, -5, 5).max() <= 0.0


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_size_of_tokens_does_not_matter(scale):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 100, 4))
    one, other = token_evidence(x, y, -5, 5), token_evidence(scale * x, y, -5, 5)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_tokens_are_as_far_apart_as_the_models():
    from kinebind.nn import universal

    assert universal.TOKEN_S == TOKEN_S
