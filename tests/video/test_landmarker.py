"""MediaPipe's landmarker with a made one in its place: pictures turned and points turned back, one person followed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinebind.video import landmarker as own
from kinebind.video.landmarker import Follower

IMAGE = np.zeros((400, 400, 3), dtype=np.uint8)
SQUARE = np.array([100.0, 50.0, 200.0])


class Smoothing:
    """Tells one person of whom all is at the middle, with its visibility smoothed as MediaPipe smooths it."""

    def __init__(self, visibility):
        """visibility: of each picture that is not black, None where nobody is found in it."""
        self.visibility = list(visibility)
        self.told_ms = []
        self.shown = []
        self.kept = None

    def detect_for_video(self, image, time_ms):
        self.told_ms.append(time_ms)
        self.shown.append(image.shape)
        now = self.visibility.pop(0) if image.shape != own._NOTHING.shape else None
        if now is None:
            return SimpleNamespace(pose_landmarks=[], pose_world_landmarks=[])
        self.kept = now if self.kept is None else 0.1 * now + 0.9 * self.kept
        spread = np.linspace(-0.2, 0.2, 33)
        points = [SimpleNamespace(x=0.5 + s, y=0.5 - s, z=0.0, visibility=self.kept) for s in spread]
        return SimpleNamespace(pose_landmarks=[points], pose_world_landmarks=[points])


@pytest.fixture
def follower(monkeypatch):
    """A follower whose MediaPipe tells these visibilities, and that MediaPipe."""

    def made(*visibility):
        smoothing = Smoothing(visibility)
        monkeypatch.setattr(own, "_landmarker", lambda model, *, people, follows: smoothing)
        monkeypatch.setattr(own, "_mediapipe_image", lambda piece: piece)
        return Follower("model.task"), smoothing

    return made


def test_what_is_seen_is_told_at_once(follower):
    """Joints that are hidden from one frame to the next are gone in that frame, and there again when they are back."""
    visibility = [0.9, 0.9, 0.05, 0.1, 0.8, 1.0]
    following, _ = follower(*visibility)
    for now in visibility:
        seen = following.look(IMAGE, SQUARE)
        if now < 0.5:
            assert seen is None
        else:
            np.testing.assert_allclose(seen.keypoints[:, 2], now, atol=1e-12)
            np.testing.assert_allclose(seen.keypoints[:, :2].mean(axis=1), [175.0] * 17, atol=1e-9)


def test_what_is_seen_is_told_at_once_after_a_loss(follower):
    following, _ = follower(0.9, None, None, 0.6)
    assert following.look(IMAGE, SQUARE) is not None
    assert following.look(IMAGE, SQUARE) is None
    np.testing.assert_allclose(following.look(IMAGE, SQUARE).keypoints[:, 2], 0.6)


def test_who_is_lost_is_looked_for_anew_in_the_same_frame(follower):
    following, mediapipe = follower(0.9, None, 0.9, None, None, None)
    following.look(IMAGE, SQUARE)
    assert following.look(IMAGE, SQUARE) is not None
    assert len(mediapipe.shown) == 3
    assert following.look(IMAGE, SQUARE) is None
    assert len(mediapipe.shown) == 5
    assert following.look(IMAGE, SQUARE) is None  # nobody was followed, so that one look says all
    assert len(mediapipe.shown) == 6


def test_time_between_frames_is_too_long_for_smoothing(follower):
    following, mediapipe = follower(0.9, 0.9, 0.9)
    for _ in range(3):
        following.look(IMAGE, SQUARE)
    assert (np.diff(mediapipe.told_ms) >= 1e8).all()


def test_forgetting_shows_nothing_and_only_where_somebody_was_followed(follower):
    following, mediapipe = follower(0.9, None, None)
    following.forget()
    assert mediapipe.shown == []
    following.look(IMAGE, SQUARE)
    following.forget()
    following.forget()
    assert mediapipe.shown == [(200, 200, 3), own._NOTHING.shape]


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
