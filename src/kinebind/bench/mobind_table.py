"""The study's figures as one table, key → number, and as pictures.

`RUN_r1` is R@1 of a run, the mean of both directions; the paper's ablation has it once more as `ablation_…_r1`. Beside
a mean over seeds stand `_lo` and `_hi`, its 95 % interval by bootstrap over the seeds. Figures of UTD-MHAD end in
`_dev` or `_test`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.bench.mobind_runs import RUNS
from kinebind.bench.mobind_tasks import CLIP_S, DROPPED, LONG_CLIPS_S, Study, found, run_name
from kinebind.report.curves import PlottedCurve, curves_picture, save_picture

Seeds = list[dict[str, Any]]
"""Of one task, its figures by seed."""
_ABLATION = ("global", "local", "token")
_METHODS = ("ours", "vote")


def table(study: Study) -> dict[str, float]:
    """All figures of what is done."""
    out: dict[str, float] = {}
    for name, run in RUNS.items():
        if run.store == "utd":
            for split, suffix in (("val", "dev"), ("test", "test")):
                if split == "val" or study.final:
                    out |= _utd(_seeds(study, f"windows-{split}-{name}-{{}}"), name, suffix)
        else:
            out |= _windowed(_seeds(study, f"windows-{study.held_out}-{name}-{{}}"), name)
    for name in _ABLATION:
        for key in ("r1", "r1_lo", "r1_hi"):
            if f"{name}_{key}" in out:
                out[f"ablation_{name}_{key}"] = out.pop(f"{name}_{key}")
    for name in RUNS:
        out |= _synchronised(_seeds(study, f"sync-{study.held_out}-{name}-{{}}-{CLIP_S:g}"), name)
        out |= _activities(_seeds(study, f"har-{name}-{{}}"), name)
    for clip_s in LONG_CLIPS_S:
        own = _seeds(study, f"sync-{study.held_out}-mobind-{{}}-{clip_s:g}")
        out |= _synchronised(own, "mobind", f"_{clip_s / 60:g}min")
    if "vote_mae_ms" in out:
        out["sync_gain"] = out["vote_mae_ms"] / out["sync_mae_ms"]
    out |= _correlation(study)
    for task in (f"hour-{study.held_out}", "speed"):
        if study.done_file(task).exists():
            out |= study.figures(task)["metrics"]
    return out | _trainings(study)


def _seeds(study: Study, task: str) -> Seeds:
    names = [task.format(seed) for seed in range(study.size.seeds)]
    return [study.figures(name)["metrics"] for name in names if study.done_file(name).exists()]


def with_interval(key: str, values: Sequence[float]) -> dict[str, float]:
    """The mean over seeds, and where there are several, its interval.

    >>> with_interval("r1", [0.5, 0.7])["r1"]
    0.6
    """
    v = np.asarray(values, dtype=np.float64)
    out = {key: float(v.mean())}
    if v.size > 1:
        drawn = np.random.default_rng(0).choice(v, (2000, v.size)).mean(axis=1)
        out[f"{key}_lo"], out[f"{key}_hi"] = (float(p) for p in np.percentile(drawn, (2.5, 97.5)))
    return out


def _mean(own: Seeds, key: str, *names: str, factor: float = 1.0) -> dict[str, float]:
    """The mean over seeds of the mean of some figures; nothing where no seed has them."""
    have = [[seed[name] for name in names] for seed in own if all(name in seed for name in names)]
    return with_interval(key, [factor * float(np.mean(v)) for v in have]) if have else {}


def _windowed(own: Seeds, name: str) -> dict[str, float]:
    out: dict[str, float] = {}
    for count in DROPPED:
        drop = f"_drop{count}" if count else ""
        out |= _mean(own, f"{name}_r1{drop}", f"imu_to_pose_r1{drop}", f"pose_to_imu_r1{drop}")
        for job in ("people", "parts"):
            for how in ("each", "together"):
                out |= _mean(own, f"{name}_{job}_{how}{drop}", f"{job}_accuracy_{how}{drop}")
    for key in ("r5", "r10", "mean_rank", "median_rank"):
        out |= _mean(own, f"{name}_{key}", f"imu_to_pose_{key}", f"pose_to_imu_{key}")
    for way in ("imu_to_pose", "pose_to_imu"):
        out |= _mean(own, f"{name}_{way}_r1", f"{way}_r1")
    if name == "mobind" and own:
        out |= {"retrieval_gallery": own[0]["imu_to_pose_gallery"], "people_chance": own[0].get("people_chance", 1.0)}
    return out


def _utd(own: Seeds, name: str, suffix: str) -> dict[str, float]:
    out = _mean(own, f"{name}_r1_{suffix}", "imu_to_pose_r1", "pose_to_imu_r1")
    for key in ("r5", "r10"):
        out |= _mean(own, f"{name}_{key}_{suffix}", f"imu_to_pose_{key}", f"pose_to_imu_{key}")
    for method in ("1nn", "probe"):
        out |= _mean(own, f"{name}_har_{method}_{suffix}", f"accuracy_{method}")
    return out


def _synchronised(own: Seeds, name: str, suffix: str = "") -> dict[str, float]:
    """Of MoBind as `sync_…` and `vote_…`; of others with their names before."""
    out: dict[str, float] = {}
    for kind in ("", "periodic_"):
        for method in _METHODS:
            said = {"ours": "sync", "vote": "vote"}[method]
            prefix = f"{kind}{said}" if name == "mobind" else f"{kind}{name}_{said}"
            out |= _mean(own, f"{prefix}_mae_ms{suffix}", f"{kind}mae_s_{method}", factor=1e3)
            out |= _mean(own, f"{prefix}_median_ms{suffix}", f"{kind}median_s_{method}", factor=1e3)
            for bound in (100, 200, 500):
                out |= _mean(own, f"{prefix}_within_{bound}ms{suffix}", f"{kind}within_{bound}ms_{method}")
        if name == "mobind":
            out |= _mean(own, f"{kind}sync_coverage{suffix}", f"{kind}answered_share_ours")
            out |= _mean(own, f"{kind}sync_answered_mae_ms{suffix}", f"{kind}mae_s_answered_ours", factor=1e3)
            out |= {f"{kind}sync_clips{suffix}": own[0][f"{kind}clips"]} if own and f"{kind}clips" in own[0] else {}
    return out


def _activities(own: Seeds, name: str) -> dict[str, float]:
    key = {"mobind": "mtp", "token": "no_mtp"}.get(name, name)
    out: dict[str, float] = {}
    for method in ("1nn", "probe", "finetuned"):
        out |= _mean(own, f"har_{method}_{key}", f"accuracy_{method}")
        out |= _mean(own, f"har_{method}_{key}_macro_f1", f"macro_f1_{method}")
    return out


def _correlation(study: Study) -> dict[str, float]:
    out: dict[str, float] = {}
    for kind in ("sim", "utd"):
        for split, suffix in (("val", "_dev"), ("test", "_test")) if kind == "utd" else ((study.held_out, ""),):
            task = f"correlation-{split}-{kind}"
            if not study.done_file(task).exists() or (split == "test" and not study.final):
                continue
            m: Mapping[str, float] = study.figures(task)["metrics"]
            prefix = "utd_correlation" if kind == "utd" else "correlation"
            for key in ("r1", "r5", "r10"):
                out[f"{prefix}_{key}{suffix}"] = 0.5 * (m[f"imu_to_pose_{key}"] + m[f"pose_to_imu_{key}"])
            for job in ("people", "parts"):
                for how in ("each", "together"):
                    if f"{job}_accuracy_{how}" in m:
                        out[f"{prefix}_{job}_{how}"] = m[f"{job}_accuracy_{how}"]
            if "mae_s" in m:
                out |= {"correlation_mae_ms": 1e3 * m["mae_s"], "correlation_within_200ms": m["within_200ms"]}
    return out


def _trainings(study: Study) -> dict[str, float]:
    """What was trained with which settings, and for how long."""
    out: dict[str, float] = {}
    for name, run in RUNS.items():
        done = [run_name(name, s) for s in range(study.size.seeds) if study.done_file(run_name(name, s)).exists()]
        own: Seeds = [study.figures(task) for task in done]
        if own:
            out |= _mean(own, f"{name}_validation_r1", "best_r1")
            out |= {
                f"{name}_epochs": own[0]["epochs"],
                f"{name}_train_minutes": float(np.median([o["minutes"] for o in own])),
            }
            if run.after == "" and name == run.kind:
                out[f"{name}_windows"] = own[0]["steps"] * study.size.batch_size / own[0]["epochs"]
                out[f"{name}_learning_rate"], out[f"{name}_temperature"] = found(study, name)
    return out


def pictures(study: Study) -> list[Path]:
    """Retrieval over K, over sensors dropped, and synchronisation's errors, drawn into the work folder."""
    folder = study.work / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    recall, errors, drops = [], [], []
    for name in RUNS:
        tasks = [f"windows-{study.held_out}-{name}-{seed}" for seed in range(study.size.seeds)]
        own = [study.figures(task) for task in tasks if study.done_file(task).exists()]
        if own and RUNS[name].store != "utd":
            recall.append(_curve(name, [list(o["plots"]["recall"].values()) for o in own]))
            keys = [f"_drop{count}" if count else "" for count in DROPPED]
            ways = ("imu_to_pose_r1", "pose_to_imu_r1")
            r1 = [[[list(DROPPED), [o["metrics"][way + key] for key in keys]] for way in ways] for o in own]
            drops.append(_curve(name, r1))
        tasks = [f"sync-{study.held_out}-{name}-{seed}-{CLIP_S:g}" for seed in range(study.size.seeds)]
        own = [study.figures(task) for task in tasks if study.done_file(task).exists()]
        for method in _METHODS:
            if own and method in own[0]["plots"]["sync"]:
                errors.append(_curve(f"{name}, {method}", [[o["plots"]["sync"][method]] for o in own]))
    written = []
    for name, curves, x_label, y_label in (
        ("recall", recall, "windows looked at (K)", "R@K"),
        ("dropped", drops, "sensors dropped", "R@1"),
        ("sync", errors, "largest error (s)", "clips within it"),
    ):
        if curves:
            figure = curves_picture(curves, x_label, y_label, shares=True)
            written.append(save_picture(figure, folder / f"{name}.svg"))
    return written


def _curve(name: str, seeds: list[list[Any]]) -> PlottedCurve:
    """The mean over directions, then over seeds, with the range of the seeds."""
    x = np.asarray(seeds[0][0][0], dtype=np.float64)
    each = np.array([np.mean([y for _, y in ways], axis=0) for ways in seeds])
    return PlottedCurve(name, x, each.mean(axis=0), each.min(axis=0), each.max(axis=0))
