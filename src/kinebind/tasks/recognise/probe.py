"""The linear probe: multinomial logistic regression on frozen embeddings, its ridge chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.tasks.recognise.classes import Classes, Head
from kinebind.tasks.retrieve.similarity import Vectors

RIDGES: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Weights of ½‖w‖² beside the mean cross-entropy, on features of unit variance."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A fitted head, the ridge that validation chose, and the validation accuracy of every ridge that was tried."""

    head: Head
    ridge: float
    valid_accuracy: dict[float, float]


def fit_head(embeddings: Vectors, label: npt.NDArray[np.integer], classes: Classes, ridge: float) -> Head:
    """The head with the least mean cross-entropy + ½·ridge·‖w‖² on embeddings (M, D) with labels (M,), by L-BFGS.

    Features are scaled to zero mean and unit variance for the fit, and the head takes them as they come. The problem
    is convex: the answer depends on no seed. Raises InputError where the split is empty or the shapes do not fit.

    >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> head = fit_head(x, np.array([0, 0, 1, 1]), Classes(("left", "right")), 0.01)
    >>> head.answers(np.array([[-0.3], [0.4]])).tolist()
    [0, 1]
    """
    x, y = _checked(embeddings, label, len(classes.names), "training")
    count, width = len(classes.names), x.shape[1]
    mean, std = x.mean(axis=0), x.std(axis=0)
    scale = np.where(std > 1e-9 * max(float(std.max()), 1e-300), std, np.inf)  # what never changes says nothing
    z = (x - mean) / scale
    wanted = np.zeros((len(y), count))
    wanted[np.arange(len(y)), y] = 1.0

    def cost(flat: FloatArray) -> tuple[float, FloatArray]:
        weight, bias = flat[: count * width].reshape(count, width), flat[count * width :]
        logits = z @ weight.T + bias
        total = logsumexp(logits, axis=1, keepdims=True)
        loss = float((total[:, 0] - logits[np.arange(len(y)), y]).mean() + 0.5 * ridge * np.sum(weight**2))
        slope = (np.exp(logits - total) - wanted) / len(y)
        return loss, np.concatenate([(slope.T @ z + ridge * weight).ravel(), slope.sum(axis=0)])

    options = {"maxiter": 500, "gtol": 1e-6}
    found = minimize(cost, np.zeros(count * (width + 1)), jac=True, method="L-BFGS-B", options=options).x
    weight = found[: count * width].reshape(count, width) / scale
    return Head(classes, weight, found[count * width :] - weight @ mean)


def fit_probe(
    train: tuple[Vectors, npt.NDArray[np.integer]],
    valid: tuple[Vectors, npt.NDArray[np.integer]],
    classes: Classes,
    ridges: Sequence[float] = RIDGES,
) -> Probe:
    """A head fitted on `train` (embeddings (M, D), labels (M,)) with the ridge that does best on `valid`.

    Of ridges that do equally well, the strongest. The test split has no part in it. Raises InputError as `fit_head`.

    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    >>> fit_probe((x, y), (x, y), Classes(("left", "right"))).ridge
    1.0
    """
    x, y = _checked(*valid, len(classes.names), "validation")
    heads = {ridge: fit_head(*train, classes, ridge) for ridge in sorted(ridges)}
    accuracy = {ridge: float(np.mean(head.answers(x) == y)) for ridge, head in heads.items()}
    best = max(accuracy, key=lambda ridge: (accuracy[ridge], ridge))
    return Probe(heads[best], best, accuracy)


def _checked(
    embeddings: Vectors, label: npt.NDArray[np.integer], classes: int, split: str
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    x, y = np.asarray(embeddings, dtype=np.float64), np.asarray(label, dtype=np.int64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.size:
        raise InputError(
            f"The {split} split has embeddings {x.shape} and labels {y.shape}; it needs (M, D) and (M,), not empty.",
            "Check the subjects of the split and the labels.",
        )
    if not np.isfinite(x).all():
        raise InputError(f"Embeddings of the {split} split are not finite.", "Leave out windows without data.")
    if y.min() < 0 or y.max() >= classes:
        raise InputError(
            f"Labels of the {split} split run from {y.min()} to {y.max()}; the classes are 0 to {classes - 1}.",
            "Leave out unlabelled windows (−1), and index labels with Classes.indices.",
        )
    return x, y
