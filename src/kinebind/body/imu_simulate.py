"""IMUs simulated from motion: geometry, mounting, soft tissue, sensor and clock put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kinebind.body.imu_clock import TimingEffects, kept, sample_times, stamped, without
from kinebind.body.imu_fit import FittedMounting
from kinebind.body.imu_geometry import ideal_kinematics, lever_arm_acc, moved, smoothing_cutoff_hz
from kinebind.body.imu_mounting import (
    MountingEffects,
    SoftTissue,
    draw_turns,
    draw_walk,
    soft_tissue_response,
)  # fmt: skip
from kinebind.body.imu_sensor import SensorErrors, sensed
from kinebind.body.quaternions import conjugate, multiply, rotate
from kinebind.body.segments import Posture, posture
from kinebind.body.sites import SiteTrajectory, site_trajectory
from kinebind.clock import ClockMap, FloatArray, median_rate_hz
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.motion import Motion
from kinebind.parts import SITES
from kinebind.resample import low_pass, over_runs

_SAME_CLOCK = ClockMap(0.0)
_INTERNAL_HZ = 100.0  # slower sensors are computed at a multiple of their rate, at least this, and thinned


@dataclass(frozen=True)
class ImuEffects:
    """All that stands between motion and a reading; each part is off by default, so `ImuEffects()` is ideal."""

    mounting: MountingEffects = field(default_factory=MountingEffects)
    tissue: SoftTissue | None = None
    sensor: SensorErrors = field(default_factory=SensorErrors)
    timing: TimingEffects = field(default_factory=TimingEffects)


IDEAL = ImuEffects()
"""No effect at all."""

BODY_WORN = ImuEffects(
    MountingEffects(turn="random", random_place=True, wander_m_per_sqrt_s=0.001, wander_rad_per_sqrt_s=0.01),
    None,
    SensorErrors(
        low_pass_of_rate=0.4,
        acc_scale=0.005, gyr_scale=0.005, acc_cross=0.005, gyr_cross=0.005,
        gyr_per_acc_rad_s_per_m_s2=np.deg2rad(0.2) / GRAVITY_M_S2,
        acc_bias_m_s2=0.05, gyr_bias_rad_s=np.deg2rad(0.5),
        acc_drift_m_s2=0.01, gyr_drift_rad_s=np.deg2rad(0.05),
        acc_noise_density=6.5e-3, gyr_noise_density=6.5e-4,
        acc_range_m_s2=16 * GRAVITY_M_S2, gyr_range_rad_s=np.deg2rad(2000.0), bits=16,
    ),
    TimingEffects(random_phase=True, jitter_s=0.001),
)  # fmt: skip
"""The full sensor model of a good body-worn IMU, mounted at random."""

HARD = dataclasses.replace(
    BODY_WORN, tissue=SoftTissue(), timing=TimingEffects(random_phase=True, jitter_s=0.001, lost_share=0.02)
)
"""`BODY_WORN` on soft tissue, and 2 % of the samples lost."""

PRESETS: dict[str, ImuEffects] = {"ideal": IDEAL, "body-worn": BODY_WORN, "hard": HARD}
"""Named effects, from none to all."""


def simulate_imu(
    trajectory: SiteTrajectory,
    *,
    rng: np.random.Generator,
    rate_hz: float = 100.0,
    effects: ImuEffects = BODY_WORN,
    clock: ClockMap = _SAME_CLOCK,
    name: str = "",
    clock_id: str = "",
    cutoff_hz: float | None = None,
    mounting: FittedMounting | None = None,
    orientation: bool = False,
) -> Imu:
    """What one IMU on a given path would have recorded; `simulate_imus` explains the arguments that both share.

    trajectory: on the video's clock; the sensor sits at its point. name: by default the trajectory's site.
    mounting: from `fit_mounting`, in place of the turn that effects would draw; its biases are added, its lever arm
    counts from the trajectory's point, and its lag is left to `clock` (`ClockMap(mounting.lag_s)`).
    """
    names = [name or trajectory.site]
    return _on_one_clock([trajectory], names, clock_id, clock, rng, rate_hz, effects, cutoff_hz, mounting, orientation)[
        0
    ]


def simulate_imus(
    motion: Motion | Posture,
    sites: Sequence[str],
    *,
    rng: np.random.Generator,
    rate_hz: float = 100.0,
    effects: ImuEffects = BODY_WORN,
    clocks: ClockMap | Sequence[ClockMap] = _SAME_CLOCK,
    clock_id: str = "imus",
    cutoff_hz: float | None = None,
    orientation: bool = False,
) -> tuple[Imu, ...]:
    """IMUs at sites of a body, on given clocks, which are the truth to be found: video_time = clock.to_video(imu_time).

    motion: on the video's clock. sites: of `kinebind.parts.SITES`; each IMU is named after its site.
    clocks: one for all (they share `clock_id` and sample together), or one for each site (clock_id is the site).
    rate_hz: on the sensor's own clock. cutoff_hz: −3 dB point of the smoothing; by default `smoothing_cutoff_hz` of
    the motion's rate for 1 mm of noise. orientation: also give the true rot_world_from_sensor.
    rng: a fresh generator of the same seed gives the same data (streams are spawned from it); each effect draws from
    a stream of its own, so that switching one off leaves the others as they were.
    Where the motion is missing, samples are NaN.

    Raises InputError for unknown sites, a skeleton without them, too short a motion, and a wrong number of clocks.
    """
    if not isinstance(clocks, ClockMap) and len(clocks) != len(sites):
        raise InputError(f"{len(clocks)} clocks for {len(sites)} sites.", "Give one clock, or one for each site.")
    body = motion if isinstance(motion, Posture) else posture(motion)
    paths = [
        site_trajectory(body, site, rng=own if effects.mounting.random_place else None)
        for site, own in zip(sites, rng.spawn(len(sites)), strict=True)
    ]
    if isinstance(clocks, ClockMap):
        return tuple(_on_one_clock(paths, sites, clock_id, clocks, rng, rate_hz, effects, cutoff_hz, None, orientation))
    return tuple(
        _on_one_clock([path], [path.site], path.site, clock, rng, rate_hz, effects, cutoff_hz, None, orientation)[0]
        for path, clock in zip(paths, clocks, strict=True)
    )


def _on_one_clock(
    paths: Sequence[SiteTrajectory],
    names: Sequence[str],
    clock_id: str,
    clock: ClockMap,
    rng: np.random.Generator,
    rate_hz: float,
    effects: ImuEffects,
    cutoff_hz: float | None,
    mounting: FittedMounting | None,
    orientation: bool,
) -> list[Imu]:
    """Sensors that sample together, from paths that share their times."""
    for_phase, for_turns, for_wander, for_tissue, for_sensor, for_jitter, for_losses = rng.spawn(7)
    time_s, count = paths[0].time_s, len(paths)
    if mounting is None:
        turns = draw_turns(effects.mounting, count, for_turns)
    else:
        turns = mounting.rot_segment_from_sensor[None]
    rot = np.stack([t.rot_world_from_segment for t in paths], axis=1)
    position = np.stack([t.position_world for t in paths], axis=1)
    if mounting is not None:
        position = moved(position, rot, mounting.lever_arm_segment_m)

    phase = float(for_phase.random()) if effects.timing.random_phase else 0.0
    imu_s, video_s = sample_times(float(time_s[0]), float(time_s[-1]), rate_hz, clock, phase)
    fold = max(1, int(np.ceil(_INTERNAL_HZ / rate_hz - 1e-9)))
    fine_hz = fold * rate_hz
    if fold > 1:
        video_s = clock.to_video(imu_s[0] + np.arange((imu_s.size - 1) * fold + 1) / fine_hz)
    cutoff_hz = smoothing_cutoff_hz(median_rate_hz(time_s)) if cutoff_hz is None else cutoff_hz
    ideal = ideal_kinematics(time_s, position, rot, video_s, cutoff_hz=cutoff_hz)

    acc, gyr = ideal.acc_segment, ideal.gyr_segment
    acc, gyr, turns_now = _mounted(acc, gyr, ideal.angacc_segment, turns, effects.mounting, fine_hz, for_wander)
    if effects.tissue is not None:
        acc, gyr = soft_tissue_response(acc, gyr, effects.tissue, fine_hz, for_tissue)
    if effects.sensor.low_pass_of_rate is not None:
        edge_hz = effects.sensor.low_pass_of_rate * rate_hz
        both = np.concatenate([acc, gyr], axis=2)
        for s in range(count):
            both[:, s] = over_runs(both[:, s], lambda run: low_pass(run, fine_hz, edge_hz))
        acc, gyr = both[..., :3], both[..., 3:]
    acc, gyr = acc[::fold], gyr[::fold]
    if mounting is not None:
        acc, gyr = acc + mounting.acc_bias_m_s2, gyr + mounting.gyr_bias_rad_s
    acc, gyr = sensed(acc, gyr, effects.sensor, rate_hz, for_sensor)
    quat = multiply(ideal.rot_world_from_segment, turns_now)[::fold] if orientation else None

    stamps = stamped(imu_s, rate_hz, effects.timing, for_jitter)
    imus = []
    for s in range(count):
        arrives = kept(imu_s.size, rate_hz, effects.timing, for_losses)
        site = paths[s].site if paths[s].site in SITES else None
        rot_world = None if quat is None else quat[:, s]
        imu = Imu(stamps, acc[:, s], gyr[:, s], rot_world, name=names[s], site=site, clock_id=clock_id)
        imus.append(without(imu, ~arrives, effects.timing))
    return imus


def _mounted(
    acc: FloatArray,
    gyr: FloatArray,
    angacc: FloatArray,
    turns: FloatArray,
    effects: MountingEffects,
    rate_hz: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Readings (U, S, 3) in the sensor's frame, and its turn (S, 4) or (U, S, 4) to the segment.

    Wander is slow, so its own rate and acceleration are left out: the arm and the turn just change.
    """
    for_place, for_turn = rng.spawn(2)
    walk = (effects.wander_hold_s, rate_hz, acc.shape)
    if effects.wander_m_per_sqrt_s:
        acc = acc + lever_arm_acc(gyr, angacc, draw_walk(effects.wander_m_per_sqrt_s, *walk, for_place))
    if effects.wander_rad_per_sqrt_s:
        half = 0.5 * draw_walk(effects.wander_rad_per_sqrt_s, *walk, for_turn)
        # Gibbs' vector: a proper rotation at any angle, by θ to third order.
        slack = np.concatenate([half, np.ones((*half.shape[:-1], 1))], axis=-1)
        turns = multiply(turns, slack / np.linalg.norm(slack, axis=-1, keepdims=True))
    if effects.wander_rad_per_sqrt_s or (turns[:, :3] != 0).any():
        acc, gyr = rotate(conjugate(turns), acc), rotate(conjugate(turns), gyr)
    return acc, gyr, turns
