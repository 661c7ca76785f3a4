"""The made-up person: whole, smooth, on the floor, never twice the same."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind.body.made_up import made_up_motion
from kinebind.body.segments import posture
from kinebind.errors import InputError


@pytest.fixture(scope="module")
def person():
    return posture(made_up_motion(40.0, np.random.default_rng(1), stature_m=1.75))


def test_every_landmark_is_known_and_stands_upright(person):
    assert person.stature_m == pytest.approx(1.75, rel=0.06)
    assert np.isfinite(person.position_world).all()
    assert (person.point("head")[:, 2] > person.mid_hip()[:, 2]).all()
    # Faces −y at first: what is left lies at +x.
    assert (person.point("left_hip") - person.point("right_hip"))[:, 0].min() > 0


def test_one_foot_is_always_on_the_floor(person):
    feet = np.stack([person.point(f"{side}_ankle")[:, 2] for side in ("left", "right")])
    lowest = feet.min(axis=0)
    assert np.abs(lowest - np.median(lowest)).max() < 0.01
    assert feet.max() - lowest.min() > 0.1


def test_movement_is_brisk_but_human_and_without_jerks(person):
    dt = 1.0 / person.motion.rate_hz
    for joint, fastest in (("left_wrist", 8.0), ("right_ankle", 6.0), ("head", 3.0)):
        velocity = np.gradient(person.point(joint), dt, axis=0)
        speed = np.linalg.norm(velocity, axis=1)
        acceleration = np.linalg.norm(np.gradient(velocity, dt, axis=0), axis=1)
        assert 0.2 < speed.max() < fastest, joint
        assert acceleration.max() < 150, joint


def test_nothing_repeats(person):
    wrist = person.point("left_wrist")[:, 2]
    wrist = wrist - wrist.mean()
    spectrum = np.abs(np.fft.rfft(wrist, 2 * wrist.size)) ** 2
    correlation = np.fft.irfft(spectrum)[: wrist.size // 2]
    assert correlation[int(2.0 * person.motion.rate_hz) :].max() < 0.6 * correlation[0]


def test_a_seed_is_a_person():
    def wrist(seed):
        return made_up_motion(5.0, np.random.default_rng(seed)).rot_parent_from_joint

    np.testing.assert_array_equal(wrist(3), wrist(3))
    assert not np.allclose(wrist(3), wrist(4))


@pytest.mark.parametrize(("duration_s", "rate_hz"), [(0.5, 100.0), (np.nan, 100.0), (10.0, 5.0)])
def test_what_cannot_be_made_up(duration_s, rate_hz):
    with pytest.raises(InputError, match="cannot be made up"):
        made_up_motion(duration_s, np.random.default_rng(0), rate_hz=rate_hz)
