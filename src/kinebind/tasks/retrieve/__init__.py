"""Retrieval: which pose window belongs to an IMU window, and the other way round."""

from kinebind.tasks.retrieve.ranks import Ranks, pair_ranks, ranks
from kinebind.tasks.retrieve.scores import BothWays, Retrieval, drawn_retrieval, retrieval, summary
from kinebind.tasks.retrieve.similarity import cosine, unit

__all__ = [
    "BothWays", "Ranks", "Retrieval", "cosine", "drawn_retrieval", "pair_ranks", "ranks", "retrieval", "summary",
    "unit",
]  # fmt: skip
