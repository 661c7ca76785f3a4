"""How much a score says for "this sensor is worn there" against "it is worn by nobody in view", in nats.

A score alone is no evidence: how high a wrong pair scores depends on the length, the sensor and the limb. So each
pair is also seen against its own scores at wrong lags, more than a second away, where it has nothing in common; that
needs no gallery. But few seconds hold few independent wrong lags: a standard score by these alone put 60 of 100
sensors on the right limb of the right person where the score itself put 87 (DeepMimic, 3 to 20 s, early weights). Hence
their mean and spread are drawn towards those of simulated strangers, the more the shorter the recording, and evidence
is linear in both: the score, which counts for more the longer the streams are, and the standard score. The weights are
fitted on simulated scenes (`kinebind.bench.calibrate_locate`), once for each matcher.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.parts import mirror_site
from kinebind.tasks.locate.fitness import LEAST_S
from kinebind.tasks.locate.pairs import STEP_S, PairScores

FEATURES = ("one", "score", "score_log_s", "standard_score", "log_s")
"""What evidence is linear in; `_log_s` is the logarithm of the shared seconds over `USUAL_S`."""
USUAL_S = 5.0
_SHORTEST_S, _LONGEST_S = 2.0, 60.0  # beyond which seconds change nothing: nothing was fitted there
WRONG_FROM_S = 1.0
_INDEPENDENT_S = 0.5  # wrong lags nearer to each other than this say the same
_PRIOR_LAGS = 30.0  # how many independent wrong lags the simulated strangers stand for
_LAG_S = 0.2  # of a search, as many lags are independent as it is times this long
_FITTED_STANDARD = 12.0
"""Standard score beyond which nothing was fitted. More counts as its logarithm, but never nothing: minutes bring the
right site and its neighbour beyond it, and which of them stands out further is what tells them apart."""
DECLARED, MIRRORED = 0.9, 0.05
"""How often a declared site is right, and how often left and right are swapped; the rest is shared by all others."""
NEVER = -1e6
"""Evidence of a pair of which nothing is known."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted for a matcher.

    evidence: weight of each of FEATURES. wrong: logarithm of the spread of strangers' scores at USUAL_S, and its slope
    with the logarithm of the seconds. person, site: intercept and slope of the logit of a probability (that the
    person, and that the person and the site are right) on what evidence alone makes of it.
    """

    evidence: tuple[float, ...]
    wrong: tuple[float, float]
    person: tuple[float, float]
    site: tuple[float, float]

    @staticmethod
    def of(matcher: str) -> Calibration:
        """The fitted numbers of a matcher by its name; raises InputError where none were fitted."""
        fitted = _fitted()
        if matcher not in fitted:
            raise InputError(
                f"Localisation was never calibrated for the matcher '{matcher}'.",
                f"Use one of: {', '.join(sorted(fitted))}, or fit it (kinebind.bench.calibrate_locate).",
            )
        return Calibration.from_dict(fitted[matcher])

    @staticmethod
    def from_dict(told: dict[str, Any]) -> Calibration:
        """The numbers from plain values."""
        pairs = {k: (float(told[k]["intercept"]), float(told[k]["slope"])) for k in ("wrong", "person", "site")}
        return Calibration(tuple(float(told["evidence"][name]) for name in FEATURES), **pairs)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values."""
        lines = {k: getattr(self, k) for k in ("wrong", "person", "site")}
        return {"evidence": dict(zip(FEATURES, self.evidence, strict=True))} | {
            k: {"intercept": a, "slope": b} for k, (a, b) in lines.items()
        }

    def stated(self, probability: float, *, site: bool) -> float:
        """The probability to state for one that evidence alone makes of it, both in 0..1."""
        intercept, slope = self.site if site else self.person
        inside = min(max(probability, 1e-6), 1.0 - 1e-6)
        return float(1.0 / (1.0 + np.exp(-(intercept + slope * np.log(inside / (1.0 - inside))))))


@cache
def _fitted() -> dict[str, Any]:
    text = files("kinebind.tasks.locate").joinpath("calibration.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def features(scores: PairScores, lag_s: FloatArray, wrong: tuple[float, float]) -> FloatArray:
    """FEATURES (N, P, S, F) of every pair at the lag (N,) of each sensor.

    wrong: spread of strangers' scores as in `Calibration`.
    """
    at = np.abs(scores.lags_s[None] - lag_s[:, None]).argmin(axis=1)
    score = np.take_along_axis(scores.values, at[:, None, None, None], axis=3)[..., 0]
    away = np.abs(scores.lags_s[None] - lag_s[:, None])  # (N, L)
    # Where half of the streams no longer meets, scores are those of other stretches.
    far = (away >= WRONG_FROM_S) & (away <= 0.5 * scores.seconds.max(axis=(1, 2))[:, None])
    far &= scores.even
    return np.stack(_features(score, scores, far, wrong), axis=-1)


def _features(score: FloatArray, scores: PairScores, far: np.ndarray, wrong: tuple[float, float]) -> list[FloatArray]:
    count = np.maximum(far.sum(axis=1), 1.0)[:, None, None]
    mean = np.einsum("npsl,nl->nps", scores.values, far) / count
    square = np.einsum("npsl,nl->nps", scores.values**2, far) / count
    log_s = np.log(np.clip(scores.seconds, _SHORTEST_S, _LONGEST_S) / USUAL_S)
    usual = np.exp(2.0 * (wrong[0] + wrong[1] * log_s))  # variance of strangers
    own = far.sum(axis=1)[:, None, None] * STEP_S / _INDEPENDENT_S
    share = own / (own + _PRIOR_LAGS)
    variance = share * np.maximum(square - mean**2, 0.0) + (1.0 - share) * usual
    standard = (score - share * mean) / np.sqrt(variance + 1e-12)
    beyond = np.maximum(np.abs(standard) - _FITTED_STANDARD, 0.0)
    standard = np.sign(standard) * (np.abs(standard) - beyond + np.log1p(beyond))
    return [np.ones_like(score), score, score * log_s, standard, log_s]


def evidence(
    scores: PairScores, lag_s: FloatArray, searched_s: float, sharing: FloatArray, calibration: Calibration
) -> FloatArray:
    """Nats (N, P, S) for each pair against "nobody" at the lag (N,) of each sensor; NEVER where too little is shared.

    searched_s: how wide the search for the lag was. sharing (N,): how many sensors share each one's lag: a wide
    search gives wrong pairs more chances, once for all of them.
    """
    nats = features(scores, lag_s, calibration.wrong) @ np.asarray(calibration.evidence)
    chances = np.log1p(searched_s / _LAG_S) / sharing
    return np.where(scores.seconds >= LEAST_S, nats - chances[:, None, None], NEVER)


def best_lag(scores: PairScores, candidates_s: FloatArray, rows: list[int], calibration: Calibration) -> float:
    """The lag among the candidates (C,), seconds, at which the sensors in `rows`, of one clock, fit best together."""
    if candidates_s.size == 1:
        return float(candidates_s[0])
    own = PairScores(scores.lags_s, scores.values[rows], scores.seconds[rows], scores.even)
    weight, everywhere = np.asarray(calibration.evidence), np.tile(scores.even, (len(rows), 1))
    total = np.zeros(candidates_s.size)
    for k, lag in enumerate(candidates_s):
        score = own.values[..., int(np.abs(own.lags_s - lag).argmin())]
        # Which lags are wrong is not known yet: all of them stand for these.
        nats = np.stack(_features(score, own, everywhere, calibration.wrong), axis=-1) @ weight
        nats = np.where(own.seconds >= LEAST_S, nats, NEVER).reshape(len(rows), -1)
        total[k] = np.logaddexp(0.0, np.logaddexp.reduce(nats, axis=1)).sum()
    return float(candidates_s[int(np.argmax(total))])


def declared_nats(declared: str | None, sites: tuple[str, ...]) -> FloatArray:
    """What a declared site says beforehand for each site (S,), in nats against knowing nothing.

    >>> declared_nats("left_wrist", ("left_wrist", "right_wrist")).round(2).tolist()
    [0.64, -2.25]
    """
    if declared not in sites:
        return np.zeros(len(sites))
    mirror = mirror_site(declared)
    prior = np.array([DECLARED if s == declared else MIRRORED if s == mirror else 0.0 for s in sites])
    others = prior == 0.0
    if others.any():
        prior[others] = (1.0 - DECLARED - MIRRORED) / others.sum()
    prior /= prior.sum()
    return np.asarray(np.log(prior * len(sites)))
