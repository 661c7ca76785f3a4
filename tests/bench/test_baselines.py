"""What others would do: correlation and SyncWISE find a lag that is plain to see."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind.bench.baselines import VARIANTS, _correlation, _parabola, correlation_offset_s, syncwise_offset_s

CLIP = made_up_body.clip(1, condition="clean", max_offset_s=4.0)
POSES, IMUS = CLIP.recording.people[0], CLIP.recording.imus
TRUTH_S = CLIP.truth["recorder"].offset_s
RANGE_S = (-5.0, 5.0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_correlation_finds_the_offset(variant):
    assert correlation_offset_s(IMUS, POSES, RANGE_S, variant) == pytest.approx(TRUTH_S, abs=0.04)


def test_correlation_by_acceleration_alone():
    alone = tuple(imu.replace(gyr_sensor=None) for imu in IMUS)
    assert correlation_offset_s(alone, POSES, RANGE_S, "low3") == pytest.approx(TRUTH_S, abs=0.06)


def test_correlation_falls_between_the_grid_s_steps():
    later = tuple(imu.replace(time_s=imu.time_s - 0.007) for imu in IMUS)
    found = [correlation_offset_s(imus, POSES, RANGE_S, "low3") for imus in (IMUS, later)]
    assert found[1] - found[0] == pytest.approx(0.007, abs=0.004)


def test_syncwise_finds_the_offset_to_its_kernel():
    assert syncwise_offset_s(IMUS, POSES, RANGE_S) == pytest.approx(TRUTH_S, abs=0.5)


def test_syncwise_without_anything_to_vote_on_answers_zero():
    still = IMUS[0].replace(acc_sensor=np.zeros_like(IMUS[0].acc_sensor))
    assert syncwise_offset_s((still,), POSES, RANGE_S) == 0.0


def test_a_sensor_that_lost_everything_has_no_vote():
    lost = IMUS[0].replace(acc_sensor=np.full_like(IMUS[0].acc_sensor, np.nan))
    assert syncwise_offset_s((lost,), POSES, RANGE_S) == 0.0
    with_others = syncwise_offset_s((lost, *IMUS[1:]), POSES, RANGE_S)
    assert with_others == syncwise_offset_s(IMUS[1:], POSES, RANGE_S)


@pytest.mark.parametrize(("frames_x", "frames_y"), [(200, 200), (500, 20), (90, 400)])
def test_correlation_is_that_of_a_loop(frames_x, frames_y):
    rng = np.random.default_rng(65)
    x, y = rng.normal(size=frames_x), rng.normal(size=frames_y) + 3.0
    x[40:60], y[10:25] = np.nan, np.nan
    lags = np.arange(-520, 521, 7)
    fast = _correlation(x, y, lags)
    for k, lag in enumerate(lags):
        t = np.arange(max(0, -lag), max(0, min(frames_x, frames_y - lag)))
        t = t[np.isfinite(x[t]) & np.isfinite(y[t + lag])]
        a, b = x[t], y[t + lag]
        direct = np.corrcoef(a, b)[0, 1] * np.sqrt(t.size / 50.0) if t.size >= 25 else 0.0
        assert fast[k] == pytest.approx(direct, abs=1e-6)


def test_the_parabola_s_peak():
    at = np.arange(9.0)
    for peak in (3.8, 4.0, 4.3):
        curve = 5.0 - (at - peak) ** 2
        best = int(np.argmax(curve))
        assert best + _parabola(curve, best) == pytest.approx(peak)
    assert _parabola(np.array([3.0, 2.0, 1.0]), 0) == 0.0
    assert _parabola(np.ones(3), 1) == 0.0
