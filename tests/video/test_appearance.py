"""Colours of a torso: what they depend on, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind.parts import COCO17
from kinebind.video.appearance import BINS, torso_colours


def person(left: float, top: float, size: float) -> np.ndarray:
    points = np.full((17, 3), np.nan)
    for name, x, y in (
        ("left_shoulder", 1.0, 0.0), ("right_shoulder", 0.0, 0.0), ("left_hip", 0.9, 1.5), ("right_hip", 0.1, 1.5),
    ):  # fmt: skip
        points[COCO17.index(name)] = left + size * x, top + size * y, 1.0
    return points


def picture(colour, *, around=(90, 90, 90), left=60, top=40, size=60) -> np.ndarray:
    image = np.full((240, 200, 3), around, dtype=np.uint8)
    image[top : top + int(1.5 * size), left : left + size] = colour
    return image


def test_shares_sum_to_one_and_tell_colours_apart():
    red, blue, grey = (
        torso_colours(picture(c), person(60, 40, 60)) for c in ((200, 30, 30), (30, 40, 200), (120, 120, 120))
    )
    for own in (red, blue, grey):
        assert own.shape == (BINS,)
        assert own.sum() == pytest.approx(1.0)
        assert own.max() > 0.85
    assert len({int(np.argmax(own)) for own in (red, blue, grey)}) == 3


def test_neither_size_nor_brightness_of_a_colour_matters_much():
    near = torso_colours(picture((200, 30, 30)), person(60, 40, 60))
    far = torso_colours(picture((140, 20, 20), left=90, top=90, size=20), person(90, 90, 20))
    assert np.sqrt(near * far).sum() > 0.9


def test_what_is_not_seen_has_no_colours():
    image = picture((200, 30, 30))
    hidden = person(60, 40, 60)
    hidden[COCO17.index("left_hip")] = np.nan
    assert torso_colours(image, hidden) is None
    assert torso_colours(image, person(500, 40, 60)) is None
    assert torso_colours(image, person(60, 40, 1)) is None


def test_somebody_seen_from_the_side_has_colours():
    """Shoulders and hips lie on one line there."""
    points = person(60, 40, 60)
    points[:, 0] = np.where(np.isfinite(points[:, 0]), 90.0, np.nan)
    own = torso_colours(picture((200, 30, 30)), points)
    assert own is not None
    assert own.max() > 0.7
