"""A rig's constant lag: what is left between two clocks that ought to agree, over several recordings.

Cameras stamp frames before or after they are exposed, depth cameras give poses late, sensors filter. In one
recording such a lag cannot be told from the clocks' offset; where the offset is known (one device records both, or a
trigger was used), it is what the found offset exceeds it by, and it is the same every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError

FEWEST = 3
_DRAWS = 2000
_SEED = 11
_STEADY_S = 0.05
"""A lag that differs by more than this between recordings is no constant of the rig."""


@dataclass(frozen=True)
class Lag:
    """A constant lag, seconds: by how much the video shows a moment later than the sensor's clock and offset say.

    lag_s: median over recordings. low_s, high_s: its 95 % interval by bootstrap over recordings. spread_s: half the
    distance between the quartiles of single recordings. count: recordings.
    """

    lag_s: float
    low_s: float
    high_s: float
    spread_s: float
    count: int

    @property
    def steady(self) -> bool:
        """Whether recordings agree well enough for the lag to be taken out."""
        return self.spread_s <= _STEADY_S


def constant_lag(found_s: Sequence[float], true_s: Sequence[float]) -> Lag:
    """The lag of recordings whose offsets were found and are known, seconds.

    Raises InputError where fewer than `FEWEST` recordings are given, or the two lists differ in length.
    """
    if len(found_s) != len(true_s):
        raise InputError(f"{len(found_s)} offsets were found and {len(true_s)} are known.", "Give one for each.")
    if len(found_s) < FEWEST:
        raise InputError(
            f"{len(found_s)} offsets are too few to tell a constant lag.", f"Give {FEWEST} or more of the same rig."
        )
    excess_s: FloatArray = np.asarray(found_s, dtype=np.float64) - np.asarray(true_s, dtype=np.float64)
    rng = np.random.default_rng(_SEED)
    drawn = np.median(excess_s[rng.integers(excess_s.size, size=(_DRAWS, excess_s.size))], axis=1)
    low_s, high_s = np.quantile(drawn, [0.025, 0.975])
    quartiles = np.quantile(excess_s, [0.25, 0.75])
    return Lag(
        float(np.median(excess_s)), float(low_s), float(high_s), float(np.ptp(quartiles) / 2), int(excess_s.size)
    )
