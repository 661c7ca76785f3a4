"""The report's drawings: signals before and after, evidence over the offset, residuals over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from kinebind.clock import FloatArray
from kinebind.report import svg
from kinebind.report.clock_view import ClockView
from kinebind.report.signals import Trace, envelope
from kinebind.report.words import clock_time, plain, signed
from kinebind.tasks.sync.result import ClockAnswer, Curve

_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_COLUMNS = 400  # about one for each unit of a drawing's width
_LEAST_WINDOWS = 3
_CLOSE = 0.05  # of an axis: labels closer than this would cover each other
_HARDLY = {"rad/s": 1.0, "m/s²": 1.0}
"""A sensor that moves less than this at its peak tells little, and need not look like its limb."""
_LEVELS = 5  # opacities for the weights of residuals


def _margins(figure: Figure, height: float, left: float = 2, top: float = 4) -> None:
    """Fixed margins in units, so that drawings side by side line up; the axis' numbers need 38 below."""
    figure.subplots_adjust(left=left / svg.WIDTH, right=1 - 2 / svg.WIDTH, top=1 - top / height, bottom=38 / height)


def _time_axis(ax: Axes, start_s: float, end_s: float, origin_s: float, words: str) -> None:
    """Limits, ticks at round times (m:ss where long) and a label; `origin_s` counts as zero."""
    span = end_s - start_s
    step = next((s for s in _STEPS_S if span / s <= 6), _STEPS_S[-1] * math.ceil(span / _STEPS_S[-1] / 6))
    long = max(abs(start_s - origin_s), abs(end_s - origin_s)) >= 180
    ax.set_xlim(start_s - origin_s, end_s - origin_s)
    ticks = step * np.arange(math.ceil((start_s - origin_s) / step - 1e-6), (end_s - origin_s) / step + 1e-6)
    digits = 1 if step < 1 else 0
    ax.set_xticks(ticks, [clock_time(t, digits) if long else plain(t, digits) for t in ticks])
    for tick, label in zip(ticks, ax.get_xticklabels(), strict=True):
        # Numbers at the very ends stay inside the drawing.
        share = (tick + origin_s - start_s) / span
        label.set_horizontalalignment("left" if share < 0.02 else "right" if share > 0.98 else "center")
    unit = "h:mm:ss" if long and end_s - origin_s >= 3600 else "min:s" if long else "s"
    since = " from its start" if origin_s else ""
    ax.set_xlabel(f"{words}{since} ({unit})")


def _bare(ax: Axes) -> None:
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _message(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.97, text, transform=ax.transAxes, ha="center", va="top", color=svg.SOFT)


def peak_of(trace: Trace | None, window_s: tuple[float, float]) -> float:
    """Highest value inside a window; NaN where nothing is known there."""
    value = np.zeros(0) if trace is None else trace.within(*window_s).value
    value = value[np.isfinite(value)]
    return float(value.max()) if value.size and value.max() > 0 else float("nan")


def zoom(view: ClockView, which: str, pictures_s: tuple[float, float] | None = None) -> Markup:
    """The close look "before" or "after": each sensor's signal as a line over its limb's as a filled shape.

    pictures_s: first and last time of the skeleton strip, shaded.
    """
    row_height, word = 92.0, view.reference.kind
    height = 42 + row_height * len(view.rows)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(view.rows), 1, sharex=True, squeeze=False)[:, 0]
        _margins(figure, height)
        figure.subplots_adjust(hspace=0.0)
        for i, (ax, row) in enumerate(zip(axes, view.rows, strict=True)):
            own, ref = row.shown(which), row.ref.within(*view.window_s)
            # One scale for both pictures, so that only the timing changes between them.
            scale = peak_of(row.after, view.window_s)
            scale = scale if math.isfinite(scale) else peak_of(own, view.window_s)
            ref_scale = peak_of(row.ref, view.window_s)
            if math.isfinite(ref_scale):
                t, v = ref.time_s - view.origin_s, ref.value / ref_scale
                ax.fill_between(t, 0, v, color=svg.REF_FILL, linewidth=0)
                ax.plot(t, v, color=svg.REF, linewidth=1.0)
            if own is not None and math.isfinite(scale) and math.isfinite(peak_of(own, view.window_s)):
                inside = own.within(*view.window_s)
                ax.plot(inside.time_s - view.origin_s, np.minimum(inside.value / scale, 1.2), color=svg.IMU)
            else:
                _message(ax, "the sensor has nothing here")
            if not math.isfinite(ref_scale):
                _message(ax, "the limb is not seen here" if word == "video" else "the reference has nothing here")
            if pictures_s is not None:
                ax.axvspan(*(t - view.origin_s for t in pictures_s), color=svg.BAND, linewidth=0, zorder=0)
            ax.set_ylim(-0.02, 1.5)
            ax.text(0.0, 0.97, row.label, transform=ax.transAxes, va="top")
            r = row.correlation(which, view.window_s)
            if math.isfinite(r):
                text = f"r = {signed(r, 2, plus=False)}"
                if scale < _HARDLY[row.before.unit]:
                    text = f"it hardly moves here · {text}"
                ax.text(1.0, 0.97, text, transform=ax.transAxes, va="top", ha="right", color=svg.SOFT)
            _bare(ax)
            ax.tick_params(bottom=i == len(axes) - 1)
        _time_axis(axes[-1], *view.window_s, view.origin_s, f"{word} time")

    parts = [f"{row.name}: correlation {row.correlation(which, view.window_s):.2f}" for row in view.rows]
    return svg.render(draw, height, f"Signals {which} alignment in the close look; {'; '.join(parts)}.")


def overview(view: ClockView) -> Markup:
    """The whole recording: the strongest sensor upwards, its limb mirrored downwards, as envelopes."""
    row, word, height = view.rows[0], view.reference.kind, 210.0
    own = row.after or row.before
    ref_start, ref_end = float(view.reference.time_s[0]), float(view.reference.time_s[-1])
    room = 0.25 * (ref_end - ref_start)
    start = max(min(ref_start, float(np.nanmin(own.time_s))), ref_start - room)
    end = min(max(ref_end, float(np.nanmax(own.time_s))), ref_end + room)

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        _margins(figure, height)
        for trace, sign, colour in ((own, 1, svg.IMU), (row.ref, -1, svg.REF)):
            inside = trace.within(start, end)
            top = float(np.nanpercentile(inside.value, 99.5)) if np.isfinite(inside.value).any() else 0.0
            if top > 0 and inside.time_s.size <= 2 * _COLUMNS:
                t, v = inside.time_s - view.origin_s, sign * np.minimum(inside.value / top, 1.15)
                ax.plot(t, v, color=colour, linewidth=1.0)
            elif top > 0:
                t, low, mean, high = envelope(inside.time_s, inside.value, _COLUMNS)
                low, mean, high = (sign * np.minimum(v / top, 1.15) for v in (low, mean, high))
                # Where a column holds many samples, their mean shows how busy it was.
                many = inside.time_s.size > 8 * _COLUMNS
                ax.fill_between(t - view.origin_s, low, high, color=colour, linewidth=0.4, alpha=0.35 if many else 1.0)
                if many:
                    ax.fill_between(t - view.origin_s, 0, mean, color=colour, linewidth=0.4)
            else:
                ax.text(0.5, 0.5 + 0.25 * sign, "nothing known", transform=ax.transAxes, ha="center", color=svg.SOFT)
        ax.axhline(0, color=svg.LINE, linewidth=1)
        ax.axvspan(*(w - view.origin_s for w in view.window_s), color=svg.BAND, linewidth=0, zorder=0)
        if view.window_s[1] - view.window_s[0] < 0.04 * (end - start):
            ax.plot([sum(view.window_s) / 2 - view.origin_s], [1.36], marker="v", markersize=7, color=svg.INK)
        for piece in view.answer.pieces[1:] if row.after else ():
            at = float(piece.clock.to_video(piece.start_s)) - view.origin_s
            ax.axvline(at, color=svg.WARN, linewidth=1.2, linestyle=(0, (4, 3)))
            ax.text(at, 1.5, " jump", va="top", color=svg.WARN)
        ax.set_ylim(-1.5, 1.5)
        ax.text(0.0, 0.99, row.label, transform=ax.transAxes, va="top")
        ax.text(0.0, 0.02, word, transform=ax.transAxes, va="bottom")
        _bare(ax)
        _time_axis(ax, start, end, view.origin_s, f"{word} time")

    return svg.render(draw, height, f"Activity over the whole recording: {row.name} above, the {word} below.")


def _dots(ax: Axes, x: FloatArray, y: FloatArray, weight: FloatArray) -> None:
    """Round dots whose opacity is the weight; each level is one path, so an hour of windows stays small."""
    level = np.clip(np.ceil(np.nan_to_num(weight) * _LEVELS), 1, _LEVELS).astype(int)
    for k in range(1, _LEVELS + 1):
        points = np.column_stack([x[level == k], y[level == k]])
        if points.size:
            path = Path(np.repeat(points, 2, axis=0), np.tile([Path.MOVETO, Path.LINETO], points.shape[0]))
            path.should_simplify = False
            dots = PathPatch(path, edgecolor=svg.IMU, facecolor="none", linewidth=4.5, capstyle="round")
            dots.set_alpha(0.15 + 0.85 * (k / _LEVELS))
            ax.add_patch(dots)


def residuals(view: ClockView) -> Markup | None:
    """The clock's offset over time, piece by piece, and what single windows say against it.

    None where there are too few windows to show a course.
    """
    found, main = view.answer.residuals, view.answer.main
    if found is None or main is None or found.imu_time_s.size < _LEAST_WINDOWS:
        return None
    height, frame_ms, word = 210.0, 1e3 * view.reference.frame_s, view.reference.kind
    ref_time = view.answer.to_video(found.imu_time_s)
    residual_ms = 1e3 * found.residual_s
    trusted = np.abs(residual_ms[np.isfinite(residual_ms) & (found.weight >= 0.2)])
    limit = max(2.5 * frame_ms, float(np.percentile(trusted, 98)) * 1.2 if trusted.size else 0.0)
    ends = [view.answer.pieces[0].start_s, *(p.start_s for p in view.answer.pieces[1:]), view.answer.pieces[-1].end_s]

    def draw(figure: Figure) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (2, 3)})
        _margins(figure, height, left=54)
        figure.subplots_adjust(hspace=0.22)
        for piece, start, end in zip(view.answer.pieces, ends, ends[1:], strict=False):
            edges = np.array([start, end])
            change = piece.clock.to_video(edges) - edges - main.clock.offset_s
            upper.plot(piece.clock.to_video(edges) - view.origin_s, change * 1e3, color=svg.INK, linewidth=1.6)
        offset_ms = 1e3 * (ref_time + found.residual_s - found.imu_time_s - main.clock.offset_s)
        _dots(upper, ref_time - view.origin_s, offset_ms, found.weight * (np.abs(residual_ms) < limit))
        upper.margins(y=0.25)
        upper.autoscale_view(scalex=False)
        low, high = upper.get_ylim()
        if high - low < 8 * frame_ms:
            upper.set_ylim((low + high) / 2 - 4 * frame_ms, (low + high) / 2 + 4 * frame_ms)
        upper.set_ylabel("offset (ms)")
        lower.axhspan(-frame_ms, frame_ms, color=svg.BAND, linewidth=0)
        lower.axhline(0, color=svg.INK, linewidth=1.2)
        _dots(lower, ref_time - view.origin_s, np.clip(residual_ms, -limit, limit), found.weight)
        lower.set_ylim(-1.06 * limit, 1.06 * limit)
        lower.set_ylabel("residual (ms)")
        upper.spines["bottom"].set_visible(False)
        upper.tick_params(bottom=False)
        for ax in (upper, lower):
            ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
            for piece in view.answer.pieces[1:]:
                at = float(piece.clock.to_video(piece.start_s)) - view.origin_s
                ax.axvline(at, color=svg.WARN, linewidth=1.2, linestyle=(0, (4, 3)))
        start, end = (float(t) for t in view.answer.to_video(np.array([ends[0], ends[-1]])))
        _time_axis(lower, min(start, end), max(start, end), view.origin_s, f"{word} time")
        figure.align_ylabels((upper, lower))

    half = f"half of the trusted lie within {np.median(trusted):.0f} ms" if trusted.size else "none can be trusted"
    return svg.render(draw, height, f"Offset of {found.imu_time_s.size} windows over time; {half}.")


def _evidence_line(ax: Axes, x: FloatArray, curve: Curve) -> None:
    if x.size > 3 * _COLUMNS:
        t, low, _, high = envelope(x, curve.evidence_nats, _COLUMNS)
        ax.fill_between(t, low, high, color=svg.IMU, linewidth=0.8)
    else:
        ax.plot(x, curve.evidence_nats, color=svg.IMU)


def _rivals(ax: Axes, places: Sequence[tuple[float, float]]) -> None:
    """A diamond at each rival inside the axis, strongest first; those that lie close share a label."""
    start, end = ax.get_xlim()
    inside = [(k + 1, at, nats) for k, (at, nats) in enumerate(places) if start <= at <= end]
    while inside:
        at = inside[0][1]
        close = [own for own in inside if abs(own[1] - at) < _CLOSE * (end - start)]
        inside = [own for own in inside if own not in close]
        for _, x, nats in close:
            ax.plot(
                [x], [nats], marker="D", markersize=5, color=svg.PAPER, markeredgecolor=svg.INK, zorder=4, clip_on=False
            )
        share = (at - start) / (end - start)
        ax.annotate(
            ", ".join(str(number) for number, _, _ in close), (at, min(nats for _, _, nats in close)), (0, -6),
            textcoords="offset points", va="top", fontsize=10,
            ha="left" if share < 0.03 else "right" if share > 0.97 else "center",
        )  # fmt: skip


def evidence(answer: ClockAnswer, *, around_s: float | None = None, frame_s: float = math.nan) -> Markup | None:
    """Evidence over the offset with the answer and its rivals; `around_s` draws that much either side of the answer.

    None without a curve, and for the close look without an answer.
    """
    curve, clock = answer.curve, answer.clock
    if curve is None or curve.lag_s.size < 2 or (around_s is not None and clock is None):
        return None
    height = 190.0
    centre = clock.offset_s if clock is not None else 0.0
    # About the answer where numbers are huge (one clock counts from 1970) or the look is close.
    relative = around_s is not None or abs(centre) > 1e4
    unit = 1e3 if around_s is not None else 1.0
    x = (curve.lag_s - (centre if relative else 0.0)) * unit
    if around_s is not None:
        near = np.abs(curve.lag_s - centre) <= around_s
        if near.sum() < 2:
            return None
        x, curve = x[near], Curve(curve.lag_s[near], curve.evidence_nats[near])

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        _margins(figure, height, left=54, top=14)
        ax.axhline(0, color=svg.LINE, linewidth=1)
        ax.set_xlim(x[0], x[-1])
        _evidence_line(ax, x, curve)
        if clock is not None:
            at = (clock.offset_s - (centre if relative else 0.0)) * unit
            top = float(np.interp(clock.offset_s, curve.lag_s, curve.evidence_nats))
            if around_s is not None and math.isfinite(frame_s):
                ax.axvspan(at - frame_s * unit, at + frame_s * unit, color=svg.BAND, linewidth=0, zorder=0)
            colour = svg.ACCENT if answer.answered else svg.WARN
            ax.plot([at], [top], marker="o", markersize=8, color=colour if answer.answered else svg.PAPER,
                    markeredgecolor=colour, markeredgewidth=2, zorder=5)  # fmt: skip
            if around_s is None:
                share = (at - x[0]) / (x[-1] - x[0])
                ax.annotate("answer" if answer.answered else "best guess", (at, top), (0, 9),
                            textcoords="offset points", va="bottom", color=colour, fontweight="bold",
                            ha="left" if share < 0.1 else "right" if share > 0.9 else "center")  # fmt: skip
        _rivals(ax, [((lag - (centre if relative else 0.0)) * unit, nats) for lag, nats in answer.rivals_s[:3]])
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.08 * (high - low), high + 0.2 * (high - low))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.set_ylabel("evidence (nats)")
        label = "from the answer (ms)" if around_s is not None else "from the answer (s)" if relative else "offset (s)"
        ax.set_xlabel(label)

    what = "around the answer" if around_s is not None else "over every offset tried"
    return svg.render(draw, height, f"Evidence {what}, with the answer and up to three rivals marked.")
