"""Who is followed whole before cameras: people who are known, with what goes wrong put in."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from round_cameras import AROUND, body, camera

from kinebind.bench.video_real import Filmed, figures_of

FRAMES = 60


@pytest.fixture
def right():
    """Two people, four cameras, each person a track in each."""
    rng = np.random.default_rng(4)
    views = tuple(camera(a, name=f"cam{k + 1}") for k, a in enumerate(AROUND))
    bodies = [body(rng, FRAMES, at) for at in ((0.6, 0.0, 1.0), (-0.6, 0.2, 1.0))]
    tracks = tuple(np.stack([v.project(b) for b in bodies]) for v in views)
    video = SimpleNamespace(info=SimpleNamespace(size_px=(1080, 1920)))
    people = tuple(tuple((v, p) for v in range(4)) for p in range(2))
    return Filmed(views, (video,) * 4, tracks, people)


def test_all_is_well(right):
    found = figures_of(right)
    assert found["people_followed"] == 2
    assert found["id_switches"] == 0
    assert found["people_whole"] == found["people_whole_cam3"] == 1.0
    assert found["reprojection_px_median"] < 1e-3


def test_a_person_lost_by_one_camera_is_told_of_it(right):
    tracks = [own.copy() for own in right.tracks]
    tracks[2][1, 15:] = np.nan
    found = figures_of(replace(right, tracks=tuple(tracks)))
    assert found["people_whole_cam3"] == pytest.approx(15 / FRAMES)
    assert found["people_whole"] == found["people_whole_cam3"]
    assert found["people_whole_cam1"] == found["people_whole_median"] == 1.0
    assert found["id_switches"] == 0


def test_tracks_that_change_people_are_counted(right):
    tracks = [own.copy() for own in right.tracks]
    tracks[1][:, 30:] = tracks[1][::-1, 30:]
    found = figures_of(replace(right, tracks=tuple(tracks)))
    assert found["id_switches"] == 2  # both people become the other
    assert found["people_whole"] == 1.0


def test_noise_is_what_reprojection_tells(right):
    rng = np.random.default_rng(5)
    tracks = tuple(own + rng.normal(0.0, 3.0, own.shape) for own in right.tracks)
    found = figures_of(replace(right, tracks=tracks))
    assert 3.0 < found["reprojection_px_median"] < 8.0
    assert found["reprojection_px_median"] < found["reprojection_px_p90"]
    assert 0.1 < found["reprojection_percent"] < 2.0
