"""Confidence: a probability that grows with what speaks for an answer; and the fitted numbers that it comes from."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.confidence import (
    AMONG_FEATURES,
    FEATURES,
    RIGHT_PEAK_S,
    SCALE_FEATURES,
    confidence,
    error_scale_s,
    expected_error_s,
    features,
)
from kinebind.tasks.sync.result import Method
from kinebind.tasks.sync.support import Support

NATS = st.floats(-1e6, 1e6)
SIGMA_S = st.floats(1e-9, 1e3) | st.just(math.nan) | st.just(math.inf)
RANGE_S = st.floats(0.0, 1e6)
TOLERANCE_S = st.floats(1e-4, 10.0)
FEW_NATS = st.lists(NATS, min_size=1, max_size=6).map(tuple)
SUPPORT = st.builds(Support, FEW_NATS, FEW_NATS, st.floats(0.0, 1e5))
BROAD = Support((20.0,) * 4, (10.0,) * 6, 80.0)
NARROW = Support((-2.0, 4.0, -1.0, -1.0), (5.0, -1.0, -1.0), 10.0)


@pytest.fixture(scope="module", params=get_args(Method))
def method(request):
    return request.param


@settings(max_examples=25)
@given(nats=NATS, margin=NATS, sigma=SIGMA_S, searched=RANGE_S, support=SUPPORT, tolerance=TOLERANCE_S)
def test_a_confidence_is_a_probability_whatever_was_found(method, nats, margin, sigma, searched, support, tolerance):
    values = features(nats, margin, sigma, searched, support)
    assert set(values) == {*FEATURES, *AMONG_FEATURES, *SCALE_FEATURES}
    assert all(math.isfinite(v) for v in values.values())
    assert 0.0 <= confidence(values, method, tolerance) <= 1.0
    assert error_scale_s(values, method) > 0.0


@settings(max_examples=25)
@given(
    nats=NATS, more=st.floats(0.0, 1e3), margin=NATS, wider=st.floats(0.0, 1e3),
    sigma=SIGMA_S, searched=RANGE_S, support=SUPPORT,
)  # fmt: skip
def test_more_evidence_and_a_wider_margin_are_not_less_sure(
    method, nats, more, margin, wider, sigma, searched, support
):
    near = confidence(features(nats, margin, sigma, searched, support), method)
    assert confidence(features(nats + more, margin + wider, sigma, searched, support), method) >= near


@settings(max_examples=25)
@given(
    nats=NATS,
    margin=NATS,
    sigma=SIGMA_S,
    searched=RANGE_S,
    support=SUPPORT,
    tolerance=TOLERANCE_S,
    more=st.floats(1.0, 100.0),
)
def test_a_wider_tolerance_is_not_less_sure(method, nats, margin, sigma, searched, support, tolerance, more):
    values = features(nats, margin, sigma, searched, support)
    assert confidence(values, method, tolerance * more) >= confidence(values, method, tolerance)


def test_what_is_unlikely_and_what_is_certain(method):
    assert confidence(features(-5.0, -5.0, math.nan, 30.0, NARROW), method) < 0.1
    assert confidence(features(300.0, 250.0, 0.003, 30.0, BROAD), method) > 0.8
    # Whatever stands on nothing at all is no answer.
    assert confidence(features(0.0, 0.0, 0.02, 30.0, Support((0.0,), (0.0,), 0.0)), method) < 0.5


def test_a_sharper_peak_promises_a_smaller_error(method):
    scales = [error_scale_s(features(40.0, 30.0, sigma, 30.0, BROAD), method) for sigma in (0.003, 0.01, 0.03, 0.1)]
    assert scales == sorted(scales)
    # An unbounded peak counts as one of a second, and no peak is sharper than a tenth of a millisecond.
    for odd, plain in ((math.nan, 1.0), (1e-9, 1e-4)):
        assert features(9.0, 1.0, odd, 30.0, BROAD) == features(9.0, 1.0, plain, 30.0, BROAD)


def test_confidence_is_that_of_belonging_of_the_peak_and_of_the_error(method):
    """Two logistic curves of the features, times the share of a Laplace distribution, cut off at the peak's end."""
    values = features(5.0, 3.0, 0.3, 60.0, BROAD)
    fitted = calibration()["confidence"][method]
    z = fitted["intercept"] + sum(fitted[name] * values[name] for name in FEATURES)
    among = fitted["among_intercept"] + sum(fitted[f"among_{name}"] * values[name] for name in AMONG_FEATURES)
    right = 1.0 / (1.0 + math.exp(-z)) / (1.0 + math.exp(-among))
    drawn = np.abs(np.random.default_rng(91).laplace(0.0, error_scale_s(values, method), 400_000))
    drawn = drawn[drawn <= RIGHT_PEAK_S]
    for tolerance_s in (0.02, 0.1):
        assert confidence(values, method, tolerance_s) == pytest.approx(
            np.mean(drawn <= tolerance_s) * right, abs=0.005
        )
    assert expected_error_s(values, method) == pytest.approx(drawn.mean(), rel=0.01)
    # On the right peak nothing is further away than that.
    assert confidence(values, method, 5.0) == confidence(values, method, RIGHT_PEAK_S) == pytest.approx(right)


def test_one_of_many_alike_is_not_sure_however_well_it_fits(method):
    sure = [confidence(features(60.0, margin, 0.003, 30.0, BROAD), method) for margin in (20.0, 4.0, 1.0, 0.0)]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] > 0.9
    assert sure[-1] <= 0.5


# -- calibration -----------------------------------------------------------------------------------------------


def test_the_calibration_says_what_it_was_fitted_on_and_that_was_no_test_set(method):
    content = calibration()
    assert set(content["confidence"][method]) == {
        "intercept", *FEATURES, "among_intercept", *(f"among_{name}" for name in AMONG_FEATURES),
        "scale_intercept", *(f"scale_{name}" for name in SCALE_FEATURES),
    }  # fmt: skip
    assert all(math.isfinite(v) for v in content["confidence"][method].values())
    assert content["fitted_on"]["command"].startswith("kinebind bench sync --fit")
    for source in content["fitted_on"]["sources"]:
        assert source.split(",")[0] in ("bandai-namco", "cmu-expmap", "utd-mhad")
        assert not source.startswith("utd-mhad") or "development" in source


def test_the_fit_has_the_signs_that_reason_asks_for(method):
    fitted = calibration()["confidence"][method]
    for helps in ("among_log_margin", "log_margin", "cues_for", "scale_log_sigma"):
        assert fitted[helps] > 0.0, helps
    # Where the model has its say, the lead itself grows with all of these, and says what they would say.
    for helps in ("log_data", "log_density", "middle_part") if method == "classical" else ():
        assert fitted[helps] > 0.0, helps
    for hurts in ("log_range", "against"):
        assert fitted[hurts] < 0.0, hurts
