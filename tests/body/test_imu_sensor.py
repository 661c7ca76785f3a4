"""The chip's errors have the sizes that their names promise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kinebind import InputError
from kinebind.body.imu_sensor import SensorErrors, digitised, sensed

FULL = SensorErrors(
    acc_scale=0.01, gyr_scale=0.02, acc_cross=0.005, gyr_cross=0.004, gyr_per_acc_rad_s_per_m_s2=4e-4,
    acc_bias_m_s2=0.1, gyr_bias_rad_s=0.02, acc_drift_m_s2=0.03, gyr_drift_rad_s=0.005, drift_time_s=5.0,
    acc_noise_density=6.5e-3, gyr_noise_density=6.5e-4, acc_range_m_s2=157.0, gyr_range_rad_s=34.9, bits=16,
)  # fmt: skip


def read(errors, acc, gyr, rate_hz=100.0, seed=0):
    return sensed(acc, gyr, errors, rate_hz, np.random.default_rng(seed))


def allan_deviation(values, rate_hz, tau_s):
    """Overlapping Allan deviation of rates (U, K) at averaging time tau_s (IEEE 952-1997)."""
    n = round(tau_s * rate_hz)
    angle = np.cumsum(values, axis=0) / rate_hz
    second = angle[2 * n :] - 2 * angle[n:-n] + angle[: -2 * n]
    return np.sqrt(np.mean(second**2) / (2 * (n / rate_hz) ** 2))


@pytest.mark.parametrize("rate_hz", [25.0, 100.0, 400.0])
def test_allan_deviation_gives_the_densities_back(rate_hz):
    still = np.zeros((int(500 * rate_hz), 2, 3))
    noise_only = SensorErrors(acc_noise_density=6.5e-3, gyr_noise_density=6.5e-4)
    acc, gyr = (v.reshape(-1, 6) for v in read(noise_only, still, still, rate_hz))
    for tau in (0.2, 1.0, 4.0):
        assert allan_deviation(acc, rate_hz, tau) * np.sqrt(tau) == pytest.approx(6.5e-3, rel=0.08)
        assert allan_deviation(gyr, rate_hz, tau) * np.sqrt(tau) == pytest.approx(6.5e-4, rel=0.08)


def test_drift_is_stationary_and_forgets_with_its_time_constant():
    drift = SensorErrors(acc_drift_m_s2=0.05, gyr_drift_rad_s=0.01, drift_time_s=2.0)
    acc, gyr = read(drift, np.zeros((3000, 500, 3)), np.zeros((3000, 500, 3)), 50.0)
    for values, sigma in ((acc, 0.05), (gyr, 0.01)):
        for row in (0, 60, 2999):
            assert np.std(values[row]) == pytest.approx(sigma, rel=0.06)
        assert np.mean(values[500] * values[600]) / sigma**2 == pytest.approx(np.exp(-1.0), abs=0.08)


def test_turn_on_bias_scale_and_cross_talk_have_their_sizes():
    ones = np.ones((2, 4000, 3))
    acc, gyr = read(SensorErrors(acc_bias_m_s2=0.1, gyr_bias_rad_s=0.02), 0 * ones, 0 * ones)
    assert np.std(acc) == pytest.approx(0.1, rel=0.03)
    assert np.std(gyr) == pytest.approx(0.02, rel=0.03)
    np.testing.assert_array_equal(acc[0], acc[1])
    along = np.zeros((2, 4000, 3))
    along[..., 2] = 10.0
    acc, gyr = read(SensorErrors(acc_scale=0.01, acc_cross=0.003, gyr_scale=0.02, gyr_cross=0.001), along, along)
    for values, scale, cross in ((acc, 0.01, 0.003), (gyr, 0.02, 0.001)):
        assert np.std(values[..., 2] - 10.0) == pytest.approx(10 * scale, rel=0.05)
        assert np.std(values[..., :2]) == pytest.approx(10 * cross, rel=0.05)


def test_g_sensitivity_turns_force_into_rate_whatever_its_direction():
    for direction in np.eye(3):
        force = np.tile(9.81 * direction, (1, 5000, 1))
        acc, gyr = read(SensorErrors(gyr_per_acc_rad_s_per_m_s2=np.deg2rad(0.2) / 9.81), force, 0 * force)
        assert np.sqrt(np.mean(np.sum(gyr**2, axis=-1))) == pytest.approx(np.deg2rad(0.2), rel=0.03)
        assert acc is force


def test_range_and_steps():
    values = np.linspace(-50, 50, 1001)
    cut = digitised(values, 20.0, None)
    assert cut.min() == -20.0
    assert cut.max() == 20.0
    step = 40.0 / 2**10
    rounded = digitised(values, 20.0, 10)
    assert rounded.min() == -20.0
    assert rounded.max() == 20.0 - step
    inside = np.abs(values) < 19.9
    assert np.abs(rounded - values)[inside].max() <= step / 2 + 1e-12
    np.testing.assert_allclose(rounded / step, np.rint(rounded / step))
    assert digitised(values, None, None) is values


def test_all_off_is_the_very_same_array():
    acc, gyr = np.random.default_rng(1).standard_normal((2, 50, 2, 3))
    out_acc, out_gyr = read(SensorErrors(), acc, gyr)
    assert out_acc is acc
    assert out_gyr is gyr


@pytest.mark.parametrize("noise", ["acc_noise_density", "gyr_noise_density"])
def test_switching_noise_off_leaves_the_other_draws_as_they_were(noise):
    still = np.zeros((40, 2, 3))
    loud = dataclasses.replace(FULL, bits=None, acc_range_m_s2=None, gyr_range_rad_s=None)
    quiet = dataclasses.replace(loud, **{noise: 0.0})
    other = 1 if noise.startswith("acc") else 0
    np.testing.assert_array_equal(read(loud, still, still)[other], read(quiet, still, still)[other])
    only = SensorErrors(**{noise: getattr(loud, noise)})
    changed = read(loud, still, still)[1 - other] - read(quiet, still, still)[1 - other]
    np.testing.assert_allclose(changed, read(only, still, still)[1 - other], atol=1e-14)


def test_missing_samples_stay_missing():
    acc = np.ones((50, 2, 3))
    acc[10:20, 0] = np.nan
    out, gyr = read(FULL, acc, acc)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(acc))
    np.testing.assert_array_equal(np.isnan(gyr), np.isnan(acc))


@pytest.mark.parametrize(
    "wrong", [{"acc_scale": -0.1}, {"drift_time_s": 0.0}, {"bits": 12}, {"low_pass_of_rate": 0.0}, {"bits": 0}]
)
def test_senseless_errors_are_refused(wrong):
    with pytest.raises(InputError):
        SensorErrors(**wrong)
