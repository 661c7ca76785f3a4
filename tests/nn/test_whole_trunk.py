"""A trunk of which a part alone is in the image: the rest stands where it usually does, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind.nn.whole_trunk import HIDDEN_S, whole_trunk
from kinebind.parts import COCO17

RATE_HZ = 50.0
SHOULDERS, HIPS = [5, 6], [11, 12]


@pytest.fixture
def body():
    """Somebody who wanders for 6 s: keypoints (1, 300, 17, 2) in metres, all seen."""
    rng = np.random.default_rng(4)
    metres = torch.as_tensor(
        rng.normal(0.0, 0.3, (1, 1, 17, 2)) + np.cumsum(rng.normal(0, 0.01, (1, 300, 1, 2)), axis=1)
    )
    return metres.float(), torch.ones(1, 300, 17, dtype=torch.bool)


@pytest.mark.parametrize(("out", "left", "above"), [(SHOULDERS, HIPS, 0.5), (HIPS, SHOULDERS, -0.5)])
def test_the_end_that_is_never_seen_goes_upright_with_the_other(body, out, left, above):
    metres, seen = body
    seen[:, :, out] = False
    metres[:, :, out] = 99.0
    seen[0, 40, left] = False
    placed, counts = whole_trunk(metres, seen, RATE_HZ)
    middle = metres[:, :, left].mean(dim=2)
    torch.testing.assert_close(placed[:, 41:, out].mean(dim=2), middle[:, 41:] + torch.tensor([0.0, above]))
    # Left stays left, and shoulders are the wider end.
    across, own = (x[:, 41:, 0] - x[:, 41:, 1] for x in (placed[:, :, out], metres[:, :, left]))
    torch.testing.assert_close(across, own * (1.5 if above > 0 else 1.0 / 1.5))
    # It is known where both of the other end are.
    expected = np.ones(300, dtype=bool)
    expected[40] = False
    for joint in out:
        np.testing.assert_array_equal(counts[0, :, joint], expected)
    others = [k for k in range(len(COCO17)) if k not in out]
    torch.testing.assert_close(placed[:, :, others], metres[:, :, others], rtol=0, atol=0)
    assert (counts[:, :, others] == seen[:, :, others]).all()


@pytest.mark.parametrize(("gone", "partner", "others"), [(6, 5, HIPS), (11, 12, SHOULDERS[::-1])])
def test_a_corner_that_is_never_seen_goes_beside_the_other_one_of_its_end(body, gone, partner, others):
    metres, seen = body
    seen[:, :, gone] = False
    seen[0, 200:, others[0]] = False
    placed, counts = whole_trunk(metres, seen, RATE_HZ)
    across = (metres[:, :, others[1]] - metres[:, :, others[0]]) * (1.5 if gone == 6 else 1.0 / 1.5)
    torch.testing.assert_close(placed[:, :200, gone], (metres[:, :, partner] + across)[:, :200])
    # How wide the body is seen is then not known, as from the side.
    torch.testing.assert_close(placed[:, 200:, gone], metres[:, 200:, partner])
    assert counts[:, :, gone].all()


def test_one_corner_alone_makes_the_whole(body):
    metres, seen = body
    seen[:] = False
    seen[:, :, 11] = True
    placed, counts = whole_trunk(metres, seen, RATE_HZ)
    torch.testing.assert_close(placed[:, :, 12], metres[:, :, 11])
    for shoulder in SHOULDERS:
        torch.testing.assert_close(placed[:, :, shoulder], metres[:, :, 11] + torch.tensor([0.0, 0.5]))
    assert counts[0].all(dim=0).nonzero()[:, 0].tolist() == [*SHOULDERS, *HIPS]


def test_a_short_gap_is_left_as_it_was(body):
    metres, seen = body
    seen[:, 100:150, SHOULDERS] = False  # a second: each moment is near one at which they are seen
    seen[:, 100:150, 12] = False
    placed, counts = whole_trunk(metres, seen, RATE_HZ)
    assert (placed == metres).all()
    assert (counts == seen).all()


def test_what_is_seen_again_counts_and_beyond_a_second_of_it_the_usual_place(body):
    metres, seen = body
    seen[:, 100:, SHOULDERS] = False
    placed, counts = whole_trunk(metres, seen, RATE_HZ)
    turn = 99 + round(HIDDEN_S * RATE_HZ)
    assert (placed[:, : turn + 1] == metres[:, : turn + 1]).all()
    assert not counts[:, 100 : turn + 1, SHOULDERS].any()
    assert counts[:, turn + 1 :, SHOULDERS].all()
    up = placed[:, turn + 1 :, SHOULDERS].mean(dim=2) - metres[:, turn + 1 :, HIPS].mean(dim=2)
    torch.testing.assert_close(up, torch.tensor([0.0, 0.5]).expand_as(up))


def test_where_neither_end_is_seen_nothing_is_made_up(body):
    metres, seen = body
    seen[:, :, [*SHOULDERS, *HIPS]] = False
    placed, counts = whole_trunk(metres, seen, RATE_HZ)
    assert (placed == metres).all()
    assert (counts == seen).all()
