"""Which reading of a scene fits: who, mirrored or not, at which sites, at which speed."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind import Recording
from kinebind.bench.scenes import FOUR_SITES
from kinebind.tasks.sync.cues import felt
from kinebind.tasks.sync.readings import Found, find_reading, look, slow_motion
from kinebind.tasks.sync.scene import Scene

CLIP = made_up_body.clip(1)
POSES, IMUS, TRUTH_S = CLIP.recording.people[0], CLIP.recording.imus, CLIP.truth["recorder"].offset_s
SENSORS = tuple(felt(imu) for imu in IMUS)
RANGE_S = (TRUTH_S - 8.0, TRUTH_S + 5.0)


def read(*people, sensors=SENSORS, range_s=RANGE_S) -> Found:
    return find_reading(sensors, Scene.of(Recording(people, IMUS), None, None), range_s)


def top_s(found: Found) -> float:
    return float(found.guesses[0].at(10.0))


def test_the_plain_reading_and_the_range_that_it_was_searched_over():
    found = read(POSES)
    assert top_s(found) == pytest.approx(TRUTH_S, abs=0.05)
    assert not found.hypothesis.mirrored
    assert found.notes == ()
    assert found.range_s == RANGE_S
    assert found.searched_s == pytest.approx(13.0)


def test_a_mirrored_video_is_searched_near_the_guess_but_the_whole_range_counts():
    found = read(POSES.left_right_swapped())
    assert found.hypothesis.mirrored
    assert top_s(found) == pytest.approx(TRUTH_S, abs=0.05)
    assert found.range_s == RANGE_S
    assert any("mirrored" in note for note in found.notes)


def test_of_two_people_the_wearer_is_read():
    other = made_up_body.clip(11).recording.people[0].replace(person="passer-by")
    found = read(other, POSES.replace(person="wearer"))
    assert found.hypothesis.person == "wearer"
    assert any("2 people" in note for note in found.notes)


def test_a_wearer_whose_hips_and_legs_are_never_seen():
    keypoints = POSES.keypoints_px.copy()
    keypoints[:, 11:] = np.nan
    arms = tuple(felt(imu) for imu in IMUS if imu.site in ("left_wrist", "right_wrist"))
    found = read(POSES.replace(keypoints_px=keypoints), sensors=arms)
    assert top_s(found) == pytest.approx(TRUTH_S, abs=0.05)
    assert found.anchors.overlap_s.max() > 10.0


def test_unknown_sites_are_settled_each_at_another_place():
    found = read(POSES, sensors=tuple(felt(imu.replace(site=None)) for imu in IMUS))
    assert [next(iter(own)) for own in found.hypothesis.options] == list(FOUR_SITES)
    assert all(len(own) == 1 for own in found.hypothesis.options)


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_slow_motion_is_told_with_its_factor(factor):
    slow = POSES.replace(time_s=POSES.time_s * factor)
    scene = Scene.of(Recording((slow,), IMUS), None, None)
    as_it_is = look(read(POSES).hypothesis, RANGE_S).guesses[0].nats
    reason = slow_motion(SENSORS, scene, 0.0)
    assert reason is not None
    assert reason.code == "slow_motion"
    assert f"{factor:g} times slower" in reason.what
    # What fits at the speed that it has is not slow.
    assert slow_motion(SENSORS, Scene.of(Recording((POSES,), IMUS), None, None), as_it_is) is None
