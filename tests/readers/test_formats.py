from __future__ import annotations

import json

import numpy as np
import pytest
from imu_scene import HEADER, feel, table_text, write

import kinebind
from kinebind.errors import InputError
from kinebind.readers import FORMATS, format_named, read, read_imu, read_motion, read_poses, sniff

FELT = feel(5.0)


def test_names_are_unique_and_known():
    names = [f.name for f in FORMATS]
    assert len(set(names)) == len(names)
    assert names[-1] == "table"
    assert format_named("Xsens-MTw").name == "xsens-mtw"
    with pytest.raises(InputError, match="no format") as caught:
        format_named("doc")
    assert "openpose" in caught.value.fix


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (b"PK\x03\x04" + bytes(100), "zip"), (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"), (b"%PDF-1.4", "PDF"),
        (bytes(range(200)) * 9, "binary"), (b"{}", "JSON"), (b"hello", "no table"), (b"\xff\xfe", "binary"),
        (b"a,b,c\n", "a header, but no rows"), (b"\x00" * 100, "binary"),
    ],
)  # fmt: skip
def test_unknown_files_are_told_apart(tmp_path, content, looks):
    with pytest.raises(InputError, match=looks) as caught:
        sniff(write(tmp_path / "thing.csv", content))
    assert "xsens-mtw" in caught.value.fix


def test_recordings_are_read_by_every_door(tmp_path):
    imu = read_imu(write(tmp_path / "left_foot.csv", table_text(FELT.rows)))[0]
    path = tmp_path / "a.kinebind"
    kinebind.save(kinebind.Recording(imus=(imu,), name="scene"), path)
    assert sniff(path).name == "kinebind"
    assert read(path).name == "scene"
    np.testing.assert_array_equal(read_imu(path)[0].acc_sensor, imu.acc_sensor)
    for reader, lacking in ((read_poses, "no poses"), (read_motion, "0 motions")):
        with pytest.raises(InputError, match=lacking):
            reader(path)
    with pytest.raises(InputError, match="--site means nothing"):
        read_imu(path, site="left_foot")


def test_the_wrong_door_says_what_the_file_holds(tmp_path):
    path = write(tmp_path / "a.csv", table_text(FELT.rows))
    with pytest.raises(InputError, match=r"holds an IMU .*, not 2D poses"):
        read_poses(path)
    with pytest.raises(InputError, match="not 3D motion"):
        read_motion(path)


def poses_file(tmp_path, frames=40):
    rng = np.random.default_rng(0)
    points = 200 + 100 * rng.random((17, 2))
    found = []
    for frame in range(frames):
        shown = np.column_stack([points + frame, np.ones(17)])
        found.append({"image_id": f"{frame}.jpg", "category_id": 1, "keypoints": shown.ravel().tolist(), "score": 0.9})
    return write(tmp_path / "poses.json", json.dumps(found))


def test_options_reach_the_reader_and_strangers_are_refused(tmp_path):
    path = poses_file(tmp_path)
    (person,) = read_poses(path, rate_hz=25.0, image_size_px=(640, 480))
    assert person.rate_hz == pytest.approx(25.0)
    assert person.image_size_px == (640, 480)
    assert read(path, rate_hz=25.0, image_size_px=(640, 480)).people[0].time_s.size == 40
    with pytest.raises(InputError, match="--up means nothing for the format coco-results"):
        read(path, rate_hz=25.0, up="y")
    with pytest.raises(InputError, match="--colour means nothing"):
        read(write(tmp_path / "a.csv", table_text(FELT.rows)), colour="red")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without JSON"):
        sniff(tmp_path / "empty")


def test_a_table_may_be_forced(tmp_path):
    text = "// Update Rate: 100.0Hz\nPacketCounter," + table_text(
        FELT.rows, ("t", *[f"Acc_{a}" for a in "XYZ"], "p", "q", "r")
    )
    lines = text.splitlines()
    lines[2:] = [f"{i}," + line for i, line in enumerate(lines[2:])]
    path = write(tmp_path / "a.txt", "\n".join(lines))
    assert sniff(path).name == "xsens-mtw"
    (imu,) = read_imu(path, format="table", acc_unit="m/s2", time_unit="s")
    np.testing.assert_allclose(imu.time_s, FELT.time_s)


def test_a_jump_of_the_clock_gives_pieces_with_clocks_of_their_own(tmp_path):
    rows = np.vstack([FELT.rows, feel(5.0, seed=2).rows + [4.3, 0, 0, 0, 0, 0, 0]])
    first, second = read_imu(write(tmp_path / "a.csv", table_text(rows, HEADER)))
    assert (first.name, second.name) == ("a", "a#2")
    assert (first.clock_id, second.clock_id) == ("a", "a#2")
    assert second.time_s[0] == pytest.approx(4.3)
    assert len(read(tmp_path / "a.csv").clocks()) == 2
