"""Bodies of real files: upright, facing the way they walk, left on the left, sensors on the skin."""

from pathlib import Path

import numpy as np
import pytest

from kinebind import Motion
from kinebind.body.camera import random_camera
from kinebind.body.detector import NORMAL, film
from kinebind.body.keypoints import coco17_world
from kinebind.body.quaternions import conjugate, multiply, rotate
from kinebind.body.segments import Posture, posture, segment_trajectory
from kinebind.body.sites import site_trajectory
from kinebind.body.weld import chain, mirrored
from kinebind.parts import COCO17, SITES
from kinebind.readers.amc import read_amc
from kinebind.readers.bvh import read_bvh
from kinebind.readers.utd_kinect import read_utd_skeleton
from kinebind.readers.vicon import read_vicon

_BANDAI = "Bandai-Namco-Research-Motiondataset-{}/data/dataset-{}_{}_001.bvh"


def _walks(real_data, name: str) -> Motion:
    """A walk of each source; the idle source stands."""
    if name == "bandai-namco":
        return read_bvh(real_data(name) / _BANDAI.format(1, 1, "walk_normal"))
    if name == "cmu-asfamc":
        return read_amc(real_data(name) / "asfamc/subjects/02/02_01.amc")
    if name == "reactidle":
        return read_bvh(_first(real_data(name), "*.bvh")).slice_s(0.0, 20.0)
    if name == "utd-mhad":
        return read_utd_skeleton(real_data(name) / "Skeleton/a23_s1_t1_skeleton.mat")
    return read_vicon(_first(real_data(name), "rawvicon/*.mat")).slice_s(11.5, 21.0)


def _first(folder: Path, pattern: str) -> Path:
    return sorted(folder.rglob(pattern))[0]


def _in_body(p: Posture, vectors_world: np.ndarray) -> np.ndarray:
    """Vectors in the pelvis's axes: x left, y up, z forward."""
    return rotate(conjugate(segment_trajectory(p, "pelvis").rot_world_from_segment), vectors_world)


_SOURCES = ["bandai-namco", "cmu-asfamc", "reactidle", "utd-mhad", "neura-walk"]


@pytest.mark.parametrize("source", _SOURCES)
def test_people_stand_on_their_feet_and_look_where_their_feet_point(real_data, source):
    p = posture(_walks(real_data, source))
    assert 1.35 < p.stature_m < 1.9
    assert (p.mid_hip()[:, 2] > 0.5 * (p.point("left_ankle") + p.point("right_ankle"))[:, 2] + 0.3).all()
    for side, sign in (("left", 1), ("right", -1)):
        toes = np.median(_in_body(p, p.point(f"{side}_toe") - p.point(f"{side}_ankle"))[:, 2])
        assert toes > (0.0 if source == "utd-mhad" else 0.04)  # a depth camera finds little of a foot
        assert np.median(_in_body(p, p.point(f"{side}_knee") - p.mid_hip())[:, 0]) * sign > 0
        assert (_in_body(p, p.point(f"{side}_hip") - p.mid_hip())[:, 0] * sign > 0).all()
    # A knee bends backwards: in the thigh's axes the ankle never lies in front of it by much.
    for side in ("left", "right"):
        thigh = segment_trajectory(p, f"{side}_thigh").rot_world_from_segment
        ankle = rotate(conjugate(thigh), p.point(f"{side}_ankle") - p.point(f"{side}_knee"))
        assert np.median(ankle[:, 2]) < 0.05
        assert ankle[:, 2].max() < 0.15


@pytest.mark.parametrize("source", ["bandai-namco", "cmu-asfamc", "neura-walk"])
def test_walkers_walk_forwards(real_data, source):
    p = posture(_walks(real_data, source))
    step = _in_body(p, np.gradient(p.mid_hip(), p.motion.time_s, axis=0))
    walking = np.linalg.norm(step, axis=1) > 0.5
    assert walking.mean() > 0.3
    assert (step[walking, 2] > 0).mean() > 0.95


@pytest.mark.parametrize("source", ["bandai-namco", "cmu-asfamc", "reactidle"])
def test_faces_look_forward_from_above_the_shoulders(real_data, source):
    p = posture(_walks(real_data, source))
    points = dict(zip(COCO17, np.moveaxis(coco17_world(p), 1, 0), strict=True))
    ears = 0.5 * (points["left_ear"] + points["right_ear"])
    shoulders = 0.5 * (points["left_shoulder"] + points["right_shoulder"])
    assert np.median(_in_body(p, points["nose"] - ears)[:, 2]) > 0.06
    assert 0.08 < np.median((ears - shoulders)[:, 2]) < 0.3
    assert np.median(_in_body(p, points["left_ear"] - ears)[:, 0]) > 0.04


@pytest.mark.parametrize("source", _SOURCES)
def test_every_keypoint_that_the_skeleton_has_is_finite(real_data, source):
    found = np.isfinite(coco17_world(_walks(real_data, source))).all(axis=(0, 2))
    lacking = {"utd-mhad": 5, "neura-walk": 11}.get(source, 0)
    assert np.array_equal(found, np.arange(17) >= lacking)


@pytest.mark.parametrize("source", ["bandai-namco", "cmu-asfamc", "reactidle"])
def test_knees_and_elbows_are_hinges_about_the_segments_own_axes(real_data, source):
    """A wrong twist of a segment would spread the knee's turning over several axes."""
    p = posture(_walks(real_data, source))
    for side in ("left", "right"):
        rel = multiply(
            conjugate(segment_trajectory(p, f"{side}_thigh").rot_world_from_segment),
            segment_trajectory(p, f"{side}_shank").rot_world_from_segment,
        )
        turn = multiply(conjugate(rel[:-1]), rel[1:])[:, :3]
        if source != "reactidle":  # who stands still bends no knee
            assert (turn[:, 0] ** 2).sum() > 0.95 * (turn**2).sum()


@pytest.mark.parametrize("source", _SOURCES)
def test_sensors_lie_near_the_skin_of_their_segment(real_data, source):
    p = posture(_walks(real_data, source))
    sites = [s for s in SITES if source != "neura-walk" or any(w in s for w in ("pelvis", "thigh", "shank", "foot"))]
    for site in sites:
        path = site_trajectory(p, site, rng=np.random.default_rng(0))
        assert np.isfinite(path.position_world).all(), site
        nearest = np.linalg.norm(p.position_world - path.position_world[:, None], axis=-1).min(axis=1)
        assert np.median(nearest) < 0.3, site


@pytest.mark.parametrize("source", _SOURCES)
def test_every_source_can_be_filmed(real_data, source):
    motion = _walks(real_data, source)
    rng = np.random.default_rng(1)
    shot = film(motion, random_camera(rng, coco17_world(motion)), errors=NORMAL, rng=rng)
    assert shot.duration_s > motion.duration_s - 0.1
    found = np.isfinite(shot.keypoints_px).all(axis=2).mean(axis=0)
    known = np.isfinite(coco17_world(motion)).all(axis=(0, 2))
    assert (found[known] > 0.85).all()
    assert (found[~known] == 0).all()


def test_gestures_are_made_with_the_side_that_their_name_says(real_data):
    for side, other in (("left", "right"), ("right", "left")):
        p = posture(read_bvh(real_data("bandai-namco") / _BANDAI.format(2, 2, f"raise-up-{side}-hand_normal")))
        assert np.ptp(p.point(f"{side}_wrist")[:, 2]) > 0.5 > np.ptp(p.point(f"{other}_wrist")[:, 2])
    waving = posture(read_utd_skeleton(real_data("utd-mhad") / "Skeleton/a3_s1_t1_skeleton.mat"))
    assert np.ptp(waving.point("right_wrist")[:, 2]) > 0.4 > np.ptp(waving.point("left_wrist")[:, 2])


def test_clips_chain_into_a_longer_one_without_spikes(real_data):
    names = ["walk_normal", "bow_normal", "run_normal", "bye_normal"]
    clips = [read_bvh(real_data("bandai-namco") / _BANDAI.format(1, 1, name)) for name in names]
    whole = chain(clips)
    assert whole.duration_s > 12.0

    def peak(motion: Motion) -> float:
        return float(np.linalg.norm(np.diff(posture(motion).position_world, 2, axis=0), axis=-1).max()) * 900

    assert peak(whole) < 1.25 * max(peak(clip) for clip in clips)
    image = posture(mirrored(whole))
    assert np.allclose(image.point("left_wrist") * [-1, 1, 1], posture(whole).point("right_wrist"), atol=1e-9)
