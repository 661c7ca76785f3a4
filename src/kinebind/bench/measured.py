"""What a benchmark measured case by case, and the figures of it: with intervals, and of several methods side by side.

Methods are given the same cases in the same order, and the bootstrap draws the same cases for all of them, so that the
interval of a difference is that of pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError

DRAWS = 1000
WITHIN_MS = (100, 200, 500)


@dataclass(frozen=True, eq=False)
class Cases:
    """Values (K,) of one figure, a case each, and what makes the figure of them.

    less_is_better: True of errors, where a case that was not answered has infinity; None where neither is better.
    """

    values: FloatArray
    statistic: Literal["mean", "median"] = "mean"
    less_is_better: bool | None = False

    def of(self, index: np.ndarray | None = None) -> FloatArray:
        """The figure of all cases, shape (), or of drawn ones (D, K'), shape (D,)."""
        drawn = self.values[None] if index is None else self.values[index]
        found = drawn.mean(axis=1) if self.statistic == "mean" else np.median(drawn, axis=1)
        return np.asarray(found[0] if index is None else found)


Measured = dict[str, Cases]
"""Cases by the name of their figure."""


def timing(prefix: str, errors_s: FloatArray) -> Measured:
    """Shares within 0.1, 0.2 and 0.5 s and the median error of timing errors (K,) in seconds.

    >>> found = timing("x", np.array([0.05, 0.3, np.inf]))
    >>> {key: round(value, 3) for key, value in figures(found, intervals=False).items()}
    {'x_within_100ms': 0.333, 'x_within_200ms': 0.333, 'x_within_500ms': 0.667, 'x_median_ms': 300.0}
    """
    out = {f"{prefix}_within_{ms}ms": Cases(np.asarray(errors_s <= ms / 1e3, dtype=np.float64)) for ms in WITHIN_MS}
    out[f"{prefix}_median_ms"] = Cases(np.asarray(errors_s, dtype=np.float64) * 1e3, "median", less_is_better=True)
    return out


def figures(measured: Mapping[str, Cases], suffix: str = "", *, intervals: bool = True) -> dict[str, float]:
    """Figures by name, `suffix` after it, each with its 95 % interval by bootstrap over cases as `_lo` and `_hi`.

    Left out is what has no cases or is not finite, as the median of errors where most were not answered. One case alone
    has no interval.
    """
    out: dict[str, float] = {}
    for key, cases in measured.items():
        if cases.values.size and np.isfinite(value := float(cases.of())):
            out[key + suffix] = value
            if intervals and cases.values.size > 1:
                out |= _interval(key + suffix, cases.of(_drawn(cases.values.size)))
    return out


def compared(
    by_method: Mapping[str, Mapping[str, Cases]], suffix: str = "", *, against: str = "correlation"
) -> dict[str, float]:
    """Figures of several methods on the same cases.

    by_method: the model first, whose figures have their plain names, then the others, whose names are put behind:
    `KEY` and `KEY_syncwise`, before the `suffix`. `KEY_gain` with its interval is by how much the model is better than
    the method `against`, positive where it is better. Raises InputError where cases of one figure differ in number.
    """
    model, *others = by_method
    out = figures(by_method[model], suffix)
    for name in others:
        out |= figures({f"{key}_{name}": cases for key, cases in by_method[name].items()}, suffix)
    for key, own in by_method[model].items():
        other = by_method.get(against, {}).get(key)
        if other is None or against == model or own.less_is_better is None or not own.values.size:
            continue
        if own.values.size != other.values.size:
            raise InputError(
                f"{key}: {own.values.size} cases of {model} and {other.values.size} of {against}.",
                "Give all methods the same cases.",
            )
        sign = -1.0 if own.less_is_better else 1.0
        value = sign * (float(own.of()) - float(other.of()))
        if np.isfinite(value):
            index = _drawn(own.values.size)
            out[f"{key}_gain{suffix}"] = value
            out |= _interval(f"{key}_gain{suffix}", sign * (own.of(index) - other.of(index)))
    return out


def joined(parts: Sequence[Mapping[str, Cases]]) -> Measured:
    """The cases of several parts of a benchmark, one after another, of figures that all parts have."""
    out: Measured = {}
    for key, first in parts[0].items() if parts else ():
        if all(key in part for part in parts):
            values = np.concatenate([part[key].values for part in parts])
            out[key] = Cases(values, first.statistic, first.less_is_better)
    return out


def expected_calibration_error(stated: FloatArray, right: FloatArray, bins: int = 10) -> float:
    """Mean |stated − observed| over bins of equal count.

    >>> expected_calibration_error(np.array([0.9] * 10 + [0.1] * 10), np.array([1.0] * 9 + [0.0] * 10 + [1.0]), 2)
    0.0
    """
    order = np.argsort(stated, kind="stable")
    groups = np.array_split(order, bins)
    gaps = [abs(float(stated[g].mean() - right[g].mean())) * g.size for g in groups if g.size]
    return round(sum(gaps) / stated.size, 12)


def _drawn(count: int) -> np.ndarray:
    """Cases (DRAWS, count) of each bootstrap draw: the same for the same count, whatever the method."""
    return np.random.default_rng(0).integers(count, size=(DRAWS, count))


def _interval(key: str, drawn: FloatArray) -> dict[str, float]:
    if not np.isfinite(drawn).all():
        return {}
    low, high = (float(p) for p in np.percentile(drawn, (2.5, 97.5)))
    return {f"{key}_lo": low, f"{key}_hi": high}
