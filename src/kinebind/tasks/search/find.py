"""The best stretches of the other kind for a query: ranked, no two of them the same stretch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.nn.universal import TOKEN_S
from kinebind.poses import Poses
from kinebind.tasks.binder import Binder
from kinebind.tasks.search.lags import aligned_scores
from kinebind.tasks.search.stream import TokenStream

SHORTEST_S = 1.0
"""Seconds of data that a query must hold."""
CONTEXT_S = 10.0
"""Seconds before and after an excerpt that are embedded with it."""
APART = 0.5
"""Share of the query's length by which two matches in one stream begin apart at least."""


S = TypeVar("S", Imu, Poses)


@dataclass(frozen=True, eq=False)
class Query:
    """What is looked for: a sensor's excerpt, to be found in poses, or limbs of a clip, to be found in sensors.

    streams: one of a sensor; of a clip one for each limb that may be meant, all with the same times.
    """

    streams: tuple[TokenStream, ...]

    @property
    def start_s(self) -> float:
        """When its first token begins, on its own clock, seconds."""
        return self.streams[0].start_s

    @property
    def duration_s(self) -> float:
        """Seconds of its tokens."""
        return TOKEN_S * len(self.streams[0].tokens)


@dataclass(frozen=True)
class Match:
    """A stretch of the corpus that resembles the query.

    file, name: where it is, and of which person or sensor. site: of a person which limb fits; of a sensor where it is
    worn, None where unknown. query_site: the query's limb that fits, or where its sensor is worn. start_s, end_s: where
    the query's start and end come to lie, on the stream's own clock. score: aligned cosine, 1 at best.
    """

    file: str
    name: str
    site: str | None
    query_site: str | None
    start_s: float
    end_s: float
    score: float


def imu_query(imu: Imu, binder: Binder, start_s: float = -np.inf, end_s: float = np.inf) -> Query:
    """A sensor's excerpt as a query for poses; where its `site` is known, only that limb is looked at.

    start_s, end_s: the excerpt, on the sensor's own clock. What comes before and after is embedded with it, as it is in
    the streams that are searched. Raises InputError where it is shorter than `SHORTEST_S` or breaks the binder's
    contract.
    """
    who = f"Sensor '{imu.name}'"
    stream = TokenStream.of(binder.embed_imu(_around(imu, start_s, end_s)), "imu")
    return _long_enough([_cut(stream, start_s, end_s)], who)


def pose_query(
    poses: Poses, binder: Binder, sites: Sequence[str] | None = None, start_s: float = -np.inf, end_s: float = np.inf
) -> Query:
    """A clip of poses as a query for sensors: the limbs at some sites, by default at all of them.

    start_s, end_s: the clip, on the video's clock; as in `imu_query`. Raises InputError where it is shorter than
    `SHORTEST_S`, or never shows any of the limbs for so long.
    """
    wide = _around(poses, start_s, end_s)
    limbs = [TokenStream.of(binder.embed_pose(wide, s), "pose") for s in sites or binder.contract.sites]
    return _long_enough([_cut(limb, start_s, end_s) for limb in limbs], f"Person '{poses.person}'")


def search(query: Query, streams: Iterable[TokenStream], top: int = 10) -> list[Match]:
    """The `top` stretches of the other kind that fit best, best first, compared at every lag of every stream.

    Limbs of one person (and those of the query) compete for a stretch: each is given once, with the best. Of
    overlapping stretches only the best counts. Streams of the query's own kind are passed over, and sensors and limbs
    whose sites are both known and differ are not compared. Raises InputError where top is not positive.
    """
    if top < 1:
        raise InputError(f"{top} matches cannot be found.", "Ask for one or more.")
    kind = query.streams[0].kind
    groups: dict[tuple[str, str, float, int], list[TokenStream]] = {}
    for stream in streams:
        if stream.kind != kind:
            groups.setdefault((stream.file, stream.name, stream.start_s, len(stream.tokens)), []).append(stream)
    found: list[Match] = []
    for group in groups.values():
        found += _best_of(query, group, top)
    return sorted(found, key=lambda m: (-m.score, m.file, m.name, m.start_s))[:top]


def _best_of(query: Query, group: Sequence[TokenStream], top: int) -> list[Match]:
    """Matches within the limbs of one person, or within one sensor."""
    pairs = [(q, s) for q in query.streams for s in group if None in (q.site, s.site) or q.site == s.site]
    if not pairs:
        return []
    scores = np.stack([aligned_scores(q.tokens, q.there, s.tokens, s.there) for q, s in pairs])
    best, which = scores.max(axis=0), scores.argmax(axis=0)
    length = len(query.streams[0].tokens)
    apart = max(1, int(np.ceil(APART * length)))
    found: list[Match] = []
    while len(found) < top and np.isfinite(best).any():
        k = int(np.argmax(best))
        q, s = pairs[int(which[k])]
        start_s = s.start_s + TOKEN_S * (k - length + 1)
        end_s = start_s + TOKEN_S * length
        found.append(Match(s.file, s.name, s.site, q.site, round(start_s, 3), round(end_s, 3), float(best[k])))
        best[max(0, k - apart + 1) : k + apart] = -np.inf
    return found


def _around(stream: S, start_s: float, end_s: float) -> S:
    """The stretch of a stream that the excerpt's tokens depend on."""
    if not start_s < end_s:
        raise InputError(f"The excerpt ends at {end_s:g} s, before it starts at {start_s:g} s.", "Swap the two.")
    if start_s == -np.inf and end_s == np.inf:
        return stream
    return stream.slice_s(start_s - CONTEXT_S, end_s + CONTEXT_S)


def _cut(stream: TokenStream, start_s: float, end_s: float) -> TokenStream:
    """The tokens whose middle lies in the excerpt."""
    middle_s = stream.start_s + TOKEN_S * (np.arange(len(stream.tokens)) + 0.5)
    first, last = np.searchsorted(middle_s, [start_s, end_s])
    return replace(
        stream, start_s=stream.start_s + TOKEN_S * int(first), tokens=stream.tokens[first:last],
        there=stream.there[first:last],
    )  # fmt: skip


def _long_enough(streams: Sequence[TokenStream], who: str) -> Query:
    """The query of those of the streams that were measured for long enough."""
    measured_s = [TOKEN_S * int(np.count_nonzero(s.there)) for s in streams]
    kept = tuple(s for s, long_s in zip(streams, measured_s, strict=True) if long_s > SHORTEST_S - 0.5 * TOKEN_S)
    if not kept:
        raise InputError(
            f"{who} holds {max(measured_s):.1f} s there that can be compared.",
            f"Give {SHORTEST_S:g} s or more, with data.",
        )
    return Query(kept)
