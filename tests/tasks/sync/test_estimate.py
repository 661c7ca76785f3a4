"""The synchroniser finds clocks, whatever is worn and however it is filmed, and keeps to the problem's symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from estimated import CLIP, IMUS, POSES, answered, error_s, with_imus
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import made_up_body
from kinebind import ClockMap, Imu, Recording, sync
from kinebind.bench.scenes import FOUR_SITES, timing_error_s
from kinebind.parts import SITES
from kinebind.tasks.sync.estimate import _to_clock
from kinebind.tasks.sync.pieces import Line

# -- what is found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_offsets_of_four_sensors(seed):
    clip = made_up_body.clip(seed)
    answer = answered(clip.recording)
    truth = clip.truth["recorder"]
    assert timing_error_s(answer.clock, truth, clip.recording.imus[0], clip.recording.people[0]) < 0.012
    assert answer.confidence > 0.8
    assert answer.uncertainty_s < 0.03
    assert len(answer.pieces) == 1
    assert not answer.mirrored
    assert [s.name for s in answer.sensors] == [i.name for i in clip.recording.imus]
    assert all(s.given for s in answer.sensors)
    assert answer.overlap_s == pytest.approx(20.0 - abs(truth.offset_s), abs=0.3)
    assert all(abs(lag - answer.clock.offset_s) > 0.15 for lag, _ in answer.rivals_s)
    assert answer.curve.lag_s[np.argmax(answer.curve.evidence_nats)] == pytest.approx(answer.clock.offset_s, abs=0.06)


@pytest.mark.parametrize("count", [1, 12])
def test_one_sensor_and_twelve(count):
    sites = [s for s in SITES if s != "head"][:count] if count > 1 else ["right_wrist"]
    clip = made_up_body.clip(3, sites=tuple(sites), max_offset_s=3.0)
    answer = answered(clip.recording)
    assert len(answer.sensors) == count
    assert timing_error_s(answer.clock, clip.truth["recorder"], clip.recording.imus[0], clip.recording.people[0]) < 0.03


def test_acceleration_alone():
    answer = answered(with_imus(*(imu.replace(gyr_sensor=None) for imu in IMUS)))
    assert error_s(answer) < 0.025


@pytest.mark.parametrize("fps", [10.0, 120.0])
def test_slow_and_fast_cameras(fps):
    clip = made_up_body.clip(4, fps=fps)
    answer = answered(clip.recording)
    truth = clip.truth["recorder"]
    assert timing_error_s(answer.clock, truth, clip.recording.imus[0], clip.recording.people[0]) < 0.025


@pytest.mark.parametrize("rate_hz", [20.0, 1000.0])
def test_slow_and_fast_sensors(rate_hz):
    clip = made_up_body.clip(5, rate_hz=rate_hz, sites=("left_wrist", "right_shank"))
    answer = answered(clip.recording)
    truth = clip.truth["recorder"]
    assert timing_error_s(answer.clock, truth, clip.recording.imus[0], clip.recording.people[0]) < 0.025


@pytest.mark.parametrize("ppm", [400.0, -400.0])
def test_skew_has_its_sign_and_size(ppm):
    truth = ClockMap(-3.0, ppm * 1e-6, 60.0)
    poses, imus = made_up_body.take(6, 120.0, truth)
    answer = answered(Recording((poses,), imus))
    assert timing_error_s(answer.clock, truth, imus[0], poses) < 0.02
    assert answer.clock.skew_ppm == pytest.approx(ppm, abs=150.0)
    assert abs(answer.clock.skew_ppm - ppm) < 4 * answer.skew_uncertainty * 1e6
    # The offset holds at the middle of what both saw.
    middle = 0.5 * (answer.main.start_s + answer.main.end_s)
    assert answer.clock.ref_time_s == pytest.approx(middle)
    assert answer.clock.offset_s == pytest.approx(float(truth.to_video(middle)) - middle, abs=0.012)


def test_each_sensor_on_its_own_clock():
    clip = made_up_body.clip(7, own_clocks=True, max_offset_s=3.0)
    result = sync(clip.recording)
    assert {a.clock_id for a in result.answers} == set(clip.truth)
    assert len(clip.truth) == len(FOUR_SITES)
    for answer in result.answers:
        assert len(answer.sensors) == 1
        if answer.answered:
            assert abs(answer.clock.offset_s - clip.truth[answer.clock_id].offset_s) < 0.04
    assert sum(a.answered for a in result.answers) >= 2
    together = sync(clip.recording, shared_clock=True)
    assert [a.clock_id for a in together.answers] == ["shared"]


def test_missing_samples_and_keypoints_do_no_harm():
    rng = np.random.default_rng(82)
    keypoints = POSES.keypoints_px.copy()
    keypoints[rng.uniform(size=keypoints.shape[:2]) < 0.2] = np.nan
    keypoints[200:260] = np.nan
    nothing = np.full_like(IMUS[1].acc_sensor, np.nan)
    imus = [imu.take(rng.uniform(size=imu.time_s.size) > 0.1) for imu in IMUS]
    imus[1] = IMUS[1].replace(acc_sensor=nothing, gyr_sensor=nothing)
    answer = answered(Recording((POSES.replace(keypoints_px=keypoints),), tuple(imus)))
    assert error_s(answer) < 0.02
    assert answer.sensors[1].evidence_nats == 0.0


def test_head_and_pelvis_say_little_but_lead_nowhere_wrong():
    """Sites that move little against the image are answered right or refused."""
    for seed in (1, 2):
        clip = made_up_body.clip(seed, sites=("head", "pelvis"))
        answer = sync(clip.recording).answers[0]
        if answer.answered:
            assert abs(answer.clock.offset_s - clip.truth["recorder"].offset_s) < 0.05


# -- symmetries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.02, -7.5, 86400.0, 1.6e9])
def test_moving_the_sensors_clock_moves_the_offset_by_as_much(seconds):
    """By whole steps of the grid exactly; 1.6e9 s is where clocks that count from 1970 stand."""
    plain = answered(CLIP.recording)
    moved = answered(with_imus(*(imu.replace(time_s=imu.time_s + seconds) for imu in IMUS)))
    assert moved.clock.offset_s + seconds == pytest.approx(plain.clock.offset_s, abs=1e-6)
    assert moved.clock.ref_time_s - seconds == pytest.approx(plain.clock.ref_time_s, abs=1e-6)
    assert moved.confidence == pytest.approx(plain.confidence, abs=1e-4)


def test_moving_the_clock_by_a_part_of_a_step_moves_the_offset_too():
    plain = answered(CLIP.recording)
    moved = answered(with_imus(*(imu.replace(time_s=imu.time_s + 123.4567) for imu in IMUS)))
    assert moved.clock.offset_s + 123.4567 == pytest.approx(plain.clock.offset_s, abs=0.002)


def test_moving_both_clocks_changes_nothing():
    plain = answered(CLIP.recording)
    recording = Recording(
        (POSES.replace(time_s=POSES.time_s + 1.6e9),), tuple(imu.replace(time_s=imu.time_s + 1.6e9) for imu in IMUS)
    )
    assert answered(recording).clock.offset_s == pytest.approx(plain.clock.offset_s, abs=1e-6)


@settings(max_examples=4)
@given(order=st.permutations(range(4)))
def test_the_order_of_sensors_does_not_matter(order):
    plain = answered(CLIP.recording)
    other = answered(with_imus(*(IMUS[k] for k in order)))
    assert other.clock.offset_s == pytest.approx(plain.clock.offset_s, abs=1e-6)
    assert other.confidence == pytest.approx(plain.confidence, abs=1e-9)
    by_name = {s.name: s.evidence_nats for s in other.sensors}
    assert all(by_name[s.name] == pytest.approx(s.evidence_nats) for s in plain.sensors)


def test_mounting_and_pixels_do_not_matter():
    turned = []
    for k, imu in enumerate(IMUS):
        matrix = Rotation.random(rng=k).as_matrix()
        turned.append(imu.replace(acc_sensor=imu.acc_sensor @ matrix.T, gyr_sensor=imu.gyr_sensor @ matrix.T))
    smaller = POSES.replace(keypoints_px=POSES.keypoints_px * 0.3 + 50.0, image_size_px=None)
    plain, other = answered(CLIP.recording), answered(Recording((smaller,), tuple(turned)))
    assert other.clock.offset_s == pytest.approx(plain.clock.offset_s, abs=0.003)


@settings(max_examples=30)
@given(
    offset=st.floats(-1e4, 1e4), slope=st.floats(-2e-3, 2e-3), ref=st.floats(-1e3, 1e3), imu=st.floats(-1e4, 1e4),
    times=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5),
)  # fmt: skip
def test_a_line_of_lags_over_the_video_is_a_map_of_the_sensor_s_clock(offset, slope, ref, imu, times):
    """lag(video) = video − imu, read off the line at the mapped video time, is what the map added."""
    line = Line(offset, slope, ref, 0.0, 0.0, 0.0)
    clock = _to_clock(line, imu)
    video = clock.to_video(np.array(times))
    np.testing.assert_allclose(video - times, line.at(video), atol=1e-7)
    assert clock.ref_time_s == imu


# -- jumps and absences ----------------------------------------------------------------------------------------


def stopped(imu: Imu, at_s: float, for_s: float) -> Imu:
    """A recorder that stops for a while and counts on as if it had not."""
    cut = imu.take((imu.time_s < at_s) | (imu.time_s >= at_s + for_s))
    return cut.replace(time_s=np.where(cut.time_s < at_s, cut.time_s, cut.time_s - for_s))


def leapt(imu: Imu, at_s: float, by_s: float) -> Imu:
    """A recorder whose clock leaps forward."""
    return imu.replace(time_s=np.where(imu.time_s < at_s, imu.time_s, imu.time_s + by_s))


@pytest.mark.parametrize("by_s", [0.7, 6.0])
@pytest.mark.parametrize("way", [stopped, leapt])
def test_a_recorder_that_jumped_gives_two_pieces(way, by_s):
    truth = ClockMap(1.5, 100e-6, 70.0)
    poses, imus = made_up_body.take(8, 140.0, truth)
    at_s = 80.0
    answer = answered(Recording((poses,), tuple(way(imu, at_s, by_s) for imu in imus)))
    assert len(answer.pieces) == 2
    first, second = answer.pieces
    later_s = by_s if way is stopped else -by_s
    assert second.clock.offset_s - first.clock.offset_s == pytest.approx(later_s, abs=0.05)
    assert first.end_s == pytest.approx(second.start_s)
    assert first.end_s == pytest.approx(at_s, abs=1.0 + by_s)
    # Every time away from the jump is mapped right, by whichever piece it falls into.
    imu_s = np.concatenate([np.arange(2.0, at_s - by_s - 5.0), np.arange(at_s + by_s + 5.0, 130.0)])
    true_s = truth.to_video(np.where(imu_s < at_s, imu_s, imu_s + later_s))
    assert np.abs(answer.to_video(imu_s) - true_s).max() < 0.03


def test_a_long_pause_is_placed_on_the_sensors_clock():
    """While the recorder stops for 40 s the video goes on: its clock alone could not place the jump."""
    poses, imus = made_up_body.take(8, 180.0, ClockMap(1.5, 0.0, 90.0))
    answer = answered(Recording((poses,), tuple(stopped(imu, 70.0, 40.0) for imu in imus)))
    first, second = answer.pieces
    assert first.end_s == pytest.approx(70.0, abs=2.5)
    assert second.clock.offset_s - first.clock.offset_s == pytest.approx(40.0, abs=0.05)


def test_a_person_who_is_away_in_the_middle_is_still_answered():
    poses, imus = made_up_body.take(8, 200.0, ClockMap(1.5, 0.0, 90.0))
    keypoints = poses.keypoints_px.copy()
    keypoints[(poses.time_s > 50.0) & (poses.time_s < 150.0)] = np.nan
    answer = answered(Recording((poses.replace(keypoints_px=keypoints),), imus))
    assert answer.confidence > 0.9


def test_a_person_who_is_away_for_minutes():
    truth = ClockMap(0.5, 200e-6, 150.0)
    poses, imus = made_up_body.take(9, 300.0, truth)
    away = (poses.time_s > 60.0) & (poses.time_s < 240.0)
    gone = poses.replace(keypoints_px=np.where(away[:, None, None], np.nan, poses.keypoints_px))
    for recording in (Recording((gone,), imus), Recording((poses.take(~away),), imus)):
        answer = answered(recording)
        assert len(answer.pieces) == 1
        assert timing_error_s(answer.clock, truth, imus[0], poses) < 0.03


def test_times_outside_all_pieces_take_the_nearest_one():
    answer = answered(CLIP.recording)
    far = np.array([-1000.0, 1000.0])
    np.testing.assert_allclose(answer.to_video(far), answer.clock.to_video(far))
