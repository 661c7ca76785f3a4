"""Tracks taken apart where people hide each other, and joined again with both sides of each doubt known.

A tracker must say at once who comes out from behind whom. Afterwards more is known: where everybody went before and
after, and what they wore in all frames in which nobody was in the way. So of every track only the stretches count in
which a person stands clear; these are joined, all together, by place, velocity, size and clothes; and what was seen in
between goes to whom it lies nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kinebind.clock import FloatArray
from kinebind.video.camera_motion import apply
from kinebind.video.found import FrameFound
from kinebind.video.oks import boxes_px, metre_px
from kinebind.video.tracker import JOINT_WEIGHT, other_clothes, walked

IntArray = npt.NDArray[np.int64]

JOIN_S, DRESSED_JOIN_S = 3.0, 10.0
"""Stretches farther apart in time than this are not joined here; the latter where both show what they wear."""
_CLEAR_JOINTS = 6
_COVERED = 0.25
"""Somebody whose box another covers by this share, of the smaller one, does not stand clear."""
_LEAST_S, _LEAST_FRAMES = 0.1, 3
_BRIDGE_S = 0.07
"""A doubt, or a gap, that is shorter than this is none."""
_EDGE_S = 0.4
"""How much of a stretch's end tells where it goes."""
_PLACE_M, _SPEED_M_S = 0.08, 0.35
"""Error of the place and of the velocity at an end, on each axis."""
_CLOTHES, _FEW_COLOURS = 40.0, 4.0
_SIZE = 0.15
_NEW = 13.0
_LOST = 9.0
"""What it costs at most that somebody was out of sight and went on otherwise than expected: she is still about."""
_COLOURS_KNOWN = 3
_MARGINS = (6.0, 4.0, 2.0, 0.0)
_SAME_TRACK = 2.5
_NEAR_M = 0.6
_TRACK_M = 0.15


@dataclass(frozen=True, eq=False)
class Sightings:
    """All that was followed: (N,) number of the frame, index in it, track; keypoints (N, 17, 2) in a steady picture."""

    frame: IntArray
    index: IntArray
    track: IntArray
    time_s: FloatArray
    points: FloatArray
    metre: FloatArray
    colours: tuple[FloatArray | None, ...]
    place: IntArray
    """(N,) number of the picture that places are told in; those in different ones cannot be compared."""
    shot: IntArray


@dataclass(frozen=True, eq=False)
class _Stretch:
    """A stretch of a track: rows of the sightings, and at its two ends keypoints (17, 2) px and velocity (2,) px/s."""

    rows: IntArray
    ends: tuple[FloatArray, FloatArray]
    velocities: tuple[FloatArray, FloatArray]
    metre: tuple[float, float]
    colours: FloatArray | None
    colour_count: int


def sightings(frames: Sequence[FrameFound], tracks: Sequence[tuple[IntArray, IntArray]]) -> Sightings:
    """Of tracks as (frame, index) each. The camera's motion is taken out where it is known."""
    track = np.concatenate([np.full(f.size, k) for k, (f, _) in enumerate(tracks)])
    frame, index = (np.concatenate([t[i] for t in tracks]) for i in (0, 1))
    order = np.lexsort((track, frame))
    track, frame, index = track[order], frame[order], index[order]
    seen = [frames[f].seen[i] for f, i in zip(frame, index, strict=True)]
    points = np.stack([s.keypoints[:, :2] for s in seen])
    place = np.full(frame.size, -1)
    for row, f in enumerate(frame):
        maps = frames[f].camera.from_key
        if np.isfinite(maps).all():
            inverse = np.linalg.inv(maps[:, :2])
            points[row] = apply(np.column_stack([inverse, -inverse @ maps[:, 2]]), points[row])
            place[row] = frames[f].camera.key
    shot = np.cumsum([f.cut for f in frames])[frame]
    time_s = np.array([frames[f].time_s for f in frame])
    return Sightings(frame, index, track, time_s, points, metre_px(points), tuple(s.colours for s in seen), place, shot)


def rejoined(all_seen: Sightings) -> list[IntArray]:
    """Rows of the sightings of each person, in order of time."""
    stretches = _stretches(all_seen)
    if not stretches:
        return [np.flatnonzero(all_seen.track == t) for t in np.unique(all_seen.track)]
    # Those without colours would break the chain of what is known of the clothes.
    if sum(x.colour_count >= _COLOURS_KNOWN for x in stretches) > 0.3 * len(stretches):
        stretches = [x for x in stretches if x.colour_count >= _COLOURS_KNOWN]
    whole, parts = list(stretches), [[k] for k in range(len(stretches))]
    # The certain first: of longer stretches more is known.
    for margin in _MARGINS:
        chains = chained(_links(all_seen, whole), len(whole), margin)
        parts = [[k for i in chain for k in parts[i]] for chain in chains]
        whole = [_together([whole[i] for i in chain]) for chain in chains]
    return _filled(all_seen, stretches, parts)


def _together(some: Sequence[_Stretch]) -> _Stretch:
    """Stretches of one person as one."""
    if len(some) == 1:
        return some[0]
    first, last = some[0], some[-1]
    count = sum(x.colour_count for x in some)
    colours = np.sum([x.colour_count * x.colours for x in some if x.colours is not None], axis=0) / max(count, 1)
    return _Stretch(
        np.concatenate([x.rows for x in some]), (first.ends[0], last.ends[1]),
        (first.velocities[0], last.velocities[1]), (first.metre[0], last.metre[1]), colours if count else None, count,
    )  # fmt: skip


def _clear(s: Sightings) -> npt.NDArray[np.bool_]:
    """(N,) whether somebody shows enough, and nobody is in the way."""
    box = boxes_px(s.points)
    area = np.maximum((box[:, 2:] - box[:, :2]).prod(axis=1), 1.0)
    clear = np.isfinite(s.points[..., 0]).sum(axis=1) >= _CLEAR_JOINTS
    edges = np.flatnonzero(np.diff(s.frame, prepend=-1, append=s.frame[-1] + 1))
    for a, b in pairwise(edges):
        if b - a > 1:
            low = np.maximum(box[a:b, None, :2], box[None, a:b, :2])
            high = np.minimum(box[a:b, None, 2:], box[None, a:b, 2:])
            share = np.clip(high - low, 0.0, None).prod(axis=-1) / np.minimum(area[a:b, None], area[None, a:b])
            np.fill_diagonal(share, 0.0)
            clear[a:b] &= share.max(axis=1) < _COVERED
    return np.asarray(clear)


def _stretches(s: Sightings) -> list[_Stretch]:
    """The stretches of each track in which its person stands clear."""
    clear = _clear(s)
    times = np.unique(s.time_s)
    frame_s = float(np.median(np.diff(times))) if times.size > 1 else 0.0
    bridge_s = max(_BRIDGE_S, 1.6 * frame_s)  # at low frame rates, a frame is longer than the bridge
    out: list[_Stretch] = []
    for track in np.unique(s.track):
        rows = np.flatnonzero((s.track == track) & clear)
        for part in np.split(rows, np.flatnonzero(np.diff(s.time_s[rows]) > bridge_s) + 1):
            if part.size >= _LEAST_FRAMES and s.time_s[part[-1]] - s.time_s[part[0]] >= _LEAST_S - 1e-6:
                out.append(_stretch(s, part))
    return out


def _stretch(s: Sightings, rows: IntArray) -> _Stretch:
    time_s = s.time_s[rows]
    first, last = time_s <= time_s[0] + _EDGE_S, time_s >= time_s[-1] - _EDGE_S
    begin = _line(time_s[first], s.points[rows[first]], time_s[0])
    end = _line(time_s[last], s.points[rows[last]], time_s[-1])
    dressed = [own for own in (s.colours[r] for r in rows) if own is not None]
    colours = np.mean(dressed, axis=0) if dressed else None
    metre = (float(np.median(s.metre[rows[first]])), float(np.median(s.metre[rows[last]])))
    return _Stretch(rows, (begin[0], end[0]), (begin[1], end[1]), metre, colours, len(dressed))


def _line(time_s: FloatArray, points: FloatArray, at_s: float) -> tuple[FloatArray, FloatArray]:
    """Keypoints (17, 2) at a time, on lines of one velocity (2,) through those seen (T, 17, 2)."""
    seen = np.isfinite(points[..., :1])
    count = np.maximum(seen.sum(axis=0), 1)
    t = np.where(seen, time_s[:, None, None], 0.0)
    mean_t = t.sum(axis=0) / count
    mean = np.where(seen, points, 0.0).sum(axis=0) / count
    off_t = np.where(seen, time_s[:, None, None] - mean_t, 0.0) * JOINT_WEIGHT[:, None]
    moved = (off_t * np.where(seen, points - mean, 0.0)).sum(axis=(0, 1))
    # A short stretch says little about a velocity, and none is the best guess.
    spread = (off_t * np.where(seen, time_s[:, None, None] - mean_t, 0.0)).sum() + 0.02
    velocity = moved / spread
    at = np.where(seen.any(axis=0), mean + velocity * (at_s - mean_t), np.nan)
    return at, velocity


def _links(s: Sightings, stretches: Sequence[_Stretch]) -> dict[tuple[int, int], float]:
    """Costs, below 0, of pairs of stretches that may follow each other."""
    start = np.array([s.time_s[x.rows[0]] for x in stretches])
    stop = np.array([s.time_s[x.rows[-1]] for x in stretches])
    order = np.argsort(start)
    out: dict[tuple[int, int], float] = {}
    for a, x in enumerate(stretches):
        low, high = np.searchsorted(start[order], [stop[a] + 1e-9, stop[a] + DRESSED_JOIN_S])
        for b in order[low:high]:
            y = stretches[b]
            end, begin = x.rows[-1], y.rows[0]
            if s.shot[end] != s.shot[begin]:
                continue
            same = s.track[end] == s.track[begin]
            comparable = s.place[end] >= 0 and s.place[end] == s.place[begin]
            if not comparable and not same:
                continue
            cost = _misfit(x, y, start[b] - stop[a]) if comparable else -1.0
            cost -= _SAME_TRACK * same * float(np.exp(JOIN_S - max(start[b] - stop[a], JOIN_S)))
            if cost < 0.0:
                out[a, int(b)] = cost
    return out


def _misfit(x: _Stretch, y: _Stretch, gap_s: float) -> float:
    """How much less likely it is that y goes on with x, gap_s later, than that one went and another came; 0 where it
    cannot be."""
    metre = float(np.sqrt(x.metre[1] * y.metre[0]))
    go, spread = walked(gap_s)
    cov = go @ np.diag([_PLACE_M**2, _SPEED_M_S**2]) @ go.T + spread + np.diag([_PLACE_M**2, _SPEED_M_S**2])
    way = y.ends[0] - x.ends[1] - go[0, 1] * x.velocities[1]
    shared = np.isfinite(way[:, 0])
    if shared.sum() < 2:
        return 0.0
    weight = np.where(shared, JOINT_WEIGHT, 0.0)
    place = (np.where(shared[:, None], way, 0.0) * weight[:, None]).sum(axis=0) / weight.sum() / metre
    speed = (y.velocities[0] - go[1, 1] * x.velocities[1]) / metre
    off = np.stack([place, speed])  # (2, 2): place and velocity by axis
    squared = float((off * np.linalg.solve(cov, off)).sum())
    if squared > 30.0:
        return 0.0
    none = np.diag([_PLACE_M**2, _SPEED_M_S**2]) * 2.0
    if gap_s > JOIN_S and min(x.colour_count, y.colour_count) < _COLOURS_KNOWN:
        return 0.0
    cost = min(0.5 * squared + float(np.log(np.linalg.det(cov) / np.linalg.det(none))), _LOST + 0.5 * squared) - _NEW
    cost += min(0.5 * float(np.log(x.metre[1] / y.metre[0])) ** 2 / (_SIZE**2 * (1.0 + gap_s)), 4.0)
    if x.colours is not None and y.colours is not None:
        sure = min(x.colour_count, y.colour_count)
        cost += _CLOTHES * sure / (sure + _FEW_COLOURS) * other_clothes(x.colours, y.colours) ** 2
    else:
        cost += 1.0
    return cost


def chained(links: dict[tuple[int, int], float], count: int, margin: float) -> list[list[int]]:
    """Stretches one behind the other, all links together so that their costs sum to the least.

    margin: a link is left for later where either of its stretches has another that is not this much worse.
    """
    after: dict[int, int] = {}
    if links:
        pairs = np.array(list(links))
        cost = np.array(list(links.values()))
        graph = coo_array((np.ones(len(links)), (pairs[:, 0], count + pairs[:, 1])), shape=(2 * count, 2 * count))
        _, group = connected_components(graph, directed=False)
        own = group[pairs[:, 0]]
        for g in np.unique(own):
            some, price = pairs[own == g], cost[own == g]
            ends, e = np.unique(some[:, 0], return_inverse=True)
            begins, b = np.unique(some[:, 1], return_inverse=True)
            table = np.zeros((ends.size, begins.size))
            table[e, b] = price
            for i, j in zip(*linear_sum_assignment(table), strict=True):
                rivals = np.concatenate([np.delete(table[i], j), np.delete(table[:, j], i)]).min(initial=0.0)
                if table[i, j] < 0.0 and rivals - table[i, j] >= margin:
                    after[int(ends[i])] = int(begins[j])
    chains = []
    for k in sorted(set(range(count)) - set(after.values())):
        chain = [k]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return chains


def _filled(s: Sightings, stretches: Sequence[_Stretch], chains: Sequence[Sequence[int]]) -> list[IntArray]:
    """Rows of each chain, and of the sightings between its stretches those that lie nearest to where it passes."""
    owner = np.full(s.frame.size, -1)
    for p, chain in enumerate(chains):
        for k in chain:
            owner[stretches[k].rows] = p
    free = np.flatnonzero(owner < 0)
    edges = np.searchsorted(s.frame, np.arange(s.frame[-1] + 2))
    starts = [np.array([s.time_s[stretches[k].rows[0]] for k in chain]) for chain in chains]
    for f in np.unique(s.frame[free]):
        rows = np.arange(edges[f], edges[f + 1])
        mine = rows[owner[rows] < 0]
        taken = set(owner[rows])
        time_s = s.time_s[mine[0]]
        near = []
        for p, chain in enumerate(chains):
            if p not in taken:
                found = _passing(s, [stretches[k] for k in chain], starts[p], time_s)
                if found is not None:
                    near.append((p, *found))
        if not near:
            continue
        cost = np.full((len(near), mine.size), 1e3)
        for a, (_, points, tracks, place) in enumerate(near):
            for b, row in enumerate(mine):
                if place == s.place[row]:
                    way = s.points[row] - points
                    shared = np.isfinite(way[:, 0])
                    if shared.any():
                        away = float(np.linalg.norm(np.median(way[shared], axis=0)) / s.metre[row])
                        away += 0.3 * float(np.median(np.linalg.norm(way[shared], axis=1)) / s.metre[row])
                        if away < _NEAR_M:
                            cost[a, b] = away - _NEAR_M - _TRACK_M * (s.track[row] in tracks)
        for a, b in zip(*linear_sum_assignment(np.minimum(cost, 0.0)), strict=True):
            if cost[a, b] < 0.0:
                owner[mine[b]] = near[a][0]
    people = [np.flatnonzero(owner == p) for p in range(len(chains))]
    # What belongs to nobody keeps to its track.
    people += [np.flatnonzero((owner < 0) & (s.track == t)) for t in np.unique(s.track[owner < 0])]
    return people


def _passing(
    s: Sightings, chain: Sequence[_Stretch], start: FloatArray, time_s: float
) -> tuple[FloatArray, set[int], int] | None:
    """Where a chain passes between its stretches, or a second beyond: keypoints (17, 2), its tracks, its picture."""
    after = int(np.searchsorted(start, time_s, side="right"))
    x = chain[after - 1] if after > 0 else None
    y = chain[after] if after < len(chain) else None
    if x is not None and s.time_s[x.rows[0]] <= time_s <= s.time_s[x.rows[-1]]:
        # A hole inside a stretch.
        k = int(np.argmin(np.abs(s.time_s[x.rows] - time_s)))
        return s.points[x.rows[k]], {int(s.track[x.rows[0]])}, int(s.place[x.rows[k]])
    parts: list[tuple[FloatArray, float, int]] = []  # keypoints, how long from there, row of the end
    if x is not None:
        gone_s = time_s - s.time_s[x.rows[-1]]
        if y is not None or gone_s <= 1.0:
            parts.append((x.ends[1] + walked(gone_s)[0][0, 1] * x.velocities[1], gone_s, int(x.rows[-1])))
    if y is not None:
        gone_s = s.time_s[y.rows[0]] - time_s
        if x is not None or gone_s <= 1.0:
            parts.append((y.ends[0] - walked(gone_s)[0][0, 1] * y.velocities[0], gone_s, int(y.rows[0])))
    if not parts:
        return None
    tracks = {int(s.track[row]) for _, _, row in parts}
    place = int(s.place[parts[0][2]])
    if len(parts) == 1:
        return parts[0][0], tracks, place
    (a, gone_a, _), (b, gone_b, _) = parts
    share = gone_a / max(gone_a + gone_b, 1e-9)
    share = share * share * (3.0 - 2.0 * share)
    both = np.where(np.isnan(a), b, np.where(np.isnan(b), a, (1.0 - share) * a + share * b))
    return both, tracks, place
