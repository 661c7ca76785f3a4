"""Data sets as takes of one person: from small files that are true to the layout, up to the arrays of a recipe."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import test_egohumans as ego
import test_mri as mri
import test_totalcapture as total
from imu_scene import write

import made_up_people
from kinebind.body.keypoints import coco17_world
from kinebind.errors import InputError
from kinebind.readers.egohumans import egohumans_takes, published_imu, read_bodies
from kinebind.readers.mri import read_mri_channels
from kinebind.readers.sets import SETS, person_takes
from kinebind.readers.totalcapture_vicon import read_totalcapture_cameras, read_totalcapture_vicon
from kinebind.training import load_recipe, recipe_from_text
from kinebind.training.motion_takes import MOTION
from kinebind.training.sources import seen_by, seen_recording, takes_from


def test_every_recipe_names_a_reader_that_there_is():
    from kinebind.training import recipe_names

    readers = {load_recipe(name).data.reader for name in recipe_names()}
    assert {"mri", "totalcapture", "egohumans", "openpack", "mmfit"} <= readers
    assert readers - {"", MOTION} <= set(SETS)


def test_mri_in_the_channels_of_its_recipe(tmp_path, caplog):
    """The files' own numbers come back: g, w first, at the rows' times; x over 1920, then y over 1080."""
    mri.make(tmp_path, 15)
    mri.make(tmp_path, 16)
    recipe = load_recipe("mobind-mri")
    with caplog.at_level(logging.WARNING):
        first, second = takes_from("mri", tmp_path, recipe.contract)
    assert "Of these subjects there is nothing: 1, 2, 3" in caplog.text
    assert [take.meta["split"] for take in (first, second)] == ["test", "val"]
    first.check(recipe.contract)
    rows = read_mri_channels(tmp_path / "aligned_data/imu/subject15/IMU2.csv")  # the left wrist
    ours = first.imu[0, :, ::5].T  # back to 10 Hz
    assert len(ours) == len(rows) == 300
    np.testing.assert_allclose(ours[:, :3], rows[:, :3], atol=2e-3)
    same = np.sign((ours[:, 3:] * rows[:, 3:]).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours[:, 3:] * same, rows[:, 3:], atol=2e-3)
    # Frame 20 of the video is the first with sensors: left shoulder, elbow, wrist are keypoints 5, 7, 9.
    np.testing.assert_allclose(first.pose[0, :, 0], [120 / 1920] * 3 + [205 / 1080, 207 / 1080, 209 / 1080], rtol=1e-5)
    assert [(label.name, label.start_s) for label in first.labels][:2] == [("T pose", 0.0), ("pose_1", 4.0)]


def test_egohumans_as_published_and_in_time_with_each_other(tmp_path):
    ego.make(tmp_path / "01_tagging" / "001_tagging")
    recipe = load_recipe("mobind-egohumans")
    takes = list(takes_from("egohumans", tmp_path, recipe.contract))
    assert [take.meta["person"] for take in takes] == ["aria01", "aria02"]
    assert {take.meta["scene"] for take in takes} == {"tagging_001"}
    assert {take.meta["activity_number"] for take in takes} == {"1"}
    (files,) = egohumans_takes(tmp_path)
    for take, body in zip(takes, read_bodies(files), strict=True):
        take.check(recipe.contract)
        assert take.imu.shape == (5, 7, ego.FRAMES)
        published = published_imu(body).transpose(1, 2, 0).astype(np.float32)
        np.testing.assert_array_equal(take.imu[:, :, body.frame - 1], published)
    # Whoever is lost for some frames is missing there, and the others keep their place in time.
    lost = np.array(ego.LOST) - 1
    assert np.isnan(takes[1].imu[:, :, lost]).all()
    assert np.isfinite(np.delete(takes[1].imu, lost, axis=2)).all()
    seen = np.isfinite(takes[1].pose).all(axis=1)
    assert not seen[1:4, lost].any()
    assert np.delete(seen[2:4], lost, axis=1).all()
    track = next(p for p in person_takes("egohumans", tmp_path)).recording.people[0]
    np.testing.assert_allclose(takes[0].pose[2, 0], track.keypoints_px[:, 11, 0] / 3840, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"contract.acc_unit": "m/s2"}, "no specific force; the contract wants m/s2"),
        ({"contract.imu_rate_hz": 50.0}, "have 20 Hz, the contract 50"),
        ({"contract.imu_channels": ["gyr_x"]}, "have no gyr_x"),
        ({"contract.parts": ["chest"]}, "have no chest"),
    ],
)
def test_published_signals_are_never_turned_into_something_else(tmp_path, change, told):
    ego.make(tmp_path / "01_tagging" / "001_tagging")
    contract = load_recipe("mobind-egohumans").changed(change).contract
    with pytest.raises(InputError, match=told):
        list(takes_from("egohumans", tmp_path, contract))


@pytest.fixture
def totalcapture(tmp_path):
    inertial, vicon = tmp_path / "s1" / "imu", tmp_path / "S1" / "acting2"
    for folder in (inertial, vicon):
        folder.mkdir(parents=True)
    write(inertial / "s1_acting2_Xsens.sensors", total.sensors_text(7))
    write(inertial / "s1_acting2_calib_imu_ref.txt", total.calibration_text(total.REF))
    write(inertial / "s1_acting2_calib_imu_bone.txt", total.calibration_text(total.MOUNT))
    write(vicon / "gt_skel_gbl_pos.txt", total.vicon_text(total.POSITION))
    quat = np.stack([r.as_quat() for r in total.BODY_ROT], axis=1)
    write(vicon / "gt_skel_gbl_ori.txt", total.vicon_text(quat))
    write(tmp_path / "calibration.cal", total.CAMERAS)
    return tmp_path


def test_totalcapture_through_its_first_camera(totalcapture):
    contract = load_recipe("mobind-totalcapture").changed({"contract.parts": ["left_wrist", "right_shank"]}).contract
    (take,) = takes_from("totalcapture", totalcapture, contract)
    take.check(contract)
    assert (take.meta["split"], take.labels[0].name) == ("train", "acting")
    assert np.isfinite(take.imu).all()
    motion = read_totalcapture_vicon(totalcapture / "S1/acting2/gt_skel_gbl_pos.txt")
    camera = read_totalcapture_cameras(totalcapture / "calibration.cal")[0]
    wrist = coco17_world(motion)[0, 9]  # metres, z up
    # The camera stands at (−0.5, −4, 1), level, and looks along +y; x = f X / Z.
    across, away, up = wrist - camera.position_world
    pixel = np.array([959.5 + 1000 * across / away, 539.5 - 1010 * up / away])
    assert take.pose[0, [2, 5], 0] * [1920, 1080] == pytest.approx(pixel, rel=1e-5)


def test_what_the_camera_does_not_see_is_missing(totalcapture):
    (person,) = person_takes("totalcapture", totalcapture)
    assert person.camera is not None
    seen = seen_recording(person).people[0]
    motion = person.recording.motions[0]
    behind = motion.replace(
        position_world=motion.position_world - [0.0, 10.0, 0.0],
        root_position_world=motion.root_position_world - [0.0, 10.0, 0.0],
    )
    assert np.isfinite(seen.keypoints_px[:, 5:]).all()
    assert np.isnan(seen_by(behind, person.camera).keypoints_px).all()
    aside = motion.replace(
        position_world=motion.position_world + [5.0, 0.0, 0.0],
        root_position_world=motion.root_position_world + [5.0, 0.0, 0.0],
    )
    assert np.isnan(seen_by(aside, person.camera).keypoints_px).all()


def test_totalcapture_lacks_its_cameras_or_half_of_a_take(totalcapture):
    (totalcapture / "S1" / "acting2" / "gt_skel_gbl_pos.txt").unlink()
    with pytest.raises(InputError, match="s1 acting2 has no Vicon body"):
        list(person_takes("totalcapture", totalcapture))
    (totalcapture / "calibration.cal").unlink()
    with pytest.raises(InputError, match="no calibration of the cameras"):
        list(person_takes("totalcapture", totalcapture))


def test_recordings_are_told_apart_by_their_folders(tmp_path):
    made_up_people.folder(tmp_path, seconds=4.0)
    contract = recipe_from_text(made_up_people.RECIPE).contract
    takes = list(takes_from("", tmp_path / "people", contract))
    assert [(take.name, take.meta["folder"], take.meta["file"]) for take in takes] == [
        (f"{name}/swing", name, "swing") for name in made_up_people.PEOPLE
    ]
    alone = list(person_takes("recordings", tmp_path / "people" / "ben"))
    assert alone[0].recording.meta["folder"] == "ben"


def test_unknown_sets_and_folders(tmp_path):
    with pytest.raises(InputError, match="no reader of a data set called 'mir'") as error:
        list(person_takes("mir", tmp_path))
    assert "egohumans" in error.value.fix
    with pytest.raises(InputError, match="There is no folder"):
        list(person_takes("mri", tmp_path / "none"))
    for name in SETS:
        with pytest.raises(InputError, match=f"nothing that the reader '{name}' knows|holds no (sessions|workouts)"):
            list(person_takes(name, tmp_path))
