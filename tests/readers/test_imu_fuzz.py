"""Whatever bytes come: a valid sensor or an InputError, never another exception."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imu_scene import HEADER, feel, table_text, write

from kinebind import Imu, InputError
from kinebind.readers import FORMATS, read, read_imu, sniff

FELT = feel(4.0)
SOME = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
FEW = slice(0, 150)
XYZ = [f"{kind}_{axis}" for kind in ("Acc", "Gyr") for axis in "XYZ"]
WXYZ = FELT.quat[FEW][:, [3, 0, 1, 2]]


def clocked(columns, header):
    """Columns behind a packet counter and a time in microseconds at 60 Hz."""
    number = np.arange(150)
    rows = np.column_stack([number, number * 16667, *columns])
    return table_text(rows, ["PacketCounter", "SampleTimeFine", *header], formats={0: ".0f", 1: ".0f"}).encode()


TABLE = table_text(FELT.rows[FEW]).encode()
MTW = b"// Update Rate: 100.0Hz\n" + clocked(
    [FELT.acc[FEW], FELT.gyr[FEW], WXYZ], [*XYZ, *[f"Quat_q{i}" for i in range(4)]]
)
DOT = b"sep=,\nDeviceTag:,A\nOutputRate:,60Hz\n" + clocked(
    [WXYZ, FELT.free_world[FEW]], [*[f"Quat_{a}" for a in "WXYZ"], *[f"FreeAcc_{a}" for a in "XYZ"]]
)
GEOTEC = table_text(
    np.column_stack([FELT.acc[FEW], FELT.gyr[FEW], np.arange(150) * 10 + 1.6e12, np.zeros(150)]),
    ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp", "label"], formats={6: ".0f"},
).encode()  # fmt: skip
WHOLE = {"table": TABLE, "xsens-mtw": MTW, "xsens-dot": DOT, "geotec": GEOTEC}
UNITS = {"acc_unit": "m/s2", "gyr_unit": "rad/s", "time_unit": "s"}


def survives(path, **options):
    """The sensors read, or none where they are refused in words."""
    try:
        imus = read_imu(path, **options)
    except InputError:
        return ()
    for imu in imus:
        assert isinstance(imu, Imu)
        assert (np.diff(imu.time_s) > 0).all()
    return imus


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_files_are_read(tmp_path, name):
    assert sniff(write(tmp_path / "a.csv", WHOLE[name])).name == name
    assert survives(tmp_path / "a.csv")


@SOME
@given(st.binary(max_size=400))
def test_random_bytes(tmp_path, data):
    path = write(tmp_path / "a.csv", data)
    survives(path, **UNITS)
    with contextlib.suppress(InputError):
        read(path)
    for fmt in FORMATS:
        if fmt.kind == "imu":
            survives(path, format=fmt.name, **UNITS, rate_hz=100.0)


@SOME
@given(st.text(st.sampled_from("0123456789.,;\t\n\r -+eEnaN\"'/#xyz_acg()\0é"), max_size=400))
def test_random_tables(tmp_path, text):
    survives(write(tmp_path / "a.csv", ",".join(HEADER) + "\n" + text), **UNITS)
    survives(write(tmp_path / "b.csv", text), rate_hz=10.0, **UNITS)


@pytest.mark.parametrize("name", WHOLE)
@SOME
@given(cut=st.integers(0, 9000))
def test_truncated_files(tmp_path, name, cut):
    survives(write(tmp_path / "a.csv", WHOLE[name][:cut]))


@pytest.mark.parametrize("name", WHOLE)
@SOME
@given(seed=st.integers(0, 2**31))
def test_files_with_flipped_bytes_and_lost_lines(tmp_path, name, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(WHOLE[name])
    for place in rng.integers(0, len(data), rng.integers(1, 30)):
        data[place] = rng.integers(0, 256) if rng.random() < 0.5 else ord(rng.choice(list("0,.-\n;e")))
    lines = bytes(data).split(b"\n")
    kept = [line for line in lines if rng.random() > 0.02]
    survives(write(tmp_path / "a.csv", b"\n".join(kept)))


@settings(SOME, max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_shuffled_rows_give_the_same_sensor(tmp_path, seed):
    order = np.random.default_rng(seed).permutation(len(FELT.rows))
    (imu,) = survives(write(tmp_path / "a.csv", table_text(FELT.rows[order])))
    np.testing.assert_allclose(imu.acc_sensor, FELT.acc, atol=1e-6)


@SOME
@given(
    st.lists(
        st.lists(st.sampled_from(["0", "1.5", "-2", "", "nan", "inf", "1e300", "1e-320", "x", "9.81", "12:00"]),
                 min_size=7, max_size=7),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_strange_numbers(tmp_path, rows):
    text = "\n".join([",".join(HEADER), *(",".join(row) for row in rows)])
    survives(write(tmp_path / "a.csv", text))
    survives(write(tmp_path / "a.csv", text), check=False)
