"""The figures of cross-modal retrieval: R@1, R@5, R@10, mean and median rank, from either stream to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from kinebind.errors import InputError
from kinebind.tasks.retrieve.ranks import Ranks, pair_ranks
from kinebind.tasks.retrieve.similarity import Vectors


@dataclass(frozen=True)
class Retrieval:
    """Figures of one direction. r1, r5, r10: share of queries whose item is among the first 1, 5, 10; ranks from 1."""

    r1: float
    r5: float
    r10: float
    mean_rank: float
    median_rank: float
    gallery: int


@dataclass(frozen=True)
class BothWays:
    """Retrieval of the pose by the IMU, and of the IMU by the pose."""

    imu_to_pose: Retrieval
    pose_to_imu: Retrieval

    def flat(self) -> dict[str, float]:
        """Figures by name, as results files hold them: `imu_to_pose_r1` and so on."""
        return {f"{way}_{name}": value for way, own in asdict(self).items() for name, value in own.items()}


def summary(found: Ranks) -> Retrieval:
    """Figures of the ranks of all queries.

    >>> summary(Ranks(better=np.array([0, 3, 7, 0]), tied=np.array([0, 0, 0, 1]), gallery=10))
    Retrieval(r1=0.375, r5=0.75, r10=1.0, mean_rank=3.625, median_rank=2.75, gallery=10)
    """
    expected = found.expected
    r1, r5, r10 = (float(found.hits(k).mean()) for k in (1, 5, 10))
    return Retrieval(r1, r5, r10, float(expected.mean()), float(np.median(expected)), found.gallery)


def retrieval(imu: Vectors, pose: Vectors) -> BothWays:
    """Figures of embeddings (M, D) of the same M windows, all of them the gallery (papers.md 1.4).

    Raises InputError where the two are no pairs, or fewer than two.

    >>> both = retrieval(np.array([[1.0, 0.0], [0.8, 0.6]]), np.array([[1.0, 0.1], [0.9, 0.0]]))
    >>> both.imu_to_pose.r1, both.pose_to_imu.r1
    (0.0, 0.5)
    """
    return BothWays(summary(pair_ranks(imu, pose)), summary(pair_ranks(pose, imu)))


def drawn_retrieval(imu: Vectors, pose: Vectors, size: int = 100, draws: int = 50, seed: int = 0) -> BothWays:
    """Mean figures over galleries of `size` windows, each drawn without replacement from all M.

    Raises InputError where there are fewer than `size` windows.

    >>> drawn_retrieval(np.eye(8), np.eye(8), size=4, draws=3).imu_to_pose.gallery
    4
    """
    if imu.shape[0] < size:
        raise InputError(
            f"A gallery of {size} cannot be drawn from {imu.shape[0]} windows.",
            "Lower the gallery's size, or score a larger split.",
        )
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        rows = rng.choice(imu.shape[0], size, replace=False)
        found.append(retrieval(imu[rows], pose[rows]))
    return BothWays(_mean([f.imu_to_pose for f in found]), _mean([f.pose_to_imu for f in found]))


def _mean(several: Sequence[Retrieval]) -> Retrieval:
    figures = [f.name for f in fields(Retrieval) if f.name != "gallery"]
    mean = {name: float(np.mean([getattr(r, name) for r in several])) for name in figures}
    return Retrieval(**mean, gallery=several[0].gallery)
