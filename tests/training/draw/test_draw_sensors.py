"""Batched sensors obey physics, and agree with the exact simulator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind.body.imu_geometry import ideal_kinematics
from kinebind.body.made_up import made_up_motion
from kinebind.body.sites import site_trajectory
from kinebind.training.draw.sensors import FINE_HZ, Wearing, measured

PERFECT = Wearing(rates_hz=(100.0,), acc_only=0.0, tissue=0.0, gap=0.0, tilt_deg=0.0)
OUT_S = 0.5 + torch.arange(100) / 50.0


def still(count=40):
    position = torch.zeros(count, 300, 3) + torch.tensor([1.0, 2.0, 1.2])
    rot = torch.zeros(count, 300, 4)
    rot[..., 3] = 1.0
    return position, rot


def test_at_rest_a_sensor_reads_gravity_and_does_not_turn(generator):
    acc, gyr, has_gyr, valid = measured(*still(), OUT_S, PERFECT, generator)
    assert has_gyr.all()
    assert valid.all()
    # Biases and noise of a real chip are in it: 0.08 m/s² and 0.015 rad/s an axis.
    assert acc.mean(dim=(0, 1)).numpy() == pytest.approx([0.0, 0.0, 9.81], abs=0.1)
    assert acc.norm(dim=-1).std() < 0.25
    assert gyr.mean(dim=(0, 1)).abs().max() < 0.02
    assert gyr.norm(dim=-1).max() < 0.15


def test_a_swinging_point_reads_what_its_path_says(generator):
    t = torch.arange(300) / FINE_HZ
    position, rot = still(60)
    position = position.clone()
    position[..., 2] += 0.1 * torch.sin(2.0 * torch.pi * 1.5 * t)
    acc, *_ = measured(position, rot, OUT_S, PERFECT, generator)
    wanted = 9.81 - 0.1 * (3.0 * torch.pi) ** 2 * torch.sin(3.0 * torch.pi * OUT_S)
    assert (acc[..., 2].mean(dim=0) - wanted).abs().max() < 0.15


def test_a_turning_sensor_reads_its_rate_in_the_frame_that_is_level(generator):
    t = torch.arange(300) / FINE_HZ
    position, rot = still(60)
    half = 0.5 * 2.0 * t  # 2 rad/s about the vertical
    rot = torch.stack([0 * half, 0 * half, half.sin(), half.cos()], dim=-1).expand(60, -1, -1)
    _, gyr, *_ = measured(position, rot, OUT_S, PERFECT, generator)
    assert gyr.mean(dim=(0, 1)).numpy() == pytest.approx([0.0, 0.0, 2.0], abs=0.03)


def test_readings_agree_with_the_exact_simulator(generator):
    motion = made_up_motion(3.0, np.random.default_rng(2), rate_hz=100)
    path = site_trajectory(motion, "right_wrist")
    ideal = ideal_kinematics(
        path.time_s, path.position_world[:, None], path.rot_world_from_segment[:, None], OUT_S.double().numpy(),
        cutoff_hz=12.0,
    )  # fmt: skip
    position = torch.tensor(path.position_world, dtype=torch.float32).expand(200, -1, -1)
    rot = torch.tensor(path.rot_world_from_segment, dtype=torch.float32).expand(200, -1, -1)
    acc, gyr, *_ = measured(position, rot, OUT_S, PERFECT, generator)
    force = np.linalg.norm(ideal.acc_segment[:, 0], axis=-1)
    rate = np.linalg.norm(ideal.gyr_segment[:, 0], axis=-1)
    assert np.corrcoef(acc.norm(dim=-1).mean(dim=0).numpy(), force)[0, 1] > 0.99
    assert np.corrcoef(gyr.norm(dim=-1).mean(dim=0).numpy(), rate)[0, 1] > 0.995
    assert np.abs(gyr.norm(dim=-1).mean(dim=0).numpy() - rate).mean() < 0.1


def test_without_a_gyroscope_readings_stay_in_the_sensors_frame(generator):
    position, rot = still(200)
    acc, gyr, has_gyr, _ = measured(
        position, rot, OUT_S, Wearing(rates_hz=(50.0,), acc_only=1.0, tissue=0.0), generator
    )
    assert not has_gyr.any()
    assert not gyr.any()
    assert acc.mean(dim=(0, 1)).abs().max() < 1.5  # gravity points anywhere
    assert acc.norm(dim=-1).mean() == pytest.approx(9.81, abs=0.1)


def test_a_gap_is_a_straight_line_that_counts_as_missing(generator):
    t = torch.arange(300) / FINE_HZ
    position, rot = still(30)
    position = position + 0.1 * torch.sin(2.0 * torch.pi * 2.0 * t)[:, None]
    lossy = Wearing(rates_hz=(100.0,), acc_only=0.0, tissue=0.0, gap=1.0, tilt_deg=0.0)
    acc, _, _, valid = measured(position, rot, OUT_S, lossy, generator)
    missing = (~valid).sum(dim=1)
    assert missing.min() >= 1
    assert missing.max() < 25
    bend = acc[:, :-2] - 2 * acc[:, 1:-1] + acc[:, 2:]
    assert bend[(~valid)[:, 1:-1]].abs().max() < 1e-4


def test_soft_tissue_leaves_slow_motion_and_feigns_fast_one(generator):
    t = torch.arange(300) / FINE_HZ
    loose = Wearing(rates_hz=(100.0,), acc_only=0.0, tissue=1.0, gap=0.0, tilt_deg=0.0)
    size = []
    for hz in (1.0, 11.0):
        position, rot = still(100)
        position = position.clone()
        position[..., 0] += 0.5 / hz**2 * torch.sin(2.0 * torch.pi * hz * t)
        spread = [
            measured(position, rot, OUT_S, w, torch.Generator().manual_seed(1))[0][..., :2].norm(dim=-1).std()
            for w in (PERFECT, loose)
        ]
        size.append(float(spread[1] / spread[0]))
    assert size[0] == pytest.approx(1.0, abs=0.05)
    assert size[1] > 1.2
