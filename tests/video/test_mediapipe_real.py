"""MediaPipe itself on real people before four calibrated cameras: its poses are measurements that agree in space."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest

from kinebind.bench.made_video import write_video
from kinebind.bench.video_real import figures_of, filmed
from kinebind.errors import InputError
from kinebind.video.frames import frames
from kinebind.video.landmarker import Follower, Landmarker, silent
from kinebind.video.mediapipe_backend import MediaPipeBackend
from kinebind.video.mediapipe_model import model_file
from kinebind.video.squares import square_around

FRAMES = 12


@pytest.fixture(scope="module")
def backend():
    try:
        model_file()
    except InputError as error:
        pytest.skip(f"MediaPipe's model cannot be prepared here: {error}")
    made = MediaPipeBackend()
    yield made
    made.close()


@pytest.fixture
def cut(real_data, tmp_path):
    """The beginning of the two-person recording."""
    whole = real_data("pose2sim-videos") / "Demo_MultiPerson"
    folder = tmp_path
    shutil.copytree(whole / "calibration", folder / "calibration")
    (folder / "videos").mkdir()
    for path in (whole / "videos").glob("*.mp4"):
        some = (frame.image for frame in itertools.islice(frames(path), FRAMES))
        write_video(some, folder / "videos" / path.name, 60.0)
    return folder


def test_two_people_agree_in_space(cut, backend):
    found = filmed(cut, backend)
    figures = figures_of(found)
    assert figures["people_followed"] == 2
    assert figures["id_switches"] == 0
    assert figures["people_whole_median"] == 1.0, figures
    assert figures["reprojection_percent"] < 6.0  # of her height; a stranger's is tens
    for video in found.videos:
        assert not video.moved
        for person in video.people:
            missing = np.isnan(person.keypoints_px).any(axis=2)
            assert (np.isnan(person.scores) == missing).all() or (person.scores[missing] == 0).all()
            assert (person.scores[~missing] >= 0.5).all()
    world_m = found.videos[0].world_m[found.videos[0].people[0].person]
    upright = np.nanmean(world_m[:, 15:17, 1]) - np.nanmean(world_m[:, 5:7, 1])  # down is positive
    assert 0.9 < upright < 1.7


def test_who_is_followed_comes_neither_late_nor_smoothed(real_data, backend):
    """Frame by frame the same as by looks at single frames, where she jumps aside and where her legs are hidden."""
    path = real_data("pose2sim-videos") / "Demo_SinglePerson" / "videos" / "cam01.mp4"
    images = [frame.image for frame in itertools.islice(frames(path), 8)]
    (seen, *_) = backend.detect(images[0], [], search=True)
    box = seen.box_px()
    hidden = images[4].copy()
    hidden[int(0.4 * box[1] + 0.6 * box[3]) :] = 90
    shown = [*images[:4], hidden, hidden, np.roll(images[5], 60, axis=1), images[6]]
    square = square_around(box, 1.6)
    with silent():
        following, looking = Follower(model_file()), Landmarker(model_file(), people=1)
    for image in shown:
        followed, (alone,) = following.look(image, square), looking.look(image, square)
        both = np.isfinite(followed.keypoints[:, 0]) & np.isfinite(alone.keypoints[:, 0])
        assert both.sum() > 8
        off = np.linalg.norm((followed.keypoints - alone.keypoints)[both, :2], axis=1)
        assert np.median(off) < 0.02 * (box[3] - box[1])
        assert np.isfinite(followed.keypoints[15:, 0]).any() == np.isfinite(alone.keypoints[15:, 0]).any()
    following.close()
    looking.close()
