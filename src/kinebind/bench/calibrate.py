"""Fit the synchroniser's confidence on simulated recordings of the training sources and on development data.

`kinebind bench sync --fit` runs this and writes `tasks/sync/calibration.json`: a logistic regression of 'right peak'
on whole answers, a third of them mismatched pairs, and the scale of the error about the right peak. The development
clips of UTD-MHAD join in.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from kinebind.bench import utd
from kinebind.bench.scenes import Bodies, Scene, scene, seeds, timing_error_s, training_sources
from kinebind.clock import FloatArray
from kinebind.parts import SITES
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.sync import calibration as calibration_module
from kinebind.tasks.sync import sync
from kinebind.tasks.sync.calibration import calibration
from kinebind.tasks.sync.confidence import FEATURES, RIGHT_PEAK_S

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


Case = tuple[dict[str, float], float]
"""Features of an answer and its timing error in seconds, infinite where sensors and poses do not belong together."""


def answers(case: Scene, matched: bool, range_s: float) -> list[Case]:
    """Each clock's answer in a scene, searched within ±range_s."""
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
    """Answers of `count` scenes, every third with the sensors on somebody else, searched narrowly or widely."""
    cases: list[Case] = []
    for k, rng in enumerate(seeds(count, 103)):
        matched = k % 3 != 0
        wearer = None if matched else bodies.draw(40.0, rng)
        case = varied_scene(bodies, rng, wearer=wearer)
        largest = max(abs(t.offset_s) for t in case.truth.values())
        cases += answers(case, matched, largest + float(np.exp(rng.uniform(np.log(0.5), np.log(60.0)))))
        if k % 100 == 99:
            log.info("%d of %d scenes answered", k + 1, count)
    return cases


def development_cases(folder: Path) -> list[Case]:
    """Answers of UTD-MHAD's development clips, cut as in clip synchronisation."""
    cases: list[Case] = []
    for k, clip in enumerate(utd.clips(folder, utd.DEVELOPMENT)):
        piece = utd.cut(clip, np.random.default_rng([104, k]))
        if piece is not None:
            imu, poses, truth = piece
            cases += answers(Scene(Recording((poses,), (imu,)), {imu.clock_id: truth}, False), True, utd.RANGE_S)
    return cases


def fit(data: Path, *, scenes: int = 1200) -> dict[str, Any]:
    """Fit the confidence and write `calibration.json` into the package; returns its content."""
    bodies = Bodies(training_sources(data))
    cases = calibration_cases(bodies, scenes) + development_cases(data / "utd-mhad")
    content = {
        "confidence": fit_confidence(cases),
        "fitted_on": {
            "sources": [*(s.name for s in bodies.sources), "utd-mhad, development subjects"],
            "scenes": scenes,
            "answers": len(cases),
            "command": "kinebind bench sync --fit",
        },
    }
    with written_whole(Path(calibration_module.__file__).with_name("calibration.json")) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    calibration.cache_clear()
    return content
