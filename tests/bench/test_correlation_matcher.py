"""Correlation as a matcher: what the baseline's own function finds, over galleries as over single pairs."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import made_up_body
from kinebind import InputError
from kinebind.bench import baselines
from kinebind.bench.correlation_matcher import CorrelationMatcher, CuesOfStream
from kinebind.bench.offset_finders import ByMatcher
from kinebind.tasks import matching
from kinebind.tasks.matching import joint_curve, lags_between, peak_lag_s

CLIP = made_up_body.clip(1, condition="clean", max_offset_s=4.0)
POSES, IMUS = CLIP.recording.people[0], CLIP.recording.imus
TRUTH_S = CLIP.truth["recorder"].offset_s
RANGE_S = (-5.0, 5.0)


@pytest.mark.parametrize("variant", baselines.VARIANTS)
@pytest.mark.parametrize("count", [1, 4])
def test_a_clock_is_found_as_by_the_baseline(variant, count):
    find = ByMatcher(CorrelationMatcher(variant))
    offset_s, confidence = find(IMUS[:count], POSES, RANGE_S)
    own_s = baselines.correlation_offset_s(IMUS[:count], POSES, RANGE_S, variant)
    assert offset_s == pytest.approx(own_s, abs=1e-6)
    assert confidence is None
    assert offset_s == pytest.approx(TRUTH_S, abs=0.06)


def test_a_gallery_scores_what_its_pairs_do():
    matcher = CorrelationMatcher()
    felt = [matcher.felt(imu) for imu in IMUS] + [matcher.felt(IMUS[0].slice_s(3.0, 6.0))]
    seen = [matcher.seen(p, s) for p, s in ((POSES, "left_wrist"), (POSES.slice_s(2.0, 9.0), "right_shank"))]
    lags_s = np.array([-1.5, 0.0, 0.3, 0.31, 2.0])
    together = matcher.scores(felt, seen, lags_s)
    assert together.shape == (5, 2, 5)
    for i, f in enumerate(felt):
        for j, s in enumerate(seen):
            np.testing.assert_allclose(matcher.scores([f], [s], lags_s)[0, 0], together[i, j], atol=1e-9)


def stream(rng: np.random.Generator, first: int, frames: int, missing: slice) -> CuesOfStream:
    cues = rng.normal(size=(2, frames))
    cues[:, missing] = np.nan
    cues[1, :7] = np.nan
    return CuesOfStream(first, cues)


def test_scores_are_those_of_a_loop():
    rng = np.random.default_rng(5)
    felt = [stream(rng, 10, 150, slice(40, 60)), stream(rng, -30, 90, slice(0, 0))]
    seen = [stream(rng, 0, 140, slice(20, 22)), stream(rng, 60, 300, slice(100, 180)), stream(rng, 900, 50, slice(3))]
    steps = np.array([-200, -40, 0, 3, 120])
    fast = CorrelationMatcher().scores(felt, seen, steps / 50.0)
    for i, f in enumerate(felt):
        for j, s in enumerate(seen):
            for k, step in enumerate(steps):
                total = 0.0
                for cue in range(2):
                    x = {f.first + n: v for n, v in enumerate(f.cues[cue]) if np.isfinite(v)}
                    y = {s.first + n: v for n, v in enumerate(s.cues[cue]) if np.isfinite(v)}
                    both = [(x[n], y[n + step]) for n in x if n + step in y]
                    if len(both) >= 25:
                        total += np.corrcoef(np.array(both).T)[0, 1] * np.sqrt(len(both) / 50.0)
                assert fast[i, j, k] == pytest.approx(total, abs=1e-6)


def test_between_two_steps_scores_lie_on_a_line():
    matcher = CorrelationMatcher()
    felt, seen = [matcher.felt(IMUS[0])], [matcher.seen(POSES, "left_wrist")]
    low, between, high = matcher.scores(felt, seen, np.array([0.4, 0.405, 0.42]))[0, 0]
    assert between == pytest.approx(0.75 * low + 0.25 * high)
    assert low != pytest.approx(high)


def test_what_is_missing_has_no_say():
    matcher = CorrelationMatcher()
    keypoints = POSES.keypoints_px.copy()
    keypoints[:, 9:11] = np.nan
    unseen = matcher.seen(POSES.replace(keypoints_px=keypoints), "left_wrist")
    lost = matcher.felt(IMUS[0].replace(acc_sensor=np.full_like(IMUS[0].acc_sensor, np.nan), gyr_sensor=None))
    worn, shown = matcher.felt(IMUS[0]), matcher.seen(POSES, "left_wrist")
    found = matcher.scores([worn, lost], [shown, unseen], np.array([0.0, 1.0]))
    assert np.isfinite(found).all()
    assert found[0, 0].any()
    assert not found[1].any()
    assert not found[:, 1].any()
    alone = matcher.scores([matcher.felt(IMUS[0].replace(gyr_sensor=None))], [shown], np.array([0.0]))
    assert 0.0 != alone[0, 0, 0] != found[0, 0, 0]


def test_empty_galleries_have_no_scores():
    assert CorrelationMatcher().scores([], [], np.zeros(3)).shape == (0, 0, 3)


def test_there_is_no_other_variant():
    with pytest.raises(InputError, match="low9"):
        CorrelationMatcher("low9")


# -- curves and lags -------------------------------------------------------------------------------------------


def test_curves_of_sensors_add_up_each_at_its_own_site():
    matcher, lags_s = CorrelationMatcher(), lags_between((-1.0, 1.0))
    apart = [
        matcher.scores([matcher.felt(i)], [matcher.seen(POSES, i.site)], lags_s)[0, 0] for i in IMUS
    ]  # fmt: skip
    np.testing.assert_allclose(joint_curve(matcher, IMUS, POSES, lags_s), np.sum(apart, axis=0))


def test_sensors_at_no_known_site_cannot_be_matched_to_a_limb():
    with pytest.raises(InputError, match="worn"):
        joint_curve(CorrelationMatcher(), (IMUS[0].replace(site=None),), POSES, np.zeros(1))
    with pytest.raises(InputError, match="no sensor"):
        joint_curve(CorrelationMatcher(), (), POSES, np.zeros(1))


@pytest.mark.parametrize(("range_s", "ends"), [((-1.0, 1.0), (-1.0, 1.0)), ((-0.33, 0.45), (-0.32, 0.44))])
def test_lags_are_whole_steps_inside_the_range(range_s, ends):
    lags_s = lags_between(range_s)
    assert (lags_s[0], lags_s[-1]) == pytest.approx(ends)
    np.testing.assert_allclose(np.diff(lags_s), 0.02)
    assert lags_between((0.5, 0.1)).size == 0


def test_peaks_at_an_end_stay_there_and_none_has_no_place():
    lags_s = lags_between((-0.1, 0.1))
    assert peak_lag_s(lags_s, lags_s) == pytest.approx(0.1)
    assert peak_lag_s(np.ones(lags_s.size), lags_s) == pytest.approx(-0.1)
    with pytest.raises(InputError, match="no lag"):
        peak_lag_s(np.zeros(0), np.zeros(0))


def test_the_examples_hold():
    found = doctest.testmod(matching)
    assert found.attempted
    assert not found.failed
