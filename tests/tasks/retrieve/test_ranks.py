"""Ranks: naive twins, ties by lot, and what must not change anything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.tasks.retrieve import Ranks, cosine, drawn_retrieval, pair_ranks, ranks, retrieval, summary, unit

seeds = st.integers(0, 2**32 - 1)


def by_all_orders(scores, right, k):
    """Naive twin: the mean rank and the share of hits over all orders in which equal scores may come to stand."""
    orders = [o for o in itertools.permutations(range(len(scores))) if (np.diff(scores[list(o)]) <= 0).all()]
    places = np.array([o.index(right) + 1 for o in orders])
    return places.mean(), (places <= k).mean()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.integers(1, 5))
def test_ties_are_drawn_by_lot(values, k):
    scores = np.array(values, dtype=float)
    found = ranks(np.tile(scores, (len(values), 1)))
    for right in range(len(values)):
        mean, hits = by_all_orders(scores, right, k)
        assert found.expected[right] == pytest.approx(mean)
        assert found.hits(k)[right] == pytest.approx(hits)


@given(seeds)
def test_the_order_of_the_gallery_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, (6, 9)).astype(float)
    right = rng.integers(0, 9, 6)
    order = rng.permutation(9)
    before, after = ranks(scores, right), ranks(scores[:, order], np.argsort(order)[right])
    assert (before.expected == after.expected).all()
    assert (before.hits(3) == after.hits(3)).all()


@given(seeds)
def test_lengths_of_embeddings_change_nothing(seed):
    rng = np.random.default_rng(seed)
    imu, pose = rng.normal(size=(2, 30, 4))
    scaled = retrieval(imu * rng.uniform(0.1, 10, (30, 1)), pose * rng.uniform(0.1, 10, (30, 1)))
    assert scaled == retrieval(imu, pose)


def test_a_model_that_says_nothing_scores_what_guessing_does():
    same = np.ones((40, 8)) / 3
    both = retrieval(same, same * 7)
    assert both.imu_to_pose.r1 == pytest.approx(1 / 40)
    assert both.pose_to_imu.r10 == pytest.approx(10 / 40)
    assert both.imu_to_pose.mean_rank == both.imu_to_pose.median_rank == 20.5
    assert retrieval(same * 0, same).imu_to_pose.r5 == pytest.approx(5 / 40)  # no embedding at all


def test_blocks_give_what_the_whole_matrix_gives():
    rng = np.random.default_rng(1)
    pose = rng.normal(size=(1500, 6))
    imu = pose + rng.normal(size=pose.shape)
    blocks, whole = pair_ranks(imu, pose), ranks(cosine(imu, pose))
    assert (blocks.better == whole.better).all()
    assert (blocks.tied == whole.tied).all()
    assert blocks.gallery == 1500


def test_float32_and_float64_agree():
    rng = np.random.default_rng(2)
    pose = rng.normal(size=(200, 16)).astype(np.float32)
    imu = pose + rng.normal(size=pose.shape).astype(np.float32)
    assert retrieval(imu, pose) == retrieval(imu.astype(np.float64), pose.astype(np.float64))


def test_hand_computed():
    # Query 0 finds its item first; 1 second; 2 ties with one other for first.
    scores = np.array([[0.9, 0.2, 0.1], [0.8, 0.7, 0.1], [0.5, 0.1, 0.5]])
    figures = summary(ranks(scores))
    assert figures.r1 == pytest.approx((1 + 0 + 0.5) / 3)
    assert figures.r5 == 1.0
    assert figures.mean_rank == pytest.approx((1 + 2 + 1.5) / 3)
    assert figures.median_rank == 1.5


def test_directions_are_not_confused():
    # Both IMU windows look like pose 0 most, so each pose still finds one IMU window.
    imu, pose = np.array([[1.0, 0.0], [0.9, 0.3]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    both = retrieval(imu, pose)
    assert (both.imu_to_pose.r1, both.pose_to_imu.r1) == (0.5, 1.0)
    assert both.flat()["pose_to_imu_r1"] == 1.0


def test_small_galleries_are_easier_and_drawn_alike():
    rng = np.random.default_rng(3)
    pose = rng.normal(size=(400, 8))
    imu = pose + rng.normal(size=pose.shape)
    small, whole = drawn_retrieval(imu, pose, 100, 50, seed=4), retrieval(imu, pose)
    assert small.imu_to_pose.r1 > whole.imu_to_pose.r1 + 0.05
    assert small == drawn_retrieval(imu, pose, 100, 50, seed=4)
    # A gallery of everything is a draw without luck.
    assert drawn_retrieval(imu, pose, 400, 2).imu_to_pose.mean_rank == pytest.approx(whole.imu_to_pose.mean_rank)


def test_the_rank_in_a_drawn_gallery_follows_from_the_whole_one():
    rng = np.random.default_rng(5)
    pose = rng.normal(size=(300, 8))
    imu = pose + 2 * rng.normal(size=pose.shape)
    whole, drawn = pair_ranks(imu, pose).expected, drawn_retrieval(imu, pose, 50, 400)
    # Every other item that is better is drawn with chance 49/299.
    assert drawn.imu_to_pose.mean_rank == pytest.approx(1 + (whole.mean() - 1) * 49 / 299, rel=0.02)


def test_unit_vectors():
    rng = np.random.default_rng(6)
    v = unit(rng.normal(size=(5, 3, 7)) * 1e-30)
    assert np.linalg.norm(v, axis=-1) == pytest.approx(np.ones((5, 3)))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: cosine(np.ones((2, 3)), np.ones((2, 4))), "3 dimensions .* 4"),
        (lambda: unit(np.array([[np.nan, 1.0]])), "not finite"),
        (lambda: pair_ranks(np.ones((2, 3)), np.ones((3, 3))), "not pairs"),
        (lambda: pair_ranks(np.ones((1, 3)), np.ones((1, 3))), "gallery of 1 "),
        (lambda: pair_ranks(np.ones((0, 3)), np.ones((0, 3))), "gallery of 0 "),
        (lambda: ranks(np.zeros((0, 4))), "neither empty"),
        (lambda: ranks(np.array([[np.inf, 1.0]])), "not finite"),
        (lambda: ranks(np.ones((2, 2)), np.array([0, 2])), "right items"),
        (lambda: ranks(np.ones((3, 2))), "right items"),
        (lambda: drawn_retrieval(np.eye(4), np.eye(4), size=5), "gallery of 5 .* 4 windows"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(InputError, match=says) as error:
        call()
    assert error.value.fix


def test_hits_never_fall_with_k():
    found = Ranks(np.array([0, 3, 8]), np.array([2, 0, 5]), 20)
    hits = np.array([found.hits(k) for k in range(1, 21)])
    assert (np.diff(hits, axis=0) >= 0).all()
    assert (hits[-1] == 1).all()
    # The mean rank is the sum of the chances not to have been found yet.
    assert found.expected == pytest.approx(1 + (1 - hits).sum(axis=0))
