"""The skeleton strip: inside its cells, on the limbs, indifferent to the image's size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sync_scene
from kinebind import Poses
from kinebind.parts import SITES
from kinebind.report.skeletons import CELL, moments, strip


def coordinates(pictures):
    for p in pictures:
        for x1, y1, x2, y2, _ in p.lines:
            yield from ((x1, y1), (x2, y2))
        yield from ((x, y) for x, y, _ in p.rings)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.0, 0.9), st.floats(10.0, 4000.0))
def test_everything_lies_inside_its_cell(seed, missing, size_px):
    rng = np.random.default_rng(seed)
    keypoints = rng.normal(500, size_px, (20, 17, 2))
    keypoints[rng.uniform(size=(20, 17)) < missing] = np.nan
    poses = Poses(np.arange(20) / 10, keypoints, np.ones((20, 17)))
    frames = moments(poses, (0.0, 2.0))
    pictures = strip(poses, frames, dict.fromkeys(SITES, "answered"))
    assert len(pictures) == frames.size <= 9
    for x, y in coordinates(pictures):
        assert 0 <= x <= CELL[0]
        assert 0 <= y <= CELL[1]


def test_a_larger_image_gives_the_same_pictures():
    poses = sync_scene.poses(4.0)
    larger = poses.replace(keypoints_px=poses.keypoints_px * 2.0)
    frames = moments(poses, (1.0, 3.0))
    small, large = (strip(p, frames, {"left_wrist": "answered"}) for p in (poses, larger))
    np.testing.assert_allclose(list(coordinates(small)), list(coordinates(large)), atol=1e-9)


def test_times_are_even_and_a_sensor_rides_its_limb():
    poses = sync_scene.poses(4.0)
    pictures = strip(poses, moments(poses, (1.0, 3.0)), {"left_shank": "refused"})
    assert [p.number for p in pictures] == list(range(1, 10))
    np.testing.assert_allclose(np.diff([p.time_s for p in pictures]), 0.25, atol=1 / 30 + 1e-9)
    for p in pictures:
        ((x, y, state),) = p.rings
        ((x1, y1, x2, y2, _),) = [line for line in p.lines if line[4] == "worn refused"]
        assert state == "refused"
        assert (x, y) == pytest.approx(((x1 + x2) / 2, (y1 + y2) / 2), abs=0.11)


def test_nobody_gives_no_pictures():
    poses = sync_scene.poses(4.0)
    blind = poses.replace(keypoints_px=np.full_like(poses.keypoints_px, np.nan))
    assert strip(blind, moments(blind, (0.0, 4.0)), {}) == []
