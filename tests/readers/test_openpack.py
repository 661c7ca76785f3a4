from __future__ import annotations

import numpy as np
import pytest
from imu_scene import feel, table_text, write
from scipy.spatial.transform import Rotation

from kinebind.errors import InputError
from kinebind.readers import read, read_imu, sniff
from kinebind.readers.derive import rotate

FELT = feel(40.0, rate_hz=100 / 3)
ATR = ["unixtime", "acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z", "quat_w", "quat_x", "quat_y", "quat_z"]


def atr(turn=(0, 0, np.pi)) -> str:
    """An ATR file whose orientation is of a sensor frame turned by `turn` against the acceleration's."""
    quat = (Rotation.from_quat(FELT.quat) * Rotation.from_rotvec(turn)).as_quat()[:, [3, 0, 1, 2]]
    stamps = np.round(FELT.time_s * 1e3) + 1648531521000
    rows = np.column_stack([stamps, FELT.acc / 9.81, np.degrees(FELT.gyr), quat])
    return table_text(rows, ATR, formats={0: ".0f"})


def path_of(tmp_path, device="atr02"):
    folder = tmp_path / "atr" / device
    folder.mkdir(parents=True)
    return folder / "S0500.csv"


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_the_half_turn_of_the_orientation_is_found_and_undone(tmp_path, axis):
    path = write(path_of(tmp_path), atr(np.pi * np.array([axis == a for a in "xyz"], dtype=float)))
    assert sniff(path).name == "openpack-atr"
    (imu,) = read_imu(path)
    assert (imu.name, imu.site, imu.clock_id) == ("atr02", "left_wrist", "atr02")
    assert any(f"180° about {axis}" in note for note in imu.notes)
    np.testing.assert_allclose(np.abs((imu.rot_world_from_sensor * FELT.quat).sum(axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(imu.acc_sensor, FELT.acc, atol=1e-5)
    np.testing.assert_allclose(imu.gyr_sensor, FELT.gyr, atol=1e-6)


def test_an_orientation_in_the_same_frame_is_kept_and_a_foreign_one_left_out(tmp_path):
    (imu,) = read_imu(write(path_of(tmp_path, "atr01"), atr((0, 0, 0))))
    assert not any("180°" in note for note in imu.notes)
    np.testing.assert_allclose(np.abs((imu.rot_world_from_sensor * FELT.quat).sum(axis=1)), 1, atol=1e-6)
    (imu,) = read_imu(write(path_of(tmp_path, "atr03"), atr((0.9, 0.8, 0))))
    assert imu.rot_world_from_sensor is None
    assert any("left out" in note for note in imu.notes)


def test_labels_are_stretches_of_unix_time(tmp_path):
    head = "uuid,user,session,box,id,operation,start,end,actions"
    row = "op:1,U,S,1,100,Picking,2022-03-29 14:25:22.143000+09:00,2022-03-29 14:25:30.304000+09:00,act:1;act:2"
    path = write(tmp_path / "S0500.csv", f"{head}\n{row}\n")
    (label,) = read(path).labels
    assert label.name == "Picking"
    assert label.start_s == pytest.approx(1648531522.143)
    assert label.end_s - label.start_s == pytest.approx(8.161)
    with pytest.raises(InputError, match="line 2"):
        read(write(path, f"{head}\n{row.replace('14:25:30', 'noon')}\n"))
    with pytest.raises(InputError, match="no IMU"):
        read_imu(write(path, f"{head}\n{row}\n"))


def test_real_sensors_hold_gravity_upright(real_data):
    folder = real_data("openpack-u0209-s0500") / "samples/openpack/v1.0.0/U0209"
    sites = ["right_wrist", "left_wrist", "right_upper_arm", "left_upper_arm"]
    for device, site in zip(("atr01", "atr02", "atr03", "atr04"), sites, strict=True):
        (imu,) = read_imu(folder / "atr" / device / "S0500.csv")
        assert (imu.name, imu.site) == (device, site)
        assert imu.rate_hz == pytest.approx(1 / 0.03, rel=1e-4)
        assert any("180° about z" in note for note in imu.notes)
        up = rotate(imu.rot_world_from_sensor, imu.acc_sensor).mean(axis=0)
        np.testing.assert_allclose(up, [0, 0, 9.81], atol=0.5)
    (imu,) = read_imu(folder / "e4" / "e401" / "acc" / "S0500.csv")
    assert imu.rest_norm_m_s2() == pytest.approx(9.9, abs=0.2)
    assert imu.rate_hz == pytest.approx(32.0, rel=2e-3)
    for kind, count in (("operations", 193), ("actions", 517)):
        labels = read(folder / "annotation" / f"openpack-{kind}" / "S0500.csv").labels
        assert len(labels) == count
        assert labels[0].start_s == pytest.approx(1648531522.143)
