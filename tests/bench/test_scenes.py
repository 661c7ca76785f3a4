"""Simulated scenes: their truth is true, their bodies move on, their conditions are those of the protocol."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import made_up_body
from kinebind import ClockMap, InputError
from kinebind.bench.scenes import (
    CONDITIONS,
    FOUR_SITES,
    filmed,
    idle_sources,
    overlap_times,
    repeats,
    scene,
    timing_error_s,
    validation_sources,
    worn,
)
from kinebind.body.imu_simulate import IDEAL, simulate_imus
from kinebind.body.segments import posture
from kinebind.tasks.sync.limb_signals import limb_signals, track

BODIES = made_up_body.bodies(3)


@cache
def made(seed: int, **options):
    return scene(BODIES, "clean", np.random.default_rng([61, seed]), **options)


# -- truth -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("own_clocks", [False, True])
def test_a_perfect_answer_has_no_error_and_the_streams_share_what_they_should(seed, own_clocks):
    made_scene = made(seed, own_clocks=own_clocks)
    (poses,), imus = made_scene.recording.people, made_scene.recording.imus
    assert set(made_scene.truth) == {imu.clock_id for imu in imus}
    for imu in imus:
        truth = made_scene.truth[imu.clock_id]
        assert timing_error_s(truth, truth, imu, poses) == 0.0
        start, end = overlap_times(truth, imu, poses)
        shift_s = 20.0 - (end - start)
        assert -0.1 < shift_s < 7.1
        if not own_clocks:
            assert abs(truth.offset_s) == pytest.approx(shift_s, abs=0.1)
        assert -1.0 < poses.time_s[0] < 1.0
        assert -1.0 < imu.time_s[0] < 1.0


@pytest.mark.parametrize("seed", range(2))
def test_the_sensors_feel_at_the_mapped_time_what_the_camera_sees(seed):
    """Turning rates through the true map agree better than a tenth of a second off it."""
    made_scene = made(seed, sites=("left_wrist",), max_offset_s=3.0)
    (poses,), (imu,) = made_scene.recording.people, made_scene.recording.imus
    person = track(poses)
    seen = limb_signals(person, "left_wrist")["turn"]
    felt = np.linalg.norm(imu.gyr_sensor, axis=1)
    found = []
    for off_s in (-0.1, 0.0, 0.1):
        video_s = made_scene.truth["recorder"].to_video(imu.time_s) + off_s
        inside = (video_s > person.time_s[5]) & (video_s < person.time_s[-5])
        found.append(np.corrcoef(np.interp(video_s[inside], person.time_s, seen), felt[inside])[0, 1])
    assert found[1] > 0.6
    assert found[1] > max(found[0], found[2]) + 0.02


def test_timing_errors_are_the_largest_over_the_overlap():
    (poses,), (imu, *_) = made(0).recording.people, made(0).recording.imus
    truth = ClockMap(2.0, 0.0, 10.0)
    assert timing_error_s(ClockMap(2.01, 0.0, 10.0), truth, imu, poses) == pytest.approx(0.01)
    assert timing_error_s(ClockMap(1.98, 0.0, 3.0), truth, imu, poses) == pytest.approx(0.02)
    # 500 ppm about the reference: the further end of the overlap counts.
    start, end = overlap_times(truth, imu, poses)
    away = max(10.0 - start, end - 10.0)
    assert timing_error_s(ClockMap(2.0, 500e-6, 10.0), truth, imu, poses) == pytest.approx(500e-6 * away)
    assert timing_error_s(None, truth, imu, poses) == float("inf")


def test_an_overlap_that_is_none_has_one_time():
    (poses,), (imu, *_) = made(0).recording.people, made(0).recording.imus
    start, end = overlap_times(ClockMap(500.0), imu, poses)
    assert start == end


def test_worn_sensors_start_and_end_where_they_are_told():
    body = posture(made_up_body.motion(1, 30.0))
    clocks = [ClockMap(3.0, 1e-4, 5.0), ClockMap(-2.0, -1e-4, 5.0)]
    imus = worn(
        body, ("left_wrist", "right_wrist"), "normal", np.random.default_rng(0), clocks=clocks, start_s=4.0,
        duration_s=15.0, video_start_s=2.0,
    )  # fmt: skip
    for imu, clock in zip(imus, clocks, strict=True):
        # On the motion's clock the video starts at 2 s, so its times are 2 s behind.
        assert float(clock.to_video(imu.time_s[0])) == pytest.approx(2.0, abs=0.03)
        assert float(clock.to_video(imu.time_s[-1])) == pytest.approx(17.0, abs=0.03)
    assert imus[0].clock_id != imus[1].clock_id


def test_video_starts_at_zero_and_has_its_frames():
    body = posture(made_up_body.motion(1, 30.0))
    poses = filmed(body, "clean", np.random.default_rng(0), start_s=7.0, duration_s=10.0, fps=25.0, name="x")
    assert 0.0 <= poses.time_s[0] < 1 / 25
    assert poses.time_s[-1] <= 10.0 + 1e-9
    assert poses.rate_hz == pytest.approx(25.0, rel=0.01)
    assert poses.person == "x"


# -- bodies and variants ---------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_scene_and_another_another():
    made.cache_clear()
    a = made(5, duration_s=6.0)
    made.cache_clear()
    b, c = made(5, duration_s=6.0), made(6, duration_s=6.0)
    np.testing.assert_array_equal(a.recording.people[0].keypoints_px, b.recording.people[0].keypoints_px)
    np.testing.assert_array_equal(a.recording.imus[0].acc_sensor, b.recording.imus[0].acc_sensor)
    assert a.truth == b.truth
    assert a.truth != c.truth


@pytest.mark.parametrize("duration_s", [3.0, 25.0, 70.0])
def test_bodies_last_as_long_as_asked(duration_s):
    """Cut from a longer file, or chained from several."""
    body = BODIES.draw(duration_s, np.random.default_rng(1))
    assert body.motion.time_s[0] == 0.0
    assert duration_s <= body.motion.time_s[-1] <= duration_s + 1.0
    speed = np.linalg.norm(np.diff(body.position_world, axis=0), axis=-1) * body.motion.rate_hz
    assert speed.max() < 15.0  # no leap at a seam


def test_long_bodies_are_thinned_out():
    assert BODIES.draw(5.0, np.random.default_rng(1), rate_hz=30.0).motion.rate_hz == pytest.approx(30.0)
    assert BODIES.draw(5.0, np.random.default_rng(1)).motion.rate_hz == pytest.approx(60.0)


def test_options_do_what_they_say():
    made_scene = made(1, sites=("chest",), gyroscope=False, fps=60.0, rate_hz=50.0, duration_s=8.0, max_offset_s=1.0)
    (poses,), (imu,) = made_scene.recording.people, made_scene.recording.imus
    assert imu.gyr_sensor is None
    assert imu.site == "chest"
    assert imu.rate_hz == pytest.approx(50.0, rel=0.02)
    assert poses.rate_hz == pytest.approx(60.0, rel=0.02)
    assert poses.duration_s == pytest.approx(8.0, abs=0.1)
    assert abs(made_scene.truth["recorder"].offset_s) <= 1.0
    assert abs(made_scene.truth["recorder"].skew_ppm) <= 50.0


def test_a_wearer_who_is_somebody_else_moves_otherwise():
    other = made_up_body.bodies(9).draw(28.0, np.random.default_rng(2))
    own, stranger = made(2), made(2, wearer=other)
    np.testing.assert_array_equal(own.recording.people[0].time_s, stranger.recording.people[0].time_s)
    a, b = (s.recording.imus[0] for s in (own, stranger))
    count = min(a.time_s.size, b.time_s.size)
    norms = [np.linalg.norm(i.gyr_sensor[:count], axis=1) for i in (a, b)]
    assert abs(np.corrcoef(norms)[0, 1]) < 0.4


def test_a_stranger_shares_no_file_with_the_filmed_body():
    several = made_up_body.bodies(5, 10, others=5)
    rng = np.random.default_rng(0)
    for _ in range(4):
        body = several.draw(4.0, rng)
        stranger = several.draw(4.0, rng, unlike=body)
        assert not set(stranger.motion.name.split("+")) & set(body.motion.name.split("+"))
    one = made_up_body.bodies(5, 10)
    own = one.draw(4.0, rng)
    with pytest.raises(InputError, match="too few files"):
        one.draw(4.0, rng, unlike=own)


def test_conditions_get_harder():
    scale = {}
    body = posture(made_up_body.motion(1, 12.0))
    for name in CONDITIONS:
        poses = filmed(body, name, np.random.default_rng(0), start_s=0.0, duration_s=10.0)
        jitter = np.diff(poses.keypoints_px, 2, axis=0)
        scale[name] = float(np.nanmedian(np.abs(jitter))) / poses.body_scale_px()
    assert scale["clean"] < scale["normal"] < scale["hard"]
    assert set(CONDITIONS) == {"clean", "normal", "hard", "sway"}


# -- periodicity -----------------------------------------------------------------------------------------------


def test_what_repeats_is_told_from_what_does_not():
    assert not repeats(made(0).recording.imus)
    t = np.arange(0.0, 20.0, 1 / 60)
    rest = made_up_body.motion(0, 20.0, size=0.0)
    rot = rest.rot_parent_from_joint.copy()
    swing = Rotation.from_rotvec(np.outer(0.5 * np.sin(2 * np.pi * t / 1.2), [1.0, 0.0, 0.0]))
    for joint in (5, 6, 12, 16):
        rot[:, joint] = (Rotation.from_quat(rot[:, joint]) * swing).as_quat()
    walker = posture(rest.replace(rot_parent_from_joint=rot))
    imus = simulate_imus(walker, FOUR_SITES, rng=np.random.default_rng(0), effects=IDEAL)
    assert repeats(imus)


def test_only_aperiodic_scenes_are_drawn_where_that_is_asked():
    assert not made(3, aperiodic_only=True).periodic


def test_dogs_are_no_people(tmp_path):
    folder = tmp_path / "deepmimic" / "motions"
    folder.mkdir(parents=True)
    (folder / "man.txt").write_text(json.dumps({"Frames": [[0.03] * 44] * 3}))
    (folder / "dog.txt").write_text(json.dumps({"Frames": [[0.03] * 62] * 3}))
    (source,) = validation_sources(tmp_path)
    assert [path.name for path in source.groups[0]] == ["man.txt"]


def test_the_last_five_idle_files_are_kept_for_the_test(tmp_path):
    folder = tmp_path / "reactidle"
    folder.mkdir()
    for k in range(9):
        (folder / f"{k}.bvh").touch()

    def names(final: bool) -> list[str]:
        return [path.name for s in idle_sources(tmp_path, final=final) for group in s.groups for path in group]

    assert names(True) == [f"{k}.bvh" for k in range(4, 9)]
    assert names(False) == [f"{k}.bvh" for k in range(4)]


def test_files_are_read_once():
    read: list[Path] = []

    class Counting(made_up_body.MadeUp):
        def read(self, path):
            read.append(path)
            return super().read(path)

    bodies = type(BODIES)([Counting("counting", ((Path("1-30.made-up"),),))])
    for seed in range(3):
        bodies.draw(5.0, np.random.default_rng(seed))
    assert len(read) == 1


def test_a_scene_is_one_person_with_four_sensors_on_one_clock():
    recording = made(0).recording
    assert len(recording.people) == 1
    assert [i.site for i in recording.imus] == list(FOUR_SITES)
    assert list(recording.clocks()) == ["recorder"]
