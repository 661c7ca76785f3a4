"""The stress test of tracking: IDF1 by its definition, people who hide each other, and what noise does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinebind.bench.video_tracking import (
    REALISTIC,
    VISIBLE,
    Noise,
    clip,
    compared,
    idf1,
    idf1_of,
    run,
    score,
    seen_in,
)
from kinebind.poses import Poses

CLEAN = Noise(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SHORT_S = 6.0


@pytest.fixture(scope="module")
def filmed():
    return clip(3, np.random.default_rng(4), duration_s=8.0)


def truths(filmed, person_of=lambda p, later: p):
    """What a perfect tracker says; `person_of` says who is whom from the middle on."""
    out = []
    half = filmed.time_s.size // 2
    for p in range(filmed.there.shape[1]):
        points = filmed.points_px[:, p].copy()
        there = filmed.there[:, p].copy()
        q = person_of(p, True)
        points[half:], there[half:] = filmed.points_px[half:, q], filmed.there[half:, q]
        out.append(Poses(filmed.time_s[there], points[there], np.ones((there.sum(), 17)), None, str(p)))
    return out


def test_idf1_by_hand():
    """Ristani's own case: the longer of two tracks of one person is hers, the other is false and its part missed."""
    assert idf1_of(np.array([[60, 40]]), np.array([100]), np.array([60, 40])) == pytest.approx(0.6)
    # Two people exchanged after three quarters: each keeps the track of the longer part.
    assert idf1_of(np.array([[75, 25], [25, 75]]), np.array([100, 100]), np.array([100, 100])) == pytest.approx(0.75)
    # Nobody found, or a track of nobody.
    assert idf1_of(np.zeros((1, 0), dtype=int), np.array([10]), np.zeros(0, dtype=int)) == 0.0
    assert idf1_of(np.array([[10, 0]]), np.array([10]), np.array([10, 20])) == pytest.approx(0.5)


def test_the_truth_scores_one(filmed):
    found = compared(filmed, truths(filmed))
    assert found.idf1 == 1.0
    assert found.switches_per_minute == 0.0


def test_exchanged_people_are_punished(filmed):
    exchanged = compared(filmed, truths(filmed, lambda p, _later: {0: 1, 1: 0}.get(p, p)))
    assert 0.6 < exchanged.idf1 < 0.75  # two of three are right for half of the time
    minutes = filmed.there.sum() / 30.0 / 60.0
    assert exchanged.switches_per_minute == pytest.approx(2.0 / minutes)


def test_a_track_of_nobody_is_punished(filmed):
    right = truths(filmed)
    nobody = right[0].replace(keypoints_px=right[0].keypoints_px * 0.1 + 5.0, person="9")
    total = filmed.there.sum()
    assert compared(filmed, [*right, nobody]).idf1 == pytest.approx(2 * total / (2 * total + nobody.time_s.size))


def test_the_nearer_hides_the_farther():
    crowd = clip(8, np.random.default_rng(1), duration_s=SHORT_S)
    alone = clip(1, np.random.default_rng(1), duration_s=SHORT_S)
    assert crowd.visible.mean() < alone.visible.mean() - 0.05
    # Who is nearest of all is hidden by nobody: at most the face, seen from behind, or what the image cuts off.
    nearest = crowd.metre_px.argmax(axis=1)
    frames = np.arange(nearest.size)
    inside = ((crowd.points_px >= 0) & (crowd.points_px <= crowd.image_size_px)).all(axis=-1)[frames, nearest]
    assert (crowd.visible[frames, nearest] == inside)[:, 5:].all()


def test_people_walk_like_people(filmed):
    """Nobody runs or jumps, and bodies keep their size: trunks are half a metre, and a half-metre shows as such."""
    hips = filmed.points_px[:, :, 11:13].mean(axis=2) / filmed.metre_px[..., None]
    speed = np.linalg.norm(np.diff(hips, axis=0), axis=-1) * 30.0
    assert np.percentile(speed, 95) < 3.0
    trunk = np.linalg.norm(filmed.points_px[:, :, 5] - filmed.points_px[:, :, 11], axis=-1) / filmed.metre_px
    assert 0.4 < np.median(trunk) < 0.65


def test_the_noise_is_what_was_asked_for(filmed):
    noise = Noise(3.0, 0.0, 0.1, 0.02, 0.0, 0.0)
    frames = seen_in(filmed, noise, np.random.default_rng(0))
    found = sum(len(f.seen) for f in frames)
    assert found / filmed.there.sum() == pytest.approx(0.98, abs=0.012)
    joints = sum(np.isfinite(s.keypoints[:, 0]).sum() for f in frames for s in f.seen)
    assert joints / filmed.visible[filmed.there].sum() == pytest.approx(0.98 * 0.9, abs=0.02)
    clean = seen_in(filmed, CLEAN, np.random.default_rng(0))
    assert sum(len(f.seen) for f in clean) == filmed.there.sum()
    assert min(np.isfinite(s.keypoints[:, 0]).sum() for f in clean for s in f.seen) >= VISIBLE
    many = seen_in(filmed, replace(CLEAN, false_per_frame=0.5), np.random.default_rng(0))
    assert 0.35 < (sum(len(f.seen) for f in many) - filmed.there.sum()) / filmed.time_s.size < 0.65


def test_one_clip_again_is_the_same():
    assert score(3, REALISTIC, 5, duration_s=SHORT_S) == score(3, REALISTIC, 5, duration_s=SHORT_S)


def test_two_people_are_followed():
    assert idf1(2, CLEAN, 0, duration_s=SHORT_S) > 0.97
    assert idf1(2, REALISTIC, 0, duration_s=SHORT_S) > 0.95


def test_what_is_never_seen_is_missed():
    assert idf1(2, replace(REALISTIC, missed=0.5), 0, duration_s=SHORT_S) < 0.75


def test_figures_have_intervals():
    found = run(clips=2, people=(2,), duration_s=3.0)
    assert set(found) == {
        f"{name}_2{kind}{end}"
        for name in ("idf1", "id_switches")
        for kind in ("", "_alike")
        for end in ("", "_lo", "_hi")
    }
    assert found["idf1_2_lo"] <= found["idf1_2"] <= found["idf1_2_hi"] <= 1.0
