"""The shipped model in hand: offline, with card and licence; tokens on the streams' own clocks; long streams alike."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest
import torch

import kinebind
import sync_scene
from kinebind import ClockMap, InputError, Recording, save
from kinebind.nn import universal_file
from kinebind.nn.universal import UNKNOWN_SITE
from kinebind.nn.universal_contract import UniversalContract
from kinebind.nn.universal_file import save_universal
from kinebind.parts import SITES
from kinebind.tasks import binder as module
from kinebind.tasks.binder import Binder
from kinebind.tasks.streams import felt_stream, seen_stream

WEIGHTS = files("kinebind") / "weights"


@pytest.fixture(scope="module")
def binder():
    return kinebind.load()


@pytest.fixture(scope="module")
def imu():
    return sync_scene.imu("left_wrist", ClockMap(0.0), 20.0).replace(rot_world_from_sensor=None)


# -- what load gives -------------------------------------------------------------------------------------------


def test_one_line_gives_model_contract_card_and_licence_offline(monkeypatch):
    def no_network(*_):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", no_network)
    binder = kinebind.load()
    assert binder.contract.sites == SITES
    assert binder.card.startswith("# Model card")
    assert "CC BY 4.0" in binder.licence
    assert "CC BY 4.0" in repr(binder)
    assert ("provisional" in repr(binder)) == binder.about["provisional"]
    assert not binder.model.training
    assert set(binder.about["data"]) == {"cmu-expmap"}


def test_the_licence_is_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(module, "_told", set())
    with caplog.at_level(logging.INFO, "kinebind"):
        kinebind.load()
        kinebind.load("universal")
    assert [r.levelname for r in caplog.records if "CC BY 4.0" in r.getMessage()] == ["INFO"]


def test_what_ships_is_small_and_says_what_it_is():
    assert (WEIGHTS / "universal.safetensors").stat().st_size <= 20e6
    licence = (WEIGHTS / "WEIGHTS_LICENSE").read_text(encoding="utf-8")
    assert "creativecommons.org/licenses/by/4.0" in licence
    assert "Carnegie Mellon" in licence
    assert "NonCommercial" not in licence
    card = (WEIGHTS / "MODEL_CARD.md").read_text(encoding="utf-8")
    for part in ("Training", "Results", "Limits", "Licence"):
        assert f"\n## {part}\n" in card
    assert "results/zero_shot.json" in card


def test_import_alone_loads_no_torch():
    look = "import sys, kinebind; assert 'torch' not in sys.modules and 'kinebind.nn' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0


def test_a_file_from_elsewhere_gives_the_same(tmp_path, binder, imu):
    save_universal(binder.model, tmp_path / "mine.safetensors", {"licence": "MIT", "name": "mine"})
    other = kinebind.load(tmp_path / "mine.safetensors")
    assert isinstance(other, Binder)
    assert "MIT" in repr(other)
    assert "mine" in repr(other)
    assert np.array_equal(other.embed_imu(imu).tokens, binder.embed_imu(imu).tokens)
    assert repr(Binder(binder.model, binder.contract, {})).count("names no licence") == 1


def test_recordings_load_as_before(tmp_path):
    save(Recording(name="walk"), tmp_path / "walk.kinebind")
    save(Recording(name="walk"), tmp_path / "walk.safetensors")
    assert kinebind.load(tmp_path / "walk.kinebind").name == "walk"
    assert kinebind.load(tmp_path / "walk.safetensors").name == "walk"
    with pytest.raises(InputError, match="no file"):
        kinebind.load(tmp_path / "gone.safetensors")


def test_damaged_weights_are_told(tmp_path):
    spoilt = bytearray((WEIGHTS / "universal.safetensors").read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    (tmp_path / "spoilt.safetensors").write_bytes(spoilt)
    with pytest.raises(InputError, match="checksum"):
        kinebind.load(tmp_path / "spoilt.safetensors")


# -- tokens ----------------------------------------------------------------------------------------------------


def test_tokens_lie_on_the_streams_own_clock(binder, imu):
    early = binder.embed_imu(imu)
    assert early.tokens.dtype == np.float32
    assert early.tokens.shape == (early.time_s.size, binder.model.config.token)
    assert (early.site, early.name) == ("left_wrist", "left_wrist")
    assert np.diff(early.time_s) == pytest.approx(0.1)
    # The first token's five samples begin at the first multiple of 20 ms.
    assert early.time_s[0] == pytest.approx(np.ceil(imu.time_s[0] * 50) / 50 + 0.04)
    assert early.there.all()
    shift_s = 1.6e9 + 0.34
    late = binder.embed_imu(imu.replace(time_s=imu.time_s + shift_s))
    assert late.time_s - shift_s == pytest.approx(early.time_s, abs=1e-5)
    np.testing.assert_allclose(late.tokens, early.tokens, atol=2e-3)


def test_how_a_sensor_is_mounted_makes_no_difference(binder, imu):
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned *= np.sign(np.linalg.det(turned))
    other = imu.replace(acc_sensor=imu.acc_sensor @ turned, gyr_sensor=imu.gyr_sensor @ turned)
    a, b = binder.embed_imu(imu).tokens, binder.embed_imu(other).tokens
    assert (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()) > 0.999


def test_where_a_person_stands_and_how_far_makes_no_difference(binder):
    seen = sync_scene.poses(8.0)
    a = binder.embed_pose(seen, "left_wrist")
    b = binder.embed_pose(seen.replace(keypoints_px=0.5 * seen.keypoints_px + [300.0, -40.0]), "L_LowArm")
    assert (b.site, b.name) == ("left_wrist", "1")
    np.testing.assert_allclose(a.tokens, b.tokens, atol=1e-3)
    assert np.abs(a.tokens - binder.embed_pose(seen, "right_wrist").tokens).max() > 0.1


def test_a_long_stream_is_embedded_as_if_in_one_go(binder):
    long = sync_scene.imu("left_wrist", ClockMap(0.0), 150.0).replace(rot_world_from_sensor=None, site=None)
    seen = sync_scene.poses(150.0)
    felt = binder.embed_imu(long)
    assert len(felt.tokens) > 2 * 600
    with torch.inference_mode():
        whole = binder.model.embed_felt(felt_stream(long).channels(), torch.tensor([UNKNOWN_SITE]))[0]
        limb = binder.model.embed_seen(seen_stream(seen).channels("left_wrist"), torch.tensor([5]))[0][0]
    assert SITES[5] == "left_wrist"
    np.testing.assert_allclose(felt.tokens, whole.numpy(), atol=1e-5, rtol=0)
    np.testing.assert_allclose(binder.embed_pose(seen, "left_wrist").tokens, limb.numpy(), atol=1e-5, rtol=0)


def test_gaps_are_not_there(binder, imu):
    hole = (imu.time_s > 8.0) & (imu.time_s < 10.0)
    acc = np.where(hole[:, None], np.nan, imu.acc_sensor)
    found = binder.embed_imu(imu.replace(acc_sensor=acc))
    inside = (found.time_s > 8.1) & (found.time_s < 9.9)
    assert not found.there[inside].any()
    assert found.there[(found.time_s < 7.8) | (found.time_s > 10.2)].all()
    assert np.isfinite(found.tokens).all()
    seen = sync_scene.poses(12.0)
    points = seen.keypoints_px.copy()
    points[:, [7, 9]] = np.nan
    hidden = binder.embed_pose(seen.replace(keypoints_px=points), "left_wrist")
    assert not hidden.there.any()
    assert any("never shows the left wrist" in note for note in hidden.notes)


def test_the_matcher_sees_the_same_tokens(binder, imu):
    matcher = binder.matcher()
    np.testing.assert_array_equal(matcher.felt(imu).tokens.numpy(), binder.embed_imu(imu).tokens)
    seen = sync_scene.poses(8.0)
    # All phases go through the model as one batch, which rounds otherwise.
    np.testing.assert_allclose(
        matcher.seen(seen, "left_wrist").tokens[0].numpy(), binder.embed_pose(seen, "left_wrist").tokens, atol=1e-4
    )
    assert binder.matcher(told=0.0).told == 0.0


# -- bad input -------------------------------------------------------------------------------------------------


def test_the_contract_holds_unless_it_is_waived(binder, imu):
    in_g = imu.replace(acc_sensor=imu.acc_sensor / 9.81)
    with pytest.raises(InputError, match="it is in g"):
        binder.embed_imu(in_g)
    assert len(binder.embed_imu(in_g, check=False).tokens) > 0
    only_head = Binder(binder.model, UniversalContract(sites=("head",)), binder.about)
    for check in (True, False):
        with pytest.raises(InputError, match="never trained on the site 'left_wrist'"):
            only_head.embed_imu(imu, check=check)
        with pytest.raises(InputError, match="never trained on the site 'left_wrist'"):
            only_head.embed_pose(sync_scene.poses(2.0), "left_wrist", check=check)


def test_less_than_a_token_is_refused(binder, imu):
    with pytest.raises(InputError, match="less than a token"):
        binder.embed_imu(imu.slice_s(5.0, 5.05), check=False)


def test_the_format_does_not_change_unseen():
    """Whoever changes it must read what was shipped before."""
    assert universal_file.FORMAT_VERSION == 1
