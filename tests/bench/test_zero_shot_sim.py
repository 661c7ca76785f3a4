"""Simulated cases and the tasks on them: the sensors lie inside the video, and all methods get the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import made_up_body
from kinebind import InputError
from kinebind.bench import sim_cases
from kinebind.bench import zero_shot_sim as zero_shot
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.bench.measured import figures
from kinebind.bench.offset_finders import ByMatcher, errors_s
from kinebind.bench.sim_cases import SimCases, Spec, case, first_sensors, group, worn_sites
from kinebind.body.segments import posture
from kinebind.parts import COCO17, SITES

BODIES = made_up_body.bodies(3)
SPEC = Spec("clean", 3.0, 1.0, periodic=None)
MATCHER = CorrelationMatcher()


@cache
def one(number: int, spec: Spec = SPEC):
    return case(spec, BODIES, (7, number))


def several(*, others: int = 0, share: float = 1.0) -> SimCases:
    return SimCases(made_up_body.bodies(3, others=others).sources, share=share)


# -- cases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [SPEC, Spec("hard", 2.0, 2.0, sensors=3, rate_hz=50.0, periodic=None)])
def test_the_sensors_piece_is_inside_the_video_at_every_offset_that_is_searched(spec):
    for number in range(5):
        made = one(number, spec)
        imu_s, video_s = made.imus[0].time_s, made.poses.time_s
        assert len(made.imus) == spec.sensors
        assert made.imus[0].rate_hz == pytest.approx(spec.rate_hz, rel=0.03)
        assert -0.01 < imu_s[0] < 0.1
        assert imu_s[-1] == pytest.approx(spec.duration_s, abs=0.1)
        assert video_s[0] == pytest.approx(-spec.range_s, abs=0.2)
        assert video_s[-1] == pytest.approx(spec.duration_s + spec.range_s, abs=0.2)
        assert abs(made.truth.offset_s) <= spec.range_s
        assert abs(made.truth.skew_ppm) <= 50.0


def test_offsets_are_found_and_lie_all_over_the_range():
    cases = [one(number) for number in range(20)]
    assert np.median(errors_s(ByMatcher(MATCHER), cases[:6], (-1.0, 1.0))) < 0.04
    offsets = [c.truth.offset_s for c in cases]
    assert min(offsets) < -0.4
    assert max(offsets) > 0.4


def test_cases_depend_on_their_seed_and_number_alone():
    again, other = case(SPEC, made_up_body.bodies(3), (7, 1)), one(2)
    np.testing.assert_array_equal(again.imus[0].acc_sensor, one(1).imus[0].acc_sensor)
    np.testing.assert_array_equal(again.poses.keypoints_px, one(1).poses.keypoints_px)
    assert again.truth == one(1).truth != other.truth


def test_cases_that_differ_in_one_thing_are_pairs():
    slow = one(1, replace(SPEC, rate_hz=20.0))
    np.testing.assert_array_equal(slow.poses.keypoints_px, one(1).poses.keypoints_px)
    assert slow.truth == one(1).truth
    assert slow.imus[0].site == one(1).imus[0].site
    assert slow.imus[0].rate_hz == pytest.approx(20.0, rel=0.03)


def test_motion_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sim_cases, "_TRIES", 3)
    with pytest.raises(InputError, match="no periodic motion of 5 s in 3 draws"):
        case(replace(SPEC, periodic=True), BODIES, (7, 0))
    assert case(replace(SPEC, periodic=False), BODIES, (7, 0)).truth == one(0).truth


def test_sensors_are_worn_in_order_or_mirrored():
    body = posture(made_up_body.motion(1, 3.0))
    assert set(sim_cases.WORN_IN_ORDER) == set(SITES)
    assert worn_sites(body, 3) == ("right_wrist", "left_shank", "left_wrist")
    assert worn_sites(body, 3, mirrored=True) == ("left_wrist", "right_shank", "right_wrist")
    assert {one(number).imus[0].site for number in range(6)} == {"left_wrist", "right_wrist"}


def test_people_who_are_filmed_together_share_no_file_and_wear_one_site(monkeypatch):
    bodies = made_up_body.bodies(5, 10, others=5)
    found = group("clean", 4.0, 3, bodies, (1, 2))
    assert len({imu.site for imu in found.imus}) == 1
    assert len({p.person for p in found.poses}) == 3
    assert all(imu.duration_s == pytest.approx(4.0, abs=0.1) for imu in found.imus)
    monkeypatch.setattr(sim_cases, "_TRIES", 5)
    with pytest.raises(InputError, match="too few files for 3"):
        group("clean", 4.0, 3, made_up_body.bodies(5, 10, others=1), (1, 2))


def test_cases_are_drawn_once_and_fewer_are_the_first_of_more():
    cases = several()
    first = cases.of(SPEC, 2)
    more = cases.of(SPEC, 3)
    assert all(a is b for a, b in zip(first, more[:2], strict=True))
    assert len(several(share=0.3).of(SPEC, 10)) == 3
    assert len(several(share=0.01).of(SPEC, 10)) == 1
    other = cases.of(SPEC, 1, seed=1)
    assert other[0].truth != first[0].truth


# -- tasks -----------------------------------------------------------------------------------------------------


def test_more_sensors_of_the_same_cases():
    made = one(0, replace(SPEC, sensors=3))
    (two,) = first_sensors([made], 2)
    assert two.imus == made.imus[:2]
    assert two.poses is made.poses


@pytest.fixture
def few(monkeypatch):
    """A handful of cases of each task, whatever their motion does, and two points of each curve."""
    aperiodic = {name: replace(spec, periodic=None) for name, spec in zero_shot.HEADLINE.items()}
    monkeypatch.setattr(zero_shot, "HEADLINE", aperiodic)
    monkeypatch.setattr(zero_shot, "USUAL", replace(zero_shot.USUAL, periodic=None))
    monkeypatch.setattr(zero_shot, "SENSORS", replace(zero_shot.SENSORS, periodic=None, sensors=2))
    monkeypatch.setattr(zero_shot, "PLACES", replace(zero_shot.PLACES, row="clean"))
    monkeypatch.setattr(zero_shot, "RATES_HZ", (50.0, 100.0))
    monkeypatch.setattr(zero_shot, "LENGTHS_S", (2.0, 5.0))
    monkeypatch.setattr(zero_shot, "MOST_PEOPLE", 3)
    # Nothing repeats itself in made-up motion; that it is asked for is seen from the specification.
    asked = []
    draw = sim_cases.case

    def drawn(spec, bodies, seed):
        asked.append(spec)
        return draw(replace(spec, periodic=None), bodies, seed)

    monkeypatch.setattr(sim_cases, "case", drawn)
    cases = several(others=6, share=0.01)
    cases.asked = asked
    return cases


def test_the_headline_asks_for_what_the_protocol_says(few):
    found = figures(zero_shot.headline(few, ByMatcher(MATCHER)), intervals=False)
    names = [f"{name}_within_100ms" for name in ("sim_wrist_3s", "sim_six_2s", "sim_sway_5s")]
    assert {*names, *(f"{name}_periodic" for name in names)} <= set(found)
    assert {(s.row, s.duration_s, s.range_s, s.sensors) for s in few.asked} == {
        ("hard", 3.0, 2.0, 1), ("hard", 2.0, 2.0, 6), ("sway", 5.0, 3.0, 1),
    }  # fmt: skip
    assert sum(s.periodic is True for s in few.asked) == 3
    assert set(zero_shot.trivial(few)) == {f"{name}_predict_zero_within_100ms" for name in zero_shot.HEADLINE}


def test_curves_have_all_their_points_and_compute_the_usual_one_once(few):
    calls = []

    def find(imus, poses, range_s):
        calls.append((len(imus), range_s))
        shown = np.isfinite(poses.keypoints_px[..., 0]).any(axis=0)
        if not shown.all():
            views.append((imus[0].site, tuple(np.flatnonzero(shown))))
        return 0.0, None

    views = []
    found = zero_shot.curves(few, find)
    points = {key.removesuffix("_within_100ms") for key in found if key.endswith("_within_100ms")}
    assert points == {
        "sim_sensors_1", "sim_sensors_2", "sim_row_clean", "sim_row_normal", "sim_row_hard", "sim_row_sway",
        "sim_rate_50hz", "sim_rate_100hz", "sim_length_2s", "sim_length_5s",
        "sim_view_upper", "sim_view_upper_whole", "sim_view_legs", "sim_view_legs_whole",
        "sim_view_side", "sim_view_side_whole",
    }  # fmt: skip
    assert {"sim_length_2s_within_100ms_periodic", "sim_length_5s_median_ms_periodic"} <= set(found)
    for point in ("sim_rate_100hz", "sim_length_5s"):
        same = found[f"{point}_median_ms"].values
        np.testing.assert_array_equal(same, found["sim_row_normal_median_ms"].values)
    # Sensors twice, the usual once, three rows, one rate, one length, six views, and periodic ones.
    per_spec = max(1, round(0.01 * zero_shot.POINT_CLIPS))
    assert len(calls) == per_spec * (2 + 1 + 3 + 1 + 1 + 6) + 2 * max(1, round(0.01 * zero_shot.PERIODIC_CLIPS))
    assert {range_s for _, range_s in calls} == {(-2.0, 2.0)}
    (wrist, upper), (shank, legs), (same, side) = (views[k * per_spec] for k in range(3))
    assert (wrist.partition("_")[2], upper) == ("wrist", tuple(range(11)))
    assert (shank.partition("_")[2], legs) == ("shank", tuple(range(11, 17)))
    assert (same, {COCO17[k].partition("_")[0] for k in side}) == (shank, {"nose", shank.partition("_")[0]})


def test_places_are_found_on_a_clear_view(few):
    found = figures(zero_shot.sites(few, MATCHER) | zero_shot.swapped(few, MATCHER), intervals=False)
    assert found["sim_sites_assigned"] >= found["sim_sites_argmax"] > 0.4
    assert found["sim_sites_argmax_but_for_side"] >= found["sim_sites_argmax"]
    assert found["sim_sites_legs_assigned"] >= found["sim_sites_legs_argmax"] > 0.4
    assert found["sim_sites_upper_assigned"] >= found["sim_sites_upper_argmax"] > 0.4
    assert found["sim_swapped_wrists"] == 1.0
    assert len(few.of(zero_shot.PLACES, zero_shot.CLIPS)[0].imus) == len(SITES)


def test_sides_that_fit_alike_are_a_draw(few):
    class Same(CorrelationMatcher):
        def scores(self, felt, seen, lags_s):
            return np.ones((len(felt), len(seen), lags_s.size))

    assert zero_shot.swapped(few, Same())["sim_swapped_wrists"].of() == 0.5


def test_people_are_told_apart(few):
    found = figures(zero_shot.people(few, MATCHER), intervals=False)
    assert set(found) == {
        f"sim_person_{how}_{count}{ending}"
        for how in ("assigned", "each") for count in (2, 3) for ending in ("", "_2s")
    }  # fmt: skip
    assert found["sim_person_assigned_3"] == 1.0
