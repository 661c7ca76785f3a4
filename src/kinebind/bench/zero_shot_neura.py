"""The Neura walk for a matcher that has never seen it: where seven sensors are worn, and five seconds' clocks.

All functions take the walking clips. These are test data throughout: nothing may be chosen by their figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kinebind.bench import neura
from kinebind.bench.assignment import SITES_HOW, shares_right, sites_table
from kinebind.bench.measured import Cases, Measured, timing
from kinebind.bench.offset_finders import OffsetFinder
from kinebind.bench.processes import parallel_if_many
from kinebind.clock import FloatArray
from kinebind.tasks.matching import Matcher

RANGE_S = (-neura.RANGE_S - 0.5, neura.RANGE_S + 0.5)
"""Half a second more than the clips are shifted by, as in `kinebind bench sync`."""
PER_CAMERA, SEED = 10, 41
SHANKS = ("left_shank", "right_shank")


def walking(folder: Path) -> list[neura.Clip]:
    """The protocol's walking clips, the same as those of `kinebind bench sync`."""
    return list(neura.clips(folder, neura.WALKING_S, PER_CAMERA, SEED))


def sites(clips: Sequence[neura.Clip], matcher: Matcher) -> Measured:
    """`neura_sites_argmax` and `neura_sites_assigned`: share of the sensors, sites hidden, that are put where they are.

    Each sensor of a clip is compared with the limb at each of the sensors' sites, with the right clock: each for
    itself, and all together, one to each site. Chance is one over the sensors.
    """
    tables = [sites_table(matcher, clip.imus, clip.poses, clip.truth) for clip in clips]
    out: Measured = {}
    for how, name in SITES_HOW.items():
        out[f"neura_sites_{name}"] = Cases(np.array([shares_right(t, len(t), how)[0] for t in tables]))
    return out


def clocks(clips: Sequence[neura.Clip], finder: OffsetFinder) -> Measured:
    """`neura_5s_within_100ms` of all sensors, `neura_shank_5s_within_100ms` of one, and `neura_lag_ms`.

    Errors are those at the middle of the clip about the set's own constant lag: the median error of all sensors,
    which is reported. The shank is the left and the right one in turn.
    """
    signed = _errors_s(clips, finder)
    answered = np.isfinite(signed)
    lag_s = float(np.median(signed[answered])) if answered.any() else 0.0
    one = [_only(clip, SHANKS[k % 2]) for k, clip in enumerate(clips)]
    out = timing("neura_5s", np.abs(signed - lag_s)) | timing("neura_shank_5s", np.abs(_errors_s(one, finder) - lag_s))
    out["neura_lag_ms"] = Cases(1e3 * signed[answered], "median", less_is_better=None)
    return out


def trivial(clips: Sequence[neura.Clip]) -> Measured:
    """What needs no method: `neura_predict_zero_within_100ms`."""
    right = [abs(clip.truth.offset_s) <= 0.1 for clip in clips]
    return {"neura_predict_zero_within_100ms": Cases(np.array(right, dtype=np.float64))}


def _errors_s(clips: Sequence[neura.Clip], finder: OffsetFinder) -> FloatArray:
    """Signed errors (K,), found minus true offset, seconds."""
    return np.array(parallel_if_many(partial(_error_s, finder), clips), dtype=np.float64)


def _error_s(finder: OffsetFinder, clip: neura.Clip) -> float:
    return finder(clip.imus, clip.poses, RANGE_S)[0] - clip.truth.offset_s


def _only(clip: neura.Clip, site: str) -> neura.Clip:
    return replace(clip, imus=tuple(imu for imu in clip.imus if imu.site == site))
