"""Fit the synchroniser's confidence on simulated recordings of the training sources and on development data.

`kinebind bench sync --fit` runs this and writes `tasks/sync/calibration.json`: the probability of the right peak of
whole answers, a third of them mismatched pairs, and the scale of the error about the right peak. The development
clips of UTD-MHAD join in, searched narrowly. Who searches narrowly knows that the recordings belong together, so
mismatched pairs are searched widely, but for every twentieth of these clips.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kinebind.bench import utd
from kinebind.bench.in_part import LEG_SITES, in_part
from kinebind.bench.processes import parallel
from kinebind.bench.scenes import Bodies, Scene, scene, timing_error_s, training_sources
from kinebind.clock import FloatArray
from kinebind.parts import SITES
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.sync import Method, sync
from kinebind.tasks.sync import calibration as calibration_module
from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.confidence import AGAINST, AMONG_FEATURES, FEATURES, RIGHT_PEAK_S, SCALE_FEATURES, WIDE_S

log = logging.getLogger(__name__)

_MIX = ("clean", "normal", "normal", "hard", "sway")


def varied_scene(bodies: Bodies, rng: np.random.Generator, **changes: Any) -> Scene:
    """A scene of random condition, length, rates, number of sensors and sites: what users may bring."""
    count = int(rng.choice([1, 1, 2, 3, 4, 5]))
    sites = [str(s) for s in rng.choice(SITES, size=count, replace=False)]
    options: dict[str, Any] = {
        "duration_s": float(np.exp(rng.uniform(np.log(4.0), np.log(30.0)))),
        "sites": sites,
        "fps": float(rng.choice([15.0, 25.0, 30.0, 30.0, 60.0])),
        "rate_hz": float(rng.choice([30.0, 50.0, 100.0, 100.0, 200.0])),
        "gyroscope": bool(rng.random() < 0.75),
    }
    options["max_offset_s"] = min(7.0, 0.6 * options["duration_s"])
    return scene(bodies, str(rng.choice(_MIX)), rng, **(options | changes))


def walking_scene(walkers: Bodies, rng: np.random.Generator) -> Scene:
    """Somebody walks or runs for a few seconds with sensors on the legs; every other time only the legs are seen."""
    sites = rng.choice(LEG_SITES, size=int(rng.choice([2, 4, 7])), replace=False)
    duration_s = float(rng.uniform(4.0, 8.0))
    found = scene(walkers, "normal", rng, duration_s=duration_s, sites=[str(s) for s in sites], max_offset_s=2.0)
    if rng.random() < 0.5:
        return found
    (poses,) = found.recording.people
    return replace(found, recording=Recording((in_part(poses, "legs"),), found.recording.imus))


Case = tuple[dict[str, float], float]
"""Features of an answer and its timing error in seconds, infinite where sensors and poses do not belong together."""


Answers = dict[Method, list[Case]]
METHODS: tuple[Method, ...] = ("universal", "classical")


def answers(case: Scene, matched: bool, range_s: float) -> Answers:
    """Each clock's answer in a scene by each method, searched within ±range_s."""
    out: Answers = {method: [] for method in METHODS}
    for method, own in out.items():
        for answer in sync(case.recording, search_s=(-range_s, range_s), method=method).answers:
            imu = next(i for i in case.recording.imus if i.clock_id == answer.clock_id)
            error_s = timing_error_s(answer.clock, case.truth[answer.clock_id], imu, case.recording.people[0])
            if answer.features:
                own.append((answer.features, error_s if matched else float("inf")))
    return out


def fit_confidence(cases: list[Case]) -> dict[str, float]:
    """Maximum likelihood (slightly ridged) of the right peak, a product of two logistic functions: that the two belong
    together and that it is the right one of the peaks; and the scale of the error about it, which is Laplacian up to
    RIGHT_PEAK_S. What speaks for an answer cannot count against it, however alike two of these features are: their
    weights are bounded by zero. Nor is the answer more likely than a rival that fits exactly as well.
    """
    error_s = np.array([e for _, e in cases])
    y = error_s <= RIGHT_PEAK_S
    x, among = (
        np.array([[1.0, *(f[name] for name in names)] for f, _ in cases]) for names in (FEATURES, AMONG_FEATURES)
    )
    first = x.shape[1]

    def cost(w: FloatArray) -> tuple[float, FloatArray]:
        z = np.stack([x @ w[:first], among @ w[first:]])
        log_right = -np.logaddexp(0.0, -z).sum(axis=0)
        log_wrong = np.log(-np.expm1(np.minimum(log_right, -1e-12)))
        ridge = np.concatenate([w[1:first], w[first + 1 :]])
        value = -float(np.mean(np.where(y, log_right, log_wrong))) + 1e-4 * float(ridge @ ridge)
        # d log p / dz of each factor is its own doubt; d log(1 − p) / dz is −p / (1 − p) of it.
        slope = np.where(y, 1.0, -np.exp(log_right - log_wrong)) / (1.0 + np.exp(z))
        gradient = -np.concatenate([x.T @ slope[0], among.T @ slope[1]]) / y.size
        decay = 2e-4 * w
        decay[[0, first]] = 0.0
        return value, gradient + decay

    start = np.concatenate([np.zeros(first), [0.0, *(1.0 for _ in AMONG_FEATURES)]])
    signs = {name: (None, 0.0) if name in AGAINST else (0.0, None) for name in (*FEATURES, *AMONG_FEATURES)}
    free = (None, None)
    half_at_most = (None, 0.0)
    bounds = [free, *(signs[name] for name in FEATURES), half_at_most, *(signs[name] for name in AMONG_FEATURES)]
    peak = minimize(cost, start, jac=True, bounds=bounds).x
    right = y
    width = np.array([[1.0, *(f[name] for name in SCALE_FEATURES)] for f, _ in cases])[right]
    error = error_s[right]

    def spread(w: FloatArray) -> float:
        scale = np.exp(width @ w)
        return float(np.mean(np.log(scale) + error / scale + np.log(-np.expm1(-RIGHT_PEAK_S / scale))))

    scale = minimize(spread, np.array([-4.0, *(0.0 for _ in SCALE_FEATURES)])).x
    names = (
        "intercept", *FEATURES, "among_intercept", *(f"among_{name}" for name in AMONG_FEATURES),
        "scale_intercept", *(f"scale_{name}" for name in SCALE_FEATURES),
    )  # fmt: skip
    return {name: round(float(w), 4) for name, w in zip(names, [*peak, *scale], strict=True)}


@cache
def _bodies(data: Path) -> Bodies:
    return Bodies(training_sources(data))


@cache
def _walkers(data: Path) -> Bodies:
    """The training sources' files whose names say that somebody walks or runs straight on."""
    gaits = [
        replace(source, groups=tuple(tuple(p for p in g if re.search("_(walk|run)_", p.name)) for g in source.groups))
        for source in training_sources(data)
    ]
    return Bodies(gaits)


def simulated_case(data: Path, k: int) -> Answers:
    """Answers of the k-th scene, every third with the sensors on somebody else, searched narrowly or widely.

    A third of the strangers move for 20 s with four sensors: little agrees by chance there, and it must be known. A
    third of the others walk: every stride fits nearly as well as the right one, and that must be known too.
    """
    rng = np.random.default_rng([103, k])
    bodies = _bodies(data)
    matched = k % 3 != 0
    wearer = None if matched else bodies.draw(40.0, rng)
    if k % 9 == 0:
        return answers(scene(bodies, "normal", rng, wearer=wearer), matched, 7.5)
    if k % 9 in (4, 7):
        return answers(walking_scene(_walkers(data), rng), True, 2.5 if k % 9 == 4 else 7.5)
    case = varied_scene(bodies, rng, wearer=wearer)
    largest = max(abs(t.offset_s) for t in case.truth.values())
    range_s = largest + float(np.exp(rng.uniform(np.log(0.5), np.log(60.0))))
    return answers(case, matched, range_s if matched else max(range_s, WIDE_S))


def development_case(pair: tuple[int, utd.Clip, utd.Clip]) -> Answers:
    """The answer of one development clip's sensor on another's video, cut as in clip synchronisation; none where
    one is too short. The two are the same clip, or a mismatched pair.
    """
    k, felt, seen = pair
    rng = np.random.default_rng([104, k])
    piece = utd.cut(felt, rng)
    matched = felt is seen
    other = piece if matched else utd.cut(seen, rng)
    if piece is None or other is None:
        return {}
    imu, _, truth = piece
    return answers(Scene(Recording((other[1],), (imu,)), {imu.clock_id: truth}, False), matched, utd.RANGE_S)


def development_pairs(clips: list[utd.Clip]) -> list[tuple[int, utd.Clip, utd.Clip]]:
    """Every clip with itself, and every twentieth also with one of another action, the sensor at the same site."""
    pairs = [(k, clip, clip) for k, clip in enumerate(clips)]
    for k, clip in enumerate(clips[::20]):
        rng = np.random.default_rng([105, k])
        others = [c for c in clips if c.action != clip.action and c.imu.site == clip.imu.site]
        pairs.append((k, clip, others[int(rng.integers(len(others)))]))
    return pairs


def fit(data: Path, *, scenes: int = 1500) -> dict[str, Any]:
    """Fit the confidence and write `calibration.json` into the package; returns its content."""
    pairs = development_pairs(list(utd.clips(data / "utd-mhad", utd.DEVELOPMENT)))
    groups = parallel(partial(simulated_case, data), range(scenes)) + parallel(development_case, pairs)
    cases = {method: [case for group in groups for case in group.get(method, ())] for method in METHODS}
    content = {
        "confidence": {method: fit_confidence(own) for method, own in cases.items()},
        "fitted_on": {
            "sources": [*(s.name for s in training_sources(data)), "utd-mhad, development subjects"],
            "scenes": scenes,
            "answers": {method: len(own) for method, own in cases.items()},
            "command": "kinebind bench sync --fit",
        },
    }
    with written_whole(Path(calibration_module.__file__).with_name("calibration.json")) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    calibration.cache_clear()
    return content
