"""Videos with people and sensors drawn into them, and pieces of frames."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from kinebind.poses import Poses
from kinebind.video.frames import frames, video_info
from kinebind.video.overlay import COLOURS, Trace, write_overlay
from kinebind.video.stills import Stills
from made_up_video import plain, write_video

TIMES = np.array([0.0, 0.04, 0.08, 0.2, 0.24, 0.28, 0.32])


def standing(time_s: np.ndarray) -> Poses:
    x = np.array([50, 52, 48, 54, 46, 60, 40, 62, 38, 63, 37, 56, 44, 57, 43, 57, 43], dtype=float)
    y = np.array([30, 29, 29, 30, 30, 40, 40, 55, 55, 68, 68, 70, 70, 88, 88, 105, 105], dtype=float)
    points = np.tile(np.column_stack([3 * x, 2 * y])[None], (time_s.size, 1, 1))
    return Poses(time_s, points, np.ones((time_s.size, 17)), (320, 240), "Anna")


def test_frames_keep_their_times_and_people_are_drawn_where_they_are(tmp_path):
    video = write_video(tmp_path / "a.mp4", plain(320, 240), TIMES)
    trace = Trace("watch – left", "Anna", "left_wrist", np.arange(0, 0.5, 0.02), np.sin(np.arange(25.0)))
    other = Trace("spare", None, None, np.zeros(0), np.zeros(0))
    write_overlay(video, [standing(TIMES[2:6])], [trace, other], tmp_path / "b.mp4")
    drawn = list(frames(tmp_path / "b.mp4"))
    np.testing.assert_allclose([f.time_s for f in drawn], TIMES, atol=1e-4)
    before = [f.image for f in frames(video)]
    # A skeleton changes the middle of the thighs in the frames in which the person is seen, and in no other.
    changed = [
        np.abs(f.image[150:155, 125:175].astype(int) - b[150:155, 125:175]).max()
        for f, b in zip(drawn, before, strict=True)
    ]
    assert [c > 60 for c in changed] == [False, False, True, True, True, True, False]
    shoulder_line = drawn[3].image[80, 130:170].astype(int).mean(axis=0)
    assert np.abs(shoulder_line - COLOURS[0]).max() < 60
    # The panel of the one signal lies below the picture.
    assert drawn[0].image.shape[0] > before[0].shape[0]
    assert drawn[0].image[-4:, 10:150].mean() < 60


def test_odd_sizes_are_encoded(tmp_path):
    video = write_video(tmp_path / "a.mkv", plain(66, 50), TIMES, format="matroska")
    write_overlay(video, [], [], tmp_path / "b.mp4")
    assert video_info(tmp_path / "b.mp4").size_px == (66, 50)


def test_nothing_is_left_of_an_overlay_that_fails(tmp_path):
    video = write_video(tmp_path / "a.mp4", plain(64, 48), TIMES)
    with pytest.raises(ZeroDivisionError):
        write_overlay(video, [], [], tmp_path / "b.mp4", progress=lambda *_: 1 / 0)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_stills_show_the_box_that_is_asked_for(tmp_path):
    """Also where the camera moved: boxes are in the steady picture."""
    video = write_video(tmp_path / "a.mp4", plain(320, 240), TIMES)
    maps = np.tile(np.eye(2, 3), (TIMES.size, 1, 1))
    maps[4, :, 2] = 100.0, 50.0  # this frame's pixels lie there in the steady picture
    stills = Stills(video, TIMES + 10.0, maps, later_s=10.0)
    corner = np.array([0.0, 0.0, 40.0, 30.0])
    pieces = stills.pieces(
        [10.04, 10.1, 10.24, 10.24 + 0.08], [corner, corner, corner + [100, 50, 100, 50], corner + 150]
    )
    assert [p is None for p in pieces] == [False, True, False, False]
    images = [cv2.imdecode(np.frombuffer(base64.b64decode(p.split(",")[1]), np.uint8), 1) for p in pieces if p]
    assert images[0].shape == (240, 320, 3)
    assert images[0].mean() > 240
    assert images[1].mean() > 240
    assert images[2].mean() < 150
