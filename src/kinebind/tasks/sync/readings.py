"""Which reading of the scene fits the sensors best: which person, mirrored or not, which sites, at which speed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from kinebind.parts import mirror_site
from kinebind.tasks.sync.confidence import RIGHT_PEAK_S, confidence, features
from kinebind.tasks.sync.cues import Felt
from kinebind.tasks.sync.follow import BAND_S, WINDOW_S
from kinebind.tasks.sync.hypothesis import Hypothesis, beside, window_evidence, worn_by
from kinebind.tasks.sync.limb_signals import track
from kinebind.tasks.sync.result import Reason
from kinebind.tasks.sync.rivals import standing
from kinebind.tasks.sync.scene import Scene, whole_range
from kinebind.tasks.sync.search import Anchors, Guess, agreed_lines, search_anchors
from kinebind.tasks.sync.support import support

MIRROR_NATS = 6.0
"""A mirrored video must explain the sensors better than a plain one by this much."""
SOUND_NATS = 40.0
"""A search with this much evidence has found the offset, whether sides are exchanged or not."""
SLOW_MOTION_CONFIDENCE = 0.98
SLOW_MOTION = (2.0, 4.0, 8.0, 0.5)
"""Factors by which a video's clock may be stretched: 60, 120 and 240 fps played at 30, and 30 played at 60."""


@dataclass(frozen=True, eq=False)
class Found:
    """The best hypothesis with its search over the offsets in `range_s`, before refinement."""

    hypothesis: Hypothesis
    anchors: Anchors
    guesses: list[Guess]
    range_s: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def searched_s(self) -> float:
        """Seconds of offsets that were searched."""
        return self.range_s[1] - self.range_s[0]


def find_reading(sensors: tuple[Felt, ...], scene: Scene, range_s: tuple[float, float]) -> Found:
    """The best of all readings of the scene: every person, then mirrored, then the unknown sites settled."""
    if scene.sensor is not None:
        hypotheses = [beside(sensors, scene.sensor)]
    else:
        hypotheses = [scene.worn_by(sensors, name) for name in scene.tracks]
    best = max((look(h, range_s) for h in hypotheses), key=lambda f: f.guesses[0].nats)
    notes: list[str] = []
    if len(hypotheses) > 1:
        notes.append(f"Of {len(hypotheses)} people, '{best.hypothesis.person}' fits these sensors best.")
    if scene.sensor is None and any(s.imu.site and mirror_site(s.imu.site) != s.imu.site for s in sensors):
        name = best.hypothesis.person
        near = _around(best, range_s) if best.guesses[0].nats > SOUND_NATS else range_s
        mirrored = look(scene.worn_by(sensors, name, mirrored=True), near)
        if mirrored.guesses[0].nats > best.guesses[0].nats + MIRROR_NATS:
            best = replace(mirrored, range_s=best.range_s)
            notes.append(
                "Left and right are exchanged: the video is mirrored (selfie), or the sensors' sides were swapped."
            )
    if scene.sensor is None and any(s.imu.site is None for s in sensors):
        best = replace(best, hypothesis=_settled(best))
        found = [(s.imu.name, next(iter(o))) for s, o in zip(sensors, best.hypothesis.options, strict=True)]
        unknown = [f"{n} at {site}" for (n, site), s in zip(found, sensors, strict=True) if s.imu.site is None]
        notes.append(f"Sites found from the motion, not given: {', '.join(unknown)}.")
    return replace(best, notes=tuple(notes))


def _around(found: Found, range_s: tuple[float, float]) -> tuple[float, float]:
    """The part of the range that holds every guess, with room: a mirrored video has the same offset."""
    lags = np.concatenate([g.at(found.anchors.centre_s) for g in found.guesses])
    return max(range_s[0], float(lags.min()) - 2 * BAND_S), min(range_s[1], float(lags.max()) + 2 * BAND_S)


def look(hypothesis: Hypothesis, range_s: tuple[float, float]) -> Found:
    anchors = search_anchors(hypothesis, range_s)
    return Found(hypothesis, anchors, agreed_lines(anchors), range_s)


def _settled(found: Found) -> Hypothesis:
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
    chosen = [next(iter(own)) for own in hypothesis.options]
    unknown = [i for i, own in enumerate(hypothesis.options) if len(own) > 1]
    given = {chosen[i] for i in range(len(chosen)) if i not in unknown}
    free = [j for j, site in enumerate(sites) if site not in given]
    if len(free) >= len(unknown):
        found_at = linear_sum_assignment(gain[np.ix_(unknown, free)], maximize=True)[1]
        places = [free[j] for j in found_at]
    else:  # more sensors than places: some must share
        places = np.argmax(gain[unknown], axis=1).tolist()
    for i, j in zip(unknown, places, strict=True):
        chosen[i] = sites[j]
    return hypothesis.settled(tuple(chosen))


def slow_motion(sensors: tuple[Felt, ...], scene: Scene, nats: float) -> Reason | None:
    """A reason where stretching the video's clock by a usual factor makes everything fit."""
    best: tuple[float, float] = (max(nats, 0.0) + 10.0, 1.0)
    for factor in SLOW_MOTION:
        for name, poses in scene.poses.items():
            person = track(poses.replace(time_s=poses.time_s / factor))
            shrunk = replace(scene, start_s=float(person.time_s[0]), end_s=float(person.time_s[-1]))
            low = min(whole_range(s.imu, shrunk)[0] for s in sensors)
            high = max(whole_range(s.imu, shrunk)[1] for s in sensors)
            found = look(worn_by(sensors, person, name), (low, high))
            guess = found.guesses[0]
            sure = confidence(_features(found, guess), found.hypothesis.method, RIGHT_PEAK_S)
            if guess.nats > best[0] and sure >= SLOW_MOTION_CONFIDENCE:
                best = (guess.nats, factor)
    factor = best[1]
    if factor == 1.0:
        return None
    speed = f"{factor:g} times slower" if factor > 1 else f"{1 / factor:g} times faster"
    return Reason(
        "slow_motion",
        f"The video plays {speed} than life: with its clock divided by {factor:g}, the sensors fit.",
        f"Give the camera's true frame rate, {factor:g} times the file's: --fps, beside a file of poses.",
    )


def _features(found: Found, guess: Guess) -> dict[str, float]:
    """Features of a guess that is not refined: its peak is taken to be as wide as a good one's."""
    hypothesis = found.hypothesis
    start_s, end_s = hypothesis.first / hypothesis.rate_hz, hypothesis.stop / hypothesis.rate_hz
    stands = support(hypothesis, float(guess.at((start_s + end_s) / 2)), start_s, end_s)
    curve = found.anchors.along(guess.slope, guess.ref_s)
    among = standing(found.anchors.lag_s, curve, guess.offset_s, guess.nats)
    return features(guess.nats, among.margin_nats, 0.01, found.searched_s, stands)
