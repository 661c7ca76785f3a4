"""Timestamps as recorders write them, made strictly increasing: sorted, straightened, split where a clock jumped.

Nothing is invented: gaps stay gaps, and every repair is counted in a sentence for the user.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from kinebind.clock import FloatArray
from kinebind.readers.straighten import straighten

IndexArray = npt.NDArray[np.intp]

_SIDE = 8  # samples looked at on each side of a backward step
_NEW_CLOCK_S = 86400.0  # a longer pause than this is a clock that was set, not a pause


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows of a file that run on one clock. rows (n,): their indices, in order of time. time_s (n,): strictly
    increasing. notes: what was repaired in this piece."""

    rows: IndexArray
    time_s: FloatArray
    notes: tuple[str, ...] = ()


def unwrap(counter: FloatArray, period: float) -> FloatArray:
    """A counter that wraps at `period`, as one that does not; NaN stays.

    A fall by more than half the period is a wrap, and a rise by as much the way back (rows out of order).
    """
    out = np.array(counter, dtype=np.float64)
    valid = np.flatnonzero(np.isfinite(out))
    if valid.size:
        turns = np.cumsum(-np.rint(np.diff(out[valid]) / period))
        out[valid[1:]] += turns * period
    return out


def repair_times(
    time_s: FloatArray, values: FloatArray, *, rate_hz: float | None = None
) -> tuple[list[Piece], tuple[str, ...]]:
    """Pieces of a sensor's rows that each run on one clock, and what was repaired in the whole.

    time_s (N,): seconds as the file has them, NaN where missing. values (N, C): the rows, to know duplicates by.
    rate_hz: the nominal rate, if declared.
    Rows without a time, exact duplicates and single stray times are dropped; shuffled rows are sorted; a clock
    that jumped back (or by more than a day) starts a new piece; repeated and jittered times are straightened.
    The list is empty where no two rows with a time remain.
    """
    notes: list[str] = []
    rows = np.flatnonzero(np.isfinite(time_s))
    if rows.size < time_s.size:
        notes.append(f"Rows without a time were left out ({time_s.size - rows.size}).")
    rows, dropped = _without_duplicates(time_s, values, rows)
    if dropped:
        notes.append(f"Rows that stand twice in the file were kept once ({dropped}).")
    rows, dropped = _without_strays(time_s, rows)
    if dropped:
        notes.append(f"Rows with a time far from their neighbours' were left out ({dropped}).")
    parts = _split(time_s, rows)
    if len(parts) > 1 and _tile(time_s, rows):
        parts = [rows]
    pieces = []
    for part in parts:
        piece_notes = []
        t = time_s[part]
        if (np.diff(t) < 0).any():
            order = np.argsort(t, kind="stable")
            moved = int(np.count_nonzero(order != np.arange(order.size)))
            part, t = part[order], t[order]
            piece_notes.append(f"Rows out of order were sorted ({moved}).")
        if part.size < 2:
            continue
        t, note = straighten(t, rate_hz=rate_hz)
        if note:
            piece_notes.append(note)
        later = np.diff(t, prepend=-np.inf) > 0
        if not later.all():
            piece_notes.append(f"Rows whose time does not differ from the one before were left out ({(~later).sum()}).")
            part, t = part[later], t[later]
            if part.size < 2:
                continue
        pieces.append(Piece(part, t, tuple(piece_notes)))
    alone = sum(p.size for p in parts if p.size < 2)
    if alone:
        notes.append(f"Single rows between jumps of the clock were left out ({alone}).")
    if len(pieces) > 1:
        notes.append(f"The recorder's clock jumped ({len(pieces) - 1} times); each piece has a clock of its own.")
    return pieces, tuple(notes)


def _without_duplicates(t: FloatArray, values: FloatArray, rows: IndexArray) -> tuple[IndexArray, int]:
    """Rows without those that repeat an earlier row's time and values."""
    if (np.diff(t[rows]) > 0).all():
        return rows, 0
    order = rows[np.argsort(t[rows], kind="stable")]
    same_time = np.diff(t[order]) == 0
    if not same_time.any():
        return rows, 0
    a, b = values[order[1:]], values[order[:-1]]
    same = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    # A coarse sensor at rest repeats its values; there, equal times do not prove a duplicate.
    if same[~same_time].mean() > 0.05 if (~same_time).any() else False:
        return rows, 0
    twice = order[1:][same_time & same]
    return np.setdiff1d(rows, twice, assume_unique=True), twice.size


def _without_strays(t: FloatArray, rows: IndexArray) -> tuple[IndexArray, int]:
    """Rows without single ones whose time lies far from those around them."""
    if rows.size < 8:
        return rows, 0
    times = t[rows]
    step = np.abs(np.diff(times))
    reach = 2.0 + 50.0 * float(np.median(step))
    if step.max() <= reach:
        return rows, 0
    far = np.abs(times - median_filter(times, size=7, mode="mirror")) > reach
    # Many of them are rows in no order, not strays.
    return (rows[~far], int(far.sum())) if 0 < far.mean() < 0.01 else (rows, 0)


def _split(t: FloatArray, rows: IndexArray) -> list[IndexArray]:
    """Runs of rows between jumps of the recorder's clock.

    A backward step is a jump where time runs forwards on both sides of it and what follows is earlier; in a
    shuffle, time runs forwards on neither side. A forward step of more than a day is a clock that was set.
    """
    times = t[rows]
    step = np.diff(times)
    back = np.flatnonzero(step < 0)
    if back.size > 0.25 * step.size:  # a shuffle, in which a few stretches rise by chance
        back = back[:0]
    side = np.arange(1, _SIDE + 1)
    last = times.size - 1
    forwards = np.ones(back.size, dtype=bool)
    for sign in (1, -1):
        near = np.clip(back[:, None] + (side if sign > 0 else 1 - side), 0, last)
        forwards &= (np.diff(times[near], axis=1) * sign >= 0).mean(axis=1) > 0.8
    before = np.median(times[np.clip(back[:, None] + 1 - side, 0, last)], axis=1)
    after = np.median(times[np.clip(back[:, None] + side, 0, last)], axis=1)
    cuts = np.union1d(back[forwards & (after < before)], np.flatnonzero(step > _NEW_CLOCK_S)) + 1
    edges = [0, *cuts.tolist(), times.size]
    return [rows[a:b] for a, b in itertools.pairwise(edges)]


def _tile(t: FloatArray, rows: IndexArray) -> bool:
    """Whether unbroken runs of rows, put in order, follow one another as samples do: then the rows were out of
    order, not the clock."""
    times = t[rows]
    step = np.diff(times)
    if not (step < 0).any():
        return False
    usual = float(np.median(np.abs(step)))
    run = np.concatenate([[0], np.cumsum((step < 0) | (step > 3.0 * usual))])
    order = np.argsort(times, kind="stable")
    change = np.diff(run[order]) != 0
    # A run that another one interrupts was recorded beside it, on another clock.
    whole = np.count_nonzero(change) == run[-1]
    return bool(whole and np.median(np.diff(times[order])[change]) <= 3.0 * usual)
