"""Which signal of a sensor is compared with which of a limb, and how much each comparison counts.

Cues and neighbouring samples repeat each other, so each counts for less than its face value. With angular rate, equal
weights were as good on development data as any others that were tried, a maximum-likelihood fit on simulated
recordings included; without it, the size of the acceleration says most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.tasks.sync.evidence import Cue
from kinebind.tasks.sync.limb_signals import RATE_HZ, Track, limb_signals
from kinebind.tasks.sync.sensor_signals import sensor_signals
from kinebind.tasks.sync.token_evidence import TokenPair

WEIGHTS: dict[str, dict[str, float]] = {
    "rate": {"turn": 0.2, "load": 0.2, "shake": 0.2, "heave": 0.2, "tilt": 0.2, "bearing": 0.2},
    "acc": {"turn": 0.1, "load": 0.4, "heave": 0.4, "tilt": 0.1, "bearing": 0.1},
    "pair": {"turn": 0.2, "load": 0.2, "shake": 0.2, "heave": 0.2},
}
"""Weights of the cues for sensors with angular rate, without, and for one sensor against another."""
NORM_CUES = ("turn", "load", "shake", "heave")
"""Cues with one coefficient each, cheap enough for a search over hours."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """Signals of one sensor beside those of one limb (or of another sensor), ready for `lagged_evidence`.

    x (Tx, p) starts at grid index `x_first`, y (Ty, q) at `y_first`; both count steps of the common grid on their
    own clocks. learned: the universal model's tokens of both, where it has its say.
    """

    x: FloatArray
    y: FloatArray
    x_first: int
    y_first: int
    cues: tuple[Cue, ...]
    learned: TokenPair | None = None

    def only(self, names: tuple[str, ...]) -> Pairing:
        """The same with the named kinds of cues alone, and only the columns that they need; without the model."""
        cues = [c for c in self.cues if c.name in names]
        xs = sorted({i for c in cues for i in c.x})
        ys = sorted({c.y for c in cues})
        renumbered = tuple(
            Cue(c.name, tuple(xs.index(i) for i in c.x), ys.index(c.y), c.positive, c.weight) for c in cues
        )
        return Pairing(self.x[:, xs], self.y[:, ys], self.x_first, self.y_first, renumbered)

    def every(self, step: int) -> Pairing:
        """The same on a grid `step` times as coarse; the signals are low-passed well below its Nyquist frequency."""
        x, y = self.x[-self.x_first % step :: step], self.y[-self.y_first % step :: step]
        return Pairing(x, y, -(-self.x_first // step), -(-self.y_first // step), self.cues)


@dataclass(frozen=True, eq=False)
class Felt:
    """A sensor's signals on the common grid of its clock, computed once and paired with many limbs.

    matrix (T, p): signals side by side; columns: which of them each signal has. first: grid index of row 0.
    """

    imu: Imu
    first: int
    matrix: FloatArray
    columns: dict[str, tuple[int, ...]]

    @property
    def has_rate(self) -> bool:
        """Whether angular rate was at hand, measured or from orientation."""
        return "ahead" in self.columns

    def signal(self, name: str) -> FloatArray:
        """One signal (T, k)."""
        return self.matrix[:, list(self.columns[name])]


def felt(imu: Imu) -> Felt:
    """Prepare a sensor."""
    time_s, signals = sensor_signals(imu)
    matrix, columns = _side_by_side(signals)
    return Felt(imu, round(time_s[0] * RATE_HZ) if time_s.size else 0, matrix, columns)


def _side_by_side(signals: dict[str, FloatArray]) -> tuple[FloatArray, dict[str, tuple[int, ...]]]:
    """Signals as one matrix, and which columns each has become."""
    columns: dict[str, tuple[int, ...]] = {}
    width = 0
    for name, values in signals.items():
        columns[name] = tuple(range(width, width + values.shape[1]))
        width += values.shape[1]
    return np.concatenate(list(signals.values()), axis=1), columns


def pair_with_limb(sensor: Felt, person: Track, site: str, learned: TokenPair | None = None) -> Pairing:
    """A sensor against a person's limb: every cue that both can give, and the universal model's tokens if given."""

    at = sensor.columns
    seen = {name: values[:, None] for name, values in limb_signals(person, site).items()}
    # A part that is never seen (ears of a person from behind) must not blank the rest.
    seen = {name: values for name, values in seen.items() if np.isfinite(values).any()}
    if not seen:
        seen = {"turn": np.full((person.time_s.size, 1), np.nan)}
    y, y_at = _side_by_side(seen)
    weights = WEIGHTS["rate" if sensor.has_rate else "acc"]
    cues = [Cue(n, at[n], y_at[n][0], True, weights[n]) for n in NORM_CUES if n in at and n in y_at]
    for i in (0, 1):
        if f"tilt{i}" in y_at:
            cues.append(Cue("tilt", at["up"], y_at[f"tilt{i}"][0], False, weights["tilt"]))
            ahead = at.get("ahead", at["up"])
            cues.append(Cue("bearing", ahead, y_at[f"bearing{i}"][0], False, weights["bearing"]))
    return Pairing(sensor.matrix, y, sensor.first, round(person.time_s[0] * RATE_HZ), tuple(cues), learned)


def pair_with_sensor(sensor: Felt, reference: Felt) -> Pairing:
    """A sensor against another one: norms and the vertical, which do not depend on either's mounting."""
    at, y_at = sensor.columns, reference.columns
    weights = WEIGHTS["pair"]
    same_kind = sensor.has_rate == reference.has_rate
    names = [n for n in NORM_CUES if n in at and n in y_at and (same_kind or n in ("load", "heave"))]
    cues = tuple(Cue(n, at[n], y_at[n][0], True, weights[n]) for n in names)
    return Pairing(sensor.matrix, reference.matrix, sensor.first, reference.first, cues).only(NORM_CUES)
