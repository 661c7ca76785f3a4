"""`kinebind sync` as it is used: what it finds, what it leaves, what it says."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import kinebind as package
from kinebind import ClockMap, Recording
from kinebind.body.made_up import made_up_motion

OFFSET_S = 1.2

NEAR = ("--search", "0:3")  # narrow enough that a leg that moves little is answered, too
SPARE = ("--acc-unit", "g", "--time-unit", "s")


def offsets(told):
    return {a["clock_id"]: a["offset_s"] for a in told["answers"]}


def test_the_clocks_of_two_sensors_are_found(walk, kinebind):
    said = kinebind("sync", "poses.npz", "left_wrist=left_wrist.csv", "right_shank=right_shank.csv", *NEAR)
    assert said.code == 0
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].split() == ["clock", "sensors", "offset,", "s", "skew,", "ppm", "confidence", "status"]
    for name, line in zip(("left_wrist", "right_shank"), lines[1:], strict=False):
        assert line.startswith(name)
        assert line.rstrip().endswith("answered")
        found = float(line.split("±")[0].split()[-1])
        assert abs(found - OFFSET_S) < 0.02
    assert "Units were read from the header" in said.out


def test_quiet_prints_the_result_alone(walk, kinebind):
    said = kinebind("sync", "poses.npz", "left_wrist=left_wrist.csv", "--quiet")
    assert len(said.out.splitlines()) == 2
    assert said.err == ""


def test_json_is_the_result_and_what_the_readers_said(walk, kinebind):
    said = kinebind("sync", "poses.npz", "left_wrist=left_wrist.csv", "--json")
    assert said.code == 0
    told = said.json
    assert told["format"] == "kinebind-sync-1"
    assert told["recording"] == "poses"
    (answer,) = told["answers"]
    assert answer["status"] == "answered"
    assert answer["offset_s"] == pytest.approx(OFFSET_S, abs=0.02)
    (sensor,) = answer["sensors"]
    assert (sensor["name"], sensor["site"], sensor["given"]) == ("left_wrist", "left_wrist", True)
    assert sensor["evidence_nats"] > 10
    assert told["inputs"]["imus"][0]["name"] == "left_wrist"
    assert any("Units" in note for note in told["inputs"]["imus"][0]["notes"])
    assert told["inputs"]["people"][0]["person"] == "1"


def test_a_shared_clock_is_answered_once(walk, kinebind):
    files = ("poses.npz", "left_wrist=left_wrist.csv", "right_shank=right_shank.csv")
    said = kinebind("sync", *files, "--shared-clock", "--json")
    (answer,) = said.json["answers"]
    assert [s["name"] for s in answer["sensors"]] == ["left_wrist", "right_shank"]
    assert answer["offset_s"] == pytest.approx(OFFSET_S, abs=0.01)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_out_holds_report_tables_and_the_same_result(walk, kinebind, kind):
    said = kinebind("sync", "recording.toml", "--out", "found", "--table", kind, "--json")
    assert said.code == 0
    told = said.json
    assert told["out"] == "found"
    names = {path.name for path in (walk / "found").iterdir()}
    assert names == {"sync.json", "report.html", f"aligned.{kind}", f"imu-left_wrist.{kind}", f"imu-right_shank.{kind}"}
    stored = json.loads((walk / "found" / "sync.json").read_text())
    assert {key: told[key] for key in stored} == stored
    if kind == "parquet":
        assert pq.read_table(walk / "found" / "aligned.parquet").num_rows > 100


def test_a_refusal_is_written_and_exits_with_3(walk, kinebind):
    said = kinebind("sync", "poses.npz", "left_wrist=spare.csv", *SPARE, "--out", "found")
    assert said.code == 3
    assert "refused: no_motion_imu" in said.out
    assert "hardly moved" in said.out
    stored = json.loads((walk / "found" / "sync.json").read_text())
    assert stored["answers"][0]["reason"]["code"] == "no_motion_imu"
    assert (walk / "found" / "report.html").exists()


def test_a_site_that_was_not_given_is_found_and_told(walk, kinebind):
    (walk / "left_wrist.csv").rename(walk / "b.csv")
    said = kinebind("sync", "poses.npz", "b.csv", "--json")
    assert said.code == 0
    (answer,) = said.json["answers"]
    assert answer["sensors"][0]["given"] is False
    assert answer["sensors"][0]["site"] == "left_wrist"
    assert answer["offset_s"] == pytest.approx(OFFSET_S, abs=0.03)
    assert any("not given" in note for note in answer["notes"])


def test_a_search_range_is_a_limit(walk, kinebind):
    words = ("sync", "poses.npz", "left_wrist=left_wrist.csv", "--json", "--search")
    assert offsets(kinebind(*words, "-5:5").json)["left_wrist"] == pytest.approx(OFFSET_S, abs=0.02)
    elsewhere = kinebind(*words, "-6:-3")
    (answer,) = elsewhere.json["answers"]
    assert answer["offset_s"] is None or -6.5 < answer["offset_s"] < -2.5
    assert elsewhere.json["search_s"] == [-6.0, -3.0]


def test_a_wrong_hint_costs_nothing_but_time(walk, kinebind):
    words = ("sync", "poses.npz", "left_wrist=left_wrist.csv", "--json")
    for hint in (("--near", "1"), ("--near", "-300"), ("--anchor", "0:10.0=0:11.2")):
        said = kinebind(*words, *hint)
        assert offsets(said.json)["left_wrist"] == pytest.approx(OFFSET_S, abs=0.02)


def test_two_anchors_tell_the_skew_and_must_agree(walk, kinebind):
    words = ("sync", "poses.npz", "left_wrist=left_wrist.csv")
    said = kinebind(*words, "--anchor", "1=2.3", "--anchor", "11=12.2", "--json")
    assert offsets(said.json)["left_wrist"] == pytest.approx(OFFSET_S, abs=0.02)
    assert any("anchors say an offset of 1.25 s and a skew of -10000 ppm" in note for note in said.json["notes"])
    kinebind(*words, "--anchor", "1=2", "--anchor", "11=15").refused("30.0 % faster", "--fps")
    kinebind(*words, "--anchor", "1=2", "--anchor", "1=3").refused("same IMU time")


def test_the_start_of_a_video_serves_sensors_on_unix_time(walk, kinebind):
    start = 1_741_528_800.0  # 2025-03-09T14:00:00Z
    imu = package.read("left_wrist.csv").imus[0]
    package.save(Recording(imus=(imu.replace(time_s=imu.time_s + start - 20.0),)), "unix.kinebind")
    words = ("sync", "poses.npz", "unix.kinebind", "--json", "--video-start")
    for text in ("2025-03-09T14:00:00Z", "2025-03-09T15:00:00+01:00", str(start), str(1000 * start)):
        said = kinebind(*words, text)
        assert said.code == 0
        assert offsets(said.json)["left_wrist"] == pytest.approx(OFFSET_S + 20.0 - start, abs=0.02)
        assert any("By --video-start" in note for note in said.json["notes"])
    kinebind("sync", "poses.npz", "left_wrist.csv", "--video-start", "2025-03-09T14:00Z").refused("UNIX", "--near")
    kinebind(*words[:3], "--video-start", "yesterday").refused("--video-start", "2025-")
    kinebind(*words[:3], "--video-start", "12").refused("--video-start")


def test_one_of_several_people_is_chosen_or_found(tmp_path, kinebind):
    out = tmp_path / "two"
    given = "--people 2 --sites left_wrist,right_shank --duration 16 --own-clocks --as kinebind --condition clean"
    assert kinebind("simulate", *given.split(), "--offset", "0.8", "--out", out).code == 0
    said = kinebind("sync", out / "recording.kinebind", "--json", *NEAR)
    assert said.code == 0
    assert said.json["recording"] == "two"
    for answer in said.json["answers"]:
        assert answer["person"] == answer["clock_id"][len("person")]
        assert answer["offset_s"] == pytest.approx(0.8, abs=0.03)
    shown = kinebind("sync", out / "recording.kinebind").out
    assert shown.splitlines()[0].rstrip().endswith("person")
    alone = kinebind("sync", out / "recording.kinebind", "--person", "1", "--json")
    assert {a["person"] for a in alone.json["answers"]} == {"1"}
    assert alone.json["reference"] == "1"
    kinebind("sync", out / "recording.kinebind", "--person", "7").refused("no person '7'", "1, 2")


def test_sensors_alone_are_compared_with_each_other(walk, kinebind, tmp_path):
    imu = package.read("left_wrist.csv").imus[0]
    second = imu.replace(name="second", clock_id="second", time_s=ClockMap(0.7).to_imu(imu.time_s))
    package.save(Recording(imus=(second.take(np.arange(0, imu.time_s.size, 2)),)), "second.kinebind")
    said = kinebind("sync", "left_wrist.csv", "second.kinebind", "--json")
    assert said.code == 0
    assert said.json["reference"] == "left_wrist"
    assert offsets(said.json) == {"second": pytest.approx(0.7, abs=0.01)}
    assert any("There is no video" in note for note in said.json["notes"])
    back = kinebind("sync", "left_wrist.csv", "second.kinebind", "--reference", "second", "--json")
    assert offsets(back.json) == {"left_wrist": pytest.approx(-0.7, abs=0.01)}
    kinebind("sync", "left_wrist.csv").refused("nothing to synchronise", "POSE SITE=FILE")
    kinebind("sync", "left_wrist.csv", "second.kinebind", "--reference", "third").refused("no sensor 'third'")


def test_sensors_on_the_clock_of_the_reference_have_nothing_to_find(walk, kinebind):
    imu = package.read("left_wrist.csv").imus[0]
    same = (imu.replace(clock_id="recorder"), imu.replace(name="arm", site="left_upper_arm", clock_id="recorder"))
    package.save(Recording(imus=same), "recorder.kinebind")
    package.save(Recording(imus=(imu.replace(name="watch", time_s=imu.time_s - 0.4),)), "watch.kinebind")
    said = kinebind("sync", "recorder.kinebind", "watch.kinebind", "--json")
    assert said.code == 0
    assert offsets(said.json) == {"watch": pytest.approx(0.4, abs=0.01)}
    assert "On the clock of 'left_wrist' already: arm." in said.json["notes"]
    kinebind("sync", "recorder.kinebind").refused("All sensors run on the clock of 'left_wrist'")


def test_motion_capture_serves_as_poses(tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    motion = made_up_motion(14.0, rng)
    package.save(Recording(motions=(motion,), name="capture"), "capture.kinebind")
    assert kinebind("simulate", "capture.kinebind", "--offset", "0", "--skew", "0", "--out", "sim", "-q").code == 0
    said = kinebind("sync", "capture.kinebind", "left_wrist=sim/left_wrist.csv", "--json")
    assert said.code == 0
    assert offsets(said.json)["left_wrist"] == pytest.approx(0.0, abs=0.02)
    assert any("virtual camera" in note for note in said.json["inputs"]["people"][0]["notes"])


def test_settings_of_the_sensor_reach_the_reader(walk, kinebind):
    imu = package.read("left_wrist.csv").imus[0]
    rows = np.column_stack([imu.time_s * 1000, imu.acc_sensor / -9.81, np.rad2deg(imu.gyr_sensor)])
    np.savetxt("odd.csv", rows, delimiter=";", header="t;p;q;r;u;v;w", comments="", fmt="%.5f")
    names = "time=t,ax=p,ay=q,az=r,gx=u,gy=v,gz=w"
    units = ("--acc-unit", "-g", "--gyr-unit", "deg/s", "--time-unit", "ms")
    said = kinebind("sync", "poses.npz", "left_wrist=odd.csv", "--columns", names, *units, "--json")
    assert said.code == 0, said.err
    assert offsets(said.json) == {"odd": pytest.approx(OFFSET_S, abs=0.02)}


def test_files_called_alike_do_not_share_a_clock(walk, kinebind):
    for name, file in (("a", "left_wrist.csv"), ("b", "right_shank.csv")):
        (walk / name).mkdir()
        (walk / file).rename(walk / name / "sensor.csv")
    said = kinebind("sync", "poses.npz", "left_wrist=a/sensor.csv", "right_shank=b/sensor.csv", "--json")
    assert set(offsets(said.json)) == {"sensor", "sensor-2"}
    assert [s["name"] for a in said.json["answers"] for s in a["sensors"]] == ["left_wrist", "right_shank"]
    twice = kinebind("sync", "poses.npz", "left_wrist=a/sensor.csv", "left_wrist=b/sensor.csv", "--json")
    assert [s["name"] for a in twice.json["answers"] for s in a["sensors"]] == ["sensor", "sensor-2"]


def test_a_bare_file_named_like_an_argument_is_the_file(walk, kinebind):
    (walk / "left_wrist.csv").rename(walk / "left_wrist=1.csv")
    said = kinebind("inspect", "left_wrist=1.csv", "--json")
    assert said.code == 0
    assert kinebind("sync", "poses.npz", "left_wrist=1.csv", "--json").code == 0
