"""From the path of rigid points to what ideal IMUs there feel: smoothing splines with analytic derivatives.

A quintic spline is fitted to positions and to sign-continuous quaternions by minimising

    Σ (y_i − s(t_i))² + (λ / dt) ∫ s'''(t)² dt,    λ = (√2 − 1) / (2π·cutoff_hz)⁶,

whose response to a sine of frequency f is 1 / (1 + (√2 − 1)·(f/cutoff_hz)⁶): flat, then −3 dB at the cutoff
(Craven & Wahba 1979; de Boor, A Practical Guide to Splines, ch. XIV). Knots stand no closer than the cutoff
needs, and all sensors share one banded solve. Constant acceleration passes exactly, at the ends too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import solveh_banded
from scipy.sparse import diags_array

from kinebind.body.quaternions import conjugate, multiply, rotate
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2
from kinebind.resample import continuous_quaternions, default_max_gap_s, valid_runs

POSITION_SIGMA_M = 0.001
"""White position noise of marker-based motion capture, metres: what the smoothing assumes unless told."""

_DEGREE = 5
_HALF_POWER = np.sqrt(2.0) - 1.0  # makes the response 1/√2 at the cutoff
_KNOTS_PER_PERIOD = 8.0  # of the cutoff; more change nothing above 1e-3
_HIGHEST = 0.45  # of the source's rate: above it there is nothing to smooth by
_ROUNDING_S = 1e-6  # UNIX times are rounded to a quarter of it: a sample this far outside is inside
# Variance of s'' per unit of white noise: 2/rate · (2π)⁴ · cutoff⁵ · ∫x⁴/(1 + (√2 − 1)x⁶)² dx, x from 0 to ∞.
_NOISE_GAIN = 2.0 * (2.0 * np.pi) ** 4 * (np.pi / 18.0) * _HALF_POWER ** (-5.0 / 6.0)


@dataclass(frozen=True, eq=False)
class Kinematics:
    """What ideal sensors, aligned with their segments, feel at U times and S points; NaN where the path is unknown.

    acc_segment (U, S, 3): specific force f = Rᵀ(p̈ − g), m/s². gyr_segment (U, S, 3): angular rate, rad/s.
    angacc_segment (U, S, 3): angular acceleration, rad/s². All in the segment's frame.
    rot_world_from_segment (U, S, 4): unit quaternions (x, y, z, w).
    """

    acc_segment: FloatArray
    gyr_segment: FloatArray
    angacc_segment: FloatArray
    rot_world_from_segment: FloatArray


def smoothing_cutoff_hz(
    rate_hz: float, position_sigma_m: float = POSITION_SIGMA_M, acc_sigma_m_s2: float = 2.0
) -> float:
    """The cutoff at which white position noise comes out as `acc_sigma_m_s2` of acceleration noise, hertz.

    rate_hz: of the motion source. position_sigma_m: about 0.001 for markers, 0.005–0.02 for poses from video.
    With the default, 1 mm gives 10–16 Hz at 30–285 Hz and 10 mm at 30 Hz gives 4 Hz. Never above 0.45 of the rate.
    Raises InputError unless all three are positive.
    """
    if min(rate_hz, position_sigma_m, acc_sigma_m_s2) <= 0:
        raise InputError("Rate, position noise and acceleration noise must be positive.", "")
    cutoff = (acc_sigma_m_s2**2 * rate_hz / (_NOISE_GAIN * position_sigma_m**2)) ** 0.2
    return float(min(cutoff, _HIGHEST * rate_hz))


def moved(position_world: FloatArray, rot_world_from_segment: FloatArray, offset_segment_m: FloatArray) -> FloatArray:
    """Positions (..., 3) of points fixed to their segments at offsets (..., 3) from the paths' own, metres.

    The lever arm's α×r + ω×(ω×r) follows from differentiating the moved path. Missing rotations give NaN.
    """
    return position_world + rotate(rot_world_from_segment, np.broadcast_to(offset_segment_m, position_world.shape))


def lever_arm_acc(gyr: FloatArray, angacc: FloatArray, offset_m: FloatArray) -> FloatArray:
    """α×r + ω×(ω×r), m/s²: what an offset adds to the specific force. All (..., 3) in one rotating frame."""
    return np.asarray(np.cross(angacc, offset_m) + np.cross(gyr, np.cross(gyr, offset_m)))


def ideal_kinematics(
    time_s: FloatArray,
    position_world: FloatArray,
    rot_world_from_segment: FloatArray,
    at_s: FloatArray,
    *,
    cutoff_hz: float,
) -> Kinematics:
    """Specific force and angular rate of S rigid points at any times, by analytic differentiation.

    time_s (T,), position_world (T, S, 3) metres in a world with z up, rot_world_from_segment (T, S, 4) unit
    quaternions (x, y, z, w), at_s (U,) on the same clock. cutoff_hz: −3 dB point of the smoothing of positions and
    rotations alike (`smoothing_cutoff_hz`). With s the quaternion's spline, before normalisation,
    ω = 2·vec(s* ⊗ ṡ)/|s|². Nothing is extrapolated and no gap (`default_max_gap_s`) is bridged: NaN there, and in
    runs shorter than a period of the cutoff.
    """
    cutoff_hz = min(cutoff_hz, _HIGHEST / float(np.median(np.diff(time_s))))
    sensors = position_world.shape[1]
    paths = np.concatenate([position_world, continuous_quaternions(rot_world_from_segment)], axis=2)  # (T, S, 7)
    out = Kinematics(*(np.full((at_s.size, sensors, k), np.nan) for k in (3, 3, 3, 4)))
    # Sensors that are missing at the same times share one solve.
    known = np.isfinite(paths).all(axis=2)
    groups: dict[bytes, list[int]] = {}
    for s in range(sensors):
        groups.setdefault(known[:, s].tobytes(), []).append(s)
    for members in groups.values():
        valid = known[:, members[0]]
        t, y = time_s[valid], paths[valid][:, members]
        for a, b in valid_runs(time_s, valid, default_max_gap_s(time_s)):
            if (t[b - 1] - t[a]) * cutoff_hz < 1.0 or b - a < 4:
                continue
            first, stop = np.searchsorted(at_s, [t[a] - _ROUNDING_S, t[b - 1] + _ROUNDING_S])
            if stop > first:
                # Times count from the run's start: UNIX times would cost digits.
                spline = _fit(t[a:b] - t[a], y[a:b], cutoff_hz)
                at = np.clip(at_s[first:stop] - t[a], 0.0, t[b - 1] - t[a])
                _fill(out, np.ix_(np.arange(first, stop), np.array(members)), spline, at)
    return out


def _fit(t: FloatArray, y: FloatArray, cutoff_hz: float) -> BSpline:
    """The smoothing spline of values (T, S, 7) at times (T,), which start at 0."""
    dt = float(np.median(np.diff(t)))
    intervals = max(int(np.ceil(t[-1] / max(dt, 1.0 / (_KNOTS_PER_PERIOD * cutoff_hz)))), 1)
    h = t[-1] / intervals
    knots = h * np.arange(-_DEGREE, intervals + _DEGREE + 1)
    basis = BSpline.design_matrix(np.clip(t, 0.0, knots[-_DEGREE - 1]), knots, _DEGREE)
    weight = _HALF_POWER / ((2.0 * np.pi * cutoff_hz) ** 6 * dt * h**5)
    normal = basis.T @ basis + weight * _roughness(intervals)
    bands = np.zeros((_DEGREE + 1, intervals + _DEGREE))
    for d in range(_DEGREE + 1):
        bands[_DEGREE - d, d:] = normal.diagonal(d)
    coefficients = solveh_banded(bands, basis.T @ y.reshape(y.shape[0], -1), overwrite_ab=True, check_finite=False)
    return BSpline.construct_fast(knots, coefficients.reshape(-1, *y.shape[1:]), _DEGREE)


def _roughness(intervals: int) -> diags_array:
    """∫ s'''² over the spline's span as a quadratic form of its coefficients, for unit knot intervals.

    s''' is a quadratic B-spline whose coefficients are third differences; E holds the integrals of products of
    quadratic B-splines, which lack a part at the ends.
    """
    n = intervals + _DEGREE
    difference = diags_array([-1.0, 3.0, -3.0, 1.0], offsets=[0, 1, 2, 3], shape=(n - 3, n))
    pieces = np.array([[6.0, 13.0, 1.0], [13.0, 54.0, 13.0], [1.0, 13.0, 6.0]]) / 120.0
    products = []
    for d in range(3):
        band = np.zeros(n - 3 - d)
        for i in range(3 - d):
            band[i : i + intervals] += pieces[i, i + d]
        products.append(band)
    e = diags_array([products[2], products[1], *products], offsets=[-2, -1, 0, 1, 2])
    return difference.T @ e @ difference


def _fill(out: Kinematics, where: tuple[np.ndarray, ...], spline: BSpline, at_s: FloatArray) -> None:
    """Evaluate a fitted run at times (U,) inside it and write the results to `out` at rows and sensors `where`."""
    position = BSpline.construct_fast(spline.t, np.ascontiguousarray(spline.c[..., :3]), _DEGREE)
    rotation = BSpline.construct_fast(spline.t, np.ascontiguousarray(spline.c[..., 3:]), _DEGREE)
    force_world = position(at_s, 2)
    force_world[..., 2] += GRAVITY_M_S2
    s, ds, dds = rotation(at_s), rotation(at_s, 1), rotation(at_s, 2)
    square = np.einsum("usi,usi->us", s, s)[..., None]
    back = conjugate(s) / square
    turning = 2.0 * multiply(back, ds)  # (ω, d ln|s|²/dt)
    gyr, growth = turning[..., :3], turning[..., 3:]
    out.gyr_segment[where] = gyr
    out.angacc_segment[where] = 2.0 * multiply(back, dds)[..., :3] - growth * gyr
    quat = s / np.sqrt(square)
    out.rot_world_from_segment[where] = quat
    out.acc_segment[where] = rotate(conjugate(quat), force_world)
