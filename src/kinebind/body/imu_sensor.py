"""What the chip does to the truth: bias, noise, drift, scale, cross-talk, range, steps, low-pass."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from kinebind.clock import FloatArray
from kinebind.errors import InputError


@dataclass(frozen=True)
class SensorErrors:
    """Errors of accelerometer and gyroscope. Everything is off unless set; drawn per sensor and axis.

    low_pass_of_rate: −3 dB point of the on-chip low-pass as a share of the sampling rate (0.4 is usual); its delay
        counts as compensated in the time stamps, as makers do.
    acc_scale, gyr_scale: σ of the relative error of scale. acc_cross, gyr_cross: σ of the share of each other axis.
    gyr_per_acc_rad_s_per_m_s2: RMS angular rate that 1 m/s² of specific force feigns (g-sensitivity).
    acc_bias_m_s2, gyr_bias_rad_s: σ of the turn-on bias.
    acc_drift_m_s2, gyr_drift_rad_s: σ of a first-order Gauss–Markov bias with time constant drift_time_s.
    acc_noise_density, gyr_noise_density: white noise, m/s²/√Hz and rad/s/√Hz; σ of a sample is density·√rate.
    acc_range_m_s2, gyr_range_rad_s: readings saturate at ± these. bits: steps of 2·range/2^bits.
    """

    low_pass_of_rate: float | None = None
    acc_scale: float = 0.0
    gyr_scale: float = 0.0
    acc_cross: float = 0.0
    gyr_cross: float = 0.0
    gyr_per_acc_rad_s_per_m_s2: float = 0.0
    acc_bias_m_s2: float = 0.0
    gyr_bias_rad_s: float = 0.0
    acc_drift_m_s2: float = 0.0
    gyr_drift_rad_s: float = 0.0
    drift_time_s: float = 100.0
    acc_noise_density: float = 0.0
    gyr_noise_density: float = 0.0
    acc_range_m_s2: float | None = None
    gyr_range_rad_s: float | None = None
    bits: int | None = None

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None and value < 0:
                raise InputError(f"{name} must not be negative.", "Set it to 0 (or None) to switch it off.")
        if 0 in (self.low_pass_of_rate, self.acc_range_m_s2, self.gyr_range_rad_s, self.bits, self.drift_time_s):
            raise InputError(
                "A low-pass, range, number of bits or drift time of 0 has no meaning.", "Use None for off."
            )
        if self.bits is not None and None in (self.acc_range_m_s2, self.gyr_range_rad_s):
            raise InputError("Quantisation needs the ranges.", "Set acc_range_m_s2 and gyr_range_rad_s.")


def sensed(
    acc: FloatArray, gyr: FloatArray, errors: SensorErrors, rate_hz: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """What sensors read of true specific force and angular rate (U, S, 3), all but the low-pass.

    Each effect draws from a stream of its own, so that switching one off leaves the others as they were.
    """
    streams = iter(rng.spawn(9))
    true_acc = acc
    acc = _scaled(acc, errors.acc_scale, errors.acc_cross, next(streams))
    gyr = _scaled(gyr, errors.gyr_scale, errors.gyr_cross, next(streams))
    draw = next(streams)
    if errors.gyr_per_acc_rad_s_per_m_s2:
        # Nine independent entries of this σ answer a unit force of any direction with RMS g-sensitivity.
        sigma = errors.gyr_per_acc_rad_s_per_m_s2 / np.sqrt(3.0)
        gyr = gyr + _mixed(true_acc, sigma * draw.standard_normal((acc.shape[1], 3, 3)))
    acc = _biased(acc, errors.acc_bias_m_s2, next(streams))
    gyr = _biased(gyr, errors.gyr_bias_rad_s, next(streams))
    acc = _drifting(acc, errors.acc_drift_m_s2, errors.drift_time_s, rate_hz, next(streams))
    gyr = _drifting(gyr, errors.gyr_drift_rad_s, errors.drift_time_s, rate_hz, next(streams))
    acc = _noisy(acc, errors.acc_noise_density, rate_hz, next(streams))
    gyr = _noisy(gyr, errors.gyr_noise_density, rate_hz, next(streams))
    acc = digitised(acc, errors.acc_range_m_s2, errors.bits)
    gyr = digitised(gyr, errors.gyr_range_rad_s, errors.bits)
    return acc, gyr


def digitised(values: FloatArray, full_range: float | None, bits: int | None) -> FloatArray:
    """Values cut to ±full_range and, where `bits` is given, rounded to steps of 2·full_range/2^bits."""
    if full_range is None:
        return values
    if bits is None:
        return np.clip(values, -full_range, full_range)
    step = 2.0 * full_range / 2.0**bits
    # Two's complement has one step less on the positive side.
    return np.asarray(step * np.clip(np.rint(values / step), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1.0))


def _mixed(values: FloatArray, matrix: FloatArray) -> FloatArray:
    """matrix (S, 3, 3) times values (U, S, 3)."""
    return np.asarray(np.matmul(values.swapaxes(0, 1), matrix.swapaxes(1, 2)).swapaxes(0, 1))


def _scaled(values: FloatArray, scale: float, cross: float, rng: np.random.Generator) -> FloatArray:
    diagonal, rest = rng.standard_normal((2, values.shape[1], 3, 3))
    if not scale and not cross:
        return values
    eye = np.eye(3)
    return values + _mixed(values, scale * diagonal * eye + cross * rest * (1.0 - eye))


def _biased(values: FloatArray, sigma: float, rng: np.random.Generator) -> FloatArray:
    return values + sigma * rng.standard_normal(values.shape[1:]) if sigma else values


def _drifting(values: FloatArray, sigma: float, time_s: float, rate_hz: float, rng: np.random.Generator) -> FloatArray:
    if not sigma:
        return values
    keep = np.exp(-1.0 / (rate_hz * time_s))
    steps = rng.standard_normal(values.shape)
    steps[1:] *= np.sqrt(1.0 - keep**2)  # the first stays at full size: the process starts stationary
    return np.asarray(values + sigma * lfilter([1.0], [1.0, -keep], steps, axis=0))


def _noisy(values: FloatArray, density: float, rate_hz: float, rng: np.random.Generator) -> FloatArray:
    return values + density * np.sqrt(rate_hz) * rng.standard_normal(values.shape) if density else values
