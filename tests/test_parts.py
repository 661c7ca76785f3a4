"""Names of sites and keypoints, as people and files write them."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind import InputError
from kinebind.parts import COCO17, COCO17_EDGES, COCO17_MIRROR, SITES, mirror_site, parse_site


@pytest.mark.parametrize(
    ("written", "site"),
    [
        ("L_LowLeg", "left_shank"),
        ("R_UpLeg", "right_thigh"),
        ("LWrist", "left_wrist"),
        ("RThigh", "right_thigh"),
        ("left-forearm", "left_wrist"),
        ("Right Hand", "right_wrist"),
        ("upperArmLeft", "left_upper_arm"),
        ("shin_r", "right_shank"),
        ("LEFT_FOOT", "left_foot"),
        ("sacrum", "pelvis"),
        ("Pelvis", "pelvis"),
        ("Lower Back", "pelvis"),
        ("sternum", "chest"),
        (" head ", "head"),
        ("r ankle", "right_shank"),
        ("rightPocket", "right_thigh"),
    ],
)
def test_the_usual_ways_to_write_a_site(written, site):
    assert parse_site(written) == site


@given(st.sampled_from(SITES), st.sampled_from(["_", "-", " ", "."]), st.booleans(), st.booleans())
def test_every_site_is_understood_however_it_is_spelled(site, between, upper, side_last):
    words = site.split("_")
    if side_last and words[0] in ("left", "right"):
        words = [*words[1:], words[0]]
    written = between.join(words)
    assert parse_site(written.upper() if upper else written) == site


@given(st.sampled_from(SITES))
def test_camel_case(site):
    assert parse_site("".join(word.capitalize() for word in site.split("_"))) == site


@pytest.mark.parametrize("written", ["wrist", "thigh", "lower leg"])
def test_a_limb_without_its_side_is_refused(written):
    with pytest.raises(InputError, match="lacks its side"):
        parse_site(written)


@given(st.text(max_size=12))
def test_any_text_is_a_site_or_an_input_error(text):
    with contextlib.suppress(InputError):
        assert parse_site(text) in SITES


@pytest.mark.parametrize("written", ["", "left", "tail", "left_tail", "IMU_1"])
def test_what_is_no_body_part_is_refused(written):
    with pytest.raises(InputError, match="not a body part") as caught:
        parse_site(written)
    assert "left_wrist" in caught.value.fix


def test_mirroring_twice_is_nothing():
    assert {mirror_site(site) for site in SITES} == set(SITES)
    assert all(mirror_site(mirror_site(site)) == site for site in SITES)
    assert [site for site in SITES if mirror_site(site) == site] == ["head", "chest", "pelvis"]


def test_the_keypoint_mirror_swaps_left_and_right_names():
    for k, name in enumerate(COCO17):
        swapped = name.replace("left", "\0").replace("right", "left").replace("\0", "right")
        assert COCO17[COCO17_MIRROR[k]] == swapped
    assert (COCO17_MIRROR[COCO17_MIRROR] == np.arange(17)).all()


def test_edges_join_keypoints_of_one_side_or_both_halves():
    assert all(0 <= a < 17 and 0 <= b < 17 and a != b for a, b in COCO17_EDGES)
    mirrored = {frozenset((int(COCO17_MIRROR[a]), int(COCO17_MIRROR[b]))) for a, b in COCO17_EDGES}
    assert mirrored == {frozenset(edge) for edge in COCO17_EDGES}
