"""Squares of images: that they cover it, and where pixels come to lie."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinebind.video.squares import cut, square_around, squares_of, whole_square


@pytest.mark.parametrize("shape", [(720, 1280), (1280, 720), (500, 500), (90, 1000)])
def test_squares_cover_the_image_and_stay_in_it(shape):
    squares = squares_of(shape)
    covered = np.zeros(shape, dtype=int)
    for left, top, side in squares:
        assert left >= 0 and top >= 0 and left + side <= shape[1] + 1e-9 and top + side <= shape[0] + 1e-9  # noqa: PT018
        covered[round(top) : round(top + side), round(left) : round(left + side)] += 1
    assert covered.min() >= 1


def test_the_whole_image_is_in_its_square():
    left, top, side = whole_square(np.zeros((100, 300, 3), dtype=np.uint8))
    assert (left, top, side) == (0.0, -100.0, 300.0)


@pytest.mark.parametrize(
    "square", [(110.0, 70.0, 120.0), (-40.5, -30.2, 300.0), (5.3, 4.9, 1000.0), (140.0, 90.0, 90.0)]
)
def test_a_point_lies_in_a_piece_where_it_lies_in_the_square(square):
    y, x = np.mgrid[:400, :400]
    at = np.array([170.25, 120.75])  # pixel centres lie at halves
    bell = np.exp(-0.5 * ((x + 0.5 - at[0]) ** 2 + (y + 0.5 - at[1]) ** 2) / 6.0**2)
    piece = cut(np.repeat((255 * bell)[..., None], 3, axis=2).astype(np.uint8), np.array(square))[..., 0].astype(float)
    assert piece.shape[0] == piece.shape[1] <= 448
    v, u = np.mgrid[: piece.shape[0], : piece.shape[1]] + 0.5
    scale = piece.shape[0] / square[2]
    middle = np.array([(u * piece).sum(), (v * piece).sum()]) / piece.sum()
    np.testing.assert_allclose(middle, (at - np.array(square[:2])) * scale, atol=0.3)


def test_beyond_the_image_it_is_black():
    white = np.full((50, 50, 3), 255, dtype=np.uint8)
    assert cut(white, np.array([60.0, 60.0, 20.0])).max() == 0
    piece = cut(white, np.array([-50.0, 0.0, 100.0]))
    assert piece[:40, :45].max() == 0
    assert piece[:40, 55:].min() == 255


def test_a_square_around_a_box_is_no_smaller_than_a_network_can_use():
    np.testing.assert_allclose(square_around(np.array([100.0, 100.0, 120.0, 200.0]), 1.5), [35.0, 75.0, 150.0])
    np.testing.assert_allclose(square_around(np.array([10.0, 10.0, 12.0, 12.0]), 1.5), [-13.0, -13.0, 48.0])
