"""Figures of cases: their intervals, and methods side by side on the same cases."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from kinebind import InputError
from kinebind.bench import measured
from kinebind.bench.measured import Cases, compared, expected_calibration_error, figures, joined, timing

RNG = np.random.default_rng(9)
RIGHT = (RNG.random(400) < 0.7).astype(float)


def test_a_share_has_the_interval_of_a_share():
    found = figures({"share": Cases(RIGHT)}, "_dev")
    assert set(found) == {"share_dev", "share_dev_lo", "share_dev_hi"}
    spread = 1.96 * np.sqrt(RIGHT.mean() * (1 - RIGHT.mean()) / 400)
    assert found["share_dev_hi"] - found["share_dev"] == pytest.approx(spread, rel=0.15)
    assert found["share_dev"] - found["share_dev_lo"] == pytest.approx(spread, rel=0.15)


def test_what_cannot_be_told_is_left_out():
    errors = np.array([0.01] * 3 + [np.inf] * 4)
    found = figures(timing("x", errors))
    assert found["x_within_100ms"] == pytest.approx(3 / 7)
    assert "x_median_ms" not in found
    # Half of the draws have no median, so the interval has no end.
    assert set(figures(timing("x", errors[1:6]))) >= {"x_within_100ms_lo"}
    assert "x_median_ms_lo" not in figures(timing("x", errors[:5]))
    assert figures({"none": Cases(np.zeros(0))}) == {}


def test_a_method_that_is_better_on_every_tenth_case_gains_surely():
    """Apart, the intervals overlap; case by case the one is never worse."""
    better = RIGHT.copy()
    better[np.flatnonzero(RIGHT == 0)[:12]] = 1.0
    found = compared({"model": {"r1": Cases(better)}, "correlation": {"r1": Cases(RIGHT)}}, "_test")
    assert found["r1_gain_test"] == pytest.approx(12 / 400)
    assert found["r1_gain_test_lo"] > 0.01
    assert found["r1_test_lo"] < found["r1_correlation_test_hi"]


def test_fewer_errors_are_a_gain():
    by_method = {
        "model": timing("x", np.array([0.05, 0.06, 0.07])), "correlation": timing("x", np.array([0.15, 0.16, 0.17])),
        "syncwise": timing("x", np.array([0.5, 0.6, 0.7])),
    }  # fmt: skip
    found = compared(by_method)
    assert found["x_median_ms_gain"] == pytest.approx(100.0)
    assert found["x_within_100ms_gain"] == 1.0
    assert found["x_median_ms_syncwise"] == pytest.approx(600.0)
    assert "x_median_ms_syncwise_gain" not in found


def test_methods_must_have_the_same_cases():
    with pytest.raises(InputError, match="3 cases of model and 2 of correlation"):
        compared({"model": {"x": Cases(np.ones(3))}, "correlation": {"x": Cases(np.ones(2))}})


def test_figures_that_the_baseline_lacks_have_no_gain():
    found = compared({"model": {"x": Cases(RIGHT), "y": Cases(RIGHT)}, "correlation": {"x": Cases(RIGHT)}})
    assert "y_gain" not in found
    assert found["x_gain"] == 0.0
    lag = {"lag_ms": Cases(RIGHT, "median", less_is_better=None)}
    assert set(compared({"model": lag, "correlation": lag})) >= {"lag_ms", "lag_ms_correlation"}
    assert "lag_ms_gain" not in compared({"model": lag, "correlation": lag})


def test_parts_are_joined_in_their_order():
    parts = [timing("x", np.array([0.1, 0.2])) | {"only": Cases(np.ones(1))}, timing("x", np.array([0.3]))]
    found = joined(parts)
    assert set(found) == set(parts[1])
    np.testing.assert_allclose(found["x_median_ms"].values, [100.0, 200.0, 300.0])
    assert found["x_median_ms"].statistic == "median"
    assert joined([]) == {}


def test_the_examples_hold():
    found = doctest.testmod(measured)
    assert found.attempted
    assert not found.failed


def test_one_case_has_no_interval():
    assert figures({"one": Cases(np.array([3.0]))}) == {"one": 3.0}
    assert set(figures({"two": Cases(np.array([3.0, 4.0]))})) == {"two", "two_lo", "two_hi"}


def test_calibration_error_by_hand():
    # Two bins: 0.9 stated and 0.9 right, 0.1 stated and 0.3 right.
    stated = np.array([0.9] * 10 + [0.1] * 10)
    right = np.array([1.0] * 9 + [0.0] + [1.0] * 3 + [0.0] * 7)
    assert expected_calibration_error(stated, right, 2) == pytest.approx(0.1)
    assert expected_calibration_error(stated, stated, 2) == pytest.approx(0.0)
    assert expected_calibration_error(np.ones(7), np.zeros(7), 3) == pytest.approx(1.0)


def test_calibration_error_does_not_depend_on_the_order_and_bins_are_of_equal_count():
    rng = np.random.default_rng(71)
    stated = rng.uniform(size=400) ** 3  # most of them small
    right = (rng.uniform(size=400) < stated).astype(float)
    order = rng.permutation(400)
    found = expected_calibration_error(stated, right)
    assert found == pytest.approx(expected_calibration_error(stated[order], right[order]))
    assert found < 0.08
    by_hand = [abs(np.mean(part)) for part in np.array_split((stated - right)[np.argsort(stated)], 10)]
    assert found == pytest.approx(np.mean(by_hand))
    assert expected_calibration_error(stated, 1.0 - right) > 0.5


def test_calibration_error_of_fewer_cases_than_bins():
    assert expected_calibration_error(np.array([0.5, 0.7]), np.array([1.0, 0.0])) == pytest.approx(0.6)
