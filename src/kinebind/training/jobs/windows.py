"""The jobs on single windows: retrieval, whose sensors they are, where on the body they are worn."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.report.curves import PlottedCurve
from kinebind.tasks.embed import Pairs
from kinebind.tasks.locate import How, PeopleFound, locate_parts, locate_people
from kinebind.tasks.retrieve import pair_ranks, summary
from kinebind.training.jobs.result import JobResult, Plot, Subject, after_drop, over_drops
from kinebind.training.windows import Windows

_CURVE_TO = 50  # ranks
_WAYS = (("imu_to_pose", "IMU to video"), ("pose_to_imu", "video to IMU"))
_HOWS: tuple[tuple[How, str], ...] = (("each", "each for itself"), ("together", "one to one"))


def retrieve(subject: Subject, dropped: tuple[int, ...] = (0,), seed: int = 0) -> JobResult:
    """R@1, R@5, R@10, mean and median rank both ways, all windows of the split being the gallery."""
    windows = subject.windows()
    rows: list[dict[str, str | float]] = []
    metrics: dict[str, float] = {}
    curves: list[PlottedCurve] = []
    r1: dict[str, list[float]] = {label: [] for _, label in _WAYS}
    for count in dropped:
        pairs = subject.embedded(windows, count, seed)
        whole = {"imu_to_pose": (pairs.imu.whole, pairs.pose.whole), "pose_to_imu": (pairs.pose.whole, pairs.imu.whole)}
        for way, label in _WAYS:
            found = pair_ranks(*whole[way])
            figures = asdict(summary(found))
            rows.append({"sensors dropped": count, "direction": label, **figures})
            metrics |= {after_drop(f"{way}_{name}", count): float(value) for name, value in figures.items()}
            r1[label].append(float(figures["r1"]))
            if count == dropped[0]:
                k = np.arange(1, min(_CURVE_TO, found.gallery) + 1)
                curves.append(
                    PlottedCurve(label, k.astype(float), np.array([found.hits(i).mean() for i in k.tolist()]))
                )
    plots = {"recall": Plot(curves, "windows looked at (K)", "R@K")} | over_drops(r1, dropped, "R@1")
    return JobResult(rows, metrics, plots=plots)


def find_people(subject: Subject, dropped: tuple[int, ...] = (0,), seed: int = 0) -> JobResult:
    """Whose sensors they are, among the people who are there in the same scene at the same time.

    Takes belong together by their meta "scene", a person is called by meta "person"; see `kinebind.readers.sets`.
    Raises InputError where no two people are ever there together.
    """
    windows = subject.windows()
    clip, names = _clips(subject, windows)
    alone = int(np.sum(np.bincount(clip) == 1))
    if alone == np.unique(clip).size:
        raise InputError(
            "In no window of the split are two people of one scene there together.",
            "Localisation needs several people at a time: give their recordings the same meta 'scene'.",
        )
    rows: list[dict[str, str | float]] = []
    metrics: dict[str, float] = {}
    confusions = {}
    accuracy: dict[str, list[float]] = {label: [] for _, label in _HOWS}
    for count in dropped:
        pairs = subject.embedded(windows, count, seed)
        for how, label in _HOWS:
            found = _people(pairs, clip, names, how)
            figures = {"accuracy": found.scores.accuracy, "macro_f1": found.scores.macro_f1}
            rows.append({"sensors dropped": count, "choice": label, **figures, "chance": found.chance})
            metrics |= {after_drop(f"{name}_{how}", count): value for name, value in figures.items()}
            accuracy[label].append(figures["accuracy"])
            if count == dropped[0]:
                metrics["chance"] = found.chance
                confusions[f"people_{how}"] = (found.scores.confusion, tuple(sorted(set(names))))
    clips = np.unique(clip).size
    metrics |= {"clips": float(clips), "clips_of_one_person": float(alone)}
    notes = (f"{clips} clips; in {alone} of them one person is alone, who cannot be mistaken.",)
    return JobResult(rows, metrics, confusions, over_drops(accuracy, dropped, "accuracy"), notes)


def find_parts(subject: Subject, dropped: tuple[int, ...] = (0,), seed: int = 0) -> JobResult:
    """On which part each sensor is worn, each for itself as in the paper, and all of a person one to one.

    As in the paper only people who are told apart right count, where several are there and the model can tell them.
    Raises InputError for a model without vectors of single parts.
    """
    windows = subject.windows()
    parts = subject.model.contract.parts
    rows: list[dict[str, str | float]] = []
    metrics: dict[str, float] = {}
    confusions = {}
    accuracy: dict[str, list[float]] = {label: [] for _, label in _HOWS}
    for count in dropped:
        pairs = subject.embedded(windows, count, seed)
        if pairs.imu.local is None or pairs.pose.local is None:
            raise InputError(
                f"A model of the kind {subject.model.name} has no vectors of single parts.",
                "Parts are told apart by mobind.",
            )
        right = _people(pairs, *_clips(subject, windows), "each").right
        for how, label in _HOWS:
            found = locate_parts(pairs.imu.local, pairs.pose.local, pairs.imu.present, pairs.pose.present, how, right)
            figures = {"accuracy": found.scores.accuracy, "macro_f1": found.scores.macro_f1}
            rows.append({"sensors dropped": count, "choice": label, **figures, "sensors": int(found.asked.sum())})
            metrics |= {after_drop(f"{name}_{how}", count): value for name, value in figures.items()}
            accuracy[label].append(figures["accuracy"])
            if count == dropped[0]:
                confusions[f"parts_{how}"] = (found.scores.confusion, parts)
                metrics["sensors"] = float(found.asked.sum())
    return JobResult(rows, metrics, confusions, over_drops(accuracy, dropped, "accuracy"))


def _people(pairs: Pairs, clip: npt.NDArray[np.int64], names: list[str], how: How) -> PeopleFound:
    return locate_people(pairs.imu.whole, pairs.pose.whole, clip, names, how)


def _clips(subject: Subject, windows: Windows) -> tuple[npt.NDArray[np.int64], list[str]]:
    """(M,) clip and M names: windows of one scene that begin at the same time are one clip."""
    entries = subject.store.entries
    starts = np.array([entry.pose_start for entry in entries])[windows.entry]
    scenes = [entries[e].meta.get("scene", entries[e].name) for e in windows.entry.tolist()]
    names = [entries[e].meta.get("person", entries[e].name) for e in windows.entry.tolist()]
    keys = [f"{start:09d} {scene}" for scene, start in zip(scenes, (windows.pose_start - starts).tolist(), strict=True)]
    return np.unique(keys, return_inverse=True)[1].astype(np.int64), names
