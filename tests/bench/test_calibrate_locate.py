"""Crowds are as their truth says, and what is fitted on scores finds what is right and states how sure that is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import made_up_body
from kinebind import InputError
from kinebind.bench import calibrate_locate, crowds
from kinebind.bench.calibrate_locate import Case, case, fit, write
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.bench.crowds import Everybody, action_of, any_crowd, crowd
from kinebind.bench.scenes import Source
from kinebind.parts import SITES
from kinebind.tasks.locate.assign import assign
from kinebind.tasks.locate.evidence import Calibration, evidence
from kinebind.tasks.locate.pairs import PairScores

BODIES = made_up_body.bodies(5, duration_s=8, others=11)


def drawn(seed=0, **options):
    given = {"people": 2, "sensors": 4, "strangers": 1, "duration_s": 6.0} | options
    return crowd(BODIES, np.random.default_rng([92, seed]), **given)


def test_a_crowd_has_the_people_and_sensors_that_were_asked_for():
    found = drawn()
    assert [p.person for p in found.recording.people] == ["1", "2"]
    assert [i.name for i in found.recording.imus] == list(found.truth)
    assert sum(worn is None for worn in found.truth.values()) == 1
    assert all(i.site is None and i.clock_id == "recorder" for i in found.recording.imus)
    taken = [worn for worn in found.truth.values() if worn is not None]
    assert len(set(taken)) == len(taken) == 3
    assert {person for person, _ in taken} <= {"1", "2"}


def test_the_truth_is_what_fits():
    found = drawn(1, duration_s=7.0, row="clean", strangers=0, offset_s=0.3)
    scored = case(found, CorrelationMatcher())
    assert scored.candidates_s[[0, -1]].tolist() == [-0.5, 0.5]
    at = int(np.abs(scored.scores.lags_s - 0.3).argmin())
    flat = scored.scores.values[..., at].reshape(len(scored.right), -1)
    own = flat[np.arange(len(flat)), scored.right]
    assert (own > np.median(flat, axis=1)).all()
    assert own.mean() > flat.mean() + flat.std()


def test_gyroscopes_are_left_out_as_asked():
    assert all(i.gyr_sensor is None for i in drawn(no_gyroscope=1.0).recording.imus)
    assert all(i.gyr_sensor is not None for i in drawn().recording.imus)


def test_too_few_files_are_told(monkeypatch):
    monkeypatch.setattr(crowds, "_TRIES", 3)
    with pytest.raises(InputError, match="too few files"):
        crowd(made_up_body.bodies(5, 8), np.random.default_rng(0), people=2, sensors=1, strangers=0, duration_s=6.0)


def test_some_crowds_all_do_the_same():
    files = tuple(Path(f"set_{action}_{k}.bvh") for action, n in (("walk", 120), ("kick", 5)) for k in range(n))
    everybody = Everybody([Source("made-up", (files[:60], files[60:]))])
    (walkers,) = everybody.alike
    assert {action_of(p) for s in walkers.sources for g in s.groups for p in g} == {"walk"}
    given = [everybody.draw(np.random.default_rng(k)) for k in range(20)]
    assert {id(b) for b in given} == {id(everybody.any), id(walkers)}


def test_a_scenes_number_makes_it_alone():
    everybody = Everybody(BODIES.sources)
    one, other = (any_crowd(everybody, np.random.default_rng([1, 7])) for _ in range(2))
    assert one.truth == other.truth
    np.testing.assert_array_equal(one.recording.imus[0].acc_sensor, other.recording.imus[0].acc_sensor)


# -- fitting ---------------------------------------------------------------------------------------------------


def scored(rng, people=2, sensors=3):
    """Scores as a matcher might give: strangers about zero, the right pair well above, nobody for every third."""
    lags_s = np.round(np.arange(-80, 81) * 0.1, 6)
    seconds = float(rng.uniform(3.0, 20.0))
    spread = 0.12 * np.sqrt(5.0 / seconds)
    values = spread * rng.normal(size=(sensors, people, len(SITES), lags_s.size))
    pairs = people * len(SITES)
    right = np.where(rng.random(sensors) < 1 / 3, pairs, rng.permutation(pairs)[:sensors])
    flat = values.reshape(sensors, pairs, lags_s.size)
    for n in np.flatnonzero(right < pairs):
        flat[n, right[n], 80] += rng.uniform(0.2, 0.7)
    scores = PairScores(lags_s, values, np.full(values.shape[:3], seconds), np.ones(lags_s.size, bool))
    return Case(scores, np.zeros(1), right)


def test_what_is_fitted_decides_rightly_and_says_how_sure_it_is():
    rng = np.random.default_rng(93)
    found = fit([scored(rng) for _ in range(80)])
    assert found.wrong == pytest.approx((np.log(0.12), -0.5), abs=0.1)
    right, stated = [], []
    for _ in range(100):
        c = scored(rng)
        choices = assign(evidence(c.scores, np.zeros(3), 0.0, np.ones(3), found))
        for choice, true in zip(choices, c.right, strict=True):
            index = choice.person * len(SITES) + choice.site if choice.person >= 0 else 2 * len(SITES)
            right.append(index == true)
            stated.append(found.stated(choice.person_probability, site=False))
    assert np.mean(right) > 0.85
    assert np.mean(stated) == pytest.approx(np.mean(right), abs=0.08)


def test_numbers_of_other_matchers_are_kept(tmp_path):
    path = tmp_path / "calibration.json"
    one = Calibration((1.0, 2.0, 3.0, 4.0, 0.123456), (-2.0, -0.5), (0.1, 1.0), (0.2, 0.9))
    write(one, "one", {"scenes": 3}, path)
    write(one, "other", {"scenes": 4}, path)
    told = json.loads(path.read_text())
    assert set(told) == {"one", "other"}
    assert told["one"]["fitted_on"] == {"scenes": 3}
    assert Calibration.from_dict(told["one"]).evidence == (1.0, 2.0, 3.0, 4.0, 0.1235)
    assert calibrate_locate.SCENES >= 40
