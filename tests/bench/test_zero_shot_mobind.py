"""MoBind as a rival: learns from the motion it is given, goes on where it stopped, and scores what is on one clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinebind import InputError
from kinebind.bench import zero_shot_mobind as rival
from kinebind.bench.mobind_data import UTD_CONTRACT, MadeUp
from kinebind.bench.scenes import filmed, worn
from kinebind.bench.zero_shot_mobind import MobindMatcher
from kinebind.body.made_up import made_up_motion
from kinebind.body.segments import posture
from kinebind.clock import ClockMap
from kinebind.training.recipe import recipe_from_text

NOW = np.zeros(1)


def source(first: int) -> MadeUp:
    return MadeUp("made-up", (tuple(Path(f"{first + k}-20.made-up") for k in range(2)),))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained for two epochs of two made-up people."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rival, "motion_sources", lambda _, names: [source(1)] if names == ("one", "two") else [])
        patched.setattr(rival, "validation_sources", lambda *_: [source(5)])
        patched.setattr(rival, "LEAST_S", 60.0)
        work = tmp_path_factory.mktemp("work")
        made = rival.trained(Path(), work, ("one", "two"), pairs=500)
        entries = rival.open_store(work / "mobind-one-two/store", UTD_CONTRACT).entries
        again = rival.trained(Path(), work, ("one", "two"), pairs=500)
    for a, b in zip(made.parameters(), again.parameters(), strict=True):
        assert (a == b).all()
    # Two people for some 40 s, so twice, to be a minute.
    assert [e.name for e in entries if e.meta["split"] == "train"] == [f"made-up-221-0-{n}-0-0-0" for n in range(2)]
    assert [e.name for e in entries if e.meta["split"] == "val"] == ["made-up-222-0-0-0-0"]
    return made


@pytest.fixture(scope="module")
def streams():
    body = posture(made_up_motion(6.0, np.random.default_rng(3), rate_hz=50.0))
    span = {"start_s": 0.3, "duration_s": 5.2}
    rng = np.random.default_rng(1)
    imus = worn(body, UTD_CONTRACT.parts, "clean", rng, clocks=[ClockMap(0.0)], video_start_s=0.3, **span)
    return filmed(body, "clean", rng, **span), imus


def test_epochs_come_to_the_pairs_that_are_asked_for(model):
    recipe = recipe_from_text(model.recipe)
    assert recipe.train.max_epochs == 2
    assert recipe.contract == UTD_CONTRACT


def test_scores_are_mean_cosines_of_windows(model, streams):
    poses, imus = streams
    matcher = MobindMatcher(model)
    felt, seen = [matcher.felt(i) for i in imus], [matcher.seen(poses, site) for site in UTD_CONTRACT.parts]
    assert sorted(felt[0]) == [0, 1, 2, 3]  # of 5.2 s, each 2 s
    table = matcher.scores(felt, seen, NOW)
    assert table.shape == (2, 2, 1)
    expected = np.mean([felt[0][k] @ seen[1][k] for k in range(4)])
    assert table[0, 1, 0] == pytest.approx(expected)
    assert np.linalg.norm(felt[1][2]) == pytest.approx(1.0)
    assert not np.allclose(felt[0][0], felt[1][0])


def test_a_window_that_lacks_an_end_counts_and_one_that_lacks_more_does_not(model, streams):
    poses, imus = streams
    matcher = MobindMatcher(model)
    assert sorted(matcher.felt(imus[0].slice_s(0.03, 1.97))) == [0]
    assert matcher.felt(imus[0].slice_s(0.0, 1.2)) == {}
    unseen = poses.keypoints_px.copy()
    unseen[:, 10] = np.nan  # the right wrist
    hidden = poses.replace(keypoints_px=unseen)
    assert matcher.seen(hidden, "right_wrist") == {}
    felt = [matcher.felt(imus[0])]
    assert matcher.scores(felt, [matcher.seen(hidden, "right_wrist")], NOW)[0, 0, 0] == 0.0


def test_what_it_cannot_do_is_said(model, streams):
    poses, imus = streams
    matcher = MobindMatcher(model)
    with pytest.raises(InputError, match="on one clock"):
        matcher.scores([{}], [{}], np.array([0.1]))
    with pytest.raises(InputError, match="no sensor at: head"):
        matcher.seen(poses, "head")
    with pytest.raises(InputError, match="nobody knows where"):
        matcher.felt(imus[0].replace(site=None, name="x"))
