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
from kinebind.video.mediapipe_backend import MediaPipeBackend
from kinebind.video.mediapipe_model import model_file

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
