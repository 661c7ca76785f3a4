"""A mixture of experts as a head: what `kinebind.nn.recogniser.Experts` learnt, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erf, softmax

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.tasks.recognise.classes import Classes
from kinebind.tasks.retrieve.similarity import Vectors


@dataclass(frozen=True, eq=False)
class ExpertHead:
    """E small networks, weighed by a gate: logits = Σ softmax(gate)ₑ · (secondₑ · gelu(firstₑ · embedding)).

    gate (E, D), gate_bias (E,), first (E, H, D), first_bias (E, H), second (E, C, H), second_bias (E, C).
    """

    classes: Classes
    gate: FloatArray
    gate_bias: FloatArray
    first: FloatArray
    first_bias: FloatArray
    second: FloatArray
    second_bias: FloatArray

    def logits(self, embeddings: Vectors) -> FloatArray:
        """Logits (M, C) of embeddings (M, D); raises InputError where D is another."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self.gate.shape[1]:
            raise InputError(
                f"This head takes embeddings (M, {self.gate.shape[1]}); these are {embeddings.shape}.",
                "Embed with the model that the head was trained on.",
            )
        weight = softmax(embeddings @ self.gate.T + self.gate_bias, axis=1)
        x = np.einsum("md,ehd->meh", embeddings, self.first) + self.first_bias
        hidden = 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))  # GELU (arXiv 1606.08415)
        answers = np.einsum("meh,ech->mec", hidden, self.second) + self.second_bias
        return np.asarray(np.einsum("me,mec->mc", weight, answers))

    def answers(self, embeddings: Vectors) -> npt.NDArray[np.int64]:
        """Index (M,) of the class with the highest logit for each embedding (M, D)."""
        return np.asarray(np.argmax(self.logits(embeddings), axis=1), dtype=np.int64)

    def state(self) -> dict[str, FloatArray]:
        """Its arrays under the names of `Experts`' state dict."""
        out = {"gate.weight": self.gate, "gate.bias": self.gate_bias}
        for e in range(len(self.gate)):
            out |= {
                f"experts.{e}.0.weight": self.first[e], f"experts.{e}.0.bias": self.first_bias[e],
                f"experts.{e}.3.weight": self.second[e], f"experts.{e}.3.bias": self.second_bias[e],
            }  # fmt: skip
        return out

    @classmethod
    def from_state(cls, classes: Classes, state: Mapping[str, Vectors]) -> ExpertHead:
        """The head of a state dict; raises InputError where it is not that of so many classes."""
        try:
            count = len(state["gate.bias"])
            stacked = [
                np.stack([np.asarray(state[f"experts.{e}.{layer}"], np.float64) for e in range(count)])
                for layer in ("0.weight", "0.bias", "3.weight", "3.bias")
            ]
            gate = [np.asarray(state[f"gate.{name}"], np.float64) for name in ("weight", "bias")]
        except (KeyError, ValueError) as error:
            raise InputError(f"This is no mixture of experts ({error}).", "Fine-tune again.") from error
        if stacked[2].shape[1] != len(classes.names):
            raise InputError(
                f"These experts choose among {stacked[2].shape[1]} classes, not {len(classes.names)}.",
                "Load the head with the classes that it was trained for.",
            )
        return cls(classes, *gate, *stacked)
