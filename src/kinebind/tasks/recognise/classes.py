"""The names of the classes that a recogniser knows, and the head that chooses among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.tasks.retrieve.similarity import Vectors


@dataclass(frozen=True)
class Classes:
    """Names of classes in the order of their indices."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise InputError(
                f"{len(self.names)} names, {len(set(self.names))} of them different, make no choice of classes.",
                "Give at least two classes, each once.",
            )

    @classmethod
    def of(cls, labels: Sequence[str]) -> Classes:
        """The classes that occur in the training labels, in alphabetical order.

        >>> Classes.of(["walk", "squat", "walk"]).names
        ('squat', 'walk')
        """
        return cls(tuple(sorted(set(labels))))

    def indices(self, labels: Sequence[str], split: str = "The labels") -> npt.NDArray[np.int64]:
        """Indices (M,) of labels; raises InputError where the split is empty or has a label that is no class.

        >>> Classes(("squat", "walk")).indices(["walk", "squat"]).tolist()
        [1, 0]
        """
        if not len(labels):
            raise InputError(f"{split}: there is nothing in it.", "Check the subjects of the split and the labels.")
        index = {name: i for i, name in enumerate(self.names)}
        unseen = sorted({label for label in labels if label not in index})
        if unseen:
            raise InputError(
                f"{split}: {', '.join(map(repr, unseen))} does not occur in training.",
                f"Train with it, or leave it out; known are {', '.join(self.names)}.",
            )
        return np.array([index[label] for label in labels], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Head:
    """A linear head: logits = weight · embedding + bias, as torch's `nn.Linear(D, C)` holds it.

    weight (C, D), bias (C,), rows in the order of `classes`. This is the contract of every recogniser: a probe
    returns one, fine-tuning starts from one (or from noise) and returns one, and a checkpoint keeps one.
    """

    classes: Classes
    weight: FloatArray
    bias: FloatArray

    def __post_init__(self) -> None:
        count = len(self.classes.names)
        if self.weight.ndim != 2 or self.weight.shape[0] != count or self.bias.shape != (count,):
            raise InputError(
                f"A head of {count} classes needs weight ({count}, D) and bias ({count},); "
                f"these are {self.weight.shape} and {self.bias.shape}.",
                "Load the head with the classes that it was trained for.",
            )

    def logits(self, embeddings: Vectors) -> FloatArray:
        """Logits (M, C) of embeddings (M, D); raises InputError where D is another.

        >>> head = Head(Classes(("squat", "walk")), np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.5, 0.0]))
        >>> head.logits(np.array([[1.0, 1.0]])).tolist()
        [[1.5, 2.0]]
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.weight.shape[1]:
            raise InputError(
                f"This head takes embeddings (M, {self.weight.shape[1]}); these are {embeddings.shape}.",
                "Embed with the model that the head was trained on.",
            )
        return np.asarray(embeddings @ self.weight.T + self.bias)

    def answers(self, embeddings: Vectors) -> npt.NDArray[np.int64]:
        """Index (M,) of the class with the highest logit for each embedding (M, D)."""
        return np.asarray(np.argmax(self.logits(embeddings), axis=1), dtype=np.int64)

    def state(self) -> dict[str, FloatArray]:
        """`weight` and `bias` under the names of `nn.Linear`'s state dict."""
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def from_state(cls, classes: Classes, state: Mapping[str, Vectors]) -> Head:
        """The head of a state dict's `weight` and `bias`."""
        return cls(classes, np.asarray(state["weight"], np.float64), np.asarray(state["bias"], np.float64))
