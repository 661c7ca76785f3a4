"""What the documentation does not hold by itself: figures from results/*.json, and the formats that are read.

`{{ sync.sim_median_ms }}` is that metric of results/sync.json, `{{ sync.sim_median_ms <= 10 }}` with its aim, and
`{{ sync.sim_within_33ms | .3f }}` in another format. With `sim_median_ms_lo` and `_hi` beside it the interval follows
in brackets, unless it has no width. `{{ missed }}` lists the page's aims that are not met, `{{ sync.about }}` tells how
the figures were made, and `{{ formats }}` is a table of all formats. What was not measured says so.

The README and the model card are shown as they are, without a hook. There a figure stands before the name of its
metric in a comment, `2.3 ms <!-- sync.sim_median_ms -->`; running this file brings all of them up to date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from kinebind.readers import FORMATS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
FIGURE = re.compile(
    r"\{\{ (?P<file>\w+)\.(?P<key>\w+)(?: (?P<way><=|>=) (?P<aim>[\d.]+))?(?: \| (?P<format>[^ }]+))? \}\}"
)
IN_README = re.compile(
    r"(?P<shown>-?\d+(?:\.\d+)?)(?P<unit> ?%)?(?P<rest>[^\d\n|]*?<!-- (?P<file>\w+)\.(?P<key>\w+) -->)"
)
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
    if f"{key}_lo" in metrics and metrics[f"{key}_lo"] < metrics[f"{key}_hi"]:
        ends = (shown(metrics[f"{key}_{end}"], match["format"]) for end in ("lo", "hi"))
        text += f" ({'–'.join(ends)})"
    if match["aim"] is None:
        return text
    aim = f"{'≤' if match['way'] == '<=' else '≥'} {match['aim']}"
    return f"**{text}**, misses {aim}" if is_missed(match, results) else f"{text}, aim {aim}"


def is_missed(match: re.Match[str], results: dict[str, dict[str, Any]]) -> bool:
    """Whether a placeholder names an aim that its metric does not meet."""
    value = results.get(match["file"], {}).get("metrics", {}).get(match["key"])
    if match["aim"] is None or value is None:
        return False
    return bool(value > float(match["aim"]) if match["way"] == "<=" else value < float(match["aim"]))


def missed(markdown: str, results: dict[str, dict[str, Any]]) -> str:
    """The page's aims that are not met, as a list."""
    rows = [f"- `{m['key']}`: {figure(m, results)}" for m in FIGURE.finditer(markdown) if is_missed(m, results)]
    aims = [m for m in FIGURE.finditer(markdown) if m["aim"] is not None]
    waiting = [m["key"] for m in aims if results.get(m["file"], {}).get("metrics", {}).get(m["key"]) is None]
    if waiting:
        rows.append(f"- Not measured yet: {len(waiting)} of {len(aims)} aims.")
    return "\n".join(rows) or "Every aim on this page is met."


def refreshed(readme: str, results: dict[str, dict[str, Any]]) -> str:
    """The README with its figures as the results have them, to as many decimals as it shows."""

    def now(match: re.Match[str]) -> str:
        value = results[match["file"]]["metrics"][match["key"]] * (100 if match["unit"] else 1)
        decimals = len(match["shown"].partition(".")[2])
        return f"{value:.{decimals}f}{match['unit'] or ''}{match['rest']}"

    return IN_README.sub(now, readme)


def formats_table() -> str:
    """All formats that Kinebind reads, as a table."""
    kinds = {"imu": "sensor", "poses": "2D poses", "motion": "3D motion", "recording": "recording"}
    rows = [f"| `{f.name}` | {kinds[f.kind]} | {f.describes} |" for f in FORMATS]
    return "\n".join(["| name | holds | |", "|---|---|---|", *rows])


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs with each page's text."""
    results = load_results()
    markdown = markdown.replace("{{ formats }}", formats_table()).replace("{{ missed }}", missed(markdown, results))
    return FIGURE.sub(lambda match: figure(match, results), markdown)


if __name__ == "__main__":
    for page in (ROOT / "README.md", ROOT / "src/kinebind/weights/MODEL_CARD.md"):
        page.write_text(refreshed(page.read_text(encoding="utf-8"), load_results()), encoding="utf-8")
