from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.readers.straighten import straighten

N = 20000
TRUE = np.arange(N) * 0.01 * (1 + 40e-6) + 0.3e-3 * np.sin(np.arange(N) / 3000)  # 40 ppm and a wandering clock


def error_ms(found, true):
    error = found - true
    return 1e3 * np.std(error), 1e3 * np.abs(error - np.median(error)).max()


def jittered(seed, n=N):
    rng = np.random.default_rng(seed)
    return {
        "white": np.sort(TRUE + rng.normal(0, 3e-3, n)),
        "late": np.maximum.accumulate(TRUE + rng.exponential(8e-3, n)),
        "packets of ten": np.repeat(TRUE[9::10], 10),
        "whole 0.1 s": np.floor(TRUE * 10) / 10,
    }


@pytest.mark.parametrize(("kind", "rms_ms", "worst_ms"), [
    ("white", 0.2, 0.7), ("late", 0.7, 2.0), ("packets of ten", 0.3, 1.0), ("whole 0.1 s", 3.0, 6.0),
])  # fmt: skip
def test_jitter_is_taken_out(kind, rms_ms, worst_ms):
    stamps = jittered(0)[kind]
    found, note = straighten(stamps)
    rms, worst = error_ms(found, TRUE)
    assert rms < rms_ms < error_ms(stamps, TRUE)[0]
    assert worst < worst_ms
    assert "straightened" in note
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("seconds", [4, 8, 60])
@pytest.mark.parametrize("tick_s", [1.0, 0.5])
def test_a_clock_in_whole_seconds_is_read_where_its_seconds_begin(seconds, tick_s):
    true = np.arange(seconds * 100) / 100 + 0.37
    found, _ = straighten(np.floor(true / tick_s) * tick_s)
    np.testing.assert_allclose(found, true, atol=0.011)
    assert np.diff(found).max() < 0.02


def test_one_global_line_is_the_naive_twin():
    n = 900  # nine seconds: one window
    rng = np.random.default_rng(2)
    stamps = np.sort(np.arange(n) * 0.01 + rng.normal(0, 3e-3, n))
    found, _ = straighten(stamps)
    line = np.polyval(np.polyfit(np.arange(n), stamps, 1), np.arange(n))
    np.testing.assert_allclose(found, line, atol=3e-4)


def test_lost_samples_and_pauses_stay_where_they_were():
    rng = np.random.default_rng(3)
    kept = np.ones(N, dtype=bool)
    kept[5000:5300] = kept[9000:9007] = False
    pause = np.where(np.arange(N) > 12000, 100.0, 0.0)
    stamps = np.maximum.accumulate(TRUE + pause + rng.exponential(8e-3, N))[kept]
    found, _ = straighten(stamps)
    rms, worst = error_ms(found, (TRUE + pause)[kept])
    assert rms < 1.5
    assert worst < 12.0  # one sample's place beside a gap may be mistaken
    assert np.count_nonzero(np.diff(found) > 0.05) == 3


def test_lost_samples_of_a_steady_clock_are_counted_in():
    kept = np.random.default_rng(4).random(N) > 0.05
    stamps = np.round(TRUE[kept] + np.random.default_rng(5).normal(0, 3e-4, kept.sum()), 4)
    found, note = straighten(stamps)
    assert "straightened" in note
    rms, worst = error_ms(found, TRUE[kept])
    assert rms < 0.1
    assert worst < 0.5


def test_what_is_already_straight_is_left_alone():
    for stamps in (TRUE, np.round(TRUE, 6), np.concatenate([TRUE, TRUE + 1000])):
        found, note = straighten(stamps)
        np.testing.assert_array_equal(found, stamps)
        assert note == ""


def test_true_unevenness_is_left_alone():
    rng = np.random.default_rng(6)
    for stamps in (np.cumsum(rng.uniform(0.005, 0.015, N)), np.r_[np.arange(5000) * 0.01, 50 + np.arange(5000) * 0.02]):
        found, note = straighten(stamps)
        np.testing.assert_array_equal(found, stamps)
        assert note == ""


def test_repeats_without_an_even_clock_are_spread_to_the_next_time():
    rng = np.random.default_rng(7)
    true = np.cumsum(rng.uniform(0.005, 0.015, N))
    found, note = straighten(np.round(true, 2))
    assert "spread evenly" in note
    assert (np.diff(found) > 0).all()
    assert np.abs(found - true).max() < 0.02


def test_the_declared_rate_is_used_where_it_agrees():
    rng = np.random.default_rng(8)
    stamps = np.sort(np.arange(300) / 50.0 + rng.normal(0, 4e-3, 300))
    found, _ = straighten(stamps, rate_hz=50.0)
    assert np.std(found - np.arange(300) / 50.0) < 1e-3
    wrong, _ = straighten(stamps, rate_hz=100.0)
    np.testing.assert_allclose(wrong, straighten(stamps)[0])


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.one_of(st.floats(0, 0.05), st.sampled_from([0.0, 0.01, 0.02, 3.0, 1e4])), min_size=1, max_size=80),
    st.floats(-1e6, 1e9),
)
def test_the_answer_never_falls_and_stays_near(steps, start):
    stamps = start + np.concatenate([[0.0], np.cumsum(steps)])
    found, _ = straighten(stamps)
    assert found.shape == stamps.shape
    assert (np.diff(found) >= 0).all()
    assert np.abs(found - stamps).max() <= max(np.diff(stamps).max(), 0.1) * (len(steps) + 1)
