"""SimCC: places between bins, scores, and a naive twin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinebind.video.simcc import decode_simcc, peaks

INPUT = (48, 64)
WIDTH_BINS = 4.9  # the bells that RTMPose learns of 192 × 256


def bells(centres, bins, sigma=WIDTH_BINS):
    return np.exp(-0.5 * ((np.arange(bins) - np.asarray(centres)[..., None]) / sigma) ** 2)


def naive(row):
    """Place and height of one row, in plain Python: a parabola through five points by the normal equations."""
    if not all(math.isfinite(v) for v in row):
        return math.nan, math.nan
    best = max(range(len(row)), key=lambda k: (row[k], -k))
    if best < 2 or best + 2 >= len(row):
        return float(best), row[best]
    ks = [-2, -1, 0, 1, 2]
    sums = [sum(k**p for k in ks) for p in range(5)]
    equations = np.array([[sums[p + q] for q in range(3)] for p in range(3)], dtype=float)
    right = np.array([sum(row[best + k] * k**p for k in ks) for p in range(3)])
    _, b, c = np.linalg.solve(equations, right)
    if not c < -1e-15:
        return float(best), row[best]
    return best + min(1.0, max(-1.0, -b / (2.0 * c))), row[best]


def test_equals_its_naive_twin():
    random = np.random.default_rng(1)
    x = bells(random.uniform(-2, 98, (3, 5)), 96) + 0.05 * random.standard_normal((3, 5, 96))
    y = random.standard_normal((3, 5, 128)) * 0.3
    x[0, 1, 7] = np.nan
    y[2, 3, 0] = np.inf
    points, scores = decode_simcc(x, y, INPUT)
    for n in range(3):
        for k in range(5):
            (px, sx), (py, sy) = naive(list(x[n, k])), naive(list(y[n, k]))
            if math.isnan(px) or math.isnan(py):
                assert np.isnan(points[n, k]).all()
                assert scores[n, k] == 0.0
            else:
                np.testing.assert_allclose(points[n, k], [px / 2, py / 2], atol=1e-9)
                np.testing.assert_allclose(scores[n, k], min(1.0, max(0.0, min(sx, sy))))


def test_places_between_bins():
    centres = np.random.default_rng(2).uniform(5, 90, 1000)
    place, height = peaks(bells(centres, 96))
    assert np.sqrt(np.mean((place - centres) ** 2)) < 0.01
    assert np.sqrt(np.mean((np.round(centres) - centres) ** 2)) > 0.25
    assert height.min() > 0.99


def test_helps_under_noise():
    random = np.random.default_rng(3)
    centres = random.uniform(10, 85, 3000)
    rows = bells(centres, 96) + 0.01 * random.standard_normal((3000, 96))
    place, _ = peaks(rows)
    alone = np.sqrt(np.mean((rows.argmax(axis=1) - centres) ** 2))
    assert np.sqrt(np.mean((place - centres) ** 2)) < 0.3 * alone


def test_bins_are_pixels_times_the_split():
    for split in (1, 2, 3):
        x, y = np.zeros((1, 1, 48 * split)), np.zeros((1, 1, 64 * split))
        x[..., 30 * split], y[..., 50 * split] = 0.8, 0.6
        points, scores = decode_simcc(x, y, INPUT)
        np.testing.assert_allclose(points, [[[30.0, 50.0]]])
        np.testing.assert_allclose(scores, [[0.6]])


def test_edges_and_flat_rows_take_the_highest_bin():
    rows = np.zeros((3, 20))
    rows[0, 0], rows[1, 19] = 1.0, 1.0
    place, height = peaks(rows)
    np.testing.assert_array_equal(place, [0.0, 19.0, 0.0])
    np.testing.assert_array_equal(height, [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(peaks(np.array([0.0, 2.0, 1.0]))[0], 1.0)  # too few bins for a parabola


def test_scores_are_kept_to_0_and_1():
    x, y = np.full((1, 2, 96), -1.0), np.full((1, 2, 128), 7.0)
    x[0, 1] = 6.0
    np.testing.assert_array_equal(decode_simcc(x, y, INPUT)[1], [[0.0, 1.0]])


def test_nobody():
    points, scores = decode_simcc(np.zeros((0, 17, 96)), np.zeros((0, 17, 128)), INPUT)
    assert points.shape == (0, 17, 2)
    assert scores.shape == (0, 17)


@pytest.mark.parametrize("shapes", [((1, 2, 96), (1, 3, 128)), ((2, 96), (2, 128)), ((1, 2, 0), (1, 2, 4))])
def test_rows_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match="do not go together"):
        decode_simcc(np.zeros(shapes[0]), np.zeros(shapes[1]), INPUT)
