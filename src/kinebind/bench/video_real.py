"""Real videos of people: whether each is followed whole and stays who she is, against what calibrated cameras agree on.

Two people are filmed by four cameras at once. Where a camera should see somebody is told by the other three: who they
see is triangulated and projected into it. `id_switches` counts how often, over all four, one of the two becomes
somebody else; `people_whole` is the least share, over people and cameras, of the frames in which somebody who stands
before a camera is found by it, `people_whole_median` the median one, `people_whole_CAMERA` the less of the two in one.
`reprojection_px_median`: two cameras' joints triangulated, against the other two; `reprojection_percent` in parts of
the body's height. An athlete does a somersault from a wall and runs off while somebody walks by: `track_coverage` is
the share of all frames in the track that she has in the first of them, `athlete_people` how many people were found.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.bench.video_tracking import VISIBLE, switches
from kinebind.bench.views import View, agreed, read_qualisys, same_people, triangulated
from kinebind.clock import FloatArray
from kinebind.video.backend import PoseBackend
from kinebind.video.oks import similarity
from kinebind.video.video_people import VideoPeople, video_people

PEOPLE = 2
MATCH = 0.4
"""Similarity from which a track is of who is expected there: less than among equals, as a camera's joints lie some
hundredths of the body's height from where the others say (`reprojection_percent`)."""


@dataclass(frozen=True, eq=False)
class Filmed:
    """People before calibrated cameras. tracks: (N, F, 17, 2) of each view, NaN where somebody is not seen.

    people: of each person, who moves most in view first, the (view, track) that are hers.
    """

    views: tuple[View, ...]
    videos: tuple[VideoPeople, ...]
    tracks: tuple[FloatArray, ...]
    people: tuple[tuple[tuple[int, int], ...], ...]

    def of(self, person: int) -> FloatArray:
        """(V, F, 17, 2) pixels of a person in each view."""
        out = np.full((len(self.views), *self.tracks[0].shape[1:]), np.nan)
        for v, n in self.people[person]:
            own = self.tracks[v][n]
            out[v] = np.where(np.isfinite(own), own, out[v])
        return out


def filmed(folder: Path, backend: PoseBackend) -> Filmed:
    """What is found in a folder with `videos/CAMERA.mp4` and `calibration/*.qca.txt`; frames of a number are shot at
    the same time.
    """
    views = read_qualisys(next((folder / "calibration").glob("*.qca.txt")))
    videos = tuple(video_people(folder / "videos" / f"{v.name}.mp4", backend, cache=False) for v in views)
    frames = min(own.time_s.size for own in videos)
    tracks = tuple(_tracks(own)[:, :frames] for own in videos)
    people = [own for own in same_people(views, tracks) if len({v for v, _ in own}) > 2]
    people.sort(key=lambda own: -sum(int(np.isfinite(tracks[v][n][:, :, 0]).any(axis=1).sum()) for v, n in own))
    return Filmed(views, videos, tracks, tuple(tuple(own) for own in people[:PEOPLE]))


def figures_of(found: Filmed) -> dict[str, float]:
    """The figures of two people before cameras."""
    whole: dict[str, list[float]] = {view.name: [] for view in found.views}
    changes = 0
    for v, view in enumerate(found.views):
        others = [k for k in range(len(found.views)) if k != v]
        expected = np.full((len(found.people), *found.tracks[v].shape[1:]), np.nan)
        for p in range(len(found.people)):
            points = found.of(p)[others]
            expected[p] = view.project(agreed([found.views[k] for k in others], points))
        there, alike = _in_view(expected, found.videos[v].info.size_px), _alike(expected, found.tracks[v])
        matched = alike.max(axis=2, initial=0.0) >= MATCH  # (F, P)
        changes += switches(alike, there, MATCH)
        for p in range(len(found.people)):
            if there[:, p].any():
                whole[view.name].append(float(matched[there[:, p], p].mean()))
    shares = [share for own in whole.values() for share in own] or [0.0]
    out = {
        "people_followed": float(len(found.people)), "id_switches": float(changes), "people_whole": min(shares),
        "people_whole_median": float(np.median(shares)),
    }  # fmt: skip
    out |= {f"people_whole_{name}": min(own) for name, own in whole.items() if own}
    return out | _reprojection(found)


def athlete(path: Path, backend: PoseBackend) -> dict[str, float]:
    """The figures of the athlete's video: of who is highest in the first picture."""
    found = video_people(path, backend, cache=False)
    tracks = _tracks(found)
    high = np.nanmin(np.where(np.isfinite(tracks[:, 0, :, 1]), tracks[:, 0, :, 1], np.inf), axis=1)
    own = found.people[int(np.argmin(high))]
    return {"athlete_people": float(len(found.people)), "track_coverage": own.time_s.size / found.time_s.size}


def _tracks(found: VideoPeople) -> FloatArray:
    """(N, F, 17, 2) of all frames."""
    out = np.full((len(found.people), found.time_s.size, 17, 2), np.nan)
    for k, person in enumerate(found.people):
        out[k, np.searchsorted(found.time_s, person.time_s - 1e-6)] = person.keypoints_px
    return out


def _in_view(expected: FloatArray, size_px: Sequence[int]) -> np.ndarray:
    """(F, P) whether enough joints of people (P, F, 17, 2) lie in the picture."""
    inside = ((expected >= 0.0) & (expected <= np.array(size_px))).all(axis=-1)
    return np.asarray((inside.sum(axis=-1) >= VISIBLE).T)


def _alike(expected: FloatArray, tracks: FloatArray) -> FloatArray:
    """Similarities (F, P, N) of where people (P, F, 17, 2) should be to tracks (N, F, 17, 2)."""
    out = np.zeros((expected.shape[1], len(expected), len(tracks)))
    for f in range(len(out)):
        known = np.isfinite(expected[:, f, :, 0]).any(axis=1)
        if known.any():
            out[f, known] = similarity(expected[known, f], tracks[:, f])
    return out


def _reprojection(found: Filmed) -> dict[str, float]:
    """Distances of two cameras' joints to the others', and in parts of the height of the box around the body there."""
    px: list[FloatArray] = []
    parts: list[FloatArray] = []
    for p in range(len(found.people)):
        points = found.of(p)
        for pair in itertools.combinations(range(len(found.views)), 2):
            world = triangulated([found.views[k] for k in pair], points[list(pair)])
            for v in set(range(len(found.views))) - set(pair):
                off = np.linalg.norm(found.views[v].project(world) - points[v], axis=-1)  # (F, 17)
                seen = np.isfinite(points[v][..., 1])
                high = np.where(seen, points[v][..., 1], -np.inf).max(axis=1)
                low = np.where(seen, points[v][..., 1], np.inf).min(axis=1)
                known = np.isfinite(off)
                px.append(off[known])
                parts.append((off / np.maximum(high - low, 1.0)[:, None])[known])
    if not px:
        return {}
    all_px, all_parts = np.concatenate(px), np.concatenate(parts)
    return {
        "reprojection_px_median": float(np.median(all_px)), "reprojection_px_p90": float(np.percentile(all_px, 90)),
        "reprojection_percent": 100.0 * float(np.median(all_parts)),
    }  # fmt: skip
