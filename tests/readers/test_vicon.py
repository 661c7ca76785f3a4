from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.io import savemat

from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head
from kinebind.readers.vicon import FORMATS, read_vicon, read_vicon_table

NAMES = ("LASI", "RASI", "LHJC", "LKJC", "LAJC", "LTOE", "RHJC", "RKJC", "RAJC", "RTOE")


def markers(rows=30):
    rng = np.random.default_rng(1)
    return {name: rng.normal(scale=500, size=(rows, 3)) for name in NAMES}


def test_joints_units_and_clock(tmp_path):
    given = markers()
    given["LKJC"][4] = np.nan
    savemat(tmp_path / "walk.mat", {**given, "L_Foot": np.zeros((30, 6))})
    motion = read_vicon(tmp_path / "walk.mat")
    at = dict(zip(motion.skeleton.joints, np.moveaxis(motion.position_world, 1, 0), strict=True))
    np.testing.assert_allclose(at["left_knee"], given["LKJC"] / 1000)
    np.testing.assert_allclose(at["right_toe"], given["RTOE"] / 1000)
    np.testing.assert_allclose(at["pelvis"], (given["LASI"] + given["RASI"]) / 2000)
    np.testing.assert_allclose(motion.time_s, np.arange(30) / 100)
    np.testing.assert_allclose(read_vicon(tmp_path / "walk.mat", rate_hz=50).time_s, np.arange(30) / 50)


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    path = tmp_path / "walk.mat"
    savemat(path, {k: v for k, v in markers().items() if k != "RKJC"})
    with pytest.raises(InputError, match="holds no RKJC"):
        read_vicon(path)
    savemat(path, {**markers(), "RKJC": np.zeros((29, 3))})
    with pytest.raises(InputError, match=r"RKJC \(29, 3\) instead of \(30, 3\)"):
        read_vicon(path)
    savemat(path, {**markers(), "RKJC": np.array(["text"])})
    with pytest.raises(InputError, match="cannot be read"):
        read_vicon(path)
    savemat(path, markers())
    with pytest.raises(InputError, match="cannot be"):
        read_vicon(path, rate_hz=-1.0)


def test_the_sniffer_knows_its_joint_centres(tmp_path):
    savemat(tmp_path / "walk.mat", markers())
    savemat(tmp_path / "other.mat", {"LHJC": np.zeros((3, 3))})
    assert FORMATS[0].sniff(read_head(tmp_path / "walk.mat"))
    assert not FORMATS[0].sniff(read_head(tmp_path / "other.mat"))


def test_neura(real_data):
    sample = real_data("neura-walk") / "data" / "sample"
    motion = read_vicon(sample / "rawvicon" / "S02-Trial-Walk-1.mat")
    assert motion.time_s.size == 2503
    at = dict(zip(motion.skeleton.joints, np.moveaxis(motion.position_world, 1, 0), strict=True))
    speed = np.linalg.norm(np.gradient(at["pelvis"], motion.time_s, axis=0), axis=1)
    assert np.median(speed[:1100]) < 0.05 < 0.5 < np.median(speed[1300:1600])  # stands, then walks

    # The set's own table, metres, starts at raw row 1119; its frame is tilted by about a degree, lengths are not.
    with (sample / "vicon" / "S02-Trial-Walk-1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("//")))
    table = {name: np.array([[float(r[f"{name}_{k}"]) for k in (1, 2, 3)] for r in rows])
             for name in ("PELV", "LFEP", "LFEO", "LTIO", "LTOE", "RFEO")}  # fmt: skip
    mine = {"PELV": "pelvis", "LFEP": "left_hip", "LFEO": "left_knee", "LTIO": "left_ankle", "LTOE": "left_toe",
            "RFEO": "right_knee"}  # fmt: skip
    for a, b in (("PELV", "RFEO"), ("LFEP", "LFEO"), ("LFEO", "LTIO"), ("LTIO", "LTOE"), ("LTOE", "RFEO")):
        length = np.linalg.norm(at[mine[a]] - at[mine[b]], axis=1)[1119 : 1119 + len(rows)]
        np.testing.assert_allclose(length, np.linalg.norm(table[a] - table[b], axis=1), atol=1e-5)


TABLE_JOINTS = ("PELV", "LFEP", "LFEO", "LTIO", "LTOE", "RFEP", "RFEO", "RTIO", "RTOE")


def table(rows: np.ndarray, head: str = "// fs=50  nSamples=4\n// frame=world\n// posUnit=m\n// idx=11,14\n") -> str:
    names = [f"{joint}_{axis}" for joint in TABLE_JOINTS for axis in (1, 2, 3)] + ["qRPV_1"]
    body = "\n".join(",".join(f"{v:.9f}" for v in (*row.ravel(), 0.5)) for row in rows)
    return f"{head}{','.join(names)}\n{body}\n"


def test_the_processed_table_keeps_the_clock_of_the_recording_it_was_cut_from(tmp_path):
    rows = np.random.default_rng(2).normal(size=(4, 9, 3))
    path = tmp_path / "walk.csv"
    path.write_text(table(rows))
    assert [f.name for f in FORMATS if f.sniff(read_head(path))] == ["vicon-table"]
    motion = read_vicon_table(path)
    np.testing.assert_allclose(motion.time_s, (10 + np.arange(4)) / 50)
    np.testing.assert_allclose(motion.position_world, rows, atol=1e-8)
    assert motion.skeleton.joints[2] == "left_knee"


def test_a_table_without_its_rate_unit_or_joints_is_refused(tmp_path):
    path = tmp_path / "walk.csv"
    rows = np.zeros((4, 9, 3)) + np.arange(4)[:, None, None]
    path.write_text(table(rows, "// posUnit=mm\n"))
    with pytest.raises(InputError, match="metres"):
        read_vicon_table(path)
    path.write_text(table(rows, "// posUnit=m\n"))
    with pytest.raises(InputError, match="rate"):
        read_vicon_table(path)
    assert read_vicon_table(path, rate_hz=100).rate_hz == pytest.approx(100)
    path.write_text(table(rows).replace("RTOE_2", "other"))
    with pytest.raises(InputError, match="RTOE_2"):
        read_vicon_table(path)


def test_the_real_table_is_the_real_recording(real_data):
    root = real_data("neura-walk") / "data" / "sample"
    processed = read_vicon_table(root / "vicon" / "S02-Trial-Walk-1.csv")
    raw = read_vicon(root / "rawvicon" / "S02-Trial-Walk-1.mat")
    rows = np.round(processed.time_s * 100).astype(int)

    def distances(p):
        return np.linalg.norm(p[:, :, None] - p[:, None], axis=-1)

    # The set turned its laboratory's frame into the sensors' one: distances stay.
    apart = distances(processed.position_world) - distances(raw.position_world[rows])
    assert np.abs(apart).max() < 1e-6
