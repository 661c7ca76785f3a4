"""Search: where in a corpus of recordings a sensor's excerpt is seen, or a clip of poses is felt."""

from kinebind.tasks.search.corpus import Corpus, Reader, index_corpus
from kinebind.tasks.search.find import Match, Query, imu_query, pose_query, search
from kinebind.tasks.search.lags import aligned_scores
from kinebind.tasks.search.stream import TokenStream

__all__ = [
    "Corpus", "Match", "Query", "Reader", "TokenStream", "aligned_scores", "imu_query", "index_corpus", "pose_query",
    "search",
]  # fmt: skip
