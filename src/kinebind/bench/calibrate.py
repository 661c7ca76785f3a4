"""Fit the synchroniser's numbers on simulated recordings of the training sources.

`kinebind bench sync --fit` runs this and writes `tasks/sync/calibration.json`: first the weights of the cues, by
maximum likelihood of the true lag under softmax(Σ weight × evidence) (a conditional logit), then the confidence, by
logistic regression of 'timing error ≤ 50 ms' on whole answers, mismatched pairs and still people included.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kinebind.bench.scenes import Bodies, Scene, scene, seeds, timing_error_s, training_sources
from kinebind.clock import FloatArray
from kinebind.parts import SITES
from kinebind.store import written_whole
from kinebind.tasks.sync import calibration as calibration_module
from kinebind.tasks.sync import sync
from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.confidence import FEATURES
from kinebind.tasks.sync.cues import felt, pair_with_limb
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.limb_signals import RATE_HZ, track

log = logging.getLogger(__name__)

TOLERANCE_S = 0.05
_RANGE_S = 7.5
_SPREAD_S = 0.02  # the true lag is blurred by this for the likelihood: half-way between grid steps is nobody's fault
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


def fit_weights(bodies: Bodies, count: int, *, gyroscope: bool) -> dict[str, float]:
    """Cue weights that make the true lags of `count` scenes most likely."""
    kind = "rate" if gyroscope else "acc"
    names = sorted(calibration()["weights"][kind])
    rows: list[FloatArray] = []
    targets: list[FloatArray] = []
    for rng in seeds(count, 101 if gyroscope else 102):
        case = varied_scene(bodies, rng, gyroscope=gyroscope)
        curves, lag_s = _cue_curves(case, names)
        imu = case.recording.imus[0]
        middle = float(np.mean([imu.time_s[0], imu.time_s[-1]]))
        true_lag = float(case.truth[imu.clock_id].to_video(middle)) - middle
        target = np.exp(-0.5 * ((lag_s - true_lag) / _SPREAD_S) ** 2)
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
        return value / len(rows), slope / len(rows)

    found = minimize(cost, np.full(len(names), 0.2), jac=True, bounds=[(0.01, None)] * len(names))
    log.info("%s weights: cost %.3f", kind, found.fun)
    return {name: round(float(w), 3) for name, w in zip(names, found.x, strict=True)}


def _cue_curves(case: Scene, names: list[str]) -> tuple[FloatArray, FloatArray]:
    """Unweighted evidence (L, cues), summed over the sensors, and lags (L,) in seconds."""
    person = track(case.recording.people[0])
    first, last = round(-_RANGE_S * RATE_HZ), round(_RANGE_S * RATE_HZ)
    total = np.zeros((last - first + 1, len(names)))
    for imu in case.recording.imus:
        assert imu.site is not None
        pairing = pair_with_limb(felt(imu), person, imu.site)
        shift = pairing.y_first - pairing.x_first
        nats, _ = lagged_evidence(pairing.x, pairing.y, pairing.cues, first - shift, last - shift, RATE_HZ)
        for c, cue in enumerate(pairing.cues):
            total[:, names.index(cue.name)] += nats[:, c] / cue.weight
    return total, np.arange(first, last + 1) / RATE_HZ


Case = tuple[dict[str, float], bool]


def answers(case: Scene, matched: bool, range_s: float = _RANGE_S) -> list[Case]:
    """Features of each clock's answer, and whether it is right; a mismatched pair never is."""
    result = sync(case.recording, search_s=(-range_s, range_s))
    out = []
    for answer in result.answers:
        imu = next(i for i in case.recording.imus if i.clock_id == answer.clock_id)
        error = timing_error_s(answer.clock, case.truth[answer.clock_id], imu, case.recording.people[0])
        out.append((answer.features, matched and error <= TOLERANCE_S))
    return out


def fit_confidence(cases: list[Case]) -> dict[str, float]:
    """Logistic regression (slightly ridged) of being right on the features of `confidence.features`."""
    x = np.array([[1.0, *(f[name] for name in FEATURES)] for f, _ in cases])
    y = np.array([float(right) for _, right in cases])

    def cost(w: FloatArray) -> tuple[float, FloatArray]:
        z = x @ w
        value = float(np.mean(np.logaddexp(0.0, z) - y * z)) + 1e-4 * float(w[1:] @ w[1:])
        slope = x.T @ (1.0 / (1.0 + np.exp(-z)) - y) / y.size + 2e-4 * np.append(0.0, w[1:])
        return value, slope

    found = minimize(cost, np.zeros(x.shape[1]), jac=True)
    return {name: round(float(w), 4) for name, w in zip(("intercept", *FEATURES), found.x, strict=True)}


def calibration_cases(bodies: Bodies, count: int, progress: Callable[[int], None] = lambda _: None) -> list[Case]:
    """Answers of `count` scenes, every third with the sensors on somebody else."""
    cases: list[Case] = []
    for k, rng in enumerate(seeds(count, 103)):
        matched = k % 3 != 0
        wearer = None if matched else bodies.draw(40.0, rng)
        cases += answers(varied_scene(bodies, rng, wearer=wearer), matched)
        progress(k)
    return cases


def fit(
    data: Path, *, weight_scenes: int = 400, confidence_scenes: int = 1500, out: Path | None = None
) -> dict[str, Any]:
    """Fit everything and write `calibration.json`; returns its content."""
    bodies = Bodies(training_sources(data))
    content = json.loads(json.dumps(calibration()))
    target = out or Path(calibration_module.__file__).with_name("calibration.json")
    for kind in ("rate", "acc"):
        content["weights"][kind] = fit_weights(bodies, weight_scenes, gyroscope=kind == "rate")
    _write(content, target)
    content["confidence"] = fit_confidence(calibration_cases(bodies, confidence_scenes))
    content["fitted_on"] = {
        "sources": [s.name for s in bodies.sources], "weight_scenes": weight_scenes,
        "confidence_scenes": confidence_scenes, "command": "kinebind bench sync --fit",
    }  # fmt: skip
    _write(content, target)
    return dict(content)


def _write(content: dict[str, Any], path: Path) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    calibration.cache_clear()
