"""Which stretches of a lifted motion are fit to learn from, and why the others are not: each reason with its number.

Judged are joint positions, smoothed as `kinebind.body.lifted` does. First single frames go in which a joint is too
fast, then whole stretches whose bones are not a body's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from kinebind.body.lifted import LIMB_JOINTS
from kinebind.clock import FloatArray
from kinebind.motion import Motion
from kinebind.parts import USUAL_LENGTHS_M
from kinebind.resample import over_runs, runs_of, whole_rows

Reason = Literal[
    "few frames", "unseen", "too fast", "too sudden", "short", "bones vary", "sides differ", "no human", "no caption"
]
BoolArray = npt.NDArray[np.bool_]

SHORTEST_S = 1.0
"""Shorter stretches are left out."""
LOWEST_RATE_HZ = 12.0
"""Frames a second of a video below which movement of 5 Hz is not in it."""
SEEN_SHARE = 0.7
"""Least share of a stretch's frames in which all twelve limb joints are seen; the others are bridged."""
FASTEST_M_S = 15.0
"""A joint's highest speed: above a sprinter's whole body, and above a wrist's but in a throw."""
SUDDEN_M_S2 = 100.0
"""A joint's highest acceleration after smoothing, ten times gravity's. A joint that jumps by 0.65 m from one frame to
the next comes out as that at 30 frames/s; half of that passes for a fast movement, since a wrist may do as much."""
AROUND_S = 0.2
"""What goes before and after such a frame, as far as the smoothing smears a jump: a period of its cutoff."""
VARYING_SHARE = 0.2
"""A bone's highest spread over time, as a share of its median: 1.48 times the median distance from it."""
SIDES_RATIO = 1.3
"""The most by which a bone may be longer than that of the other side."""
HUMAN_RATIO = (0.5, 1.5)
"""A bone's length in parts of what is usual for a grown-up."""

_USUAL_M = {pair: length for lengths in USUAL_LENGTHS_M for pair, length in lengths.items()}


@dataclass(frozen=True)
class LeftOut:
    """A stretch that is left out, seconds on the video's clock; reason, its number in `value`, and both in words."""

    start_s: float
    end_s: float
    reason: Reason
    value: float
    what: str


def passed(motion: Motion, time_s: FloatArray, seen: BoolArray) -> tuple[Motion, tuple[LeftOut, ...]]:
    """The motion with all frames missing that are left out, and what was left out, in order of time.

    motion: of `kinebind.body.lifted`. time_s (T,): the frames in which the person was followed; seen (T,): whether
    all twelve limb joints were seen in them.
    """
    assert motion.position_world is not None
    position = np.array(motion.position_world)
    clock, rate_hz = motion.time_s, motion.rate_hz
    out: list[LeftOut] = []

    def leave(first: int, stop: int, reason: Reason, value: float, what: str) -> None:
        out.append(LeftOut(float(clock[first]), float(clock[stop - 1]), reason, value, what))
        position[first:stop] = np.nan

    if rate_hz < LOWEST_RATE_HZ:
        leave(0, clock.size, "few frames", rate_hz, f"{rate_hz:.3g} frames/s, less than {LOWEST_RATE_HZ:g}")
        return motion.replace(position_world=position), tuple(out)
    for first, stop in runs_of(~whole_rows(position)):
        lost_s = (stop - first) / rate_hz
        leave(first, stop, "unseen", lost_s, f"not all twelve limb joints are seen for {lost_s:.2f} s")
    for reason, size, most, unit in _too_fast(position, rate_hz):
        bad = _widened(size > most, round(AROUND_S * rate_hz)) & whole_rows(position)
        for first, stop in runs_of(bad):
            peak = float(np.nanmax(size[first:stop]))
            leave(first, stop, reason, peak, f"a joint has {peak:.3g} {unit}, more than {most:g}")
    for first, stop in runs_of(whole_rows(position)):
        lasts_s = (stop - first - 1) / rate_hz
        inside = (time_s >= clock[first] - 0.5 / rate_hz) & (time_s <= clock[stop - 1] + 0.5 / rate_hz)
        share = min(float(np.count_nonzero(seen & inside)) / (stop - first), 1.0)
        if lasts_s < SHORTEST_S:
            leave(first, stop, "short", lasts_s, f"{lasts_s:.2f} s in one piece, less than {SHORTEST_S:g}")
        elif share < SEEN_SHARE:
            leave(first, stop, "unseen", share, f"all twelve limb joints are seen in {share:.0%} of the frames")
        else:
            wrong = _bones(motion.replace(position_world=position), first, stop)
            if wrong is not None:
                leave(first, stop, *wrong)
    return motion.replace(position_world=position), tuple(sorted(out, key=lambda one: one.start_s))


def _too_fast(position: FloatArray, rate_hz: float) -> Iterator[tuple[Reason, FloatArray, float, str]]:
    """For speed and for acceleration: the largest of a frame's joints (T,), the limit, the unit."""
    velocity = over_runs(position, lambda run: _rate_of_change(run, rate_hz))
    yield "too fast", np.linalg.norm(velocity, axis=2).max(axis=1), FASTEST_M_S, "m/s"
    acceleration = over_runs(velocity, lambda run: _rate_of_change(run, rate_hz))
    yield "too sudden", np.linalg.norm(acceleration, axis=2).max(axis=1), SUDDEN_M_S2, "m/s²"


def _rate_of_change(run: FloatArray, rate_hz: float) -> FloatArray:
    return np.asarray(np.gradient(run, axis=0)) * rate_hz if len(run) > 1 else np.zeros_like(run)


def _widened(mask: BoolArray, frames: int) -> BoolArray:
    """A mask (T,) that is also True so many frames before and after."""
    return np.asarray(binary_dilation(mask, iterations=frames), dtype=np.bool_)


def _bones(motion: Motion, first: int, stop: int) -> tuple[Reason, float, str] | None:
    """What is wrong with the bones of a stretch, the worst of each kind; None where nothing is."""
    assert motion.position_world is not None
    at = {name: motion.position_world[first:stop, motion.skeleton.index(name)] for name in LIMB_JOINTS}
    spread, median = {}, {}
    for a, b in _USUAL_M:
        length = np.linalg.norm(at[a] - at[b], axis=1)
        median[a, b] = float(np.median(length))
        spread[a, b] = 1.4826 * float(np.median(np.abs(length - median[a, b]))) / max(median[a, b], 1e-9)
    worst = max(spread, key=lambda bone: spread[bone])
    if spread[worst] > VARYING_SHARE:
        return "bones vary", spread[worst], f"{_named(worst)} varies by {spread[worst]:.0%} of its length"
    for bone, length in median.items():
        parts = length / _USUAL_M[bone]
        if not HUMAN_RATIO[0] <= parts <= HUMAN_RATIO[1]:
            return "no human", parts, f"{_named(bone)} is {length:.2f} m long, {parts:.2g} times what is usual"
    for a, b in median:
        other = a.replace("left", "right"), b.replace("left", "right")
        if a.startswith("left") and b.startswith("left"):
            ratio = max(median[a, b] / median[other], median[other] / median[a, b])
            if ratio > SIDES_RATIO:
                return "sides differ", ratio, f"{_named((a, b))} and the right one differ {ratio:.2f} times"
    return None


def _named(bone: tuple[str, str]) -> str:
    return f"from {bone[0]} to {bone[1]} it".replace("_", " ")
