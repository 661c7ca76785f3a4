"""Synchronise: the offset and skew of every clock against the video, with a confidence, or a refusal with a reason."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.parts import mirror_site
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.tasks.sync import refusal
from kinebind.tasks.sync.boundaries import boundaries_s
from kinebind.tasks.sync.confidence import TOLERANCE_S, confidence, error_scale_s, features
from kinebind.tasks.sync.cues import Felt, felt
from kinebind.tasks.sync.hypothesis import Hypothesis, beside, summed, window_evidence, worn_by
from kinebind.tasks.sync.limb_signals import RATE_HZ, Track, track
from kinebind.tasks.sync.pieces import Line, Windows, fit_pieces
from kinebind.tasks.sync.result import (
    ANSWERED_AT,
    ClockAnswer,
    Curve,
    Piece,
    Reason,
    Residuals,
    SensorFinding,
    SyncResult,
)
from kinebind.tasks.sync.search import WHOLE_S, Anchors, Guess, agreed_lines, rivals, search_anchors

WINDOW_S = 20.0
HOP_S = 10.0
LONG_S = 600.0
"""References longer than this are followed with windows that do not overlap."""
BAND_S = 1.0
"""How far around an expected line windows are searched."""
MIRROR_NATS = 6.0
"""A mirrored video must explain the sensors better than a plain one by this much."""
SOUND_NATS = 40.0
"""A search with this much evidence has found the offset, whether sides are exchanged or not."""
HINT_WIDTH_S = 10.0
SLOW_MOTION = (2.0, 4.0, 8.0, 0.5)
"""Factors by which a video's clock may be stretched: 60, 120 and 240 fps played at 30, and 30 played at 60."""
LEAST_OVERLAP_S = 3.0


@dataclass(frozen=True)
class Hint:
    """What the user believes: the offset at an IMU time, how far off it may be, and where it comes from."""

    offset_s: float
    width_s: float = HINT_WIDTH_S
    source: str = "--near"


@dataclass(frozen=True, eq=False)
class _Found:
    """The best hypothesis with its search, before refinement."""

    hypothesis: Hypothesis
    anchors: Anchors
    guesses: list[Guess]
    searched_s: float
    notes: tuple[str, ...] = ()


def sync(
    recording: Recording,
    *,
    person: str | None = None,
    reference: str | None = None,
    search_s: tuple[float, float] | None = None,
    hint: Hint | float | None = None,
    shared_clock: bool = False,
    tolerance_s: float = TOLERANCE_S,
) -> SyncResult:
    """Find the offset and skew of each of the recording's clocks.

    person: the track the sensors belong to; by default the one that fits each clock best.
    reference: the name of an IMU to synchronise the others with, instead of a video.
    search_s: smallest and largest offset (video minus IMU time) to consider, seconds; by default every offset at
        which the streams overlap by a few seconds.
    hint: an offset near which to look first (seconds, or a `Hint` with its width); if nothing convincing is there,
        the whole range is searched and the result says so.
    shared_clock: take all sensors to run on one clock, whatever their `clock_id`.
    tolerance_s: the timing error that the confidence is about.

    Returns one `ClockAnswer` a clock; refused clocks carry their reason and, where there is one, the best guess.
    Raises InputError where the recording has no sensors, or neither a person nor a reference.
    """
    if reference is None and not recording.people and len(recording.imus) > 1:
        reference = recording.imus[0].name
    imus = [i for i in recording.imus if i.name != reference]
    if not imus:
        raise InputError("The recording has no sensor to synchronise.", "Add at least one IMU file.")
    if shared_clock:
        imus = [i.replace(clock_id="shared") for i in imus]
    if isinstance(hint, float | int):
        hint = Hint(float(hint))
    scene = _Scene.of(recording, person, reference)
    answers = []
    for clock_id, group in Recording(imus=tuple(imus)).clocks().items():
        answers.append(_one_clock(clock_id, group, scene, search_s, hint, tolerance_s))
    asked = search_s or (
        min(_whole_range(a, scene)[0] for a in imus),
        max(_whole_range(a, scene)[1] for a in imus),
    )
    name = reference if reference is not None else person or ", ".join(sorted({a.person for a in answers}))
    return SyncResult(name, tuple(answers), asked, recording.name)


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the clocks are compared with: tracks of people, or another sensor."""

    tracks: dict[str, Track]
    poses: dict[str, Poses]
    sensor: Felt | None
    start_s: float
    end_s: float

    @staticmethod
    def of(recording: Recording, person: str | None, reference: str | None) -> _Scene:
        if reference is not None:
            found = [i for i in recording.imus if i.name == reference]
            if not found:
                names = ", ".join(i.name for i in recording.imus)
                raise InputError(f"The recording has no sensor '{reference}'.", f"It has: {names}.")
            return _Scene({}, {}, felt(found[0]), float(found[0].time_s[0]), float(found[0].time_s[-1]))
        people = (recording.person(person),) if person is not None else recording.people
        if not people:
            raise InputError("There is nobody to synchronise with.", "Add a pose file, or name a reference IMU.")
        return _Scene(
            {p.person: track(p) for p in people},
            {p.person: p for p in people},
            None,
            min(float(p.time_s[0]) for p in people),
            max(float(p.time_s[-1]) for p in people),
        )


def _whole_range(imu: Imu, scene: _Scene) -> tuple[float, float]:
    """Offsets at which the streams overlap by a few seconds (or half the shorter one)."""
    least = min(LEAST_OVERLAP_S, 0.5 * imu.duration_s, 0.5 * (scene.end_s - scene.start_s))
    return scene.start_s + least - float(imu.time_s[-1]), scene.end_s - least - float(imu.time_s[0])


def _one_clock(
    clock_id: str,
    imus: tuple[Imu, ...],
    scene: _Scene,
    search_s: tuple[float, float] | None,
    hint: Hint | None,
    tolerance_s: float,
) -> ClockAnswer:
    """Answer one clock: near the hint first, then everywhere; a refusal looks for slow motion as its cause."""
    sensors = tuple(felt(i) for i in imus)
    whole = search_s or (
        min(_whole_range(i, scene)[0] for i in imus),
        max(_whole_range(i, scene)[1] for i in imus),
    )
    notes: tuple[str, ...] = ()
    if hint is not None:
        near = (max(whole[0], hint.offset_s - hint.width_s), min(whole[1], hint.offset_s + hint.width_s))
        if near[0] < near[1]:
            answer = _answer(clock_id, sensors, _search(sensors, scene, near), scene.sensor is None, tolerance_s)
            if answer.answered:
                return answer
        notes = (
            f"Nothing convincing within {hint.width_s:g} s of {hint.offset_s:.2f} s ({hint.source}): "
            "the whole range was searched.",
        )
    if whole[0] >= whole[1]:
        reason = Reason("too_little_overlap", "The streams never overlap in the searched range.", "Widen --search.")
        return ClockAnswer(clock_id, "", _unheard(sensors), (), 0.0, reason=reason, notes=notes)
    answer = _answer(clock_id, sensors, _search(sensors, scene, whole), scene.sensor is None, tolerance_s)
    if answer.reason is not None and answer.reason.code in ("no_match", "weak", "periodic"):
        stretched = _slow_motion(sensors, scene, answer.features.get("evidence_nats", 0.0))
        if stretched is not None:
            answer = replace(answer, reason=stretched)
    return replace(answer, notes=notes + answer.notes)


def _unheard(sensors: tuple[Felt, ...]) -> tuple[SensorFinding, ...]:
    return tuple(SensorFinding(s.imu.name, s.imu.site, s.imu.site is not None, 0.0) for s in sensors)


def _search(sensors: tuple[Felt, ...], scene: _Scene, range_s: tuple[float, float]) -> _Found:
    """The best of all readings of the scene: every person, then mirrored, then the unknown sites settled."""
    if scene.sensor is not None:
        hypotheses = [beside(sensors, scene.sensor)]
    else:
        hypotheses = [worn_by(sensors, found, name) for name, found in scene.tracks.items()]
    best = max((_look(h, range_s) for h in hypotheses), key=lambda f: f.guesses[0].nats)
    notes: list[str] = []
    if len(hypotheses) > 1:
        notes.append(f"Of {len(hypotheses)} people, '{best.hypothesis.person}' fits these sensors best.")
    if scene.sensor is None and any(s.imu.site and mirror_site(s.imu.site) != s.imu.site for s in sensors):
        name = best.hypothesis.person
        near = _around(best, range_s) if best.guesses[0].nats > SOUND_NATS else range_s
        mirrored = _look(worn_by(sensors, scene.tracks[name], name, mirrored=True), near)
        if mirrored.guesses[0].nats > best.guesses[0].nats + MIRROR_NATS:
            best = replace(mirrored, searched_s=best.searched_s)
            notes.append(
                "Left and right are exchanged: the video is mirrored (selfie), or the sensors' sides were swapped."
            )
    if scene.sensor is None and any(s.imu.site is None for s in sensors):
        best = replace(best, hypothesis=_settled(best))
        found = [(s.imu.name, next(iter(o))) for s, o in zip(sensors, best.hypothesis.options, strict=True)]
        unknown = [f"{n} at {site}" for (n, site), s in zip(found, sensors, strict=True) if s.imu.site is None]
        notes.append(f"Sites found from the motion, not given: {', '.join(unknown)}.")
    return replace(best, notes=tuple(notes))


def _around(found: _Found, range_s: tuple[float, float]) -> tuple[float, float]:
    """The part of the range that holds every guess, with room: a mirrored video has the same offset."""
    lags = np.concatenate([g.at(found.anchors.centre_s) for g in found.guesses])
    return max(range_s[0], float(lags.min()) - 2 * BAND_S), min(range_s[1], float(lags.max()) + 2 * BAND_S)


def _look(hypothesis: Hypothesis, range_s: tuple[float, float]) -> _Found:
    anchors = search_anchors(hypothesis, range_s)
    return _Found(hypothesis, anchors, agreed_lines(anchors), range_s[1] - range_s[0])


def _settled(found: _Found) -> Hypothesis:
    """Unknown sites assigned jointly at the best lag: no two sensors at one site, given sites taken."""
    hypothesis, guess = found.hypothesis, found.guesses[0]
    sites = sorted({site for own in hypothesis.options for site in own})
    gain = np.full((len(hypothesis.options), len(sites)), -1e6)
    for k in guess.anchors:
        centre = float(found.anchors.centre_s[k])
        lag = round(float(guess.at(centre)) * hypothesis.rate_hz)
        half = round(WINDOW_S / 2 * hypothesis.rate_hz)
        middle = round(centre * hypothesis.rate_hz)
        start, stop = max(middle - half, hypothesis.first), min(middle + half, hypothesis.stop)
        per_sensor, _ = window_evidence(hypothesis, start, stop, lag - 3, lag + 3)
        for i, own in enumerate(per_sensor):
            for site, nats in own.items():
                j = sites.index(site)
                gain[i, j] = max(gain[i, j], 0.0) + float(nats.max())
    if len(sites) < len(hypothesis.options):
        chosen = np.argmax(gain, axis=1)
    else:
        chosen = linear_sum_assignment(gain, maximize=True)[1]
    return hypothesis.settled(tuple(sites[j] for j in chosen))


def _windows(hypothesis: Hypothesis, guesses: list[Guess]) -> Windows:
    """Evidence of windows all along the reference, around each guessed line."""
    rate = hypothesis.rate_hz
    length = hypothesis.stop - hypothesis.first
    if length <= WHOLE_S * rate:
        edges = [(hypothesis.first, hypothesis.stop)]
        share = 1.0
    else:
        hop_s = HOP_S if length <= LONG_S * rate else WINDOW_S
        width, hop = round(WINDOW_S * rate), round(hop_s * rate)
        starts = list(range(hypothesis.first, hypothesis.stop - width + 1, hop))
        edges = [(a, a + width) for a in starts]
        edges[-1] = (edges[-1][0], hypothesis.stop)
        share = hop_s / WINDOW_S
    centre_s = np.array([(a + b) / 2 / rate for a, b in edges])
    apart: list[Guess] = []
    for guess in guesses:  # what lies inside the band of a stronger line is found there
        if all(np.max(np.abs(guess.at(centre_s) - other.at(centre_s))) > 0.8 * BAND_S for other in apart):
            apart.append(guess)
    guesses = apart
    band = np.arange(-round(BAND_S * rate), round(BAND_S * rate) + 1)
    lag = np.zeros((len(edges), band.size * len(guesses)), dtype=np.int64)
    nats = np.zeros(lag.shape)
    for b, guess in enumerate(guesses):
        columns = slice(b * band.size, (b + 1) * band.size)
        for w, (start, stop) in enumerate(edges):
            middle = round(float(guess.at(centre_s[w])) * rate)
            lag[w, columns] = middle + band
            per_sensor, _ = window_evidence(hypothesis, start, stop, middle + int(band[0]), middle + int(band[-1]))
            nats[w, columns] = summed(per_sensor) * share
    return Windows(centre_s, lag, nats, np.repeat(np.arange(len(guesses)), band.size))


def _answer(
    clock_id: str, sensors: tuple[Felt, ...], found: _Found, has_video: bool, tolerance_s: float
) -> ClockAnswer:
    """Refine the guesses into pieces with lines, and say how sure they are."""
    hypothesis = found.hypothesis
    windows = _windows(hypothesis, found.guesses)
    lines = fit_pieces(windows)
    main = max(range(len(lines)), key=lambda i: lines[i][0].nats)
    line = lines[main][0]
    nats = sum(own.nats for own, _ in lines)
    curve = found.anchors.along(line.slope, line.ref_s, _near_line(found.anchors, line))
    others = rivals(found.anchors.lag_s, curve, line.offset_s)
    inside = np.abs(found.anchors.lag_s - line.offset_s) <= 0.1
    top = float(curve[inside].max()) if inside.any() else line.nats
    margin = top - others[0][1] if others else top
    values = features(nats, margin, line.offset_std_s, found.searched_s)
    # A piece is held to its own evidence; the whole is as sure as its weakest piece.
    sure_each = []
    for own, _ in lines:
        share = min(own.nats / max(line.nats, 1e-9), 1.0)
        own_values = features(own.nats, margin * share, own.offset_std_s, found.searched_s)
        sure_each.append(confidence(own_values, tolerance_s))
    sure = min(sure_each)
    usable_s = float(found.anchors.overlap_s.max(axis=1).sum())
    reason = None
    if sure < ANSWERED_AT or usable_s < refusal.SHORTEST_OVERLAP_S:
        reason = refusal.why(sensors, hypothesis, usable_s, nats, [lag for lag, _ in others], line.offset_s, has_video)
    pieces = _pieces(hypothesis, lines, sensors, sure_each)
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
        uncertainty_s=error_scale_s(values),
        skew_uncertainty=line.slope_std,
        reason=reason,
        mirrored=hypothesis.mirrored,
        overlap_s=sum(p.end_s - p.start_s for p in pieces),
        rivals_s=tuple((lag + ref_shift, own) for lag, own in others),
        curve=Curve(found.anchors.lag_s[::thin] + ref_shift, curve[::thin]),
        residuals=_residuals(lines),
        features=values | {"evidence_nats": nats, "margin_nats": margin},
        notes=found.notes,
    )


def _near_line(anchors: Anchors, line: Line) -> np.ndarray:
    """Which anchors are on the line rather than on another piece's: their own peak lies in its lobe."""
    own = anchors.lag_s[np.argmax(anchors.nats, axis=1)]
    near = np.abs(own - line.at(anchors.centre_s)) <= 0.3
    return near if near.any() else np.ones(own.size, dtype=bool)


def _to_clock(line: Line, ref_imu_s: float) -> ClockMap:
    """The clock map of a line of lags: lag(video) = video − imu is written on the video's clock, the map on the IMU's.

    From video = imu + o + s (video − r) follows video = imu + (o + s (imu − r + o)) / (1 − s) … at `ref_imu_s`.
    """
    skew = line.slope / (1.0 - line.slope)
    offset_s = (line.offset_s + line.slope * (ref_imu_s - line.ref_s)) / (1.0 - line.slope)
    return ClockMap(offset_s, skew, ref_imu_s)


def _pieces(
    hypothesis: Hypothesis, lines: list[tuple[Line, Windows]], sensors: tuple[Felt, ...], sure: list[float]
) -> tuple[Piece, ...]:
    """One piece a line, on the IMU's clock; neighbours meet at the moment of the jump."""
    rate = hypothesis.rate_hz
    imu_start = min(float(s.imu.time_s[0]) for s in sensors)
    imu_end = max(float(s.imu.time_s[-1]) for s in sensors)
    first_s, last_s = hypothesis.first / rate, hypothesis.stop / rate
    edges = [max(first_s - float(lines[0][0].at(first_s)), imu_start)]
    for (before, after), at_s in zip(itertools.pairwise(lines), boundaries_s(hypothesis, lines), strict=True):
        edges.append(at_s - (float(before[0].at(at_s)) + float(after[0].at(at_s))) / 2)
    edges.append(min(last_s - float(lines[-1][0].at(last_s)), imu_end))
    return tuple(
        Piece(start_s, end_s, _to_clock(line, (start_s + end_s) / 2), own)
        for (line, _), (start_s, end_s), own in zip(lines, itertools.pairwise(edges), sure, strict=True)
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


def _slow_motion(sensors: tuple[Felt, ...], scene: _Scene, nats: float) -> Reason | None:
    """A reason where stretching the video's clock by a usual factor makes everything fit."""
    best: tuple[float, float] = (nats + 10.0, 1.0)
    for factor in SLOW_MOTION:
        for name, poses in scene.poses.items():
            person = track(poses.replace(time_s=poses.time_s / factor))
            shrunk = replace(scene, start_s=float(person.time_s[0]), end_s=float(person.time_s[-1]))
            low = min(_whole_range(s.imu, shrunk)[0] for s in sensors)
            high = max(_whole_range(s.imu, shrunk)[1] for s in sensors)
            found = _look(worn_by(sensors, person, name), (low, high))
            guess = found.guesses[0]
            others = rivals(found.anchors.lag_s, found.anchors.along(guess.slope, guess.ref_s), guess.offset_s)
            margin = guess.nats - others[0][1] if others else guess.nats
            if guess.nats > best[0] and confidence(features(guess.nats, margin, 0.01, high - low)) >= 0.8:
                best = (guess.nats, factor)
    factor = best[1]
    if factor == 1.0:
        return None
    speed = f"{factor:g} times slower" if factor > 1 else f"{1 / factor:g} times faster"
    return Reason(
        "slow_motion",
        f"The video plays {speed} than life: with its clock divided by {factor:g}, the sensors fit.",
        f"Give the camera's true frame rate (--fps, {factor:g} times the file's).",
    )
