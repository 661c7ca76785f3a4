"""Evidence over lag: fast sums against plain loops, Bayes factors against Gaussian integrals, chance against truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_t

from kinebind.resample import low_pass
from kinebind.tasks.sync import evidence
from kinebind.tasks.sync.evidence import (
    MIN_OVERLAP_S,
    Cue,
    _many_coefficients,
    _masked_sums,
    _one_coefficient,
    _standardised,
    lagged_evidence,
)

RATE_HZ = 50.0
ONE = Cue("one", (0,), 0, False, 1.0)
POSITIVE = Cue("positive", (0,), 0, True, 1.0)


def smooth(seed: int, frames: int, columns: int = 1, cutoff_hz: float = 2.0) -> np.ndarray:
    """Random courses (frames, columns) like those of limbs."""
    noise = np.random.default_rng([31, seed]).normal(size=(frames + 400, columns))
    return low_pass(noise, RATE_HZ, cutoff_hz)[200:-200]  # without the filter's ends


def holed(values: np.ndarray, seed: int) -> np.ndarray:
    """The same with missing stretches, each in one column only."""
    rng = np.random.default_rng([32, seed])
    out = values.copy()
    for _ in range(3):
        at = rng.integers(values.shape[0] - 8)
        out[at : at + rng.integers(1, 8), rng.integers(values.shape[1])] = np.nan
    return out


# -- sums ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frames_x", "frames_y"), [(60, 60), (37, 90), (90, 23)])
def test_sums_at_all_lags_are_those_of_a_loop(frames_x, frames_y):
    """At lags inside and beyond the streams' ends, with rows missing on both sides."""
    x, y = holed(smooth(1, frames_x, 3), 1), holed(smooth(2, frames_y, 2), 2)
    cues = (Cue("a", (0,), 0, False, 1.0), Cue("b", (2, 1), 1, False, 1.0))
    first, last = -150, 150
    count, sums = _masked_sums(x, y, cues, first, last)
    (sx, has_x), (sy, has_y) = ((rows.T, valid) for rows, valid in (_standardised(x), _standardised(y)))
    for k, lag in enumerate(range(first, last + 1)):
        both = [t for t in range(frames_x) if has_x[t] and 0 <= t + lag < frames_y and has_y[t + lag]]
        assert count[k] == len(both)
        for cue, (xx, xy, yy, _) in zip(cues, sums, strict=True):
            a, b = sx[both][:, list(cue.x)], sy[[t + lag for t in both], cue.y]
            a, b = (v - v.mean(axis=0) if both else v for v in (a, b))
            np.testing.assert_allclose(xx[..., k], a.T @ a, atol=1e-9)
            np.testing.assert_allclose(xy[..., k], a.T @ b, atol=1e-9)
            np.testing.assert_allclose(yy[k], max(b @ b, 1e-6 * max(len(both), 1)), atol=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.01, 0.5])
@pytest.mark.parametrize(("first", "last"), [(-150, 150), (-3, 2), (40, 95), (200, 210)])
def test_sums_of_one_side_are_those_of_a_loop_with_few_gaps_and_with_many(missing, first, last, monkeypatch):
    rng = np.random.default_rng(36)
    mask, values = rng.random((2, 90)) >= missing, rng.normal(size=(2, 3, 70))
    direct = np.zeros((2, 3, last - first + 1))
    for k, lag in enumerate(range(first, last + 1)):
        for t in range(90):
            if 0 <= t + lag < 70:
                direct[:, :, k] += mask[:, t, None] * values[:, :, t + lag]
    for few in (0, evidence._FEW_EDGES, np.inf):  # all by Fourier transform, as it comes, all by running sums
        monkeypatch.setattr(evidence, "_FEW_EDGES", few)
        np.testing.assert_allclose(evidence._sums_where(mask, values, first, last), direct, atol=1e-9)


def test_windows_at_once_are_windows_one_by_one():
    x = np.stack([holed(smooth(20 + k, 240, 4), k) for k in range(3)])
    y = np.stack([holed(smooth(30 + k, 200, 2), k) for k in range(3)]) + x[:, 20:220, :2]
    cues = (POSITIVE, Cue("many", (1, 2, 3), 1, False, 0.5))
    nats, overlap_s = lagged_evidence(x, y, cues, -40, 0, RATE_HZ)
    for k in range(3):
        alone, seconds = lagged_evidence(x[k], y[k], cues, -40, 0, RATE_HZ)
        np.testing.assert_allclose(nats[k], alone, atol=1e-9)
        np.testing.assert_array_equal(overlap_s[k], seconds)


def test_what_lies_beyond_both_ends_is_not_seen_twice():
    """A correlation by Fourier transform is cyclic; a search wider than the streams must not see its answer again."""
    x = smooth(3, 200)
    nats, overlap_s = lagged_evidence(x, x, (ONE,), -1000, 1000, RATE_HZ)
    assert np.argmax(nats[:, 0]) == 1000
    assert (overlap_s[np.abs(np.arange(-1000, 1001)) >= 200] == 0.0).all()
    assert (nats[overlap_s < MIN_OVERLAP_S] == 0.0).all()
    assert (overlap_s[np.abs(np.arange(-1000, 1001)) < 200] > 0.0).all()


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.48])
def test_too_little_overlap_says_nothing(seconds):
    x, y = smooth(4, 100), np.full((100, 1), np.nan)
    y[: round(seconds * RATE_HZ)] = smooth(5, 100)[: round(seconds * RATE_HZ)]
    nats, overlap_s = lagged_evidence(x, y, (ONE,), -100, 100, RATE_HZ)
    assert (nats == 0.0).all()
    assert overlap_s.max() == pytest.approx(seconds)


# -- Bayes factors ---------------------------------------------------------------------------------------------


def marginal(y: np.ndarray, covariance: np.ndarray) -> float:
    """Log density of y whose covariance is σ² times a matrix, with σ² integrated over the scale-free prior 1/σ²,
    up to a constant that does not depend on the matrix.
    """
    # A Student t with ν → 0 degrees of freedom is that integral; its own constant cancels in a ratio.
    return float(multivariate_t.logpdf(y, np.zeros(y.size), covariance, df=1e-9))


@pytest.mark.parametrize("n", [5, 40])
@pytest.mark.parametrize("shared", [0.0, 0.6, 3.0])
def test_one_coefficient_is_the_ratio_of_two_marginal_likelihoods(n, shared):
    """y ~ N(0, σ² (I + n x xᵀ / xᵀx)), a coefficient with Zellner's g-prior of g = n, against y ~ N(0, σ² I)."""
    rng = np.random.default_rng([33, n])
    x = rng.normal(size=n)
    y = shared * x + rng.normal(size=n)
    direct = marginal(y, np.eye(n) + n * np.outer(x, x) / (x @ x)) - marginal(y, np.eye(n))
    a = np.array
    fast = _one_coefficient(a([x @ x / n]), a([x @ y / n]), a([y @ y / n]), a([float(n)]), False)
    assert fast[0] == pytest.approx(direct, abs=1e-6)


@pytest.mark.parametrize("p", [2, 3, 6])
@pytest.mark.parametrize("shared", [0.0, 0.6, 3.0])
def test_many_coefficients_are_the_ratio_of_two_marginal_likelihoods(p, shared):
    """y ~ N(0, σ² (I + X Xᵀ / s)) with s the columns' mean variance, against y ~ N(0, σ² I)."""
    n = 30
    rng = np.random.default_rng([34, p])
    x = rng.normal(size=(n, p)) * np.linspace(0.5, 1.5, p)
    y = shared * x[:, -1] + rng.normal(size=n)
    scale = np.trace(x.T @ x / n) / p
    direct = marginal(y, np.eye(n) + x @ x.T / scale) - marginal(y, np.eye(n))
    a = np.array
    fast = _many_coefficients((x.T @ x / n)[..., None], (x.T @ y / n)[..., None], a([y @ y / n]), a([float(n)]))
    assert fast[0] == pytest.approx(direct, abs=1e-6)


def test_only_a_positive_coefficient_counts_where_only_that_makes_sense():
    x = smooth(6, 400)
    at_zero = {}
    for sign in (1.0, -1.0):
        for cue in (ONE, POSITIVE):
            at_zero[sign, cue.name] = lagged_evidence(x, sign * x, (cue,), 0, 0, RATE_HZ)[0][0, 0]
    assert at_zero[1.0, "one"] == at_zero[1.0, "positive"] == pytest.approx(at_zero[-1.0, "one"])
    assert at_zero[1.0, "positive"] > 10.0
    assert at_zero[-1.0, "positive"] < 0.0


def test_weights_multiply_and_cues_stand_side_by_side():
    x, y = smooth(7, 300, 3), smooth(8, 300, 2)
    cues = (Cue("a", (0,), 1, False, 0.3), Cue("b", (1, 2), 0, False, 0.7))
    both, _ = lagged_evidence(x, y, cues, -50, 50, RATE_HZ)
    for c, cue in enumerate(cues):
        plain = Cue(cue.name, cue.x, cue.y, cue.positive, 1.0)
        alone, _ = lagged_evidence(x, y, (plain,), -50, 50, RATE_HZ)
        np.testing.assert_allclose(both[:, c], cue.weight * alone[:, 0], atol=1e-9)


# -- behaviour -------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(
    scale_x=st.floats(1e-3, 1e3), scale_y=st.floats(1e-3, 1e3),
    shift_x=st.floats(-100, 100), shift_y=st.floats(-100, 100),
)  # fmt: skip
def test_units_and_zero_points_do_not_matter(scale_x, scale_y, shift_x, shift_y):
    x, y = smooth(9, 200, 3), smooth(10, 200)
    cues = (POSITIVE, Cue("many", (0, 1, 2), 0, False, 1.0))
    plain, _ = lagged_evidence(x, y, cues, -80, 80, RATE_HZ)
    changed, _ = lagged_evidence(scale_x * x + shift_x, scale_y * y + shift_y, cues, -80, 80, RATE_HZ)
    np.testing.assert_allclose(changed, plain, atol=1e-5)


@settings(max_examples=25)
@given(delta=st.integers(-120, 120), seed=st.integers(0, 10**6))
def test_a_shift_gives_itself_back(delta, seed):
    """y is x, noisy, `delta` steps later: the evidence's peak is there, whatever the coefficients."""
    both = smooth(seed, 700, 2)
    x = both[150:550]
    y = (both @ [1.0, -0.5])[150 - delta : 550 - delta, None] + 0.05 * smooth(seed + 1, 400)
    for cue in (ONE, Cue("many", (0, 1), 0, False, 1.0)):
        nats, _ = lagged_evidence(x, y, (cue,), -150, 150, RATE_HZ)
        assert abs(int(np.argmax(nats[:, 0])) - 150 - delta) <= (1 if cue.name == "many" else 8)


@pytest.mark.parametrize("cutoff_hz", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("columns", [1, 3, 6])
def test_slow_signals_do_not_agree_by_chance(cutoff_hz, columns):
    """Unrelated signals, slow ones too, have evidence below zero on average (Bartlett's count of independent samples);
    the same with a shared part has more than chance ever gives.
    """
    cue = Cue("cue", tuple(range(columns)), 0, False, 1.0)
    unrelated, related = [], []
    for seed in range(40):
        x, y = smooth(2 * seed, 1000, columns, cutoff_hz), smooth(2 * seed + 1, 1000, 1, cutoff_hz)
        unrelated.append(lagged_evidence(x, y, (cue,), 0, 0, RATE_HZ)[0][0, 0])
        related.append(lagged_evidence(x, x[:, :1] + 0.3 * y, (cue,), 0, 0, RATE_HZ)[0][0, 0])
    assert np.mean(unrelated) < 0.0
    # By chance, a Bayes factor exceeds K with a probability of at most 1/K.
    assert np.mean(np.array(unrelated) > np.log(10.0)) <= 0.1
    assert np.median(related) > max(2.0, np.max(unrelated))


def test_random_walks_do_not_agree_by_chance_but_a_shared_one_is_found():
    walks = np.cumsum(np.random.default_rng(35).normal(size=(2000, 41)), axis=0)
    x = walks[:, :1]
    by_chance = [lagged_evidence(x, walks[:, k : k + 1], (ONE,), 0, 0, RATE_HZ)[0][0, 0] for k in range(1, 41)]
    shared = lagged_evidence(x, x + 0.1 * walks[:, 1:2], (ONE,), 0, 0, RATE_HZ)[0][0, 0]
    assert np.mean(by_chance) < 0.2
    assert shared > np.quantile(by_chance, 0.9)


def test_a_longer_overlap_says_more():
    x, y = smooth(11, 3000), smooth(12, 3000)
    nats = [lagged_evidence(x[:n], (x + 0.5 * y)[:n], (ONE,), 0, 0, RATE_HZ)[0][0, 0] for n in (200, 800, 3000)]
    assert nats[0] < nats[1] < nats[2]


@pytest.mark.parametrize("level", [0.0, 9.81, -1e3, 1 / 3])
@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize("columns", [1, 3])
def test_a_signal_that_stands_still_says_nothing(level, side, columns):
    """Neither all the time, nor in the part that overlaps; rounding must not stand for a signal."""
    cue = Cue("cue", tuple(range(columns)), 0, False, 1.0)
    for still_until in (300, 200):
        x, y = smooth(13, 300, columns), smooth(14, 300)
        (x if side == "x" else y)[:still_until] = level
        nats, overlap_s = lagged_evidence(x, y, (cue,), -299, 299, RATE_HZ)
        lag = np.arange(-299, 300)
        # x[t] meets y[t + lag]: the still start of x is all that meets y where x's end lies beyond y's end.
        only_still = (lag >= 300 - still_until) if side == "x" else (lag <= still_until - 300)
        assert (nats[only_still & (overlap_s >= MIN_OVERLAP_S)] <= 1e-6).all()


def test_missing_rows_have_no_say():
    x, y = smooth(15, 300, 2), smooth(16, 300)
    y += x[:, :1]
    gone = np.arange(120, 180)
    by_hand, filled = x.copy(), x.copy()
    by_hand[gone, 1] = np.nan
    filled[gone] = np.nan
    cue = Cue("many", (0, 1), 0, False, 1.0)
    a, overlap_a = lagged_evidence(by_hand, y, (cue,), -20, 20, RATE_HZ)
    b, overlap_b = lagged_evidence(filled, y, (cue,), -20, 20, RATE_HZ)
    np.testing.assert_allclose(a, b, atol=1e-9)
    np.testing.assert_array_equal(overlap_a, overlap_b)
    assert overlap_a[20] == pytest.approx(240 / RATE_HZ)
