"""Frames on a grid: the batched way against a loop over every joint and time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinebind.nn.on_grid import BRIDGED_S, FRAMES_BRIDGED, on_grid


def slowly(time_s, points, seen, grid_s):
    """One joint: straight lines between the frames that show it."""
    shown = np.flatnonzero(seen)
    out, counts = np.zeros((grid_s.size, 2)), np.zeros(grid_s.size, dtype=bool)
    bridged = max(BRIDGED_S, FRAMES_BRIDGED * (time_s[-1] - time_s[0]) / max(len(time_s) - 1, 1))
    for i, t in enumerate(grid_s):
        before, after = shown[time_s[shown] <= t], shown[time_s[shown] > t]
        if before.size and after.size:
            a, b = before[-1], after[0]
            w = (t - time_s[a]) / (time_s[b] - time_s[a])
            out[i] = points[a] + w * (points[b] - points[a])
            counts[i] = time_s[b] - time_s[a] <= bridged + 1e-9
        elif before.size or after.size:
            k = before[-1] if before.size else after[0]
            out[i] = points[k]
            counts[i] = abs(t - time_s[k]) <= 0.5 * bridged + 1e-9
    return out, counts


@given(seed=st.integers(0, 10_000), fps=st.sampled_from([8.0, 15.0, 30.0, 60.0]), lost=st.sampled_from([0.0, 0.3, 0.9]))
def test_the_batched_way_is_the_loops(seed, fps, lost):
    rng = np.random.default_rng(seed)
    frames = 40
    time_s = (np.arange(frames) + rng.uniform(-0.3, 0.3, (2, frames))) / fps
    points, seen = rng.normal(size=(2, frames, 3, 2)), rng.uniform(size=(2, frames, 3)) >= lost
    grid_s = np.sort(rng.uniform(-0.5, frames / fps + 0.5, (2, 30)), axis=1)
    got, counts = on_grid(*(torch.tensor(x) for x in (time_s, points, seen, grid_s)))
    for b in range(2):
        for j in range(3):
            wanted, known = slowly(time_s[b], points[b, :, j], seen[b, :, j], grid_s[b])
            np.testing.assert_allclose(got[b, :, j].numpy(), wanted, atol=1e-9)
            assert (counts[b, :, j].numpy() == known).all()


def test_a_joint_that_is_never_seen_lies_at_zero_and_does_not_count():
    got, counts = on_grid(
        torch.tensor([[0.0, 1.0]]), torch.full((1, 2, 1, 2), 5.0), torch.zeros(1, 2, 1, dtype=torch.bool),
        torch.tensor([[0.0, 0.5, 1.0]]),
    )  # fmt: skip
    assert not got.any()
    assert not counts.any()


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    time_s = torch.arange(60)[None] / 30.0
    points = torch.arange(60.0)[None, :, None, None].expand(1, 60, 1, 2)
    for missing, bridged in ((5, True), (20, False)):
        seen = torch.ones(1, 60, 1, dtype=torch.bool)
        seen[0, 20 : 20 + missing] = False
        got, counts = on_grid(time_s, points, seen, torch.tensor([[22.5 / 30.0]]))
        assert got[0, 0, 0].numpy() == pytest.approx([22.5, 22.5], abs=1e-4)
        assert bool(counts[0, 0, 0]) is bridged
