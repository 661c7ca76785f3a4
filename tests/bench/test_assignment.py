"""Tables of sensors against people and sites, and what is chosen from them."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind import ClockMap, InputError
from kinebind.bench.assignment import Together, on_video_clock, people_table, shares_right, sites_table
from kinebind.bench.correlation_matcher import CorrelationMatcher

CLIPS = [made_up_body.clip(k, condition="clean", sites=("left_wrist", "right_wrist"), duration_s=6.0) for k in (1, 2)]
MATCHER = CorrelationMatcher()


class Watched(CorrelationMatcher):
    """Remembers the sensors that it was asked about."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def felt(self, imu):
        self.asked.append((imu.name, imu.site))
        return super().felt(imu)


def test_sensors_assigned_together_may_be_right_where_each_is_not():
    scores = np.array([[0.9, 0.8, 0.0], [0.85, 0.8, 0.0], [0.1, 0.2, 0.9]])
    assert shares_right(scores, 3, "each") == [pytest.approx(2 / 3)]
    assert shares_right(scores, 3, "together") == [1.0]
    assert shares_right(scores, 2, "each") == [0.5, 1.0, 1.0]
    assert shares_right(scores, 1, "each") == [1.0, 1.0, 1.0]


def test_people_are_on_the_diagonal():
    clocked = [on_video_clock(c.recording.imus[0], c.truth["recorder"]) for c in CLIPS]
    table = people_table(MATCHER, Together(tuple(clocked), tuple(c.recording.people[0] for c in CLIPS)))
    assert (np.argmax(table, axis=1) == [0, 1]).all()
    other = people_table(MATCHER, Together(tuple(clocked), tuple(c.recording.people[0] for c in CLIPS[::-1])))
    np.testing.assert_allclose(other, table[:, ::-1])


def test_people_wear_their_sensors_at_one_site():
    imus, poses = CLIPS[0].recording.imus, CLIPS[0].recording.people
    with pytest.raises(InputError, match="one known site"):
        people_table(MATCHER, Together(imus, (*poses, *poses)))
    with pytest.raises(InputError, match="one known site"):
        people_table(MATCHER, Together((imus[0].replace(site=None),), poses))


def test_sites_are_found_and_the_matcher_is_not_told_them():
    watched = Watched()
    (poses,), imus = CLIPS[0].recording.people, CLIPS[0].recording.imus
    table = sites_table(watched, imus, poses, CLIPS[0].truth["recorder"])
    assert (np.argmax(table, axis=1) == [0, 1]).all()
    assert watched.asked == [("imu", None)] * 2
    # With a clock that is a second off, nothing is found.
    late = CLIPS[0].truth["recorder"]
    wrong = sites_table(watched, imus, poses, ClockMap(late.offset_s + 1.0, late.skew, late.ref_time_s))
    assert np.trace(wrong) < 0.5 * np.trace(table)
    with pytest.raises(InputError, match="not all different"):
        sites_table(watched, (imus[0], imus[0]), poses, late)
