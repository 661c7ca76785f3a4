"""Who is looked for where by MediaPipe, with made landmarkers in its place that see the people they are told to."""

from __future__ import annotations

import numpy as np
import pytest
from walkers import walker

pytest.importorskip("cv2")

from kinebind.video import mediapipe_backend as own
from kinebind.video.mediapipe_backend import MediaPipeBackend
from kinebind.video.oks import boxes_px

ANNA = walker((300, 600), (0, 0))(0.0)
BEN = walker((330, 610), (0, 0), 260.0)(0.0)
CARA = walker((900, 600), (0, 0))(0.0)
IMAGE = np.zeros((1000, 1400, 3), dtype=np.uint8)


class Scene:
    """What made landmarkers see. everybody: who is in the picture. followed: who is seen instead by who follows."""

    def __init__(self):
        self.everybody = []
        self.followed = None
        self.looks, self.followers = 0, []

    def in_square(self, people, square):
        left, top, side = square
        low, high = np.array([left, top]), np.array([left + side, top + side])
        return [p for p in people if ((p.keypoints[:, :2] > low) & (p.keypoints[:, :2] < high)).all()]


@pytest.fixture
def scene(monkeypatch, tmp_path):
    scene = Scene()

    class Landmarker:
        def __init__(self, model, *, people):
            self.people = people

        def look(self, image, square, *, quarters=0, evened=False):
            scene.looks += 1
            return scene.in_square(scene.everybody, square)[: self.people]

        def close(self):
            pass

    class Follower:
        """Keeps to whoever it sees first."""

        def __init__(self, model):
            scene.followers.append(self)
            self.forgot, self.seen = 0, []

        def look(self, image, square):
            among = scene.in_square(scene.everybody if scene.followed is None else scene.followed, square)
            self.seen.append(among[0] if among else None)
            return self.seen[-1]

        def forget(self):
            self.forgot += 1

        def close(self):
            pass

    model = tmp_path / "m.task"
    model.write_bytes(b"model")
    for name, value in (
        ("Landmarker", Landmarker), ("Follower", Follower), ("needs_mediapipe", lambda: None),
        ("model_file", lambda path: model),
    ):  # fmt: skip
        monkeypatch.setattr(own, name, value)
    return scene


def boxes(*people):
    return list(boxes_px(np.array([p.keypoints for p in people])))


def same(found, *people):
    assert sorted(id(p) for p in found) == sorted(id(p) for p in people)


def test_who_is_followed_is_looked_at_by_nobody_else(scene):
    backend = MediaPipeBackend()
    scene.everybody = [ANNA, CARA]
    same(backend.detect(IMAGE, [], search=True), ANNA, CARA)
    searched = scene.looks
    for around in (boxes(ANNA, CARA), boxes(CARA, ANNA), boxes(ANNA, CARA)):
        same(backend.detect(IMAGE, around, search=False), ANNA, CARA)
    assert scene.looks == searched
    assert len(scene.followers) == 2
    for follower in scene.followers:  # each keeps to one, in whatever order they come
        assert len({id(p) for p in follower.seen}) == 1
    backend.close()


def test_a_stray_follower_is_called_back(scene):
    """Who sees somebody else than should be there is not believed, and begins anew."""
    backend = MediaPipeBackend()
    scene.everybody, scene.followed = [ANNA, CARA], [ANNA]
    wide = boxes(CARA)[0] + np.array([-700.0, -300.0, 300.0, 300.0])  # so that both are in the square around it
    same(backend.detect(IMAGE, [wide], search=False), ANNA, CARA)
    assert scene.looks > 0
    assert scene.followers[0].forgot > 1


def test_two_followers_of_one_person_are_called_back(scene):
    backend = MediaPipeBackend()
    beside = walker((330, 600), (0, 0))(0.0)
    scene.everybody, scene.followed = [ANNA, beside], [beside]
    same(backend.detect(IMAGE, boxes(ANNA, beside), search=False), ANNA, beside)
    assert scene.looks == 2
    assert all(follower.seen == [beside] and follower.forgot == 2 for follower in scene.followers)


def test_of_more_people_than_followers_the_others_are_looked_at(scene):
    crowd = [walker((100.0 + 170.0 * k, 600.0), (0, 0), 150.0)(0.0) for k in range(7)]
    backend = MediaPipeBackend()
    scene.everybody = crowd
    same(backend.detect(IMAGE, boxes(*crowd), search=False), *crowd)
    assert len(scene.followers) == own._FOLLOWERS
    assert scene.looks == len(crowd) - own._FOLLOWERS


def test_in_a_new_scene_nobody_is_followed(scene):
    backend = MediaPipeBackend()
    scene.everybody = [ANNA]
    backend.detect(IMAGE, boxes(ANNA), search=False)
    before = scene.followers[0].forgot
    scene.everybody = [CARA]
    same(backend.detect(IMAGE, [], search=True), CARA)
    assert scene.followers[0].forgot == before + 1


def test_forgetting_ends_all_following(scene):
    backend = MediaPipeBackend()
    scene.everybody = [ANNA, CARA]
    backend.detect(IMAGE, boxes(ANNA, CARA), search=False)
    before = [follower.forgot for follower in scene.followers]
    backend.forget()
    assert [follower.forgot for follower in scene.followers] == [n + 1 for n in before]


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
