"""Windows over tokens: where their middles are, what is in them, and where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind import InputError
from kinebind.nn.universal import PER_TOKEN, RATE_HZ
from kinebind.tasks.recognise.windows import SlidingWindows


@pytest.mark.parametrize("window_s", [0.1, 1.0, 1.1, 4.0])
@pytest.mark.parametrize("stride_s", [0.1, 0.3, 0.5, 2.0])
def test_a_middle_is_the_mean_time_of_what_is_in_its_window(window_s, stride_s):
    """Tokens that tell their own time: the mean over a window inside the stream is the window's time."""
    windows = SlidingWindows.over(100, window_s, stride_s)
    token_s = (np.arange(100) * PER_TOKEN + 0.5 * (PER_TOKEN - 1) + 30) / RATE_HZ
    (own,) = windows.pieces(torch.from_numpy(token_s)[None, :, None])
    assert own.shape == (len(windows.middles), 1, windows.size, 1)
    time_s = windows.time_s(30)
    np.testing.assert_allclose(np.diff(time_s), stride_s)
    inside = (own[:, 0, :, 0] > 0).all(dim=1).numpy()
    assert inside.any()
    np.testing.assert_allclose(own.mean(dim=(1, 2, 3)).numpy()[inside], time_s[inside])


def test_they_reach_from_the_first_token_to_the_last():
    windows = SlidingWindows.over(43, 4.0, 0.5)
    time_s = windows.time_s(0)
    assert 0.0 <= time_s[0] <= 0.5
    assert 43 * 0.1 - 0.5 <= time_s[-1] <= 43 * 0.1
    assert len(SlidingWindows.over(1, 4.0, 0.5).middles) == 1


def test_nothing_near_a_middle_is_told():
    there = torch.ones(40, dtype=torch.bool)
    there[10:20] = False
    gone = SlidingWindows.over(40, 1.0, 0.5).nothing_near(there)
    middles = np.array(list(SlidingWindows.over(40, 1.0, 0.5).middles))
    np.testing.assert_array_equal(gone, (middles >= 12) & (middles <= 18))


def test_no_token_no_window():
    with pytest.raises(InputError, match="less than a token"):
        SlidingWindows.over(0, 1.0, 0.5)
