"""A recogniser learns what it is shown, the same way each time, and windows are what they should be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import made_up_body
from kinebind import InputError
from kinebind.clock import ClockMap
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.training.recognise_tuning import (
    Labelled,
    RecogniseTuning,
    _window,
    answers,
    batch_of,
    felt_sample,
    seen_sample,
    tune_recogniser,
)

UNIVERSAL = Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8))
QUICK = RecogniseTuning(steps=60, batch=12, window_s=2.0, warm_steps=5, learning_rate=5e-3, encoder_rate=2e-3)


def shaken(rate_hz, seed, length_s=3.0):
    """A sensor that turns to and fro about its y axis at a rate."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(length_s * 100)) / 100.0
    phase = rng.uniform(0, 6.28)
    gyr = np.zeros((t.size, 3))
    gyr[:, 1] = 3.0 * np.sin(2 * np.pi * rate_hz * t + phase)
    acc = np.tile([0.0, 0.0, GRAVITY_M_S2], (t.size, 1)) + 0.2 * rng.standard_normal((t.size, 3))
    return Imu(t, acc, gyr, name=f"{rate_hz} {seed}")


@pytest.fixture(scope="module")
def stretches():
    return [
        Labelled((felt_sample(shaken(rate_hz, seed)),), None, label, str(seed))
        for seed in range(8)
        for label, rate_hz in enumerate((0.5, 3.0))
    ]


def test_it_learns_slow_from_fast(stretches):
    model = tune_recogniser(UNIVERSAL, stretches[:10], 2, QUICK)
    found = answers(model, stretches[10:], QUICK)
    assert found.sum(dim=1) == pytest.approx(1.0, abs=1e-5)
    right = found.argmax(dim=1) == torch.tensor([s.label for s in stretches[10:]])
    assert right.float().mean() >= 5 / 6


def test_the_same_seed_gives_the_same_and_frozen_encoders_stay(stretches):
    few = dataclasses.replace(QUICK, steps=3, frozen=True)
    one, two = (tune_recogniser(UNIVERSAL, stretches, 2, few) for _ in range(2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    for name, tensor in UNIVERSAL.felt.state_dict().items():
        assert torch.equal(tensor, one.felt.state_dict()[name])
    moved = tune_recogniser(UNIVERSAL, stretches, 2, dataclasses.replace(few, frozen=False))
    assert any(not torch.equal(t, moved.felt.state_dict()[n]) for n, t in UNIVERSAL.felt.state_dict().items())


def test_unchanged_windows_are_the_stretch_itself(stretches):
    given = stretches[1]
    batch = batch_of([given], QUICK, None, place=0.0)
    assert batch.axes.shape == (1, 1, 6, 100)
    torch.testing.assert_close(batch.axes[0, 0].T, given.felt[0].own[:100])
    end = batch_of([given], QUICK, None, place=1.0)
    torch.testing.assert_close(end.axes[0, 0].T, given.felt[0].own[-100:], atol=1e-3, rtol=1e-3)
    assert batch.felt_there.all()
    assert batch.seen.shape[1] == 0


def test_a_short_stretch_stands_in_the_middle_and_the_rest_is_not_there():
    short = Labelled((felt_sample(shaken(1.0, 0, length_s=1.0)),), None, 0)
    batch = batch_of([short], QUICK, None)
    there = batch.felt_there[0, 0]
    assert 45 <= int(there.sum()) <= 51
    assert there[25:70].all()
    assert not there[:20].any()
    assert not there[80:].any()


def test_a_faster_window_takes_more_of_the_stretch():
    index, low, u = _window(400, 100, 2.0, 0.0)
    assert (index.start, index.stop) == (0, 100)
    assert (low + u)[-1] == pytest.approx(198.0)
    index, low, _ = _window(50, 100, 1.0, 0.7)
    assert (index.start, index.stop) == (25, 75)
    assert int(low[0]) == 0


def test_limbs_are_looked_at_where_there_are_poses():
    poses, imus = made_up_body.take(3, 4.0, ClockMap(0.0))
    both = Labelled((felt_sample(imus[0]),), seen_sample(poses), 0)
    alone = Labelled((felt_sample(imus[0]),), None, 1)
    config = dataclasses.replace(QUICK, limbs=("left_wrist", "right_shank"))
    batch = batch_of([both, alone], config, torch.Generator().manual_seed(0))
    assert batch.seen.shape[:2] == (2, 2)
    assert batch.seen_there[0].any()
    assert not batch.seen_there[1].any()
    assert torch.isfinite(batch.seen).all()
    model = tune_recogniser(UNIVERSAL, [both, alone], 2, dataclasses.replace(config, steps=2))
    assert answers(model, [both, alone], config).shape == (2, 2)


def test_too_little_is_refused(stretches):
    with pytest.raises(InputError, match="0 classes"):
        tune_recogniser(UNIVERSAL, [], 2, QUICK)
    with pytest.raises(InputError, match="1 classes"):
        tune_recogniser(UNIVERSAL, stretches[:1], 2, QUICK)
    with pytest.raises(InputError, match="no limbs elbow"):
        RecogniseTuning(limbs=("elbow",))
