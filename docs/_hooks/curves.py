"""Curves of results/zero_shot.json as pictures: `{{ curve: sensors }}` in a page is the picture of that curve.

Pictures are drawn when the pages are built and are kept nowhere else, so that they cannot differ from the figures.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinebind.report.curves import PlottedCurve, curves_picture, save_picture

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results/zero_shot.json"
PLACE = re.compile(r"\{\{ curve: (?P<name>\w+) \}\}")
FOLDER = "curves"
CLOCKS = {"Kinebind": "", "classical": "_classical", "correlation": "_correlation", "SyncWISE": "_syncwise"}
MATCHES = {"Kinebind": "", "correlation": "_correlation"}


@dataclass(frozen=True)
class Curve:
    """A curve: pattern of its keys in the results, with {x} for a point and {method}; title, label of x, methods."""

    pattern: str
    title: str
    x_label: str
    methods: dict[str, str]


CURVES = {
    "sensors": Curve("sim_sensors_{x}_within_100ms{method}", "3 s, normal keypoints", "sensors", CLOCKS),
    "length": Curve("sim_length_{x}s_within_100ms{method}", "one wrist, normal keypoints", "clip (s)", CLOCKS),
    "periodic": Curve(
        "sim_length_{x}s_within_100ms_periodic{method}", "one wrist, motion that repeats itself", "clip (s)", CLOCKS
    ),
    "rate": Curve("sim_rate_{x}hz_within_100ms{method}", "one wrist, 5 s", "the sensor's rate (Hz)", CLOCKS),
    "people": Curve("sim_person_assigned_{x}{method}", "a wrist sensor each, 5 s", "people", MATCHES),
}


def points(curve: Curve, method: str, metrics: dict[str, float]) -> PlottedCurve | None:
    """A method's curve with its intervals, as far as it was measured."""
    name = next(k for k, v in curve.methods.items() if v == method)
    before, after = (re.escape(part) for part in curve.pattern.replace("{method}", method).split("{x}"))
    found = {float(match[1]): key for key in metrics if (match := re.fullmatch(rf"{before}([\d.]+){after}", key))}
    if len(found) < 2:
        return None
    x = sorted(found)
    y, low, high = (np.array([metrics[found[k] + end] for k in x]) for end in ("", "_lo", "_hi"))
    return PlottedCurve(name, np.array(x), y, low, high)


def drawn(name: str, metrics: dict[str, float]) -> bytes | None:
    """A curve's picture (SVG) of all methods that were measured, or None where nothing was."""
    curve = CURVES[name]
    found = [own for method in curve.methods.values() if (own := points(curve, method, metrics))]
    if not found:
        return None
    label = "clocks within 100 ms" if curve.methods is CLOCKS else "sensors given to their wearers"
    picture = curves_picture(found, curve.x_label, label, curve.title, shares=True)
    with tempfile.TemporaryDirectory() as folder:
        return save_picture(picture, Path(folder) / "curve.svg").read_bytes()


def measured(results: Path = RESULTS) -> dict[str, float]:
    """The figures, none where there is no file of them."""
    return json.loads(results.read_text(encoding="utf-8"))["metrics"] if results.exists() else {}


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Called by MkDocs with what the pages are made of."""
    from mkdocs.structure.files import File

    metrics = measured()
    for name in CURVES:
        if content := drawn(name, metrics):
            files.append(File.generated(config, f"{FOLDER}/{name}.svg", content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with each page's text."""
    metrics = measured()

    def picture(match: re.Match[str]) -> str:
        name = match["name"]
        title = CURVES[name].title
        return f"![{name}: {title}]({FOLDER}/{name}.svg)" if drawn(name, metrics) else "not measured"

    return PLACE.sub(picture, markdown)
