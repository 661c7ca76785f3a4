"""A sensor or a limb as tokens that a search looks through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from kinebind.nn.universal import TOKEN_S
from kinebind.tasks.binder import Embedding

Kind = Literal["imu", "pose"]
"""imu: what a sensor felt. pose: what a video shows of a limb."""


@dataclass(frozen=True, eq=False)
class TokenStream:
    """A token every `TOKEN_S` seconds of one sensor or one limb of one person.

    file: path within the corpus. name: the sensor's, or the person's. site: where it is worn, or which limb; None of
    a sensor whose place is unknown. start_s: when the first token begins, seconds on the stream's own clock.
    tokens (T, D) of any float width; there (T,) bool: what was measured, the rest is not compared.
    """

    file: str
    kind: Kind
    name: str
    site: str | None
    start_s: float
    tokens: npt.NDArray[np.floating]
    there: npt.NDArray[np.bool_]

    @staticmethod
    def of(embedding: Embedding, kind: Kind, file: str = "") -> TokenStream:
        """What the binder made of a stream."""
        start_s = float(embedding.time_s[0]) - 0.5 * TOKEN_S
        return TokenStream(file, kind, embedding.name, embedding.site, start_s, embedding.tokens, embedding.there)
