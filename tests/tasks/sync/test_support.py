"""How broadly an answer stands: parts of the time, kinds of cues."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind.tasks.sync.cues import felt
from kinebind.tasks.sync.hypothesis import window_evidence, worn_by
from kinebind.tasks.sync.limb_signals import RATE_HZ, track
from kinebind.tasks.sync.support import LONGEST_S, PARTS, support

CLIP = made_up_body.clip(1)
SENSORS = tuple(felt(imu) for imu in CLIP.recording.imus)
HYPOTHESIS = worn_by(SENSORS, track(CLIP.recording.people[0]), "1")
TRUTH_S = CLIP.truth["recorder"].offset_s
ENDS_S = (HYPOTHESIS.first / RATE_HZ, HYPOTHESIS.stop / RATE_HZ)


def test_the_truth_stands_broadly_and_chance_does_not():
    right = support(HYPOTHESIS, TRUTH_S, TRUTH_S, ENDS_S[1])
    wrong = support(HYPOTHESIS, TRUTH_S - 3.0, TRUTH_S, ENDS_S[1])
    assert min(right.parts) > 0.0
    assert min(right.kinds) > 0.0
    assert np.mean(np.array(wrong.parts + wrong.kinds) > 0) < 0.5


def test_shares_are_those_of_the_evidence():
    """The cues add up to the whole, which is that of the window at the lag or beside it."""
    found = support(HYPOTHESIS, TRUTH_S, *ENDS_S)
    assert len(found.parts) == PARTS
    lag = round(TRUTH_S * RATE_HZ)
    per_sensor, overlap_s = window_evidence(HYPOTHESIS, HYPOTHESIS.first, HYPOTHESIS.stop, lag - 1, lag + 1)
    direct = [float(next(iter(own.values())).max()) for own in per_sensor]
    assert sum(found.kinds) == pytest.approx(sum(direct), abs=0.1 * len(SENSORS))
    assert found.data_s == pytest.approx(len(SENSORS) * overlap_s[1], rel=0.01)


def test_where_nothing_meets_nothing_stands():
    found = support(HYPOTHESIS, TRUTH_S + 500.0, *ENDS_S)
    assert found.data_s == 0.0
    assert set(found.parts + found.kinds) == {0.0}


def test_of_a_long_stretch_the_middle_is_looked_at():
    assert support(HYPOTHESIS, TRUTH_S, ENDS_S[0] - 500.0, ENDS_S[1] + 500.0).data_s <= len(SENSORS) * LONGEST_S
