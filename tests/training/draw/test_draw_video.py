"""Batched cameras project as `kinebind.body.camera` does; errors come in the amounts that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind.body.camera import look_at, project
from kinebind.training.draw.video import Filming, _front, _projected, _stamp_errors, filmed

NOTHING = Filming(sway=0.0, smoothed=0.0, hidden=0.0, noise_m=(1e-6, 2e-6), no_face=0.0, misstamped=0.0)


def body(frames, generator):
    """People of scattered points who stand about 1 m up, (4, frames, 17, 3)."""
    points = 0.4 * torch.randn(4, 1, 17, 3, generator=generator) + torch.tensor([0.0, 0.0, 1.0])
    return points.expand(-1, frames, -1, -1)


def test_a_projection_is_the_pinholes(generator):
    points = body(3, generator)
    azimuth, elevation = torch.tensor([0.0, 1.0, 2.0, -2.5]), torch.tensor([0.1, 0.3, 0.0, -0.1])
    distance = torch.tensor([4.0, 5.0, 3.5, 8.0])
    pixels, _ = _projected(points, azimuth, elevation, distance, torch.zeros(4))
    for b in range(4):
        middle = points[b].reshape(-1, 3).mean(dim=0).double().numpy()
        a, e, d = float(azimuth[b]), float(elevation[b]), float(distance[b])
        at = middle + d * np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        camera = look_at(at, middle)
        expected = (project(points[b].double().numpy(), camera) - camera.centre_px) / camera.focal_px * 1000.0
        np.testing.assert_allclose(pixels[b].numpy(), expected, atol=0.1)


def test_frames_lie_inside_the_span_in_order(generator):
    time_s, pixels, seen = filmed(body(400, generator), 23.0, (0.5, 3.0), Filming(), generator)
    assert time_s.min() >= 0.5
    assert time_s.max() <= 3.0
    assert (time_s.diff(dim=1) > 0).all()
    assert pixels.shape == (4, int(2.5 * 23), 17, 2)
    assert seen.shape == (4, int(2.5 * 23), 17)


def test_a_still_body_before_a_perfect_detector_stands_still(generator):
    points = body(400, generator)[:1].expand(100, -1, -1, -1)
    _, pixels, _ = filmed(points, 30.0, (0.5, 3.0), NOTHING, generator)
    calm = pixels.std(dim=1).amax(dim=(1, 2)) < 1.0
    assert 0.3 < calm.float().mean() < 0.8  # the others have bursts or swapped sides, which are drawn for some


def test_noise_has_its_size(generator):
    noisy = Filming(sway=0.0, smoothed=0.0, hidden=0.0, noise_m=(0.02, 0.0201), no_face=0.0, misstamped=0.0)
    points = body(400, generator)[:1].expand(200, -1, -1, -1)
    _, pixels, _ = filmed(points, 30.0, (0.5, 3.0), noisy, generator)
    # Metres of the body: about 1000 px at one metre, 2.5 to 8.5 m away.
    spread = (pixels.diff(dim=1).std(dim=1) / np.sqrt(2.0)).median()
    assert 0.3 * 0.02 * 1000 / 5.5 < spread < 1.3 * 0.02 * 1000 / 5.5


def test_hidden_limbs_are_hidden_together(generator):
    hiding = Filming(sway=0.0, smoothed=0.0, hidden=1.0, noise_m=(1e-6, 2e-6), no_face=1.0)
    points = body(400, generator)[:1].expand(50, -1, -1, -1)
    _, _, seen = filmed(points, 30.0, (0.5, 3.0), hiding, generator)
    assert not seen[:, :, :5].any()
    lost = (~seen[:, :, 9]).float().mean(dim=1)
    assert lost.mean() > 0.1
    # Elbow and wrist go together but for joints that a detector loses by themselves.
    assert (seen[:, :, 7] == seen[:, :, 9]).float().mean() > 0.85


@pytest.mark.parametrize("sway", [0.0, 1.0])
def test_a_shaken_camera_moves_all_joints_alike(generator, sway):
    shaken = Filming(sway=sway, sway_m=0.3, smoothed=0.0, hidden=0.0, noise_m=(1e-6, 2e-6), no_face=0.0, misstamped=0.0)
    points = body(400, generator)[:1].expand(60, -1, -1, -1)
    _, pixels, _ = filmed(points, 30.0, (0.5, 3.0), shaken, generator)
    moved = pixels - pixels[:, :1]
    together = moved.median(dim=2).values
    size = together.square().mean(dim=(1, 2)).sqrt()
    assert (size > 2.0).float().mean() == pytest.approx(sway, abs=0.25)


def test_misstamped_frames_were_taken_at_other_times(generator):
    """A body that moves evenly tells when a frame was taken."""
    points = body(400, generator)[:1].expand(400, -1, -1, -1).clone()
    points[..., 2] += torch.arange(400)[None, :, None] / 400.0
    wrong = Filming(sway=0.0, smoothed=0.0, hidden=0.0, noise_m=(1e-7, 2e-7), misstamped=1.0, stamp_s=0.08)
    errors = _stamp_errors(torch.arange(60)[None].expand(400, -1) / 30.0, 30.0, wrong, generator)
    spread = float(errors.square().mean().sqrt())
    assert 0.5 * 0.08 * 3**-0.5 < spread < 1.5 * 0.08 * 3**-0.5
    assert errors.diff(dim=1).abs().quantile(0.99) < 0.025  # a slow wander
    right = Filming(misstamped=0.0)
    assert not _stamp_errors(torch.arange(60)[None] / 30.0, 30.0, right, generator).any()


@pytest.mark.parametrize("facing", [-2.0, 0.0, 1.0, 3.0])
def test_a_camera_before_the_person_sees_the_left_on_the_right(facing):
    points = torch.zeros(1, 10, 17, 3)
    left = torch.tensor([np.cos(facing + np.pi / 2), np.sin(facing + np.pi / 2), 0.0], dtype=torch.float32)
    for k in (5, 11):
        points[:, :, k], points[:, :, k + 1] = 0.2 * left, -0.2 * left
    front = _front(points)
    assert float(torch.cos(front - facing)) == pytest.approx(1.0, abs=1e-5)
    pixels, _ = _projected(points, front, torch.zeros(1), torch.full((1,), 4.0), torch.zeros(1))
    assert (pixels[0, :, 5, 0] > pixels[0, :, 6, 0]).all()
