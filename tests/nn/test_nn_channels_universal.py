"""The universal model's inputs: what no mounting, heading, place or distance changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinebind.nn.felt_channels import FELT_CHANNELS, felt_channels, told_signals
from kinebind.nn.seen_channels import SEEN_CHANNELS, body_scale, seen_channels
from kinebind.parts import COCO17, SITES

RATE_HZ = 50.0
S = 150


@pytest.fixture
def readings():
    rng = np.random.default_rng(0)
    smooth = np.stack([np.convolve(x, np.ones(8) / 8, "same") for x in rng.normal(size=(6, S))], axis=1)
    acc, gyr = 6.0 * smooth[:, :3] + [0.0, 0.0, 9.81], 4.0 * smooth[:, 3:]
    return torch.tensor(acc)[None], torch.tensor(gyr)[None]


def turned(x, rotation):
    return torch.tensor(rotation.apply(x[0].numpy()))[None]


def channels(acc, gyr, has_gyr=True):
    return felt_channels(acc, gyr, torch.tensor([has_gyr]), torch.ones(1, S, dtype=torch.bool), RATE_HZ)


def test_the_heading_of_the_gravity_frame_does_not_matter(readings):
    acc, gyr = readings
    about_z = Rotation.from_euler("z", 1.234)
    got = channels(turned(acc, about_z), turned(gyr, about_z))
    assert got.shape == (1, FELT_CHANNELS, S)
    assert (got - channels(acc, gyr)).abs().max() < 1e-9


def test_a_tilt_of_the_gravity_frame_does_matter(readings):
    acc, gyr = readings
    about_x = Rotation.from_euler("x", 0.3)
    assert (channels(turned(acc, about_x), turned(gyr, about_x)) - channels(acc, gyr)).abs().max() > 0.1


def test_without_a_gyroscope_no_mounting_matters(readings):
    acc, gyr = readings
    anyhow = Rotation.random(rng=np.random.default_rng(1))
    none = torch.zeros_like(gyr)
    assert (channels(turned(acc, anyhow), none, False) - channels(acc, none, False)).abs().max() < 1e-9


def test_at_rest_nothing_is_felt():
    acc = torch.tensor([0.0, 0.0, 9.81]).expand(1, S, 3)
    got = channels(acc, torch.zeros(1, S, 3))
    assert got[:, :-2].abs().max() < 1e-5
    assert (got[:, -2:] == 1.0).all()


def test_what_is_missing_is_zero(readings):
    acc, gyr = readings
    valid = torch.ones(1, S, dtype=torch.bool)
    valid[0, 50:60] = False
    got = felt_channels(acc, gyr, torch.tensor([True]), valid, RATE_HZ)
    assert not got[0, :16, 50:60].any()
    assert not got[0, 17, 50:60].any()
    assert got[0, 17].sum() == S - 10


def test_pose2imus_signals_are_named_ones():
    acc = torch.tensor([[[0.0, 0.0, 12.81], [0.0, 9.81, 0.0]]])
    gyr = torch.tensor([[[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]])
    told = torch.sinh(told_signals(acc, gyr))[0]
    assert told.numpy() == pytest.approx(np.array([[1.0, 0.0], [1.0, 0.0], [1.0, -3.27]]), abs=1e-5)


def people():
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.normal(size=(S, 17, 2)), axis=0) * 0.02
    return torch.tensor(walk + rng.normal(size=(17, 2)) * 0.4)[None]


@pytest.mark.parametrize("site", SITES)
def test_where_a_person_stands_does_not_matter(site):
    metres, index = people(), torch.tensor([SITES.index(site)])
    seen = torch.ones(1, S, 17, dtype=torch.bool)
    here = seen_channels(metres, seen, index, RATE_HZ)
    there = seen_channels(metres + torch.tensor([3.0, -1.0]), seen, index, RATE_HZ)
    assert here.shape == (1, SEEN_CHANNELS, S)
    assert (here - there).abs().max() < 1e-6


def test_pixels_per_metre_follow_the_camera():
    metres = people()
    seen = torch.ones(1, S, 17, dtype=torch.bool)
    near, far = body_scale(metres * 400.0, seen), body_scale(metres * 100.0, seen)
    assert float(near / far) == pytest.approx(4.0)


def test_somebody_before_a_desk_is_measured_by_the_arms():
    metres = people()
    seen = torch.ones(1, S, 17, dtype=torch.bool)
    seen[:, :, 11:] = False
    assert float(body_scale(metres * 100.0, seen)) > 0
    seen[:] = False
    assert body_scale(metres, seen).isnan().all()


def test_each_site_looks_at_its_own_limb():
    metres, seen = people(), torch.ones(1, S, 17, dtype=torch.bool)
    for site, joint in (("left_wrist", "left_wrist"), ("right_shank", "right_ankle"), ("head", "nose")):
        moved = metres.clone()
        moved[:, 60:, COCO17.index(joint)] += torch.tensor([0.3, 0.1])
        sites = torch.arange(len(SITES))
        before, after = (
            seen_channels(m.expand(len(SITES), -1, -1, -1), seen.expand(len(SITES), -1, -1), sites, RATE_HZ)
            for m in (metres, moved)
        )
        changes = (after - before).abs().amax(dim=(1, 2))
        assert changes[SITES.index(site)] > 0.1
        assert changes[SITES.index("right_wrist" if site != "right_wrist" else "left_wrist")] < 1e-6 or "shank" in site


def test_a_hidden_joint_is_told(readings):
    metres, seen = people(), torch.ones(1, S, 17, dtype=torch.bool)
    seen[:, 30:40, COCO17.index("left_wrist")] = False
    flags = seen_channels(metres, seen, torch.tensor([SITES.index("left_wrist")]), RATE_HZ)[0, -5:]
    assert not flags[0, 30:40].any()  # the nearest point
    assert flags[1].all()  # the elbow
    assert not flags[2, 30:40].any()
