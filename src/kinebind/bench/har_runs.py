"""The single trainings of the benchmark of activities: what learns from what, and what it answers."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinebind.bench.har_data import (
    LOOKS,
    UTD_WRIST,
    Split,
    few,
    geotec_split,
    openpack_split,
    share,
    universal,
    utd_split,
    wharf_split,
)
from kinebind.bench.har_rivals import Tcn, boosted
from kinebind.nn.recogniser import Recogniser, RecogniserConfig, StreamModel
from kinebind.nn.universal import RATE_HZ, Universal
from kinebind.store import written_whole
from kinebind.tasks.recognise.by_examples import ByExamples
from kinebind.tasks.recognise.stretches import Stretch
from kinebind.training.recognise_tuning import RecogniseTuning, fit, logits_of, tune_recogniser

SEEDS = 5
SHOTS = (1, 2, 4, 8)
SHARES = {"1pct": 0.01, "10pct": 0.1, "100pct": 1.0}
STEPS, FEW_STEPS = 300, 120
"""Of training with many labels, and with few."""
SCRATCH_RATE = 1e-3
"""Learning rate of encoders that know nothing yet."""
LONG_S = 3600.0
"""Of the recording on which the speed of recognition is measured."""


@dataclass(frozen=True)
class Run:
    """One training. task: "utd-published", "utd-oddeven", "utd-wrist", "geotec", "wharf" or "openpack". mode:
    UTD-MHAD's streams.

    method: "tuned", "frozen", "scratch", "tcn" or "boosted". labels: "all", "2shot" or "10pct".
    """

    task: str
    mode: str
    method: str
    labels: str
    seed: int

    @property
    def name(self) -> str:
        """Of the file that it leaves."""
        return "-".join([self.task, self.mode, self.method, self.labels, str(self.seed)])


def runs(*, final: bool) -> list[Run]:
    """All trainings, those of the issue's own figures first."""
    out = []
    for seed in range(SEEDS):
        out += [Run("utd-published", "inertial", method, "all", seed) for method in ("tuned", "scratch")]
        out += [
            Run("utd-wrist", "inertial", method, f"{shots}shot", seed)
            for shots in SHOTS
            for method in ("tuned", "scratch", "frozen")
        ]
        out += [Run("geotec", "inertial", method, part, seed) for part in SHARES for method in ("tuned", "scratch")]
        out += [Run("utd-published", mode, "tuned", "all", seed) for mode in ("skeleton3d", "pose2d", "both")]
        if final:  # without, it asks who trains
            out += [Run("utd-oddeven", mode, "tuned", "all", seed) for mode in ("inertial", "skeleton3d", "both")]
        out += [Run("wharf", "inertial", method, part, seed) for part in SHARES for method in ("tuned", "scratch")]
        out += [Run("openpack", "inertial", method, "all", seed) for method in ("tuned", "scratch", "boosted")]
        for method in ("tcn", "boosted"):
            out.append(Run("utd-published", "inertial", method, "all", seed))
            out += [Run("utd-wrist", "inertial", method, f"{shots}shot", seed) for shots in SHOTS]
            out += [Run(task, "inertial", method, part, seed) for task in ("geotec", "wharf") for part in SHARES]
    return out


def do(run: Run, data: Path, folder: Path, *, final: bool, steps_share: float = 1.0) -> None:
    """Train and ask, and leave what was answered in the folder. steps_share: less than 1 for a mere look."""
    torch.set_num_threads(1)
    split = split_of(run, data, final=final)
    known = list(split.known)
    if run.labels.endswith("shot"):
        known = few(known, int(run.labels.removesuffix("shot")), run.seed)
    elif run.labels in SHARES and SHARES[run.labels] < 1.0:
        known = share(known, SHARES[run.labels], run.seed)
    began_s = time.perf_counter()
    answer, model = _answers(run, replace(split, known=tuple(known)), steps_share)
    found: dict[str, Any] = {
        **asdict(run), "seconds": time.perf_counter() - began_s, "learnt_from": len(known), "names": list(split.names),
        "truth": [own.label for own in split.asked], "answer": [int(k) for k in answer],
        "subject": [own.group for own in split.asked],
    }  # fmt: skip
    if isinstance(model, Recogniser) and split.tracks:
        found |= _over_time(run, split, model)
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / f"{run.name}.json") as part:
        part.write_text(json.dumps(found), encoding="utf-8")


def split_of(run: Run, data: Path, *, final: bool) -> Split:
    """What a run learns from and is asked. WHARF and OpenPack's session, which choose nothing, are asked by either
    benchmark.
    """
    if run.task == "geotec":
        return geotec_split(data / "geotec", final=final)
    if run.task == "openpack":
        return openpack_split(data / "openpack-u0209-s0500")
    if run.task == "wharf":
        return wharf_split(data / "wharf", run.seed)
    if run.task == "utd-wrist":
        return utd_split(data / "utd-mhad", "published", run.mode, final=final, actions=UTD_WRIST)
    return utd_split(data / "utd-mhad", run.task.removeprefix("utd-"), run.mode, final=final)


def recognise_x_realtime(data: Path) -> float:
    """How many times as fast as a watch records one core recognises it.

    On `LONG_S` of GeoTec's recordings, one behind another; what weights have learnt makes no difference.
    """
    torch.set_num_threads(1)
    split = geotec_split(data / "geotec", final=False)
    model = Recogniser(universal(), RecogniserConfig(len(split.names))).eval()
    found = _by_examples("inertial", split, model)
    once = [told.stretch.felt[0] for told in split.tracks]
    times = round(LONG_S * RATE_HZ / sum(len(own.acc) for own in once))
    acc, gyr, own, valid = (
        torch.cat([getattr(f, name) for f in once] * times) for name in ("acc", "gyr", "own", "valid")
    )
    whole = Stretch((replace(once[0], acc=acc, gyr=gyr, own=own, valid=valid),), ())
    found.over(whole.cut(0, round(60.0 * RATE_HZ)))  # what is done once is done
    began_s = time.perf_counter()
    found.over(whole).smoothed(found.stays_s)
    return whole.samples / RATE_HZ / (time.perf_counter() - began_s)


def _by_examples(mode: str, split: Split, model: Recogniser) -> ByExamples:
    sensors = max(len(own.stretch.felt) for own in split.known)
    return ByExamples(model, universal().config, split.names, LOOKS[mode], 1.0, sensors, split.stays_s, {})


def _over_time(run: Run, split: Split, model: Recogniser) -> dict[str, Any]:
    """What is answered at each window of whole recordings, smoothed, where there is a label; −1 for no answer."""
    found = _by_examples(run.mode, split, model)
    truth: list[int] = []
    answer: list[int] = []
    for told in split.tracks:
        track = found.over(told.stretch).smoothed(found.stays_s)
        rows = np.isfinite(track.probabilities).all(axis=1)
        best = np.where(rows, np.nan_to_num(track.probabilities).argmax(axis=1), -1)
        for label in told.labels:
            own = (track.time_s >= label.start_s) & (track.time_s < label.end_s)
            truth += [split.names.index(label.name)] * int(own.sum())
            answer += best[own].tolist()
    return {"track_truth": truth, "track_answer": answer}


def _answers(run: Run, split: Split, steps_share: float) -> tuple[np.ndarray, StreamModel | None]:
    """What is answered to each that is asked, and the model, where it is a network."""
    looks = LOOKS[run.mode]
    if run.method == "boosted":
        return boosted(split.known, split.asked, looks, run.seed), None
    steps = STEPS if len(split.known) > 20 * len(split.names) or run.labels == "all" else FEW_STEPS
    config = RecogniseTuning(
        steps=max(1, round(steps_share * steps)), looks=looks, frozen=run.method == "frozen", seed=run.seed,
        encoder_rate=SCRATCH_RATE if run.method == "scratch" else RecogniseTuning().encoder_rate,
    )  # fmt: skip
    classes = len(split.names)
    with torch.random.fork_rng([]):
        torch.manual_seed(run.seed)
        if run.method == "tcn":
            model = fit(Tcn(classes), [], split.known, classes, config)
            return logits_of(model, split.asked, config).argmax(dim=1).numpy(), model
        known = universal()
        if run.method == "scratch":
            known = Universal(known.config)
        recogniser = tune_recogniser(known, split.known, classes, config)
    return logits_of(recogniser, split.asked, config).argmax(dim=1).numpy(), recogniser
