"""Whole recordings: each sensor goes to its wearer and site, to nobody, or is refused with a reason."""

from __future__ import annotations

import json

import crowd
import numpy as np
import pytest

from kinebind import ClockMap, InputError, Recording
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.tasks.binder import shipped_once
from kinebind.tasks.locate import locate

TWO = crowd.together(1, 2)
SITES = ("left_wrist", "right_wrist", "left_shank", "right_shank")


@pytest.fixture(params=["correlation", "shipped"])
def matcher(request):
    """Plain correlation, and the model that comes with the package as `kinebind locate` uses it."""
    return CorrelationMatcher() if request.param == "correlation" else shipped_once().matcher(told=0.0)


def wearers(result):
    return {f.sensor: f.person for f in result.findings}


def right(recording):
    return {imu.name: imu.name[1] for imu in recording.imus}


def test_sensors_of_two_people_mixed_go_to_their_wearers_and_sites(matcher):
    result = locate(TWO, matcher, sites=SITES)
    assert wearers(result) == right(TWO)
    assert {f.sensor: f.site for f in result.findings} == {i.name: i.name[3:] for i in TWO.imus}
    assert result.all_located
    assert all(f.status == "found" and f.probability > 0.5 and f.margin > 0 and not f.note for f in result.findings)
    assert result.people == ("1", "2")


def test_the_order_of_people_and_sensors_changes_nothing(matcher):
    turned = TWO.replace(people=TWO.people[::-1], imus=TWO.imus[::-1])
    one, other = (locate(r, matcher, sites=SITES) for r in (TWO, turned))
    for finding in one.findings:
        assert other[finding.sensor].person == finding.person
        assert other[finding.sensor].score == pytest.approx(finding.score)


def test_what_nobody_in_view_wears_is_said_to_be_nobodys(matcher):
    result = locate(crowd.together(1, 2, stranger=3), matcher, sites=SITES)
    assert {f.sensor: f.status for f in result.findings if f.sensor.startswith("p3")} == {
        "p3_left_wrist": "nobody", "p3_right_shank": "nobody",
    }  # fmt: skip
    assert wearers(result)["p1_left_wrist"] == "1"
    assert not result.all_located
    nobody = result["p3_left_wrist"]
    assert (nobody.person, nobody.site, nobody.score) == (None, None, 0.0)
    assert nobody.person_probability == nobody.probability > 0.5


def test_left_and_right_that_were_swapped_are_told(matcher):
    said = crowd.declared(TWO, p1_left_wrist="right_wrist", p1_right_shank="left_shank", p2_left_wrist="left_wrist")
    result = locate(said, matcher, sites=SITES)
    wrong = result["p1_left_wrist"]
    assert (wrong.site, wrong.declared_site, wrong.swapped) == ("left_wrist", "right_wrist", True)
    assert "Left and right are swapped: declared right wrist, it fits the left wrist." in wrong.note
    fine = result["p2_left_wrist"]
    assert (fine.site, fine.swapped, fine.note) == ("left_wrist", False, "")
    assert any("person 1 fit the other side" in note for note in result.notes)


def test_another_site_than_declared_is_told(matcher):
    result = locate(crowd.declared(TWO, p1_left_wrist="right_shank"), matcher, sites=SITES)
    assert result["p1_left_wrist"].site == "left_wrist"
    assert not result["p1_left_wrist"].swapped
    assert "Declared right shank, it fits the left wrist." in result["p1_left_wrist"].note


def test_a_declared_site_helps_but_does_not_bind(matcher):
    plain = locate(TWO, matcher, sites=SITES)["p2_right_shank"]
    said = locate(crowd.declared(TWO, p2_right_shank="right_shank"), matcher, sites=SITES)["p2_right_shank"]
    assert said.score > plain.score
    assert said.probability > plain.probability


def test_a_clock_that_is_off_is_found_within_the_range_and_not_without(matcher):
    late = TWO.replace(imus=tuple(i.replace(time_s=i.time_s + 100.3) for i in TWO.imus))
    result = locate(late, matcher, sites=SITES, lag_s=-100.0, range_s=(-1.0, 1.0))
    assert wearers(result) == right(TWO)
    assert result.lags_s["recorder"] == pytest.approx(-0.3, abs=0.021)
    far = locate(late, matcher, sites=SITES, range_s=(-101.0, -99.5))
    assert far.lags_s["recorder"] == pytest.approx(-100.3, abs=0.021)
    assert wearers(far) == right(TWO)
    by_map = {"recorder": ClockMap(-100.3)}
    assert wearers(locate(late, matcher, sites=SITES, lag_s=by_map)) == right(TWO)
    unsynchronised = locate(late, matcher, sites=SITES)
    assert {f.status for f in unsynchronised.findings} == {"unusable"}
    assert "synchronise first" in unsynchronised.findings[0].note
    assert any("not synchronised" in note for note in unsynchronised.notes)


def test_a_person_who_leaves_keeps_the_sensors(matcher):
    half = TWO.people[0].slice_s(0.0, 6.0)
    gone = TWO.people[0].keypoints_px.copy()
    gone[TWO.people[0].time_s > 6.0] = np.nan
    for poses in (half, TWO.people[0].replace(keypoints_px=gone)):
        result = locate(TWO.replace(people=(poses, TWO.people[1])), matcher, sites=SITES)
        assert wearers(result)["p1_left_wrist"] == "1"
        assert wearers(result)["p2_left_wrist"] == "2"


def test_of_one_visible_limb_its_sensor_is_found_and_the_rest_left_open(matcher):
    poses = TWO.people[0]
    keypoints = np.full_like(poses.keypoints_px, np.nan)
    for k in (5, 7, 9):  # the left arm
        keypoints[:, k] = poses.keypoints_px[:, k]
    alone = Recording((poses.replace(keypoints_px=keypoints),), TWO.imus[:2])
    result = locate(alone, matcher, sites=SITES)
    assert (result["p1_left_wrist"].person, result["p1_right_shank"].person) == ("1", None)
    assert "not in view" in result["p1_right_shank"].note
    said = locate(crowd.declared(alone, p1_right_shank="right_shank"), matcher, sites=SITES)["p1_right_shank"]
    assert said.status == "unsure"
    assert "the right shank of person 1 is not in view" in said.note
    # Also where somebody else's is.
    both = locate(alone.replace(people=(alone.people[0], TWO.people[1])), matcher, sites=SITES)["p1_right_shank"]
    assert both.person is None
    assert "right wrist, left shank, right shank of person 1" in both.note


def test_sensors_that_tell_nothing_are_refused_with_the_reason(matcher):
    imu = TWO.imus[0]
    still = np.random.default_rng(0).normal([0.0, 0.0, 9.81], 0.02, imu.acc_sensor.shape)
    lost = imu.acc_sensor.copy()
    lost[100:] = np.nan
    rail = np.clip(imu.acc_sensor, -2.0, 2.0)
    bad = (
        imu.replace(name="constant", acc_sensor=np.full_like(still, 5.66), gyr_sensor=None),
        imu.replace(name="still", acc_sensor=still, gyr_sensor=0.01 * np.ones_like(still)),
        imu.replace(name="lost", acc_sensor=lost),
        imu.replace(name="saturated", acc_sensor=rail, gyr_sensor=None),
    )
    result = locate(TWO.replace(imus=(*TWO.imus, *bad)), matcher, sites=SITES)
    assert {f.sensor: f.status for f in result.findings[4:]} == dict.fromkeys(
        ("constant", "still", "lost", "saturated"), "unusable"
    )
    for name, words in (
        ("constant", "never changes"), ("still", "nothing moves"), ("lost", "1.0 s of samples"), ("saturated", "range"),
    ):  # fmt: skip
        assert words in result[name].note
    assert wearers(result)["p1_left_wrist"] == "1"  # as if the others were not there


def test_sensors_that_tell_less_are_located_with_a_caveat(matcher):
    first, second, third, _ = TWO.imus
    holes = second.acc_sensor.copy()
    holes[(second.time_s % 2.0) < 0.8] = np.nan
    no_gyr = third.gyr_sensor.copy()
    no_gyr[50:] = np.nan
    given = (first.replace(gyr_sensor=None), second.replace(acc_sensor=holes), third.replace(gyr_sensor=no_gyr))
    result = locate(TWO.replace(imus=given), matcher, sites=SITES)
    assert "no gyroscope" in result[first.name].note
    assert "40 % of its samples are missing" in result[second.name].note
    assert "no gyroscope" in result[third.name].note
    assert result[third.name].person == "2"


def test_the_result_is_plain_json(matcher):
    told = json.loads(json.dumps(locate(TWO, matcher, sites=SITES).to_dict(), allow_nan=False))
    assert told["format"] == "kinebind-locate-1"
    assert [s["sensor"] for s in told["sensors"]] == [i.name for i in TWO.imus]
    assert {"person", "site", "probability", "declared_site", "note"} <= set(told["sensors"][0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recording": TWO.replace(imus=())}, "no sensor"),
        ({"recording": TWO.replace(people=())}, "nobody's poses"),
        ({"sites": ()}, "no site"),
        ({"sites": ("tail",)}, "tail"),
        ({"range_s": (1.0, -1.0)}, "before it starts"),
        ({"range_s": (-60.0, 60.0)}, "too wide"),
        ({"lag_s": {"watch": 1.0}}, "clock 'watch'"),
    ],
)
def test_bad_input_is_refused(matcher, change, words):
    given = {"recording": TWO} | change
    with pytest.raises(InputError, match=words):
        locate(given.pop("recording"), matcher, **given)


def test_a_matcher_that_was_never_calibrated_is_refused(monkeypatch):
    monkeypatch.setattr(CorrelationMatcher, "name", "other")
    with pytest.raises(InputError, match="never calibrated"):
        locate(TWO, CorrelationMatcher())
