"""The job of recognising activities: by the nearest neighbour, by a linear probe, by a head that was fine-tuned."""

from __future__ import annotations

import numpy as np

from kinebind.errors import InputError
from kinebind.tasks.embed import Pairs
from kinebind.tasks.recognise import Classes, ExpertHead, Head, class_scores, fit_probe, nearest
from kinebind.training.jobs.result import JobResult, Subject, after_drop, over_drops
from kinebind.training.windows import Windows


def labelled(subject: Subject, split: str) -> Windows:
    """The windows of a split that have a label; raises InputError where there are none or the recipe has no classes."""
    classes_of(subject)
    windows = subject.windows(split)
    have = windows.take(windows.label >= 0)
    if not len(have):
        raise InputError(
            f"No window of the split {split} has a label.", "Label the recordings, or test on another split."
        )
    return have


def classes_of(subject: Subject) -> Classes:
    """The recipe's classes; raises InputError where it names fewer than two."""
    names = subject.recipe.data.names(subject.store.label_names)
    if not names:
        raise InputError(
            f"The recipe {subject.recipe.name} names no classes.",
            'Name them in [data] classes, or with --set \'data.classes=["walk", "squat"]\'.',
        )
    return Classes(names)


def recognise(
    subject: Subject, dropped: tuple[int, ...] = (0,), head: Head | ExpertHead | None = None, seed: int = 0
) -> JobResult:
    """Accuracy and macro F1 of activities on frozen IMU embeddings, known from the training split.

    1-NN by cosine; a linear probe, its ridge chosen on the validation split; and, where given, a head that was
    fine-tuned together with this model. Sensors are dropped in the split that is tested only.
    Raises InputError where a split has no labelled windows, or the head knows other classes.
    """
    classes = classes_of(subject)
    if head is not None and head.classes != classes:
        raise InputError(
            f"The head knows the classes {', '.join(head.classes.names)}; the recipe has {', '.join(classes.names)}.",
            "Use the recipe that it was fine-tuned with.",
        )
    known, valid = (subject.embedded(labelled(subject, split)) for split in ("train", "val"))
    asked = labelled(subject, subject.split)
    probe = fit_probe(_of(known), _of(valid), classes)
    rows: list[dict[str, str | float]] = []
    metrics: dict[str, float] = {"probe_ridge": probe.ridge}
    confusions = {}
    accuracy: dict[str, list[float]] = {}
    for count in dropped:
        pairs = subject.embedded(asked, count, seed)
        answers = {
            "1nn": nearest(known.imu.whole, known.label, pairs.imu.whole),
            "probe": probe.head.answers(pairs.imu.whole),
        }
        if head is not None:
            answers["finetuned"] = head.answers(pairs.imu.whole)
        for method, given in answers.items():
            scores = class_scores(pairs.label, given, len(classes.names))
            figures = {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1}
            rows.append({"sensors dropped": count, "by": method, **figures, "windows": len(pairs.label)})
            metrics |= {after_drop(f"{name}_{method}", count): value for name, value in figures.items()}
            accuracy.setdefault(method, []).append(scores.accuracy)
            if count == dropped[0]:
                confusions[f"activities_{method}"] = (scores.confusion, classes.names)
    metrics["windows"] = float(len(asked))
    return JobResult(rows, metrics, confusions, over_drops(accuracy, dropped, "accuracy"))


def _of(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.imu.whole, pairs.label
