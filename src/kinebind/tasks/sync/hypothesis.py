"""One reading of the scene (which person, mirrored or not, which sites) and its evidence in a window of the video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from kinebind.clock import FloatArray
from kinebind.parts import SITES, mirror_site
from kinebind.tasks.sync.cues import NORM_CUES, Felt, Pairing, pair_with_limb, pair_with_sensor
from kinebind.tasks.sync.evidence import lagged_evidence
from kinebind.tasks.sync.limb_signals import RATE_HZ, Track


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


def worn_by(sensors: tuple[Felt, ...], person: Track, name: str, mirrored: bool = False) -> Hypothesis:
    """Sensors on a person: each at its given site, or at any site where none is given."""
    options = []
    for sensor in sensors:
        sites = (sensor.imu.site,) if sensor.imu.site else SITES
        seen = [mirror_site(site) if mirrored else site for site in sites]
        options.append({site: pair_with_limb(sensor, person, at) for site, at in zip(sites, seen, strict=True)})
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
    count = last_lag - first_lag + 1
    overlap = np.zeros(count)
    per_sensor: list[dict[str, FloatArray]] = []
    for own in hypothesis.options:
        found: dict[str, FloatArray] = {}
        seconds = np.zeros(count)
        for site, pairing in own.items():
            y0, y1 = max(start - pairing.y_first, 0), max(stop - pairing.y_first, 0)
            x0 = max(start - last_lag - pairing.x_first, 0)
            x1 = max(stop - first_lag - pairing.x_first, 0)
            x, y = pairing.x[x0:x1], pairing.y[y0:y1]
            if x.shape[0] < 2 or y.shape[0] < 2:
                found[site] = np.zeros(count)
                continue
            # In the slices' own indices the lag is smaller by the difference of their first indices.
            shift = (y0 + pairing.y_first) - (x0 + pairing.x_first)
            nats, seconds = lagged_evidence(x, y, pairing.cues, first_lag - shift, last_lag - shift, hypothesis.rate_hz)
            found[site] = nats.sum(axis=1)
        per_sensor.append(found)
        overlap += seconds / len(hypothesis.options)
    return per_sensor, overlap


def summed(per_sensor: list[dict[str, FloatArray]]) -> FloatArray:
    """Evidence of all sensors together (L,); a sensor of unknown site counts by its mean over the sites."""
    total = np.zeros(0)
    for found in per_sensor:
        curves = np.stack(list(found.values()))
        one = curves[0] if curves.shape[0] == 1 else logsumexp(curves, axis=0) - np.log(curves.shape[0])
        total = one if total.size == 0 else total + one
    return total
