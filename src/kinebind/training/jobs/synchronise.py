"""The job of synchronisation: the paper's voting and our correlation of tokens, on the same clips and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.report.curves import PlottedCurve
from kinebind.tasks.embed import Places, imu_stream, pose_stream, sub_windows, token_places
from kinebind.tasks.sync.annotations import CLIP_S, Annotation
from kinebind.tasks.sync.tokens import sync_tokens
from kinebind.tasks.sync.vote import vote
from kinebind.training.jobs.clips import Clip, annotated_clips, cut, drawn_clips
from kinebind.training.jobs.result import JobResult, Plot, Subject
from kinebind.training.windows import entries_by_split

METHODS = ("ours", "vote")
WITHIN_S = (0.1, 0.2, 0.5)
DRAWS = 3
"""Offsets for each clip, as in the paper's list for mRi."""
_PLACES_FROM = 1024  # windows
_CURVE_TO_S = 1.0
_SAID_EVERY = 100  # clips


@dataclass(frozen=True)
class Answer:
    """offset_s: the answer, at the clip's middle. answered: whether it was confident enough to be given as one."""

    offset_s: float
    answered: bool


def synchronise(
    subject: Subject,
    annotations: Sequence[Annotation] | None = None,
    methods: Sequence[str] = METHODS,
    clip_s: float = CLIP_S,
    draws: int = DRAWS,
    seed: int = 0,
    said: Callable[[str], None] = lambda text: None,
) -> JobResult:
    """Errors of the offset on all clips of the split: those of an annotation file, or clips drawn here.

    Drawn ones have a stride of 5 s and continuous offsets within ±7 s. Every clip counts, with the best guess where
    ours refuses; what it answers is counted besides. said: called with a line now and then.
    Raises InputError for an unknown method, and as `annotated_clips` and `drawn_clips`.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        raise InputError(f"There is no method '{', '.join(unknown)}'.", f"Use some of: {', '.join(METHODS)}.")
    entries = entries_by_split(subject.store, subject.recipe.data)[subject.split].tolist()
    if not entries:
        subject.windows()  # says which groups there are
    clips = (
        drawn_clips(subject.store, entries, draws, seed, clip_s)
        if annotations is None
        else annotated_clips(subject.store, entries, annotations)
    )
    places = _places(subject) if "ours" in methods else None
    answers: dict[str, list[Answer]] = {name: [] for name in methods}
    truth = []
    for number, (e, annotation) in enumerate(clips, 1):
        clip = cut(subject.store, e, annotation)
        truth.append(clip.offset_s)
        for name in methods:
            answers[name].append(_ours(subject, clip, places) if name == "ours" else _vote(subject, clip))
        if number % _SAID_EVERY == 0:
            said(f"{number} of {len(clips)} clips")
    return scored(answers, np.array(truth), len(entries))


def _vote(subject: Subject, clip: Clip) -> Answer:
    """The paper's: sub-windows a token apart (0.2 s in the paper) of each stream vote for lags."""
    imu, pose = sub_windows(subject.model, clip.imu, clip.pose, clip.seen, device=subject.device)
    return Answer(vote(imu, pose, subject.model.contract.patch_s).offset_s, True)


def _ours(subject: Subject, clip: Clip, places: Places | None) -> Answer:
    """Ours, over the lags that the voting has too: those at which a whole window of one meets one of the other."""
    model, device = subject.model, subject.device
    imu = imu_stream(model, clip.imu, places=places, device=device)
    pose = pose_stream(model, clip.pose, clip.seen, places=places, device=device)
    contract = model.contract
    most_s = min(clip.imu.shape[2] / contract.imu_rate_hz, clip.pose.shape[2] / contract.pose_rate_hz)
    most_s -= contract.window_s
    found = sync_tokens(imu, pose, (-max(most_s, contract.patch_s), max(most_s, contract.patch_s)))
    if found.clock is None:
        return Answer(0.0, False)
    middle_s = 0.5 * clip.imu.shape[2] / contract.imu_rate_hz
    return Answer(float(found.clock.to_video(middle_s)) - middle_s, found.answered)


def _places(subject: Subject) -> Places:
    """The mean token of each place in a window, over windows of the training split, or else over those tested."""
    try:
        windows = subject.windows("train")
    except InputError:
        windows = subject.windows()
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), _PLACES_FROM)).astype(np.intp)
    return token_places(subject.model, subject.batches(windows.take(chosen)), subject.device)


def scored(answers: dict[str, list[Answer]], truth_s: FloatArray, recordings: int) -> JobResult:
    """The figures of each method's answers against the truth (K,), seconds; recordings: that clips were cut from."""
    rows: list[dict[str, str | float]] = []
    metrics: dict[str, float] = {"clips": float(truth_s.size), "recordings": float(recordings)}
    curves = []
    x = np.linspace(0.0, _CURVE_TO_S, 101)
    for name, given in answers.items():
        error_s = np.abs(np.array([answer.offset_s for answer in given]) - truth_s)
        answered = np.array([answer.answered for answer in given])
        figures = _figures(error_s)
        metrics |= {f"{figure}_{name}": value for figure, value in figures.items()}
        metrics[f"answered_share_{name}"] = float(answered.mean())
        if name == "ours" and answered.any():
            metrics |= {f"{figure}_answered_{name}": value for figure, value in _figures(error_s[answered]).items()}
        rows.append({"method": name, **figures, "answered": float(answered.mean()), "clips": truth_s.size})
        curves.append(PlottedCurve(name, x, np.array([(error_s <= bound).mean() for bound in x])))
    plot = Plot(curves, "largest error (s)", "clips within it")
    return JobResult(rows, metrics, plots={"sync": plot})


def _figures(error_s: FloatArray) -> dict[str, float]:
    within = {f"within_{round(1000 * bound)}ms": float((error_s <= bound).mean()) for bound in WITHIN_S}
    return {"mae_s": float(error_s.mean()), "median_s": float(np.median(error_s)), **within}
