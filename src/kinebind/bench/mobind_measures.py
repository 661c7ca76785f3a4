"""What is measured of a trained model in the study: the jobs on the study's data, and how fast things go."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kinebind.bench import hour
from kinebind.bench.mobind_takes import CONTRACT, PARTS, start_of_take_s
from kinebind.bench.scenes import Bodies
from kinebind.nn.build import build
from kinebind.nn.contract import Batch, Contract
from kinebind.nn.model import Model
from kinebind.tasks.embed import Places, imu_stream, pose_stream, sub_windows
from kinebind.tasks.sync.result import ClockAnswer
from kinebind.tasks.sync.token_stream import TokenStream
from kinebind.tasks.sync.tokens import sync_tokens
from kinebind.training.finetune import FineTuning, finetune
from kinebind.training.jobs import JobResult, Subject, find_parts, find_people, recognise, retrieve, synchronise
from kinebind.training.ranks import Ranks
from kinebind.training.settings import TrainConfig
from kinebind.training.step import Stepper
from kinebind.training.takes import take_from_recording

Measured = dict[str, Any]
"""`metrics`: name → number; `plots`: name → curve → [x, y]."""
_HOUR_HOPS = 25, 24
"""Tokens from window to window in which the hour's sensors and poses are embedded: of sensors each begins where the one
before ends; of poses sooner, for the reason that `kinebind.tasks.embed.hops` gives."""
_HOUR_SEARCH_S = (-60.0, 60.0)
SPEED_BATCH, _SPEED_STEPS = 256, 5


def windowed(subject: Subject, dropped: tuple[int, ...]) -> Measured:
    """Retrieval; where people are filmed together, who they are; and of models with vectors of parts, parts."""
    found = {"retrieval": retrieve(subject, dropped)}
    if all("scene" in entry.meta for entry in subject.store.entries):
        found["people"] = find_people(subject, dropped)
        if subject.model.name == "mobind":
            found["parts"] = find_parts(subject, dropped)
    metrics: dict[str, float] = {}
    for name, result in found.items():
        prefix = "" if name == "retrieval" else f"{name}_"
        metrics |= {f"{prefix}{key}": value for key, value in result.metrics.items()}
    return {"metrics": metrics, "plots": _plots(found["retrieval"])}


def synchronised(subject: Subject, clip_s: float, draws: int) -> Measured:
    """Errors of voting and, of models with tokens, of our synchroniser, on the same clips."""
    result = synchronise(subject, clip_s=clip_s, draws=draws)
    return {"metrics": result.metrics, "plots": _plots(result)}


def recognised(subject: Subject, finetune_epochs: int) -> Measured:
    """Activities by the nearest neighbour, a linear probe and, with any epochs, a head that is fine-tuned."""
    metrics = dict(recognise(subject).metrics)
    if finetune_epochs:
        tuned = finetune(subject, FineTuning(most_epochs=finetune_epochs))
        head = recognise(dataclasses.replace(subject, model=tuned.model), head=tuned.head).metrics
        metrics |= {key: head[key] for key in ("accuracy_finetuned", "macro_f1_finetuned")}
    return {"metrics": metrics, "plots": {}}


def _plots(result: JobResult) -> dict[str, dict[str, list[list[float]]]]:
    return {
        name: {c.name: [np.asarray(c.x).tolist(), np.asarray(c.y).tolist()] for c in plot.curves}
        for name, plot in result.plots.items()
    }


def hours(model: Model, places: Places, bodies: Bodies, duration_s: float) -> Measured:
    """The benchmark hour embedded once along its length, against sub-windows every token, in one run.

    Both are synchronised by the same correlation of tokens; the vector of a whole sub-window counts as a token. Times
    are of embedding and synchronising together, on the threads that torch has.
    """
    recording, truth, jump_s = hour.make(bodies, np.random.default_rng(51), duration_s, PARTS, orientation=True)
    take = take_from_recording(recording, CONTRACT)
    # A take holds both streams from the same number on their clocks on, so that offsets are those of the clocks.
    start_s = start_of_take_s(recording)
    seen = np.asarray(np.isfinite(take.pose).all(axis=1))
    pose = np.nan_to_num(take.pose)

    def once() -> tuple[TokenStream, TokenStream]:
        imu = imu_stream(model, take.imu, hop=_HOUR_HOPS[0], phases=1, places=places)
        return imu, pose_stream(model, pose, seen, hop=_HOUR_HOPS[1], places=places)

    def overlapping() -> tuple[TokenStream, TokenStream]:
        both = sub_windows(model, take.imu, pose, seen)
        rate_hz = 1.0 / model.contract.patch_s
        return tuple(TokenStream(v[None, None], np.ones((1, 1, len(v)), dtype=bool), rate_hz) for v in both)  # type: ignore[return-value]

    metrics: dict[str, float] = {"hour_minutes": duration_s / 60}
    for name, embedded in (("hour", once), ("hour_overlapping", overlapping)):
        seconds, answer, embed_s = _timed(embedded)
        rows = tuple(
            (p.start_s + start_s, p.end_s + start_s, p.clock.offset_s, p.clock.skew, p.clock.ref_time_s + start_s)
            for p in answer.pieces
        )
        error_s = hour.max_error_s(
            hour.Measured(seconds, 0.0, rows), truth, jump_s, np.asarray(recording.imus[0].time_s)
        )
        metrics |= {f"{name}_s": seconds, f"{name}_embed_s": embed_s, f"{name}_pieces": float(len(rows))}
        metrics[f"{name}_max_error_ms"] = 1e3 * error_s
    metrics["hour_speedup"] = metrics["hour_overlapping_s"] / metrics["hour_s"]
    metrics["hour_embed_speedup"] = metrics["hour_overlapping_embed_s"] / metrics["hour_embed_s"]
    return {"metrics": metrics, "plots": {}}


def _timed(embedded: Callable[[], tuple[TokenStream, TokenStream]]) -> tuple[float, ClockAnswer, float]:
    start_s = time.perf_counter()
    imu, pose = embedded()
    embed_s = time.perf_counter() - start_s
    answer = sync_tokens(imu, pose, _HOUR_SEARCH_S)
    return time.perf_counter() - start_s, answer, embed_s


def step_speeds(size: int = SPEED_BATCH) -> dict[str, float]:
    """Windows per second of a training step of the encoder pair for mRi (3,448,928 parameters) on `size` windows.

    Random tensors, losses of local vectors and tokens, the median of a few steps; on all threads that torch has.
    """
    contract = Contract()
    parts = len(contract.parts)
    batch = Batch(
        torch.randn(size, parts, len(contract.imu_channels), contract.imu_samples),
        torch.ones(size, parts, dtype=torch.bool),
        torch.randn(size, parts, 6, contract.pose_samples),
        torch.ones(size, parts, contract.pose_samples, dtype=torch.bool),
        torch.full((size,), -1), torch.arange(size),
    )  # fmt: skip
    out = {}
    for precision in ("fp32", "bf16"):
        model = build("mobind", contract, loss={"whole": 0.0, "masked_tokens": 0.0}).train()
        stepper = Stepper(model, TrainConfig(precision=precision), Ranks(0, 1, torch.device("cpu")))
        seconds = []
        for _ in range(_SPEED_STEPS + 1):
            start_s = time.perf_counter()
            stepper.step(batch)
            seconds.append(time.perf_counter() - start_s)
        out[f"train_windows_per_s_{precision}"] = size / float(np.median(seconds[1:]))
    return out
