"""Calibrated cameras: against points that are known, wrong cameras, and people who must be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from round_cameras import AROUND, body, camera

from kinebind.bench.views import agreed, read_qualisys, same_people, triangulated


@pytest.fixture
def views():
    return [camera(a, (-0.3, 0.1, 1e-3, -1e-3, 0.0)) for a in AROUND]


def test_up_is_up_and_right_is_right():
    view = camera(-np.pi / 2)  # at −y: its right is x
    middle, above, aside = view.project(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.5], [0.4, 0.0, 1.0]]))
    np.testing.assert_allclose(middle, [540.0, 960.0], atol=1e-6)
    assert above[1] < middle[1] - 50
    assert aside[0] > middle[0] + 50


def test_points_come_back_through_distorted_lenses(views):
    points = body(np.random.default_rng(0))
    pixels = np.stack([v.project(points) for v in views])
    pixels[0, 3] = np.nan
    np.testing.assert_allclose(triangulated(views, pixels), points, atol=2e-4)
    assert np.abs(pixels[1] - camera(AROUND[1]).project(points)).max() > 1.0  # the lens does something


def test_one_ray_is_no_point(views):
    pixels = np.stack([v.project(body(np.random.default_rng(0))) for v in views])
    pixels[1:, 5, 2] = np.nan
    found = triangulated(views, pixels)
    assert np.isnan(found[5, 2]).all()
    assert np.isfinite(np.delete(found.reshape(-1, 3), 5 * 17 + 2, axis=0)).all()


def test_a_wrong_camera_is_left_out(views):
    points = body(np.random.default_rng(1))
    pixels = np.stack([v.project(points) for v in views])
    pixels[2, :, 4] += (150.0, -90.0)
    assert np.abs(triangulated(views, pixels)[:, 4] - points[:, 4]).max() > 0.05
    np.testing.assert_allclose(agreed(views, pixels), points, atol=2e-4)


def test_people_are_told_apart_across_cameras_and_fragments_joined(views):
    rng = np.random.default_rng(2)
    one, two = body(rng, at=(0.5, 0.0, 1.0)), body(rng, at=(-0.6, 0.3, 1.0))
    tracks = []
    for k, view in enumerate(views):
        own = [view.project(p) + rng.normal(0.0, 2.0, (60, 17, 2)) for p in (one, two)]
        if k == 2:  # a track that broke
            early, late = own[1].copy(), own[1].copy()
            early[30:], late[:30] = np.nan, np.nan
            own = [early, own[0], late]
        tracks.append(np.stack(own[::-1] if k == 1 else own))
    found = same_people(views, tracks)
    assert sorted(found) == [
        [(0, 0), (1, 1), (2, 1), (3, 0)],
        [(0, 1), (1, 0), (2, 0), (2, 2), (3, 1)],
    ]


def test_qualisys_units_and_axes(tmp_path):
    path = tmp_path / "c.qca.txt"
    path.write_text(
        "<calibration><cameras><camera serial='cam01'>"
        "<transform r11='1' r12='0' r13='0' r21='0' r22='0' r23='1' r31='0' r32='-1' r33='0'"
        " x='100' y='-2000' z='1500'/>"
        "<intrinsic focalLengthU='64000' focalLengthV='65280' centerPointU='32000' centerPointV='64000'"
        " radialDistortion1='0.1' radialDistortion2='0.2' radialDistortion3='0.3'"
        " tangentalDistortion1='0.4' tangentalDistortion2='0.5'/>"
        "</camera></cameras></calibration>"
    )
    (view,) = read_qualisys(path)
    np.testing.assert_allclose(view.centre_world_m, [0.1, -2.0, 1.5])
    np.testing.assert_allclose(view.matrix, [[1000.0, 0.0, 500.0], [0.0, 1020.0, 1000.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(view.distortion, [0.1, 0.2, 0.4, 0.5, 0.3])
    # It looks along y, its right is x, and up in the world is up in the image.
    np.testing.assert_allclose(view.rot_camera_from_world, [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
