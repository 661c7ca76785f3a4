from __future__ import annotations

import numpy as np
import pytest
from imu_scene import feel, table_text, write
from scipy.spatial.transform import Rotation

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.readers import read_imu
from kinebind.readers.checks import check_imu, turning_of_gravity

FELT = feel(30.0)
PLAIN = ("time_s", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
QUAT = ("quat_x", "quat_y", "quat_z", "quat_w")


def imu(felt=FELT, **changes) -> Imu:
    return Imu(felt.time_s, felt.acc, felt.gyr).replace(**changes)


def test_what_is_right_passes_without_a_word():
    assert check_imu(imu()) == ()
    assert check_imu(imu(rot_world_from_sensor=FELT.quat)) == ()


@pytest.mark.parametrize("true_unit", ["m/s2", "g", "mg"])
@pytest.mark.parametrize("read_as", ["m/s2", "g", "mg"])
def test_acceleration_in_another_unit_is_refused_with_the_flag_that_mends_it(tmp_path, true_unit, read_as):
    scale = {"m/s2": 1.0, "g": 1 / 9.81, "mg": 1000 / 9.81}[true_unit]
    path = write(tmp_path / "a.csv", table_text(np.column_stack([FELT.time_s, FELT.acc * scale, FELT.gyr]), PLAIN))
    if true_unit == read_as:
        read_imu(path, acc_unit=read_as, gyr_unit="rad/s")
        return
    with pytest.raises(InputError, match="calmest tenth") as caught:
        read_imu(path, acc_unit=read_as, gyr_unit="rad/s")
    assert f"Add --acc-unit={true_unit}." in caught.value.fix
    (unchecked,) = read_imu(path, acc_unit=read_as, gyr_unit="rad/s", check=False)
    assert not 8 < unchecked.rest_norm_m_s2() < 12


def test_gravity_that_was_removed_is_noticed():
    free = FELT.free_world + np.random.default_rng(0).normal(0, 0.02, FELT.acc.shape)
    with pytest.raises(InputError) as caught:
        check_imu(imu(acc_sensor=free))
    assert "--gravity removed" in caught.value.fix


def test_a_scale_that_no_unit_explains_is_refused_and_a_small_one_told():
    with pytest.raises(InputError, match=r"6\.87"):
        check_imu(imu(acc_sensor=FELT.acc * 0.7))
    (note,) = check_imu(imu(acc_sensor=FELT.acc * 1.08))
    assert "8 % off gravity" in note


@pytest.mark.parametrize("with_orientation", [False, True])
@pytest.mark.parametrize(("true_unit", "read_as"), [("deg/s", "rad/s"), ("rad/s", "deg/s")])
def test_rates_57_times_off_are_refused_with_the_flag(tmp_path, true_unit, read_as, with_orientation):
    gyr = np.degrees(FELT.gyr) if true_unit == "deg/s" else FELT.gyr
    columns, header = [FELT.time_s, FELT.acc, gyr], PLAIN
    if with_orientation:
        columns, header = [*columns, FELT.quat], (*PLAIN, *QUAT)
    path = write(tmp_path / "a.csv", table_text(np.column_stack(columns), header))
    with pytest.raises(InputError, match=r"57\.3") as caught:
        read_imu(path, acc_unit="m/s2", gyr_unit=read_as)
    assert f"--gyr-unit {true_unit}" in caught.value.fix
    read_imu(path, acc_unit="m/s2", gyr_unit=true_unit)


def test_the_regression_on_gravity_is_one_where_units_agree():
    slope, along, _ = turning_of_gravity(FELT.time_s, feel(30.0, shake=0.0).acc, FELT.gyr)
    assert slope == pytest.approx(1.0, abs=0.02)
    assert along > 0.99


MISREAD = {
    "wxyz": lambda q: q[:, [3, 0, 1, 2]],
    "xyzw-inverse": lambda q: q * [-1, -1, -1, 1],
    "wxyz-inverse": lambda q: (q * [-1, -1, -1, 1])[:, [3, 0, 1, 2]],
}


@pytest.mark.parametrize("order", MISREAD)
def test_a_quaternion_in_another_order_is_refused_with_the_flag(tmp_path, order):
    columns = [FELT.time_s, FELT.acc, FELT.gyr, MISREAD[order](FELT.quat)]
    path = write(tmp_path / "a.csv", table_text(np.column_stack(columns), (*PLAIN, *QUAT)))
    units = {"acc_unit": "m/s2", "gyr_unit": "rad/s"}
    with pytest.raises(InputError, match="mean acceleration") as caught:
        read_imu(path, **units)
    assert f"--quat-order {order.replace('xyzw', 'ORDER')}" in caught.value.fix
    (mended,) = read_imu(path, **units, quat_order=order)
    np.testing.assert_allclose(np.abs((mended.rot_world_from_sensor * FELT.quat).sum(axis=1)), 1.0, atol=1e-6)


def test_a_world_with_y_up_or_a_turned_sign_is_refused():
    y_up = (Rotation.from_rotvec([-np.pi / 2, 0, 0]) * Rotation.from_quat(FELT.quat)).as_quat()
    with pytest.raises(InputError) as caught:
        check_imu(imu(rot_world_from_sensor=y_up))
    assert "--quat-order none" in caught.value.fix
    with pytest.raises(InputError) as caught:
        check_imu(imu(acc_sensor=-FELT.acc, rot_world_from_sensor=FELT.quat))
    assert "--acc-unit=-g" in caught.value.fix


def test_the_negative_of_specific_force_is_read_with_a_minus_sign(tmp_path):
    rows = np.column_stack([FELT.time_s, -FELT.acc / 9.81, FELT.gyr, FELT.quat])
    path = write(tmp_path / "phone.csv", table_text(rows, (*PLAIN, *QUAT)))
    with pytest.raises(InputError, match=r"0, 0, 9\.81"):
        read_imu(path, acc_unit="g", gyr_unit="rad/s")
    (phone,) = read_imu(path, acc_unit="-g", gyr_unit="rad/s")
    np.testing.assert_allclose(phone.acc_sensor, FELT.acc, atol=1e-4)


def test_frames_that_differ_are_noted():
    turned = imu(gyr_sensor=FELT.gyr[:, [2, 0, 1]] * [1, -1, 1], rot_world_from_sensor=FELT.quat)
    (note,) = check_imu(turned)
    assert "do not turn alike" in note


def test_constant_and_dead_signals():
    with pytest.raises(InputError, match="constant: 3000 samples of"):
        check_imu(imu(acc_sensor=np.tile([0, 0, 9.81], (3000, 1))))
    flat = FELT.acc.copy()
    flat[:, 1] = flat[0, 1]
    assert any("y never changes" in note for note in check_imu(imu(acc_sensor=flat)))
    assert any("gyroscope seems to be off" in note for note in check_imu(imu(gyr_sensor=np.zeros((3000, 3)))))


@pytest.mark.parametrize("seed", range(5))
def test_short_violent_clips_have_the_benefit_of_the_doubt(seed):
    rng = np.random.default_rng(seed)
    t = np.arange(150) / 50
    moved = 25 * np.sin(2 * np.pi * rng.uniform(0.8, 3, 3) * t[:, None] + rng.uniform(0, 6, 3))
    acc = np.clip(moved + [0, 0, 9.81], -78.5, 78.5)
    gyr = 8 * np.sin(2 * np.pi * 2 * t[:, None] + rng.uniform(0, 6, 3))
    check_imu(Imu(t, acc, gyr))
