"""Synchronise: the offset and skew of every clock against the video, with a confidence, or a refusal with a reason."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinebind._threads import side_by_side
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.recording import Recording
from kinebind.tasks.sync import refusal
from kinebind.tasks.sync.boundaries import boundaries_s
from kinebind.tasks.sync.confidence import TOLERANCE_S, WIDE_S, confidence, expected_error_s, features
from kinebind.tasks.sync.cues import Felt, felt
from kinebind.tasks.sync.follow import follow
from kinebind.tasks.sync.hypothesis import Hypothesis, window_evidence
from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.pieces import Line, Windows, fit_pieces
from kinebind.tasks.sync.readings import Found, find_reading, slow_motion
from kinebind.tasks.sync.result import (
    ClockAnswer,
    Curve,
    Method,
    Piece,
    Reason,
    Residuals,
    SensorFinding,
    SyncResult,
)
from kinebind.tasks.sync.rivals import standing
from kinebind.tasks.sync.scene import Scene, checked_range, whole_range
from kinebind.tasks.sync.search import WHOLE_S, Anchors
from kinebind.tasks.sync.support import support

if TYPE_CHECKING:
    from kinebind.nn.chunked import Encoders
    from kinebind.tasks.sync.learned import Learned

HINT_WIDTH_S = 10.0
MODEL_MOST_S = 180.0
"""Longer streams tell their clocks by plain cues as well as they ever will."""
STILL_CONFIDENCE = 0.02
"""What is left of the confidence where no sensor moved: whatever fits there fits by chance."""


@dataclass(frozen=True)
class Hint:
    """What the user believes: the offset at an IMU time, how far off it may be, and where it comes from."""

    offset_s: float
    width_s: float = HINT_WIDTH_S
    source: str = "--near"


def sync(
    recording: Recording,
    *,
    person: str | None = None,
    reference: str | None = None,
    search_s: tuple[float, float] | None = None,
    hint: Hint | float | None = None,
    shared_clock: bool = False,
    tolerance_s: float = TOLERANCE_S,
    method: Method = "universal",
    model: Encoders | None = None,
) -> SyncResult:
    """Find the offset and skew of each of the recording's clocks.

    person: the track the sensors belong to; by default the one that fits each clock best.
    reference: the name of an IMU to synchronise the other clocks with, instead of a video.
    search_s: smallest and largest offset (video minus IMU time) to consider, seconds; by default every offset at
        which the streams overlap by a few seconds.
    hint: an offset near which to look first (seconds, or a `Hint` with its width); if nothing convincing is there,
        the whole range is searched and the result says so.
    shared_clock: take all sensors to run on one clock, whatever their `clock_id`.
    tolerance_s: the timing error that the confidence is about.
    method: "universal" adds the universal model's say to the plain cues', "classical" has these alone. Recordings of
        more than `MODEL_MOST_S` seconds, and clocks compared with a sensor, have no use for the model.
    model: the universal model, or one tuned; by default the one that comes with Kinebind.

    Returns one `ClockAnswer` a clock; refused clocks carry their reason and, where there is one, the best guess.
    Raises InputError where the recording has no sensors, or neither a person nor a reference, or where the search
    range is none.
    """
    if reference is None and not recording.people and len(recording.imus) > 1:
        reference = recording.imus[0].name
    known = [i.clock_id for i in recording.imus if i.name == reference]
    imus = [i for i in recording.imus if i.clock_id not in known]
    if known and not imus:
        raise InputError(
            f"All sensors run on the clock of the reference '{reference}'.", "Name a sensor of another recorder."
        )
    if not imus:
        raise InputError("The recording has no sensor to synchronise.", "Add at least one IMU file.")
    if shared_clock:
        imus = [i.replace(clock_id="shared") for i in imus]
    if isinstance(hint, float | int):
        hint = Hint(float(hint))
    if search_s is not None:
        search_s = checked_range(search_s)
    notes: tuple[str, ...] = ()
    learned = None
    if method == "universal" and reference is None:
        longest_s = max(stream.duration_s for stream in (*recording.people, *imus))
        if longest_s > MODEL_MOST_S:
            notes = (f"Longer than {MODEL_MOST_S:g} s, it was synchronised without the model, as well and faster.",)
        else:
            learned = _learned(model)
    scene = Scene.of(recording, person, reference, learned)

    def answered(own: tuple[str, tuple[Imu, ...]]) -> ClockAnswer:
        return _one_clock(*own, scene, search_s, hint, tolerance_s)

    groups = Recording(imus=tuple(imus)).clocks().items()
    # The model keeps what it has embedded, which is no place for two at once.
    answers = side_by_side(answered, groups) if learned is None else [answered(own) for own in groups]
    asked = search_s or (
        min(whole_range(a, scene)[0] for a in imus),
        max(whole_range(a, scene)[1] for a in imus),
    )
    name = reference if reference is not None else person or ", ".join(sorted({a.person for a in answers}))
    return SyncResult(name, tuple(answers), asked, recording.name, notes)


def _learned(model: Encoders | None) -> Learned:
    # Here, since torch takes long to import and not every call needs it.
    from kinebind.tasks.binder import shipped_once
    from kinebind.tasks.sync.learned import Learned

    return Learned(shipped_once().model if model is None else model)


def _one_clock(
    clock_id: str,
    imus: tuple[Imu, ...],
    scene: Scene,
    search_s: tuple[float, float] | None,
    hint: Hint | None,
    tolerance_s: float,
) -> ClockAnswer:
    """Answer one clock: near the hint first, then everywhere; a refusal looks for slow motion as its cause."""
    sensors = tuple(felt(i) for i in imus)
    whole = search_s or (
        min(whole_range(i, scene)[0] for i in imus),
        max(whole_range(i, scene)[1] for i in imus),
    )
    if search_s is not None:  # beyond these the streams never meet
        whole = (
            max(whole[0], min(scene.start_s - float(i.time_s[-1]) for i in imus)),
            min(whole[1], max(scene.end_s - float(i.time_s[0]) for i in imus)),
        )
    notes: tuple[str, ...] = ()
    if hint is not None:
        near = (max(whole[0], hint.offset_s - hint.width_s), min(whole[1], hint.offset_s + hint.width_s))
        if near[0] < near[1]:
            answer = _answer(
                clock_id, sensors, find_reading(sensors, scene, near), scene.sensor is None, tolerance_s, True
            )
            if answer.answered:
                return answer
        notes = (
            f"Nothing convincing within {hint.width_s:g} s of {hint.offset_s:.2f} s ({hint.source}): "
            "the whole range was searched.",
        )
    if whole[0] >= whole[1]:
        reason = Reason("too_little_overlap", "The streams never overlap in the searched range.", "Widen --search.")
        return ClockAnswer(clock_id, "", _unheard(sensors), (), 0.0, reason=reason, notes=notes)
    answer = _answer(clock_id, sensors, find_reading(sensors, scene, whole), scene.sensor is None, tolerance_s)
    if answer.reason is not None and answer.reason.code in ("no_match", "weak", "periodic"):
        stretched = slow_motion(sensors, scene, answer.features.get("evidence_nats", 0.0))
        if stretched is not None:
            answer = replace(answer, reason=stretched)
    return replace(answer, notes=notes + answer.notes)


def _unheard(sensors: tuple[Felt, ...]) -> tuple[SensorFinding, ...]:
    return tuple(SensorFinding(s.imu.name, s.imu.site, s.imu.site is not None, 0.0) for s in sensors)


def _answer(
    clock_id: str, sensors: tuple[Felt, ...], found: Found, has_video: bool, tolerance_s: float, hinted: bool = False
) -> ClockAnswer:
    """Refine the guesses into pieces with lines, and say how sure they are; hinted: searched near a user's hint."""
    hypothesis = found.hypothesis
    windows = follow(hypothesis, found.guesses, found.range_s)
    lines = fit_pieces(windows)
    main = max(range(len(lines)), key=lambda i: lines[i][0].nats)
    line = lines[main][0]
    nats = sum(own.nats for own, _ in lines)
    curve = found.anchors.along(line.slope, line.ref_s, _near_line(found.anchors, line))
    stands_out = standing(found.anchors.lag_s, curve, line.offset_s, line.nats)
    edges = _edges_s(hypothesis, lines, sensors)
    sure_each = []
    values: dict[str, float] = {}
    for (own, _), (start_s, end_s) in zip(lines, itertools.pairwise(edges), strict=True):
        # A piece is held to its own evidence; the whole is as sure as its weakest piece.
        share = 1.0 if own is line else min(max(own.nats, 0.0) / max(line.nats, 1e-9), 1.0)
        lag_s = float(own.at((start_s + end_s) / 2 + own.offset_s))
        stands = support(hypothesis, lag_s, start_s + lag_s, end_s + lag_s)
        of_piece = features(own.nats, stands_out.margin_nats * share, own.offset_std_s, found.searched_s, stands)
        sure_each.append(confidence(of_piece, hypothesis.method, tolerance_s))
        values = of_piece if own is line else values
    if all(refusal.imu_is_still(s) for s in sensors):
        sure_each = [min(own, STILL_CONFIDENCE) for own in sure_each]
    sure = min(sure_each)
    usable_s = float(found.anchors.overlap_s.max(axis=1).sum())
    wide = found.searched_s > WIDE_S and not hinted
    needed = refusal.needed_confidence(wide)
    reason = None
    too_calm = wide and not refusal.moved_enough(sensors)
    if sure < needed or too_calm or usable_s < refusal.SHORTEST_OVERLAP_S:
        lags_s = [lag for lag, _ in stands_out.rivals]
        reason = refusal.why(sensors, hypothesis, usable_s, nats, lags_s, line.offset_s, has_video, wide)
    pieces = _pieces(lines, edges, sure_each)
    longest = max(pieces, key=lambda p: p.end_s - p.start_s, default=None)
    # The curve is drawn over the offset that is reported, which holds at another time than the line's.
    ref_shift = longest.clock.offset_s - line.offset_s if longest else 0.0
    thin = max(1, curve.size // 4000)
    return ClockAnswer(
        clock_id=clock_id,
        person=hypothesis.person,
        sensors=_findings(hypothesis, sensors, line),
        pieces=pieces,
        confidence=sure,
        uncertainty_s=expected_error_s(values, hypothesis.method),
        skew_uncertainty=line.slope_std,
        reason=reason,
        needed_confidence=needed,
        mirrored=hypothesis.mirrored,
        overlap_s=sum(p.end_s - p.start_s for p in pieces),
        rivals_s=tuple((lag + ref_shift, own) for lag, own in stands_out.rivals),
        curve=Curve(found.anchors.lag_s[::thin] + ref_shift, curve[::thin]),
        residuals=_residuals(lines),
        features=values | {"evidence_nats": nats, "margin_nats": stands_out.margin_nats},
        notes=found.notes,
        method=hypothesis.method,
    )


def _near_line(anchors: Anchors, line: Line) -> np.ndarray:
    """Which anchors are on the line rather than on another piece's: their own peak lies in its lobe."""
    own = anchors.lag_s[np.argmax(anchors.nats, axis=1)]
    near = np.abs(own - line.at(anchors.centre_s)) <= 0.3
    return near if near.any() else np.ones(own.size, dtype=bool)


def _to_clock(line: Line, ref_imu_s: float) -> ClockMap:
    """The clock map of a line of lags: lag(video) = video − imu is written on the video's clock, the map on the IMU's.

    From video = imu + o + s (video − r) follows video = imu + (o + s (imu − r)) / (1 − s).
    """
    skew = line.slope / (1.0 - line.slope)
    offset_s = (line.offset_s + line.slope * (ref_imu_s - line.ref_s)) / (1.0 - line.slope)
    return ClockMap(offset_s, skew, ref_imu_s)


def _edges_s(hypothesis: Hypothesis, lines: list[tuple[Line, Windows]], sensors: tuple[Felt, ...]) -> list[float]:
    """Where the lines begin and end on the IMU's clock: the ends of the overlap, and the jumps between."""
    first_s, last_s = hypothesis.first / hypothesis.rate_hz, hypothesis.stop / hypothesis.rate_hz
    start_s = max(first_s - float(lines[0][0].at(first_s)), min(float(s.imu.time_s[0]) for s in sensors))
    end_s = min(last_s - float(lines[-1][0].at(last_s)), max(float(s.imu.time_s[-1]) for s in sensors))
    return [start_s, *boundaries_s(hypothesis, lines), end_s]


def _pieces(lines: list[tuple[Line, Windows]], edges_s: list[float], sure: list[float]) -> tuple[Piece, ...]:
    """One piece a line, on the IMU's clock; neighbours meet at the moment of the jump."""
    return tuple(
        Piece(start_s, end_s, _to_clock(line, (start_s + end_s) / 2), own)
        for (line, _), (start_s, end_s), own in zip(lines, itertools.pairwise(edges_s), sure, strict=True)
        if end_s > start_s
    )


def _residuals(lines: list[tuple[Line, Windows]]) -> Residuals:
    """Each window's own best lag against its line, weighted by how much evidence it has."""
    time_s, residual, weight = [], [], []
    for line, part in lines:
        lag_s = part.lag / RATE_HZ
        best = np.argmax(part.nats, axis=1)
        rows = np.arange(best.size)
        lags = line.at(part.centre_s)
        time_s.append(part.centre_s - lags)
        residual.append(lag_s[rows, best] - lags)
        weight.append(np.maximum(part.nats[rows, best], 0.0))
    weights = np.concatenate(weight)
    return Residuals(np.concatenate(time_s), np.concatenate(residual), weights / max(float(weights.max()), 1e-9))


def _findings(hypothesis: Hypothesis, sensors: tuple[Felt, ...], line: Line) -> tuple[SensorFinding, ...]:
    """Each sensor's site and its evidence at the answer, over the middle of the reference."""
    half = round(WHOLE_S / 2 * hypothesis.rate_hz)
    middle = round(line.ref_s * hypothesis.rate_hz)
    start, stop = max(middle - half, hypothesis.first), min(middle + half, hypothesis.stop)
    lag = round(line.offset_s * hypothesis.rate_hz)
    per_sensor, _ = window_evidence(hypothesis, start, stop, lag - 1, lag + 1)
    out = []
    for sensor, own in zip(sensors, per_sensor, strict=True):
        site, nats = max(own.items(), key=lambda item: float(item[1].max()))
        out.append(SensorFinding(sensor.imu.name, site or None, sensor.imu.site is not None, float(nats.max())))
    return tuple(out)
