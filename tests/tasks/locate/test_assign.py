"""The joint choice is the best of all, and its probabilities are those of what the others leave."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.tasks.locate.assign import _together, assign
from kinebind.tasks.locate.evidence import NEVER

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_all_together_is_the_best_of_all_assignments(seed, sensors, pairs):
    nats = np.random.default_rng(seed).normal(size=(sensors, pairs))
    chosen = _together(nats)
    with_nobody = np.append(nats, np.zeros((sensors, 1)), axis=1)

    def total(columns):
        return sum(with_nobody[n, c] for n, c in enumerate(columns))

    options = [
        columns
        for columns in itertools.product(range(pairs + 1), repeat=sensors)
        if all(columns.count(c) <= 1 for c in columns if c < pairs)
    ]
    assert tuple(chosen) in options
    assert total(chosen) == pytest.approx(max(map(total, options)))


@given(seeds, st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))
def test_no_site_of_a_person_is_given_twice(seed, sensors, people, sites):
    nats = 3.0 * np.random.default_rng(seed).normal(size=(sensors, people, sites))
    choices = assign(nats)
    taken = [(c.person, c.site) for c in choices if c.person >= 0]
    assert len(taken) == len(set(taken))
    for n, choice in enumerate(choices):
        assert 0.0 < choice.probability <= choice.person_probability <= 1.0 + 1e-12
        assert choice.nats == (nats[n, choice.person, choice.site] if choice.person >= 0 else 0.0)


def test_what_is_never_seen_is_never_chosen():
    nats = np.array([[[NEVER, -3.0]], [[NEVER, NEVER]]])
    choices = assign(nats)
    assert [(c.person, c.site) for c in choices] == [(-1, -1), (-1, -1)]
    assert choices[1].probability == pytest.approx(1.0)


def test_many_sites_that_fit_a_little_make_a_person_likelier_than_nobody():
    (choice,) = assign(np.full((1, 1, 6), -0.5))
    assert choice.person == 0
    assert choice.person_probability == pytest.approx(6 * np.exp(-0.5) / (1 + 6 * np.exp(-0.5)))
    assert choice.probability == pytest.approx(np.exp(-0.5) / (1 + 6 * np.exp(-0.5)))


def test_a_margin_is_the_lead_over_what_is_still_open():
    # The second sensor's best site is taken by the first.
    nats = np.array([[[9.0, 0.0, 0.0]], [[5.0, 2.0, 0.5]]])
    first, second = assign(nats)
    assert (first.site, second.site) == (0, 1)
    assert first.margin == pytest.approx(9.0)
    assert second.margin == pytest.approx(1.5)
    assert second.probability == pytest.approx(np.exp(2.0) / (np.exp(2.0) + np.exp(0.5) + 1.0))
