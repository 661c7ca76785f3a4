from __future__ import annotations

import numpy as np
import pytest

from kinebind.errors import InputError
from kinebind.readers.columns import ColumnMap, declared_units, find_columns, split_unit
from kinebind.readers.units import ACC_UNITS, GYR_UNITS, likely_time_unit, named_unit, parse_unit, unit_scale

XYZ = ("x", "y", "z")

HEADERS = {
    "acc_x and its like": ("time acc_x acc_y acc_z gyro_x gyro_y gyro_z", "time", "acc_{}", "gyro_{}"),
    "axis first": ("x_acc y_acc z_acc x_gyro y_gyro z_gyro timestamp label", "timestamp", "{}_acc", "{}_gyro"),
    "two letters": ("t ax ay az wx wy wz", "t", "a{}", "w{}"),
    "units in the name": ("time_ms acc_x_g acc_y_g acc_z_g g_x g_y g_z", "time_ms", "acc_{}_g", "g_{}"),
    "robots": (
        "stamp_time imu_acceleration.x imu_acceleration.y imu_acceleration.z angular_velocity.x angular_velocity.y "
        "angular_velocity.z", "stamp_time", "imu_acceleration.{}", "angular_velocity.{}"
    ),
    "low noise accelerometer": (
        "Timestamp Accel_LN_x_CAL Accel_LN_y_CAL Accel_LN_z_CAL Gyro_x_CAL Gyro_y_CAL Gyro_z_CAL",
        "Timestamp", "Accel_LN_{}_CAL", "Gyro_{}_CAL"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_the_usual_names_are_understood(case):
    header, time, acc, gyr = HEADERS[case]
    (found,) = find_columns(header.split())
    assert found.time == time
    assert found.acc == tuple(acc.format(a) for a in XYZ)
    assert found.gyr == tuple(gyr.format(a) for a in XYZ)


@pytest.mark.parametrize(
    ("header", "quat", "order"),
    [
        ("ax ay az qw qx qy qz", ("qx", "qy", "qz", "qw"), "xyzw"),
        ("ax ay az quat_w quat_x quat_y quat_z", ("quat_x", "quat_y", "quat_z", "quat_w"), "xyzw"),
        ("ax ay az q0 q1 q2 q3", ("q0", "q1", "q2", "q3"), None),
        ("ori_1 ori_2 ori_3 ori_4 acc_1 acc_2 acc_3", ("ori_1", "ori_2", "ori_3", "ori_4"), None),
    ],
)
def test_a_quaternions_order_is_known_only_by_its_letters(header, quat, order):
    (found,) = find_columns(header.split())
    assert (found.quat, found.quat_order) == (quat, order)


def test_phone_columns_with_gravity_taken_out_come_second():
    header = [f"accelerometerAcceleration{a}(G)" for a in "XYZ"] + [f"motionUserAcceleration{a}(G)" for a in "XYZ"]
    header += [f"motionGravity{a}(G)" for a in "XYZ"] + [f"gyroRotation{a}(rad/s)" for a in "XYZ"]
    (found,) = find_columns(header)
    assert found.acc == tuple(header[:3])
    assert not found.gravity_free
    assert declared_units([found], header, ()) == {"acc": "g", "gyr": "rad/s"}
    (found,) = find_columns(header[3:])
    assert found.gravity_free


def test_the_unit_tells_what_a_bare_axis_is():
    (found,) = find_columns(["elapsed (s)", "x-axis (g)", "y-axis (g)", "z-axis (g)"])
    assert found.acc == ("x-axis (g)", "y-axis (g)", "z-axis (g)")
    assert found.time == "elapsed (s)"


def test_a_vector_that_lacks_an_axis_is_none():
    with pytest.raises(InputError, match="acc_x, acc_y"):
        find_columns(["time", "acc_x", "acc_y"])


@pytest.mark.parametrize(
    ("header", "name", "unit"),
    [
        ("acc_x (g)", "acc_x", "g"), ("Acceleration.X [m/s^2]", "Acceleration.X", "m/s2"), ("acc_x_g", "acc_x", "g"),
        ("gyro_y_dps", "gyro_y", "deg/s"), ("gyr_z_rad_s", "gyr_z", "rad/s"), ("time_ms", "time", "ms"),
        ("time (µs)", "time", "us"), ("Accel X ((m/s^2)*)", "Accel X", "m/s2"), ("vector_s", "vector_s", None),
        ("Mat[1][1]", "Mat[1][1]", None), ("acc_x", "acc_x", None), ("gyr (°/s)", "gyr", "deg/s"),
    ],
)  # fmt: skip
def test_units_in_names(header, name, unit):
    assert split_unit(header) == (name, unit)


def test_disagreeing_units_declare_none():
    header = ["time (s)", "acc_x (g)", "acc_y (m/s2)", "acc_z (g)"]
    assert declared_units(find_columns(header), header, ()) == {"time": "s"}


def test_units_have_one_spelling_and_a_sign():
    assert parse_unit("m·s⁻²") == parse_unit("m/s²") == parse_unit("m/(s^2)") == "m/s2"
    assert parse_unit("furlong") is None
    assert unit_scale(named_unit("-g", ACC_UNITS, "--acc-unit"), ACC_UNITS) == pytest.approx(-9.81)
    with pytest.raises(InputError, match="--gyr-unit"):
        named_unit("-deg/s", GYR_UNITS, "--gyr-unit")


@pytest.mark.parametrize("rate_hz", [5, 20, 33.3, 100, 1000, 1900])
@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_one_time_unit_only_can_fit(rate_hz, unit, scale):
    assert likely_time_unit(np.arange(50) / rate_hz * scale) == unit


def test_parsing_a_map():
    found = ColumnMap.parse("time=t, ax=A X,ay=A Y,az=A Z,qx=1,qy=2,qz=3,qw=4,sensor=id")
    assert found.names() == ("t", "A X", "A Y", "A Z", "1", "2", "3", "4")
    assert (found.sensor, found.quat_order) == ("id", "xyzw")
