"""Figures of the benchmark: computed on made-up outcomes, and on one made-up clip."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind.bench import sync as bench
from kinebind.bench.sync import Outcome, interval


def test_intervals_hold_the_statistic_and_shrink_with_more_clips():
    rng = np.random.default_rng(72)
    few, many = rng.exponential(8.0, 50), rng.exponential(8.0, 1000)
    widths = []
    for values in (few, many):
        low, high = interval(values, lambda v: float(np.median(v)), draws=300)
        assert low <= np.median(values) <= high
        widths.append(high - low)
    assert widths[1] < 0.5 * widths[0]
    assert interval(few, lambda v: float(np.mean(v)), draws=50) == interval(few, lambda v: float(np.mean(v)), draws=50)


def test_errors_are_those_of_the_answers_that_are_given():
    """A refusal keeps its confidence, however high, and its guess does not count among the answers."""
    outcomes = [Outcome(0.01, 0.9, True), Outcome(5.0, 0.7, False), Outcome(0.02, 0.6, True)]
    assert bench._errors_ms(outcomes).tolist() == [10.0, 20.0]
    assert bench._errors_ms(outcomes[1:2], only_answered=False).tolist() == [5000.0]


def test_a_task_simulates_and_answers_its_clip(monkeypatch, tmp_path):
    """The whole way of one clip, with the baselines beside it; the same seed gives the same outcome."""
    monkeypatch.setattr(bench, "_bodies", lambda data, kind: made_up_body.bodies(4, 60))
    (task,) = bench._tasks(tmp_path, False, "clean", 1, 11, baselines="low3", duration_s=12.0, max_offset_s=2.0)
    (outcome,) = bench._answered(task)
    assert outcome.error_s < 0.03
    assert outcome.answered
    assert abs(outcome.skew_error_ppm) < 60.0
    assert outcome.correlation_s < 0.1
    assert outcome.zero_s <= 2.0
    assert bench._answered(task) == [outcome]
    monkeypatch.setattr(bench, "_bodies", lambda data, kind: made_up_body.bodies(4, 60, others=7))
    (stranger,) = bench._tasks(tmp_path, False, "clean", 1, 11, wrong_person=True, duration_s=12.0)
    assert all(o.error_s == float("inf") for o in bench._answered(stranger))


@pytest.mark.parametrize(("final", "kind"), [(False, "validation"), (True, "test")])
def test_only_a_final_run_opens_the_test_sources(tmp_path, final, kind):
    tasks = bench._tasks(tmp_path, final, "normal", 3, 11)
    assert bench._tasks(tmp_path, final, "normal", 3, 11, every=2) == tasks[::2]
    assert {task.kind for task in tasks} == {kind}
    assert len({task.seed for task in tasks}) == 3
    assert {task.kind for task in bench._tasks(tmp_path, final, "normal", 2, 11, kind="idle")} == {"idle"}


def test_without_final_the_walk_stays_closed(tmp_path):
    assert bench._neura(tmp_path, False, 1) == {}
