"""A batch: shapes, truth of the lag, and that the same seed gives the same."""

from __future__ import annotations

import torch

from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.nn.universal import RATE_HZ, UNKNOWN_SITE
from kinebind.training.draw.sensors import Wearing
from kinebind.training.draw.video import Filming
from kinebind.training.draw.windows import Drawing, draw

CALM = Drawing(
    wearing=Wearing(rates_hz=(100.0,), acc_only=0.0, tissue=0.0, gap=0.0, tilt_deg=1.0),
    filming=Filming(sway=0.0, smoothed=0.0, hidden=0.0, noise_m=(1e-4, 2e-4), misstamped=0.0),
)


def test_shapes_and_numbers(library, generator):
    drawn = draw(library, 5, 2.0, 0.7, Drawing(), generator)
    assert drawn.felt.shape == (15, FELT_CHANNELS, 100)
    assert drawn.seen.shape == (15, SEEN_CHANNELS, 100)
    assert all(getattr(drawn, name).isfinite().all() for name in ("felt", "seen", "told", "lag_s"))
    assert drawn.lag_s.abs().max() <= 0.7
    by_body = drawn.site.view(5, 3)
    assert all(len(set(row.tolist())) == 3 for row in by_body)
    assert (drawn.lag_s.view(5, 3) == drawn.lag_s.view(5, 3)[:, :1]).all()


def test_some_sites_are_told_and_some_are_not(library, generator):
    drawn = draw(library, 40, 2.0, 0.7, Drawing(), generator)
    hidden = drawn.felt_site == UNKNOWN_SITE
    assert 0.35 < hidden.float().mean() < 0.65
    assert (drawn.felt_site == drawn.site)[~hidden].all()


def test_what_is_felt_is_seen_a_lag_later(library, generator):
    """The truth that training aims at, by correlation: |acceleration| felt, and what the video shows of it."""
    drawn = draw(library, 40, 3.0, 1.0, CALM, generator)
    force, shown = drawn.felt[:, 2], drawn.seen[:, 23]  # |f| − g, and |2D acceleration + g| − g
    most = 60
    best = []
    for k in range(len(force)):
        scores = []
        for lag in range(-most, most + 1):
            a, b = max(0, -lag), min(150, 150 - lag)
            pair = torch.stack([force[k, a:b], shown[k, a + lag : b + lag]])
            scores.append(torch.corrcoef(pair)[0, 1] * (b - a) ** 0.5)
        best.append((int(torch.stack(scores).nan_to_num().argmax()) - most) / RATE_HZ)
    error = (torch.tensor(best) - drawn.lag_s).abs()
    assert error.median() < 0.05


def test_pose2imu_is_asked_for_what_is_felt_at_the_videos_samples(library, generator):
    drawn = draw(library, 10, 2.0, 0.5, CALM, generator)
    for k in range(len(drawn.felt)):
        by = drawn.lag_s[k] * RATE_HZ
        samples = torch.arange(100.0)
        inside = drawn.told_known[k]
        place = (samples - by)[inside]
        low = place.floor().long().clamp(0, 98)
        line = drawn.felt[k, 2, low] + (place - low) * (drawn.felt[k, 2, low + 1] - drawn.felt[k, 2, low])
        assert (drawn.told[k, 0, inside] - line).abs().max() < 1e-3
        assert inside.sum() >= 100 - abs(float(by)) - 2


def test_the_same_seed_draws_the_same(library):
    one, two = (draw(library, 3, 2.0, 0.7, Drawing(), torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one.felt, two.felt)
    assert torch.equal(one.seen, two.seen)
