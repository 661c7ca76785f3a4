"""Pictures of the quick start, out of the page that `kinebind demo` writes: docs/img/*.svg.

    kinebind demo --out demo-out
    python docs/_hooks/pictures.py demo-out

Not run when the pages are built, as the demo takes a minute: the pictures are kept. Each has the report's own colours
for light and dark on a card of its own, so that it can be read on any page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[1] / "img"
CLOCK = "watch"
SIGNALS = ("Before", "After")
EVIDENCE = ("Evidence over the offset", "Over time")
_EDGE, _GAP, _TITLE = 18.0, 26.0, 26.0
_STYLE = """
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif !important;
  fill: var(--ink); }
.title { font-size: 15px; font-weight: 650; }
.time { font-size: 12px; fill: var(--soft); text-anchor: middle; }
.bone { stroke: var(--ink); stroke-width: 2.6; stroke-linecap: round; fill: none; }
.far { stroke: var(--soft); stroke-width: 1.8; }
.worn { stroke: var(--imu); stroke-width: 3.4; }
.site { fill: var(--card); stroke: var(--imu); stroke-width: 2.6; }
"""


def people(report: str) -> str:
    """The first person's moments, in a row."""
    strip = report[report.index('<ol class="strip">') :].partition("</ol>")[0]
    found = re.findall(r"<li>(<svg.*?</svg>)(.*?)</li>", strip, re.DOTALL)
    parts = []
    for k, (drawing, time) in enumerate(found):
        parts.append(_placed(drawing, _EDGE + 96.0 * k, _EDGE, 92.0, 138.0))
        parts.append(f'<text class="time" x="{_EDGE + 96.0 * k + 46:g}" y="{_EDGE + 156:g}">{time.strip()}</text>')
    width = 2 * _EDGE + 96.0 * len(found) - 4.0
    return _picture(report, width, 2 * _EDGE + 162.0, "A person's moves, rings where sensors are worn", parts)


def panels(report: str, titles: Sequence[str]) -> str:
    """Drawings of the clock CLOCK side by side, by the headings that the report gives them."""
    article = report[report.index(f"<h2>Clock {CLOCK}<") :].partition("</article>")[0]
    parts, labels, height, x = [], [], 0.0, _EDGE
    for title in titles:
        drawing = article[article.index(f"<h3>{title}</h3>") :].partition("</h3>")[2].partition("</svg>")[0] + "</svg>"
        found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)" role="img" aria-label="([^"]*)"', drawing)
        assert found is not None, title
        wide, high = float(found[1]), float(found[2])
        parts.append(f'<text class="title" x="{x:g}" y="{_EDGE + 14:g}">{escape(title)}</text>')
        parts.append(_placed(drawing, x, _EDGE + _TITLE, wide, high))
        labels.append(found[3])
        height, x = max(height, high), x + wide + _GAP
    return _picture(report, x - _GAP + _EDGE, 2 * _EDGE + _TITLE + height, " ".join(labels), parts)


def _placed(drawing: str, x: float, y: float, width: float, height: float) -> str:
    """An `<svg>` of the report as a part of a picture."""
    return drawing.replace("<svg ", f'<svg x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" ', 1)


def _picture(report: str, width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """A file of its own. label: as the report has it, escaped."""
    light, dark = (m[1] for m in re.finditer(r":root \{(.*?)\}", report, re.DOTALL))
    colours = f":root {{{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img">\n<title>{label}</title>\n<style>{colours}{_STYLE}</style>\n'
        f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="10" '
        'style="fill: var(--card); stroke: var(--line)"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main(demo: Path) -> None:
    """Write all pictures of a demo's folder."""
    report = (demo / "report.html").read_text(encoding="utf-8")
    IMAGES.mkdir(exist_ok=True)
    for name, content in (
        ("demo-people", people(report)),
        ("demo-signals", panels(report, SIGNALS)),
        ("demo-evidence", panels(report, EVIDENCE)),
    ):
        (IMAGES / f"{name}.svg").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
