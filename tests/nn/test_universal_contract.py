"""The universal model's contract: what is wrong is refused with its fix, what is unusual is noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import sync_scene
from kinebind import Imu
from kinebind.errors import InputError
from kinebind.nn.felt_channels import FELT_CHANNELS, felt_channels
from kinebind.nn.seen_channels import SEEN_CHANNELS, seen_channels
from kinebind.nn.universal_contract import FELT_NAMES, SEEN_NAMES, UniversalContract
from kinebind.parts import COCO17, SITES

CONTRACT = UniversalContract()


@pytest.fixture(scope="module")
def imu():
    """An arm that swings about the sensor's y axis, hung at a point that rests."""
    time_s = np.arange(2300) / 100.0
    angle = 1.3 * sync_scene.angle_rad("left_wrist", time_s)
    none = 0 * angle
    noise = np.random.default_rng(0).normal(0, 0.05, (time_s.size, 3))
    return Imu(
        time_s, 9.81 * np.stack([-np.sin(angle), none, np.cos(angle)], axis=1) + noise,
        np.stack([none, np.gradient(angle, time_s), none], axis=1) + 0.1 * noise,
        np.stack([none, np.sin(angle / 2), none, np.cos(angle / 2)], axis=1), name="watch", site="left_wrist",
    )  # fmt: skip


@pytest.fixture(scope="module")
def bare(imu):
    """Without an orientation: then the check has gravity alone to go by."""
    return imu.replace(rot_world_from_sensor=None)


def test_what_is_in_order_passes_without_a_note(imu, bare):
    assert CONTRACT.check_imu(imu) == []
    assert CONTRACT.check_imu(bare) == []
    assert CONTRACT.check_poses(sync_scene.poses()) == []


# -- sensors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "words"),
    [(1 / 9.81, "it is in g"), (1000 / 9.81, "it is in mg"), (1000.0, "mm/s²"), (0.01, "Gravity seems to be removed"),
     (3.0, "norm of")],
)  # fmt: skip
def test_acceleration_in_other_units_is_refused(bare, scale, words):
    with pytest.raises(InputError, match=words) as refused:
        CONTRACT.check_imu(bare.replace(acc_sensor=bare.acc_sensor * scale))
    assert refused.value.fix


@pytest.mark.parametrize("oriented", [True, False])
def test_a_rate_in_degrees_is_refused(imu, bare, oriented):
    wrong = imu if oriented else bare
    with pytest.raises(InputError, match="deg/s"):
        CONTRACT.check_imu(wrong.replace(gyr_sensor=np.rad2deg(wrong.gyr_sensor)))


def test_a_rate_that_no_limb_turns_at_is_refused_however_short(bare):
    """A second and a half is too short for the turning of gravity to be looked at."""
    short = bare.slice_s(5.0, 6.5)
    fast = short.replace(gyr_sensor=short.gyr_sensor * 0 + [0.0, 45.0, 0.0])
    with pytest.raises(InputError, match="deg/s"):
        CONTRACT.check_imu(fast)
    assert CONTRACT.check_imu(short.replace(gyr_sensor=short.gyr_sensor * 0 + [0.0, 30.0, 0.0])) is not None


def test_a_site_never_trained_on_is_refused_with_those_that_were(imu):
    wrists = UniversalContract(sites=("right_wrist", "head"))
    with pytest.raises(InputError, match="never trained on the site 'left_wrist'") as refused:
        wrists.check_imu(imu)
    assert "right_wrist, head" in refused.value.fix
    assert wrists.check_site("R_LowArm") == "right_wrist"
    with pytest.raises(InputError, match="chin"):
        wrists.check_site("chin")


@pytest.mark.parametrize(("factor", "outcome"), [(10, "refused"), (6, "noted"), (1, "fine"), (1 / 3, "noted")])
def test_rates_outside_the_training_are_noted_and_far_ones_refused(bare, factor, outcome):
    """100 Hz, so 10, 16.7, 100 and 300 Hz."""
    other = bare.take(np.arange(0, bare.time_s.size, factor)) if factor >= 1 else bare.replace(time_s=bare.time_s / 3)
    if outcome == "refused":
        with pytest.raises(InputError, match=r"10 Hz; the model takes 15–2000"):
            CONTRACT.check_imu(other)
        return
    if factor < 1:  # turned three times as fast, as if the recording were played faster
        other = other.replace(gyr_sensor=other.gyr_sensor * 3)
    notes = CONTRACT.check_imu(other)
    assert len(notes) == (outcome == "noted")
    assert all("learnt with 20–200" in note for note in notes)


def test_what_the_model_does_without_is_noted(imu):
    alone = imu.replace(gyr_sensor=None, rot_world_from_sensor=None, site=None)
    notes = CONTRACT.check_imu(alone)
    assert any("site" in note for note in notes)
    assert any("no angular rate" in note for note in notes)
    # A rate follows from the orientation.
    assert CONTRACT.check_imu(imu.replace(gyr_sensor=None)) == []


# -- poses -----------------------------------------------------------------------------------------------------


def test_frame_rates(imu):
    assert any(
        "8 frames/s; the model learnt with 10–60" in n for n in CONTRACT.check_poses(sync_scene.poses(rate_hz=8.0))
    )
    with pytest.raises(InputError, match="3 frames/s") as refused:
        CONTRACT.check_poses(sync_scene.poses(rate_hz=3.0))
    assert "--fps" in refused.value.fix


def test_somebody_without_a_limb_has_no_size():
    seen = sync_scene.poses()
    blank = np.full_like(seen.keypoints_px, np.nan)
    blank[:, 0] = seen.keypoints_px[:, 0]
    with pytest.raises(InputError, match="no limb is ever seen"):
        CONTRACT.check_poses(seen.replace(keypoints_px=blank))


def test_a_video_upside_down_is_noted():
    seen = sync_scene.poses()
    turned = seen.replace(keypoints_px=seen.keypoints_px * [1, -1] + [0, 1080])
    assert any("upright" in note for note in CONTRACT.check_poses(turned))


# -- the contract itself ---------------------------------------------------------------------------------------


def test_it_comes_back_from_plain_values():
    own = UniversalContract(sites=("head",), imu_trained_hz=(25.0, 100.0))
    assert UniversalContract.from_dict(own.to_dict()) == own
    assert own.differences_from_this_build() == []
    assert len(replace(own, token_s=0.2, felt_channels=("rise",)).differences_from_this_build()) == 2


@pytest.mark.parametrize("wrong", [{"sites": ()}, {"sites": ("chin",)}, {"imu_rate_hz": (50.0, 20.0)}])
def test_what_contradicts_itself_is_refused(wrong):
    with pytest.raises(InputError):
        UniversalContract(**wrong)


def test_in_words_it_names_units_rates_and_sites():
    said = CONTRACT.describe()
    assert all(word in said for word in ("m/s2", "rad/s", "20–200 Hz", "10–60", "0.1 s", "1.5 s", *SITES))


# -- names of channels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acc", "gyr", "told"),
    [
        ((0, 0, 9.81), (0, 0, 1), {"turn", "rate"}),
        ((0, 0, 9.81), (1, 0, 0), {"tilt", "rate"}),
        ((0, 0, 12.0), (0, 0, 0), {"rise", "force"}),
        ((3, 0, 9.81), (1, 0, 0), {"sideways", "force", "tilt", "rate", "across_along_tilt"}),
        ((3, 0, 9.81), (0, 1, 0), {"sideways", "force", "tilt", "rate", "across_beside_tilt"}),
    ],
)
def test_felt_channels_have_the_names_of_what_they_tell(acc, gyr, told):
    assert len(FELT_NAMES) == FELT_CHANNELS
    steady = [torch.tensor(v, dtype=torch.float32).expand(1, 400, 3) for v in (acc, gyr)]
    middle = felt_channels(*steady, torch.tensor([True]), torch.ones(1, 400, dtype=torch.bool), 50.0)[0, :, 200]
    loud = {name for name, value in zip(FELT_NAMES, middle, strict=True) if abs(float(value)) > 1e-4}
    assert loud == told | {"has_gyr", "valid"}


def test_seen_channels_have_the_names_of_what_they_tell():
    assert len(SEEN_NAMES) == SEEN_CHANNELS
    place = {"left_shoulder": (0.2, 0.5), "right_shoulder": (-0.2, 0.5), "left_hip": (0.1, 0), "right_hip": (-0.1, 0),
             "left_elbow": (0.3, 0.2), "left_wrist": (0.3, -0.1)}  # fmt: skip
    metres, seen = torch.zeros(1, 300, 17, 2), torch.zeros(1, 300, 17, dtype=torch.bool)
    for name, at in place.items():
        metres[0, :, COCO17.index(name)] = torch.tensor(at)
        seen[0, :, COCO17.index(name)] = True
    metres[..., 0] += 0.7 * torch.arange(300)[None, :, None] / 50.0  # all of it goes to the right

    def named(metres):
        values = seen_channels(metres, seen, torch.tensor([SITES.index("left_wrist")]), 50.0)[0, :, 150]
        return dict(zip(SEEN_NAMES, values.tolist(), strict=True))

    found = named(metres)
    assert found["segment_y"] == pytest.approx(-0.3 / 0.5, abs=1e-4)
    assert found["left_from_right_x"] == pytest.approx(0.4 / 0.5, abs=1e-4)
    assert found["top_from_root_y"] == pytest.approx(0.5 / 0.5, abs=1e-4)
    assert found["nearest_speed_x"] == pytest.approx(np.arcsinh(0.7), abs=1e-3)
    assert found["root_speed_x"] == pytest.approx(np.arcsinh(0.7), abs=1e-3)
    assert found["segment_speed"] == pytest.approx(0.0, abs=1e-3)
    assert found["nearest_acceleration_x"] == pytest.approx(0.0, abs=1e-3)
    assert all(found[f"{name}_seen"] == 1.0 for name in ("nearest", "near", "far", "parent", "root"))
    seen[0, :, COCO17.index("left_wrist")] = False
    found = named(metres)
    assert [found[f"{name}_seen"] for name in ("nearest", "near", "far", "parent", "root")] == [0, 1, 0, 1, 1]
