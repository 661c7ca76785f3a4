"""The fitted numbers of the synchroniser, from `calibration.json`: the confidence's coefficients.

`kinebind bench sync --fit` writes the file from simulated recordings of the training sources; nothing else does.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def calibration() -> dict[str, Any]:
    """The file's content: `confidence` by method and feature, and what it was fitted on."""
    text = files("kinebind.tasks.sync").joinpath("calibration.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
