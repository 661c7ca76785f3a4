"""Following people: crossings, hiding, cuts, frame rates."""

from __future__ import annotations

import numpy as np
import pytest
from walkers import walker

from kinebind.video.oks import each_once, no_parts
from kinebind.video.tracker import KEEP_S, Tracker

LEFT_TO_RIGHT = walker((200, 600), (150, 0), colour=1)
RIGHT_TO_LEFT = walker((800, 620), (-150, 0), colour=5)


def followed(times_s, people, hidden=lambda k, t: False):
    """Track numbers by person."""
    tracker = Tracker()
    out = {k: [] for k in range(len(people))}
    for t in times_s:
        there = [k for k in range(len(people)) if not hidden(k, t)]
        for k, number in zip(there, tracker.step(t, [people[k](t) for k in there]), strict=True):
            out[k].append(number)
    return out


@pytest.mark.parametrize("rate_hz", [10, 30, 120])
def test_people_who_cross_stay_who_they_are(rate_hz):
    found = followed(np.arange(0, 4, 1 / rate_hz), [LEFT_TO_RIGHT, RIGHT_TO_LEFT])
    assert len(set(found[0])) == 1
    assert len(set(found[1])) == 1
    assert found[0][0] != found[1][0]


def test_clothes_decide_where_two_come_out_from_behind_each_other():
    """Both are lost in the middle of the crossing, when either could be the other."""
    together = lambda k, t: 1.6 < t < 2.3  # noqa: E731
    found = followed(np.arange(0, 4, 1 / 30), [LEFT_TO_RIGHT, RIGHT_TO_LEFT], together)
    assert len(set(found[0])) == 1
    assert len(set(found[1])) == 1


def test_somebody_hidden_for_a_second_comes_back():
    found = followed(np.arange(0, 4, 1 / 30), [LEFT_TO_RIGHT], lambda k, t: 1.0 < t < 2.0)
    assert len(set(found[0])) == 1


def test_somebody_hidden_for_long_is_somebody_else():
    found = followed(np.arange(0, 3 + KEEP_S, 1 / 30), [LEFT_TO_RIGHT], lambda k, t: 1.0 < t < 1.5 + KEEP_S)
    assert len(set(found[0])) == 2


def test_a_cut_ends_all_tracks():
    tracker = Tracker()
    before = tracker.step(0.0, [LEFT_TO_RIGHT(0.0)])
    assert tracker.step(1 / 30, [LEFT_TO_RIGHT(1 / 30)], cut=True) != before


def test_the_cameras_motion_carries_people_along():
    """A pan of two of a person's widths a frame, told."""
    shift = np.array([[1.0, 0.0, 120.0], [0.0, 1.0, 0.0]])
    tracker, numbers = Tracker(), set()
    for k in range(20):
        seen = walker((200 + 120 * k, 600), (0, 0))(0.0)
        numbers |= set(tracker.step(k / 10, [seen], camera_step=shift if k else None))
    assert len(numbers) == 1


def test_the_order_of_people_does_not_matter():
    first, second = Tracker(), Tracker()
    for t in np.arange(0, 3, 1 / 30):
        people = [LEFT_TO_RIGHT(t), RIGHT_TO_LEFT(t), walker((500, 300), (10, 10), 90)(t)]
        a, b = first.step(t, people), second.step(t, people[::-1])
        if t == 0:
            names = dict(zip(a, b[::-1], strict=True))
        assert [names[n] for n in a] == b[::-1]


def test_people_are_expected_where_they_go():
    tracker = Tracker()
    for t in np.arange(0, 1.5, 1 / 30):
        tracker.step(t, [LEFT_TO_RIGHT(t)])
    (box,) = tracker.expected(1.6)
    np.testing.assert_allclose(box[[0, 2]].mean(), LEFT_TO_RIGHT(1.6).keypoints[:, 0].mean(), atol=12)
    assert tracker.expected(9.0) == []


def test_the_fleeting_are_soon_given_up_and_the_known_are_missed():
    tracker = Tracker()
    known = np.arange(0, 1.5, 1 / 30)
    for t in known:
        fleeting = [walker((500, 300), (0, 0), 90)(t)] if 0.5 < t < 0.75 else []
        tracker.step(t, [LEFT_TO_RIGHT(t), *fleeting])
        if 0.75 < t < 0.85:
            assert tracker.lost(t)
            assert len(tracker.expected(t)) == 2
        elif t > 1.1:
            assert not tracker.lost(t)
            assert len(tracker.expected(t)) == 1
    last = known[-1]
    tracker.step(last + 0.3, [])
    assert tracker.lost(last + 0.3)
    assert len(tracker.expected(last + 0.3)) == 1
    tracker.step(last + 0.8, [])
    assert not tracker.lost(last + 0.8)
    assert tracker.expected(last + 0.8) == []


def test_one_person_seen_twice_is_one():
    person, other = LEFT_TO_RIGHT(0.0).keypoints, RIGHT_TO_LEFT(0.0).keypoints
    poorer = person + np.array([2.0, -1.0, -0.3])
    assert each_once(np.stack([poorer, other, person]), 0.7) == [1, 2]
    assert each_once(person[None], 0.7) == [0]
    assert each_once(np.zeros((0, 17, 3)), 0.7) == []


def test_missing_joints_are_carried_with_the_rest():
    """Legs behind a table for two seconds are no reason to lose anybody."""
    tracker, numbers = Tracker(), set()
    for t in np.arange(0, 4, 1 / 30):
        seen = LEFT_TO_RIGHT(t)
        if 1.0 < t < 3.0:
            seen.keypoints[11:] = np.nan
        numbers |= set(tracker.step(t, [seen]))
    assert len(numbers) == 1


def test_a_part_of_somebody_is_nobody_but_a_child_before_her_is():
    rng = np.random.default_rng(3)
    woman = np.column_stack([rng.uniform([100, 100], [300, 700], (17, 2)), np.ones(17)])
    woman[:2, :2] = [[100, 100], [300, 700]]
    child = np.column_stack([rng.uniform([150, 400], [250, 690], (17, 2)), np.ones(17)])
    thigh = child.copy()
    thigh[8:] = np.nan
    beside = thigh.copy()
    beside[:, 0] += 400.0
    assert no_parts(np.stack([thigh, woman, child, beside])) == [1, 2, 3]
    assert no_parts(np.zeros((0, 17, 3))) == []
