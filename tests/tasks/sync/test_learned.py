"""The universal model's say in synchronisation: mechanics, with a model that has learnt nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinebind import ClockMap, Recording
from kinebind.nn.universal import PER_TOKEN, Universal, UniversalConfig
from kinebind.tasks.sync import sync
from kinebind.tasks.sync.estimate import MODEL_MOST_S
from kinebind.tasks.sync.learned import Learned, _on_samples
from sync_scene import imu, poses


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)).eval()


@pytest.fixture(scope="module")
def learned(model):
    return Learned(model)


def test_tokens_of_all_phases_stand_at_the_middles_of_what_they_saw():
    phases = np.stack([np.full((5, 2), p) + 10.0 * np.arange(5)[:, None] for p in range(PER_TOKEN)])
    tokens = _on_samples(phases.astype(np.float32), np.ones(30, dtype=bool), 7)
    assert tokens.first == 7
    assert np.isnan(tokens.rows[:2]).all()
    assert np.isnan(tokens.rows[-3:]).all()
    for k in range(2, 27):
        # Token m of phase p covers samples p + 5m … p + 5m + 4.
        assert tokens.rows[k, 0] == (k - 2) % PER_TOKEN + 10.0 * ((k - 2) // PER_TOKEN)


def test_a_sensor_has_a_token_every_tenth_of_a_second_and_a_limb_one_at_every_sample(learned):
    pair = learned.pair(imu("right_wrist", ClockMap(0.0)), poses(), "right_wrist")
    for tokens, step in ((pair.x, PER_TOKEN), (pair.y, 1)):
        there = np.flatnonzero(np.isfinite(tokens.rows[:, 0]))
        assert np.median(np.diff(there)) == step


def test_what_is_missing_has_no_token():
    valid = np.ones(30, dtype=bool)
    valid[10:18] = False
    rows = _on_samples(np.ones((PER_TOKEN, 5, 2), dtype=np.float32), valid, 0).rows
    assert np.isnan(rows[11:17]).all()
    assert np.isfinite(rows[3:8]).all()


def test_a_model_that_knows_nothing_does_not_lead_the_plain_cues_astray(model):
    clock = ClockMap(1.3, 0.0, 10.0)
    recording = Recording((poses(),), (imu("right_wrist", clock), imu("left_shank", clock)))
    (plain,) = sync(recording, search_s=(-5.0, 5.0), shared_clock=True, method="classical").answers
    (helped,) = sync(recording, search_s=(-5.0, 5.0), shared_clock=True, model=model).answers
    assert (plain.method, helped.method) == ("classical", "universal")
    for answer in (plain, helped):
        assert answer.clock is not None
        assert float(answer.clock.to_video(10.0)) == pytest.approx(11.3, abs=0.05)
    assert helped.features != plain.features


def test_each_stream_is_embedded_once(learned):
    one = imu("right_wrist", ClockMap(0.0))
    person = poses()
    first = learned.pair(one, person, "right_wrist")
    again = learned.pair(one, person, "right_wrist")
    assert first.x is again.x
    assert first.y is again.y
    assert learned.pair(one, person, "left_wrist").y is not first.y


def test_the_shipped_model_is_the_default_and_long_recordings_do_without():
    short = Recording((poses(),), (imu("right_wrist", ClockMap(1.3)),))
    assert sync(short, search_s=(-5.0, 5.0)).answers[0].method == "universal"
    far = imu("right_wrist", ClockMap(1.3))
    gone = far.replace(
        time_s=np.append(far.time_s, far.time_s[-1] + MODEL_MOST_S),
        acc_sensor=np.vstack([far.acc_sensor, far.acc_sensor[-1:]]),
        gyr_sensor=None if far.gyr_sensor is None else np.vstack([far.gyr_sensor, far.gyr_sensor[-1:]]),
        rot_world_from_sensor=None,
    )
    result = sync(Recording((poses(),), (gone,)), search_s=(-5.0, 5.0))
    assert result.answers[0].method == "classical"
    assert any("without the model" in note for note in result.notes)
