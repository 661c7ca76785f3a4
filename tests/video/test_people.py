"""Whole people out of sightings: joined, left out, merged, parted, mended."""

from __future__ import annotations

import numpy as np
import pytest
from walkers import frame, walker

from kinebind.errors import InputError
from kinebind.parts import COCO17_MIRROR
from kinebind.video.backend import Seen
from kinebind.video.people import people_of, poses_of

TIMES = np.arange(0, 6, 1 / 30)
ANNA = walker((200, 600), (100, 0), colour=1)
BEN = walker((900, 650), (-100, 0), 240.0, colour=5)


def names(people):
    return [p.name for p in people]


def test_names_go_by_how_long_people_are_seen():
    frames = [frame(t, [ANNA(t)] + ([BEN(t)] if t < 4 else [])) for t in TIMES]
    people, notes = people_of(frames)
    assert names(people) == ["1", "2"]
    assert people[0].frame.size == TIMES.size
    assert notes == []
    anna, ben = poses_of(people, frames, (1280, 720))
    np.testing.assert_allclose(anna.keypoints_px[7], ANNA(TIMES[7]).keypoints[:, :2])
    assert ben.time_s[-1] < 4
    assert anna.image_size_px == (1280, 720)


def test_fragments_of_one_person_are_joined():
    """Hidden for longer than the tracker waits, in the same clothes, and nobody else about."""
    frames = [frame(t, [] if 1.5 < t < 4.2 else [ANNA(t)]) for t in TIMES]
    people, _ = people_of(frames)
    assert names(people) == ["1"]


def test_other_clothes_are_another_person():
    other = walker((200, 600), (100, 0), colour=9)
    frames = [frame(t, [] if 1.5 < t < 4.2 else [ANNA(t) if t < 2 else other(t)]) for t in TIMES]
    assert len(people_of(frames)[0]) == 2


@pytest.mark.parametrize("near", [False, True])
def test_who_vanishes_in_the_open_and_is_back_at_once_is_the_same_whatever_she_seems_to_wear(near):
    """As somebody in a somersault against the sun; where others stand by, it may be one of them."""
    other = walker((200, 600), (100, 0), colour=9)
    still = walker((420 if near else 900, 600), (0, 0), colour=5)
    frames = [frame(t, [still(t)] + ([] if 1.9 < t < 2.2 else [ANNA(t) if t < 2 else other(t)])) for t in TIMES]
    assert len(people_of(frames)[0]) == (3 if near else 2)


def test_who_falls_is_the_same_where_she_lands():
    falling = walker((300, 200), (0, 900), colour=1)
    landed = walker((300, 650), (0, 0), colour=9)
    frames = [frame(t, [falling(t) if t < 0.25 else landed(t)] if t < 0.25 or t > 0.5 else []) for t in TIMES]
    assert len(people_of(frames)[0]) == 1


def test_who_is_told_twice_for_a_moment_is_one():
    other = walker((205, 602), (100, 0), colour=9)
    frames = [frame(t, ([ANNA(t)] if t < 3.0 else []) + ([other(t)] if t > 2.95 else [])) for t in TIMES]
    people, _ = people_of(frames)
    assert len(people) == 1
    assert (np.diff(people[0].frame) > 0).all()


def test_nobody_is_joined_across_a_cut():
    at = TIMES.size // 2
    frames = [frame(t, [ANNA(t)], cut=k == at) for k, t in enumerate(TIMES)]
    assert len(people_of(frames)[0]) == 2


def test_the_fleeting_are_left_out_and_told():
    def poor(t):
        seen = walker((600, 200), (0, 0), 80)(t)
        seen.keypoints[4:] = np.nan
        return seen

    frames = [frame(t, [ANNA(t)] + ([BEN(t)] if 1 < t < 1.2 else []) + [poor(t)]) for t in TIMES]
    people, notes = people_of(frames)
    assert names(people) == ["1"]
    assert notes[0].startswith("2 sightings")


def test_a_short_video_has_people_too():
    assert len(people_of([frame(t, [ANNA(t)]) for t in TIMES[:8]])[0]) == 1


def test_the_users_word():
    other = walker((200, 600), (100, 0), colour=9)
    frames = [frame(t, [] if 1.5 < t < 4.2 else [ANNA(t) if t < 2 else other(t)]) for t in TIMES]
    one, _ = people_of(frames, merge=[("1", "2")])
    assert names(one) == ["1"]
    assert (np.diff(one[0].frame) > 0).all()
    two, _ = people_of(frames, merge=[("1", "2")], split=[("1", 5.0)])
    assert names(two) == ["1", "1b"]
    assert frames[two[1].frame[0]].time_s >= 5.0
    with pytest.raises(InputError, match="'7', whom the video does not show") as error:
        people_of(frames, merge=[("1", "7")])
    assert "1, 2" in error.value.fix
    with pytest.raises(InputError, match="leaves nothing of one part"):
        people_of(frames, split=[("1", 99.0)])
    both = [frame(t, [ANNA(t), BEN(t)]) for t in TIMES]
    with pytest.raises(InputError, match=r"at the same time, at 0\.00 s"):
        people_of(both, merge=[("1", "2")])


def flipped(seen: Seen) -> Seen:
    return Seen(seen.keypoints[COCO17_MIRROR], None, seen.colours)


@pytest.mark.parametrize("rate_hz", [15, 30, 120])
def test_short_exchanges_of_left_and_right_are_mended(rate_hz):
    times = np.arange(0, 3, 1 / rate_hz)
    wrong = {k for k, t in enumerate(times) if 1.0 <= t < 1.15 or 2.0 <= t < 2.0 + 1 / rate_hz}
    frames = [frame(t, [flipped(ANNA(t)) if k in wrong else ANNA(t)]) for k, t in enumerate(times)]
    (pose,) = poses_of(people_of(frames)[0], frames, (1280, 720))
    np.testing.assert_allclose(pose.keypoints_px, np.stack([ANNA(t).keypoints[:, :2] for t in times]))
    assert pose.notes == (f"Left and right were exchanged in {len(wrong)} frames; mended.",)


def test_somebody_who_turns_round_is_left_alone():
    frames = [frame(t, [flipped(ANNA(t)) if t > 3 else ANNA(t)]) for t in TIMES]
    (pose,) = poses_of(people_of(frames)[0], frames, (1280, 720))
    assert pose.notes == ()
