"""The delay of poses: of a pose estimator whose delay is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kinebind.bench.made_video import write_video
from kinebind.bench.video_lag import pose_lag
from kinebind.video.backend import Seen
from kinebind.video.frames import frames

SIDE = 240


class SquareFinder:
    """Finds the white square, so many frames late."""

    name, lag_s = "square", 0.0

    def __init__(self, late: int):
        self.late, self.before = late, []

    def detect(self, image, around, *, search):
        if image.shape[0] != SIDE:
            return []
        bright = image[..., 0].astype(float)
        y, x = (bright > 128).nonzero()
        weight = bright[y, x]
        self.before.append(np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum())
        at = self.before[max(0, len(self.before) - 1 - self.late)]
        rest = np.linspace([-10.0, -20.0], [10.0, 20.0], 17)
        return [Seen(np.column_stack([at + rest, np.ones(17)]))]

    def forget(self):
        pass

    def close(self):
        pass


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    image = np.full((SIDE, SIDE, 3), 30, dtype=np.uint8)
    cv2.rectangle(image, (100, 90), (140, 150), (255, 255, 255), -1)
    return write_video([image] * 6, tmp_path_factory.mktemp("lag") / "still.mp4", 30.0)


@pytest.mark.parametrize("late", [0, 1])
def test_a_delay_is_measured(video, tmp_path, late):
    found = pose_lag(video, SquareFinder(late), tmp_path, shots=1)
    assert found["pose_lag_signed_ms"] == pytest.approx(1e3 * late / 30.0, abs=2.0)
    assert found["pose_lag_ms"] == pytest.approx(abs(found["pose_lag_signed_ms"]))
    assert found["pose_path_px"] < 1.0


def test_a_clip_repeats_without_gaps(tmp_path):
    images = [np.full((64, 96, 3), value, dtype=np.uint8) for value in (0, 80, 160, 240)]
    path = write_video(images, tmp_path / "loop.mp4", 20.0, loops=3)
    found = list(frames(path))
    np.testing.assert_allclose([f.time_s for f in found], np.arange(12) / 20.0, atol=1e-4)
    shown = [float(f.image.mean()) for f in found]
    np.testing.assert_allclose(shown, [0, 80, 160, 240] * 3, atol=6)
