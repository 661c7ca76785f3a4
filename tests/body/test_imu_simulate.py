"""The whole simulator: effects switch off to the bit, clocks are the truth, bodies and gaps go through."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind import ClockMap, InputError, Motion, Skeleton
from kinebind.body.imu_clock import TimingEffects, random_clock
from kinebind.body.imu_fit import FittedMounting
from kinebind.body.imu_geometry import ideal_kinematics, moved
from kinebind.body.imu_mounting import MountingEffects, SoftTissue
from kinebind.body.imu_sensor import SensorErrors
from kinebind.body.imu_simulate import BODY_WORN, HARD, IDEAL, PRESETS, ImuEffects, simulate_imu, simulate_imus
from kinebind.body.quaternions import rotate
from kinebind.body.sites import SiteTrajectory, site_trajectory

TIME = 50.0 + np.arange(0, 6, 1 / 120)
SITES = ("left_shank", "right_shank", "pelvis")


def path(time=TIME, seed=0):
    rng = np.random.default_rng(seed)
    tones = np.sin(2 * np.pi * np.array([0.5, 1.3, 3.1])[:, None] * time + rng.uniform(0, 6, (6, 3, 1)))
    vectors = np.einsum("kft,f->tk", tones, [0.3, 0.15, 0.03])
    quat = Rotation.from_rotvec(1.5 * vectors[:, 3:]).as_quat()
    return SiteTrajectory(time, "left_wrist", vectors[:, :3], quat, np.zeros(3))


def legs(time=TIME):
    """Someone who walks on the spot, as joint positions."""
    joints = ("pelvis", "left_hip", "left_knee", "left_ankle", "left_toe",
              "right_hip", "right_knee", "right_ankle", "right_toe")  # fmt: skip
    swing = 0.5 * np.sin(2 * np.pi * 0.8 * time)
    position = np.zeros((time.size, 9, 3))
    position[:, 0, 2] = 1.0 + 0.02 * np.cos(2 * np.pi * 1.6 * time)
    for base, side in ((1, 1.0), (5, -1.0)):
        for k, (length, angle) in enumerate(((0.0, 0.0 * time), (0.45, side * swing), (0.43, side * swing - 0.3))):
            step = length * np.stack([0 * time, -np.sin(angle), -np.cos(angle)], axis=1)
            before = position[:, 0] + [0.1 * side, 0, -0.1] if k == 0 else position[:, base + k - 1]
            position[:, base + k] = before + step
        position[:, base + 3] = position[:, base + 2] + [0.0, -0.15, -0.05]
    parents = (-1, 0, 1, 2, 3, 0, 5, 6, 7)
    return Motion(time, Skeleton(joints, parents, np.full((9, 3), np.nan)), position_world=position)


def simulate(effects, seed=0, **options):
    return simulate_imu(path(), rng=np.random.default_rng(seed), effects=effects, **options)


def same(a, b):
    return all(
        np.array_equal(getattr(a, f), getattr(b, f)) for f in ("time_s", "acc_sensor", "gyr_sensor")
    )  # fmt: skip


SINGLE = {
    "turn": ImuEffects(MountingEffects(turn="random")),
    "watch": ImuEffects(MountingEffects(turn="watch")),
    "wander place": ImuEffects(MountingEffects(wander_m_per_sqrt_s=0.001)),
    "wander turn": ImuEffects(MountingEffects(wander_rad_per_sqrt_s=0.01)),
    "tissue": ImuEffects(tissue=SoftTissue()),
    **{
        name: ImuEffects(sensor=SensorErrors(**{name: getattr(BODY_WORN.sensor, name)}))
        for name in (
            "acc_scale", "gyr_scale", "acc_cross", "gyr_cross", "gyr_per_acc_rad_s_per_m_s2", "acc_bias_m_s2",
            "gyr_bias_rad_s", "acc_drift_m_s2", "gyr_drift_rad_s", "acc_noise_density", "gyr_noise_density",
        )
    },
    "low-pass": ImuEffects(sensor=SensorErrors(low_pass_of_rate=0.05)),
    "range": ImuEffects(sensor=SensorErrors(acc_range_m_s2=8.0, gyr_range_rad_s=1.0)),
    "bits": ImuEffects(sensor=SensorErrors(acc_range_m_s2=100.0, gyr_range_rad_s=20.0, bits=10)),
    "phase": ImuEffects(timing=TimingEffects(random_phase=True)),
    "jitter": ImuEffects(timing=TimingEffects(jitter_s=0.001)),
    "losses": ImuEffects(timing=TimingEffects(lost_share=0.1)),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_each_effect_alone_does_something_and_nothing_once_it_is_off(name):
    ideal = simulate(IDEAL)
    assert not same(simulate(SINGLE[name]), ideal)
    off = {f.name: f.default for f in dataclasses.fields(SensorErrors)}
    switched_off = dataclasses.replace(
        SINGLE[name], mounting=MountingEffects(), tissue=None, sensor=SensorErrors(**off), timing=TimingEffects()
    )
    assert same(simulate(switched_off, seed=5), ideal)


def test_ideal_is_the_ideal_kinematics_to_the_bit():
    p, imu = path(), simulate(IDEAL, cutoff_hz=15.0)
    k = ideal_kinematics(
        p.time_s, p.position_world[:, None], p.rot_world_from_segment[:, None], imu.time_s, cutoff_hz=15.0
    )
    np.testing.assert_array_equal(imu.acc_sensor, k.acc_segment[:, 0])
    np.testing.assert_array_equal(imu.gyr_sensor, k.gyr_segment[:, 0])
    assert imu.site == "left_wrist"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seed_gives_the_same_data(preset):
    assert same(simulate(PRESETS[preset], seed=3), simulate(PRESETS[preset], seed=3))
    assert same(simulate(PRESETS[preset], seed=3), simulate(PRESETS[preset], seed=4)) == (preset == "ideal")


@pytest.mark.parametrize("rate_hz", [20.0, 33.3, 100.0, 256.0, 1000.0])
def test_any_rate_samples_the_same_movement(rate_hz):
    """Twice the same second, at 1 kHz and at the rate: with tissue and low-pass they agree to their roll-off."""
    effects = ImuEffects(tissue=SoftTissue((10.0, 10.0), (0.2, 0.2)), timing=TimingEffects(random_phase=True))
    imu, fine = simulate(effects, rate_hz=rate_hz), simulate(effects, rate_hz=1000.0)
    assert imu.rate_hz == pytest.approx(rate_hz)
    assert imu.duration_s == pytest.approx(6.0, abs=2 / rate_hz + 0.01)
    inside = (imu.time_s > fine.time_s[300]) & (imu.time_s < fine.time_s[-1])
    for axis in range(3):
        twin = np.interp(imu.time_s[inside], fine.time_s, fine.acc_sensor[:, axis])
        np.testing.assert_allclose(imu.acc_sensor[inside, axis], twin, atol=0.15)


@pytest.mark.parametrize("offset", [0.0, -31.7, 1.6e9])
def test_the_clock_given_is_the_truth(offset):
    p = path()
    clock = ClockMap(offset, 400e-6, 53.0 - offset)
    imu = simulate(ImuEffects(timing=TimingEffects(random_phase=True)), clock=clock)
    k = ideal_kinematics(
        p.time_s, p.position_world[:, None], p.rot_world_from_segment[:, None], clock.to_video(imu.time_s),
        cutoff_hz=13.4,
    )  # fmt: skip
    np.testing.assert_allclose(imu.gyr_sensor, k.gyr_segment[:, 0], atol=0.02)
    assert imu.rate_hz == pytest.approx(100.0)
    assert float(clock.to_video(imu.time_s[0])) == pytest.approx(50.0, abs=0.0101)
    wrong = ideal_kinematics(
        p.time_s, p.position_world[:, None], p.rot_world_from_segment[:, None], clock.to_video(imu.time_s) - 0.05,
        cutoff_hz=13.4,
    )  # fmt: skip
    assert np.nanmax(np.abs(imu.gyr_sensor - wrong.gyr_segment[:, 0])) > 0.2


@pytest.mark.parametrize("rate_hz", [20.0, 100.0])
def test_orientation_turns_readings_into_the_world(rate_hz):
    p = path()
    wandering = ImuEffects(MountingEffects(turn="random", wander_rad_per_sqrt_s=0.02))
    imu = simulate(wandering, orientation=True, rate_hz=rate_hz)
    in_world = rotate(imu.rot_world_from_sensor, imu.acc_sensor) - [0, 0, 9.81]
    still = np.tile([0.0, 0.0, 0.0, 1.0], (p.time_s.size, 1))
    world = ideal_kinematics(p.time_s, p.position_world[:, None], still[:, None], imu.time_s, cutoff_hz=13.4)
    np.testing.assert_allclose(in_world, world.acc_segment[:, 0] - [0, 0, 9.81], atol=0.05)


def test_wander_tilts_slowly_and_a_known_mounting_is_obeyed():
    steady = simulate(ImuEffects(MountingEffects(turn="random")), seed=8)
    wandering = simulate(ImuEffects(MountingEffects(turn="random", wander_rad_per_sqrt_s=0.01)), seed=8)
    angle = np.linalg.norm(steady.acc_sensor - wandering.acc_sensor, axis=1) / np.linalg.norm(steady.acc_sensor, axis=1)
    assert angle[0] < 0.005
    assert 0.005 < angle[-100:].mean() < 0.1
    np.testing.assert_allclose(
        np.linalg.norm(wandering.gyr_sensor, axis=1), np.linalg.norm(steady.gyr_sensor, axis=1), atol=1e-12
    )
    turn, arm = Rotation.from_rotvec([0.5, -1.0, 0.3]), np.array([0.03, -0.1, 0.02])
    known = FittedMounting(turn.as_quat(), arm, np.full(3, 0.2), np.full(3, -0.01), 0.0, 0.0, 0.0)
    p = path()
    elsewhere = dataclasses.replace(p, position_world=moved(p.position_world, p.rot_world_from_segment, arm))
    there = simulate_imu(elsewhere, rng=np.random.default_rng(0), effects=IDEAL)
    imu = simulate(IDEAL, mounting=known)
    np.testing.assert_allclose(imu.acc_sensor, rotate(turn.inv().as_quat(), there.acc_sensor) + 0.2, atol=1e-9)
    np.testing.assert_allclose(imu.gyr_sensor, rotate(turn.inv().as_quat(), there.gyr_sensor) - 0.01, atol=1e-9)


@pytest.mark.parametrize("effects", [BODY_WORN, HARD], ids=["body-worn", "hard"])
def test_a_worn_sensor_at_rest_reads_gravity_and_no_rate_but_for_its_errors(effects):
    still = SiteTrajectory(
        TIME, "chest", np.ones((TIME.size, 3)), np.tile([0.5, 0.5, 0.5, 0.5], (TIME.size, 1)), np.zeros(3)
    )
    norms, rates = [], []
    for seed in range(40):
        imu = simulate_imu(still, rng=np.random.default_rng(seed), effects=effects)
        norms.append(imu.rest_norm_m_s2())
        rates.append(np.linalg.norm(imu.gyr_sensor.mean(axis=0)))
    assert np.mean(norms) == pytest.approx(9.81, abs=0.04)
    # Turn-on bias, drift and scale along gravity, all independent.
    assert np.std(norms) == pytest.approx(np.sqrt(0.05**2 + 0.01**2 + (0.005 * 9.81) ** 2), rel=0.35)
    assert 0.003 < np.mean(rates) < 0.03


def test_sensors_of_one_recorder_share_their_times_and_others_do_not():
    motion = legs()
    together = simulate_imus(motion, SITES, rng=np.random.default_rng(1), clocks=ClockMap(3.0), clock_id="logger")
    assert [i.name for i in together] == list(SITES)
    assert {i.clock_id for i in together} == {"logger"}
    for imu in together[1:]:
        np.testing.assert_array_equal(imu.time_s, together[0].time_s)
    rng = np.random.default_rng(1)
    clocks = [random_clock(TIME[0], TIME[-1], rng) for _ in SITES]
    apart = simulate_imus(motion, SITES, rng=rng, clocks=clocks)
    assert [i.clock_id for i in apart] == list(SITES)
    for imu, clock in zip(apart, clocks, strict=True):
        assert float(clock.to_video(imu.time_s[0])) == pytest.approx(TIME[0], abs=0.015)
        assert imu.site == imu.name
    with pytest.raises(InputError, match="2 clocks"):
        simulate_imus(motion, SITES, rng=rng, clocks=clocks[:2])
    with pytest.raises(InputError, match="tail"):
        simulate_imus(motion, ("tail",), rng=rng)


def test_many_sites_at_once_are_the_same_as_one_by_one():
    motion = legs()
    together = simulate_imus(motion, SITES, rng=np.random.default_rng(0), effects=IDEAL)
    for imu in together:
        alone = simulate_imu(site_trajectory(motion, imu.name), rng=np.random.default_rng(9), effects=IDEAL)
        np.testing.assert_allclose(imu.acc_sensor, alone.acc_sensor, atol=1e-9)
        np.testing.assert_allclose(imu.gyr_sensor, alone.gyr_sensor, atol=1e-9)


def test_a_random_place_moves_the_sensor_and_changes_no_other_draw():
    motion = legs()
    sensor = dataclasses.replace(BODY_WORN.sensor, gyr_per_acc_rad_s_per_m_s2=0.0)  # else force reaches the rate
    placed = dataclasses.replace(BODY_WORN, sensor=sensor)
    nominal = dataclasses.replace(placed, mounting=dataclasses.replace(BODY_WORN.mounting, random_place=False))
    a, b = (simulate_imus(motion, SITES[:2], rng=np.random.default_rng(2), effects=e) for e in (nominal, placed))
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.gyr_sensor, other.gyr_sensor)
        assert 0.01 < np.std(one.acc_sensor - other.acc_sensor) < 3.0


def test_the_low_pass_follows_a_slow_sensors_rate_and_keeps_vibration_from_folding_back():
    vibration = np.zeros((TIME.size, 3))
    vibration[:, 0] = 0.005 * np.sin(2 * np.pi * 12.0 * TIME)
    p = SiteTrajectory(TIME, "chest", vibration, np.tile([0, 0, 0, 1.0], (TIME.size, 1)), np.zeros(3))
    filtered = ImuEffects(sensor=SensorErrors(low_pass_of_rate=0.4))
    folded, kept = (
        simulate_imu(p, rng=np.random.default_rng(0), effects=e, rate_hz=20.0, cutoff_hz=40.0).acc_sensor[10:-10, 0]
        for e in (IDEAL, filtered)
    )
    assert np.std(folded) == pytest.approx(0.005 * (2 * np.pi * 12.0) ** 2 / np.sqrt(2), rel=0.1)
    assert np.std(kept) < 0.1 * np.std(folded)


def test_missing_motion_is_missing_in_the_sensor():
    motion = legs()
    position = motion.position_world.copy()
    position[200:300, 2:5] = np.nan  # the hip stays: the pelvis, and so the other leg, hangs on it
    broken = motion.replace(position_world=position)
    left, right = simulate_imus(broken, SITES[:2], rng=np.random.default_rng(3), effects=HARD)
    gap = (left.time_s > TIME[205]) & (left.time_s < TIME[295])
    assert np.isnan(left.acc_sensor[gap]).all()
    assert np.isfinite(left.acc_sensor[~gap]).mean() > 0.97
    assert np.isfinite(right.acc_sensor).all()


def test_a_motion_too_short_to_sample_is_refused():
    short = path(TIME[:2])
    with pytest.raises(InputError, match="fewer than two samples"):
        simulate_imu(short, rng=np.random.default_rng(0), rate_hz=20.0)
