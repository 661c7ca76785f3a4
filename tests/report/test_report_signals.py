"""Signals, close looks and envelopes: physics, and fast against naive."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sync_scene
from kinebind import ClockMap, Imu
from kinebind.report.clock_view import clock_view
from kinebind.report.signals import (
    Reference,
    Trace,
    busiest_window,
    correlation,
    envelope,
    find_references,
    sensor_motion,
)


def test_a_steady_turn_reads_its_rate_from_gyroscope_or_orientation_alike():
    time_s = np.arange(1000) / 100
    half = 2.0 * time_s / 2
    quat = np.stack([0 * half, 0 * half, np.sin(half), np.cos(half)], axis=1)
    acc = np.tile([0.0, 0.0, 9.81], (time_s.size, 1))
    gyr = np.tile([0.0, 0.0, 2.0], (time_s.size, 1))
    for imu in (Imu(time_s, acc, gyr), Imu(time_s, acc, None, quat)):
        trace = sensor_motion(imu)
        assert trace.unit == "rad/s"
        np.testing.assert_allclose(trace.value, 2.0, atol=1e-6)


def test_a_sensor_at_rest_reads_nothing_by_its_acceleration():
    time_s = np.arange(500) / 50
    trace = sensor_motion(Imu(time_s, np.tile([0.0, 9.81, 0.0], (time_s.size, 1))))
    assert trace.unit == "m/s²"
    np.testing.assert_allclose(trace.value, 0.0, atol=1e-9)


def test_alignment_is_what_makes_sensor_and_limb_agree():
    recording, result = sync_scene.scene()
    view = clock_view(recording, find_references(recording, result)[0], result.answers[0])
    for row in view.rows:
        assert row.correlation("after", view.window_s) > 0.95
        assert row.correlation("before", view.window_s) < 0.5


def test_without_gyroscope_accelerations_are_compared():
    recording, result = sync_scene.scene(("left_wrist",))
    plain = recording.imus[0].replace(gyr_sensor=None, rot_world_from_sensor=None)
    view = clock_view(recording.replace(imus=(plain,)), Reference(recording.people[0]), result.answers[0])
    assert (view.rows[0].before.unit, view.rows[0].ref.unit) == ("m/s²", "m/s²")


def test_a_head_of_which_only_the_nose_is_seen_is_compared_by_its_acceleration():
    recording, result = sync_scene.scene(("left_wrist",))
    keypoints = recording.people[0].keypoints_px.copy()
    keypoints[:, 1:7] = np.nan  # eyes, ears and shoulders: nothing is left that could turn
    seen = recording.people[0].replace(keypoints_px=keypoints)
    finding = dataclasses.replace(result.answers[0].sensors[0], site="head")
    answer = dataclasses.replace(result.answers[0], sensors=(finding,))
    view = clock_view(recording, Reference(seen), answer)
    assert view.rows[0].ref.unit == "m/s²"
    assert np.isfinite(view.rows[0].ref.value).any()
    assert view.rows[0].label == "left_wrist · head"


def test_after_a_jump_both_pieces_agree():
    jump = (30.0, 0.7)
    clock = ClockMap(3.0, 0.0, 20.0)
    imu = sync_scene.imu("left_wrist", clock, 60.0, jump=jump)
    answer = sync_scene.answer("c", ("left_wrist",), clock, duration_s=60.0, jump=jump)
    recording = sync_scene.scene(("left_wrist",), duration_s=60.0)[0].replace(imus=(imu,))
    view = clock_view(recording, Reference(recording.people[0]), answer)
    for window in ((15.0, 30.0), (36.0, 55.0)):
        assert view.rows[0].correlation("after", window) > 0.95


def test_clocks_that_never_meet_are_laid_start_on_start():
    recording, result = sync_scene.scene(("left_wrist",))
    late = recording.imus[0].replace(time_s=recording.imus[0].time_s + 5000.0)
    view = clock_view(recording.replace(imus=(late,)), Reference(recording.people[0]), result.answers[0])
    assert view.before_words == "both starts laid on each other"
    assert view.rows[0].before.time_s[0] == pytest.approx(recording.people[0].time_s[0])


@given(
    st.lists(st.floats(-10, 10) | st.just(float("nan")), min_size=2, max_size=60),
    st.integers(1, 30),
)
def test_envelope_is_what_a_loop_finds(values, columns):
    value = np.array(values)
    time_s = np.arange(value.size) * 0.1
    middle, low, mean, high = envelope(time_s, value, columns)
    edges = np.linspace(time_s[0], time_s[-1], columns + 1)
    assert middle.size == columns
    for k in range(columns):
        last = k == columns - 1
        inside = (time_s >= edges[k]) & ((time_s < edges[k + 1]) | last) & np.isfinite(value)
        expected = value[inside]
        if expected.size == 0:
            assert np.isnan([low[k], mean[k], high[k]]).all()
        else:
            np.testing.assert_allclose([low[k], mean[k], high[k]],
                                       [expected.min(), expected.mean(), expected.max()], atol=1e-12)  # fmt: skip


@given(st.integers(0, 1000), st.floats(1.0, 8.0))
def test_the_busiest_window_is_what_a_loop_finds(seed, span_s):
    rng = np.random.default_rng(seed)
    trace = Trace(np.arange(200) / 10, rng.uniform(0, 1, 200), "")
    start, end = busiest_window(trace, span_s, (3.0, 17.0))
    assert start >= 3.0 - 1e-9
    assert end <= 17.0 + 0.1 + 1e-9
    width = int(np.ceil(span_s * 10 - 1e-9))
    best = max(trace.value[i : i + width].sum() for i in range(30, 171 - width + 1))
    first = round(start * 10)
    assert trace.value[first : first + width].sum() == pytest.approx(best)


def test_no_window_where_nothing_is_shared():
    trace = Trace(np.arange(10) / 1.0, np.ones(10), "")
    assert busiest_window(trace, 5.0, (20.0, 30.0)) is None
    assert busiest_window(trace, 50.0, (2.0, 30.0)) == (2.0, 9.0)


def test_correlation_does_not_mind_another_rate_or_what_only_one_knows():
    a = Trace(np.arange(300) / 30, np.abs(np.sin(np.arange(300) / 30)), "")
    b = Trace(np.arange(0, 500) / 50 + 0.001, np.abs(np.sin(np.arange(0, 500) / 50 + 0.001)), "")
    b.value[100:150] = np.nan
    assert correlation(a, b) > 0.999
    assert np.isnan(correlation(a, b.within(2.05, 2.95)))
