"""UTD-MHAD for any matcher, on made-up clips: every task knows its own truth, and shuffled clips are found again."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import made_up_body
from kinebind.bench import utd, utd_joined
from kinebind.bench import zero_shot_utd as zero_shot
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.bench.measured import figures
from kinebind.bench.offset_finders import ByMatcher, BySync, errors_s, finder_syncwise, finder_zero
from kinebind.bench.scenes import filmed, timing_error_s, worn
from kinebind.body.segments import posture
from kinebind.clock import ClockMap

MATCHER = CorrelationMatcher()
CLASSICAL = BySync("classical")


@cache
def clip(subject: int, action: int, trial: int, length_s: float = 3.0) -> utd.Clip:
    """A made-up person for a few seconds, both streams on one clock from about zero."""
    seed = 1000 * subject + 10 * action + trial
    rng = np.random.default_rng([82, seed])
    body = posture(made_up_body.motion(seed, length_s + 2.0))
    site = "right_wrist" if action < 22 else "right_thigh"
    taken = {"start_s": 0.5, "duration_s": length_s}
    (imu,) = worn(body, (site,), "clean", rng, clocks=[ClockMap(0.5)], rate_hz=50.0, **taken)
    return utd.Clip(action, subject, imu, filmed(body, "clean", rng, fps=20.0, **taken))


def split(people: int = 3, trials: int = 2) -> list[utd.Clip]:
    """Some people in two actions of the wrist and one of the thigh, clips of different lengths."""
    return [
        clip(s, a, t, 3.0 + 0.2 * ((s + t) % 3))
        for a in (1, 2, 22)
        for s in range(1, people + 1)
        for t in range(trials)
    ]


# -- clocks ----------------------------------------------------------------------------------------------------


def test_clips_are_cut_as_the_benchmark_of_synchronisation_cuts_them():
    clips = [*split(2), clip(1, 1, 9, 2.3)]
    wrist, thigh = (zero_shot.clip_cases(clips, site) for site in zero_shot.LIMBS.values())
    assert (len(wrist), len(thigh)) == (8, 4)  # the clip of 2.3 s is too short
    imu, poses, truth = utd.cut(clips[9], np.random.default_rng([31, 9]))
    assert thigh[1].truth == truth
    np.testing.assert_array_equal(thigh[1].poses.time_s, poses.time_s)
    np.testing.assert_array_equal(thigh[1].imus[0].time_s, imu.time_s)


def test_clips_are_synchronised_and_zero_is_not_enough():
    found = figures(zero_shot.clip_sync(split(2), ByMatcher(MATCHER)), intervals=False)
    assert found["utd_wrist_within_100ms"] >= 0.8
    assert found["utd_thigh_within_200ms"] >= 0.7
    zero = zero_shot.trivial(split(2))["utd_wrist_predict_zero_within_100ms"]
    assert found["utd_wrist_within_100ms"] > zero.of() + 0.3
    assert found["utd_wrist_median_ms"] < 60.0


@pytest.mark.parametrize("finder", [finder_syncwise, CLASSICAL])
def test_other_finders_are_asked_alike(finder):
    cases = zero_shot.joined_cases([c for c in split(1, 3) if c.action < 22], "right_wrist", 15.0, 3)
    (error_s,) = errors_s(finder, cases, (-2.0, 2.0))
    assert error_s < {finder_syncwise: 1.0, CLASSICAL: 0.1}[finder]
    _, confidence = finder(cases[0].imus, cases[0].poses, (-2.0, 2.0))
    assert (confidence is None) == (finder is finder_syncwise)


def test_joined_streams_keep_their_clock_and_lose_their_seams():
    clips = [c for c in split(2, 3) if c.action < 22]
    cases = utd_joined.joined_cases(clips, "right_wrist", 8.0, 3)
    assert len(cases) == 4
    assert 0.0 not in {c.truth.offset_s for c in cases}
    for case in cases:
        assert abs(case.truth.offset_s) <= 2.0
        assert case.poses.duration_s == pytest.approx(8.0, abs=0.4)
        assert 0.09 < np.diff(case.imus[0].time_s).max() < 0.4
        assert timing_error_s(case.truth, case.truth, case.imus[0], case.poses) == 0.0
    assert np.median(errors_s(ByMatcher(MATCHER), cases, (-2.0, 2.0))) < 0.05
    assert np.median(errors_s(finder_zero, cases, (-2.0, 2.0))) > 0.3


def test_seams_are_drawn_for_each_stream_by_itself():
    pieces = [utd_joined.middle(c, 3.0) for c in split(1, 3)[:6]]
    imu, poses = utd_joined.join(pieces, [3.0] * 6, np.random.default_rng(0))
    gaps = []
    for time_s, step_s in ((imu.time_s, 0.02), (poses.time_s, 0.05)):
        at = np.flatnonzero(np.diff(time_s) > step_s + 0.05)
        assert at.size == 5
        gaps.append(np.stack([time_s[at], time_s[at + 1]], axis=1))
        np.testing.assert_allclose(np.round(gaps[-1].mean(axis=1) / 3.0), [1, 2, 3, 4, 5])
        assert ((gaps[-1] - 3.0 * np.arange(1, 6)[:, None]) * [-1, 1] > 0.03).all()
    assert np.abs(gaps[0] - gaps[1]).max() > 0.05


# -- retrieval -------------------------------------------------------------------------------------------------


def test_the_middle_is_the_same_time_in_both_streams():
    whole = clip(1, 1, 0)
    imu, poses = utd_joined.middle(whole, 2.0)
    assert imu.duration_s == pytest.approx(2.0, abs=0.03)
    start_s = 0.5 * (utd_joined.duration_s(whole) - 2.0)
    row = np.flatnonzero((whole.imu.acc_sensor == imu.acc_sensor[0]).all(axis=1))[0]
    assert whole.imu.time_s[row] - imu.time_s[0] == pytest.approx(start_s)
    frame = np.flatnonzero(whole.poses.keypoints_px[:, 0, 0] == poses.keypoints_px[0, 0, 0])[0]
    assert whole.poses.time_s[frame] - poses.time_s[0] == pytest.approx(start_s)
    assert utd_joined.middle(whole, 9.0)[0].time_s.size == whole.imu.time_s.size


@pytest.mark.parametrize("retrieval", [zero_shot.retrieval_2s, zero_shot.retrieval_full])
def test_clips_are_found_among_others_in_any_order(retrieval):
    clips = split(3)
    found = retrieval(clips, MATCHER)
    prefix = retrieval.__name__.replace("retrieval", "utd_retrieval")
    r1, r5 = found[f"{prefix}_r1"].of(), found[f"{prefix}_r5"].of()
    assert 0.5 <= r1 <= r5
    both = 0.5 * (found[f"{prefix}_r1_imu_to_pose"].values + found[f"{prefix}_r1_pose_to_imu"].values)
    np.testing.assert_array_equal(found[f"{prefix}_r1"].values, both)
    if retrieval is zero_shot.retrieval_2s:
        order = np.random.default_rng(0).permutation(len(clips))
        shuffled = retrieval([clips[k] for k in order], MATCHER)
        np.testing.assert_array_equal(shuffled[f"{prefix}_r1"].values, found[f"{prefix}_r1"].values[order])
    else:
        assert zero_shot.trivial(clips)[f"{prefix}_length_only_r1"].of() < r1


class Named:
    """A matcher that knows sensor and limb by their names: scores 1 where both are of one clip, less at other sites."""

    name = "named"

    def felt(self, imu):
        return imu.name

    def seen(self, poses, site):
        return f"{poses.person} {site}"

    def scores(self, felt, seen, lags_s):
        table = [[float(f == s) + 0.5 * (f.split()[0] == s.split()[0]) for s in seen] for f in felt]
        return np.repeat(np.array(table)[..., None], lags_s.size, axis=2)


def test_a_sensor_is_compared_with_the_limb_that_it_is_worn_on():
    pairs = []
    for k, c in enumerate(split(2)):
        pairs.append((c.imu.replace(name=f"{k} {c.imu.site}"), c.poses.replace(person=str(k))))
    np.testing.assert_array_equal(zero_shot.score_table(Named(), pairs, zero_shot.NOW_S), 1.5 * np.eye(len(pairs)))


def test_recall_counts_each_direction():
    scores = np.array([[0.9, 0.1, 0.2], [0.8, 0.5, 0.1], [0.95, 0.4, 0.3]])
    found = zero_shot.recall("x", scores)
    np.testing.assert_array_equal(found["x_r1_imu_to_pose"].values, [1, 0, 0])
    np.testing.assert_array_equal(found["x_r1_pose_to_imu"].values, [0, 1, 1])
    np.testing.assert_array_equal(found["x_r1"].values, [0.5] * 3)
    assert found["x_r5"].of() == 1.0


def test_smaller_galleries_are_easier_and_their_mean_is_that_of_the_galleries():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(300, 300)) + 2.0 * np.eye(300)
    whole = zero_shot.recall("x", scores)
    drawn = zero_shot.recall_of_drawn("x", scores, np.random.default_rng(2))
    assert set(drawn) == {key.replace(f"r{k}", f"r{k}_100") for key in whole for k in (1, 5) if f"r{k}" in key}
    assert drawn["x_r1_100"].of() > whole["x_r1"].of() + 0.05
    again, by_gallery = np.random.default_rng(2), []
    for _ in range(zero_shot.DRAWS):
        index = again.choice(300, 100, replace=False)
        by_gallery.append(zero_shot.recall("x", scores[np.ix_(index, index)])["x_r5_pose_to_imu"].of())
    assert drawn["x_r5_100_pose_to_imu"].of() == pytest.approx(np.mean(by_gallery))


def test_trimming_leaves_the_lengths_of_a_pair_unequal():
    amounts = []
    for seed in range(20):
        imu, poses = zero_shot.trimmed(clip(1, 1, 0), np.random.default_rng(seed))
        amounts.append(3.2 - imu.duration_s - (3.2 - poses.duration_s))
        assert -0.01 < imu.time_s[0] < 0.03
        assert -0.01 < poses.time_s[0] < 0.06
    assert np.std(amounts) > 0.08


# -- people ----------------------------------------------------------------------------------------------------


def test_people_are_told_apart_by_what_their_wrists_feel():
    found = figures(zero_shot.people(split(3), MATCHER), intervals=False)
    assert set(found) == {
        f"utd_person_{how}_{count}{ending}"
        for how in ("assigned", "each")
        for count in (2, 3)
        for ending in ("", "_2s")
    }
    assert found["utd_person_assigned_3"] == 1.0
    assert found["utd_person_each_3"] > 0.6
    assert found["utd_person_assigned_2_2s"] > 0.7


def test_groups_are_of_one_action_and_share_their_seams():
    joined = utd_joined.together(split(3, 3), 1)
    assert len(joined) == 2
    for found in joined:
        assert len(found.imus) == len(found.poses) == 3
        ends = [imu.time_s[-1] for imu in found.imus]
        assert max(ends) < 9.0
        # Clip by clip as long for all, though the clips are not: the gaps lie about the same seams.
        gaps = [i.time_s[np.argsort(-np.diff(i.time_s), kind="stable")[:2]] for i in found.imus]
        assert np.ptp([np.sort(g) for g in gaps], axis=0).max() < 0.2
    assert len(utd_joined.together(split(3, 3), 1, length_s=2.0)) == 2 * 3


# -- the real set ----------------------------------------------------------------------------------------------


def test_development_clips_hold_what_the_tasks_need(real_data):
    clips = list(utd.clips(real_data("utd-mhad"), utd.DEVELOPMENT[:1]))
    assert [len(zero_shot.clip_cases(clips, site)) for site in zero_shot.LIMBS.values()] == [83, 24]
    assert all(abs(imu.duration_s - 1.98) < 0.03 for imu, _ in (utd_joined.middle(c, 2.0) for c in clips[::9]))
    assert len(utd_joined.joined_cases(clips, "right_thigh", 20.0, 1)) >= 3
