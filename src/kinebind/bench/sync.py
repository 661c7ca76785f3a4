"""The benchmark of synchronisation: simulated, Neura, UTD-MHAD and the hour, beside the baselines.

`kinebind bench sync` runs on development data: DeepMimic's clips (a source that nothing is fitted on), UTD-MHAD's odd
subjects, and idle people. `--final` opens the test sets: CMU's motion capture, UTD-MHAD's even subjects, the Neura
walk, and the five idle files kept for the test. `--small` takes every twentieth clip, and of the hour its first part:
a look, not a result. What it has found lies in a folder, from which the same command of the same commit goes on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.bench import baselines, hour, neura, utd
from kinebind.bench.calibrate import varied_scene
from kinebind.bench.kept_parts import by_parts
from kinebind.bench.measured import expected_calibration_error
from kinebind.bench.processes import parallel
from kinebind.bench.scenes import (
    Bodies,
    Source,
    idle_sources,
    scene,
    test_sources,
    timing_error_s,
    training_sources,
    validation_sources,
)
from kinebind.clock import ClockMap, FloatArray
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.store import save
from kinebind.tasks.sync import sync

RANGE_S = (-7.5, 7.5)
CLIPS = 200
VARIED = 1900
SKEW_CLIPS = 50
IDLE_CLIPS = 150
HOUR_MINUTES = (7.5, 15.0, 30.0, 60.0)
SMALL_EVERY = 20
VARIANT = "low3"
"""What correlation does best with on development data (`utd_wrist_correlation_VARIANT_within_100ms_dev`)."""


@dataclass(frozen=True)
class Outcome:
    """One clock's answer: its timing error and skew error, its confidence, and the baselines' errors, seconds."""

    error_s: float
    confidence: float
    answered: bool
    skew_error_ppm: float = float("nan")
    periodic: bool = False
    correlation_s: float = float("nan")
    syncwise_s: float = float("nan")
    zero_s: float = float("nan")


def run(data: Path, *, final: bool = False, small: bool = False, folder: Path | None = None) -> dict[str, float]:
    """All figures, flat: key → number. `final` opens the test sets. `small` takes few of the clips.

    folder: where what is done is kept, as `kinebind.bench.kept_parts` says.
    """
    parts = (_simulated, confidence, _utd, _neura, _hours)
    every = SMALL_EVERY if small else 1
    return by_parts({part.__name__.strip("_"): partial(part, data, final, every) for part in parts}, folder)


@cache
def _bodies(data: Path, kind: str) -> Bodies:
    """Bodies of one kind of source, cached in each worker."""
    sources: dict[str, Callable[[Path], list[Source]]] = {
        "train": training_sources,
        "validation": validation_sources,
        "test": test_sources,
        "idle": partial(idle_sources, final=False),
        "idle-test": partial(idle_sources, final=True),
    }
    return Bodies(sources[kind](data))


@dataclass(frozen=True)
class _Task:
    """A clip to simulate and answer, by its seed."""

    data: Path
    kind: str
    condition: str
    seed: tuple[int, int]
    options: tuple[tuple[str, Any], ...] = ()
    baselines: str = ""
    wrong_person: bool = False


def _answered(task: _Task) -> list[Outcome]:
    """Simulate a clip and answer it; one outcome a clock."""
    rng = np.random.default_rng(task.seed)
    bodies = _bodies(task.data, task.kind)
    options = dict(task.options)
    if task.wrong_person:
        options["wearer"] = bodies.draw(40.0, rng)
    case = scene(bodies, task.condition, rng, **options) if task.condition else varied_scene(bodies, rng, **options)
    poses = case.recording.people[0]
    out = []
    for answer in sync(case.recording, search_s=RANGE_S).answers:
        imus = tuple(i for i in case.recording.imus if i.clock_id == answer.clock_id)
        truth = case.truth[answer.clock_id]
        error_s = timing_error_s(answer.clock, truth, imus[0], poses)
        skew = float("nan") if answer.clock is None else answer.clock.skew_ppm - truth.skew_ppm
        others = _others(imus, poses, truth, RANGE_S, task.baselines) if task.baselines else (np.nan, np.nan, np.nan)
        wrong = float("inf") if task.wrong_person else error_s
        out.append(Outcome(wrong, answer.confidence, answer.answered, skew, case.periodic, *others))
    return out


def _others(
    imus: tuple[Imu, ...], poses: Poses, truth: ClockMap, range_s: tuple[float, float], variant: str
) -> tuple[float, float, float]:
    """Timing errors of correlation, SyncWISE and zero."""
    found = (
        baselines.correlation_offset_s(imus, poses, range_s, variant),
        baselines.syncwise_offset_s(imus, poses, range_s),
        0.0,
    )
    a, b, c = (timing_error_s(ClockMap(o, 0.0, truth.ref_time_s), truth, imus[0], poses) for o in found)
    return a, b, c


def _tasks(
    data: Path, final: bool, condition: str, count: int, seed: int, *, every: int = 1, **options: Any
) -> list[_Task]:
    """Every `every`-th of `count` clips."""
    band = str(options.pop("baselines", ""))
    wrong = bool(options.pop("wrong_person", False))
    kind = str(options.pop("kind", "test" if final else "validation"))
    items = tuple(options.items())
    return [_Task(data, kind, condition, (seed, k), items, band, wrong) for k in range(0, count, every)]


def _flat(lists: list[list[Outcome]]) -> list[Outcome]:
    return [o for own in lists for o in own]


def _errors_ms(outcomes: Sequence[Outcome], only_answered: bool = True) -> FloatArray:
    return np.array([o.error_s * 1e3 for o in outcomes if o.answered or not only_answered])


def interval(values: FloatArray, statistic: Callable[[FloatArray], float], draws: int = 1000) -> tuple[float, float]:
    """95 % bootstrap interval of a statistic over clips."""
    rng = np.random.default_rng(0)
    found = [statistic(values[rng.integers(values.size, size=values.size)]) for _ in range(draws)]
    return float(np.percentile(found, 2.5)), float(np.percentile(found, 97.5))


def _put(metrics: dict[str, float], key: str, values: FloatArray, statistic: Callable[[FloatArray], Any]) -> None:
    """A figure with its interval."""
    if values.size:
        metrics[key] = float(statistic(values))
        metrics[f"{key}_lo"], metrics[f"{key}_hi"] = interval(values, lambda v: float(statistic(v)))


def _simulated(data: Path, final: bool, every: int) -> dict[str, float]:
    """Clips of 20 s by condition, own clocks, acceleration alone, and the skew of 2 min clips."""
    metrics: dict[str, float] = {}
    for row in ("normal", "clean", "hard", "sway"):
        count = CLIPS if row == "normal" else CLIPS // 3
        tasks = _tasks(data, final, row, count, 11, every=every, aperiodic_only=True, baselines=VARIANT)
        outcomes = _flat(parallel(_answered, tasks))
        prefix = "sim" if row == "normal" else f"sim_{row}"
        _put(metrics, f"{prefix}_median_ms", _errors_ms(outcomes), np.median)
        _put(metrics, f"{prefix}_within_33ms", _errors_ms(outcomes), lambda e: np.mean(e <= 33))
        _put(metrics, f"{prefix}_coverage", np.array([o.answered for o in outcomes], float), np.mean)
        metrics[f"{prefix}_within_100ms"] = float(np.mean([o.answered and o.error_s <= 0.1 for o in outcomes]))
        for name in ("correlation", "syncwise", "zero"):
            errors = np.array([getattr(o, f"{name}_s") for o in outcomes]) * 1e3
            key = "predict_zero" if name == "zero" else name
            metrics[f"{prefix}_{key}_median_ms"] = float(np.median(errors))
            metrics[f"{prefix}_{key}_within_100ms"] = float(np.mean(errors <= 100))
    for prefix, count, options in (
        ("sim_own_clock", CLIPS // 2, {"own_clocks": True, "aperiodic_only": True}),
        ("sim_acc_only", CLIPS, {"gyroscope": False, "aperiodic_only": True}),
        ("sim_one_wrist_5s", CLIPS // 2, {"sites": ("right_wrist",), "duration_s": 5.0, "max_offset_s": 2.0}),
        ("sim_hard_one_wrist_5s", CLIPS // 2, {"sites": ("right_wrist",), "duration_s": 5.0, "max_offset_s": 2.0}),
        ("sim_periodic", CLIPS // 3, {"periodic_only": True}),
    ):
        condition = "hard" if "hard" in prefix else "normal"
        outcomes = _flat(parallel(_answered, _tasks(data, final, condition, count, 12, every=every, **options)))
        _put(metrics, f"{prefix}_median_ms", _errors_ms(outcomes), np.median)
        metrics[f"{prefix}_within_33ms"] = float(np.mean(_errors_ms(outcomes) <= 33))
        metrics[f"{prefix}_coverage"] = float(np.mean([o.answered for o in outcomes]))
    tasks = _tasks(
        data, final, "normal", SKEW_CLIPS, 13, every=every, duration_s=120.0, max_skew_ppm=300.0, aperiodic_only=True
    )
    outcomes = _flat(parallel(_answered, tasks))
    skew = np.array([abs(o.skew_error_ppm) for o in outcomes if o.answered])
    _put(metrics, "sim_skew_error_ppm", skew, np.median)
    metrics["sim_2min_median_ms"] = float(np.median(_errors_ms(outcomes)))
    metrics["sim_2min_coverage"] = float(np.mean([o.answered for o in outcomes]))
    return metrics


def confidence(data: Path, final: bool, every: int) -> dict[str, float]:
    """Calibration over everything users may bring, two thirds of it matched; strangers, idle people, a bystander."""
    matched = _flat(parallel(_answered, _tasks(data, final, "", VARIED * 2 // 3, 21, every=every)))
    strangers = _flat(parallel(_answered, _tasks(data, final, "", VARIED // 3, 22, every=every, wrong_person=True)))
    strangers_20s = _tasks(data, final, "normal", CLIPS, 23, every=every, wrong_person=True)
    idle_kind = "idle-test" if final else "idle"
    idle = _flat(parallel(_answered, _tasks(data, final, "normal", IDLE_CLIPS, 24, every=every, kind=idle_kind)))
    everything = matched + strangers + idle
    stated = np.array([o.confidence for o in everything])
    right = np.array([o.error_s <= 0.05 for o in everything], dtype=np.float64)
    metrics = {
        "sim_ece": expected_calibration_error(stated, right),
        "sim_ece_cases": float(stated.size),
        "sim_ece_right_share": float(right.mean()),
        "sim_varied_coverage": float(np.mean([o.answered for o in matched])),
        "sim_varied_within_50ms_of_answered": float(np.mean(_errors_ms(matched) <= 50)),
        "false_answer_rate": float(np.mean([o.answered for o in strangers])),
        "false_answer_rate_20s": float(np.mean([o.answered for o in _flat(parallel(_answered, strangers_20s))])),
        "idle_answered": float(np.mean([o.answered for o in idle])),
        "idle_best_guess_within_50ms": float(np.mean([o.error_s <= 0.05 for o in idle])),
    }
    return metrics


def _utd_answer(case: tuple[Imu, Poses, ClockMap]) -> Outcome:
    imu, poses, truth = case
    range_s = (-utd.RANGE_S, utd.RANGE_S)
    answer = sync(Recording((poses,), (imu,)), search_s=range_s, tolerance_s=0.1).answers[0]
    others = _others((imu,), poses, truth, range_s, VARIANT)
    return Outcome(
        timing_error_s(answer.clock, truth, imu, poses), answer.confidence, answer.answered, 0.0, False, *others
    )


def _utd(data: Path, final: bool, every: int) -> dict[str, float]:
    """Clip synchronisation; refusals count as wrong. The confidence is about 100 ms here, as the protocol says."""
    metrics: dict[str, float] = {}
    for suffix, subjects in (("dev", utd.DEVELOPMENT), *((("test", utd.TEST),) if final else ())):
        pieces = [
            utd.cut(c, np.random.default_rng([31, k])) for k, c in enumerate(utd.clips(data / "utd-mhad", subjects))
        ]
        cases = [p for p in pieces if p is not None][::every]
        outcomes: list[Outcome] = parallel(_utd_answer, cases)
        for name, site in (("wrist", "right_wrist"), ("thigh", "right_thigh")):
            own = [o for o, (imu, _, _) in zip(outcomes, cases, strict=True) if imu.site == site]
            right = np.array([o.answered and o.error_s <= 0.1 for o in own], float)
            _put(metrics, f"utd_{name}_within_100ms_{suffix}", right, np.mean)
            metrics[f"utd_{name}_coverage_{suffix}"] = float(np.mean([o.answered for o in own]))
            metrics[f"utd_{name}_best_guess_within_100ms_{suffix}"] = float(np.mean([o.error_s <= 0.1 for o in own]))
            metrics[f"utd_{name}_best_guess_within_200ms_{suffix}"] = float(np.mean([o.error_s <= 0.2 for o in own]))
            for key, field in (
                ("correlation", "correlation_s"),
                ("syncwise", "syncwise_s"),
                ("predict_zero", "zero_s"),
            ):
                errors = np.array([getattr(o, field) for o in own])
                metrics[f"utd_{name}_{key}_within_100ms_{suffix}"] = float(np.mean(errors <= 0.1))
            order = np.argsort([-o.confidence for o in own], kind="stable")
            for share in (25, 50, 75, 100):  # error against coverage: the surest first
                first = order[: max(1, len(order) * share // 100)]
                metrics[f"utd_{name}_within_100ms_surest_{share}pct_{suffix}"] = float(
                    np.mean([own[i].error_s <= 0.1 for i in first])
                )
            if suffix == "dev":
                metrics |= _variants(name, [c for c in cases if c[0].site == site])
        stated = np.array([o.confidence for o in outcomes])
        metrics[f"utd_ece_{suffix}"] = expected_calibration_error(
            stated, np.array([o.error_s <= 0.1 for o in outcomes], float)
        )
    return metrics


def _variants(name: str, cases: list[tuple[Imu, Poses, ClockMap]]) -> dict[str, float]:
    """Correlation with every variant, so that the one it gets is seen to be its best."""
    range_s = (-utd.RANGE_S, utd.RANGE_S)
    out = {}
    for variant in baselines.VARIANTS:
        offsets = [baselines.correlation_offset_s((imu,), poses, range_s, variant) for imu, poses, _ in cases]
        errors = [
            timing_error_s(ClockMap(o, 0.0, truth.ref_time_s), truth, imu, poses)
            for o, (imu, poses, truth) in zip(offsets, cases, strict=True)
        ]
        out[f"utd_{name}_correlation_{variant}_within_100ms_dev"] = float(np.mean(np.array(errors) <= 0.1))
    return out


def _neura_answer(case: tuple[neura.Clip, bool]) -> tuple[float, float, bool]:
    """Signed error at the middle of the clip, seconds, the confidence, and whether answered."""
    clip, pelvis_only = case
    imus = tuple(i for i in clip.imus if i.site == "pelvis") if pelvis_only else clip.imus
    answer = sync(Recording((clip.poses,), imus), search_s=(-neura.RANGE_S - 0.5, neura.RANGE_S + 0.5)).answers[0]
    middle = neura.CLIP_S / 2
    if answer.clock is None:
        return float("inf"), answer.confidence, answer.answered
    return float(answer.clock.to_video(middle) - clip.truth.to_video(middle)), answer.confidence, answer.answered


def _neura(data: Path, final: bool, every: int) -> dict[str, float]:
    """Walking and standing clips of the walk; test data throughout, so only with `final`."""
    if not final:
        return {}
    folder = data / "neura-walk"
    metrics: dict[str, float] = {}
    walking = list(neura.clips(folder, neura.WALKING_S, 10, 41))
    standing = list(neura.clips(folder, neura.STANDING_S, 10, 42))
    bias_s = float("nan")
    for prefix, pelvis_only in (("neura", False), ("neura_pelvis", True)):
        error, sure, answered = np.array(parallel(_neura_answer, [(c, pelvis_only) for c in walking])).T
        given = answered > 0
        if not pelvis_only:
            bias_s = float(np.median(error[given])) if given.any() else float("nan")
            metrics["neura_bias_ms"] = bias_s * 1e3
            metrics["neura_confident_wrong"] = float(np.sum((sure >= 0.9) & (np.abs(error - bias_s) > 0.05)))
        away_ms = np.abs(error[given] - bias_s) * 1e3
        _put(metrics, f"{prefix}_spread_ms", away_ms, np.median)
        metrics[f"{prefix}_coverage"] = float(given.mean())
        metrics[f"{prefix}_within_100ms_of_answered"] = float(np.mean(away_ms <= 100)) if away_ms.size else 0.0
        metrics[f"{prefix}_best_guess_within_100ms"] = float(np.mean(np.abs(error - bias_s) <= 0.1))
        _, _, answered = np.array(parallel(_neura_answer, [(c, pelvis_only) for c in standing])).T
        metrics[f"{prefix}_standing_answered"] = float(np.mean(answered))
    return metrics


def _hours(data: Path, final: bool, every: int) -> dict[str, float]:
    """The benchmark hour, and shorter ones for the curve of the cost, each in a process of its own."""
    metrics: dict[str, float] = {}
    bodies = _bodies(data, "test" if final else "validation")
    with tempfile.TemporaryDirectory() as folder:
        for minutes in HOUR_MINUTES if every == 1 else HOUR_MINUTES[:1]:
            path = Path(folder) / f"{minutes:g}.kinebind"
            recording, truth, jump_s = hour.make(bodies, np.random.default_rng(51), minutes * 60.0)
            save(recording, path)
            found = hour.in_own_process(path)
            error_s = hour.max_error_s(found, truth, jump_s, recording.imus[0].time_s)
            name = "hour" if minutes == 60 else f"minutes_{minutes:g}".replace(".", "_")
            metrics[f"{name}_s"] = found.seconds
            metrics[f"{name}_max_error_ms"] = error_s * 1e3
            metrics[f"{name}_peak_mb"] = found.peak_mb
            metrics[f"{name}_pieces"] = float(len(found.pieces))
    return metrics
