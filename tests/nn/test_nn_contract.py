"""The input contract: samples from seconds, what it refuses, and batches against it."""

from __future__ import annotations

import json

import pytest
import torch

from kinebind.errors import InputError
from kinebind.nn import POSE_INDEX, Contract, ModelConfig, build, settings_from


def test_samples_follow_from_seconds():
    mri = Contract()
    assert (mri.imu_patch, mri.pose_patch, mri.tokens, mri.imu_samples, mri.pose_samples) == (10, 2, 25, 250, 50)
    total_capture = Contract(imu_rate_hz=60.0, pose_rate_hz=60.0)
    assert (total_capture.imu_patch, total_capture.imu_samples) == (12, 300)


def test_keypoints_of_the_parts_are_the_papers():
    assert POSE_INDEX["left_wrist"] == (5, 7, 9)
    assert POSE_INDEX["right_wrist"] == (6, 8, 10)
    assert POSE_INDEX["left_shank"] == (11, 13, 15)
    assert POSE_INDEX["right_shank"] == (12, 14, 16)
    assert POSE_INDEX["head"] == (0, 1, 2)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"patch_s": 0.3}, "does not divide a window"),
        ({"imu_rate_hz": 52.0}, "10.4 samples at imu_rate_hz"),
        ({"pose_rate_hz": 12.0}, "2.4 samples at pose_rate_hz"),
        ({"pose_rate_hz": 2.0}, "0.4 samples"),
        ({"window_s": 0.0}, "not above zero"),
        ({"imu_rate_hz": float("nan")}, "not above zero"),
        ({"parts": ("left_knee",)}, "unknown names: left_knee"),
        ({"parts": ()}, "empty"),
        ({"parts": ("head", "head")}, "head twice"),
        ({"imu_channels": ("acc_x", "mag_x")}, "unknown names: mag_x"),
        ({"acc_unit": "mg"}, "acc_unit = 'mg'"),
        ({"pose_frame": "pixels"}, "pose_frame = 'pixels'"),
    ],
)
def test_contradictions_are_refused(values, says):
    with pytest.raises(InputError, match=says):
        Contract(**values)


def test_a_contract_survives_json():
    contract = Contract(patch_s=0.1, parts=("head", "left_wrist"), acc_unit="g", pose_frame="body")
    assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract
    assert contract.differences(contract) == []
    assert contract.differences(Contract(parts=("head", "left_wrist"), acc_unit="g", pose_frame="body")) == [
        "patch_s 0.1 against 0.2"
    ]
    with pytest.raises(InputError, match="unknown keys: window_ms"):
        Contract.from_dict({"window_ms": 5000})


def test_a_batch_that_keeps_to_the_contract_passes(contract, make_batch):
    contract.check(make_batch(contract, 2))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b.replace(imu=b.imu[:, :, :6]), r"imu has shape .*7 channels"),
        (lambda b: b.replace(imu=b.imu[..., :-1]), r"imu has shape .*20 Hz"),
        (lambda b: b.replace(imu=b.imu.long()), "type torch.int64"),
        (lambda b: b.replace(pose=b.pose[:, :2]), "pose has shape"),
        (lambda b: b.replace(imu_mask=b.imu_mask.float()), "imu_mask is"),
        (lambda b: b.replace(pose_mask=b.pose_mask[..., 0]), "pose_mask is"),
        (lambda b: b.replace(label=b.label[:1]), "2 windows of imu but 1 of label"),
        (lambda b: b.replace(pose=torch.where(b.clip[:, None, None, None] == 1, torch.nan, b.pose)), "Window 1 holds"),
    ],
)
def test_a_batch_that_breaks_the_contract_is_refused(contract, make_batch, change, says):
    with pytest.raises(InputError, match=says):
        contract.check(change(make_batch(contract, 2)))


def test_settings_name_the_unknown_key():
    assert settings_from(ModelConfig, {"width": 128}, "model").width == 128
    with pytest.raises(InputError, match=r"\[model\] has unknown keys: widht"):
        settings_from(ModelConfig, {"widht": 128}, "model")


def test_build_refuses_what_it_does_not_know(contract):
    with pytest.raises(InputError, match="no model 'clip'"):
        build("clip", contract)
    with pytest.raises(InputError, match="despite has one loss"):
        build("despite", contract, loss={"local": 1.0})
    with pytest.raises(InputError, match=r"\[loss\] has unknown keys: locale"):
        build("mobind", contract, loss={"locale": 1.0})


@pytest.mark.parametrize(
    ("model", "loss", "says"),
    [
        ({"heads": 3}, {}, "not a multiple of 3"),
        ({"conv_widths": [8, 8]}, {}, "conv_widths has 2"),
        ({"kept_share": 1.0}, {}, "kept_share"),
        ({"kept_share": 0.1}, {}, "leaves none visible"),
        ({"temperature": 0.0}, {}, "temperature"),
        ({"sensor_dropout": 3}, {}, "of 3 sensors"),
        ({}, {"local": -1.0}, "negative weights: local"),
        ({}, {"whole": 0.0, "local": 0.0, "token": 0.0}, "No loss binds"),
        ({}, {"whole": 0.0, "multi_positive": 0.1}, "whole has none"),
        ({}, {"local": 0.0, "mix_parts": True}, "mix_parts is set"),
    ],
)
def test_settings_that_contradict_are_refused(contract, model, loss, says):
    with pytest.raises(InputError, match=says):
        build("mobind", contract, model, loss)
