"""The rivals of an answer: peaks of their own, never the flank of the answer's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.tasks.sync.rivals import LOBE_S, highest, rivals, standing

LAG_S = np.arange(-500, 501) / 50.0


def test_rivals_lie_outside_the_lobe_apart_from_each_other_and_strongest_first():
    nats = np.random.default_rng(52).normal(size=LAG_S.size)
    nats[np.abs(LAG_S - 1.0) <= LOBE_S] += 100.0
    nats[np.argmin(np.abs(LAG_S - 4.0))] += 50.0
    found = rivals(LAG_S, nats, 1.0)
    lag_s, strength = np.array(found).T
    assert lag_s[0] == pytest.approx(4.0)
    assert (np.abs(lag_s - 1.0) > LOBE_S).all()
    assert (np.diff(strength) <= 0.0).all()
    assert np.min(np.diff(np.sort(lag_s))) > LOBE_S


def test_a_range_no_wider_than_the_lobe_has_no_rival():
    near = np.abs(LAG_S - 1.0) < 0.1
    assert rivals(LAG_S[near], np.ones(near.sum()), 1.0) == []


@given(width_s=st.floats(0.03, 1.0), rival=st.floats(1.0, 40.0))
def test_a_broad_peak_s_flank_is_no_rival(width_s, rival):
    nats = 50.0 * np.exp(-0.5 * ((LAG_S - 1.0) / width_s) ** 2)
    nats += rival * np.exp(-0.5 * ((LAG_S + 6.0) / 0.1) ** 2)
    (lag_s, strength), *_ = rivals(LAG_S, nats, 1.0)
    assert lag_s == pytest.approx(-6.0)
    assert strength == pytest.approx(rival, rel=1e-3)


def test_a_curve_that_rises_to_the_end_of_the_search_has_its_rival_there():
    nats = np.maximum(10.0 - 30.0 * np.abs(LAG_S), 0.0) + np.maximum(LAG_S - 5.0, 0.0)
    assert rivals(LAG_S, nats, 0.0)[0] == (10.0, 5.0)


def test_highest_points_are_apart_and_stop_where_nothing_is_left():
    assert highest(np.array([1.0, 5.0, 4.0, 3.0, 2.0]), 4, 1) == [1, 3]


def test_an_answer_stands_by_how_much_it_is_above_its_best_rival():
    nats = 50.0 * np.exp(-0.5 * ((LAG_S - 1.0) / 0.08) ** 2) + 20.0 * np.exp(-0.5 * ((LAG_S + 6.0) / 0.1) ** 2)
    found = standing(LAG_S, nats, 1.0, 50.0)
    assert found.margin_nats == pytest.approx(30.0)
    assert found.rivals[0][0] == pytest.approx(-6.0)
    # Without a rival, and outside the curve, there is still the answer's own height.
    narrow = np.abs(LAG_S - 1.0) < 0.1
    assert standing(LAG_S[narrow], nats[narrow], 1.0, 50.0).margin_nats == pytest.approx(50.0)
    assert standing(LAG_S, nats, 30.0, 60.0).margin_nats == pytest.approx(10.0)
