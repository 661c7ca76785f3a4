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
from kinebind.nn.recogniser import Recogniser, RecogniserConfig
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.tasks.recognise.by_examples import Looks
from kinebind.tasks.recognise.stretches import Labelled, stretch_of
from kinebind.training.recognise_judged import best_temperature, held_out, tune_and_judge
from kinebind.training.recognise_tuning import RecogniseTuning, logits_of, tune_recogniser
from kinebind.training.recognise_windows import Changes, batch_of, window_about, window_at

UNIVERSAL = Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8))
LOOKS = Looks(window_s=2.0)
QUICK = RecogniseTuning(steps=60, batch=12, looks=LOOKS, warm_steps=5, learning_rate=5e-3, encoder_rate=2e-3)


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
        Labelled(stretch_of([shaken(rate_hz, seed)]), label, str(seed))
        for seed in range(8)
        for label, rate_hz in enumerate((0.5, 3.0))
    ]


def test_it_learns_slow_from_fast(stretches):
    model = tune_recogniser(UNIVERSAL, stretches[:10], 2, QUICK)
    found = logits_of(model, stretches[10:], QUICK).exp()
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
    given = stretches[1].stretch
    batch = batch_of([given], LOOKS, place=0.0)
    assert batch.axes.shape == (1, 1, 6, 100)
    torch.testing.assert_close(batch.axes[0, 0].T, given.felt[0].own[:100])
    end = batch_of([given], LOOKS, place=1.0)
    torch.testing.assert_close(end.axes[0, 0].T, given.felt[0].own[-100:], atol=1e-3, rtol=1e-3)
    assert batch.felt_there.all()
    assert batch.seen.shape[1] == 0


def test_a_short_stretch_stands_in_the_middle_and_the_rest_is_not_there():
    batch = batch_of([stretch_of([shaken(1.0, 0, length_s=1.0)])], LOOKS)
    there = batch.felt_there[0, 0]
    assert 45 <= int(there.sum()) <= 51
    assert there[25:70].all()
    assert not there[:20].any()
    assert not there[80:].any()


def test_a_faster_window_takes_more_of_the_stretch():
    index, low, u = window_at(400, 100, 2.0, 0.0)
    assert (index.start, index.stop) == (0, 100)
    assert (low + u)[-1] == pytest.approx(198.0)
    index, low, _ = window_at(50, 100, 1.0, 0.7)
    assert (index.start, index.stop) == (25, 75)
    assert int(low[0]) == 0


def test_windows_may_show_what_lies_around_a_piece():
    whole = stretch_of([shaken(1.0, 0, length_s=8.0)])
    inside = dataclasses.replace(whole.cut(50, 350), core=(150, 200))
    batch = batch_of([inside], LOOKS, place=0.5)
    assert batch.felt_there.all()
    torch.testing.assert_close(batch.axes[0, 0].T, whole.felt[0].own[175:275], atol=1e-3, rtol=1e-3)
    # Where a recording ends, the window is empty beyond.
    last = dataclasses.replace(whole.cut(300, 400), core=(50, 100))
    batch = batch_of([last], LOOKS, place=1.0)
    assert batch.felt_there[0, 0, :50].all()
    assert not batch.felt_there[0, 0, 51:].any()
    index, low, u = window_about(400, (100, 200), 100, 2.0, 0.0)
    assert (index.start, index.stop) == (0, 100)
    assert (low + u)[[0, -1]].tolist() == pytest.approx([1.0, 199.0])
    assert inside.alone().core is None
    assert inside.alone().samples == 50


def test_a_window_is_told_by_its_middle():
    """What changes at its ends changes the answer less, and nothing for a mean that looks at its middle alone."""
    torch.manual_seed(0)
    model = Recogniser(UNIVERSAL, RecogniserConfig(2)).eval()
    there = torch.ones(1, 1, 40, dtype=torch.bool)
    plain = torch.randn(1, 1, 40, 16)
    other = torch.randn(1, 1, 40, 16)
    ends, middle = plain.clone(), plain.clone()
    ends[:, :, :5], ends[:, :, -5:] = other[:, :, :5], other[:, :, -5:]
    middle[:, :, 15:25] = other[:, :, 15:25]

    def moved(hidden):
        none = torch.zeros(1, 0, 40, dtype=torch.bool)
        return float((model.read(hidden, there, None, none) - model.read(plain, there, None, none)).detach().norm())

    assert moved(ends) < 0.7 * moved(middle)
    with torch.no_grad():
        model.pool["felt"].middle.fill_(60.0)
    assert moved(ends) < 1e-3 * moved(middle)


def test_limbs_are_looked_at_where_there_are_poses():
    poses, imus = made_up_body.take(3, 4.0, ClockMap(0.0))
    both = Labelled(stretch_of([imus[0]], [poses]), 0)
    alone = Labelled(stretch_of([imus[0]]), 1)
    looks = Looks(2.0, ("left_wrist", "right_shank"))
    changed = batch_of(
        [both.stretch, alone.stretch], looks, changes=Changes(), generator=torch.Generator().manual_seed(0)
    )
    assert changed.seen.shape[:2] == (2, 2)
    assert changed.seen_there[0].any()
    assert not changed.seen_there[1].any()
    assert torch.isfinite(changed.seen).all()
    config = dataclasses.replace(QUICK, looks=looks, steps=2)
    model = tune_recogniser(UNIVERSAL, [both, alone], 2, config)
    assert logits_of(model, [both, alone], config).shape == (2, 2)


def test_a_recogniser_is_judged_by_people_it_was_not_shown(stretches):
    judged = tune_and_judge(UNIVERSAL, stretches, ("slow", "fast"), QUICK, {"fast": 2.0}, {"name": "shaken"})
    assert len(judged.by_group) == 2
    assert judged.scores.confusion.sum() == 4
    assert judged.scores.accuracy >= 0.75
    assert judged.found.names == ("slow", "fast")
    assert judged.found.sensors == 1
    assert judged.found.stays_s == (8.0, 2.0)
    assert judged.notes == ()


def test_what_is_held_out_is_never_learnt_from(stretches):
    learn, judge, _ = held_out(stretches, ("slow", "fast"), seed=3)
    assert {own.group for own in learn}.isdisjoint({own.group for own in judge})
    assert len(learn) + len(judge) == len(stretches)
    few = [dataclasses.replace(own, group="me") for own in stretches]
    learn, judge, notes = held_out(few, ("slow", "fast"))
    assert (len(learn), len(judge)) == (12, 4)
    assert not {id(own) for own in learn} & {id(own) for own in judge}
    assert "fewer than four" in notes[-1]


def test_classes_that_cannot_be_judged_are_told(stretches):
    one = dataclasses.replace(stretches[0], label=2)
    learn, judge, notes = held_out([*stretches, one], ("slow", "fast", "once", "never"))
    assert one in learn
    assert one not in judge
    assert notes[:2] == ("'once' has one example: nothing judges it", "'never' has no example")
    with pytest.raises(InputError, match="too few"):
        held_out([stretches[0], one], ("slow", "fast", "once"))


def test_the_temperature_makes_probabilities_right():
    """Answers that are right three times of four, told as if always: the best temperature says 0.75."""
    rng = np.random.default_rng(0)
    truth = torch.tensor(rng.integers(2, size=400))
    wrong = torch.tensor(rng.random(400) < 0.25)
    logits = 6.0 * torch.nn.functional.one_hot(torch.where(wrong, 1 - truth, truth), 2).float()
    temperature = best_temperature(logits, truth)
    told = (logits / temperature).softmax(dim=1).max(dim=1).values.mean()
    assert float(told) == pytest.approx(1.0 - float(wrong.float().mean()), abs=0.01)


def test_too_little_is_refused(stretches):
    with pytest.raises(InputError, match="0 classes"):
        tune_recogniser(UNIVERSAL, [], 2, QUICK)
    with pytest.raises(InputError, match="1 classes"):
        tune_recogniser(UNIVERSAL, stretches[:1], 2, QUICK)
    with pytest.raises(InputError, match="no limbs elbow"):
        Looks(limbs=("elbow",))
    with pytest.raises(InputError, match=r"Windows of 0\.1 s"):
        Looks(window_s=0.1)
    with pytest.raises(InputError, match="below zero"):
        Changes(warp=-1.0)
