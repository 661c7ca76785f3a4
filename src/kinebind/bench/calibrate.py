"""Fit the synchroniser's numbers on simulated recordings of the training sources and on development data.

`kinebind bench sync --fit` runs this and writes `tasks/sync/calibration.json`: first the weights of the cues, by
maximum likelihood of the true lag under softmax(Σ weight × evidence) (a conditional logit, shrunk towards equal
weights, since simulation lacks some of what is real), then the confidence on whole answers, mismatched pairs
included: a logistic regression of 'right peak' and the scale of the error about it. The development subjects of
UTD-MHAD join in both.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kinebind.bench import utd
from kinebind.bench.scenes import Bodies, Scene, scene, seeds, timing_error_s, training_sources
from kinebind.clock import ClockMap, FloatArray
from kinebind.imu import Imu
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.sync import calibration as calibration_module
from kinebind.tasks.sync import sync
from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.confidence import FEATURES, RIGHT_PEAK_S
from kinebind.tasks.sync.cues import felt, pair_with_limb
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.limb_signals import RATE_HZ, track

log = logging.getLogger(__name__)

_RANGE_S = 7.5
_SPREAD_S = 0.02  # the true lag is blurred by this for the likelihood: half-way between grid steps is nobody's fault
_SHRUNK_TO = 0.15
_SHRINKAGE = 0.1
_MIX = ("clean", "normal", "normal", "hard", "sway")


@dataclass(frozen=True, eq=False)
class Matched:
    """Sensors and poses that belong together, with the true lag and the range it is to be found in."""

    imus: tuple[Imu, ...]
    poses: Poses
    true_lag_s: float
    range_s: float


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


def fit_weights(cases: Iterable[Matched], kind: str) -> dict[str, float]:
    """Cue weights that make the true lags of some cases most likely."""
    names = sorted(calibration()["weights"][kind])
    rows: list[FloatArray] = []
    targets: list[FloatArray] = []
    for case in cases:
        curves, lag_s = _cue_curves(case, names)
        target = np.exp(-0.5 * ((lag_s - case.true_lag_s) / _SPREAD_S) ** 2)
        rows.append(curves)
        targets.append(target / target.sum())

    def cost(weights: FloatArray) -> tuple[float, FloatArray]:
        value, slope = 0.0, np.zeros(weights.size)
        for curves, target in zip(rows, targets, strict=True):
            score = curves @ weights
            score -= score.max()
            share = np.exp(score)
            share /= share.sum()
            value -= float(target @ np.log(share + 1e-300))
            slope -= curves.T @ (target - share)
        away = weights - _SHRUNK_TO
        count = len(rows)
        return value / count + _SHRINKAGE * float(away @ away), slope / count + 2 * _SHRINKAGE * away

    found = minimize(cost, np.full(len(names), _SHRUNK_TO), jac=True, bounds=[(0.01, None)] * len(names))
    log.info("%s weights: cost %.3f over %d cases", kind, found.fun, len(rows))
    return {name: round(float(w), 3) for name, w in zip(names, found.x, strict=True)}


def _cue_curves(case: Matched, names: list[str]) -> tuple[FloatArray, FloatArray]:
    """Unweighted evidence (L, cues), summed over the sensors, and lags (L,) in seconds."""
    person = track(case.poses)
    first, last = round(-case.range_s * RATE_HZ), round(case.range_s * RATE_HZ)
    total = np.zeros((last - first + 1, len(names)))
    for imu in case.imus:
        assert imu.site is not None
        pairing = pair_with_limb(felt(imu), person, imu.site)
        shift = pairing.y_first - pairing.x_first
        nats, _ = lagged_evidence(pairing.x, pairing.y, pairing.cues, first - shift, last - shift, RATE_HZ)
        for c, cue in enumerate(pairing.cues):
            total[:, names.index(cue.name)] += nats[:, c] / cue.weight
    return total, np.arange(first, last + 1) / RATE_HZ


def simulated(bodies: Bodies, count: int, *, gyroscope: bool) -> Iterator[Matched]:
    """Scenes of all kinds."""
    for rng in seeds(count, 101 if gyroscope else 102):
        case = varied_scene(bodies, rng, gyroscope=gyroscope)
        imu = case.recording.imus[0]
        middle = float(np.mean([imu.time_s[0], imu.time_s[-1]]))
        lag_s = float(case.truth[imu.clock_id].to_video(middle)) - middle
        yield Matched(case.recording.imus, case.recording.people[0], lag_s, _RANGE_S)


def development(folder: Path, *, gyroscope: bool) -> Iterator[Matched]:
    """UTD-MHAD's development clips, cut as in clip synchronisation."""
    for k, clip in enumerate(utd.clips(folder, utd.DEVELOPMENT)):
        piece = utd.cut(clip, np.random.default_rng([104, k]))
        if piece is not None:
            imu, poses, truth = piece
            imu = imu if gyroscope else imu.replace(gyr_sensor=None)
            yield Matched((imu,), poses, truth.offset_s, utd.RANGE_S)


Case = tuple[dict[str, float], float]
"""Features of an answer and its timing error in seconds, infinite where sensors and poses do not belong together."""


def answers(case: Scene, matched: bool, range_s: float = _RANGE_S) -> list[Case]:
    """Each clock's answer in a scene."""
    out = []
    for answer in sync(case.recording, search_s=(-range_s, range_s)).answers:
        imu = next(i for i in case.recording.imus if i.clock_id == answer.clock_id)
        error_s = timing_error_s(answer.clock, case.truth[answer.clock_id], imu, case.recording.people[0])
        out.append((answer.features, error_s if matched else float("inf")))
    return [case for case in out if case[0]]


def fit_confidence(cases: list[Case]) -> dict[str, float]:
    """Logistic regression (slightly ridged) of the right peak, and the Laplace scale of the error about it."""
    x = np.array([[1.0, *(f[name] for name in FEATURES)] for f, _ in cases])
    error_s = np.array([e for _, e in cases])
    y = (error_s <= RIGHT_PEAK_S).astype(np.float64)

    def cost(w: FloatArray) -> tuple[float, FloatArray]:
        z = x @ w
        value = float(np.mean(np.logaddexp(0.0, z) - y * z)) + 1e-4 * float(w[1:] @ w[1:])
        slope = x.T @ (1.0 / (1.0 + np.exp(-z)) - y) / y.size + 2e-4 * np.append(0.0, w[1:])
        return value, slope

    peak = minimize(cost, np.zeros(x.shape[1]), jac=True).x
    right = y > 0
    log_sigma, error = x[right, 1 + FEATURES.index("log_sigma")], error_s[right]

    def spread(w: FloatArray) -> float:
        log_scale = w[0] + w[1] * log_sigma
        return float(np.mean(log_scale + error * np.exp(-log_scale)))

    scale = minimize(spread, np.array([-4.0, 0.5])).x
    names = ("intercept", *FEATURES, "scale_intercept", "scale_log_sigma")
    return {name: round(float(w), 4) for name, w in zip(names, [*peak, *scale], strict=True)}


def calibration_cases(bodies: Bodies, count: int) -> list[Case]:
    """Answers of `count` scenes, every third with the sensors on somebody else."""
    cases: list[Case] = []
    for k, rng in enumerate(seeds(count, 103)):
        matched = k % 3 != 0
        wearer = None if matched else bodies.draw(40.0, rng)
        cases += answers(varied_scene(bodies, rng, wearer=wearer), matched)
        if k % 100 == 99:
            log.info("%d of %d scenes answered", k + 1, count)
    return cases


def development_cases(folder: Path) -> list[Case]:
    """Answers of the development clips of UTD-MHAD, every third with another clip's poses."""
    cases: list[Case] = []
    pieces = list(development(folder, gyroscope=True))
    for k, own in enumerate(pieces):
        matched = k % 3 != 0
        poses = own.poses if matched else pieces[(k + 37) % len(pieces)].poses
        scene_ = Scene(Recording((poses,), own.imus), {own.imus[0].clock_id: ClockMap(own.true_lag_s)}, False)
        cases += answers(scene_, matched, own.range_s)
    return cases


def fit(data: Path, *, weight_scenes: int = 300, confidence_scenes: int = 1500) -> dict[str, Any]:
    """Fit everything and write `calibration.json` into the package; returns its content."""
    bodies = Bodies(training_sources(data))
    folder = data / "utd-mhad"
    content = json.loads(json.dumps(calibration()))
    target = Path(calibration_module.__file__).with_name("calibration.json")
    for kind in ("rate", "acc"):
        gyroscope = kind == "rate"
        matched = chain(simulated(bodies, weight_scenes, gyroscope=gyroscope), development(folder, gyroscope=gyroscope))
        content["weights"][kind] = fit_weights(matched, kind)
    _write(content, target)
    cases = calibration_cases(bodies, confidence_scenes) + development_cases(folder)
    content["confidence"] = fit_confidence(cases)
    content["fitted_on"] = {
        "sources": [*(s.name for s in bodies.sources), "utd-mhad, development subjects"],
        "weight_scenes": weight_scenes, "confidence_scenes": confidence_scenes,
        "command": "kinebind bench sync --fit",
    }  # fmt: skip
    _write(content, target)
    return dict(content)


def _write(content: dict[str, Any], path: Path) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    calibration.cache_clear()
