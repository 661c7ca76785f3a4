"""Tuning on own recordings: windows and their lags are right, what is held out decides, and too little is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import made_up_body
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.nn.universal import PER_TOKEN, RATE_HZ, UNKNOWN_SITE, Universal, UniversalConfig
from kinebind.parts import SITES
from kinebind.recording import Recording
from kinebind.training.align_tuning import AlignTuning, _batch, _split, pairs_of, tune_alignment

CLOCK = ClockMap(0.4)
FELT_TURNING, SEEN_TURNING = 6, 18  # channels: |ω|, and the speed of the segment in the image


@pytest.fixture(scope="module")
def recordings():
    out = []
    for seed in range(4):
        poses, imus = made_up_body.take(seed, 30.0, CLOCK)
        out.append(pairs_of(Recording((poses,), imus), {i.clock_id: CLOCK for i in imus}, seed))
    return out


@pytest.fixture(scope="module")
def pairs(recordings):
    return [pair for own in recordings for pair in own]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)).eval()


QUICK = AlignTuning(steps=60, batch=24, learning_rate=3e-3, check_every=20, warm_steps=10, lengths=((2.0, 0.6),))


@pytest.mark.parametrize("plain", [True, False])
def test_at_the_lag_that_is_told_both_streams_show_the_same_movement(pairs, plain):
    learn, _ = _split(pairs, QUICK)
    drawn = _batch(learn, QUICK, (3.0, 0.6), torch.Generator().manual_seed(1), plain)
    assert drawn.felt.shape[0] == QUICK.batch
    assert (drawn.lag_s.abs() <= 0.6).all()
    assert drawn.lag_s.unique().numel() > 10
    hidden = drawn.felt_site == UNKNOWN_SITE
    assert hidden.any() != plain
    assert torch.equal(drawn.felt_site[~hidden], drawn.site[~hidden])
    assert {SITES[int(s)] for s in drawn.site} == (
        {"left_wrist", "right_shank"} if plain else {"left_wrist", "right_wrist", "left_shank", "right_shank"}
    )
    right = []
    for felt, seen, lag_s in zip(drawn.felt[:, FELT_TURNING], drawn.seen[:, SEEN_TURNING], drawn.lag_s, strict=True):
        lags = range(-45, 46)
        r = [np.corrcoef(felt[max(0, -k) : 150 - max(0, k)], seen[max(0, k) : 150 + min(0, k)])[0, 1] for k in lags]
        right.append(abs(lags[int(np.argmax(r))] / RATE_HZ - float(lag_s)) <= 0.1)
    assert np.mean(right) > 0.5  # by chance a ninth


def test_what_pose2imu_is_told_is_what_the_sensor_felt_then(pairs):
    drawn = _batch(_split(pairs, QUICK)[0], QUICK, (2.0, 0.6), torch.Generator().manual_seed(2))
    for felt, told, known, lag_s in zip(drawn.felt, drawn.told, drawn.told_known, drawn.lag_s, strict=True):
        at = torch.arange(told.shape[1]) - round(float(lag_s) * RATE_HZ)
        assert torch.equal(known, (at >= 0) & (at < told.shape[1]))
        # Channel 2 is |f| − g over 3, as the first of what is told.
        assert torch.allclose(told[0][known], felt[2][at[known]], atol=1e-5)


def test_what_is_held_out_is_never_learnt_from(pairs, recordings):
    learn, judge = _split(pairs, QUICK)
    assert {s.pair.recording for s in learn}.isdisjoint({s.pair.recording for s in judge})
    few_learn, few_judge = _split([pair for own in recordings[:3] for pair in own], QUICK)
    assert {s.pair.recording for s in few_learn} == {s.pair.recording for s in few_judge} == {0, 1, 2}
    for one, other in zip(few_learn, few_judge, strict=True):
        assert one.stop <= other.start


def test_a_model_that_knows_nothing_learns_and_the_beginning_is_untouched(pairs, model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tuned = tune_alignment(model, pairs, QUICK)
    assert tuned.step > 0
    assert tuned.after["loss"] < tuned.before["loss"] - 0.2
    assert tuned.history[0]["step"] == 0
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert any(not torch.equal(before[name], value) for name, value in tuned.model.state_dict().items())


def test_the_same_seed_tunes_the_same(pairs, model):
    quick = replace(QUICK, steps=4, check_every=2)
    one, two = (tune_alignment(model, pairs, quick) for _ in range(2))
    assert one.history == two.history


def test_where_nothing_helps_the_model_stays_what_it_was(pairs, model):
    ruined = tune_alignment(model, pairs, replace(QUICK, steps=8, check_every=2, patience=2, learning_rate=1e3))
    assert ruined.step == 0
    assert ruined.after == ruined.before
    assert len(ruined.history) == 3  # its beginning, and two looks without gain
    for name, value in model.state_dict().items():
        assert torch.equal(ruined.model.state_dict()[name], value)


def test_too_little_is_refused(recordings, model):
    with pytest.raises(InputError, match="to learn from"):
        tune_alignment(model, recordings[0], replace(QUICK, least_s=1e4))
    with pytest.raises(InputError, match="0 s of sensors"):
        tune_alignment(model, [], QUICK)


def test_of_several_people_one_must_be_named(recordings):
    poses, imus = made_up_body.take(0, 30.0, CLOCK)
    two = Recording((poses,), imus).replace(people=(poses, poses.replace(person="other")))
    with pytest.raises(InputError, match="2 people"):
        pairs_of(two, {})
    assert pairs_of(Recording((poses,), imus), {}) == []


def test_windows_are_whole_tokens():
    assert all(round(w * RATE_HZ) % PER_TOKEN == 0 for w, _ in AlignTuning().lengths)
