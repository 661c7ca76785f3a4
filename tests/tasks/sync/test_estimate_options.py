"""What the user says to the synchroniser, or leaves out, and what comes back: hints, ranges, people, sites, JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from estimated import CLIP, IMUS, POSES, TRUTH, answered, error_s, with_imus

import made_up_body
from kinebind import ClockMap, InputError, Recording, sync
from kinebind.bench.scenes import FOUR_SITES
from kinebind.tasks.sync import Hint

# -- what the user says ----------------------------------------------------------------------------------------


def test_a_hint_narrows_and_a_wrong_one_does_not_force():
    plain = answered(CLIP.recording)
    right = answered(CLIP.recording, hint=TRUTH.offset_s + 1.5)
    assert right.clock.offset_s == pytest.approx(plain.clock.offset_s, abs=1e-3)
    assert right.notes == ()
    assert abs(right.curve.lag_s - TRUTH.offset_s).max() < 12.0
    wrong = answered(CLIP.recording, hint=Hint(TRUTH.offset_s + 9.0, 4.0, "a file name"))
    assert wrong.clock.offset_s == pytest.approx(plain.clock.offset_s, abs=1e-3)
    assert "a file name" in wrong.notes[0]
    assert "whole range" in wrong.notes[0]
    outside = answered(CLIP.recording, hint=5000.0)
    assert outside.clock.offset_s == pytest.approx(plain.clock.offset_s, abs=1e-3)


@pytest.mark.parametrize("half_s", [0.05, 2.0, 60.0, 3600.0])
def test_a_search_range_of_any_width_holds_the_same_answer(half_s):
    """Narrow ones, and ones far wider than the streams."""
    search_s = (TRUTH.offset_s - half_s, TRUTH.offset_s + half_s)
    result = sync(CLIP.recording, search_s=search_s)
    assert result.search_s == search_s
    assert error_s(result.answers[0]) < 0.02
    assert result.all_answered


def test_a_search_range_without_the_truth_has_no_answer():
    for low, high in ((3.0, 9.0), (-9.0, -3.0)):
        answer = sync(CLIP.recording, search_s=(TRUTH.offset_s + low, TRUTH.offset_s + high)).answers[0]
        assert not answer.answered


def test_the_default_range_is_that_of_all_overlaps():
    result = sync(CLIP.recording)
    low, high = result.search_s
    assert low == pytest.approx(POSES.time_s[0] - max(i.time_s[-1] for i in IMUS) + 3.0, abs=0.05)
    assert high == pytest.approx(POSES.time_s[-1] - min(i.time_s[0] for i in IMUS) - 3.0, abs=0.05)


def test_a_stricter_tolerance_is_less_sure():
    sure = [sync(CLIP.recording, tolerance_s=t).answers[0].confidence for t in (0.002, 0.01, 0.05, 0.5)]
    assert sure == sorted(sure)
    assert sure[0] < sure[-1]


def test_a_person_is_chosen_or_named():
    other = made_up_body.clip(11).recording.people[0].replace(person="passer-by")
    both = Recording((other, POSES.replace(person="wearer")), IMUS)
    answer = answered(both)
    assert answer.person == "wearer"
    assert error_s(answer) < 0.02
    assert any("wearer" in note for note in answer.notes)
    named = sync(both, person="passer-by")
    assert not named.answers[0].answered
    assert named.reference == "passer-by"
    with pytest.raises(InputError, match="nobody-else"):
        sync(both, person="nobody-else")


def test_a_mirrored_video_is_told():
    answer = answered(Recording((POSES.left_right_swapped(),), IMUS))
    assert answer.mirrored
    assert error_s(answer) < 0.02
    assert any("mirrored" in note for note in answer.notes)
    assert [s.site for s in answer.sensors] == list(FOUR_SITES)


def test_unknown_sites_are_found_and_told():
    answer = answered(with_imus(*(imu.replace(site=None) for imu in IMUS)))
    # Poses without feet show the same of a shank and of its foot.
    found = [(s.site or "").replace("foot", "shank") for s in answer.sensors]
    assert found == list(FOUR_SITES)
    assert not any(s.given for s in answer.sensors)
    assert error_s(answer) < 0.02
    assert any("Sites found" in note for note in answer.notes)
    mixed = answered(with_imus(IMUS[0], IMUS[1].replace(site=None)))
    assert [(s.site, s.given) for s in mixed.sensors] == [("left_wrist", True), ("right_wrist", False)]


def test_given_and_unknown_sites_side_by_side():
    """Sites that are given stay, even twice the same; the unknown one takes a place that is free."""
    first, second, third = IMUS[:3]
    same = second.replace(site=first.site)
    answer = sync(with_imus(first, same, third.replace(site=None))).answers[0]
    found = [s.site for s in answer.sensors]
    assert found[:2] == [first.site, first.site]
    assert found[2] != first.site


# -- without a video -------------------------------------------------------------------------------------------


def test_two_sensors_on_one_limb_without_a_video():
    first, second = made_up_body.two_on_one_wrist(10, ClockMap(4.0, 0.0, 10.0))
    result = sync(Recording(imus=(first, second)))
    assert result.reference == "first"
    (answer,) = result.answers
    assert answer.answered
    assert answer.person == "first"
    assert answer.clock.offset_s == pytest.approx(4.0, abs=0.01)
    back = sync(Recording(imus=(first, second)), reference="second").answers[0]
    assert back.clock.offset_s == pytest.approx(-4.0, abs=0.01)
    assert back.person == "second"


def test_a_reference_beside_a_video_is_preferred_where_it_is_named():
    first, second = made_up_body.two_on_one_wrist(10, ClockMap(4.0, 0.0, 10.0))
    result = sync(Recording((POSES,), (first, second)), reference="first")
    assert [a.clock_id for a in result.answers] == ["second"]
    assert result.answers[0].clock.offset_s == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize(("recording", "options", "what"), [
    (Recording((POSES,)), {}, "no sensor"),
    (Recording((), IMUS[:1]), {}, "nobody"),
    (Recording((POSES,), IMUS), {"reference": "gone"}, "'gone'"),
    (Recording((), IMUS[:1]), {"reference": "left_wrist"}, "clock of the reference"),
    (Recording((POSES,), IMUS), {"reference": "left_wrist"}, "clock of the reference"),
])  # fmt: skip
def test_what_cannot_be_synchronised_is_an_error_that_helps(recording, options, what):
    with pytest.raises(InputError, match=what) as error:
        sync(recording, **options)
    assert error.value.fix


# -- results ---------------------------------------------------------------------------------------------------


def test_results_are_json_without_nan_also_of_refusals():
    empty = np.full((IMUS[0].time_s.size, 3), np.nan)
    nothing = IMUS[0].replace(acc_sensor=empty, gyr_sensor=empty, name="empty", clock_id="empty")
    short = IMUS[1].slice_s(3.0, 3.8).replace(name="short", clock_id="short")
    result = sync(Recording((POSES,), (*IMUS, nothing, short)))
    out = json.loads(result.to_json())
    json.dumps(result.to_dict(), allow_nan=False)
    assert out["format"] == "kinebind-sync-1"
    assert [a["clock_id"] for a in out["answers"]] == ["recorder", "empty", "short"]
    assert [a["status"] for a in out["answers"]] == ["answered", "refused", "refused"]
    assert out["answers"][0]["offset_s"] == result["recorder"].clock.offset_s
    assert out["answers"][1]["reason"]["code"] == "too_little_overlap"
    assert not result.all_answered
    with pytest.raises(KeyError):
        result["nobody"]
