"""Crops: what the pose model sees of an image, and the way back for points."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")
from kinebind.video.crops import crop_around, cut_out, widened

INPUT = (48, 64)


def test_box_is_padded_and_widened_to_the_inputs_aspect():
    tall = crop_around([10.0, 20.0, 20.0, 120.0], INPUT)
    np.testing.assert_allclose(tall.centre_px, [15.0, 70.0])
    np.testing.assert_allclose(tall.size_px, [125.0 * 48 / 64, 125.0])
    wide = crop_around([0.0, 0.0, 100.0, 10.0], INPUT, padding=1.0)
    np.testing.assert_allclose(wide.size_px, [100.0, 100.0 * 64 / 48])


def test_corners_and_middle_go_where_the_input_has_them():
    crop = crop_around([100.0, 50.0, 160.0, 130.0], INPUT, padding=1.0)
    corners = [[100.0, 50.0], [160.0, 130.0], [130.0, 90.0]]
    np.testing.assert_allclose(crop.to_crop(corners), [[0.0, 0.0], [48.0, 64.0], [24.0, 32.0]])


@pytest.mark.parametrize("seed", range(5))
def test_points_come_back(seed):
    random = np.random.default_rng(seed)
    low, size = random.uniform(-50, 500, 2), random.uniform(1, 400, 2)
    crop = crop_around([*low, *(low + size)], INPUT)
    points = random.uniform(-100, 900, (3, 17, 2))
    points[0, 0] = np.nan
    np.testing.assert_allclose(crop.to_image(crop.to_crop(points)), points, atol=1e-9)
    naive = crop.matrix() @ np.array([*points[1, 2], 1.0])
    np.testing.assert_allclose(crop.to_crop(points)[1, 2], naive)


def test_pixels_go_where_points_go():
    """A bright dot in the image lies in the crop where its point goes, and is black beyond the image's edge."""
    image = np.full((200, 300, 3), 40, dtype=np.uint8)
    y, x = np.mgrid[:200, :300]
    dot = np.exp(-0.5 * ((x - 207.0) ** 2 + (y - 61.5) ** 2) / 4.0**2)
    image[..., 1] = np.round(40 + 200 * dot)
    crop = crop_around([150.0, 10.0, 260.0, 150.0], INPUT)
    piece = cut_out(image, crop)
    assert piece.shape == (64, 48, 3)
    weight = piece[..., 1].astype(float) - 40.0
    weight[weight < 5.0] = 0.0
    rows, columns = np.mgrid[:64, :48]
    found = np.array([np.sum(columns * weight), np.sum(rows * weight)]) / weight.sum()
    np.testing.assert_allclose(found, crop.to_crop([207.0, 61.5]), atol=0.1)
    beyond = cut_out(image, crop_around([-100.0, 0.0, 100.0, 200.0], INPUT))
    assert not beyond[:, 0].any()
    assert (beyond[32, -10:] == 40).all()


@pytest.mark.parametrize("box", [[5, 5, 5, 5], [9, 5, 5, 9], [np.nan, 0, 5, 5], [0, 0, np.inf, 5]])
def test_a_box_without_size_is_refused(box):
    with pytest.raises(ValueError, match="without a size"):
        crop_around(box, INPUT)


def test_a_line_is_a_box():
    np.testing.assert_allclose(crop_around([5, 0, 5, 100], INPUT, padding=1.0).size_px, [75.0, 100.0])


def test_widened():
    np.testing.assert_allclose(widened([10, 20, 20, 60], 1.5), [7.5, 10.0, 22.5, 70.0])
