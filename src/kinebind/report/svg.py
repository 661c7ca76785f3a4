"""Drawings as inline SVG that follow the page's theme: matplotlib draws, CSS variables give the colours."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 420.0
"""Width of every drawing in its own units: legible in half a page's width and on a phone alike."""

# matplotlib wants real colours; each of these stands for one variable of the page's style sheet.
INK, SOFT, LINE, PAPER = "#010203", "#010204", "#010205", "#010206"
IMU, REF, REF_FILL, ACCENT, WARN, BAND = "#010207", "#010208", "#010209", "#01020a", "#01020b", "#01020c"
_VARIABLES = {
    INK: "ink", SOFT: "soft", LINE: "line", PAPER: "card",
    IMU: "imu", REF: "ref", REF_FILL: "ref-fill", ACCENT: "accent", WARN: "warn", BAND: "band",
}  # fmt: skip

_RC: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "kinebind", "text.parse_math": False, "font.size": 11,
    "text.color": INK, "axes.labelcolor": SOFT, "axes.labelsize": 11, "axes.edgecolor": LINE, "axes.linewidth": 1,
    "axes.facecolor": "none", "axes.spines.top": False, "axes.spines.right": False, "axes.unicode_minus": True,
    "xtick.color": LINE, "ytick.color": LINE, "xtick.labelcolor": SOFT, "ytick.labelcolor": SOFT,
    "xtick.labelsize": 10.5, "ytick.labelsize": 10.5, "grid.color": LINE, "grid.linewidth": 0.7,
    "lines.linewidth": 1.4, "lines.solid_joinstyle": "round", "path.simplify": True, "path.simplify_threshold": 0.2,
}  # fmt: skip


def render(draw: Callable[[Figure], None], height: float, alt: str) -> Markup:
    """What `draw` puts on a figure of `WIDTH` × `height` units, as an `<svg>` element for a page; `alt` is read out."""
    with mpl.rc_context(_RC), warnings.catch_warnings():
        # Text is measured with matplotlib's font but shown in the reader's, which may have more letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _inline(buffer.getvalue(), height, alt)


def _inline(document: str, height: float, alt: str) -> Markup:
    """matplotlib's SVG file as an element: no prologue, no metadata, no stray ids, short numbers, variable colours."""
    body = document[document.index("<defs>") : document.rindex("</svg>")]
    body = re.sub(r'<g id="[^"]*">', "<g>", body)
    body = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d)\d+", r"\1", m[0]), body)
    body = re.sub(r"\s*\n\s*", " ", body).replace("xlink:href", "href")
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    label = escape(alt)
    # Built from matplotlib's own output, which escapes the texts that it draws.
    return Markup(f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{label}">') + Markup(body + "</svg>")


def distinct(drawing: Markup, prefix: str) -> Markup:
    """The drawing with its inner names made its own, as several on one page must not share any."""
    return Markup(re.sub(r'(id="|href="#|url\(#)', lambda m: m[0] + prefix, str(drawing)))
