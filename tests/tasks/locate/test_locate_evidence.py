"""Evidence: the standard score by wrong lags, drawn to strangers'; lags of clocks; what a declared site is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinebind import InputError
from kinebind.parts import SITES
from kinebind.tasks.locate.evidence import (
    FEATURES,
    NEVER,
    Calibration,
    best_lag,
    declared_nats,
    evidence,
    features,
)
from kinebind.tasks.locate.pairs import PairScores

PLAIN = Calibration((-2.0, 4.0, 0.0, 0.5, 0.0), (np.log(0.1), -0.5), (0.0, 1.0), (0.0, 1.0))
LAGS = np.round(np.arange(-80, 81) * 0.1, 6)
STANDARD = FEATURES.index("standard_score")


def scores(peak=0.5, at=0.0, spread=0.1, seconds=20.0, count=1, seed=0):
    """Sensors of which one limb fits at a lag, and another one never."""
    values = spread * np.random.default_rng(seed).normal(size=(count, 1, 2, LAGS.size))
    values[:, 0, 0, np.abs(LAGS - at).argmin()] = peak
    return PairScores(LAGS, values, np.full((count, 1, 2), seconds), np.ones(LAGS.size, bool))


def test_a_standard_score_is_the_height_above_wrong_lags():
    (found,) = features(scores(spread=0.05, seconds=60.0), np.zeros(1), (np.log(0.05), 0.0))[:, 0, 0]
    assert found[FEATURES.index("score")] == 0.5
    assert found[STANDARD] == pytest.approx(10.0, rel=0.25)


@pytest.mark.parametrize("name", ["universal", "correlation"])
@pytest.mark.parametrize("seconds", [2.0, 10.0, 60.0, 600.0])
def test_of_two_limbs_that_fit_the_better_one_has_more_evidence_however_long_the_recording(name, seconds):
    """A limit on the standard score once made shank and foot equal after minutes, and the worse one was told."""
    calibration = Calibration.of(name)
    heights = np.linspace(0.02, 0.6, 30)
    own = scores(spread=0.005, seconds=seconds, count=heights.size)
    values = own.values.copy()
    values[:, 0, 0, np.abs(LAGS).argmin()] = heights
    values[:, 0, 0, np.abs(LAGS) > 0.5] = values[0, 0, 0, np.abs(LAGS) > 0.5]  # the same wrong lags for all
    nats = evidence(replace(own, values=values), np.zeros(heights.size), 0.0, np.ones(heights.size), calibration)
    steps = np.diff(nats[:, 0, 0])
    assert (steps > 1e-3).all(), steps


def test_lags_near_the_right_one_and_beyond_the_overlap_are_not_wrong_ones():
    clean = scores(spread=0.1, seconds=10.0)
    spoilt = clean.values.copy()
    spoilt[..., (np.abs(LAGS) < 0.95) & (LAGS != 0.0)] = 5.0
    spoilt[..., np.abs(LAGS) > 5.05] = -5.0
    args = np.zeros(1), PLAIN.wrong
    np.testing.assert_array_equal(features(clean, *args), features(replace(clean, values=spoilt), *args))


def test_a_short_recording_is_judged_by_strangers_and_a_long_one_by_itself():
    wide = np.log(0.4)
    short = features(scores(spread=0.1, seconds=2.2), np.zeros(1), (wide, 0.0))[0, 0, 0, STANDARD]
    long = features(scores(spread=0.1, seconds=60.0), np.zeros(1), (wide, 0.0))[0, 0, 0, STANDARD]
    assert short == pytest.approx(0.5 / 0.4, rel=0.15)
    assert long > 1.3 * short
    # Of no wrong lag at all, strangers alone decide.
    none = features(scores(seconds=1.6), np.zeros(1), (wide, 0.0))[0, 0, 0, STANDARD]
    assert none == pytest.approx(0.5 / 0.4)


def test_a_wide_search_costs_each_clock_once():
    args = np.zeros(1), 0.0, np.ones(1), PLAIN
    alone = evidence(scores(), *args)
    searched = evidence(scores(), np.zeros(1), 4.0, np.ones(1), PLAIN)
    shared = evidence(scores(count=2), np.zeros(2), 4.0, np.full(2, 2.0), PLAIN)
    assert alone[0, 0, 0] - searched[0, 0, 0] == pytest.approx(np.log1p(4.0 / 0.2))
    assert (alone[0, 0, 0] - shared[0, 0, 0]) == pytest.approx(0.5 * np.log1p(4.0 / 0.2), abs=1e-9)


def test_what_shares_too_little_is_never_chosen():
    short = scores()
    seconds = short.seconds.copy()
    seconds[..., 1] = 1.0
    nats = evidence(replace(short, seconds=seconds), np.zeros(1), 0.0, np.ones(1), PLAIN)
    assert nats[0, 0, 0] > 0.0
    assert nats[0, 0, 1] == NEVER


def test_the_lag_of_a_clock_is_that_of_all_its_sensors():
    both = scores(peak=0.5, at=0.3, count=2)
    values = both.values.copy()
    values[0, 0, 1, np.abs(LAGS + 0.4).argmin()] = 0.7  # one sensor alone would say −0.4
    both = replace(both, values=values)
    candidates = np.round(np.arange(-10, 11) * 0.1, 6)
    assert best_lag(both, candidates, [0], PLAIN) == pytest.approx(-0.4)
    assert best_lag(both, candidates, [0, 1], PLAIN) == pytest.approx(0.3)
    assert best_lag(both, np.array([0.2]), [0, 1], PLAIN) == 0.2


def test_a_declared_site_is_a_prior_that_sums_to_one():
    for site in ("left_wrist", "head"):
        prior = np.exp(declared_nats(site, SITES)) / len(SITES)
        assert prior.sum() == pytest.approx(1.0)
        assert SITES[int(prior.argmax())] == site
    mirror = dict(zip(SITES, declared_nats("left_wrist", SITES), strict=True))
    assert mirror["left_wrist"] > mirror["right_wrist"] > mirror["left_shank"]
    assert not declared_nats(None, SITES).any()
    assert not declared_nats("chest", ("left_wrist", "right_wrist")).any()
    assert not declared_nats("chest", ("chest",)).any()


def test_the_package_has_numbers_for_its_model_and_for_correlation():
    for name in ("universal", "correlation"):
        found = Calibration.of(name)
        assert Calibration.from_dict(found.to_dict()) == found
        assert found.evidence[FEATURES.index("score")] > 0.0
        assert found.stated(0.9, site=True) > found.stated(0.5, site=True) > found.stated(0.1, site=True)
    with pytest.raises(InputError, match="never calibrated"):
        Calibration.of("nobody's")


def test_stated_probabilities_are_logistic_in_those_of_evidence():
    found = replace(PLAIN, person=(0.0, 1.0), site=(1.0, 2.0))
    assert found.stated(0.3, site=False) == pytest.approx(0.3)
    assert found.stated(0.5, site=True) == pytest.approx(1.0 / (1.0 + np.exp(-1.0)))
    assert 0.0 < found.stated(0.0, site=True) < found.stated(1.0, site=True) < 1.0
