"""What the documentation does not hold by itself: figures from results/*.json, and the formats that are read.

`{{ sync.sim_median_ms }}` is that metric of results/sync.json.

`{{ sync.sim_within_33ms | .3f }}` sets its format. With `sim_median_ms_lo` and `_hi` beside it the interval follows
in brackets. `{{ sync.about }}` tells how the figures were made. What was not measured says so.
`{{ formats }}` is a table of all formats.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from kinebind.readers import FORMATS

RESULTS = Path(__file__).resolve().parents[2] / "results"
FIGURE = re.compile(r"\{\{ (?P<file>\w+)\.(?P<key>\w+)(?: \| (?P<format>[^ }]+))? \}\}")
NOT_MEASURED = "not measured"


def load_results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Name -> content of every results file."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def shown(value: float, form: str | None) -> str:
    """A number as a page shows it: three figures unless a format says otherwise."""
    if form is None:
        form = "d" if isinstance(value, int) else ".3g" if abs(value) < 1000 else ".0f"
    return format(value, form)


def figure(match: re.Match[str], results: dict[str, dict[str, Any]]) -> str:
    """The text that takes a placeholder's place."""
    found, key = results.get(match["file"]), match["key"]
    if found is None:
        return NOT_MEASURED
    if key == "about":
        commit, _, changes = found["commit"].partition("+")
        told = f"`{commit[:10]}`" + (" with changes" if changes else "")
        return f"`{found['command']}`, variant {found['variant']}, commit {told}, {found['date']}, {found['machine']}"
    metrics = found["metrics"]
    if metrics.get(key) is None:
        return NOT_MEASURED
    text = shown(metrics[key], match["format"])
    if f"{key}_lo" in metrics:
        ends = (shown(metrics[f"{key}_{end}"], match["format"]) for end in ("lo", "hi"))
        text += f" ({'–'.join(ends)})"
    return text


def formats_table() -> str:
    """All formats that Kinebind reads, as a table."""
    kinds = {"imu": "sensor", "poses": "2D poses", "motion": "3D motion", "recording": "recording"}
    rows = [f"| `{f.name}` | {kinds[f.kind]} | {f.describes} |" for f in FORMATS]
    return "\n".join(["| name | holds | |", "|---|---|---|", *rows])


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with each page's text."""
    results = load_results()
    markdown = markdown.replace("{{ formats }}", formats_table())
    return FIGURE.sub(lambda match: figure(match, results), markdown)
