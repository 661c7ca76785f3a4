"""One reading of the scene (which person, mirrored or not, which sites) and its evidence in a window of the video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.parts import SITES, mirror_site
from kinebind.tasks.sync.cues import NORM_CUES, Felt, Pairing, pair_with_limb, pair_with_sensor
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.limb_signals import RATE_HZ, Track
from kinebind.tasks.sync.result import Method
from kinebind.tasks.sync.token_evidence import CUES_BESIDE, TokenPair, token_evidence

IntArray = npt.NDArray[np.int64]
TokensOf = Callable[[Imu, str], TokenPair]

_ROWS_AT_ONCE = 12_000
"""Grid points of windows that are looked at together: what they need stays near the processor."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """Who wears the sensors and how the video shows them.

    options: for each sensor, its pairing at every site it may be worn at (one where the site is given).
    first, stop: the reference's grid indices [first, stop). rate_hz: grid steps per second.
    """

    person: str
    mirrored: bool
    options: tuple[dict[str, Pairing], ...]
    first: int
    stop: int
    rate_hz: float = RATE_HZ

    @property
    def method(self) -> Method:
        """What its evidence is made of."""
        told = any(pairing.learned is not None for own in self.options for pairing in own.values())
        return "universal" if told else "classical"

    def settled(self, sites: tuple[str, ...]) -> Hypothesis:
        """The same with every sensor at one site."""
        options = tuple({site: own[site]} for own, site in zip(self.options, sites, strict=True))
        return replace(self, options=options)

    def coarse(self, step: int) -> Hypothesis:
        """Norms alone, on every `step`-th grid point: for a search over hours."""
        options = tuple(
            {site: pairing.only(NORM_CUES).every(step) for site, pairing in own.items()} for own in self.options
        )
        first, stop = -(-self.first // step), -(-self.stop // step)
        return Hypothesis(self.person, self.mirrored, options, first, stop, self.rate_hz / step)


def worn_by(
    sensors: tuple[Felt, ...], person: Track, name: str, mirrored: bool = False, tokens: TokensOf | None = None
) -> Hypothesis:
    """Sensors on a person: each at its given site, or at any site where none is given.

    tokens: gives the universal model's tokens of a sensor and of the person's limb at a site.
    """
    options = []
    for sensor in sensors:
        sites = (sensor.imu.site,) if sensor.imu.site else SITES
        seen = [mirror_site(site) if mirrored else site for site in sites]
        learned = [None if tokens is None else tokens(sensor.imu, at) for at in seen]
        options.append(
            {s: pair_with_limb(sensor, person, at, own) for s, at, own in zip(sites, seen, learned, strict=True)}
        )
    first = round(person.time_s[0] * RATE_HZ)
    return Hypothesis(name, mirrored, tuple(options), first, first + person.time_s.size)


def beside(sensors: tuple[Felt, ...], reference: Felt) -> Hypothesis:
    """Sensors against another sensor, without any video."""
    options = tuple({s.imu.site or "": pair_with_sensor(s, reference)} for s in sensors)
    stop = reference.first + reference.matrix.shape[0]
    return Hypothesis(reference.imu.name, False, options, reference.first, stop)


def window_evidence(
    hypothesis: Hypothesis, start: int, stop: int, first_lag: int, last_lag: int
) -> tuple[list[dict[str, FloatArray]], FloatArray]:
    """Evidence over lags first_lag..last_lag (grid steps, offset = lag / rate_hz) of the reference's grid indices
    [start, stop): per sensor and site an array (L,) in nats; and the seconds of overlap (L,), the sensors' mean.
    """
    pairings = [pairing for own in hypothesis.options for pairing in own.values()]
    # Hours of lags at which no sensor can meet the window have no evidence, and cost nothing.
    first = min(max(first_lag, start + 1 - max(p.x_first + p.x.shape[0] for p in pairings)), last_lag)
    last = max(min(last_lag, stop - 1 - min(p.x_first for p in pairings)), first)
    per_sensor, overlap = windows_evidence(
        hypothesis, np.array([start]), stop - start, np.array([first]), last - first + 1
    )

    def widened(found: FloatArray) -> FloatArray:
        return np.pad(found[0], (first - first_lag, last_lag - last))

    return [{site: widened(nats) for site, nats in found.items()} for found in per_sensor], widened(overlap)


def windows_evidence(
    hypothesis: Hypothesis, start: IntArray, length: int, first_lag: IntArray, lags: int
) -> tuple[list[dict[str, FloatArray]], FloatArray]:
    """The same for many windows of `length` grid steps, each over `lags` lags of its own: (W, lags).

    start, first_lag (W,): each window's first index on the reference's grid, and its first lag.
    """
    overlap = np.zeros((start.size, lags))
    per_sensor: list[dict[str, FloatArray]] = []
    at_once = max(1, _ROWS_AT_ONCE // (length + lags))
    for own in hypothesis.options:
        found: dict[str, FloatArray] = {}
        seconds = np.zeros(overlap.shape)
        for site, pairing in own.items():
            found[site] = np.zeros(overlap.shape)
            for some in (slice(k, k + at_once) for k in range(0, start.size, at_once)):
                y = _rows(pairing.y, start[some] - pairing.y_first, length)
                # From the row that the window's first meets at the last lag to the one its last meets at the first.
                x = _rows(pairing.x, start[some] - first_lag[some] - lags + 1 - pairing.x_first, length + lags - 1)
                nats, seconds[some] = lagged_evidence(x, y, pairing.cues, 1 - lags, 0, hypothesis.rate_hz)
                found[site][some] = nats.sum(axis=-1)
                if pairing.learned is not None:
                    found[site][some] *= CUES_BESIDE
                    seen, felt = pairing.learned.y, pairing.learned.x
                    y = _rows(seen.rows, start[some] - seen.first, length)
                    x = _rows(felt.rows, start[some] - first_lag[some] - lags + 1 - felt.first, length + lags - 1)
                    found[site][some] += token_evidence(x, y, 1 - lags, 0)
        per_sensor.append(found)
        overlap += seconds / len(hypothesis.options)
    return per_sensor, overlap


def _rows(matrix: npt.NDArray[Any], first: IntArray, length: int) -> npt.NDArray[Any]:
    """Rows [first, first + length) of a matrix (T, k) for each `first` (W,), NaN beyond its ends: (W, length, k)."""
    out = np.full((first.size, length, matrix.shape[1]), np.nan, dtype=matrix.dtype)
    for rows, begin in zip(out, first.tolist(), strict=True):
        a, b = max(begin, 0), min(begin + length, matrix.shape[0])
        if a < b:
            rows[a - begin : b - begin] = matrix[a:b]
    return out


def summed(per_sensor: list[dict[str, FloatArray]]) -> FloatArray:
    """Evidence of all sensors together (L,); a sensor of unknown site counts by its mean over the sites."""
    total = np.zeros(0)
    for found in per_sensor:
        curves = np.stack(list(found.values()))
        one = curves[0] if curves.shape[0] == 1 else logsumexp(curves, axis=0) - np.log(curves.shape[0])
        total = one if total.size == 0 else total + one
    return total
