"""Whether what is stated is what comes true, on real sensors, and whether what cannot be known is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from kinebind.bench import neura, utd
from kinebind.bench.crowds import ROWS, Everybody, crowd
from kinebind.bench.measured import Cases, Measured, expected_calibration_error
from kinebind.bench.offset_finders import answered_together
from kinebind.bench.processes import parallel
from kinebind.bench.scenes import Source, timing_error_s
from kinebind.clock import ClockMap, FloatArray
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.tasks.binder import shipped_once
from kinebind.tasks.locate import locate
from kinebind.tasks.sync import Method

CUTS = 5
"""Cuts of each clip of UTD-MHAD, of which each gives one case."""
PER_CAMERA = 10
CROWDS = 150
SURE = 0.9
_SEED = 37
_TOLERANCE_S = {"utd": 0.1, "neura": 0.05}
"""What the protocol counts as right: frames of UTD-MHAD lie 50 ms apart, with drops."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A question to the synchroniser. truth: None where sensors and poses do not belong together.

    range_s: None where everything is searched, as by somebody who does not know that they do.
    """

    imus: tuple[Imu, ...]
    poses: Poses
    truth: ClockMap | None
    range_s: tuple[float, float] | None
    tolerance_s: float
    at_s: float | None = None


@dataclass(frozen=True)
class Said:
    """What was stated, and by how far it was wrong: seconds, signed at `at_s` and largest elsewhere; infinite of
    strangers.
    """

    confidence: float
    answered: bool
    error_s: float


def real(utd_clips: Sequence[utd.Clip], neura_folder: Path | None, method: Method) -> dict[str, float]:
    """`ece_real` over clips of UTD-MHAD cut several ways, strangers among them, and the walk where its folder is given.

    Beside it `ece_real_cases`, and of those that belong together `share_at_0p9`, the share of which 0.9 or more is
    stated, and `wrong_at_0p9`, how many of these are wrong; `strangers_answered`; `neura_standing_answered`.
    """
    asked = _utd_cases(utd_clips)
    said: list[Said] = parallel(partial(_answer, method), asked)
    stated = [s.confidence for s in said]
    right = [s.error_s <= _TOLERANCE_S["utd"] for s in said]
    matched = [a.truth is not None for a in asked]
    strangers = [s.answered for s, own in zip(said, matched, strict=True) if not own]
    out: dict[str, float] = {}
    if neura_folder is not None:
        walking, standing = (
            parallel(partial(_answer, method), _neura_cases(neura_folder, starts_s, seed))
            for starts_s, seed in ((neura.WALKING_S, 41), (neura.STANDING_S, 42))
        )
        # The set's own constant lag is not ours to know.
        found = [s.error_s for s in walking if np.isfinite(s.error_s)]
        lag_s = float(np.median(found)) if found else 0.0
        for some in (walking, standing):
            stated += [s.confidence for s in some]
            right += [abs(s.error_s - lag_s) <= _TOLERANCE_S["neura"] for s in some]
            matched += [True] * len(some)
        out["neura_standing_answered"] = float(np.mean([s.answered for s in standing]))
    sure, hit, own = np.array(stated), np.array(right, dtype=np.float64), np.array(matched)
    out |= {"ece_real": expected_calibration_error(sure, hit), "ece_real_cases": float(sure.size)}
    for k, group in enumerate(np.array_split(np.argsort(sure, kind="stable"), 10)):
        if group.size:
            out |= {f"ece_real_stated_{k}": float(sure[group].mean()), f"ece_real_right_{k}": float(hit[group].mean())}
    out["share_at_0p9"] = float((sure[own] >= SURE).mean())
    if (sure[own] >= SURE).any():
        out["wrong_at_0p9"] = float(1.0 - hit[own][sure[own] >= SURE].mean())
    out["strangers_answered"] = float(np.mean(strangers))
    return out


def _utd_cases(clips: Sequence[utd.Clip]) -> list[Asked]:
    """Each clip cut several ways, and once with the video of another action."""
    out = []
    near = (-utd.RANGE_S, utd.RANGE_S)
    for k, clip in enumerate(clips):
        for n in range(CUTS):
            piece = utd.cut(clip, np.random.default_rng([_SEED, k, n]))
            if piece is not None:
                out.append(Asked((piece[0],), piece[1], piece[2], near, _TOLERANCE_S["utd"]))
        rng = np.random.default_rng([_SEED, k, CUTS])
        others = [c for c in clips if c.action != clip.action and c.imu.site == clip.imu.site]
        own, other = utd.cut(clip, rng), utd.cut(others[int(rng.integers(len(others)))], rng) if others else None
        if own is not None and other is not None:
            out.append(Asked((own[0],), other[1], None, None, _TOLERANCE_S["utd"]))
    return out


def _neura_cases(folder: Path, starts_s: tuple[float, float], seed: int) -> list[Asked]:
    """All sensors of a clip, and one shank of it."""
    range_s = (-neura.RANGE_S - 0.5, neura.RANGE_S + 0.5)
    out = []
    for k, clip in enumerate(neura.clips(folder, starts_s, PER_CAMERA, seed)):
        shank = tuple(i for i in clip.imus if i.site == ("left_shank", "right_shank")[k % 2])
        for imus in (clip.imus, shank):
            out.append(Asked(imus, clip.poses, clip.truth, range_s, _TOLERANCE_S["neura"], neura.CLIP_S / 2))
    return out


def _answer(method: Method, asked: Asked) -> Said:
    answer = answered_together(asked.imus, asked.poses, asked.range_s, method, asked.tolerance_s)
    if asked.truth is None or answer.clock is None:
        error_s = float("inf")
    elif asked.at_s is not None:
        error_s = float(answer.clock.to_video(asked.at_s) - asked.truth.to_video(asked.at_s))
    else:
        error_s = timing_error_s(answer.clock, asked.truth, asked.imus[0], asked.poses)
    return Said(answer.confidence, answer.answered, error_s)


# -- nobody ------------------------------------------------------------------------------------------------------


def nobody(sources: Sequence[Source], count: int = CROWDS) -> Measured:
    """`nobody_refused`: share of sensors given to nobody, of those that somebody out of view wears, one of five.

    Two or three people, 4 to 15 s, all conditions, sites unknown, the right clock. Beside it `nobody_others_refused`,
    the share of the other four given to nobody, and `nobody_others_person`, of them given to their wearers.
    """
    found: list[tuple[float, float, float]] = parallel(partial(_crowd_answer, tuple(sources)), range(count))
    names = ("nobody_refused", "nobody_others_refused", "nobody_others_person")
    return {name: Cases(np.array(values)) for name, values in zip(names, zip(*found, strict=True), strict=True)}


@cache
def _everybody(sources: tuple[Source, ...]) -> Everybody:
    return Everybody(sources)


def _crowd_answer(sources: tuple[Source, ...], number: int) -> tuple[float, float, float]:
    rng = np.random.default_rng([_SEED, 1, number])
    drawn = crowd(
        _everybody(sources).draw(rng), rng, people=int(rng.integers(2, 4)), sensors=5, strangers=1,
        duration_s=float(np.exp(rng.uniform(np.log(4.0), np.log(15.0)))), row=str(rng.choice(ROWS)),
    )  # fmt: skip
    result = locate(drawn.recording, shipped_once().matcher(told=0.0))
    refused: FloatArray = np.array([f.person is None for f in result.findings], dtype=np.float64)
    worn = np.array([drawn.truth[f.sensor] is not None for f in result.findings])
    person = [f.person == (drawn.truth[f.sensor] or ("",))[0] for f in result.findings if drawn.truth[f.sensor]]
    return float(refused[~worn].mean()), float(refused[worn].mean()), float(np.mean(person))
