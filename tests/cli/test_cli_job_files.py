"""recording.toml and tables of recordings: what they hold, and what is wrong with them."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kinebind.cli.job_files import is_table_of_recordings, read_jobs, read_toml
from kinebind.errors import InputError
from kinebind.readers import ColumnMap

FULL = """
name = "garden, take 2"
pose = "video/poses.json"
fps = 29.97
image_size = "1920x1080"
person = "2"
shared_clock = true
search = [-60, 60]
near = 12.5
acc_unit = "g"

[[imu]]
path = "left wrist.csv"
site = "L_Wrist"
name = "watch"
clock = "watch"
columns = { time = "t", ax = "A1", ay = "A2", az = "A3" }
acc_unit = "m/s2"

[[imu]]
path = "/elsewhere/b.csv"
format = "table"
check = false
"""


def toml(folder, text):
    path = folder / "recording.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_word_of_a_toml_is_understood(tmp_path):
    job = read_toml(toml(tmp_path, FULL))
    assert (job.name, job.poses) == ("garden, take 2", tmp_path / "video/poses.json")
    said = job.settings.said()
    assert said == {
        "fps": 29.97, "image_size": (1920, 1080), "person": "2", "shared_clock": True, "search": (-60.0, 60.0),
        "near": 12.5, "acc_unit": "g",
    }  # fmt: skip
    first, second = job.sensors
    assert first.path == tmp_path / "left wrist.csv"
    assert (first.site, first.name, first.clock) == ("left_wrist", "watch", "watch")
    assert first.settings.said() == {"columns": ColumnMap("t", ("A1", "A2", "A3")), "acc_unit": "m/s2"}
    assert first.settings.over(job.settings).acc_unit == "m/s2"
    assert second.settings.over(job.settings).acc_unit == "g"
    assert str(second.path) == "/elsewhere/b.csv"
    assert second.settings.said() == {"format": ("table",), "check": False}


def test_a_recording_without_a_name_is_called_after_its_place(tmp_path):
    assert read_toml(toml(tmp_path, "fps = 25")).name == tmp_path.name
    other = tmp_path / "walk.toml"
    other.write_text("fps = 25")
    assert read_toml(other).name == "walk"


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ('serch = "-1:1"', "'serch'", "'search'"),
        ('[[imu]]\npath = "a"\nsit = "head"', "Sensor 1 has 'sit'", "'site'"),
        ('[imu]\npath = "a"', "imu", "[[imu]]"), ('[[imu]]\nsite = "head"', "no path", "path"),
        ('[[imu]]\npath = "a"\nsite = "tail"', "'tail'", "left_wrist"), ('[[imu]]\npath = 7', "path has 7", "path"),
        ('pose = 7', "pose has 7", "pose"), ('name = "x', "not valid TOML", "quotes"),
        ('search = "1-2"', "search has '1-2'", "-60:60"), ('near = [1]', "near", "number"),
        ('shared_clock = "perhaps"', "shared_clock", "true or false"),
        ('image_size = [1, 2, 3]', "image size", "1920x"), ('first_frame = 1.5', "first_frame", "whole"),
        ('fps = true', "fps", "number"), ('person = true', "person", "quotes"),
        ('zzzzzzzz = 1', "'zzzzzzzz'", "Known are: name, pose, imu"), ('anchor = [[1, 2, 3]]', "anchor", "IMU_TIME"),
    ],
)  # fmt: skip
def test_what_a_toml_gets_wrong_is_named(tmp_path, text, what, fix):
    path = toml(tmp_path, text)
    with pytest.raises(InputError) as told:
        read_toml(path)
    assert str(path) in told.value.what
    assert what in told.value.what
    assert fix in told.value.fix


def test_no_toml_at_all(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_toml(tmp_path / "recording.toml")
    (tmp_path / "recording.toml").write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(InputError, match="not valid TOML"):
        read_toml(tmp_path / "recording.toml")
    (tmp_path / "recording.toml").write_bytes(b"# \n" * 500_000)
    with pytest.raises(InputError, match="too large"):
        read_toml(tmp_path / "recording.toml")


def test_the_command_line_goes_before_the_file(walk, kinebind):
    (walk / "recording.toml").write_text(
        'pose = "poses.npz"\nsearch = "-6:-3"\n[[imu]]\npath = "left_wrist.csv"\n', encoding="utf-8"
    )
    assert kinebind("sync", "recording.toml", "--json").json["search_s"] == [-6.0, -3.0]
    said = kinebind("sync", "recording.toml", "--search", "-5:5", "--json")
    assert said.json["search_s"] == [-5.0, 5.0]
    assert said.json["answers"][0]["offset_s"] == pytest.approx(1.2, abs=0.02)
    kinebind("sync", "recording.toml", "left_wrist.csv").refused("recording.toml", "alone")


# -- tables ---------------------------------------------------------------------------------------------------------

ROWS = [
    {"name": "first", "pose": "poses.npz", "left_wrist": "left_wrist.csv", "R_LowLeg": "right_shank.csv",
     "shared_clock": "yes"},
    {"name": "still", "pose": "poses.npz", "left_wrist": "spare.csv", "acc_unit": "g", "time_unit": "s"},
    {"name": "gone", "pose": "poses.npz", "left_wrist": "gone.csv"},
    {"name": "odd", "pose": "poses.npz", "left_wrist": "left_wrist.csv", "fps": "fast"},
    {"name": "first", "pose": "poses.npz", "imu": "left_wrist.csv; right_shank.csv", "search": "0:3"},
]  # fmt: skip
COLUMNS = ["name", "pose", "left_wrist", "R_LowLeg", "imu", "fps", "acc_unit", "time_unit", "shared_clock", "search"]


def write_rows(path, rows, delimiter=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_become_jobs(walk, delimiter):
    path = walk / "many.csv"
    write_rows(path, [*ROWS, {}], delimiter)
    assert is_table_of_recordings(path)
    rows = read_jobs(path)
    assert [row.name for row in rows] == ["first", "still", "gone", "odd", "first-5"]
    first = rows[0].job
    assert [(s.path, s.site) for s in first.sensors] == [
        (walk / "left_wrist.csv", "left_wrist"), (walk / "right_shank.csv", "right_shank"),
    ]  # fmt: skip
    assert first.settings.said() == {"shared_clock": True}
    assert rows[3].job is None
    assert "row 4: fps has 'fast'" in rows[3].error.what
    assert [(s.path.name, s.site) for s in rows[4].job.sensors] == [("left_wrist.csv", None), ("right_shank.csv", None)]


def test_a_parquet_table_says_the_same(walk):
    write_rows(walk / "many.csv", ROWS)
    columns = {name: [row.get(name) for row in ROWS] for name in COLUMNS}
    pq.write_table(pa.table(columns), walk / "many.parquet")
    assert is_table_of_recordings(walk / "many.parquet")
    assert [r.job for r in read_jobs(walk / "many.parquet")] == [r.job for r in read_jobs(walk / "many.csv")]


def test_sensor_files_and_others_are_no_tables_of_recordings(walk):
    for name in ("left_wrist.csv", "poses.npz", "truth.json", "recording.toml", "nothing.csv"):
        assert not is_table_of_recordings(walk / name), name
    (walk / "long.csv").write_text("pose," * 40_000)
    assert not is_table_of_recordings(walk / "long.csv")


def test_a_failing_row_does_not_stop_the_others(walk, kinebind):
    write_rows(walk / "many.csv", ROWS)
    said = kinebind("sync", "many.csv", "--out", "found")
    assert said.code == 3
    assert "5 recordings, 2 failed; 4 clocks, 1 refused" in said.out
    assert "gone: There is no file" in said.out
    assert "[3/5] gone" in said.err
    assert {p.name for p in (walk / "found").iterdir()} == {"first", "still", "first-5", "summary.csv"}
    assert json.loads((walk / "found" / "still" / "sync.json").read_text())["answers"][0]["status"] == "refused"
    with (walk / "found" / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["recording"], r["status"]) for r in rows] == [
        ("first", "answered"), ("still", "refused"), ("gone", "failed"), ("odd", "failed"),
        ("first-5", "answered"), ("first-5", "answered"),
    ]  # fmt: skip
    assert float(rows[0]["offset_s"]) == pytest.approx(1.2, abs=0.02)


def test_a_batch_in_json_and_its_exit_codes(walk, kinebind):
    write_rows(walk / "many.csv", ROWS[:1])
    good = kinebind("sync", "many.csv", "--json", "--quiet")
    assert (good.code, good.err) == (0, "")
    assert good.json["format"] == "kinebind-sync-batch-1"
    assert good.json["recordings"][0]["name"] == "first"
    assert good.json["recordings"][0]["answers"][0]["status"] == "answered"
    write_rows(walk / "many.csv", ROWS[2:4])
    bad = kinebind("sync", "many.csv", "--json", "--out", "found")
    assert bad.code == 2
    assert [set(r) for r in bad.json["recordings"]] == [{"name", "error"}] * 2
    assert not (walk / "found").exists()


def test_a_fault_in_one_row_is_told_as_a_fault_and_stops_no_other(walk, kinebind, monkeypatch):
    from kinebind.cli import sync as sync_module

    gather = sync_module.gather

    def sometimes(job):
        if job.name == "still":
            raise ZeroDivisionError("division by zero")
        return gather(job)

    monkeypatch.setattr(sync_module, "gather", sometimes)
    write_rows(walk / "many.csv", ROWS[:2])
    said = kinebind("sync", "many.csv")
    assert said.code == 3
    assert "still: ZeroDivisionError: division by zero This is a fault of Kinebind" in said.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,pose,left_wirst\na,b,c\n", ["left_wirst", "left_wrist"]), ("pose,left_wrist\n", ["no rows"]),
        ("pose,left_wrist\na,b,c,d\n", ["row 1 has 4 cells"]), ("pose,left_wrist\na,\xff\n", ["damaged"]),
    ],
)  # fmt: skip
def test_what_a_table_gets_wrong_is_named(walk, kinebind, text, words):
    (walk / "many.csv").write_bytes(text.encode("latin-1"))
    kinebind("sync", "many.csv").refused("many.csv", *words)


def test_a_name_cannot_lead_out_of_the_folder(walk, kinebind):
    write_rows(walk / "many.csv", [ROWS[1] | {"name": "../../up"}, ROWS[1] | {"name": "..\\../up"}])
    assert kinebind("sync", "many.csv", "--out", "found").code == 3
    assert {p.name for p in (walk / "found").iterdir()} == {"_.._up", "_.._up-2", "summary.csv"}
