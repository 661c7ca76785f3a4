"""What is asked of the confidence: the cases are what the protocol says, and strangers can only be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_zero_shot_utd import split

import made_up_body
from kinebind.bench import zero_shot_confidence as asked
from kinebind.bench import zero_shot_utd
from kinebind.bench.scenes import Source


def test_each_clip_is_cut_several_ways_and_once_paired_with_another_action():
    clips = split(2, 1)
    cases = asked._utd_cases(clips)
    own = [c for c in cases if c.truth is not None]
    strangers = [c for c in cases if c.truth is None]
    assert len(own) == asked.CUTS * len(clips)
    assert len({c.truth.offset_s for c in own}) == len(own)
    assert all(c.range_s == zero_shot_utd.CLIP_RANGE_S for c in own)
    # Who is a stranger knows it not, and searches everything.
    assert strangers
    assert all(c.range_s is None for c in strangers)


def test_an_answer_to_a_stranger_is_wrong_whatever_it_says():
    case = next(c for c in asked._utd_cases(split(2, 1)) if c.truth is None)
    said = asked._answer("classical", case)
    assert said.error_s == float("inf")
    assert 0.0 <= said.confidence <= 1.0


def test_answers_of_those_that_belong_together_have_their_error():
    cases = [c for c in asked._utd_cases(split(1, 1)) if c.truth is not None]
    errors = [asked._answer("classical", c).error_s for c in cases]
    assert np.median(errors) < 0.1


def test_the_figures_are_those_of_the_answers(monkeypatch):
    said = [asked.Said(0.95, True, 0.01), asked.Said(0.92, True, 0.3), asked.Said(0.4, False, 0.02)]
    cases = [asked.Asked((), None, object(), None, 0.1)] * 3 + [asked.Asked((), None, None, None, 0.1)] * 2
    said += [asked.Said(0.6, True, float("inf")), asked.Said(0.1, False, float("inf"))]
    monkeypatch.setattr(asked, "_utd_cases", lambda clips: cases)
    monkeypatch.setattr(asked, "parallel", lambda function, items: said)
    found = asked.real([], None, "classical")
    assert found["ece_real_cases"] == 5
    assert found["share_at_0p9"] == pytest.approx(2 / 3)
    assert found["wrong_at_0p9"] == pytest.approx(0.5)
    assert found["strangers_answered"] == pytest.approx(0.5)
    gaps = [0.05, 0.92, 0.6, 0.6, 0.1]  # one case a bin
    assert found["ece_real"] == pytest.approx(np.mean(gaps))
    assert "neura_standing_answered" not in found


def test_nobodys_sensors_are_counted_apart(monkeypatch):
    answers = iter([(1.0, 0.25, 0.75), (0.0, 0.0, 1.0)])
    monkeypatch.setattr(asked, "parallel", lambda function, items: [next(answers) for _ in items])
    found = asked.nobody([Source("made-up", ())], 2)
    assert found["nobody_refused"].of() == 0.5
    assert found["nobody_others_refused"].of() == 0.125
    assert found["nobody_others_person"].of() == 0.875


def test_a_crowd_is_asked_about_with_the_model(monkeypatch):
    drawn = []

    def crowd(bodies, rng, **options):
        drawn.append(options)
        from kinebind.bench.crowds import crowd as real_crowd

        return real_crowd(bodies, rng, **(options | {"duration_s": 4.0}))

    monkeypatch.setattr(asked, "crowd", crowd)
    files = tuple(Path(f"{seed}-20.made-up") for seed in range(12))
    refused, others, person = asked._crowd_answer((made_up_body.MadeUp("made-up", (files,)),), 0)
    assert drawn[0]["sensors"] == 5
    assert drawn[0]["strangers"] == 1
    assert refused in (0.0, 1.0)
    assert 0.0 <= others <= 1.0
    assert 0.0 <= person <= 1.0
