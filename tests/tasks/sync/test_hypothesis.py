"""Readings of a scene: pairings of signals, evidence in windows, sites, sides."""

from __future__ import annotations

import numpy as np
import pytest

import made_up_body
from kinebind import ClockMap
from kinebind.parts import SITES, mirror_site
from kinebind.tasks.sync.cues import NORM_CUES, felt, pair_with_limb, pair_with_sensor
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.hypothesis import beside, summed, window_evidence, windows_evidence, worn_by
from kinebind.tasks.sync.limb_signals import RATE_HZ, track

CLIP = made_up_body.clip(1)
POSES = CLIP.recording.people[0]
PERSON = track(POSES)
SENSORS = tuple(felt(i) for i in CLIP.recording.imus)
TRUTH_S = CLIP.truth["recorder"].offset_s
LAGS = (round((TRUTH_S - 2.0) * RATE_HZ), round((TRUTH_S + 2.0) * RATE_HZ))


def found_s(hypothesis, start=None, stop=None):
    """Lag at the top of the evidence, and that top."""
    start, stop = start or hypothesis.first, stop or hypothesis.stop
    nats = summed(window_evidence(hypothesis, start, stop, *LAGS)[0])
    return (LAGS[0] + int(np.argmax(nats))) / RATE_HZ, float(nats.max())


# -- cues ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gyroscope", [True, False])
def test_every_cue_names_columns_that_are_there(gyroscope):
    imu = CLIP.recording.imus[0]
    sensor = felt(imu if gyroscope else imu.replace(gyr_sensor=None))
    assert sensor.has_rate == gyroscope
    for site in SITES:
        pairing = pair_with_limb(sensor, PERSON, site)
        assert pairing.x.shape[1] > max(i for cue in pairing.cues for i in cue.x)
        assert pairing.y.shape[1] > max(cue.y for cue in pairing.cues)
        names = {cue.name for cue in pairing.cues}
        assert {"turn", "load", "tilt", "bearing"} <= names
        assert ("shake" in names) == gyroscope
        assert all(cue.positive == (cue.name in NORM_CUES) for cue in pairing.cues)
        assert all(len(cue.x) == 1 for cue in pairing.cues if cue.positive)


def test_rows_stand_where_the_clocks_put_them():
    sensor, imu = SENSORS[0], CLIP.recording.imus[0]
    assert sensor.first / RATE_HZ == pytest.approx(imu.time_s[0], abs=1.01 / RATE_HZ)
    pairing = pair_with_limb(sensor, PERSON, "left_wrist")
    assert pairing.y_first == round(PERSON.time_s[0] * RATE_HZ)
    assert pairing.x.shape[0] == sensor.matrix.shape[0]


def test_a_pairing_of_some_cues_keeps_their_columns_and_no_others():
    whole = pair_with_limb(SENSORS[0], PERSON, "left_wrist")
    some = whole.only(NORM_CUES)
    assert some.x.shape[1] < whole.x.shape[1]
    assert {cue.name for cue in some.cues} == set(NORM_CUES)
    for cue in some.cues:
        twin = next(c for c in whole.cues if c.name == cue.name)
        np.testing.assert_array_equal(some.x[:, list(cue.x)], whole.x[:, list(twin.x)])
        np.testing.assert_array_equal(some.y[:, cue.y], whole.y[:, twin.y])


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("first", [-5, 0, 1, 4])
def test_every_nth_row_is_on_the_coarse_grid_of_its_own_clock(step, first):
    whole = pair_with_limb(SENSORS[0], PERSON, "left_wrist")
    moved = type(whole)(whole.x, whole.y, first, 2 * first, whole.cues)
    coarse = moved.every(step)
    for fine_first, fine, coarse_first, rows in (
        (first, whole.x, coarse.x_first, coarse.x), (2 * first, whole.y, coarse.y_first, coarse.y)
    ):  # fmt: skip
        on_grid = np.arange(fine_first, fine_first + fine.shape[0]) % step == 0
        np.testing.assert_array_equal(rows, fine[on_grid])
        assert coarse_first * step == fine_first + int(np.argmax(on_grid))


def test_sensors_of_different_kinds_compare_what_both_have():
    with_rate, without = SENSORS[0], felt(CLIP.recording.imus[1].replace(gyr_sensor=None))
    assert {c.name for c in pair_with_sensor(with_rate, SENSORS[1]).cues} == set(NORM_CUES)
    for a, b in ((with_rate, without), (without, with_rate)):
        # |change of force| is not a turning rate, so these two are not compared.
        assert {c.name for c in pair_with_sensor(a, b).cues} == {"load", "heave"}
    twin = pair_with_sensor(without, without)
    assert {c.name for c in twin.cues} == {"turn", "load", "heave"}


# -- windows ---------------------------------------------------------------------------------------------------


def test_a_window_s_evidence_is_that_of_its_part_of_the_signals():
    """Against one call on the whole sensor and the cut limb, at lags that reach beyond the sensor's ends."""
    hypothesis = worn_by(SENSORS[:1], PERSON, "1")
    pairing = hypothesis.options[0]["left_wrist"]
    start, stop = hypothesis.first + 300, hypothesis.first + 700
    per_sensor, overlap_s = window_evidence(hypothesis, start, stop, -1200, 1200)
    own = pairing.y[start - pairing.y_first : stop - pairing.y_first]
    shift = start - pairing.x_first
    direct, seconds = lagged_evidence(pairing.x, own, pairing.cues, -1200 - shift, 1200 - shift, RATE_HZ)
    np.testing.assert_allclose(overlap_s, seconds, atol=1e-9)
    norms = [k for k, cue in enumerate(pairing.cues) if cue.positive]
    assert norms
    np.testing.assert_allclose(per_sensor[0]["left_wrist"], direct.sum(axis=1), atol=0.3)


@pytest.mark.parametrize("span", [(-5000, -4000), (50_000, 50_100)])
def test_lags_at_which_nothing_meets_have_no_evidence(span):
    hypothesis = worn_by(SENSORS, PERSON, "1")
    per_sensor, overlap_s = window_evidence(hypothesis, hypothesis.first, hypothesis.stop, *span)
    assert (overlap_s == 0.0).all()
    assert all((nats == 0.0).all() for own in per_sensor for nats in own.values())


def test_many_windows_are_windows_one_by_one():
    """Each with lags of its own; the first and the last reach beyond the reference and beyond the sensors."""
    hypothesis = worn_by(SENSORS, PERSON, "1")
    start = np.linspace(hypothesis.first - 30, hypothesis.stop - 170, 120).astype(np.int64)
    first_lag = np.arange(start.size) % 7 * 40 - 120
    together, overlap_s = windows_evidence(hypothesis, start, 200, first_lag, 11)
    assert (overlap_s > 3.0).any()
    assert (overlap_s < 3.0).any()
    for w in range(0, start.size, 9):
        a, first = int(start[w]), int(first_lag[w])
        alone, seconds = window_evidence(hypothesis, a, a + 200, first, first + 10)
        np.testing.assert_allclose(overlap_s[w], seconds, atol=1e-12)
        for many, one in zip(together, alone, strict=True):
            assert many.keys() == one.keys()
            for site in many:
                np.testing.assert_allclose(many[site][w], one[site], atol=1e-6)


def test_a_wide_search_gives_what_a_narrow_one_gives():
    hypothesis = worn_by(SENSORS, PERSON, "1")
    start, stop = hypothesis.first + 100, hypothesis.first + 400
    reach = 2 * (hypothesis.stop - hypothesis.first)
    narrow, narrow_s = window_evidence(hypothesis, start, stop, -reach, reach)
    wide, wide_s = window_evidence(hypothesis, start, stop, -reach - 9000, reach + 5000)
    np.testing.assert_allclose(wide_s, np.pad(narrow_s, (9000, 5000)), atol=1e-12)
    for a, b in zip(wide, narrow, strict=True):
        for site in a:
            np.testing.assert_allclose(a[site], np.pad(b[site], (9000, 5000)), atol=1e-9)


def test_sensors_add_up_and_an_unknown_site_counts_by_its_mean():
    rng = np.random.default_rng(61)
    a, b, c = rng.normal(size=(3, 9))
    np.testing.assert_allclose(summed([{"head": a}, {"chest": b}]), a + b)
    both = summed([{"head": a}, {"chest": b, "pelvis": c}])
    np.testing.assert_allclose(both, a + np.log(0.5 * (np.exp(b) + np.exp(c))))


def test_all_sensors_together_find_the_lag():
    lag_s, nats = found_s(worn_by(SENSORS, PERSON, "1"))
    assert lag_s == pytest.approx(TRUTH_S, abs=0.03)
    alone = [found_s(worn_by((sensor,), PERSON, "1"))[1] for sensor in SENSORS]
    assert nats > max(alone)


# -- sites and sides -------------------------------------------------------------------------------------------


def test_a_given_site_is_the_only_option_and_an_unknown_one_leaves_all():
    unknown = felt(CLIP.recording.imus[0].replace(site=None))
    hypothesis = worn_by((SENSORS[1], unknown), PERSON, "1")
    assert list(hypothesis.options[0]) == ["right_wrist"]
    assert set(hypothesis.options[1]) == set(SITES)
    settled = hypothesis.settled(("right_wrist", "left_wrist"))
    assert [list(own) for own in settled.options] == [["right_wrist"], ["left_wrist"]]


def test_in_a_mirrored_reading_the_other_side_is_looked_at():
    seen_swapped = track(POSES.left_right_swapped())
    plain = found_s(worn_by(SENSORS, PERSON, "1"))
    mirrored = found_s(worn_by(SENSORS, seen_swapped, "1", mirrored=True))
    assert mirrored == pytest.approx(plain)
    wrong = found_s(worn_by(SENSORS, PERSON, "1", mirrored=True))
    assert wrong[1] < 0.5 * plain[1]
    assert list(worn_by(SENSORS, PERSON, "1", mirrored=True).options[0]) == ["left_wrist"]
    assert mirror_site("left_wrist") == "right_wrist"


def test_a_coarse_reading_finds_the_same_from_norms_alone():
    coarse = worn_by(SENSORS, PERSON, "1").coarse(2)
    assert coarse.rate_hz == RATE_HZ / 2
    first, last = LAGS[0] // 2, LAGS[1] // 2
    nats = summed(window_evidence(coarse, coarse.first, coarse.stop, first, last)[0])
    assert (first + int(np.argmax(nats))) / coarse.rate_hz == pytest.approx(TRUTH_S, abs=0.045)


def test_sensors_beside_a_sensor():
    first, second = made_up_body.two_on_one_wrist(2, ClockMap(0.5))
    hypothesis = beside((felt(second),), felt(first))
    assert hypothesis.person == "first"
    nats = summed(window_evidence(hypothesis, hypothesis.first, hypothesis.stop, -100, 100)[0])
    assert (int(np.argmax(nats)) - 100) / RATE_HZ == pytest.approx(0.5, abs=0.021)
