"""What is asked of the model itself, on made-up clips: mounting does not matter, Pose2IMU is judged by what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_zero_shot_utd import split

import kinebind
from kinebind.bench import zero_shot_model as asked
from kinebind.bench.measured import figures
from kinebind.nn import onnx_export
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.tasks import onnx_binder
from kinebind.tasks.binder import Binder


@pytest.fixture(scope="module")
def binder():
    return kinebind.load()


def test_mounting_does_not_matter_and_other_clips_do(binder):
    found = figures(asked.mounting(split(2), binder), intervals=False)
    assert found["rotation_sensitivity"] < 0.02
    assert found["same_action_distance"] > 10 * found["rotation_sensitivity"]
    assert abs(found["rotation_r1_loss"]) <= 10.0


def test_a_sensor_turned_in_its_place_feels_the_same_forces():
    imu = split(1)[0].imu
    turned = asked.remounted(imu, np.random.default_rng(1))
    assert np.abs(turned.acc_sensor - imu.acc_sensor).max() > 3.0
    for a, b in ((turned.acc_sensor, imu.acc_sensor), (turned.gyr_sensor, imu.gyr_sensor)):
        np.testing.assert_allclose(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1), atol=1e-9)
    # Both turn alike.
    np.testing.assert_allclose(
        (turned.acc_sensor * turned.gyr_sensor).sum(axis=1), (imu.acc_sensor * imu.gyr_sensor).sum(axis=1), atol=1e-9
    )


def test_pose2imu_is_judged_beside_the_rule(binder):
    clips = split(2)
    measured = asked.pose2imu(clips, binder)
    assert set(measured) == {f"pose2imu_{name}_r{rule}" for name in ("acc", "gyr") for rule in ("", "_rule")}
    assert all(cases.values.size == len(clips) for cases in measured.values())
    found = figures(measured, intervals=False)
    assert 0.3 < found["pose2imu_gyr_r_rule"] < 1.0
    assert found["pose2imu_gyr_r"] > 0.3


def test_what_eight_bits_cost_is_in_points(binder, monkeypatch):
    """The export itself takes minutes and has tests of its own; here a model that knows nothing stands in for it."""
    torch.manual_seed(0)
    nothing = Binder(Universal(UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)), binder.contract, {})
    monkeypatch.setattr(onnx_export, "export_onnx", lambda *words, **options: None)
    monkeypatch.setattr(onnx_binder, "load_onnx", lambda folder, int8: nothing if int8 else binder)
    loss = asked.int8_loss(split(2), binder)["int8_r1_loss"]
    assert loss.values.size == len(split(2))
    assert 10.0 < loss.of() <= 100.0
