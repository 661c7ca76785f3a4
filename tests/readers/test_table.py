from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imu_scene import HEADER, feel, table_text, write

from kinebind.errors import InputError
from kinebind.readers import ColumnMap, delimited, read_imu

FELT = feel()
PLAIN = ("time", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")


def same(imu, felt=FELT, tolerance=2e-6):
    np.testing.assert_allclose(imu.time_s, felt.time_s, atol=tolerance)
    np.testing.assert_allclose(imu.acc_sensor, felt.acc, atol=tolerance)
    np.testing.assert_allclose(imu.gyr_sensor, felt.gyr, atol=tolerance)


WRITINGS = {
    "comma": table_text(FELT.rows),
    "semicolon": table_text(FELT.rows, delimiter=";"),
    "tab": table_text(FELT.rows, delimiter="\t"),
    "bar": table_text(FELT.rows, delimiter="|"),
    "blanks": table_text(FELT.rows, [h.replace(" ", "") for h in HEADER], delimiter="   "),
    "padded": table_text(FELT.rows, delimiter=" , "),
    "decimal comma": table_text(FELT.rows, delimiter=";", decimal=","),
    "decimal comma, tabs": table_text(FELT.rows, delimiter="\t", decimal=","),
    "decimal comma, blanks": table_text(FELT.rows, [h.replace(" ", "") for h in HEADER], delimiter=" ", decimal=","),
    "decimal comma, quoted": table_text(FELT.rows, decimal=",", quote=True),
    "byte order mark": "\ufeff" + table_text(FELT.rows),
    "Windows line ends": table_text(FELT.rows, newline="\r\n"),
    "old Mac line ends": table_text(FELT.rows, newline="\r"),
    "trailing delimiter": table_text(FELT.rows, delimiter=",").replace("\n", ",\n"),
    "trailing delimiter in rows": table_text(FELT.rows).replace("\n", ",\n").replace(",\n", "\n", 1),
    "preamble": "sep=,\nDevice:,Watch\n\n# recorded indoors\n" + table_text(FELT.rows),
    "commented header": "# " + table_text(FELT.rows),
    "no last line end": table_text(FELT.rows).rstrip(),
    "zeros behind, after a power cut": table_text(FELT.rows) + "\0" * 5000,
}


@pytest.mark.parametrize("writing", WRITINGS)
def test_every_writing_gives_the_same_sensor(tmp_path, writing):
    (imu,) = read_imu(write(tmp_path / "watch.csv", WRITINGS[writing]))
    same(imu)
    assert imu.name == "watch"


def test_utf16_as_spreadsheets_export(tmp_path):
    (imu,) = read_imu(write(tmp_path / "a.txt", table_text(FELT.rows, delimiter="\t", decimal=",").encode("utf-16")))
    same(imu)


def test_rows_with_mixed_delimiters(tmp_path):
    lines = table_text(FELT.rows).splitlines()
    lines[1::3] = [line.replace(",", ";") for line in lines[1::3]]
    lines[2::3] = [line.replace(",", "\t") for line in lines[2::3]]
    (imu,) = read_imu(write(tmp_path / "a.csv", "\n".join(lines)))
    same(imu)
    assert any("several delimiters" in note for note in imu.notes)


def test_a_row_of_units_below_the_header_declares_them(tmp_path):
    text = "\n".join([",".join(PLAIN), "ms,g,g,g,deg/s,deg/s,deg/s"])
    rows = np.column_stack([FELT.time_s * 1e3, FELT.acc / 9.81, np.degrees(FELT.gyr)])
    (imu,) = read_imu(write(tmp_path / "a.csv", text + "\n" + table_text(rows, None)))
    same(imu, tolerance=2e-5)
    assert any("time ms" in note and "acc g" in note and "gyr deg/s" in note for note in imu.notes)


@pytest.mark.parametrize(
    ("acc_unit", "gyr_unit", "time_unit", "scales"),
    [
        ("m/s2", "rad/s", "s", (1, 1, 1)),
        ("g", "deg/s", "ms", (1 / 9.81, 180 / np.pi, 1e3)),
        ("mg", "deg/s", "us", (1e3 / 9.81, 180 / np.pi, 1e6)),
        ("m/s2", "rad/s", "ns", (1, 1, 1e9)),
    ],
)
def test_undeclared_units_are_asked_for_with_the_likely_value(tmp_path, acc_unit, gyr_unit, time_unit, scales):
    rows = np.column_stack([FELT.time_s * scales[2], FELT.acc * scales[0], FELT.gyr * scales[1]])
    path = write(tmp_path / "a.csv", table_text(rows, PLAIN))
    with pytest.raises(InputError) as caught:
        read_imu(path)
    for flag in (f"--time-unit {time_unit} ", f"--acc-unit {acc_unit} ", f"--gyr-unit {gyr_unit} "):
        assert flag in caught.value.fix
    (imu,) = read_imu(path, acc_unit=acc_unit, gyr_unit=gyr_unit, time_unit=time_unit)
    same(imu, tolerance=3e-5)


def test_a_column_map_reads_unusual_names(tmp_path):
    path = write(tmp_path / "a.csv", table_text(FELT.rows, ("k1", "k2", "k3", "k4", "k5", "k6", "k7")))
    with pytest.raises(InputError, match="k2, k3") as caught:
        read_imu(path)
    assert "--columns" in caught.value.fix
    units = {"acc_unit": "m/s²", "gyr_unit": "rad/s", "time_unit": "s"}
    (imu,) = read_imu(path, columns=ColumnMap.parse("time=k1,ax=k2,ay=k3,az=k4,gx=k5,gy=k6,gz=k7"), **units)
    same(imu)
    with pytest.raises(InputError, match="no column 'nope'"):
        read_imu(path, columns=ColumnMap.parse("time=nope,ax=k2,ay=k3,az=k4"), **units)


def test_without_a_header_columns_are_numbered(tmp_path):
    path = write(tmp_path / "a.csv", table_text(FELT.rows, None))
    columns = ColumnMap.parse("time=1,ax=2,ay=3,az=4,gx=5,gy=6,gz=7")
    (imu,) = read_imu(path, columns=columns, acc_unit="m/s2", gyr_unit="rad/s", time_unit="s")
    same(imu)


@pytest.mark.parametrize("text", ["speed=a", "ax=a,ay=b", "gx=a,ax=a,ay=b,az=c", "time=t", "qx=a,ax=a,ay=b,az=c", ""])
def test_a_column_map_that_makes_no_sense_is_refused(text):
    with pytest.raises(InputError, match="--columns"):
        ColumnMap.parse(text)


def test_a_rate_stands_in_for_the_time(tmp_path):
    path = write(tmp_path / "a.csv", table_text(FELT.rows[:, 1:], HEADER[1:]))
    with pytest.raises(InputError) as caught:
        read_imu(path)
    assert "--rate" in caught.value.fix
    (imu,) = read_imu(path, rate_hz=100.0)
    same(imu)


def test_sensors_side_by_side_share_a_clock(tmp_path):
    names = [f"{side}_wrist_{axis}" for side in ("left", "right") for axis in ("acc_x_g", "acc_y_g", "acc_z_g")]
    rows = np.column_stack([FELT.time_s, FELT.acc / 9.81, FELT.acc[:, [1, 0, 2]] / 9.81])
    left, right = read_imu(write(tmp_path / "both.csv", table_text(rows, ("time_s", *names))))
    assert (left.site, right.site) == ("left_wrist", "right_wrist")
    assert left.clock_id == right.clock_id
    assert left.name != right.name
    np.testing.assert_allclose(right.acc_sensor, FELT.acc[:, [1, 0, 2]], atol=1e-5)
    with pytest.raises(InputError, match="2 sensors"):
        read_imu(tmp_path / "both.csv", site="left_foot")


def test_sensors_below_one_another_are_told_apart(tmp_path):
    other = feel(seed=3)
    lines = table_text(FELT.rows, None).splitlines(), table_text(other.rows, None).splitlines()
    mixed = [line for a, b in zip(*lines, strict=True) for line in (f"left_foot,{a}", f"right_foot,{b}")]
    path = write(tmp_path / "a.csv", "\n".join([",".join(("device", *HEADER)), *mixed]))
    left, right = read_imu(path)
    same(left)
    same(right, other)
    assert (left.site, right.site) == ("left_foot", "right_foot")
    assert left.clock_id != right.clock_id


def test_parquet_gives_what_csv_gives(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(dict(zip(HEADER, FELT.rows.T, strict=True))), path)
    (imu,) = read_imu(path)
    same(imu, tolerance=1e-12)
    stamps = pa.array((FELT.time_s * 1e6 + 1.7e15).astype("int64"), pa.timestamp("us", "UTC"))
    columns = {"timestamp": stamps, **dict(zip(HEADER[1:], FELT.rows.T[1:], strict=True))}
    pq.write_table(pa.table(columns), path)
    (imu,) = read_imu(path)
    np.testing.assert_allclose(imu.time_s - 1.7e9, FELT.time_s, atol=1e-6)
    pq.write_table(pa.table({**columns, HEADER[1]: pa.array([[1.0]] * FELT.time_s.size)}), path)
    with pytest.raises(InputError, match="not numbers"):
        read_imu(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        read_imu(path)


@pytest.mark.parametrize(
    ("stamp", "start"),
    [
        ("2024-05-01 10:00:{:06.3f}", 1714557600.0),
        ("2024-05-01T10:00:{:06.3f}Z", 1714557600.0),
        ("2024-05-01 12:00:{:06.3f}+02:00", 1714557600.0),
        ("10:00:{:06.3f}", 36000.0),
    ],
)
def test_dates_and_times_of_day_need_no_unit(tmp_path, stamp, start):
    lines = table_text(FELT.rows[:, 1:], None).splitlines()
    rows = [f"{stamp.format(t)},{line}" for t, line in zip(FELT.time_s, lines, strict=True)]
    (imu,) = read_imu(write(tmp_path / "a.csv", "\n".join([",".join(("timestamp", *HEADER[1:])), *rows])))
    np.testing.assert_allclose(imu.time_s - start, FELT.time_s, atol=1e-6)


@pytest.mark.parametrize("writing", ["comma", "blanks", "decimal comma", "Windows line ends", "trailing delimiter"])
def test_small_blocks_change_nothing(tmp_path, monkeypatch, writing):
    path = write(tmp_path / "a.csv", WRITINGS[writing])
    whole = read_imu(path)[0]
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 3000)
    pieces = read_imu(path)[0]
    np.testing.assert_array_equal(whole.acc_sensor, pieces.acc_sensor)
    np.testing.assert_array_equal(whole.time_s, pieces.time_s)
    assert whole.notes == pieces.notes


def test_a_cut_last_row_and_junk_are_left_out_and_told(tmp_path):
    text = table_text(FELT.rows)
    (imu,) = read_imu(write(tmp_path / "a.csv", text + "20.0,1.0,2"))
    same(imu)
    assert any("no rows of the table" in note and "20.0,1.0,2" in note for note in imu.notes)
    lines = text.splitlines()
    lines.insert(500, lines[0])  # a recorder that writes its header anew when it is switched on
    (imu,) = read_imu(write(tmp_path / "b.csv", "\n".join(lines)))
    same(imu)
    assert any("time_s" in note for note in imu.notes)
    assert any("without a time" in note for note in imu.notes)


def test_missing_cells_stay_missing(tmp_path):
    rows = FELT.rows.copy()
    rows[100:150, 1:] = np.nan
    text = table_text(rows).replace(",,,,,,\n", ",NaN,nan,,NA,null,\n", 10)
    (imu,) = read_imu(write(tmp_path / "a.csv", text))
    missing = np.isnan(imu.acc_sensor).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(missing), np.arange(100, 150))
    assert any("stay missing (50 of 2000)" in note for note in imu.notes)


def test_impossible_values_count_as_missing(tmp_path):
    rows = FELT.rows.copy()
    rows[7, 2], rows[9, 3], rows[11, 1] = 1e30, np.inf, 1e9
    (imu,) = read_imu(write(tmp_path / "a.csv", table_text(rows)))
    assert np.isnan(imu.acc_sensor[7, 1])
    assert np.isnan(imu.acc_sensor[9, 2])
    assert np.isnan(imu.acc_sensor[11, 0])
    assert any("no usable numbers" in note and "(2, the first is '1e+30')" in note for note in imu.notes)
    assert any("Impossible values of the acceleration count as missing (1)" in note for note in imu.notes)


REFUSED = {
    "empty": (b"", "is empty"),
    "header only": (",".join(HEADER), "a header, but no rows"),
    "binary": (bytes(range(256)) * 40, "binary"),
    "one sample": ("\n".join([",".join(HEADER), "0,0,0,9.81,0,0,0"]), "fewer than two"),
    "constant": (",".join(HEADER) + "\n" + "".join(f"{i / 100},0,0,9.81,0,0,0\n" for i in range(300)), "constant"),
    "prose": ("It was a dark night.\nThe rain fell, in torrents.\n" * 30, "no table of numbers"),
    "no acceleration": ("time,pulse\n" + "".join(f"{i},{60 + i % 5}\n" for i in range(50)), "No acceleration columns"),
    "decimal commas between commas": (
        ",".join(HEADER) + "\n" + "\n".join(["0,01,1,5,9,81,0,1,0,2,0,3,0,4"] * 50), "header names 7 columns"
    ),
    "nothing but gaps": (",".join(HEADER) + "\n" + "".join(f"{i},1,,,2,,\n" for i in range(50)), "0 complete samples"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_a_reason(tmp_path, case):
    content, reason = REFUSED[case]
    with pytest.raises(InputError, match=reason) as caught:
        read_imu(write(tmp_path / "a.csv", content))
    assert caught.value.fix
    assert "a.csv" in caught.value.what


def test_files_that_cannot_be_opened_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no file"):
        read_imu(tmp_path / "none.csv")
    with pytest.raises(InputError, match="folder"):
        read_imu(tmp_path)
    path = write(tmp_path / "a.csv", WRITINGS["comma"])

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InputError, match="no permission"):
        read_imu(path)


def test_linear_acceleration_needs_a_word_on_gravity(tmp_path):
    names = ("time_s", "linear_acc_x", "linear_acc_y", "linear_acc_z", "quat_x", "quat_y", "quat_z", "quat_w")
    free = FELT.acc - feel(shake=0.0).acc  # movement alone, in the sensor's frame
    path = write(tmp_path / "a.csv", table_text(np.column_stack([FELT.time_s, free, FELT.quat]), names))
    with pytest.raises(InputError) as caught:
        read_imu(path, acc_unit="m/s2")
    assert "--gravity" in caught.value.fix
    (imu,) = read_imu(path, acc_unit="m/s2", gravity="removed")
    np.testing.assert_allclose(imu.acc_sensor, FELT.acc, atol=0.05)  # noise of the scene, taken twice
    np.testing.assert_allclose(imu.gyr_sensor[5:-5], FELT.gyr[5:-5], atol=0.02)
    bare = write(tmp_path / "b.csv", table_text(np.column_stack([FELT.time_s, free]), names[:4]))
    with pytest.raises(InputError, match="cannot be put back"):
        read_imu(bare, acc_unit="m/s2", gravity="removed")


def test_numbered_quaternions_need_an_order(tmp_path):
    names = ("time_s", "acc_x (g)", "acc_y (g)", "acc_z (g)", "q0", "q1", "q2", "q3")
    rows = np.column_stack([FELT.time_s, FELT.acc / 9.81, FELT.quat[:, [3, 0, 1, 2]]])
    path = write(tmp_path / "a.csv", table_text(rows, names))
    with pytest.raises(InputError) as caught:
        read_imu(path)
    assert "--quat-order wxyz" in caught.value.fix
    (imu,) = read_imu(path, quat_order="wxyz")
    np.testing.assert_allclose(imu.rot_world_from_sensor, FELT.quat, atol=1e-5)
    (imu,) = read_imu(path, quat_order="none")
    assert imu.rot_world_from_sensor is None
    with pytest.raises(InputError, match="no order"):
        read_imu(path, quat_order="zyxw")


def test_the_name_tells_the_site_and_options_override(tmp_path):
    path = write(tmp_path / "p03_right_shank_2.csv", WRITINGS["comma"])
    (imu,) = read_imu(path)
    assert (imu.site, imu.clock_id) == ("right_shank", "p03_right_shank_2")
    assert any("right_shank was taken from the name" in note for note in imu.notes)
    (imu,) = read_imu(path, site="left_shank", name="B", clock_id="box")
    assert (imu.site, imu.name, imu.clock_id) == ("left_shank", "B", "box")
