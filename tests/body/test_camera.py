"""A pinhole camera: known points, and what no change of the world may change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind import InputError
from kinebind.body.camera import Camera, look_at, project, random_camera
from kinebind.body.quaternions import about_axis, conjugate, multiply, normalised, rotate

_HALF = np.sqrt(0.5)


def test_known_points_fall_where_they_must():
    """A camera at the origin that looks along +y: right is +x, down is −z."""
    camera = look_at(np.zeros(3), np.array([0.0, 5.0, 0.0]), field_of_view_deg=90.0, image_size_px=(1000, 600))
    assert np.isclose(camera.focal_px, 500.0)
    points = np.array([[0, 4, 0], [1, 4, 0], [0, 4, 1], [-2, 4, -1], [4, 4, 0]], float)
    expected = [[500, 300], [625, 300], [500, 175], [250, 425], [1000, 300]]
    assert np.allclose(project(points, camera), expected, atol=1e-9)


def test_a_depth_camera_given_by_its_axes_projects_by_its_formula():
    """u = 160 − f·x/z, v = 120 − f·y/z with x to the subject's right, y up, z away; world = (x, −z, y)."""
    rot_camera_from_world = conjugate(np.array([_HALF, 0, 0, _HALF]))  # (x, −z, y) back to (x, y, z)
    flip = np.array([0.0, 0.0, 1.0, 0.0])  # half a turn about z: x and y reversed
    camera = Camera(285.63, np.array([160.0, 120.0]), (320, 240), np.zeros(3), multiply(flip, rot_camera_from_world))
    x, y, z = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 4], (20, 3)).T
    pixels = project(np.stack([x, -z, y], axis=-1), camera)
    assert np.allclose(pixels, np.stack([160 - 285.63 * x / z, 120 - 285.63 * y / z], axis=-1), atol=1e-9)


def test_what_lies_behind_is_not_seen():
    camera = look_at(np.zeros(3), np.array([0.0, 1.0, 0.0]))
    pixels = project(np.array([[0.0, -2.0, 0.0], [0.0, 0.1, 0.0], [0.0, 2.0, 0.0], [np.nan, 2.0, 0.0]]), camera)
    assert np.isnan(pixels[[0, 1, 3]]).all()
    assert np.isfinite(pixels[2]).all()


def test_cutting_to_the_image_leaves_the_inside_alone():
    camera = look_at(np.zeros(3), np.array([0.0, 1.0, 0.0]))
    points = np.random.default_rng(1).uniform([-3, 1, -3], [3, 4, 3], (200, 3))
    whole, cut = project(points, camera), project(points, camera, cut_to_image=True)
    inside = ((whole >= 0) & (whole <= camera.image_size_px)).all(axis=1)
    assert 20 < inside.sum() < 180
    assert np.array_equal(cut[inside], whole[inside])
    assert np.isnan(cut[~inside]).all()


def test_a_mirrored_image_is_flipped_left_to_right():
    points = np.random.default_rng(2).uniform([-1, 3, -1], [1, 4, 1], (10, 3))
    plain, flipped = (
        project(points, look_at(np.zeros(3), np.array([0.0, 1.0, 0.0]), mirrored=m)) for m in (False, True)
    )
    assert np.allclose(flipped[:, 0], 1920 - plain[:, 0])
    assert np.array_equal(flipped[:, 1], plain[:, 1])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_turning_the_world_and_the_camera_together_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(17, 3))
    camera = random_camera(rng, points)
    turn = about_axis(normalised(rng.normal(size=3)), rng.uniform(-3, 3))
    shift = rng.normal(size=3)
    turned = Camera(
        camera.focal_px, camera.centre_px, camera.image_size_px, rotate(turn, camera.position_world) + shift,
        multiply(camera.rot_camera_from_world, conjugate(turn)),
    )  # fmt: skip
    assert np.allclose(project(rotate(turn, points) + shift, turned), project(points, camera), atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 15.0))
@settings(max_examples=100, deadline=None)
def test_random_cameras_see_the_whole_body(seed, walks_m):
    rng = np.random.default_rng(seed)
    body = rng.uniform([-0.4, -0.4, 0.0], [0.4, 0.4, 1.8], (50, 17, 3)) + np.linspace(0, 1, 50)[:, None, None] * [
        walks_m,
        0,
        0,
    ]
    body[3, 4] = np.nan
    camera = random_camera(rng, body)
    pixels = project(body, camera).reshape(-1, 2)
    seen = np.isfinite(pixels).all(axis=1)
    assert seen.sum() == pixels.shape[0] - 1
    # Extreme points are found by direction, so a point may lie slightly within the margin of 4 %.
    assert (
        (pixels[seen] > 0.02 * np.array(camera.image_size_px)) & (pixels[seen] < 0.98 * np.array(camera.image_size_px))
    ).all()


def test_random_cameras_keep_their_bounds_and_come_from_all_sides():
    rng = np.random.default_rng(3)
    body = rng.uniform([-0.3, -0.3, 0.0], [0.3, 0.3, 1.8], (100, 3))
    middle = 0.5 * (body.min(axis=0) + body.max(axis=0))
    cameras = [random_camera(rng, body) for _ in range(400)]
    away = np.array([c.position_world - middle for c in cameras])
    distance = np.linalg.norm(away, axis=1)
    elevation = np.degrees(np.arcsin(away[:, 2] / distance))
    view = np.degrees([2 * np.arctan(0.5 * max(c.image_size_px) / c.focal_px) for c in cameras])
    azimuth = np.arctan2(away[:, 1], away[:, 0])
    for values, low, high in ((distance, 3, 8), (elevation, -5, 30), (view, 35, 75)):
        assert values.min() >= low - 1e-9
        assert values.max() <= high + 1e-9
        assert np.ptp(values) > 0.8 * (high - low)
    assert np.histogram(azimuth, 8, (-np.pi, np.pi))[0].min() > 25


def test_cameras_are_level():
    camera = look_at(np.array([1.0, 2.0, 3.0]), np.array([4.0, 4.0, 1.0]))
    right = rotate(conjugate(camera.rot_camera_from_world), np.array([1.0, 0.0, 0.0]))
    assert abs(right[2]) < 1e-12


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="straight up or down"):
        look_at(np.zeros(3), np.array([0.0, 0.0, 1.0]))
    with pytest.raises(InputError, match="No point"):
        random_camera(np.random.default_rng(0), np.full((3, 17, 3), np.nan))
    with pytest.raises(InputError, match="focal"):
        Camera(0.0, np.zeros(2), (10, 10), np.zeros(3), np.array([0, 0, 0, 1.0]))
