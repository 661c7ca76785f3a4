"""What surrounds MediaPipe: pictures turned and points turned back, who is expected where, who is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from walkers import walker

pytest.importorskip("cv2")

from kinebind.video import mediapipe_backend as own
from kinebind.video.oks import boxes_px

ANNA = walker((300, 600), (0, 0))(0.0)
BEN = walker((330, 610), (0, 0), 260.0)(0.0)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_points_of_a_turned_picture_go_back_to_where_they_are(quarters):
    image = np.zeros((9, 9))
    image[2, 7] = 1.0
    y, x = np.argwhere(np.rot90(image, quarters))[0]
    np.testing.assert_allclose(own._turned(np.array([x, y]) - 4.0, quarters) + 4.0, [7, 2])


def test_evening_the_contrast_shows_what_is_dim():
    rng = np.random.default_rng(0)
    dim = rng.integers(100, 110, (64, 64, 3)).astype(np.uint8)
    evened = own._evened(dim)
    assert evened.shape == dim.shape
    assert evened.std() > 1.5 * dim.std()


def test_of_two_in_a_square_the_one_who_covers_the_place_was_expected():
    (box,) = boxes_px(ANNA.keypoints[None])
    assert own._who_is_in(box, [BEN, ANNA]) == [ANNA]
    assert own._who_is_in(box + 2000.0, [BEN, ANNA]) == []
    assert own._who_is_in(box, []) == []


def test_who_stands_behind_somebody_is_hidden():
    (box,) = boxes_px(ANNA.keypoints[None])
    assert own._hidden(box, [BEN])
    assert not own._hidden(box - 400.0, [BEN])
    assert not own._hidden(box, [])
