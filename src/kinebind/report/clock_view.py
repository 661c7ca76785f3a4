"""One clock as the report draws it: its strongest sensors beside the reference, before and after alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind.clock import overlap_s
from kinebind.recording import Recording
from kinebind.report.signals import Reference, Trace, busiest_window, correlation
from kinebind.tasks.sync.result import ClockAnswer

ZOOM_S = 10.0
"""Length of the close look."""
MAX_ROWS = 3
"""Sensors drawn for one clock, strongest evidence first."""
_DAY_S = 86_400.0


@dataclass(frozen=True, eq=False)
class Row:
    """One sensor and what it is compared with, all on the reference's clock; `after` is None without any answer."""

    name: str
    site: str | None
    before: Trace
    after: Trace | None
    ref: Trace

    @property
    def label(self) -> str:
        """The sensor's name, and where it is worn unless the name says so."""
        words = (self.site or "").replace("_", " ")
        return f"{self.name} · {words}" if words and words != self.name.replace("_", " ").lower() else self.name

    def shown(self, which: str) -> Trace | None:
        """The sensor's trace "before" or "after" alignment."""
        return self.before if which == "before" else self.after

    def correlation(self, which: str, window_s: tuple[float, float]) -> float:
        """Correlation with the reference inside a window of the reference's clock; NaN where it has no meaning."""
        trace = self.shown(which)
        return float("nan") if trace is None else correlation(trace.within(*window_s), self.ref.within(*window_s))


@dataclass(frozen=True, eq=False)
class ClockView:
    """What the drawings of one clock need. Times are on the reference's clock, seconds.

    shared_s: stretch that the aligned sensors and the reference share, or None. before_words: how the raw clocks
    were laid over each other. origin_s: what the time axes count from (zero, or the start of a clock of the day).
    """

    answer: ClockAnswer
    reference: Reference
    rows: tuple[Row, ...]
    shared_s: tuple[float, float] | None
    window_s: tuple[float, float]
    before_words: str
    origin_s: float


def clock_view(
    recording: Recording, reference: Reference, answer: ClockAnswer, hint_s: tuple[float, float] | None = None
) -> ClockView:
    """Gather one clock's drawings' data; `hint_s` is the close look to use where this clock has it too."""
    by_name = {imu.name: imu for imu in recording.imus}
    strongest = sorted((s for s in answer.sensors if s.name in by_name), key=lambda s: -s.evidence_nats)
    source = reference.mirrored if answer.mirrored else reference
    rows: list[Row] = []
    shift_s, words, shared = 0.0, "", None
    for finding in strongest[:MAX_ROWS]:
        imu = by_name[finding.name]
        own, ref = source.compare(imu, finding.site)
        if not rows:
            shift_s, words = _before_shift(own, reference)
        after = _aligned(own, answer) if answer.pieces else None
        if not rows and after is not None:
            shared = overlap_s(after.time_s, reference.time_s)
        rows.append(Row(finding.name, finding.site, Trace(own.time_s + shift_s, own.value, own.unit), after, ref))
    everything = (float(reference.time_s[0]), float(reference.time_s[-1]))
    if shared is not None and not shared[1] > shared[0]:
        shared = None
    allowed = shared or everything
    window = hint_s
    if window is None or not (allowed[0] <= window[0] and window[1] <= allowed[1]):
        window = (rows and busiest_window(rows[0].ref, ZOOM_S, allowed)) or allowed
    origin_s = everything[0] if abs(everything[0]) > _DAY_S else 0.0
    return ClockView(answer, reference, tuple(rows), shared, window, words, origin_s)


def _aligned(own: Trace, answer: ClockAnswer) -> Trace:
    """A trace on the reference's clock; broken where the recorder jumped."""
    value = own.value.copy()
    for piece in answer.pieces[1:]:
        first = int(np.searchsorted(own.time_s, piece.start_s))
        value[first : first + 1] = np.nan
    time_s = answer.to_video(own.time_s)
    order = np.argsort(time_s, kind="stable")  # a piece may start before the one ahead of it has ended
    return Trace(time_s[order], value[order], own.unit)


def _before_shift(own: Trace, reference: Reference) -> tuple[float, str]:
    """How to lay a raw clock over the reference's: as it is where that overlaps by half, else start on start."""
    start, end = overlap_s(own.time_s, reference.time_s)
    shorter = min(own.time_s[-1] - own.time_s[0], reference.time_s[-1] - reference.time_s[0])
    if end - start >= 0.5 * shorter:
        return 0.0, "both clocks as they came"
    return float(reference.time_s[0] - own.time_s[0]), "both starts laid on each other"
