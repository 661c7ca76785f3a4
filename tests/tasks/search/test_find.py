"""Matches: the right stretch first, each stretch once, sites that contradict each other never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny_binder

import sync_scene
from kinebind import ClockMap, InputError
from kinebind.tasks.search import Query, TokenStream, imu_query, pose_query, search


def stream(kind, tokens, *, name="a", site="left_wrist", start_s=0.0, file="f"):
    return TokenStream(file, kind, name, site, start_s, tokens, np.ones(len(tokens), dtype=bool))


def tokens(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


SOUGHT = tokens(20, 0)
LONG = tokens(300, 1)
LONG[100:120] = SOUGHT + 0.3 * tokens(20, 2)
LONG[200:220] = SOUGHT + 0.9 * tokens(20, 3)


def test_the_best_comes_first_with_its_times():
    query = Query((stream("imu", SOUGHT),))
    found = search(query, [stream("pose", LONG, start_s=5.0), stream("pose", tokens(100, 4), name="b")], 3)
    assert [(m.name, m.start_s, m.end_s) for m in found[:2]] == [("a", 15.0, 17.0), ("a", 25.0, 27.0)]
    assert found[0].score > found[1].score > 0.6 > found[2].score


def test_a_stretch_is_given_once():
    query = Query((stream("imu", SOUGHT),))
    found = search(query, [stream("pose", LONG)], 50)
    starts = sorted(m.start_s for m in found)
    assert min(np.diff(starts)) >= 1.0 - 1e-9
    assert len(found) > 10


def test_limbs_of_one_person_compete_and_others_do_not():
    query = Query((stream("imu", SOUGHT, site=None),))
    worse = LONG.copy()
    worse[100:120] += 0.5 * tokens(20, 5)
    limbs = [stream("pose", worse, site="left_shank"), stream("pose", LONG), stream("pose", worse, name="b")]
    found = search(query, limbs, 2)
    assert [(m.name, m.site, m.start_s) for m in found] == [("a", "left_wrist", 10.0), ("b", "left_wrist", 10.0)]


def test_sites_that_are_known_and_differ_are_not_compared():
    query = Query((stream("imu", SOUGHT),))
    assert search(query, [stream("pose", LONG, site="right_wrist")]) == []
    (best, *_) = search(query, [stream("pose", LONG, site="left_wrist")], 1)
    assert best.query_site == "left_wrist"


def test_a_clip_of_poses_looks_for_sensors_only_and_says_which_limb():
    limbs = (stream("pose", tokens(20, 8), site="head"), stream("pose", SOUGHT, site="left_wrist"))
    corpus = [stream("imu", LONG, site=None, name="watch"), stream("pose", LONG, name="no sensor")]
    (best,) = search(Query(limbs), corpus, 1)
    assert (best.name, best.site, best.query_site, best.start_s) == ("watch", None, "left_wrist", 10.0)


def test_what_was_not_measured_is_not_matched():
    gap = stream("pose", LONG)
    there = gap.there.copy()
    there[95:125] = False
    (best,) = search(Query((stream("imu", SOUGHT),)), [replace(gap, there=there)], 1)
    assert best.start_s == 20.0


def test_a_stream_finds_itself_in_the_model_own_tokens():
    binder = tiny_binder.binder()
    imu = sync_scene.imu("left_wrist", ClockMap(0.0), 20.0).replace(rot_world_from_sensor=None)
    whole = imu_query(imu, binder).streams[0]
    query = Query((replace(whole, tokens=whole.tokens[70:110], there=whole.there[70:110]),))
    (best,) = search(query, [replace(whole, kind="pose", file="itself")], 1)
    assert best.start_s == pytest.approx(whole.start_s + 7.0)
    assert best.score == pytest.approx(1.0)


def test_an_excerpt_is_embedded_with_what_surrounds_it():
    binder = tiny_binder.binder()
    imu = sync_scene.imu("left_wrist", ClockMap(0.0), 60.0).replace(rot_world_from_sensor=None)
    poses = sync_scene.poses(60.0)
    pairs = (
        (imu_query(imu, binder, 30.0, 33.0), imu_query(imu, binder)),
        (pose_query(poses, binder, ["left_wrist"], 30.0, 33.0), pose_query(poses, binder, ["left_wrist"])),
    )
    for part, whole in pairs:
        assert part.start_s == pytest.approx(30.0, abs=0.051)
        assert part.duration_s == pytest.approx(3.0)
        first = round((part.start_s - whole.start_s) / 0.1)
        tokens = whole.streams[0].tokens[first : first + 30]
        shift_s = part.start_s - whole.start_s - 0.1 * first
        assert abs(shift_s) < 0.051
        # The orientation filter starts anew, and the grids of tokens differ by part of a token.
        likeness = (
            (part.streams[0].tokens * tokens).sum() / np.linalg.norm(part.streams[0].tokens) / np.linalg.norm(tokens)
        )
        assert likeness > 0.97


def test_queries_know_their_limbs_and_refuse_what_is_too_short():
    binder = tiny_binder.binder()
    poses = sync_scene.poses(6.0)
    assert {s.site for s in pose_query(poses, binder).streams} >= {"left_wrist", "right_shank"}
    assert [s.site for s in pose_query(poses, binder, ["left_wrist"]).streams] == ["left_wrist"]
    hidden = poses.keypoints_px.copy()
    hidden[:, 7:11] = np.nan
    armless = poses.replace(keypoints_px=hidden)
    assert "left_wrist" not in {s.site for s in pose_query(armless, binder).streams}
    with pytest.raises(InputError, match=r"Person '1' holds 0\.0 s"):
        pose_query(armless, binder, ["left_wrist"])
    imu = sync_scene.imu("left_wrist", ClockMap(0.0), 20.0).replace(rot_world_from_sensor=None)
    with pytest.raises(InputError, match=r"Sensor 'left_wrist' holds 0\.8 s"):
        imu_query(imu, binder, 3.0, 3.8)
    with pytest.raises(InputError, match="before it starts"):
        imu_query(imu, binder, 3.0, 3.0)
    assert len(imu_query(imu, binder, 3.0, 4.0).streams[0].tokens) == 10
    with pytest.raises(InputError, match="0 matches"):
        search(imu_query(imu, binder), [], 0)
