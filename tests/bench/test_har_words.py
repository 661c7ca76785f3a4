"""Words in the benchmark of activities: what counts as named, and text beside held-out motion."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind.bench.har_words import _both_ways, is_named


@pytest.mark.parametrize(
    ("label", "phrase", "named"),
    [
        ("jog", "a person jogs", True), ("swipe left", "swipe to the left", True), ("clap", "clapping hands", True),
        ("swipe left", "swipe to the right", False), ("sit to stand", "stand up from sitting", True),
        ("bowling", "bow deeply", False), ("draw circle clockwise", "draw a circle", False),
    ],
)  # fmt: skip
def test_a_label_is_named_where_one_phrase_has_all_its_words(label, phrase, named):
    assert is_named(label, ["wave", phrase]) == named
    # Not where two phrases have them between them.
    assert not is_named("swipe left", ["swipe right", "turn left"])


def test_files_and_names_that_find_each_other():
    label = np.array([0, 0, 1, 2, 3, 4, 5, 6])
    scores = -np.abs(label[:, None] - np.arange(7)[None]).astype(float)
    found = _both_ways(scores, label)
    assert float(found["r5"].of()) == 1.0
    worst = _both_ways(-scores, label)
    assert float(worst["r5"].of()) < 0.7


def test_chance_is_what_scores_by_lot_come_to():
    rng = np.random.default_rng(0)
    label = np.array([0, 0, 0, *range(1, 18)])
    drawn = [_both_ways(rng.standard_normal((20, 18)), label) for _ in range(400)]
    mean = np.mean([float(own["r5"].of()) for own in drawn])
    assert float(drawn[0]["r5_chance"].of()) == pytest.approx(mean, abs=0.02)
