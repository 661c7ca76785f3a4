"""Pictures of figures: confusion matrices, and curves with their intervals, as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kinebind.clock import FloatArray
from kinebind.errors import InputError

_SUFFIXES = (".png", ".svg", ".pdf")
_MOST_COUNTS = 20
"""With more classes than this, counts would not be legible in their cells."""
# Okabe and Ito's colours, which people with any colour vision tell apart; markers besides, for print without colour.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES = ("-", "--", ":", "-.")
"""Curves of one colour are told apart by these."""
_MOST_INSIDE = 5
"""A legend of more curves would cover them: it stands beside the picture."""


@dataclass(frozen=True, eq=False)
class PlottedCurve:
    """One curve: x (K,), y (K,), and where known the interval low (K,) to high (K,) about y."""

    name: str
    x: FloatArray
    y: FloatArray
    low: FloatArray | None = None
    high: FloatArray | None = None


def confusion_picture(confusion: npt.NDArray[np.integer], names: Sequence[str], title: str = "") -> Figure:
    """A confusion matrix (C, C), rows true and columns answered: shaded by the share of the row, counts inside.

    Rows without any case stay white. Raises InputError where names and matrix do not fit.
    """
    counts = np.asarray(confusion)
    if counts.shape != (len(names), len(names)) or not len(names):
        raise InputError(
            f"A confusion matrix {counts.shape} does not fit {len(names)} names.", "Give one name for each class."
        )
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.36 * len(names)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(image, ax=ax, shrink=0.8, format=PercentFormatter(1.0), label="share of the true class")
    ax.set_xticks(range(len(names)), [_plain(n) for n in names], rotation=90)
    ax.set_yticks(range(len(names)), [_plain(n) for n in names])
    ax.set_xlabel("answered")
    ax.set_ylabel("true")
    if len(names) <= _MOST_COUNTS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if share[row, column] > 0.6 else "black"
                ax.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    ax.set_title(_plain(title))
    return figure


def curves_picture(
    curves: Sequence[PlottedCurve], x_label: str, y_label: str, title: str = "", shares: bool = False
) -> Figure:
    """Curves over one axis, each with its interval as a band; shares: y is between 0 and 1, shown in per cent.

    Raises InputError where there is none, or the lengths of one differ.
    """
    if not curves:
        raise InputError("There is no curve to draw.", "Give at least one.")
    for curve in curves:
        parts = [p for p in (curve.x, curve.y, curve.low, curve.high) if p is not None]
        if len({np.shape(p) for p in parts}) != 1 or (curve.low is None) != (curve.high is None):
            raise InputError(
                f"Curve '{curve.name}' has parts of the shapes {', '.join(str(np.shape(p)) for p in parts)}.",
                "Give x and y of one length, and both ends of the interval or none.",
            )
    beside = len(curves) > _MOST_INSIDE
    figure = Figure(figsize=(8.4 if beside else 6.4, max(4.0, 0.27 * len(curves))), layout="constrained")
    ax = figure.subplots()
    for i, curve in enumerate(curves):
        colour, marker = _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)]
        dash = _DASHES[i // len(_COLOURS) % len(_DASHES)]
        few = len(curve.x) <= _MOST_COUNTS
        ax.plot(curve.x, curve.y, dash, color=colour, marker=marker if few else None, label=_plain(curve.name))
        if curve.low is not None and curve.high is not None:
            ax.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
    if shares:
        ax.set_ylim(0.0, 1.02)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(_plain(x_label))
    ax.set_ylabel(_plain(y_label))
    ax.set_title(_plain(title))
    if beside:
        figure.legend(frameon=False, loc="outside right center")
    elif len(curves) > 1:
        ax.legend(frameon=False)
    return figure


def save_picture(figure: Figure, path: Path | str) -> Path:
    """Write a picture in the format that the path's suffix names; the same figure gives the same file.

    Raises InputError where the suffix is none of .png, .svg, .pdf or the path cannot be written.
    """
    target = Path(path)
    if target.suffix not in _SUFFIXES:
        raise InputError(f"{target} names no kind of picture.", f"End it in one of: {', '.join(_SUFFIXES)}.")
    dates = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        with mpl.rc_context({"svg.hashsalt": "kinebind"}):
            figure.savefig(target, dpi=150, metadata=dates[target.suffix])
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error}).", "Check the folder and its rights.") from error
    return target


def _plain(text: str) -> str:
    """Text that matplotlib takes as it is: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")
