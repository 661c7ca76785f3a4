"""The benchmark of recognising activities, `kinebind bench har`.

On development data: UTD-MHAD's subject 7 after 1, 3 and 5 (keys with `_dev`), and two of GeoTec's odd subjects after
the others. `--final` asks the test subjects (UTD-MHAD 2, 4, 6, 8, keys with `_test`; GeoTec's even ones). WHARF, in
five parts by person, and OpenPack's one session, split in time, choose nothing. `…_track_f1` is over the windows of
whole recordings, smoothed, where there is a label. The trainings leave their answers in a folder, in which the same
command goes on.

Plain keys are those of the universal model, fine-tuned; `_frozen` its encoders left as they are, `_scratch` the same
network without pretraining, `_tcn` a small convolution, `_boosted` features with gradient boosting. Intervals are over
`seeds` seeds, which draw what is labelled, how it is trained and in WHARF who is asked; those of `utd_zeroshot_…`, the
answers to the labels' words alone, over clips.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.bench import har_words
from kinebind.bench.har_data import universal
from kinebind.bench.har_runs import (
    FEW_STEPS,
    SCRATCH_RATE,
    SEEDS,
    SHOTS,
    STEPS,
    Run,
    do,
    recognise_x_realtime,
    runs,
)
from kinebind.bench.measured import Cases, Measured, figures
from kinebind.bench.processes import WORKERS, workers
from kinebind.nn.sentences import SentenceEncoder
from kinebind.tasks.recognise.scores import class_scores
from kinebind.training.recognise_tuning import RecogniseTuning

log = logging.getLogger(__name__)

SMALL = 0.02
"""Share of the steps of a quick look, with the first seed alone."""


def folder_of(work: Path, *, final: bool, small: bool) -> Path:
    """Where the answers of the trainings are kept: of these weights and settings alone."""
    own = hashlib.sha256(repr((RecogniseTuning(), STEPS, FEW_STEPS, SCRATCH_RATE)).encode())
    for name, tensor in sorted(universal().state_dict().items()):
        own.update(name.encode() + tensor.numpy().tobytes())
    return work / "har" / f"{'small' if small else 'test' if final else 'dev'}-{own.hexdigest()[:12]}"


def planned(*, final: bool, small: bool, seeds: int = SEEDS) -> list[Run]:
    """All trainings of so many seeds; of a quick look, those of the first."""
    return [run for run in runs(final=final) if run.seed < (1 if small else seeds)]


def work(
    data: Path, folder: Path, *, final: bool, small: bool, minutes: float | None = None, seeds: int = SEEDS
) -> list[str]:
    """Go on with the trainings, beginning none after so many minutes; names of those that are left."""
    end_s = float("inf") if minutes is None else time.monotonic() + 60.0 * minutes
    left = [run for run in planned(final=final, small=small, seeds=seeds) if not (folder / f"{run.name}.json").exists()]
    waiting = list(reversed(left))
    done: set[str] = set()
    running: dict[Future[None], Run] = {}
    with workers() as pool:
        while waiting or running:
            while waiting and len(running) < WORKERS and time.monotonic() < end_s:
                run = waiting.pop()
                log.info("%s", run.name)
                share = SMALL if small else 1.0
                running[pool.submit(do, run, data, folder, final=final, steps_share=share)] = run
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                done.add(running.pop(future).name)
    return [run.name for run in left if run.name not in done]


def metrics(
    data: Path, folder: Path, encoder: SentenceEncoder | None, *, final: bool, small: bool, seeds: int = SEEDS
) -> dict[str, float]:
    """All figures of trainings that are done, flat. encoder: of sentences; None leaves out what needs one."""
    by_seed: dict[str, list[tuple[int, float]]] = defaultdict(list)
    seconds: list[float] = []
    for run in planned(final=final, small=small, seeds=seeds):
        found = json.loads((folder / f"{run.name}.json").read_text(encoding="utf-8"))
        for what, value in _scored(found).items():
            by_seed[f"{_key(run)}_{what}{_behind(run)}"].append((run.seed, value))
        if (run.task, run.mode, run.method) == ("utd-published", "inertial", "tuned"):
            seconds.append(found["seconds"])
    measured: Measured = {key: Cases(np.array([value for _, value in sorted(own)])) for key, own in by_seed.items()}
    for shots in SHOTS:
        own, scratch = (measured[f"utd_{shots}shot_f1{method}"].values for method in ("", "_scratch"))
        frozen = measured[f"utd_{shots}shot_f1_frozen"].values
        measured[f"utd_{shots}shot_gain_f1"] = Cases(own - scratch)
        measured[f"utd_{shots}shot_thawed_gain_f1"] = Cases(own - frozen)
    utd = {key: own for key, own in measured.items() if key.startswith("utd_")}
    out = figures(utd, "_test" if final else "_dev")
    out |= figures({key: own for key, own in measured.items() if key not in utd}, "" if final else "_dev")
    suffix = "" if final else "_dev"
    out[f"geotec_scratch_f1{suffix}"] = out[f"geotec_100pct_f1_scratch{suffix}"]
    out["seeds"] = 1 if small else seeds
    out["finetune_minutes"] = float(np.mean(seconds)) / 60.0
    out["recognise_x_realtime"] = recognise_x_realtime(data)
    if encoder is not None:
        out |= figures(har_words.utd_clips(data, encoder, universal(), final=final), "_test" if final else "_dev")
        out |= figures(har_words.held_out(data, encoder, universal(), small=small))
        out |= har_words.named_labels(data)
    return out


def _key(run: Run) -> str:
    """What a run's figures begin with."""
    if run.task == "utd-wrist":
        return f"utd_{run.labels}"
    if run.task in ("geotec", "wharf"):
        return f"{run.task}_{run.labels}"
    if run.task == "openpack":
        return run.task
    return f"utd_{'oddeven_' if run.task == 'utd-oddeven' else ''}{run.mode}"


def _behind(run: Run) -> str:
    return "" if run.method == "tuned" else f"_{run.method}"


def _scored(found: dict[str, Any]) -> dict[str, float]:
    """Accuracy, macro F1, and the accuracies of the subjects at both ends."""
    truth, answer = np.array(found["truth"]), np.array(found["answer"])
    scores = class_scores(truth, answer, len(found["names"]))
    subjects = np.array(found["subject"])
    each = [float((truth == answer)[subjects == name].mean()) for name in sorted(set(found["subject"]))]
    over_time = {}
    if "track_truth" in found:
        own, told = np.array(found["track_truth"]), np.array(found["track_answer"])
        # No answer is a wrong one.
        wrong = (own + 1) % len(found["names"])
        over_time = {"track_f1": class_scores(own, np.where(told < 0, wrong, told), len(found["names"])).macro_f1}
    return over_time | {
        "acc": scores.accuracy, "f1": scores.macro_f1, "acc_worst_subject": min(each), "acc_best_subject": max(each),
    }  # fmt: skip
