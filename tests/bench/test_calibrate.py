"""Fitting the confidence: a known world is found again, and nothing of a test set is touched."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind.bench import utd
from kinebind.bench.calibrate import answers, development_pairs, fit_confidence, varied_scene
from kinebind.bench.scenes import CONDITIONS, training_sources
from kinebind.parts import SITES
from kinebind.tasks.sync.confidence import AMONG_FEATURES, FEATURES, RIGHT_PEAK_S, SCALE_FEATURES


def made_up_cases(count: int, seed: int = 0):
    """Answers of a world in which the right peak is a logistic matter and errors about it are Laplacian."""
    rng = np.random.default_rng([67, seed])
    weights = {name: 0.0 for name in FEATURES} | {"evidence": 2.0, "log_data": 1.0}
    cases = []
    for _ in range(count):
        own = {name: float(rng.uniform(0.0, 2.0)) for name in sorted({*FEATURES, *SCALE_FEATURES})}
        score = -3.0 + sum(weights[name] * own[name] for name in FEATURES)
        right = rng.random() < 1.0 / (1.0 + np.exp(-score)) / (1.0 + np.exp(1.0 - 3.0 * own["log_margin"]))
        scale_s = np.exp(-5.0 + 0.5 * own["log_sigma"] + 0.3 * own["log_density"])
        error_s = min(rng.exponential(scale_s), 0.149) if right else rng.choice([2.0, np.inf])
        cases.append((own, float(error_s)))
    return cases, weights


def test_a_known_world_is_found_again():
    cases, weights = made_up_cases(12000)
    fitted = fit_confidence(cases)
    scales = {f"scale_{name}" for name in SCALE_FEATURES}
    among = {"among_intercept", *(f"among_{name}" for name in AMONG_FEATURES)}
    assert set(fitted) == {"intercept", *FEATURES, *among, "scale_intercept", *scales}
    assert fitted["among_intercept"] == pytest.approx(-1.0, abs=0.4)
    assert fitted["among_log_margin"] == pytest.approx(3.0, abs=0.6)
    assert fitted["intercept"] == pytest.approx(-3.0, abs=0.5)
    for name, weight in weights.items():
        assert fitted[name] == pytest.approx(weight, abs=0.25), name
    assert fitted["scale_intercept"] == pytest.approx(-5.0, abs=0.1)
    assert fitted["scale_log_sigma"] == pytest.approx(0.5, abs=0.1)
    assert fitted["scale_log_density"] == pytest.approx(0.3, abs=0.1)


def test_stated_and_observed_agree_in_that_world():
    cases, _ = made_up_cases(4000)
    fitted = fit_confidence(cases)
    fresh, _ = made_up_cases(4000, seed=1)
    score = np.array([fitted["intercept"] + sum(fitted[n] * own[n] for n in FEATURES) for own, _ in fresh])
    among = np.array([fitted["among_log_margin"] * own["log_margin"] for own, _ in fresh])
    stated = 1.0 / (1.0 + np.exp(-score)) / (1.0 + np.exp(-fitted["among_intercept"] - among))
    right = np.array([error_s <= RIGHT_PEAK_S for _, error_s in fresh])
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.0)):
        inside = (stated >= low) & (stated < high)
        assert inside.sum() > 100
        assert stated[inside].mean() == pytest.approx(right[inside].mean(), abs=0.06)


def test_of_an_answer_and_a_rival_that_fit_alike_neither_is_the_likelier_whatever_the_cases_say():
    cases, _ = made_up_cases(1000)
    # Whoever has a rival as good as the answer is right all the same.
    told = [(own | {"log_margin": 0.0}, 0.01) if k % 3 == 0 else (own, e) for k, (own, e) in enumerate(cases)]
    assert fit_confidence(told)["among_intercept"] == 0.0


def test_answers_of_strangers_count_as_wrong_whatever_was_said():
    clip = made_up_body.clip(1)
    found, strange = answers(clip, True, 7.5), answers(clip, False, 7.5)
    assert set(found) == set(strange) == {"universal", "classical"}
    for method in ("universal", "classical"):
        ((own, error_s),) = found[method]
        assert error_s < 0.05
        assert set(FEATURES) <= set(own)
        ((same, stranger_s),) = strange[method]
        assert stranger_s == float("inf")
        assert same == own
    assert found["universal"][0][0] != found["classical"][0][0]


def test_scenes_are_as_varied_as_what_users_bring():
    bodies = made_up_body.bodies(2, 60)
    seen = [varied_scene(bodies, np.random.default_rng([68, k])) for k in range(12)]
    imus = [imu for s in seen for imu in s.recording.imus]
    assert {len(s.recording.imus) for s in seen} >= {1, 2}
    assert {imu.gyr_sensor is None for imu in imus} == {True, False}
    assert {imu.site for imu in imus} <= set(SITES)
    assert len({round(s.recording.people[0].rate_hz) for s in seen}) > 2
    durations = [s.recording.people[0].duration_s for s in seen]
    assert 3.5 < min(durations) < 10.0 < max(durations) < 30.5
    assert all(abs(t.offset_s) <= 7.0 for s in seen for t in s.truth.values())
    fixed = varied_scene(bodies, np.random.default_rng(1), sites=["head"], duration_s=5.0, gyroscope=False)
    assert [imu.site for imu in fixed.recording.imus] == ["head"]
    assert set(CONDITIONS) == {"clean", "normal", "hard", "sway"}


def test_only_training_sources_are_fitted_on(tmp_path):
    for name in ("bandai-namco/d-1/data/a.bvh", "deepmimic/a.txt", "cmu-asfamc/01/a.amc", "reactidle/a.bvh"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.touch()
    sources = training_sources(tmp_path)
    assert [s.name for s in sources] == ["bandai-namco"]
    assert [path.name for s in sources for group in s.groups for path in group] == ["a.bvh"]


def test_few_development_clips_are_paired_with_a_stranger_s_of_another_action():
    imu = made_up_body.clip(1).recording.imus[0]
    poses = made_up_body.clip(1).recording.people[0]
    clips = [utd.Clip(k % 5, 1, imu, poses) for k in range(60)]
    pairs = development_pairs(clips)
    same = [pair for pair in pairs if pair[1] is pair[2]]
    assert len(same) == 60
    assert len(pairs) == 63
    assert all(felt.action != seen.action for _, felt, seen in pairs if felt is not seen)
