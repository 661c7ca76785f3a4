"""The paper's voting, its annotation files, and what its grid costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.tasks.sync.annotations import Annotation, draw_annotations, read_annotations, write_annotations
from kinebind.tasks.sync.timing import timing_scores
from kinebind.tasks.sync.vote import sub_window_starts_s, vote

seeds = st.integers(0, 2**32 - 1)


def embedding(time_s, rng, width=64):
    """A perfect model's embedding: a smooth function of the moment alone, the same for either stream."""
    frequency, phase = 3.0 * rng.normal(size=width), rng.uniform(0, 2 * np.pi, width)
    return np.cos(np.outer(time_s, frequency) + phase)


def perfect_answers(offsets_s, clip_s=20.0):
    """Votes on perfect embeddings: the IMU's clip starts at 0 and the pose's at −offset on the common clock."""
    starts_s = sub_window_starts_s(clip_s)
    found = []
    for i, offset_s in enumerate(offsets_s):
        imu = embedding(starts_s, np.random.default_rng(i))
        pose = embedding(starts_s - offset_s, np.random.default_rng(i))
        found.append(vote(imu, pose).offset_s)
    return np.array(found)


def by_loops(imu, pose, hop_s, top):
    """Naive twin."""
    a = imu / np.linalg.norm(imu, axis=1, keepdims=True)
    b = pose / np.linalg.norm(pose, axis=1, keepdims=True)
    votes = {}
    for i in range(len(a)):
        for j in sorted(range(len(b)), key=lambda j: -(a[i] @ b[j]))[:top]:
            votes[j - i] = votes.get(j - i, 0.0) + a[i] @ b[j]
    for j in range(len(b)):
        for i in sorted(range(len(a)), key=lambda i: -(a[i] @ b[j]))[:top]:
            votes[j - i] = votes.get(j - i, 0.0) + a[i] @ b[j]
    return max(votes, key=lambda lag: votes[lag]) * hop_s, votes


@given(seeds, st.integers(3, 12), st.integers(3, 12), st.integers(1, 14))
def test_votes_are_those_of_loops(seed, imus, poses, top):
    rng = np.random.default_rng(seed)
    imu, pose = rng.normal(size=(imus, 4)), rng.normal(size=(poses, 4))
    found, (offset_s, votes) = vote(imu, pose, 0.2, top), by_loops(imu, pose, 0.2, top)
    assert found.offset_s == pytest.approx(offset_s)
    for lag_s, got in zip(found.lag_s, found.votes, strict=True):
        assert got == pytest.approx(votes.get(round(lag_s / 0.2), 0.0))


@given(st.integers(-35, 35))
def test_a_shift_on_the_grid_gives_itself_back(steps):
    assert perfect_answers([0.2 * steps])[0] == pytest.approx(0.2 * steps)


@given(seeds)
def test_exchanging_the_streams_turns_the_sign(seed):
    rng = np.random.default_rng(seed)
    imu, pose = rng.normal(size=(2, 10, 6))
    forth, back = vote(imu, pose), vote(pose, imu)
    assert back.votes == pytest.approx(forth.votes[::-1])
    assert back.offset_s == pytest.approx(-forth.offset_s)


def test_the_grid_costs_a_quarter_of_a_hop_even_for_a_perfect_model():
    offsets_s = np.random.default_rng(7).uniform(-7, 7, 400)
    answers_s = perfect_answers(offsets_s)
    scores = timing_scores(answers_s, offsets_s)
    assert 0.045 < scores.mae_s < 0.055
    # No answer on the grid is nearer to these offsets than the nearest grid point.
    floor_s = np.abs(offsets_s - 0.2 * np.round(offsets_s / 0.2)).mean()
    assert scores.mae_s >= floor_s - 1e-12
    assert scores.within[0.2] == 1.0


def test_offsets_in_tenths_of_a_second_leave_half_of_them_on_the_limit():
    # This is where the paper's ceiling of about a half within 0.1 s comes from.
    offsets_s = np.arange(-70, 71) / 10
    nearest_s = 0.2 * np.floor(offsets_s / 0.2 + 0.5)
    loosely, strictly = (timing_scores(nearest_s, offsets_s, strictly=s) for s in (False, True))
    assert strictly.mae_s == pytest.approx(0.05, abs=0.001)
    assert strictly.within[0.1] == pytest.approx(71 / 141)
    assert loosely.within[0.1] == 1.0


def test_a_constant_embedding_has_no_preference():
    # All lags tie by similarity; the middle has the most pairs, and nothing is claimed beyond.
    assert vote(np.ones((76, 3)), np.ones((76, 3)), top=76).offset_s == 0.0


def test_windows_of_longer_clips():
    assert sub_window_starts_s(20.0).size == 76
    assert sub_window_starts_s(120.0).size == 576
    assert sub_window_starts_s(5.0).tolist() == [0.0]
    with pytest.raises(InputError, match="no sub-window"):
        sub_window_starts_s(4.9)


def test_the_files_offset_has_the_other_sign():
    """Cut a recording as the file says, and see where an event lands: the convention is video minus IMU time."""
    clip = Annotation(0, 30.0, 50.0, "s1", "walk", 1500.0)
    event_s = 40.0
    imu_clock_s, video_clock_s = event_s - clip.start_s, event_s - clip.pose_start_s
    assert clip.offset_s == pytest.approx(video_clock_s - imu_clock_s) == -1.5


def test_cutting_by_the_file_and_voting_gives_the_offset_back():
    rng = np.random.default_rng(3)
    clip = draw_annotations(0.0, 60.0, "s1", "walk", 1, rng)[4]
    starts_s = sub_window_starts_s(20.0)
    imu = embedding(clip.start_s + starts_s, np.random.default_rng(1))
    pose = embedding(clip.pose_start_s + starts_s, np.random.default_rng(1))
    assert vote(imu, pose).offset_s == pytest.approx(clip.offset_s, abs=0.1 + 1e-9)
    assert abs(clip.offset_s) > 0.2


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0.1, 100), st.floats(-7e3, 7e3)), min_size=1, max_size=5))
def test_files_come_back_to_the_last_digit(tmp_path_factory, rows):
    clips = [
        Annotation(i, start, start + length, f"s{i}", "free form" if i % 2 else "7", offset)
        for i, (start, length, offset) in enumerate(rows)
    ]
    path = tmp_path_factory.mktemp("lists") / "list.txt"
    write_annotations(path, clips)
    assert read_annotations(path) == tuple(clips)


def test_drawn_offsets_are_continuous_and_stay_inside_the_recording():
    clips = draw_annotations(100.0, 160.0, "s1", "7", 200, np.random.default_rng(0), first_index=5)
    offsets_s = np.array([c.offset_s for c in clips])
    assert [c.index for c in clips] == list(range(5, 5 + 9 * 200))
    assert all(c.pose_start_s >= 100 and c.pose_end_s <= 160 for c in clips)
    assert np.unique(offsets_s).size == offsets_s.size
    middle = np.array([c.offset_s for c in clips if c.start_s == 120.0])
    assert (middle.min(), middle.max()) == pytest.approx((-7, 7), abs=0.2)
    first = np.array([c.offset_s for c in clips if c.start_s == 100.0])
    assert first.max() <= 0  # the pose can only be cut later


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 1 21 s1 walk\n", "line 1: .*5 fields"),
        ("0 1 21 s1 walk 100\n\n1 x 21 s1 walk 100\n", "line 3: .*'x'"),
        ("0 21 1 s1 walk 100\n", "from 21.0 to 1.0"),
        ("0 1 21 s1 walk nan\n", "offset of nan"),
        ("", "no clips"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, text, says):
    path = tmp_path / "list.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        read_annotations(path)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: read_annotations("nowhere/list.txt"), "cannot be read"),
        (lambda: Annotation(0, 0.0, 20.0, "s 1", "walk", 0.0), "without spaces"),
        (lambda: Annotation(0, 0.0, 20.0, "s1", " ", 0.0), "action ' '"),
        (lambda: draw_annotations(0.0, 19.0, "s1", "walk", 3, np.random.default_rng(0)), "lasts 19 s"),
        (lambda: vote(np.ones((0, 3)), np.ones((4, 3))), "neither empty"),
        (lambda: timing_scores(np.ones(2), np.ones(3)), "same length"),
        (lambda: timing_scores(np.ones(1), np.array([np.nan])), "true offsets"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(InputError, match=says) as error:
        call()
    assert error.value.fix


def test_refusals_count_as_wrong_but_have_no_error():
    scores = timing_scores(np.array([np.nan, 0.0, 0.1, 0.6]), np.array([0.0, 0.0, 0.0, 0.0]))
    assert scores.mae_s == pytest.approx(0.7 / 3)
    assert scores.median_s == pytest.approx(0.1)
    assert scores.within == {0.1: 0.5, 0.2: 0.5, 0.5: 0.5}
    assert scores.answered == 0.75
    assert np.isnan(timing_scores(np.array([np.nan]), np.array([0.0])).mae_s)
