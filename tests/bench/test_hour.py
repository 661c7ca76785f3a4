"""The benchmark hour, made short: its jump, its truth, and how errors are counted."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind.bench import hour
from kinebind.clock import ClockMap
from kinebind.store import save

DURATION_S = 100.0


@pytest.fixture(scope="module")
def made():
    return hour.make(made_up_body.bodies(1, 120), np.random.default_rng(5), DURATION_S)


def perfect(truth: ClockMap, jump_s: float, start_s: float, end_s: float) -> hour.Measured:
    """What an estimator that knows everything would find."""
    later = ClockMap(truth.offset_s + hour.JUMP_S * (1 + truth.skew), truth.skew, truth.ref_time_s)
    return hour.Measured(0.0, 0.0, tuple(
        (a, b, c.offset_s, c.skew, c.ref_time_s) for a, b, c in ((start_s, jump_s, truth), (jump_s, end_s, later))
    ))  # fmt: skip


def test_the_recording_is_that_of_the_protocol(made):
    recording, truth, jump_s = made
    (poses,), imus = recording.people, recording.imus
    assert truth.skew == 400e-6
    assert len(imus) == 5
    assert len(recording.clocks()) == 1
    assert poses.rate_hz == pytest.approx(30.0, rel=0.01)
    assert poses.duration_s == pytest.approx(DURATION_S, abs=0.1)
    for imu in imus:
        assert imu.rate_hz == pytest.approx(100.0, rel=0.01)
        assert imu.duration_s == pytest.approx(DURATION_S - hour.JUMP_S, abs=0.1)
        assert jump_s - imu.time_s[0] == pytest.approx(DURATION_S * 37 / 60, abs=0.05)
        step = np.diff(imu.time_s)
        assert step.min() > 0.0
        assert step.max() < 0.05  # the recorder counts on as if it had not stopped


def test_a_perfect_answer_has_no_error(made):
    recording, truth, jump_s = made
    times_s = recording.imus[0].time_s
    answer = perfect(truth, jump_s, float(times_s[0]), float(times_s[-1]))
    assert hour.max_error_s(answer, truth, jump_s, times_s) < 1e-9


def test_answers_without_the_jump_or_without_the_skew_are_off(made):
    recording, truth, jump_s = made
    times_s = recording.imus[0].time_s
    one = (float(times_s[0]), float(times_s[-1]), truth.offset_s, truth.skew, truth.ref_time_s)
    assert hour.max_error_s(hour.Measured(0, 0, (one,)), truth, jump_s, times_s) == pytest.approx(0.7, abs=0.001)
    right = perfect(truth, jump_s, float(times_s[0]), float(times_s[-1]))
    flat = hour.Measured(0, 0, tuple((a, b, o, 0.0, r) for a, b, o, _, r in right.pieces))
    furthest = np.abs(times_s - truth.ref_time_s).max()
    assert hour.max_error_s(flat, truth, jump_s, times_s) == pytest.approx(400e-6 * furthest, rel=0.05)


def test_nothing_is_counted_near_the_jump(made):
    recording, truth, jump_s = made
    times_s = recording.imus[0].time_s
    late = perfect(truth, jump_s + 8.0, float(times_s[0]), float(times_s[-1]))
    assert hour.max_error_s(late, truth, jump_s, times_s) < 1e-9
    later = perfect(truth, jump_s + 15.0, float(times_s[0]), float(times_s[-1]))
    assert hour.max_error_s(later, truth, jump_s, times_s) == pytest.approx(0.7, abs=0.001)


def test_the_synchroniser_follows_it(made, tmp_path):
    recording, truth, jump_s = made
    save(recording, tmp_path / "short.kinebind")
    found = hour.measure(tmp_path / "short.kinebind")
    assert found.seconds > 0.0
    assert found.peak_mb > 10.0
    assert len(found.pieces) == 2
    assert hour.max_error_s(found, truth, jump_s, recording.imus[0].time_s) < 0.033
