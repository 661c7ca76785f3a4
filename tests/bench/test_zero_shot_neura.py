"""The walk's figures on made-up clips; the walk itself is test data and not looked at here."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import made_up_body
from kinebind.bench import neura
from kinebind.bench import zero_shot_neura as zero_shot
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.bench.measured import figures
from kinebind.bench.offset_finders import ByMatcher

MATCHER = CorrelationMatcher()
SITES = ("left_thigh", "right_thigh", "left_shank", "right_shank")


@cache
def clips() -> tuple[neura.Clip, ...]:
    found = [made_up_body.clip(k, condition="clean", sites=SITES, duration_s=7.0, max_offset_s=2.0) for k in range(3)]
    return tuple(neura.Clip(s.recording.imus, s.recording.people[0], s.truth["recorder"]) for s in found)


def late(by_s: float) -> list[neura.Clip]:
    """The same clips whose video's times are all as much later, which their truth does not know."""
    return [neura.Clip(c.imus, c.poses.replace(time_s=c.poses.time_s + by_s), c.truth) for c in clips()]


def test_all_figures_are_there_and_right_on_clips_that_are_clear():
    found = figures(zero_shot.sites(clips(), MATCHER) | zero_shot.clocks(clips(), ByMatcher(MATCHER)), intervals=False)
    assert found["neura_sites_assigned"] >= found["neura_sites_argmax"] > 0.5
    assert found["neura_5s_within_100ms"] == 1.0
    assert found["neura_shank_5s_within_100ms"] >= 2 / 3
    assert abs(found["neura_lag_ms"]) < 20.0


def test_the_set_s_own_lag_is_reported_and_not_held_against_anybody():
    def find(imus, poses, range_s):
        return next(c.truth.offset_s for c in clips() if c.imus[0].time_s[0] == imus[0].time_s[0]) + 0.3, None

    found = figures(zero_shot.clocks(late(0.3), find), intervals=False)
    assert found["neura_lag_ms"] == pytest.approx(300.0)
    assert found["neura_5s_median_ms"] == pytest.approx(0.0, abs=1e-6)


def test_shanks_take_turns_and_what_is_not_answered_is_wrong():
    asked = []

    def find(imus, poses, range_s):
        asked.append([imu.site for imu in imus])
        return (float("inf") if len(imus) > 1 else 0.0), 0.0

    found = zero_shot.clocks(clips(), find)
    assert asked == [list(SITES)] * 3 + [["left_shank"], ["right_shank"], ["left_shank"]]
    assert found["neura_5s_within_100ms"].of() == 0.0
    assert "neura_lag_ms" not in figures(found)
    zero = zero_shot.trivial(clips())["neura_predict_zero_within_100ms"]
    np.testing.assert_array_equal(zero.values, [abs(c.truth.offset_s) <= 0.1 for c in clips()])
