"""What a limb does in the video: in metres whatever the camera, on the common grid, cleaned of what no limb does."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import made_up_body
from kinebind import Poses
from kinebind.body.camera import look_at
from kinebind.body.detector import CLEAN, NORMAL, DetectorErrors, film
from kinebind.body.segments import posture
from kinebind.parts import COCO17, COCO17_MIRROR, SITES
from kinebind.resample import low_pass
from kinebind.tasks.sync.limb_signals import (
    RATE_HZ,
    SPIKE_S,
    Track,
    grid,
    limb_signals,
    pixels_per_m,
    rate_of_change,
    track,
    without_outliers,
)

BODY = posture(made_up_body.motion(6, 10.0))
CAMERA = look_at(np.array([0.5, -5.0, 1.2]), np.array([0.0, 0.0, 1.0]))
PERFECT = DetectorErrors()
WRIST = COCO17.index("left_wrist")


def filmed(errors: DetectorErrors = PERFECT, fps: float = 30.0, seed: int = 0, **changes: object) -> Poses:
    poses = film(BODY, CAMERA, rate_hz=fps, errors=errors, rng=np.random.default_rng(seed))
    return poses.replace(**changes) if changes else poses


def inner(values: np.ndarray, seconds: float = 1.0) -> np.ndarray:
    cut = round(seconds * RATE_HZ)
    return values[cut:-cut]


# -- grid and scale --------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(start=st.floats(-1e4, 1e4), length=st.floats(0.1, 100.0), rate=st.sampled_from([25.0, 50.0, 100.0]))
def test_the_grid_holds_whole_steps_inside_and_all_of_them(start, length, rate):
    time_s = grid(start, start + length, rate)
    steps = time_s * rate
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    np.testing.assert_allclose(np.diff(steps), 1.0, atol=1e-6)
    assert time_s[0] >= start - 1e-6
    assert time_s[0] - 1 / rate < start + 1e-6
    assert time_s[-1] <= start + length + 1e-6
    assert time_s[-1] + 1 / rate > start + length - 1e-6


def test_the_grid_of_a_day_since_1970_is_exact():
    time_s = grid(1.6e9 + 0.013, 1.6e9 + 1.0)
    assert time_s.size == 50
    np.testing.assert_array_equal(time_s, np.round(time_s * 50) / 50)


@settings(max_examples=5)
@given(factor=st.floats(0.05, 20.0), dx=st.floats(-1e3, 1e3), dy=st.floats(-1e3, 1e3))
def test_distance_and_place_in_the_image_cancel(factor, dx, dy):
    near = filmed(NORMAL)
    far = near.replace(keypoints_px=near.keypoints_px * factor + [dx + 100, dy + 100])
    for site in ("left_wrist", "head"):
        a, b = limb_signals(track(near), site), limb_signals(track(far), site)
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_allclose(a[name], b[name], atol=1e-6 * max(1.0, np.nanmax(np.abs(a[name]))))


def test_a_camera_further_away_sees_the_same_metres():
    """Through a real projection, not by scaling pixels."""
    signals = []
    for distance_m in (4.0, 12.0):
        camera = look_at(np.array([0.0, -distance_m, 1.0]), np.array([0.0, 0.0, 1.0]), image_size_px=(3840, 2160))
        poses = film(BODY, camera, errors=PERFECT, rng=np.random.default_rng(0))
        signals.append(limb_signals(track(poses), "left_wrist"))
    for name in ("tilt0", "bearing0", "turn"):
        a, b = (inner(s[name]) for s in signals)
        assert np.corrcoef(a, b)[0, 1] > 0.97
        assert 0.8 < np.std(a) / np.std(b) < 1.25


def test_scale_is_the_median_over_segments_and_needs_one_only():
    keypoints = np.full((50, 17, 2), np.nan)
    assert np.isnan(pixels_per_m(keypoints))
    keypoints[:, COCO17.index("left_hip")] = [500.0, 500.0]
    keypoints[:, COCO17.index("left_knee")] = [500.0, 715.0]
    assert pixels_per_m(keypoints) == pytest.approx(500.0)


def test_a_person_at_a_desk_has_nearly_the_size_of_the_whole_one():
    """Of somebody whose hips and legs are never seen, shoulders and arms tell the size."""
    for seed in range(3):
        keypoints = made_up_body.clip(seed).recording.people[0].keypoints_px.copy()
        whole = pixels_per_m(keypoints)
        keypoints[:, COCO17.index("left_hip") :] = np.nan
        assert pixels_per_m(keypoints) == pytest.approx(whole, rel=0.15)
        keypoints[:, [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]] = np.nan
        assert pixels_per_m(keypoints) == pytest.approx(whole, rel=0.25)


def test_trunk_and_legs_tell_the_size_wherever_they_are_seen():
    keypoints = filmed(CLEAN).keypoints_px.copy()
    whole = pixels_per_m(keypoints)
    keypoints[:, [COCO17.index("left_elbow"), COCO17.index("right_wrist")]] += 5000.0
    assert pixels_per_m(keypoints) == whole


# -- cleaning --------------------------------------------------------------------------------------------------


def test_single_frames_of_exchanged_sides_are_taken_out():
    poses = filmed(CLEAN)
    keypoints = poses.keypoints_px.copy()
    swapped = np.array([40, 90, 150, 151, 220])
    keypoints[swapped] = keypoints[np.ix_(swapped, COCO17_MIRROR)]
    cleaned = without_outliers(poses.replace(keypoints_px=keypoints))
    moved = np.linalg.norm(keypoints - poses.keypoints_px, axis=-1) > 0.2 * pixels_per_m(poses.keypoints_px)
    assert moved.sum() > 20
    assert np.isnan(cleaned[moved]).all(axis=-1).mean() > 0.9
    untouched = np.delete(np.arange(poses.time_s.size), swapped)
    assert np.isnan(cleaned[untouched]).mean() < 0.002


def test_bursts_are_taken_out():
    poses = filmed(CLEAN)
    keypoints = poses.keypoints_px.copy()
    size = pixels_per_m(keypoints)
    for at in (60, 130, 200):
        keypoints[at : at + 3, WRIST] += [0.4 * size, -0.3 * size]
    cleaned = without_outliers(poses.replace(keypoints_px=keypoints))
    for at in (60, 130, 200):
        assert np.isnan(cleaned[at : at + 3, WRIST]).all()
    others = np.delete(np.arange(17), WRIST)
    np.testing.assert_array_equal(cleaned[:, others], without_outliers(poses)[:, others])


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0, 120.0])
def test_what_a_limb_really_does_is_left_alone(fps):
    """Fast but clean: a wrist at up to some m/s."""
    poses = filmed(PERFECT, fps)
    speed = np.linalg.norm(np.gradient(poses.keypoints_px[:, WRIST], 1 / fps, axis=0), axis=1)
    assert speed.max() / pixels_per_m(poses.keypoints_px) > 1.0
    np.testing.assert_array_equal(without_outliers(poses), poses.keypoints_px)


def test_a_sudden_step_to_a_new_place_costs_a_few_frames_at_most():
    poses = filmed(PERFECT)
    keypoints = poses.keypoints_px.copy()
    keypoints[150:] += 0.5 * pixels_per_m(keypoints)
    lost = np.isnan(without_outliers(poses.replace(keypoints_px=keypoints))[..., 0])
    near = round(SPIKE_S * 30)
    assert not lost[: 150 - near].any()
    assert not lost[150 + near :].any()
    assert lost.mean(axis=1).max() < 0.5


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_too_few_frames_are_left_as_they_are(frames):
    poses = filmed(PERFECT).take(np.arange(frames))
    np.testing.assert_array_equal(without_outliers(poses), poses.keypoints_px)


# -- tracks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [10.0, 24.0, 30.0, 60.0, 120.0])
def test_any_frame_rate_sees_the_same(fps):
    a, b = (limb_signals(track(filmed(PERFECT, rate)), "left_wrist") for rate in (fps, 60.0))
    for name in a:
        u, v = (inner(s[name][: 9 * 50]) for s in (a, b))
        assert np.corrcoef(u, v)[0, 1] > (0.9 if fps == 10.0 else 0.98), name


@pytest.mark.parametrize(("gap_s", "bridged"), [(0.2, True), (1.0, False)])
def test_a_keypoint_that_is_lost_for_long_stays_lost(gap_s, bridged):
    poses = filmed(PERFECT)
    keypoints = poses.keypoints_px.copy()
    keypoints[(poses.time_s >= 4.0) & (poses.time_s < 4.0 + gap_s), WRIST] = np.nan
    person = track(poses.replace(keypoints_px=keypoints))
    inside = (person.time_s > 4.02) & (person.time_s < 4.0 + gap_s - 0.05)
    for course in (person.slow_m, person.fast_m):
        assert np.isfinite(course[inside, WRIST]).all() == bridged
        assert np.isnan(course[inside, WRIST]).all() != bridged
        assert np.isfinite(np.delete(course, WRIST, axis=1)).all()
    signals = limb_signals(person, "left_wrist")
    assert np.isfinite(signals["turn"][inside]).all() == bridged
    assert np.isfinite(limb_signals(person, "right_wrist")["turn"]).all()


def test_a_body_that_is_never_seen_has_signals_that_are_missing():
    nothing = np.full((300, 17, 2), np.nan)
    person = track(Poses(np.arange(300) / 30, nothing, nothing[..., 0]))
    assert np.isnan(person.slow_m).all()
    for site in SITES:
        assert all(np.isnan(values).all() for values in limb_signals(person, site).values())


# -- signals ---------------------------------------------------------------------------------------------------


def straight(position_m: np.ndarray, elbow_m: np.ndarray) -> Track:
    """A track on which the left wrist and elbow move as told."""
    points = np.full((position_m.shape[0], 17, 2), np.nan)
    points[:, WRIST], points[:, COCO17.index("left_elbow")] = position_m, elbow_m
    return Track(np.arange(position_m.shape[0]) / RATE_HZ, points, points, 100.0)


def test_a_forearm_that_turns_evenly_at_rest():
    time_s = np.arange(500) / RATE_HZ
    rate = 2.0
    forearm = 0.25 * np.stack([np.sin(rate * time_s), -np.cos(rate * time_s)], axis=1)
    signals = limb_signals(straight(forearm, 0 * forearm), "left_wrist")
    np.testing.assert_allclose(signals["turn"][1:-1], 0.25 * rate, rtol=1e-3)
    np.testing.assert_allclose(signals["shake"][2:-2], 0.25 * rate**2, rtol=1e-2)
    np.testing.assert_allclose(signals["heave"][2:-2], (0.25 * rate**2 * np.cos(rate * time_s))[2:-2], atol=0.01)
    np.testing.assert_allclose(signals["tilt0"], forearm[:, 1])
    np.testing.assert_allclose(signals["bearing0"], forearm[:, 0])


def test_free_fall_weighs_nothing():
    time_s = np.arange(100) / RATE_HZ
    falling = np.stack([0 * time_s, -0.5 * 9.81 * time_s**2], axis=1)
    signals = limb_signals(straight(falling, falling + [0.0, 0.3]), "left_wrist")
    np.testing.assert_allclose(signals["load"][2:-2], 0.0, atol=1e-6)
    np.testing.assert_allclose(signals["heave"][2:-2], -9.81, atol=1e-6)
    np.testing.assert_allclose(signals["turn"], 0.0, atol=1e-6)


def test_up_in_the_world_is_up_whatever_the_image_s_axis():
    """Image y points down; a hand that is lifted has a positive tilt and heave."""
    still = filmed(PERFECT).keypoints_px[:1].repeat(90, axis=0)
    lift = np.clip(np.arange(90) / 30 - 1.0, 0.0, 1.0)
    still[:, WRIST, 1] -= 100.0 * lift**2 * (3 - 2 * lift)
    signals = limb_signals(track(Poses(np.arange(90) / 30, still, np.ones(still.shape[:2]))), "left_wrist")
    assert signals["tilt0"][-1] > signals["tilt0"][0] + 0.1
    assert signals["heave"][50:75].max() > 0.5  # speeds up first ...
    assert signals["heave"][75:110].min() < -0.5  # ... and slows down then


@pytest.mark.parametrize("site", SITES)
def test_every_site_has_signals_on_the_track_s_grid(site):
    person = track(filmed(CLEAN))
    signals = limb_signals(person, site)
    assert {"turn", "load", "shake", "heave", "tilt0", "bearing0"} <= set(signals)
    for values in signals.values():
        assert values.shape == person.time_s.shape
        assert np.isfinite(values).all()


@pytest.mark.parametrize(("site", "lost", "left"), [
    ("head", ("left_ear", "right_ear"), {"tilt0", "bearing0"}),
    ("head", ("left_shoulder",), {"tilt1", "bearing1"}),
    ("chest", ("left_hip", "right_hip"), {"tilt1", "bearing1"}),
])  # fmt: skip
def test_a_part_that_is_never_seen_does_not_silence_the_rest(site, lost, left):
    poses = filmed(CLEAN)
    keypoints = poses.keypoints_px.copy()
    keypoints[:, [COCO17.index(name) for name in lost]] = np.nan
    signals = limb_signals(track(poses.replace(keypoints_px=keypoints)), site)
    assert {name for name in signals if name[:-1] in ("tilt", "bearing")} == left
    assert np.isfinite(signals["turn"]).all()


@pytest.mark.parametrize(("site", "seldom", "left"), [
    ("head", ("left_ear", "right_ear"), {"tilt0", "bearing0"}),
    ("chest", ("left_hip", "right_hip"), {"tilt1", "bearing1"}),
])  # fmt: skip
def test_a_part_that_is_seen_seldom_does_not_blank_the_rest(site, seldom, left):
    """Hips that show for a tenth of the time must not leave a tenth of the chest's signals."""
    poses = filmed(CLEAN)
    keypoints = poses.keypoints_px.copy()
    keypoints[round(0.1 * poses.time_s.size) :, [COCO17.index(name) for name in seldom]] = np.nan
    signals = limb_signals(track(poses.replace(keypoints_px=keypoints)), site)
    assert {name for name in signals if name[:-1] in ("tilt", "bearing")} == left
    assert all(np.isfinite(values).all() for values in signals.values())


@pytest.mark.parametrize("frames", [2, 3, 5])
@pytest.mark.parametrize("fps", [30.0, 240.0, 1000.0])
def test_a_few_frames_have_signals_of_as_many_rows_as_the_track(frames, fps):
    some = filmed(CLEAN).take(np.arange(50, 50 + frames))
    person = track(some.replace(time_s=1.001 + np.arange(frames) / fps))
    assert person.time_s.size >= 2
    np.testing.assert_allclose(person.time_s * RATE_HZ, np.round(person.time_s * RATE_HZ), atol=1e-6)
    for site in SITES:
        assert all(values.shape == person.time_s.shape for values in limb_signals(person, site).values())
    assert np.isnan(rate_of_change(person.slow_m[:1])).all()


def test_sides_are_the_person_s_own():
    poses = filmed(CLEAN)
    plain, swapped = track(poses), track(poses.left_right_swapped())
    a, b = limb_signals(plain, "left_wrist"), limb_signals(swapped, "right_wrist")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_what_is_faster_than_limbs_is_filtered_off():
    """White jitter of a pixel or two leaves the turning rate alone, to a few per cent."""
    noisy, clean = (limb_signals(track(filmed(errors)), "left_wrist")["turn"] for errors in (CLEAN, PERFECT))
    assert np.corrcoef(inner(noisy), inner(clean))[0, 1] > 0.98
    jitter = np.random.default_rng(1).normal(size=(500, 17, 2))
    person = track(Poses(np.arange(500) / 50, filmed(PERFECT).keypoints_px[:1] + jitter, np.ones((500, 17))))
    slower = low_pass(jitter[:, WRIST], 50.0, 4.0).std()
    assert inner(person.fast_m[:, WRIST]).std(axis=0).mean() * person.pixels_per_m == pytest.approx(slower, rel=0.2)


def test_a_track_is_kept_as_long_as_its_poses():
    time_s = np.arange(60) / 30.0
    poses = Poses(time_s, np.random.default_rng(0).uniform(0, 100, (60, 17, 2)), np.ones((60, 17)), person="1")
    first = weakref.ref(track(poses))
    assert track(poses) is first()
    assert track(poses.replace(person="2")) is not first()
    del poses
    gc.collect()
    assert first() is None
