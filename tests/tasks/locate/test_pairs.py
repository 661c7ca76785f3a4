"""Scores of pairs: those of the matcher, over the time in view, in bounded pieces."""

from __future__ import annotations

import crowd
import numpy as np
import pytest

import sync_scene
from kinebind import ClockMap, InputError
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.tasks.locate import pairs as module
from kinebind.tasks.locate.pairs import REACH_S, STEP_S, pair_scores, seconds_shared

MATCHER = CorrelationMatcher()
SITES = ("left_wrist", "right_shank")
TWO = crowd.together(1, 2)
NOW = np.zeros(1)


def test_scores_are_the_matchers_at_all_lags():
    scores = pair_scores(TWO.imus, TWO.people, SITES, MATCHER, NOW)
    assert scores.values.shape == (4, 2, 2, scores.lags_s.size)
    assert scores.lags_s[[0, -1]].tolist() == [-REACH_S, REACH_S]
    assert scores.even.all()
    lags_s = np.array([-2.0, 0.0, 0.7])
    at = [int(np.abs(scores.lags_s - lag).argmin()) for lag in lags_s]
    for n, imu in enumerate(TWO.imus):
        for p, poses in enumerate(TWO.people):
            felt, seen = MATCHER.felt(imu), [MATCHER.seen(poses, site) for site in SITES]
            own = MATCHER.scores([felt], seen, lags_s)[0]
            np.testing.assert_allclose(scores.values[n, p][:, at], own, atol=0.05 * np.abs(own).max())


def test_the_matcher_is_not_told_the_declared_site():
    class Deaf(CorrelationMatcher):
        def felt(self, imu):
            assert imu.site is None
            return super().felt(imu)

    imus = tuple(i.replace(site="left_wrist") for i in TWO.imus[:1])
    pair_scores(imus, TWO.people, SITES, Deaf(), NOW)


def test_candidates_between_the_even_lags_are_no_wrong_ones():
    scores = pair_scores(TWO.imus[:1], TWO.people[:1], SITES[:1], MATCHER, np.array([-0.05, 0.0, 0.02, 0.05]))
    assert {-0.05, 0.0, 0.02, 0.05} <= set(scores.lags_s.tolist())
    even = scores.lags_s[scores.even]
    np.testing.assert_allclose(np.diff(even), STEP_S)
    assert even[0] == pytest.approx(-0.05 - REACH_S)
    assert even[-1] >= 0.05 + REACH_S - 1e-9
    assert -0.05 in even
    assert 0.02 not in even


def test_a_long_recording_is_the_mean_of_its_pieces_by_their_seconds(monkeypatch):
    monkeypatch.setattr(module, "PIECE_S", 6.5)
    (imu, *_), (poses, *_) = TWO.imus, TWO.people
    late = imu.slice_s(2.0, 13.0)
    found = pair_scores([late], [poses], SITES, MATCHER, NOW)
    pieces = module._pieces(module._span(poses), [late])
    assert len(pieces) == 2
    total, weight = np.zeros(len(SITES)), 0.0
    for start, stop in pieces:
        cut = late.take((late.time_s >= start) & (late.time_s <= stop))
        seen = [MATCHER.seen(poses, site) for site in SITES]  # which is no longer than a piece with its margins
        total += cut.duration_s * MATCHER.scores([MATCHER.felt(cut)], seen, NOW)[0, :, 0]
        weight += cut.duration_s
    now = int(np.abs(found.lags_s).argmin())
    np.testing.assert_allclose(found.values[0, 0, :, now], total / weight, rtol=0.02)


def test_few_of_many_pieces_are_taken_and_spread(monkeypatch):
    monkeypatch.setattr(module, "PIECE_S", 2.0)
    monkeypatch.setattr(module, "MOST_PIECES", 3)
    pieces = module._pieces((0.0, 12.0), TWO.imus)
    assert pieces[0][0] == pytest.approx(0.0, abs=0.02)
    assert pieces[-1][1] == pytest.approx(12.0, abs=0.05)
    assert len(pieces) == 3


def test_seconds_are_those_in_which_both_are_there():
    poses = sync_scene.poses(24.0)
    imu = sync_scene.imu("left_wrist", ClockMap(0.0), 24.0).slice_s(4.0, 14.0)
    keypoints = poses.keypoints_px.copy()
    keypoints[poses.time_s > 10.0, 9] = np.nan  # the left wrist leaves
    acc = imu.acc_sensor.copy()
    acc[(imu.time_s > 6.0) & (imu.time_s < 8.0)] = np.nan
    found = seconds_shared(
        [imu.replace(acc_sensor=acc)], poses.replace(keypoints_px=keypoints), ("left_wrist", "chest")
    )
    np.testing.assert_allclose(found, [[4.0, 8.0]], atol=0.3)
    slow = poses.take(np.arange(0, poses.time_s.size, 6))  # five frames a second
    np.testing.assert_allclose(seconds_shared([imu], slow, ("left_wrist",)), [[10.0]], atol=0.3)


def test_without_a_lag_nothing_can_be_compared():
    with pytest.raises(InputError, match="no lag"):
        pair_scores(TWO.imus, TWO.people, SITES, MATCHER, np.zeros(0))
