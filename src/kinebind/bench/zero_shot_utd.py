"""UTD-MHAD for a matcher that has never seen it: clip synchronisation, retrieval, joined clips, whose sensor it is.

All functions take the clips of one split, a matcher or a way to find an offset, and a seed, and give cases by the name
of their figure, without the split's suffix. Cases depend on the clips and the seed alone, so that all methods get the
same. Retrieval and assignment know where the sensor is worn and which time is which; nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from kinebind.bench import utd
from kinebind.bench.assignment import HOWS, NOW_S, people_table, shares_right
from kinebind.bench.measured import Cases, Measured, timing
from kinebind.bench.offset_finders import OffsetFinder, SyncCase, errors_s, finder_zero
from kinebind.bench.processes import once
from kinebind.bench.utd_joined import joined_cases, middle, together
from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.tasks.matching import Matcher, lags_between
from kinebind.tasks.retrieve.ranks import ranks

LIMBS = {"wrist": "right_wrist", "thigh": "right_thigh"}
CUT_SEED = 31
"""That of `kinebind bench sync`, so that both benchmarks judge the same cuts."""
CLIP_RANGE_S = (-utd.RANGE_S, utd.RANGE_S)
MIDDLE_S = 2.0
GALLERY, DRAWS = 100, 50
TRIM_SEED, TRIMMED_S = 34, 0.3
FULL_RANGE_S = (-0.6, 0.6)
JOINED_S = (20.0, 60.0)
JOINED_RANGE_S = (-2.0, 2.0)
MOST_PEOPLE = 8


def clocks(clips: Sequence[utd.Clip], finder: OffsetFinder) -> Measured:
    """All figures of a split that are about clocks."""
    return clip_sync(clips, finder) | joined_sync(clips, finder)


def matched(clips: Sequence[utd.Clip], matcher: Matcher) -> Measured:
    """All figures of a split that are about which fits which."""
    return retrieval_2s(clips, matcher) | retrieval_full(clips, matcher) | people(clips, matcher)


def trivial(clips: Sequence[utd.Clip], cut_seed: int = CUT_SEED, trim_seed: int = TRIM_SEED) -> Measured:
    """What needs no method: `utd_LIMB_predict_zero_within_100ms`, and `utd_retrieval_full_length_only_r1` and so on.

    The first says how often the answer zero is right, the second what the lengths of trimmed clips give away.
    """
    out: Measured = {}
    for limb, site in LIMBS.items():
        zero = errors_s(finder_zero, clip_cases(clips, site, cut_seed), CLIP_RANGE_S)
        out[f"utd_{limb}_predict_zero_within_100ms"] = Cases(np.asarray(zero <= 0.1, dtype=np.float64))
    pairs = [trimmed(c, np.random.default_rng([trim_seed, k])) for k, c in enumerate(clips)]
    felt_s, seen_s = (np.array([pair[k].duration_s for pair in pairs]) for k in range(2))
    return out | recall("utd_retrieval_full_length_only", -np.abs(felt_s[:, None] - seen_s[None, :]))


# -- clocks ----------------------------------------------------------------------------------------------------


def clip_cases(clips: Sequence[utd.Clip], site: str, seed: int = CUT_SEED) -> list[SyncCase]:
    """The protocol's cuts of the clips of one limb that are long enough. `clips`: all of the split, in their order."""
    pieces = [utd.cut(c, np.random.default_rng([seed, k])) for k, c in enumerate(clips)]
    return [SyncCase((p[0],), p[1], p[2]) for p in pieces if p is not None and p[0].site == site]


def clip_sync(clips: Sequence[utd.Clip], finder: OffsetFinder, seed: int = CUT_SEED) -> Measured:
    """`utd_LIMB_within_100ms`, `_200ms`, `_500ms` and `_median_ms`, searched over ±1 s."""
    out: Measured = {}
    for limb, site in LIMBS.items():
        out |= timing(f"utd_{limb}", errors_s(finder, clip_cases(clips, site, seed), CLIP_RANGE_S))
    return out


def joined_sync(clips: Sequence[utd.Clip], finder: OffsetFinder, seed: int = 32) -> Measured:
    """`utd_LIMB_joined_20s_within_100ms` and so on, also of 60 s: all clips of a subject and limb joined, ±2 s."""
    out: Measured = {}
    for limb, site in LIMBS.items():
        for length_s in JOINED_S:
            cases = joined_cases(clips, site, length_s, seed)
            out |= timing(f"utd_{limb}_joined_{length_s:g}s", errors_s(finder, cases, JOINED_RANGE_S))
    return out


# -- retrieval -------------------------------------------------------------------------------------------------


def retrieval_2s(clips: Sequence[utd.Clip], matcher: Matcher, seed: int = 33) -> Measured:
    """`utd_retrieval_2s_r1`, `_r5` and, in galleries of 100, `_r1_100` and `_r5_100`; the mean of both directions.

    Each direction has `_imu_to_pose` or `_pose_to_imu` behind that. The gallery are all clips of the split: a sensor
    is compared with the limb of each pose that it is worn on.
    """
    pairs = [middle(c, MIDDLE_S) for c in clips]
    scores = once(partial(score_table, matcher, pairs, NOW_S))
    out = recall("utd_retrieval_2s", scores)
    if len(clips) >= GALLERY:
        out |= recall_of_drawn("utd_retrieval_2s", scores, np.random.default_rng(seed))
    return out


def retrieval_full(clips: Sequence[utd.Clip], matcher: Matcher, seed: int = TRIM_SEED) -> Measured:
    """`utd_retrieval_full_r1` and so on: whole clips, trimmed at random, by the best score over ±0.6 s.

    Each end of each stream loses its own amount of up to 0.3 s, and both clocks start at zero.
    """
    pairs = [trimmed(c, np.random.default_rng([seed, k])) for k, c in enumerate(clips)]
    scores = once(partial(score_table, matcher, pairs, lags_between(FULL_RANGE_S)))
    return recall("utd_retrieval_full", scores)


def trimmed(clip: utd.Clip, rng: np.random.Generator) -> tuple[Imu, Poses]:
    """Both streams without random amounts of up to 0.3 s at each end, both clocks from zero."""
    total_s = clip.imu.time_s.size / 50.0
    amounts = rng.uniform(0.0, TRIMMED_S, (2, 2))
    (imu_at, imu_end), (pose_at, pose_end) = amounts[0], amounts[1]
    imu = clip.imu.slice_s(imu_at, total_s - imu_end)
    poses = clip.poses.slice_s(pose_at, total_s - pose_end)
    return imu.replace(time_s=imu.time_s - imu_at), poses.replace(time_s=poses.time_s - pose_at)


def score_table(matcher: Matcher, pairs: Sequence[tuple[Imu, Poses]], lags_s: FloatArray) -> FloatArray:
    """Best score over the lags (N, N) of sensor i with the limb of person j that sensor i is worn on."""
    out = np.zeros((len(pairs), len(pairs)))
    sites = [imu.site for imu, _ in pairs]
    for site in sorted({s for s in sites if s is not None}):
        rows = [k for k, s in enumerate(sites) if s == site]
        felt = [matcher.felt(pairs[k][0]) for k in rows]
        seen = [matcher.seen(poses, site) for _, poses in pairs]
        out[rows] = matcher.scores(felt, seen, lags_s).max(axis=-1)
    return out


def recall(prefix: str, scores: FloatArray) -> Measured:
    """R@1 and R@5 of scores (N, N) with the pairs on the diagonal: both directions and their mean, a value a clip."""
    out: Measured = {}
    ways = {"imu_to_pose": ranks(scores), "pose_to_imu": ranks(scores.T)}
    for k in (1, 5):
        hits = {way: found.hits(k) for way, found in ways.items()}
        out[f"{prefix}_r{k}"] = Cases(0.5 * (hits["imu_to_pose"] + hits["pose_to_imu"]))
        out |= {f"{prefix}_r{k}_{way}": Cases(own) for way, own in hits.items()}
    return out


def recall_of_drawn(prefix: str, scores: FloatArray, rng: np.random.Generator) -> Measured:
    """The same in 50 galleries of 100 clips drawn at random; the figure is the mean over the galleries.

    A clip's value is its sum over the galleries it is in, over how many that is of all clips on average: their mean is
    then that of the galleries, though not every clip is drawn as often.
    """
    count = scores.shape[0]
    sums: dict[str, FloatArray] = {}
    for _ in range(DRAWS):
        index = rng.choice(count, GALLERY, replace=False)
        for key, cases in recall(prefix, scores[np.ix_(index, index)]).items():
            sums.setdefault(key, np.zeros(count))[index] += cases.values
    mean_times = DRAWS * GALLERY / count
    named = {key.replace(f"{prefix}_r{k}", f"{prefix}_r{k}_{GALLERY}"): key for key in sums for k in (1, 5)
             if key.startswith(f"{prefix}_r{k}")}  # fmt: skip
    return {name: Cases(sums[key] / mean_times) for name, key in named.items()}


# -- people ----------------------------------------------------------------------------------------------------


def people(clips: Sequence[utd.Clip], matcher: Matcher, seed: int = 35) -> Measured:
    """`utd_person_assigned_P` of P people who do the same, and `utd_person_assigned_P_2s` of 2 s.

    The share of sensors that are given to their wearers, all sensors of a group together, one to each person; chance
    is 1/P. `utd_person_each_P`: each sensor given to whom it fits best. P goes from 2 to the subjects of the split,
    8 at most; a case is a group of P subjects in one action (of 2 s: in one trial of it).
    """
    out: Measured = {}
    for ending, length_s in (("", None), ("_2s", MIDDLE_S)):
        tables = [people_table(matcher, found) for found in together(clips, seed, length_s=length_s)]
        for count in range(2, min(MOST_PEOPLE, len({c.subject for c in clips})) + 1):
            for how, name in HOWS.items():
                found = np.array([share for t in tables for share in shares_right(t, count, how)])
                if found.size:
                    out[f"utd_person_{name}_{count}{ending}"] = Cases(found)
    return out
