"""What a limb does in the video: signals from 2D keypoints that a sensor worn there would feel too.

All signals are in metres as the body's own size gives them (a torso is taken to be 0.5 m long), so that they do not
depend on the camera's distance; the image's vertical stands for the world's.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from scipy.ndimage import median_filter

from kinebind.clock import FloatArray
from kinebind.imu import GRAVITY_M_S2
from kinebind.parts import COCO17, USUAL_LENGTHS_M
from kinebind.poses import Poses
from kinebind.resample import low_pass, over_runs, resample_vectors

RATE_HZ = 50.0
"""Rate of the common grid: lags are computed in steps of 20 ms and refined between them."""
SLOW_HZ = 2.5
"""Low-pass of everything that is an acceleration: above it, the second difference of keypoints is mostly noise."""
FAST_HZ = 4.0
"""Low-pass of everything that is a direction or a turning rate."""
BRIDGED_S = 0.3
"""Longest stretch of missing keypoints that is interpolated; longer ones stay missing."""
SEEN_SHARE = 0.3
"""A vector of a segment that is seen in less than this share of the time that its sensor's point is, is left out."""
SPIKE_S = 0.13
"""Half-width of the running median against which a keypoint is an outlier."""

_MID_HIP = {"left_hip": 0.5, "right_hip": 0.5}
_MID_SHOULDER = {"left_shoulder": 0.5, "right_shoulder": 0.5}


def _limb(site: str) -> tuple[dict[str, float], list[tuple[dict[str, float], dict[str, float]]]]:
    """The point nearest to a sensor at a site, and the (from, to) vectors fixed to its segment."""
    if site == "head":
        return {"nose": 1.0}, [(_MID_SHOULDER, {"nose": 1.0}), ({"left_ear": 1.0}, {"right_ear": 1.0})]
    if site == "chest":
        return _MID_SHOULDER, [(_MID_HIP, _MID_SHOULDER), ({"left_shoulder": 1.0}, {"right_shoulder": 1.0})]
    if site == "pelvis":
        return _MID_HIP, [(_MID_HIP, _MID_SHOULDER), ({"left_hip": 1.0}, {"right_hip": 1.0})]
    side, part = site.split("_", 1)
    upper, lower, share = {
        "upper_arm": ("shoulder", "elbow", 0.7),
        "wrist": ("elbow", "wrist", 1.0),
        "thigh": ("hip", "knee", 0.5),
        "shank": ("knee", "ankle", 0.5),
        "foot": ("knee", "ankle", 1.0),
    }[part]
    a, b = f"{side}_{upper}", f"{side}_{lower}"
    point = {b: share, a: 1.0 - share} if share < 1.0 else {b: 1.0}
    return point, [({a: 1.0}, {b: 1.0})]


def _mix(keypoints: FloatArray, weights: dict[str, float]) -> FloatArray:
    """Weighted mean (T, 2) of keypoints (T, 17, 2)."""
    return np.asarray(sum(w * keypoints[:, COCO17.index(name)] for name, w in weights.items()))


@dataclass(frozen=True, eq=False)
class Track:
    """A person's keypoints, cleaned, in metres of the body, on the common grid (NaN where missing).

    time_s (T,); slow_m and fast_m (T, 17, 2): low-passed at SLOW_HZ and FAST_HZ, x right, y UP.
    """

    time_s: FloatArray
    slow_m: FloatArray
    fast_m: FloatArray
    pixels_per_m: float


def grid(start_s: float, end_s: float, rate_hz: float = RATE_HZ) -> FloatArray:
    """Multiples of 1/rate_hz inside [start_s, end_s], so that grids of different streams differ by whole steps."""
    first, last = int(np.ceil(start_s * rate_hz - 1e-6)), int(np.floor(end_s * rate_hz + 1e-6))
    return np.arange(first, last + 1) / rate_hz


def smoothed(values: FloatArray, rate_hz: float, cutoff_hz: float) -> FloatArray:
    """Low-pass (T, k) on a uniform grid, each unbroken run by itself; NaN rows stay."""
    return np.asarray(over_runs(values, lambda run: low_pass(run, rate_hz, cutoff_hz)))


def pixels_per_m(keypoints_px: FloatArray) -> float:
    """Size of a body in the image: median over usual segments of their 90th percentile length per metre.

    Trunk and legs tell it; shoulders and arms where none of those is seen. NaN where nothing of either is.
    """
    for segments_m in USUAL_LENGTHS_M:
        scales = []
        for (a, b), length_m in segments_m.items():
            length = np.linalg.norm(keypoints_px[:, COCO17.index(a)] - keypoints_px[:, COCO17.index(b)], axis=-1)
            length = length[np.isfinite(length)]
            if length.size:
                scales.append(float(np.percentile(length, 90)) / length_m)
        if scales:
            return float(np.median(scales))
    return float("nan")


def without_outliers(poses: Poses) -> FloatArray:
    """Keypoints (T, 17, 2) with NaN where one stands far from its own running median (bursts, swapped sides).

    Far: more than a fifth of the body's size and five times the track's usual spread.
    """
    keypoints = poses.keypoints_px
    half = max(1, round(SPIKE_S * poses.rate_hz))
    body_px = pixels_per_m(keypoints) * 0.5
    if keypoints.shape[0] < 2 * half + 1 or not np.isfinite(body_px):
        return keypoints

    out: FloatArray = keypoints.copy()
    for joint in range(keypoints.shape[1]):
        seen = np.flatnonzero(np.isfinite(keypoints[:, joint, 0]))
        if seen.size < 2 * half + 1:
            continue
        points = keypoints[seen, joint]
        usual = [median_filter(x, 2 * half + 1, mode="nearest") for x in points.T]  # far faster in one dimension
        distance = np.linalg.norm(points - np.stack(usual, axis=1), axis=1)
        far = distance > max(0.2 * body_px, 5.0 * 1.48 * float(np.median(distance)))
        out[seen[far], joint] = np.nan
    return out


_tracks: WeakKeyDictionary[Poses, Track] = WeakKeyDictionary()


def track(poses: Poses) -> Track:
    """Clean a person's keypoints and put them on the common grid.

    Joints that are never seen stay NaN, and so does everything where no segment of known length is seen. Many clocks
    are compared with one person: her track is kept as long as her poses are.
    """
    kept = _tracks.get(poses)
    if kept is None:
        kept = _tracks[poses] = _track(poses)
    return kept


def _track(poses: Poses) -> Track:
    keypoints = without_outliers(poses)
    scale = pixels_per_m(keypoints)
    time_s = grid(poses.time_s[0], poses.time_s[-1])
    if time_s.size < 2:  # a few frames between two steps: two rows, in which everything may be missing
        time_s = (np.floor(poses.time_s[0] * RATE_HZ) + np.arange(2)) / RATE_HZ
    gap = max(BRIDGED_S, 2.5 / poses.rate_hz)
    metres = resample_vectors(poses.time_s, keypoints, time_s, max_gap_s=gap) * np.array([1.0, -1.0]) / scale
    slow, fast = np.empty_like(metres), np.empty_like(metres)
    for joint in range(metres.shape[1]):
        for out, hz in ((slow, SLOW_HZ), (fast, FAST_HZ)):
            out[:, joint] = smoothed(metres[:, joint], RATE_HZ, min(hz, 0.4 * poses.rate_hz))
    return Track(time_s, slow, fast, scale)


def limb_signals(person: Track, site: str) -> dict[str, FloatArray]:
    """Signals (T,) of the limb at a site, on the track's grid; NaN where a keypoint is missing.

    turn: turning rate of the segment, as the norm of the change of its unit-free vector, m/s.
    load: |acceleration + gravity| of the sensor's point, m/s²; shake: |acceleration|.
    heave: acceleration upwards, m/s².
    tilt0, bearing0, tilt1 ...: upward and rightward parts of the segment's vectors, m.
    """
    point, vectors = _limb(site)
    at_m = _mix(person.slow_m, point)
    acceleration = rate_of_change(rate_of_change(at_m))
    out = {
        "load": np.linalg.norm(acceleration + [0.0, GRAVITY_M_S2], axis=1),
        "shake": np.linalg.norm(acceleration, axis=1),
        "heave": acceleration[:, 1],
    }
    turning = np.zeros(person.time_s.size)
    for i, (start, end) in enumerate(vectors):
        vector = _mix(person.fast_m, end) - _mix(person.fast_m, start)
        # What is seen seldom (ears from behind, hips at a desk) would leave little of the rest, and has no say.
        if _rows_seen(vector) <= SEEN_SHARE * _rows_seen(at_m):
            continue
        out[f"tilt{i}"], out[f"bearing{i}"] = vector[:, 1], vector[:, 0]
        turning += np.square(rate_of_change(vector)).sum(axis=1)
    out["turn"] = np.sqrt(turning) if "tilt0" in out or "tilt1" in out else np.full_like(turning, np.nan)
    return out


def _rows_seen(values: FloatArray) -> int:
    return int(np.count_nonzero(np.isfinite(values).all(axis=1)))


def rate_of_change(values: FloatArray) -> FloatArray:
    """Central difference per second of values (T, k) on the common grid; NaN where there is but one."""
    if values.shape[0] < 2:
        return np.full_like(values, np.nan)
    return np.asarray(np.gradient(values, 1.0 / RATE_HZ, axis=0))
