"""What others would do: plain correlation of two cues, SyncWISE, and the answer zero.

Correlation is E + A: |angular rate| against the norm of the segment vector's derivative, and |acceleration| against
|2D acceleration + gravity|, zero-mean normalised, times the root of the overlap. It gets the same cleaned keypoints
as the synchroniser and the filters that did best on development data. SyncWISE (Zhang et al., IMWUT 2020) correlates
first principal components in windows and lets them vote by confidence; window length and hop are our choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfiltfilt

from kinebind.clock import FloatArray
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.parts import COCO17
from kinebind.poses import Poses
from kinebind.resample import over_runs, resample_vectors
from kinebind.tasks.sync.limb_signals import RATE_HZ, grid, pixels_per_m, smoothed, without_outliers

VARIANTS: dict[str, tuple[float | None, tuple[float, float] | None]] = {
    "plain": (None, None),
    "low5": (5.0, None),
    "low3": (3.0, None),
    "band6": (None, (0.3, 6.0)),
    "band3": (3.0, (0.3, 3.0)),
}
"""What correlation may choose from on development data: a low-pass of all vectors before their norms are taken, and a
band-pass of the norms, hertz."""
LEAST_OVERLAP_S = 0.5
_SEGMENTS = {"wrist": ("elbow", "wrist"), "shank": ("knee", "ankle"), "thigh": ("hip", "knee"),
             "upper_arm": ("shoulder", "elbow"), "foot": ("knee", "ankle")}  # fmt: skip
_WINDOW_S, _HOP_S, _KERNEL_S = 10.0, 5.0, 0.5


def correlation_offset_s(imus: tuple[Imu, ...], poses: Poses, range_s: tuple[float, float], variant: str) -> float:
    """Offset (video minus IMU time, seconds) by E + A summed over sensors of one clock; A alone without gyroscope."""
    lags = np.arange(round(range_s[0] * RATE_HZ), round(range_s[1] * RATE_HZ) + 1)
    total = np.zeros(lags.size)
    low_hz, band = VARIANTS[variant]
    time_s, metres = metres_on_grid(poses, low_hz)
    for imu in imus:
        seen = cues_seen(imu.site, metres, band)
        grid_s, felt = cues_felt(imu, low_hz, band)
        shift = round((time_s[0] - grid_s[0]) * RATE_HZ)
        for name, x in felt.items():
            total += _correlation(x, seen[name], lags - shift)
    best = int(np.argmax(total))
    return float(lags[best] / RATE_HZ + _parabola(total, best) / RATE_HZ)


def cues(
    imus: tuple[Imu, ...], poses: Poses, sites: tuple[str, ...], time_s: FloatArray, variant: str
) -> tuple[FloatArray, FloatArray]:
    """What correlation compares: cues A and E that each site's sensor feels, and that the video shows of it.

    Both (S, 2, T) at times (T,) that the streams share; NaN where a sensor, its gyroscope or a keypoint is missing.
    """
    low_hz, band = VARIANTS[variant]
    grid_s, metres = metres_on_grid(poses, low_hz)
    felt, seen = np.full((2, len(sites), 2, time_s.size), np.nan)
    for s, site in enumerate(sites):
        for k, x in enumerate(cues_seen(site, metres, band).values()):
            seen[s, k] = _at(time_s, grid_s, x)
        for imu in imus:
            if imu.site == site:
                own_s, own = cues_felt(imu, low_hz, band)
                for k, x in enumerate(own.values()):
                    felt[s, k] = _at(time_s, own_s, x)
    return felt, seen


def lag_of_cues_s(felt: FloatArray, seen: FloatArray, range_s: tuple[float, float]) -> float:
    """Offset (video minus IMU time, seconds) of cues (S, 2, T) and (S, 2, U) at RATE_HZ, both from zero."""
    lags = np.arange(round(range_s[0] * RATE_HZ), round(range_s[1] * RATE_HZ) + 1)
    pairs = zip(felt.reshape(-1, felt.shape[-1]), seen.reshape(-1, seen.shape[-1]), strict=True)
    total = sum((_correlation(x, y, lags) for x, y in pairs), np.zeros(lags.size))
    best = int(np.argmax(total))
    return float(lags[best] + _parabola(total, best)) / RATE_HZ


def _at(time_s: FloatArray, grid_s: FloatArray, signal: FloatArray) -> FloatArray:
    return np.asarray(np.interp(time_s, grid_s, signal, left=np.nan, right=np.nan))


def cues_seen(site: str | None, metres: FloatArray, band: tuple[float, float] | None) -> dict[str, FloatArray]:
    """A and E (T,) of the limb at a site, from keypoints (T, 17, 2) on the common grid."""
    start, end = _segment(site, metres)
    seen = {"A": _norm(_slope(_slope(end)) * 1.1 + [0.0, GRAVITY_M_S2]), "E": _norm(_slope(end - start))}
    return {name: _band(x, band) for name, x in seen.items()}


def cues_felt(
    imu: Imu, low_hz: float | None, band: tuple[float, float] | None
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Times (T,) on the common grid, and A and E (T,) that a sensor feels; A alone without a gyroscope."""
    grid_s, acc, gyr = _felt(imu, low_hz)
    felt = {"A": _norm(acc)} if gyr is None else {"A": _norm(acc), "E": _norm(gyr)}
    return grid_s, {name: _band(x, band) for name, x in felt.items()}


def syncwise_offset_s(imus: tuple[Imu, ...], poses: Poses, range_s: tuple[float, float]) -> float:
    """Offset by SyncWISE: votes of windows of the video, every sensor's windows together."""
    lags = np.arange(round(range_s[0] * RATE_HZ), round(range_s[1] * RATE_HZ) + 1)
    time_s, metres = metres_on_grid(poses, None)
    votes: list[tuple[float, float]] = []
    for imu in imus:
        _, end = _segment(imu.site, metres)
        seen = _first_component(_slope(_slope(end)))
        grid_s, acc, _ = _felt(imu, None)
        felt = _first_component(acc)
        width, hop = round(_WINDOW_S * RATE_HZ), round(_HOP_S * RATE_HZ)
        for start in range(0, max(seen.size - width, 0) + 1, hop):
            shift = round((time_s[0] - grid_s[0]) * RATE_HZ) + start
            # The sign of a principal component is arbitrary.
            curve = np.abs(_correlation(felt, seen[start : start + width], lags - shift))
            spread = float(curve.std())
            if spread > 0:
                peak = int(np.argmax(curve))
                votes.append((lags[peak] / RATE_HZ, abs(float(curve[peak] - np.median(curve))) / spread))
    if not votes:
        return 0.0
    at, weight = np.array(votes).T
    density = (weight * np.exp(-0.5 * ((lags[:, None] / RATE_HZ - at) / _KERNEL_S) ** 2)).sum(axis=1)
    return float(lags[int(np.argmax(density))] / RATE_HZ)


def metres_on_grid(poses: Poses, low_hz: float | None) -> tuple[FloatArray, FloatArray]:
    """Cleaned keypoints (T, 17, 2) on the common grid, metres, y up, low-passed."""
    keypoints = without_outliers(poses)
    time_s = grid(poses.time_s[0], poses.time_s[-1])
    gap_s = max(0.3, 2.5 / poses.rate_hz)
    metres = resample_vectors(poses.time_s, keypoints, time_s, max_gap_s=gap_s) / pixels_per_m(keypoints)
    metres = metres * [1.0, -1.0]
    return time_s, np.stack([_low(metres[:, joint], low_hz) for joint in range(metres.shape[1])], axis=1)


def _low(values: FloatArray, low_hz: float | None) -> FloatArray:
    return values if low_hz is None else smoothed(values, RATE_HZ, low_hz)


def _segment(site: str | None, metres: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The two ends (T, 2) of the segment at a site; the trunk's for head, chest and pelvis."""
    side, _, part = (site or "").partition("_")
    if part not in _SEGMENTS:
        hips = metres[:, [COCO17.index("left_hip"), COCO17.index("right_hip")]].mean(axis=1)
        shoulders = metres[:, [COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]].mean(axis=1)
        return (shoulders, hips) if site == "pelvis" else (hips, shoulders)
    upper, lower = _SEGMENTS[part]
    return metres[:, COCO17.index(f"{side}_{upper}")], metres[:, COCO17.index(f"{side}_{lower}")]


def _felt(imu: Imu, low_hz: float | None) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    grid_s = grid(imu.time_s[0], imu.time_s[-1])
    acc = resample_vectors(imu.time_s, imu.acc_sensor, grid_s, max_gap_s=0.1)
    gyr = None if imu.gyr_sensor is None else resample_vectors(imu.time_s, imu.gyr_sensor, grid_s, max_gap_s=0.1)
    return grid_s, _low(acc, low_hz), None if gyr is None else _low(gyr, low_hz)


def _slope(values: FloatArray) -> FloatArray:
    return np.asarray(np.gradient(values, 1.0 / RATE_HZ, axis=0))


def _norm(values: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(values, axis=1))


def _band(signal: FloatArray, band: tuple[float, float] | None) -> FloatArray:
    if band is None:
        return signal
    sos = butter(2, band, btype="band", fs=RATE_HZ, output="sos")

    def filtered(run: FloatArray) -> FloatArray:
        pad = min(run.shape[0] - 1, round(RATE_HZ / band[0]))
        return np.asarray(sosfiltfilt(sos, run, axis=0, padlen=pad)) if run.shape[0] > 8 else np.full_like(run, np.nan)

    return np.asarray(over_runs(signal[:, None], filtered))[:, 0]


def _first_component(values: FloatArray) -> FloatArray:
    valid = np.isfinite(values).all(axis=1)
    if not valid.any():
        return np.full(values.shape[0], np.nan)
    centred = values - values[valid].mean(axis=0)
    _, _, axes = np.linalg.svd(centred[valid], full_matrices=False)
    return np.asarray(centred @ axes[0])


def _correlation(x: FloatArray, y: FloatArray, lags: npt.NDArray[np.integer[Any]]) -> FloatArray:
    """Normalised correlation of x[t] with y[t + lag] over what both have, times the root of the overlap, (L,)."""
    has_x, has_y = np.isfinite(x), np.isfinite(y)
    x = np.where(has_x, x - (x[has_x].mean() if has_x.any() else 0.0), 0.0)
    y = np.where(has_y, y - (y[has_y].mean() if has_y.any() else 0.0), 0.0)
    size = 1 << int(x.size + y.size).bit_length()
    meet = (lags > -x.size) & (lags < y.size)

    def lagged(a: FloatArray, b: FloatArray) -> FloatArray:
        spectrum = np.conj(np.fft.rfft(a.astype(np.float64), size)) * np.fft.rfft(b.astype(np.float64), size)
        return np.where(meet, np.fft.irfft(spectrum, size)[lags % size], 0.0)

    n = np.maximum(np.round(lagged(has_x, has_y)), 1.0)
    sum_x, sum_y = lagged(x, has_y), lagged(has_x, y)
    xy = lagged(x, y) - sum_x * sum_y / n
    xx = lagged(x * x, has_y) - sum_x**2 / n
    yy = lagged(has_x, y * y) - sum_y**2 / n
    r = xy / np.sqrt(np.maximum(xx * yy, 1e-12 * n * n))
    return np.asarray(np.where(n / RATE_HZ >= LEAST_OVERLAP_S, r * np.sqrt(n / RATE_HZ), 0.0))


def _parabola(curve: FloatArray, peak: int) -> float:
    """Sub-step place of a peak by the parabola through three points, steps."""
    if not 0 < peak < curve.size - 1:
        return 0.0
    below, top, above = curve[peak - 1 : peak + 2]
    bend = below - 2 * top + above
    return float(np.clip(0.5 * (below - above) / bend, -0.5, 0.5)) if bend < 0 else 0.0
