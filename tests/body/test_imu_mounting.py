"""How a sensor sits: turns, wander, soft tissue against its differential equation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

from kinebind import InputError
from kinebind.body.imu_mounting import MountingEffects, SoftTissue, draw_turns, draw_walk, soft_tissue_response


def test_random_turns_are_uniform_on_so3():
    turns = Rotation.from_quat(draw_turns(MountingEffects(turn="random"), 20000, np.random.default_rng(0)))
    # Haar measure: the angle has density (1 − cos θ)/π, its mean is π/2 + 2/π; any vector goes anywhere.
    assert np.mean(turns.magnitude()) == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.02)
    sent = turns.apply([0.0, 0.6, 0.8])
    np.testing.assert_allclose(sent.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(sent.T @ sent / len(turns), np.eye(3) / 3, atol=0.015)


def test_a_watch_lies_in_one_of_four_ways_give_or_take_its_spread():
    effects = MountingEffects(turn="watch", watch_spread_rad=0.2)
    turns = Rotation.from_quat(draw_turns(effects, 8000, np.random.default_rng(1)))
    ways = Rotation.from_quat(np.eye(4))
    off = np.stack([(way.inv() * turns).magnitude() for way in ways], axis=1)
    share = np.bincount(off.argmin(axis=1), minlength=4) / 8000
    np.testing.assert_allclose(share, 0.25, atol=0.02)
    assert np.sqrt(np.mean(off.min(axis=1) ** 2)) == pytest.approx(0.2 * np.sqrt(3), rel=0.03)


def test_aligned_sensors_do_not_turn():
    np.testing.assert_array_equal(
        draw_turns(MountingEffects(), 3, np.random.default_rng(2)), np.tile([0, 0, 0, 1.0], (3, 1))
    )


def test_wander_grows_with_the_root_of_time_until_the_strap_holds_it():
    density, hold, rate = 0.01, 20.0, 50.0
    walk = draw_walk(density, hold, rate, (10000, 400), np.random.default_rng(3))
    assert np.std(walk[int(0.5 * rate) - 1]) == pytest.approx(density * np.sqrt(0.5), rel=0.1)
    assert np.std(walk[5000:]) == pytest.approx(density * np.sqrt(hold / 2), rel=0.05)
    # Steps do not depend on the rate at which the walk is sampled.
    slow = draw_walk(density, hold, rate / 10, (1000, 400), np.random.default_rng(4))
    assert np.std(slow[500:]) == pytest.approx(np.std(walk[5000:]), rel=0.06)
    assert np.std(np.diff(walk[::10], axis=0)) == pytest.approx(np.std(np.diff(slow, axis=0)), rel=0.02)


@pytest.mark.parametrize(("f0", "damping"), [(8.0, 0.3), (14.0, 0.2), (20.0, 0.12)])
def test_soft_tissue_is_a_damped_mass_on_a_spring(f0, damping):
    """The response to an impact, against the differential equation solved to 1e-9."""
    rate = 400.0
    time = np.arange(0, 1.2, 1 / rate)
    tissue = SoftTissue((f0, f0), (damping, damping))

    def base(t):
        return 9.81 + 60.0 * np.exp(-0.5 * ((t - 0.3) / 0.02) ** 2)

    w = 2 * np.pi * f0

    def relative(t, x):  # mass against base, driven by the base's specific force; x is its sag
        return [x[1], -base(t) - 2 * damping * w * x[1] - w**2 * x[0]]

    sag = solve_ivp(relative, (0, time[-1]), [-base(0.0) / w**2, 0.0], t_eval=time, rtol=1e-9, atol=1e-12).y
    spring = -2 * damping * w * sag[1] - w**2 * sag[0]
    acc = np.zeros((time.size, 1, 3))
    acc[:, 0, 2] = base(time)
    out, gyr = soft_tissue_response(acc, 0 * acc, tissue, rate, np.random.default_rng(0))
    np.testing.assert_allclose(out[:, 0, 2], spring, atol=0.02 * 60)
    assert out[:20, 0, 2] == pytest.approx(np.full(20, 9.81), abs=1e-9)
    assert not out[..., :2].any()
    assert not gyr.any()


def test_soft_tissue_lets_slow_motion_pass_and_over_reads_at_its_resonance():
    rate, damping, f0 = 100.0, 0.2, 10.0
    time = np.arange(0, 20, 1 / rate)
    tissue = SoftTissue((f0, f0), (damping, damping))
    for hz, gain in ((0.5, 1.0), (f0, np.sqrt(1 + 4 * damping**2) / (2 * damping)), (30.0, None)):
        wave = np.zeros((time.size, 1, 3))
        wave[:, 0, 1] = np.sin(2 * np.pi * hz * time)
        acc, gyr = soft_tissue_response(wave, 2 * wave, tissue, rate, np.random.default_rng(0))
        found = np.sqrt(2 * np.mean(acc[1000:, 0, 1] ** 2))
        if gain is None:
            assert found < 0.2
        else:
            assert found == pytest.approx(gain, rel=0.01)
        np.testing.assert_allclose(gyr, 2 * acc, atol=1e-12)


def test_a_gap_stops_the_ringing_and_nothing_else():
    wave = np.random.default_rng(5).standard_normal((300, 2, 3))
    broken = wave.copy()
    broken[100:120, 0] = np.nan
    tissue = SoftTissue()
    whole, _ = soft_tissue_response(wave, wave, tissue, 100.0, np.random.default_rng(6))
    cut, _ = soft_tissue_response(broken, broken, tissue, 100.0, np.random.default_rng(6))
    np.testing.assert_array_equal(np.isnan(cut), np.isnan(broken))
    np.testing.assert_array_equal(cut[:100], whole[:100])
    np.testing.assert_array_equal(cut[:, 1], whole[:, 1])
    np.testing.assert_allclose(cut[120, 0], broken[120, 0])  # in equilibrium again


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MountingEffects(turn="upside down"),
        lambda: MountingEffects(wander_m_per_sqrt_s=-1.0),
        lambda: SoftTissue(damping=(0.1, 1.2)),
        lambda: SoftTissue(frequency_hz=(20.0, 8.0)),
    ],
)
def test_senseless_amounts_are_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def test_tissue_faster_than_the_sampling_is_refused():
    with pytest.raises(InputError):
        soft_tissue_response(np.zeros((9, 1, 3)), np.zeros((9, 1, 3)), SoftTissue(), 40.0, np.random.default_rng(0))
