"""The fitted numbers of the synchroniser, from `calibration.json`: cue weights and the confidence's coefficients.

`kinebind bench sync --fit` writes the file from simulated recordings of the training sources; nothing else does.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def calibration() -> dict[str, Any]:
    """The file's content: `weights` by kind of sensor and cue, `confidence` by feature, and where they came from."""
    text = files("kinebind.tasks.sync").joinpath("calibration.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def cue_weights(kind: str) -> dict[str, float]:
    """Weights by cue of sensors with angular rate (`rate`), without (`acc`), and of sensor pairs (`pair`)."""
    weights: dict[str, float] = calibration()["weights"][kind]
    return weights
