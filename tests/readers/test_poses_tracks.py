from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.readers.poses_tracks import Detections, PoseOptions, associate, tracks

BODY = np.random.default_rng(0).uniform(-100, 100, (17, 2))


def seen(frames, people, track=None, score=0.9) -> Detections:
    """Detections of bodies that stand at people[k] (one list of (x, y) a frame)."""
    out = Detections()
    for k, places in zip(frames, people, strict=True):
        for index, place in enumerate(places):
            points = np.column_stack([BODY + np.array(place), np.full(17, score)])
            out.add(k, points, None if track is None else track[index])
    return out


def middle(poses):
    return np.nanmean(poses.keypoints_px, axis=1) - BODY.mean(axis=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), rate_hz=st.sampled_from([10.0, 30.0, 60.0]), people=st.integers(2, 4))
def test_identities_survive_shuffling_noise_and_lost_frames(seed, rate_hz, people):
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(3 * rate_hz)) / rate_hz
    # Paths 250 px apart, each walking at up to 60 px/s (a body is 100 px here) and swaying.
    start = 250.0 * np.arange(people)[:, None] + np.array([300.0, 400.0])
    path = start + np.cumsum(rng.uniform(-60, 60, (time_s.size, people, 2)), axis=0) / rate_hz
    frame_of, whom, points = [], [], []
    for k in range(time_s.size):
        for person in rng.permutation(people):
            if rng.random() < 0.1:
                continue
            body = BODY + path[k, person] + rng.normal(scale=3, size=(17, 2))
            body[rng.random(17) < 0.2] = np.nan
            frame_of.append(k)
            whom.append(person)
            points.append(body)
    found = associate(time_s[frame_of], np.array(points))
    for person in range(people):
        assert np.unique(found[np.array(whom) == person]).size == 1
    assert np.unique(found).size == people


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_assignment_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    before, after = rng.uniform(0, 40, (2, 4, 1, 2)) + BODY
    found = associate(np.repeat([0.0, 0.1], 4), np.concatenate([before, after]))
    cost = np.array([[np.linalg.norm(a - b, axis=1).mean() for b in after] for a in before])
    best = min(itertools.permutations(range(4)), key=lambda p: sum(cost[i, p[i]] for i in range(4)))
    np.testing.assert_array_equal(np.argsort(found[4:]), best)


def test_somebody_far_away_is_somebody_else():
    time_s = np.array([0.0, 1 / 30, 2 / 30])
    bodies = BODY + np.array([[[0.0, 0]], [[5.0, 0]], [[500.0, 0]]])
    assert list(associate(time_s, bodies)) == [0, 0, 1]
    # After a long absence nobody is known any more; after a short one somebody nearby is.
    assert list(associate(np.array([0.0, 1.0, 4.0]), BODY + np.zeros((3, 1, 1)))) == [0, 0, 1]


def test_people_are_called_by_how_long_they_are_seen():
    frames = list(range(20))
    places = [[(900.0, 0.0), (100.0 + k, 0.0)] if k < 8 else [(100.0 + k, 0.0)] for k in frames]
    people = tracks(seen(frames, places), PoseOptions(rate_hz=10), "poses.json")
    assert [p.person for p in people] == ["1", "2"]
    assert [p.time_s.size for p in people] == [20, 8]
    np.testing.assert_allclose(middle(people[0])[:, 0], 100 + np.arange(20))
    assert any("told apart" in note for note in people[0].notes)


def test_one_person_at_a_time_is_one_person():
    places = [[(0.0, 0.0)]] * 10 + [[(900.0, 0.0)]] * 10  # the camera is turned
    (person,) = tracks(seen(range(20), places), PoseOptions(rate_hz=10), "poses.json")
    assert person.time_s.size == 20


def test_identities_of_the_file_are_kept():
    frames = list(range(6))
    detections = seen(frames, [[(0.0, 0.0), (5.0, 0.0)]] * 6, track=["7", "anna"])
    detections.add(2, np.column_stack([BODY + 300, np.full(17, 0.1)]), "7")  # a second, less sure one
    detections.add(3, np.column_stack([BODY + 300, np.full(17, 0.1)]), None)
    people = {p.person: p for p in tracks(detections, PoseOptions(rate_hz=10), "poses.json")}
    assert set(people) == {"7", "anna"}
    np.testing.assert_allclose(middle(people["7"]), 0, atol=1e-9)
    assert any("1 detections without an identity" in note for note in people["7"].notes)


@pytest.mark.parametrize(
    ("frames", "first", "expected"),
    [([0, 1, 2], None, [0, 1, 2]), ([1, 2, 5], None, [0, 1, 4]), ([30, 31], None, [30, 31]), ([30, 31], 1, [29, 30]),
     ([1, 2], 0, [1, 2]), ([100, 102], 100, [0, 2])],
)  # fmt: skip
def test_frame_numbers_become_times_and_gaps_stay(frames, first, expected):
    detections = seen(frames, [[(0.0, 0.0)]] * len(frames))
    (person,) = tracks(detections, PoseOptions(rate_hz=25, first_frame=first), "poses.json")
    np.testing.assert_allclose(person.time_s * 25, expected)


def test_an_empty_first_frame_tells_where_the_numbers_start():
    detections = seen([1, 2], [[(0.0, 0.0)]] * 2)
    detections.listed.add(0)
    (person,) = tracks(detections, PoseOptions(rate_hz=25), "poses.json")
    np.testing.assert_allclose(person.time_s * 25, [1, 2])


def test_frame_times_may_be_given_instead_of_a_rate(tmp_path):
    times = np.cumsum(np.random.default_rng(1).uniform(0.02, 0.05, 30))
    detections = seen([3, 4, 9], [[(0.0, 0.0)]] * 3)
    np.savetxt(tmp_path / "times.txt", times)
    np.save(tmp_path / "times.npy", times)
    for given_times in (times, list(times), tmp_path / "times.txt", str(tmp_path / "times.npy")):
        options = PoseOptions(time_s=given_times, first_frame=0)
        np.testing.assert_allclose(tracks(detections, options, "poses.json")[0].time_s, times[[3, 4, 9]])
    (tmp_path / "words.txt").write_text("a b c")
    (tmp_path / "words.npy").write_text("a b c")
    for wrong in (times[:9], -times, times.reshape(2, 15), tmp_path / "words.txt", tmp_path / "words.npy",
                  tmp_path / "none.txt"):  # fmt: skip
        with pytest.raises(InputError):
            tracks(detections, PoseOptions(time_s=wrong, first_frame=0), "poses.json")


def test_zeros_and_scores_of_nothing_are_missing():
    detections = seen([0, 1], [[(500.0, 500.0)]] * 2)
    detections.keypoints[0][3] = (0, 0, 0.5)
    detections.keypoints[0][4, 2] = 0
    detections.keypoints[1][5] = (np.nan, 3, 0.5)
    detections.keypoints[1][6, 2] = -0.1
    (person,) = tracks(detections, PoseOptions(rate_hz=30), "poses.json")
    missing = np.zeros((2, 17), dtype=bool)
    missing[[0, 0, 1, 1], [3, 4, 5, 6]] = True
    np.testing.assert_array_equal(np.isnan(person.keypoints_px[..., 0]), missing)
    np.testing.assert_array_equal(np.isnan(person.scores), missing)


def test_normalised_coordinates_need_the_image_size():
    detections = seen([0, 1], [[(0.0, 0.0)]] * 2)
    for points in detections.keypoints:
        points[:, :2] = (BODY + 100) / 200
    for size in ((1920, 1080), "1920x1080", " 1920 X 1080 "):
        (person,) = tracks(detections, PoseOptions(rate_hz=30, image_size=size), "poses.json")
        np.testing.assert_allclose(person.keypoints_px[0], (BODY + 100) / 200 * [1920, 1080])
        assert person.image_size_px == (1920, 1080)
        assert any("1920x1080" in note for note in person.notes)
    with pytest.raises(InputError, match="--image-size"):
        tracks(detections, PoseOptions(rate_hz=30), "poses.json")
    for wrong in ("1920", (0, 100), (1, 2, 3), "ax b"):
        with pytest.raises(InputError, match="image size"):
            tracks(detections, PoseOptions(rate_hz=30, image_size=wrong), "poses.json")
    for points in detections.keypoints:
        points[:, :2] = BODY / 100
    with pytest.raises(InputError, match="−1 to 1"):
        tracks(detections, PoseOptions(rate_hz=30, image_size=(1920, 1080)), "poses.json")


def test_what_cannot_be_used_is_refused_with_what_to_do():
    two = [[(0.0, 0.0)]] * 2
    for detections, options, reason in (
        (Detections(listed=set(range(12))), PoseOptions(rate_hz=30), "shows no people in 12 frames"),
        (seen([0, 1], two), PoseOptions(), "--fps"),
        (seen([0, 1], two), PoseOptions(rate_hz=0.0), "cannot be"),
        (seen([0, 1], two), PoseOptions(rate_hz=float("nan")), "cannot be"),
        (seen([4, 5], two), PoseOptions(rate_hz=30, first_frame=5), "before the first frame"),
        (seen([0], two[:1]), PoseOptions(rate_hz=30), "nobody is seen in two frames"),
        (seen([0, 1], two, score=0.0), PoseOptions(rate_hz=30), "no visible keypoints"),
    ):
        with pytest.raises(InputError, match=reason):
            tracks(detections, options, "poses.json")
    with pytest.raises(ValueError, match="no frame number"):
        Detections().add(-1, np.zeros((17, 3)), None)
