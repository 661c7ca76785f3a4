"""The benchmark hour: 30 fps poses of one person, five IMUs at 100 Hz on one clock, +400 ppm, a jump at minute 37."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinebind.bench.processes import workers
from kinebind.bench.scenes import Bodies, filmed, present_sites, worn
from kinebind.clock import ClockMap, FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.recording import Recording
from kinebind.store import load
from kinebind.tasks.sync import ClockAnswer, Piece, sync

SITES = ("left_wrist", "right_wrist", "left_shank", "right_shank", "chest")
SKEW = 400e-6
JUMP_S = 0.7
JUMP_AT = 37.0 / 60.0
AWAY_S = 10.0
"""Errors are counted at least this far from the jump."""


def make(
    bodies: Bodies,
    rng: np.random.Generator,
    duration_s: float = 3600.0,
    sites: tuple[str, ...] = SITES,
    orientation: bool = False,
) -> tuple[Recording, ClockMap, float]:
    """The recording, the true map before the jump, and the IMU time of the jump (for one hour, at minute 37).

    The recorder stops for JUMP_S and goes on counting as if it had not: after the jump the true video time is
    JUMP_S later than the map says. sites: those of them that the body has. orientation: sensors measure theirs too.
    """
    offset_s = float(rng.uniform(-5.0, 5.0))
    body = bodies.draw(duration_s + 10.0, rng, rate_hz=30.0)
    clock = ClockMap(offset_s, SKEW, duration_s / 2)
    start_s = max(0.0, -offset_s)
    imus = worn(
        body, present_sites(body, sites), "normal", rng, clocks=[clock], start_s=start_s, duration_s=duration_s,
        orientation=orientation,
    )  # fmt: skip
    poses = filmed(body, "normal", rng, start_s=0.0, duration_s=duration_s)
    jump_s = float(imus[0].time_s[0]) + JUMP_AT * duration_s
    return Recording((poses,), tuple(_jumped(i, jump_s) for i in imus)), clock, jump_s


def _jumped(imu: Imu, jump_s: float) -> Imu:
    kept = (imu.time_s < jump_s) | (imu.time_s >= jump_s + JUMP_S)
    cut = imu.take(kept)
    return cut.replace(time_s=np.where(cut.time_s < jump_s, cut.time_s, cut.time_s - JUMP_S))


def max_error_s(answer: Measured, truth: ClockMap, jump_s: float, times_s: FloatArray) -> float:
    """Largest error over IMU times, away from the jump."""
    times = times_s[np.abs(times_s - jump_s) >= AWAY_S]
    true_video = truth.to_video(np.where(times < jump_s, times, times + JUMP_S))
    return float(np.max(np.abs(answer.to_video(times) - true_video)))


@dataclass(frozen=True)
class Measured:
    """What a process of its own needed to synchronise a recording, and the pieces that it found."""

    seconds: float
    peak_mb: float
    pieces: tuple[tuple[float, float, float, float, float], ...]

    def to_video(self, imu_time_s: FloatArray) -> FloatArray:
        """Video times by the pieces (start, end, offset, skew and reference time each)."""
        pieces = tuple(Piece(a, b, ClockMap(o, k, r), 1.0) for a, b, o, k, r in self.pieces)
        return ClockAnswer("", "", (), pieces, 1.0).to_video(imu_time_s)


def measure(path: Path) -> Measured:
    """Synchronise a recording file in this process."""
    recording = load(path)
    start = time.perf_counter()
    answer = sync(recording).answers[0]
    seconds = time.perf_counter() - start
    rows = [(p.start_s, p.end_s, p.clock.offset_s, p.clock.skew, p.clock.ref_time_s) for p in answer.pieces]
    return Measured(seconds, _peak_mb(), tuple((float(a), float(b), c, d, e) for a, b, c, d, e in rows))


def _peak_mb() -> float:
    """Peak resident memory of this process, MB. `getrusage` also counts the parent that a process was forked from."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1024.0
    raise InputError("The kernel does not tell a process's peak memory.", "Run this benchmark on Linux.")


def in_own_process(path: Path) -> Measured:
    """`measure` in a fresh process, whose peak memory is its own."""
    with workers(1) as pool:
        return pool.submit(measure, path).result()
