"""What clocks are compared with, over which offsets; and streams of a few samples."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import made_up_body
from kinebind import InputError, Poses, Recording, sync
from kinebind.parts import COCO17
from kinebind.tasks.sync.scene import LEAST_OVERLAP_S, Scene, checked_range, whole_range

CLIP = made_up_body.clip(1)
POSES, IMUS = CLIP.recording.people[0], CLIP.recording.imus


# -- the scene -------------------------------------------------------------------------------------------------


def test_a_scene_spans_all_its_people():
    late = POSES.replace(time_s=POSES.time_s + 100.0, person="late")
    both = Recording((POSES, late), IMUS)
    scene = Scene.of(both, None, None)
    assert set(scene.tracks) == {POSES.person, "late"}
    assert scene.sensor is None
    assert (scene.start_s, scene.end_s) == (POSES.time_s[0], POSES.time_s[-1] + 100.0)
    alone = Scene.of(both, "late", None)
    assert set(alone.tracks) == {"late"}
    assert alone.start_s == late.time_s[0]


def test_a_reference_sensor_is_a_scene():
    scene = Scene.of(CLIP.recording, None, IMUS[1].name)
    assert scene.sensor is not None
    assert scene.sensor.imu is IMUS[1]
    assert (scene.start_s, scene.end_s) == (IMUS[1].time_s[0], IMUS[1].time_s[-1])
    assert not scene.tracks


def test_the_whole_range_leaves_a_few_seconds_of_overlap():
    scene = Scene.of(CLIP.recording, None, None)
    low_s, high_s = whole_range(IMUS[0], scene)
    assert IMUS[0].time_s[-1] + low_s - scene.start_s == pytest.approx(LEAST_OVERLAP_S)
    assert scene.end_s - (IMUS[0].time_s[0] + high_s) == pytest.approx(LEAST_OVERLAP_S)
    short = IMUS[0].slice_s(5.0, 7.0)
    low_s, _ = whole_range(short, scene)
    assert short.time_s[-1] + low_s - scene.start_s == pytest.approx(0.5 * short.duration_s)


# -- the asked range -------------------------------------------------------------------------------------------


def test_a_range_that_runs_from_small_to_large_is_taken_as_it_is():
    assert checked_range((-3, 5.5)) == (-3.0, 5.5)


@pytest.mark.parametrize(("search_s", "what", "fix"), [
    ((math.nan, 5.0), "finite", "two finite offsets"),
    ((0.0, math.nan), "finite", "two finite offsets"),
    ((-math.inf, math.inf), "finite", "none at all"),
    ((0.0, math.inf), "finite", "none at all"),
    ((5.0, -4.0), "smaller to a larger", "-4 to 5"),
    ((3.0, 3.0), "smaller to a larger", "different"),
])  # fmt: skip
def test_a_range_that_is_none_is_an_error_that_helps(search_s, what, fix):
    with pytest.raises(InputError, match=what) as error:
        checked_range(search_s)
    assert fix in error.value.fix


# -- streams of a few samples ----------------------------------------------------------------------------------


def frames(count: int, fps: float) -> Poses:
    some = POSES.take(np.arange(150, 150 + count))
    return some.replace(time_s=some.time_s[0] + np.arange(count) / fps)


def told(recording: Recording) -> list[str]:
    """What is said of each clock, which must be something."""
    result = sync(recording)
    json.dumps(result.to_dict(), allow_nan=False)
    return ["answered" if a.answered else a.reason.code for a in result.answers]


@pytest.mark.parametrize("fps", [0.5, 30.0, 240.0])
@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_videos_of_a_few_frames_are_refused(count, fps):
    assert told(Recording((frames(count, fps),), IMUS[:2])) != ["answered"]
    if count / fps < 0.5:
        assert told(Recording((frames(count, fps),), IMUS[:2])) == ["too_little_overlap"]


@pytest.mark.parametrize("gyroscope", [True, False])
@pytest.mark.parametrize("count", [2, 3, 5, 30])
def test_sensors_of_a_few_samples_are_refused(count, gyroscope):
    few = IMUS[0].take(np.arange(500, 500 + count)).replace(clock_id="few")
    few = few if gyroscope else few.replace(gyr_sensor=None)
    assert told(Recording((POSES,), (few,))) == ["too_little_overlap"]
    assert told(Recording((frames(3, 30.0),), (few,))) == ["too_little_overlap"]
    assert told(Recording((), (few, IMUS[1]))) == ["too_little_overlap"]
    assert told(Recording((POSES,), (few, *IMUS[1:]))) == ["too_little_overlap", "answered"]


@pytest.mark.parametrize("missing", [("acc_sensor",), ("gyr_sensor",), ("acc_sensor", "gyr_sensor")])
@pytest.mark.parametrize("site", ["left_wrist", None])
def test_a_sensor_that_lost_everything_is_refused(missing, site):
    nothing = np.full((IMUS[0].time_s.size, 3), np.nan)
    lost = IMUS[0].replace(site=site, clock_id="lost", **dict.fromkeys(missing, nothing))
    assert told(Recording((POSES,), (lost,))) == ["too_little_overlap"]
    assert told(Recording((), (IMUS[1], lost))) == ["too_little_overlap"]


@pytest.mark.parametrize("joint", ["nose", "left_wrist", "left_knee"])
@pytest.mark.parametrize("count", [4, 600])
def test_a_single_joint_is_too_little(joint, count):
    keypoints = np.full_like(POSES.keypoints_px, np.nan)
    seen = COCO17.index(joint)
    keypoints[:, seen] = POSES.keypoints_px[:, seen]
    one = POSES.replace(keypoints_px=keypoints)
    assert told(Recording((one.take(np.arange(min(count, one.time_s.size))),), IMUS[:2])) == ["too_little_overlap"]
