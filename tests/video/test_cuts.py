"""Cuts on made-up pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kinebind.video.cuts import CutFinder

WIDTH, HEIGHT = 640, 360


def scene(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(H, W, 3) a picture of coarse and fine things in colours of its own."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), dtype=np.float32) + 0.6 * rng.normal(size=3).astype(np.float32)
    for cell, weight in ((10, 0.5), (40, 1.0), (120, 1.0)):
        coarse = rng.normal(size=(height // cell + 2, width // cell + 2, 3)).astype(np.float32)
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(120.0 + 36.0 * total, 0, 235).astype(np.uint8)


NOISE = np.random.default_rng(0).normal(0.0, 4.0, (HEIGHT + 200, WIDTH, 3)).astype(np.float32)


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first = rng.integers(200)
    return np.clip(image + NOISE[first : first + HEIGHT], 0, 255).astype(np.uint8)


def found(images: list[np.ndarray]) -> list[int]:
    finder = CutFinder()
    return [k for k, image in enumerate(images) if finder.step(image)]


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_is_found_at_its_frame(seed):
    rng = np.random.default_rng(seed)
    one, other = scene(2 * seed), scene(2 * seed + 1)
    images = [noisy(one, rng) for _ in range(12)] + [noisy(other, rng) for _ in range(12)]
    assert found(images) == [12]
    assert found([*images, *images]) == [12, 24, 36]


def test_a_video_that_stays_has_none():
    rng, plain = np.random.default_rng(0), scene(3)
    assert found([noisy(plain, rng) for _ in range(30)]) == []


@pytest.mark.parametrize(("gain", "frames"), [(1.6, 1), (1.6, 5), (2.5, 1), (2.5, 5), (50.0, 1)])
def test_a_flash_is_none(gain, frames):
    plain = scene(4)
    flash = np.clip(gain * plain.astype(np.float64) + 40.0, 0, 255).astype(np.uint8)
    assert found([plain] * 8 + [flash] * frames + [plain] * 8) == []


def test_a_cut_behind_a_flash_or_black_is_found():
    one, other = scene(5), scene(6)
    white, black = np.full_like(one, 255), np.zeros_like(one)
    assert found([one] * 5 + [white] + [other] * 5) == [6]
    assert found([one] * 5 + [black] * 4 + [other] * 5) == [9]


def test_a_cut_to_a_bright_shot_is_found_a_frame_late():
    bright = np.clip(scene(8).astype(np.float64) + 110.0, 0, 255).astype(np.uint8)
    assert found([scene(7) // 2] * 5 + [bright] * 5) == [6]


def test_exposure_that_changes_is_none():
    plain = scene(9).astype(np.float64)
    images = [np.clip(gain * plain, 0, 255).astype(np.uint8) for gain in (1.0, 1.0, 0.5, 0.5, 1.4, 1.4, 1.0)]
    assert found(images) == []


@pytest.mark.parametrize("step", [20, 60, 110])
def test_a_fast_pan_is_none(step):
    """Up to a sixth of the picture a frame, blurred by half of that."""
    wide = scene(10, width=WIDTH + 12 * 110)
    images = [cv2.blur(wide[:, k * step : k * step + WIDTH], (max(1, step // 2), 1)) for k in range(12)]
    assert found(images) == []


def test_somebody_who_fills_half_of_the_picture_is_none():
    plain, person = scene(11), scene(12, width=WIDTH // 2)
    images = [plain] * 4
    for k in range(8):
        image = plain.copy()
        image[:, 20 * k : 20 * k + WIDTH // 2] = person
        images.append(image)
    assert found(images + [plain] * 4) == []


def test_zoom_and_turn_are_none():
    large = scene(13, 2 * WIDTH, 2 * HEIGHT)
    images = []
    for k in range(20):
        map_ = cv2.getRotationMatrix2D((WIDTH, HEIGHT), 1.5 * k, 1.0 + 0.03 * k)
        images.append(
            cv2.warpAffine(large, map_, (2 * WIDTH, 2 * HEIGHT))[HEIGHT // 2 :, WIDTH // 2 :][:HEIGHT, :WIDTH]
        )
    assert found(images) == []


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (90, 7), (64, 64)])
def test_pictures_of_any_size(shape):
    rng = np.random.default_rng(0)
    finder = CutFinder()
    for _ in range(3):
        finder.step(rng.integers(0, 255, (*shape, 3), dtype=np.uint8))
