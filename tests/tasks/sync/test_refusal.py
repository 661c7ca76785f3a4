"""Refusals: each reason reached by a recording that deserves it, and its parts by themselves."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind import ClockMap, Poses, Recording, sync
from kinebind.bench.scenes import filmed, worn
from kinebind.body.segments import posture
from kinebind.tasks.sync.cues import felt
from kinebind.tasks.sync.hypothesis import worn_by
from kinebind.tasks.sync.limb_signals import RATE_HZ, track
from kinebind.tasks.sync.refusal import (
    imu_is_still,
    limbs_are_still,
    moved_enough,
    needed_confidence,
    period_s,
    side_peak,
    why,
)

CLIP = made_up_body.clip(1)
POSES, IMUS = CLIP.recording.people[0], CLIP.recording.imus
QUIET = posture(made_up_body.motion(1, 21.0, 30.0, size=0.0))


def refused(recording: Recording, **options):
    answer = sync(recording, **options).answers[0]
    assert not answer.answered
    assert answer.reason.what.endswith(".")
    assert answer.reason.fix.endswith(".")
    return answer


def quiet_imus(sites=("left_wrist", "right_shank")):
    rng = np.random.default_rng(71)
    return worn(QUIET, sites, "normal", rng, clocks=[ClockMap(0.0)], start_s=0.0, duration_s=20.0)


def quiet_poses():
    return filmed(QUIET, "clean", np.random.default_rng(72), start_s=0.0, duration_s=20.0)


# -- whole recordings ------------------------------------------------------------------------------------------


def test_sensors_that_lie_still():
    answer = refused(Recording((POSES,), quiet_imus()))
    assert answer.reason.code == "no_motion_imu"
    assert answer.confidence < 0.1


def test_a_sensor_that_gives_one_value_for_ever():
    n = IMUS[0].time_s.size
    stuck = IMUS[0].replace(acc_sensor=np.tile([0.0, 0.0, 9.81], (n, 1)), gyr_sensor=np.zeros((n, 3)))
    assert refused(Recording((POSES,), (stuck,))).reason.code == "no_motion_imu"
    among_others = sync(Recording((POSES,), (stuck, *IMUS[1:]))).answers[0]
    assert among_others.answered
    assert among_others.clock.offset_s == pytest.approx(CLIP.truth["recorder"].offset_s, abs=0.02)


def test_a_picture_that_stands_still():
    assert refused(Recording((quiet_poses(),), IMUS)).reason.code == "no_motion_pose"
    frame = POSES.keypoints_px[np.isfinite(POSES.keypoints_px).all(axis=(1, 2))][:1]
    frozen = POSES.replace(keypoints_px=np.repeat(frame, POSES.time_s.size, axis=0))
    answer = refused(Recording((frozen,), IMUS))
    assert answer.reason.code == "no_motion_pose"


def test_too_little_in_common():
    assert refused(Recording((POSES,), (IMUS[0].slice_s(5.0, 5.7),))).reason.code == "too_little_overlap"
    far = refused(Recording((POSES,), IMUS), search_s=(500.0, 520.0))
    assert far.reason.code == "too_little_overlap"
    assert far.clock is None


def test_a_sensor_without_a_sample_and_a_limb_that_is_never_seen():
    nothing = np.full_like(IMUS[0].acc_sensor, np.nan)
    for empty in (
        IMUS[0].replace(acc_sensor=nothing, gyr_sensor=nothing),
        IMUS[0].replace(acc_sensor=nothing, gyr_sensor=None),
    ):
        assert refused(Recording((POSES,), (empty,))).reason.code == "too_little_overlap"
    keypoints = POSES.keypoints_px.copy()
    keypoints[:, [7, 9]] = np.nan  # left elbow and wrist
    unseen = refused(Recording((POSES.replace(keypoints_px=keypoints),), IMUS[:1]))
    assert unseen.reason.code == "too_little_overlap"


def test_somebody_else_s_sensors():
    for seed in (1, 2, 3):
        stranger = made_up_body.clip(seed + 20).recording.imus
        assert refused(Recording((POSES,), stranger)).reason.code in ("no_match", "weak")


@pytest.mark.parametrize(("factor", "fps"), [(2.0, 60.0), (4.0, 120.0), (8.0, 240.0), (0.5, 60.0)])
def test_slow_motion_is_named_with_its_factor(factor, fps):
    clip = made_up_body.clip(2, fps=fps, duration_s=12.0, max_offset_s=2.0)
    poses = clip.recording.people[0]
    stretched = poses.replace(time_s=poses.time_s * factor)
    answer = refused(Recording((stretched,), clip.recording.imus))
    assert answer.reason.code == "slow_motion"
    assert f"{max(factor, 1 / factor):g} times {'slower' if factor > 1 else 'faster'}" in answer.reason.what
    assert f"{factor:g} times the file's" in answer.reason.fix
    # What the fix says leads to the answer.
    assert sync(clip.recording).answers[0].answered


def test_who_only_sways_is_answered_where_the_user_knows_the_place():
    """Standing people all sway alike: the little that agrees is believed near a hint or in a narrow search only."""
    body = posture(made_up_body.motion(1, 21.0, 30.0, size=0.12))
    clock = ClockMap(1.3)
    sites = ("left_wrist", "right_wrist", "left_shank", "right_shank")
    imus = worn(
        body, sites, "normal", np.random.default_rng(75), clocks=[clock], start_s=0.0, duration_s=20.0,
    )  # fmt: skip
    seen = filmed(body, "clean", np.random.default_rng(76), start_s=0.0, duration_s=20.0)
    swaying = Recording((seen,), imus)
    assert refused(swaying).reason.code == "little_motion"
    for known in ({"hint": 1.0}, {"search_s": (0.0, 3.0)}):
        answer = sync(swaying, **known).answers[0]
        assert answer.answered, known
        assert answer.clock.offset_s == pytest.approx(1.3, abs=0.05)


def test_a_wide_search_needs_more_confidence_than_a_narrow_one():
    answers = [sync(CLIP.recording, search_s=(-r, r)).answers[0] for r in (1.9, 8.0)]
    assert [a.needed_confidence for a in answers] == [needed_confidence(False), needed_confidence(True)]
    assert needed_confidence(False) < needed_confidence(True)


def test_a_still_picture_is_not_called_slow_motion():
    noisy = filmed(QUIET, "normal", np.random.default_rng(73), start_s=0.0, duration_s=20.0)
    assert refused(Recording((noisy,), IMUS)).reason.code in ("no_motion_pose", "no_match", "weak")


# -- parts -----------------------------------------------------------------------------------------------------


def test_still_is_still_and_moving_is_moving():
    assert all(imu_is_still(felt(imu)) for imu in quiet_imus())
    assert all(imu_is_still(felt(imu.replace(gyr_sensor=None))) for imu in quiet_imus())
    assert not any(imu_is_still(felt(imu)) for imu in IMUS)
    assert moved_enough(tuple(felt(imu) for imu in IMUS))
    assert not moved_enough(tuple(felt(imu) for imu in quiet_imus()))
    sensors = tuple(felt(imu) for imu in IMUS)
    assert limbs_are_still(worn_by(sensors, track(quiet_poses()), "1"))
    assert not limbs_are_still(worn_by(sensors, track(POSES), "1"))


@pytest.mark.parametrize("period", [0.8, 1.3, 2.5])
def test_the_period_of_a_repetition_is_found(period):
    time_s = np.arange(1500) / RATE_HZ
    wave = np.abs(np.sin(np.pi * time_s / period)) ** 3 + 0.05 * np.random.default_rng(74).normal(size=time_s.size)
    found_s, height = side_peak(wave, 4.0)
    cycles = round(found_s / period)  # two cycles later it agrees as well
    assert cycles in (1, 2, 3)
    assert found_s == pytest.approx(cycles * period, abs=0.03)
    assert height > 0.8


def test_what_does_not_repeat_has_no_period():
    _, height = side_peak(np.random.default_rng(75).normal(size=3000), 4.0)
    assert height < 0.2
    assert side_peak(np.zeros(500), 4.0) == (0.0, 0.0)
    assert side_peak(np.ones(500), 4.0) == (0.0, 0.0)
    assert side_peak(np.arange(8.0), 4.0) == (0.0, 0.0)


def repeating(period: float):
    """A track whose left wrist and right ankle swing evenly."""
    swing = 60.0 * np.sin(2 * np.pi * np.arange(600) / 30 / period)
    keypoints = np.repeat(quiet_poses().keypoints_px[:1], 600, axis=0)
    keypoints[:, 9, 0] += swing
    keypoints[:, 16, 0] += swing
    return track(Poses(np.arange(600) / 30, keypoints, np.ones((600, 17))))


@pytest.mark.parametrize("away", [1.0, 2.0, 3.0])
def test_rivals_whole_periods_away_are_called_periodic(away):
    sensors = (felt(IMUS[0]), felt(IMUS[3]))
    hypothesis = worn_by(sensors, repeating(1.2), "1")
    found_s, height = period_s(hypothesis)
    assert found_s / 0.6 == pytest.approx(round(found_s / 0.6), abs=0.05)  # to and fro are one turning rate
    assert height > 0.9
    reason = why(sensors, hypothesis, 15.0, 20.0, [1.0 + 1.2 * away, 0.3], 1.0)
    assert reason.code == "periodic"
    assert f"{found_s:.2f} s" in reason.what


def test_reasons_in_the_order_of_what_they_tell():
    sensors = (felt(IMUS[0]), felt(IMUS[3]))
    lively, swinging = worn_by(sensors, track(POSES), "1"), worn_by(sensors, repeating(1.2), "1")
    still = tuple(felt(imu) for imu in quiet_imus())
    codes = [
        why(still, lively, 0.3, 0.0, [5.0], 1.0).code,
        why(still, lively, 15.0, 0.0, [5.0], 1.0).code,
        why(sensors, worn_by(sensors, track(quiet_poses()), "1"), 15.0, 0.0, [5.0], 1.0).code,
        why(sensors, swinging, 15.0, 20.0, [2.2], 1.0).code,
        why(sensors, lively, 15.0, 1.0, [5.0], 1.0).code,
        why(sensors, lively, 15.0, 50.0, [5.0], 1.0).code,
    ]
    assert codes == ["too_little_overlap", "no_motion_imu", "no_motion_pose", "periodic", "no_match", "weak"]


def test_without_a_video_nothing_is_said_of_one():
    sensors = (felt(IMUS[0]), felt(IMUS[3]))
    hypothesis = worn_by(sensors, track(POSES), "1")
    reason = why(sensors, hypothesis, 15.0, 1.0, [5.0], 1.0, has_video=False)
    assert reason.code == "no_match"
    assert "reference sensor" in reason.what
