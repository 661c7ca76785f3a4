"""`Poses`: pixels, COCO-17, and missing keypoints that stay missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind import InputError, Poses
from kinebind.parts import COCO17


def walking(frames: int = 120, rate_hz: float = 30.0, **fields) -> Poses:
    """Seventeen points that drift and swing, a hundred pixels apart from each other."""
    time_s = np.arange(frames) / rate_hz
    swing = 40 * np.sin(2 * np.pi * 1.1 * time_s[:, None] + np.arange(17))
    keypoints = np.stack(
        [300 + 20 * time_s[:, None] + swing, np.tile(100 + 30.0 * np.arange(17), (frames, 1))], axis=-1
    )
    return Poses(time_s, keypoints, np.full((frames, 17), 0.9), **fields)


@given(st.integers(0, 2**32 - 1), st.sampled_from([20.0, 30.0, 120.0]))
def test_a_missing_keypoint_is_missing_in_both_coordinates_and_has_no_score(seed, new_hz):
    rng = np.random.default_rng(seed)
    track = walking()
    keypoints = track.keypoints_px.copy()
    start, k = int(rng.integers(5, 100)), int(rng.integers(17))
    keypoints[start : start + 8, k] = np.nan
    holey = track.replace(keypoints_px=keypoints)
    assert np.isnan(holey.scores[start : start + 8, k]).all()
    new = holey.resample(np.arange(0, 3.9, 1 / new_hz))
    lost = np.isnan(new.keypoints_px)
    np.testing.assert_array_equal(lost[..., 0], lost[..., 1])
    np.testing.assert_array_equal(lost[..., 0], np.isnan(new.scores))
    in_gap = (new.time_s > track.time_s[start - 1] + 1e-6) & (new.time_s < track.time_s[start + 8] - 1e-6)
    np.testing.assert_array_equal(lost[:, k, 0], in_gap)
    assert not np.delete(lost, k, axis=1).any()


def test_a_track_keeps_its_keypoints_where_the_detector_gave_no_scores():
    track = walking().replace(scores=np.full((120, 17), np.nan))
    new = track.resample(np.arange(0, 3.9, 1 / 50))
    assert np.isfinite(new.keypoints_px).all()
    assert np.isnan(new.scores).all()


def test_scores_stay_at_or_above_zero_where_they_jump():
    scores = np.zeros((120, 17))
    scores[60:] = 1.0
    assert (walking().replace(scores=scores).resample(np.arange(0, 3.9, 1 / 100)).scores >= 0).all()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"keypoints_px": np.full((120, 16, 2), 50.0)}, "keypoints_px has shape"),
        ({"keypoints_px": np.full((120, 17, 3), 50.0)}, "keypoints_px has shape"),
        ({"keypoints_px": np.random.default_rng(0).random((120, 17, 2))}, "normalised"),
        ({"scores": np.ones((120, 16))}, "scores has shape"),
        ({"scores": np.full((120, 17), -0.1)}, "must not be negative"),
        ({"image_size_px": (0, 480)}, "cannot be"),
        ({"time_s": np.zeros(120)}, "strictly increase"),
    ],
)
def test_what_cannot_be_a_track_is_refused(fields, says):
    with pytest.raises(InputError, match=says) as caught:
        walking().replace(**fields)
    assert caught.value.fix


def test_half_a_keypoint_is_refused():
    keypoints = walking().keypoints_px.copy()
    keypoints[3, 4, 0] = np.nan
    with pytest.raises(InputError, match="one coordinate only"):
        walking().replace(keypoints_px=keypoints)


def test_a_person_who_is_never_seen_is_a_valid_track():
    nobody = walking().replace(keypoints_px=np.full((120, 17, 2), np.nan))
    assert np.isnan(nobody.scores).all()
    assert np.isnan(nobody.body_scale_px())


def test_swapping_left_and_right_twice_is_nothing():
    track = walking()
    swapped = track.left_right_swapped()
    left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
    np.testing.assert_array_equal(swapped.keypoints_px[:, left], track.keypoints_px[:, right])
    np.testing.assert_array_equal(swapped.left_right_swapped().keypoints_px, track.keypoints_px)


@given(st.floats(0.2, 20.0), st.floats(-500, 500))
def test_the_body_scale_grows_with_the_image_and_forgets_the_place(zoom, shift_px):
    track = walking()
    moved = track.replace(keypoints_px=track.keypoints_px * zoom + shift_px)
    assert moved.body_scale_px() == pytest.approx(zoom * track.body_scale_px())


def test_arrays_cannot_be_written():
    track = walking(image_size_px=(np.int64(640), 480))
    for array in (track.time_s, track.keypoints_px, track.scores):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    assert track.image_size_px == (640, 480)
    assert type(track.image_size_px[0]) is int
