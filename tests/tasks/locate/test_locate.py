"""Localisation: whose sensor, which part, each for itself and all together."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.tasks.locate import choose, locate_parts, locate_people

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_together_is_the_best_of_all_assignments(seed, rows, columns):
    scores = np.random.default_rng(seed).normal(size=(rows, columns))
    chosen = choose(scores, np.ones(rows, bool), np.ones(columns, bool), "together")
    given_one = chosen >= 0
    assert given_one.sum() == min(rows, columns) == len(set(chosen[given_one]))
    if rows <= columns:
        options = [list(zip(range(rows), p, strict=True)) for p in itertools.permutations(range(columns), rows)]
    else:
        options = [list(zip(p, range(columns), strict=True)) for p in itertools.permutations(range(rows), columns)]
    best = max(sum(scores[r, c] for r, c in option) for option in options)
    assert scores[given_one, chosen[given_one]].sum() == pytest.approx(best)


@given(seeds)
def test_what_is_not_there_is_never_chosen_and_never_counts(seed):
    rng = np.random.default_rng(seed)
    imu, pose = rng.normal(size=(2, 6, 5, 4))
    worn, seen = rng.random((2, 6, 5)) < 0.7
    worn[0, 0] = seen[0, 0] = True
    for how in ("each", "together"):
        found = locate_parts(imu, pose, worn, seen, how)
        b, n = np.nonzero(found.part >= 0)
        assert worn[b, n].all()
        assert seen[b, found.part[b, n]].all()
        assert (found.asked == (worn & seen)).all()
        # Garbage where nothing is changes no answer.
        other = locate_parts(
            np.where(worn[..., None], imu, 9.0), np.where(seen[..., None], pose, -9.0), worn, seen, how
        )
        assert (other.part == found.part).all()


def test_assignment_uses_what_the_others_are():
    # The right wrist looks a little more like the left one; once the left is taken, it falls into its place.
    imu = np.array([[[1.0, 0.0, 0.0], [0.9, 0.43, 0.0], [0.0, 0.0, 1.0]]])
    pose = np.array([[[1.0, 0.0, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 1.0]]])
    each, together = locate_parts(imu, pose), locate_parts(imu, pose, how="together")
    assert each.part.tolist() == [[0, 0, 2]]
    assert together.part.tolist() == [[0, 1, 2]]
    assert each.scores.accuracy == pytest.approx(2 / 3)
    # F1: left 2·1/(1 + 2), right 0, third 1.
    assert each.scores.macro_f1 == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert together.scores.accuracy == together.scores.macro_f1 == 1.0


def test_more_sensors_than_parts_leaves_one_without():
    imu = np.eye(3)[None]
    found = locate_parts(imu, imu, seen=np.array([[True, True, False]]), how="together")
    assert found.part.tolist() == [[0, 1, -1]]
    assert found.scores.accuracy == 1.0  # the one left over has no part in view and does not count
    spoilt = np.array([[[1.0, 0.1, 0.0], [0.0, 0.1, 1.0], [0.0, 1.0, 0.0]]])
    found = locate_parts(spoilt, imu, seen=np.array([[True, True, False]]), how="together")
    assert found.part.tolist() == [[0, -1, 1]]
    assert found.scores.accuracy == 0.5


def test_only_people_that_were_matched_right():
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(4, 3, 16))
    imu = pose.copy()
    imu[2:] = imu[2:, [1, 2, 0]]
    assert locate_parts(imu, pose).scores.accuracy == 0.5
    people = locate_people(imu.mean(1) * [[1], [1], [-1], [-1]], pose.mean(1), np.array([0, 0, 1, 1]), ["a", "b"] * 2)
    assert people.right.tolist() == [True, True, False, False]
    assert locate_parts(imu, pose, only=people.right).scores.accuracy == 1.0


def by_hand(imu, pose, clip):
    """Naive twin of the choice of each row for itself."""
    out = []
    for i in range(len(clip)):
        candidates = [j for j in range(len(clip)) if clip[j] == clip[i]]
        angle = [pose[j] @ imu[i] / np.linalg.norm(pose[j]) / np.linalg.norm(imu[i]) for j in candidates]
        out.append(candidates[int(np.argmax(angle))])
    return out


@given(seeds)
def test_people_are_sought_in_their_own_clip_in_whatever_order_rows_come(seed):
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(5), [1, 2, 3, 4, 2])
    person = [f"p{i}" for k in range(5) for i in range(int((clip == k).sum()))]
    imu, pose = rng.normal(size=(2, 12, 3))
    found = locate_people(imu, pose, clip, person)
    assert found.row.tolist() == by_hand(imu, pose, clip)
    assert found.scores.accuracy == pytest.approx(found.right.mean())
    assert found.chance == pytest.approx(5 / 12)  # one of each clip, by lot
    order = rng.permutation(12)
    shuffled = locate_people(imu[order], pose[order], clip[order], [person[i] for i in order])
    assert (order[shuffled.row] == found.row[order]).all()


def test_people_together_are_each_taken_once():
    imu = np.array([[1.0, 0.0], [0.9, 0.4]])
    pose = np.array([[1.0, 0.1], [0.1, 1.0]])
    clip, person = np.zeros(2, int), ["ann", "bob"]
    assert locate_people(imu, pose, clip, person).row.tolist() == [0, 0]
    assert locate_people(imu, pose, clip, person, "together").row.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: choose(np.ones((2, 3)), np.ones(2, bool), np.ones(2, bool), "each"), "do not fit"),
        (lambda: choose(np.full((1, 1), np.nan), np.ones(1, bool), np.ones(1, bool), "each"), "not finite"),
        (lambda: locate_parts(np.ones((2, 3, 4)), np.ones((2, 2, 4))), "windows, parts, dimensions"),
        (lambda: locate_parts(np.ones((2, 3, 4)), np.ones((2, 3, 4)), worn=np.ones((2, 2), bool)), "do not fit"),
        (lambda: locate_parts(np.ones((2, 3, 4)), np.ones((2, 3, 4)), only=np.zeros(2, bool)), "No sensor is left"),
        (lambda: locate_people(np.ones((2, 3)), np.ones((2, 3)), np.zeros(2, int), ["a", "a"]), "person twice: a, a"),
        (lambda: locate_people(np.ones((0, 3)), np.ones((0, 3)), np.zeros(0, int), []), "not empty"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(InputError, match=says) as error:
        call()
    assert error.value.fix
