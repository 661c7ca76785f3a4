"""Why a clock is refused, in words: the reasons are told apart by what the data lack."""

from __future__ import annotations

import numpy as np

from kinebind.clock import FloatArray
from kinebind.tasks.sync.cues import Felt
from kinebind.tasks.sync.hypothesis import Hypothesis
from kinebind.tasks.sync.limb_signals import RATE_HZ
from kinebind.tasks.sync.result import ANSWERED_AT, Reason

STILL_RATE_RAD_S = 0.15
STILL_ACC_M_S2 = 0.3
STILL_LIMB_M = 0.02
SHORTEST_OVERLAP_S = 1.0
WIDE_NEEDED = 0.85
BRISK_RATE_RAD_S = 1.0
BRISK_S, BRISK_SHARE = 10.0, 0.15
"""A wide search is answered where the sensors turn briskly for this long, or for this share of a short recording."""


def needed_confidence(wide: bool) -> float:
    """Confidence from which an answer is given.

    Strangers' recordings agree somewhere if one only searches widely enough, so a wide search has to find more.
    """
    return WIDE_NEEDED if wide else ANSWERED_AT


def brisk_s(sensors: tuple[Felt, ...]) -> float:
    """Seconds, the mean over the sensors, during which they turned by BRISK_RATE_RAD_S or more."""
    turning = [sensor.signal("turn")[:, 0] for sensor in sensors]
    return sum(float(np.count_nonzero(turn >= BRISK_RATE_RAD_S)) for turn in turning) / (RATE_HZ * len(sensors))


def moved_enough(sensors: tuple[Felt, ...]) -> bool:
    """Whether the sensors moved briskly for long enough to be searched for widely.

    People who stand about sway and shift a little, and all of them alike.
    """
    lasted_s = sum(sensor.matrix.shape[0] for sensor in sensors) / (RATE_HZ * len(sensors))
    return bool(brisk_s(sensors) >= min(BRISK_S, BRISK_SHARE * lasted_s))


def imu_is_still(sensor: Felt) -> bool:
    """Whether the sensor hardly moved: its turning rate and its load stay within a resting person's."""
    turn, load = sensor.signal("turn"), sensor.signal("load")
    turning = np.nanpercentile(turn, 95) if np.isfinite(turn).any() else 0.0
    swing = np.nanpercentile(load, 97) - np.nanpercentile(load, 3) if np.isfinite(load).any() else 0.0
    return bool(turning < STILL_RATE_RAD_S and swing < STILL_ACC_M_S2)


def limbs_are_still(hypothesis: Hypothesis) -> bool:
    """Whether no limb that carries a sensor changes its direction by more than the keypoints' noise."""
    for own in hypothesis.options:
        for pairing in own.values():
            for cue in pairing.cues:
                if cue.name in ("tilt", "bearing") and np.nanstd(pairing.y[:, cue.y]) > STILL_LIMB_M:
                    return False
    return True


def period_s(hypothesis: Hypothesis, longest_s: float = 4.0) -> tuple[float, float]:
    """Period of the limbs' summed turning rate and its autocorrelation there (0 s and 0 where there is no peak)."""
    total: FloatArray | None = None
    for own in hypothesis.options:
        pairing = next(iter(own.values()))
        turn = [c.y for c in pairing.cues if c.name == "turn"]
        if turn:
            signal = np.nan_to_num(pairing.y[:, turn[0]] - np.nanmean(pairing.y[:, turn[0]]))
            total = signal if total is None else total + signal
    if total is None:
        return 0.0, 0.0
    return side_peak(total, longest_s)


def side_peak(signal: FloatArray, longest_s: float) -> tuple[float, float]:
    """Lag in seconds and height of the highest side peak of a signal's autocorrelation, on the common grid."""
    centred = signal - signal.mean()
    longest = min(int(longest_s * RATE_HZ), centred.size // 2)
    power = float(centred @ centred)
    if longest < 10 or power <= 0:
        return 0.0, 0.0
    size = 1 << int(2 * centred.size - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, size)[: longest + 1] / power
    correlation *= centred.size / (centred.size - np.arange(longest + 1))
    falling = np.flatnonzero(correlation < 0.0)
    start = int(falling[0]) if falling.size else int(0.3 * RATE_HZ)
    if start >= longest:
        return 0.0, 0.0
    peak = start + int(np.argmax(correlation[start:]))
    return peak / RATE_HZ, float(correlation[peak])


def why(
    sensors: tuple[Felt, ...],
    hypothesis: Hypothesis,
    overlap_s: float,
    evidence_nats: float,
    rival_lags_s: list[float],
    answer_s: float,
    has_video: bool = True,
    wide: bool = True,
) -> Reason:
    """The reason for a refusal, most telling first; wide: whether widely searched, which asks for brisk movement."""
    seen = "the video's person" if has_video else "the reference sensor"
    if overlap_s < SHORTEST_OVERLAP_S:
        return Reason(
            "too_little_overlap",
            f"The streams share at most {overlap_s:.1f} s of usable data.",
            "Give a longer excerpt, or check that the keypoints of the sensors' limbs are not missing.",
        )
    if all(imu_is_still(s) for s in sensors):
        return Reason(
            "no_motion_imu",
            "The sensors hardly moved: nothing in them can be found in the video.",
            "Record a few brisk movements, such as waving or a squat, at the start and at the end.",
        )
    if has_video and limbs_are_still(hypothesis):
        return Reason(
            "no_motion_pose",
            "The limbs that carry the sensors hardly move in the video.",
            "Use a stretch of the video in which they move, or check that the person and the sites are right.",
        )
    if wide and not moved_enough(sensors):
        return Reason(
            "little_motion",
            f"The sensors moved briskly for {brisk_s(sensors):.1f} s only: too little for so wide a search.",
            "Record a few brisk movements, or say about where the offset is (--near, or a narrow --search).",
        )
    period, height = period_s(hypothesis) if has_video else (0.0, 0.0)
    if height > 0.5 and rival_lags_s and evidence_nats > 8.0:
        cycles = abs(rival_lags_s[0] - answer_s) / (period / 2)
        if abs(cycles - round(cycles)) < 0.25 and round(cycles) >= 1:
            return Reason(
                "periodic",
                f"The motion repeats every {period:.2f} s, so offsets one or more periods apart fit equally well.",
                "Include the start or the end of the movement, or narrow the search with --near.",
            )
    if evidence_nats < 8.0:
        return Reason(
            "no_match",
            f"No offset makes the sensors agree with {seen}.",
            "Check that it is the right person and video, that the sites are right, and that the search range "
            "(--search) holds the true offset."
            if has_video
            else "Check that one person wore both at the same time, and that the search range (--search) holds the "
            "true offset; sensors on the same limb agree best.",
        )
    return Reason(
        "weak",
        "Several offsets fit nearly as well as the best one.",
        "Give a longer or livelier stretch, more sensors, or narrow the search with --near.",
    )
