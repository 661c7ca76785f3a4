"""Numbers in words: nothing is lost, and nothing sounds surer than it is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.report.words import NONE, clock_time, confidence_word, percent, plain, signed, span


def read(text: str) -> float:
    return float(text.replace("\u202f", "").replace("−", "-"))


@given(st.floats(-1e10, 1e10), st.integers(0, 4))
def test_a_number_can_be_read_back(value, digits):
    text = signed(value, digits)
    assert read(text) == pytest.approx(value, abs=0.5001 * 10.0**-digits)
    assert "-" not in text
    assert (read(text) > 0) == text.startswith("+")


def test_nothing_known_is_not_zero():
    assert signed(None, 3) == plain(math.nan, 1) == percent(None) == NONE


@given(st.floats(0, 1))
def test_a_probability_is_never_rounded_to_certainty(share):
    text = percent(share)
    assert (text == "100 %") == (share == 1)
    assert (text == "0 %") == (share == 0)
    assert float(text.strip("<> %")) == pytest.approx(100 * share, abs=0.5001)


@given(st.floats(-1e5, 1e5), st.integers(0, 2))
def test_a_time_of_the_clock_can_be_read_back(seconds, digits):
    text = clock_time(seconds, digits)
    parts = [float(p) for p in text.strip("−").split(":")]
    total = sum(p * 60.0**k for k, p in enumerate(reversed(parts)))
    assert total == pytest.approx(abs(seconds), abs=0.5001 * 10.0**-digits)
    assert all(p < 60 for p in parts[1:])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(24.04, "24.0 s"), (179.94, "179.9 s"), (3599.97, "59 min 59 s"), (3600.0, "1 h 0 min"), (7379.0, "2 h 3 min")],
)
def test_lengths(seconds, text):
    assert span(seconds) == text


def test_words_for_confidence_turn_where_an_answer_is_given():
    assert confidence_word(0.5, 0.5) == "weak"
    assert confidence_word(0.4999, 0.5) == confidence_word(0.8, 0.85) == "too low to answer"
    assert confidence_word(0.85, 0.85) == "fair"
    assert confidence_word(1.0, 0.85) == "near certain"
