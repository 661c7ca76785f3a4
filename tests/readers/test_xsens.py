from __future__ import annotations

import numpy as np
import pytest
from imu_scene import feel, write
from scipy.spatial.transform import Rotation

from kinebind.errors import InputError
from kinebind.readers import read_imu, sniff
from kinebind.readers.derive import rotate

FELT = feel(12.0)
N = FELT.time_s.size
COMMENTS = "// Start Time: Unknown\n// Update Rate: 100.0Hz\n// Filter Profile: human (46.1)\n"
MATRIX_BY_COLUMNS = [f"Mat[{i}][{j}]" for j in (1, 2, 3) for i in (1, 2, 3)]


def mtw(counter, columns, header, *, comments=COMMENTS, fine=None, delimiter="\t"):
    names = ["PacketCounter", "SampleTimeFine", "Year", *header]
    rows = np.column_stack(columns)
    lines = [delimiter.join(names)]
    for i, row in enumerate(rows):
        clock = [f"{int(counter[i]):05d}", "" if fine is None else str(int(fine[i])), ""]
        lines.append(delimiter.join([*clock, *("" if np.isnan(v) else f"{v:.6f}" for v in row)]))
    return comments + "\n".join(lines) + "\n"


SENSOR = [f"{k}_{a}" for k in ("Acc", "Gyr") for a in "XYZ"] + [f"Quat_q{i}" for i in range(4)]
COLUMNS = [FELT.acc, FELT.gyr, FELT.quat[:, [3, 0, 1, 2]]]


def same(imu, rows=slice(None)):
    np.testing.assert_allclose(imu.acc_sensor, FELT.acc[rows], atol=2e-6)
    np.testing.assert_allclose(imu.gyr_sensor, FELT.gyr[rows], atol=2e-6)
    np.testing.assert_allclose(np.abs((imu.rot_world_from_sensor * FELT.quat[rows]).sum(axis=1)), 1, atol=1e-6)


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_counter_over_the_declared_rate_is_the_time(tmp_path, delimiter):
    path = write(tmp_path / "Walk-1-000_00B40C48.txt", mtw(np.arange(N) + 200, COLUMNS, SENSOR, delimiter=delimiter))
    assert sniff(path).name == "xsens-mtw"
    (imu,) = read_imu(path)
    same(imu)
    np.testing.assert_allclose(imu.time_s, 2 + FELT.time_s)
    assert (imu.name, imu.clock_id, imu.site) == ("00B40C48", "Walk-1-000", None)


def test_the_counter_wraps_at_16_bits(tmp_path):
    counter = (np.arange(N) + 65000) % 65536
    (imu,) = read_imu(write(tmp_path / "a.txt", mtw(counter, COLUMNS, SENSOR)))
    np.testing.assert_allclose(np.diff(imu.time_s), 0.01)
    same(imu)


@pytest.mark.parametrize(("tick_s", "told"), [(1e-6, False), (1e-4, True)])
def test_sample_time_fine_wraps_at_32_bits_and_counts_by_the_file(tmp_path, tick_s, told):
    fine = (2**32 - 500 * 0.01 / tick_s + np.round(FELT.time_s / tick_s)) % 2**32
    (imu,) = read_imu(write(tmp_path / "a.txt", mtw(np.arange(N), COLUMNS, SENSOR, fine=fine)))
    np.testing.assert_allclose(np.diff(imu.time_s), 0.01, atol=1e-9)
    assert any("100 µs" in note for note in imu.notes) == told


def test_slow_coarse_ticks_are_told_from_fast_fine_ones_by_the_rate(tmp_path):
    slow = COMMENTS.replace("100.0Hz", "10.0Hz")
    text = mtw(np.arange(N), [np.tile(FELT.acc[:1], (N, 1)) + COLUMNS[0] * 1e-3], SENSOR[:3], comments=slow,
               fine=np.arange(N) * 1000)  # fmt: skip
    assert read_imu(write(tmp_path / "a.txt", text))[0].rate_hz == pytest.approx(10.0)


def test_lost_packets_come_back_as_missing_rows(tmp_path):
    kept = np.delete(np.arange(N), [50, 51, 300])
    columns = [c[kept] for c in COLUMNS]
    columns[0][10] = np.nan  # a packet that came empty
    (imu,) = read_imu(write(tmp_path / "a.txt", mtw(kept, columns, SENSOR)))
    np.testing.assert_allclose(imu.time_s, FELT.time_s)
    missing = np.isnan(imu.acc_sensor).all(axis=1)
    assert np.flatnonzero(missing).tolist() == [10, 50, 51, 300]
    assert np.isnan(imu.rot_world_from_sensor[[50, 51, 300]]).all()
    assert any("Packets were lost (3)" in note for note in imu.notes)


def test_a_long_pause_of_the_counter_stays_a_gap(tmp_path):
    counter = np.where(np.arange(N) < 600, np.arange(N), np.arange(N) + 5000)
    (imu,) = read_imu(write(tmp_path / "a.txt", mtw(counter, COLUMNS, SENSOR)))
    assert imu.time_s.size == N
    assert np.diff(imu.time_s).max() == pytest.approx(50.01)


def test_a_matrix_is_read_by_its_names(tmp_path):
    matrix = Rotation.from_quat(FELT.quat).as_matrix()
    by_columns = matrix.transpose(0, 2, 1).reshape(-1, 9)
    text = mtw(np.arange(N), [FELT.acc, FELT.gyr, by_columns], [*SENSOR[:6], *MATRIX_BY_COLUMNS])
    (imu,) = read_imu(write(tmp_path / "a.txt", text))
    same(imu)


def test_without_a_rate_the_flag_is_named(tmp_path):
    path = write(tmp_path / "a.txt", mtw(np.arange(N), COLUMNS, SENSOR, comments="// Start Time: Unknown\n"))
    with pytest.raises(InputError, match="update rate") as caught:
        read_imu(path)
    assert "--rate" in caught.value.fix
    same(read_imu(path, rate_hz=100.0)[0])


def test_without_acceleration_the_columns_are_listed(tmp_path):
    with pytest.raises(InputError, match="no acceleration") as caught:
        read_imu(write(tmp_path / "a.txt", mtw(np.arange(N), COLUMNS[1:], SENSOR[3:])), format="xsens-mtw")
    assert "Gyr_X" in caught.value.fix


def dot(columns, header, *, rate_hz=60, synced=True, fine=None):
    facts = ["sep=,", "DeviceTag:,Yao", f"SyncStatus:,{'Synced' if synced else 'Unsynced'}", f"OutputRate:,{rate_hz}Hz"]
    ticks = np.round(FELT.time_s * 1e6).astype(int) + 3_349_761_345 if fine is None else fine
    lines = [",".join(["PacketCounter", "SampleTimeFine", *header, "Status"])]
    for i, row in enumerate(np.column_stack(columns)):
        lines.append(",".join([str(i + 1), str(ticks[i]), *(f"{v:.6f}" for v in row), "0"]))
    return "\n".join([*facts, "© Xsens Technologies B. V. 2005-2021", "", *lines])


DOT = [f"Quat_{a}" for a in "WXYZ"] + [f"FreeAcc_{a}" for a in "XYZ"]


def test_free_acceleration_of_a_dot_becomes_specific_force(tmp_path):
    path = write(tmp_path / "LTibia_20240501_101010_811.csv", dot([FELT.quat[:, [3, 0, 1, 2]], FELT.free_world], DOT))
    assert sniff(path).name == "xsens-dot"
    (imu,) = read_imu(path)
    np.testing.assert_allclose(imu.acc_sensor, FELT.acc, atol=2e-5)
    np.testing.assert_allclose(imu.gyr_sensor[2:-2], FELT.gyr[2:-2], atol=0.02)
    assert (imu.name, imu.site, imu.clock_id) == ("LTibia", "left_shank", "xsens-dot 20240501_101010")
    assert any("derived from the orientation" in note for note in imu.notes)


def test_a_dot_with_gravity_and_gyroscope_and_its_own_clock(tmp_path):
    header = [f"{k}_{a}" for k in ("Acc", "Gyr") for a in "XYZ"]
    ticks = (2**32 - 3_000_000 + np.round(FELT.time_s * 1e6).astype(int)) % 2**32
    text = dot([FELT.acc, np.degrees(FELT.gyr)], header, synced=False, fine=ticks)
    (imu,) = read_imu(write(tmp_path / "A_20240501_101010_811.csv", text))
    np.testing.assert_allclose(imu.gyr_sensor, FELT.gyr, atol=1e-6)
    np.testing.assert_allclose(np.diff(imu.time_s), 0.01, atol=2e-6)
    assert imu.clock_id == "A"
    assert any("declares 60 Hz" in note for note in imu.notes)


def test_free_acceleration_without_orientation_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be put back"):
        read_imu(write(tmp_path / "a.csv", dot([FELT.free_world], DOT[4:])))


def test_real_mtw_files_of_the_walk(real_data):
    folder = real_data("neura-walk") / "data/sample/rawimu"
    imus = [read_imu(path)[0] for path in sorted(folder.glob("*.txt"))]
    assert len(imus) == 11
    assert {i.clock_id for i in imus} == {"S02-Trial-Walk-1-000"}
    assert len({i.name for i in imus}) == 11
    for imu in imus:
        assert imu.time_s.size == 2503
        assert imu.rate_hz == pytest.approx(100.0)
        assert imu.rest_norm_m_s2() == pytest.approx(9.85, abs=0.15)
        assert imu.gyr_sensor is not None
        assert imu.mag_sensor is not None
        assert imu.time_s[0] == imus[0].time_s[0]


def test_real_mtw_files_with_matrices(real_data):
    folder = real_data("xsens-files") / "OpenSense-IMU/OpenSenseExampleIMUData"
    for path in sorted(folder.glob("*.txt")):
        (imu,) = read_imu(path)
        assert imu.time_s[0] == pytest.approx(4.72)
        up = rotate(imu.rot_world_from_sensor, imu.acc_sensor).mean(axis=0)
        np.testing.assert_allclose(up, [0, 0, 9.81], atol=0.2)


def test_real_dot_files_and_their_conversions_agree(real_data):
    folder = real_data("xsens-files") / "OpenSense-IMU"
    originals = {p.name.split("_")[0]: p for p in (folder / "Original_XsensDot_Data_Realtime").glob("*.csv")}
    assert len(originals) == 5
    for name, path in originals.items():
        (dot_imu,) = read_imu(path)
        (converted,) = read_imu(next((folder / "Transformed_XsensDot_Data_RealTime").glob(f"*{name}.txt")))
        assert dot_imu.site == converted.site is not None
        assert 29 < dot_imu.rate_hz < 61
        shared = np.intersect1d(dot_imu.time_s, converted.time_s)
        assert shared.size > 150
        a, b = (i.take(np.isin(i.time_s, shared)) for i in (dot_imu, converted))
        np.testing.assert_allclose(a.acc_sensor, b.acc_sensor, atol=2e-4)
        assert np.nanmin(np.abs((a.rot_world_from_sensor * b.rot_world_from_sensor).sum(axis=1))) > 1 - 1e-8
