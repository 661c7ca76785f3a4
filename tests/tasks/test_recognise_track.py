"""Label tracks: smoothed by what lasts, gaps kept, what is unlikely unknown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kinebind import InputError
from kinebind.tasks.recognise.track import UNKNOWN, Track, _forward_backward


def track(rows, stride_s=0.5, tells_s=0.5, names=("walk", "sit")):
    rows = np.asarray(rows, dtype=np.float64)
    return Track(10.0 + stride_s * np.arange(len(rows)), stride_s, tells_s, names, rows)


def test_forward_and_backward_is_the_sum_over_all_ways():
    rng = np.random.default_rng(0)
    seen = rng.uniform(0.1, 1.0, (5, 3))
    move = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9]])
    expected = np.zeros((5, 3))
    for way in itertools.product(range(3), repeat=5):
        p = seen[0, way[0]] / 3.0
        for t in range(1, 5):
            p *= move[way[t - 1], way[t]] * seen[t, way[t]]
        for t, state in enumerate(way):
            expected[t, state] += p
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(_forward_backward(seen, move), expected, atol=1e-12)


def test_a_single_doubt_is_smoothed_away_and_a_change_is_not():
    rows = [[0.9, 0.1]] * 10 + [[0.4, 0.6]] + [[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 12
    found = track(rows).smoothed(5.0)
    best = found.probabilities.argmax(axis=1)
    assert (best[:21] == 0).all()
    assert (best[21:] == 1).all()
    assert found.probabilities.sum(axis=1) == pytest.approx(1.0)


def test_windows_that_overlap_count_for_their_new_part():
    rows = [[0.6, 0.4]] * 20
    alone, overlapping = (track(rows, tells_s=w).smoothed(4.0).probabilities[10, 0] for w in (0.5, 5.0))
    assert alone > 0.6 > overlapping > 0.5


def test_gaps_stay_and_end_the_chain():
    rows = [[0.9, 0.1]] * 5 + [[np.nan, np.nan]] * 3 + [[0.1, 0.9]] * 5
    found = track(rows).smoothed(3.0)
    assert np.isnan(found.probabilities[5:8]).all()
    stretches = found.stretches()
    assert [s.name for s, _ in stretches] == ["walk", "sit"]
    assert (stretches[0][0].start_s, stretches[0][0].end_s) == (9.75, 12.25)
    assert (stretches[1][0].start_s, stretches[1][0].end_s) == (13.75, 16.25)


def test_what_is_not_likely_enough_is_unknown():
    rows = [[0.5, 0.5 - 1e-9]] * 4 + [[0.1, 0.9]] * 4
    found = track(rows).stretches(least=0.6)
    assert [(s.name, round(p, 2)) for s, p in found] == [(UNKNOWN, 0.5), ("sit", 0.9)]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="probabilities of the shape"):
        Track(np.arange(3.0), 1.0, 1.0, ("a", "b"), np.zeros((3, 3)))
    with pytest.raises(InputError, match="3 lengths for 2 activities"):
        track([[0.5, 0.5]] * 3).smoothed([1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="above 0"):
        track([[0.5, 0.5]] * 3).smoothed(0.0)


def test_what_usually_lasts_a_moment_is_not_smoothed_away():
    rows = [[0.9, 0.1]] * 12 + [[0.02, 0.98]] * 2 + [[0.9, 0.1]] * 12
    overlapping = track(rows, tells_s=4.0).smoothed(8.0).probabilities.argmax(axis=1)
    assert not overlapping.any()
    own = track(rows, tells_s=0.5).smoothed([20.0, 1.0]).probabilities.argmax(axis=1)
    assert (own == np.array([0] * 12 + [1] * 2 + [0] * 12)).all()
    # What lasts less than a stride is seen in one window, or not.
    assert np.isfinite(track(rows).smoothed([20.0, 0.1]).probabilities).all()
