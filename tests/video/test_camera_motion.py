"""The camera's own motion on made-up pictures: a random texture moved by maps that are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kinebind.video.camera_motion import (
    CameraMotion,
    Step,
    apply,
    between,
    compose,
    inverse,
    steady_from_image,
)

WIDTH, HEIGHT = 640, 360
CORNERS = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], dtype=np.float64)
MARGIN = 220


def field(height: int, width: int, seed: int) -> np.ndarray:
    """(H, W, 3) a random texture with coarse and fine detail."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), dtype=np.float32)
    for cell, weight in ((8, 1.0), (20, 1.0), (60, 1.5)):
        coarse = rng.normal(size=(height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128.0 + 30.0 * total, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def world() -> np.ndarray:
    return field(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, 0)


def seen(world: np.ndarray, image_from_steady: np.ndarray, noise: np.random.Generator | None = None) -> np.ndarray:
    """What a camera shows whose pixels are those of the steady picture under a map (2, 3)."""
    to_steady = np.array([[1.0, 0.0, -MARGIN], [0.0, 1.0, -MARGIN]])
    size = (WIDTH, HEIGHT)
    image = cv2.warpAffine(world, compose(image_from_steady, to_steady), size, flags=cv2.INTER_CUBIC)
    if noise is not None:
        image = np.clip(image + noise.normal(0.0, 2.0, image.shape), 0, 255).astype(np.uint8)
    return image


def similarity(shift: tuple[float, float], turn_deg: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """A map about the picture's middle."""
    map_ = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn_deg, zoom)
    map_[:, 2] += shift
    return map_


def steady(steps: list[Step], rate_hz: float, cut: np.ndarray | None = None) -> np.ndarray:
    cut = np.zeros(len(steps), dtype=bool) if cut is None else cut
    return steady_from_image(steps, np.arange(len(steps)) / rate_hz, cut, (WIDTH, HEIGHT))


@pytest.mark.parametrize(
    "moved",
    [
        similarity((7.3, -4.6)),
        similarity((0.4, 0.2)),
        similarity((3.0, 2.0), turn_deg=2.5),
        similarity((-2.0, 1.0), zoom=1.04),
        similarity((25.0, -18.0), turn_deg=-3.0, zoom=0.96),
    ],
)
def test_a_known_motion_is_found_to_a_tenth_of_a_pixel(world, moved):
    camera = CameraMotion()
    first = camera.step(seen(world, np.eye(2, 3)), 0.0, [])
    second = camera.step(seen(world, moved), 1 / 30, [])
    assert np.array_equal(first.from_key, np.eye(2, 3))
    np.testing.assert_allclose(apply(second.from_key, CORNERS), apply(moved, CORNERS), atol=0.1)
    np.testing.assert_allclose(between(first, second), second.from_key, atol=1e-12)


def test_large_frames_are_followed_in_a_smaller_picture(world):
    large = np.array([[3.0, 0.0, 1.0], [0.0, 3.0, 1.0]])  # middles of pixels on middles of pixels
    moved = similarity((8.25, -3.5), turn_deg=1.0, zoom=1.02)
    camera = CameraMotion()
    for k, image_from_steady in enumerate((np.eye(2, 3), moved)):
        image = cv2.resize(seen(world, image_from_steady), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        step = camera.step(image, k / 30, [])
    wanted = compose(compose(large, moved), inverse(large))
    np.testing.assert_allclose(apply(step.from_key, 3 * CORNERS), apply(wanted, 3 * CORNERS), atol=0.3)


def test_a_tripod_gives_exactly_the_identity(world):
    noise = np.random.default_rng(1)
    camera = CameraMotion()
    steps = [camera.step(seen(world, np.eye(2, 3), noise), k / 60, []) for k in range(60)]
    assert np.array_equal(steady(steps, 60), np.tile(np.eye(2, 3), (60, 1, 1)))


def test_a_sway_comes_back_without_drift(world):
    time_s = np.arange(600) / 30
    x = 60 * np.sin(2 * np.pi * 0.3 * time_s) + 20 * np.sin(2 * np.pi * 1.7 * time_s)
    y = 40 * np.sin(2 * np.pi * 0.8 * time_s)
    true = [similarity((a, b), turn_deg=0.02 * a, zoom=1 + 2e-4 * b) for a, b in zip(x, y, strict=True)]
    camera = CameraMotion()
    steps = [camera.step(seen(world, m), t, []) for m, t in zip(true, time_s, strict=True)]
    maps = steady(steps, 30)
    off = np.linalg.norm(apply(compose(maps, np.array(true)), np.tile(CORNERS, (600, 1, 1))) - CORNERS, axis=-1)
    assert np.sqrt((off[:60] ** 2).mean()) < 0.15
    assert np.sqrt((off[-60:] ** 2).mean()) < 0.2


def test_a_pan_that_leaves_its_first_picture_and_comes_back():
    world = field(HEIGHT + 2 * MARGIN, 3 * WIDTH + 2 * MARGIN, 2)
    x = -2 * WIDTH * np.sin(np.pi * np.arange(120) / 119)
    camera = CameraMotion()
    steps = [camera.step(seen(world, similarity((a, 0.0))), k / 30, []) for k, a in enumerate(x)]
    off = np.linalg.norm(apply(steps[-1].from_key, CORNERS) - CORNERS, axis=-1)
    assert {s.key for s in steps} == {0}
    assert off.max() < 0.5
    assert abs(steps[60].from_key[0, 2] - x[60]) < 3.0


def with_blob(image: np.ndarray, blob: np.ndarray, left: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with somebody before it, and the box around."""
    height, width = blob.shape[:2]
    out = image.copy()
    out[30 : 30 + height, left : left + width] = blob
    return out, np.array([left, 30, left + width, 30 + height], dtype=np.float64)


@pytest.mark.parametrize("told", [True, False])
def test_somebody_who_moves_in_front_does_not_pull(world, told):
    """Where the box is told, half of the picture may move; where it is not, RANSAC leaves out what is smaller."""
    blob = field(300, 300 if told else 150, 3)
    camera = CameraMotion()
    for k in range(30):
        true = similarity((2.0 * np.sin(0.4 * k), 0.5 * k))
        image, box = with_blob(seen(world, true), blob, 40 + 6 * k)
        step = camera.step(image, k / 30, [box] if told else [])
        np.testing.assert_allclose(apply(step.from_key, CORNERS), apply(true, CORNERS), atol=0.25)


def test_somebody_before_a_still_camera_leaves_the_identity(world):
    blob = field(300, 300, 3)
    camera = CameraMotion()
    steps = []
    for k in range(45):
        image, box = with_blob(seen(world, np.eye(2, 3)), blob, 40 + 6 * k)
        steps.append(camera.step(image, k / 30, [box]))
    assert np.array_equal(steady(steps, 30), np.tile(np.eye(2, 3), (45, 1, 1)))


def test_no_texture_is_not_known_and_no_error():
    camera = CameraMotion()
    steps = [camera.step(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), k / 30, []) for k in range(40)]
    assert np.isnan([s.from_key for s in steps[1:]]).all()
    # Nothing tells that the camera moved: poses stay as they are.
    assert np.array_equal(steady(steps, 30), np.tile(np.eye(2, 3), (40, 1, 1)))


def test_a_background_that_is_hidden_wholly_is_not_known(world):
    camera = CameraMotion()
    camera.step(seen(world, np.eye(2, 3)), 0.0, [])
    step = camera.step(seen(world, np.eye(2, 3)), 0.1, [np.array([0.0, 0.0, WIDTH, HEIGHT])])
    assert np.isnan(step.from_key).all()
    assert between(step, step) is None


@pytest.mark.parametrize(("hidden", "filled"), [(8, True), (25, False)])
def test_short_gaps_are_filled_and_long_ones_are_not(world, hidden, filled):
    true = [similarity((0.8 * k, 0.0)) for k in range(80)]
    camera = CameraMotion()
    steps = []
    for k, map_ in enumerate(true):
        image = seen(world, map_)
        if 30 <= k < 30 + hidden:
            image[:] = 128
        steps.append(camera.step(image, k / 30, []))
    maps = steady(steps, 30)
    if filled:
        np.testing.assert_allclose(maps, inverse(np.array(true)), atol=0.2)
    else:
        assert np.isnan(maps[30:44]).all()


def test_behind_a_cut_begins_another_steady_picture(world):
    other = field(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, 5)
    camera = CameraMotion()
    cut = np.arange(60) == 30
    steps = [
        camera.step(seen(other if k >= 30 else world, similarity((k, 0.0))), k / 30, [], cut=bool(cut[k]))
        for k in range(60)
    ]
    maps = steady(steps, 30, cut)
    np.testing.assert_allclose(maps[[0, 30]], np.tile(np.eye(2, 3), (2, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(maps[[29, 59], 0, 2], -29.0, atol=0.1)


def test_a_run_that_was_stopped_goes_on_at_its_place(world):
    true = [similarity((3.0 * k, -k), turn_deg=0.1 * k) for k in range(20)]
    images = [seen(world, m) for m in true]
    first = CameraMotion()
    steps = [first.step(image, k / 30, []) for k, image in enumerate(images[:10])]
    again = CameraMotion()
    again.begin(images[9], [], steps[-1])
    steps += [again.step(image, (10 + k) / 30, []) for k, image in enumerate(images[10:])]
    assert {s.key for s in steps} == {0}
    np.testing.assert_allclose(apply(steps[-1].from_key, CORNERS), apply(true[-1], CORNERS), atol=0.2)


def test_a_run_that_was_stopped_at_a_frame_that_is_not_known_begins_anew(world):
    again = CameraMotion()
    again.begin(seen(world, np.eye(2, 3)), [], Step(4, np.full((2, 3), np.nan)))
    assert again.step(seen(world, np.eye(2, 3)), 0.0, []).key == 5


@pytest.mark.parametrize("rate_hz", [10, 240])
def test_a_hand_sways_at_any_frame_rate(world, rate_hz):
    time_s = np.arange(10 if rate_hz == 10 else 120) / rate_hz
    true = [similarity((40 * np.sin(2 * np.pi * 1.7 * t), 25 * np.sin(2 * np.pi * 0.8 * t))) for t in time_s]
    camera = CameraMotion()
    steps = [camera.step(seen(world, m), t, []) for m, t in zip(true, time_s, strict=True)]
    np.testing.assert_allclose(steady(steps, rate_hz), inverse(np.array(true)), atol=0.2)


def test_maps_there_and_back():
    rng = np.random.default_rng(0)
    maps = np.array([similarity(tuple(rng.normal(size=2)), rng.normal(), 1.1) for _ in range(4)])
    points = rng.uniform(0, 300, (4, 3, 17, 2))
    there = apply(maps, points)
    np.testing.assert_allclose(there[2, 1], apply(maps[2], points[2, 1]))
    np.testing.assert_allclose(apply(inverse(maps), there), points)
    maps[1] = np.nan
    assert np.isnan(inverse(maps)[1]).all()
    assert np.isfinite(inverse(maps)[[0, 2, 3]]).all()


def test_a_video_without_frames():
    assert steady([], 30).shape == (0, 2, 3)
