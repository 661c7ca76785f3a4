"""Wrong input of every kind: exit code 2, what is wrong, what to do, and nothing half-written."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

import kinebind as package
from kinebind.cli import sync as sync_module

HEADER = "time (s),acc_x (m/s2),acc_y (m/s2),acc_z (m/s2),gyr_x (rad/s),gyr_y (rad/s),gyr_z (rad/s)"


def sensor(path: Path, rows: np.ndarray, header: str = HEADER) -> None:
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.6f")


def moving(count: int = 1000) -> np.ndarray:
    imu = package.read("left_wrist.csv").imus[0]
    return np.column_stack([imu.time_s, imu.acc_sensor, imu.gyr_sensor])[:count]


def empty(path):
    path.write_bytes(b"")


def binary(path):
    path.write_bytes(bytes(range(256)) * 20)


def header_alone(path):
    path.write_text(HEADER + "\n")


def cut_through(path):
    sensor(path, moving())
    path.write_bytes(path.read_bytes()[:40])


def no_acceleration(path):
    sensor(path, moving()[:, [0, 4, 5, 6]], "time (s),gyr_x (rad/s),gyr_y (rad/s),gyr_z (rad/s)")


def no_units(path):
    sensor(path, moving(), "time,ax,ay,az,gx,gy,gz")


def wrong_acceleration_unit(path):
    rows = moving()
    rows[:, 1:] *= 0.02
    rows[:, 3] += 1.0
    sensor(path, rows)


def one_sample(path):
    sensor(path, moving(1))


def picture(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (empty, ["is empty"]), (binary, ["binary"]), (picture, ["a picture"]), (header_alone, ["header"]),
        (cut_through, ["watch.csv"]), (no_acceleration, ["No acceleration columns", "--columns"]),
        (no_units, ["unit", "--acc-unit", "--gyr-unit", "--time-unit"]),
        (wrong_acceleration_unit, ["--acc-unit"]), (one_sample, ["watch"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_a_sensor_file_that_cannot_be_used(walk, kinebind, make, words):
    make(walk / "watch.csv")
    before = {p.name for p in walk.iterdir()}
    kinebind("sync", "poses.npz", "left_wrist=watch.csv", "--out", "found").refused("watch.csv", *words)
    assert {p.name for p in walk.iterdir()} == before


def test_a_constant_signal_is_no_sensors(walk, kinebind):
    sensor(walk / "watch.csv", np.column_stack([np.arange(1000) / 100, np.ones((1000, 6))]))
    said = kinebind("sync", "poses.npz", "left_wrist=watch.csv")
    assert said.code in (2, 3)
    assert "Traceback" not in said.err
    assert said.err.startswith("error") or "refused: no_motion_imu" in said.out


def test_normalised_coordinates_need_the_image_size(walk, kinebind):
    poses = package.read("poses.npz").people[0]
    size = np.array(poses.image_size_px)
    np.savez(walk / "flat.npz", keypoints_px=poses.keypoints_px / size, scores=poses.scores, time_s=poses.time_s)
    words = ("sync", "flat.npz", "left_wrist=left_wrist.csv")
    kinebind(*words).refused("normalised", "--image-size")
    assert kinebind(*words, "--image-size", f"{size[0]}x{size[1]}").code == 0
    kinebind(*words, "--image-size", "big").refused("WIDTHxHEIGHT")


def test_poses_without_times_need_the_frame_rate(walk, kinebind):
    poses = package.read("poses.npz").people[0]
    np.savez(walk / "bare.npz", keypoints_px=poses.keypoints_px, scores=poses.scores)
    words = ("sync", "bare.npz", "left_wrist=left_wrist.csv")
    kinebind(*words).refused("how many frames a second", "--fps")
    np.savetxt(walk / "times.txt", poses.time_s)
    said = kinebind(*words, "--frame-times", "times.txt", "--json")
    assert said.code == 0
    assert said.json["answers"][0]["offset_s"] == pytest.approx(1.2, abs=0.02)
    kinebind(*words, "--fps", "-3").refused("--fps")


def test_too_short_an_overlap_is_refused_with_the_reason(walk, kinebind):
    sensor(walk / "watch.csv", moving(80))
    said = kinebind("sync", "poses.npz", "left_wrist=watch.csv", "--json")
    assert said.code == 3
    assert said.json["answers"][0]["reason"]["code"] == "too_little_overlap"


def test_a_file_of_the_wrong_kind_is_called_by_what_it_is(walk, kinebind):
    kinebind("sync", "poses.npz", "left_wrist=poses.npz").refused("holds 2D poses", "an IMU is expected")
    kinebind("sync", "poses.npz", "poses.npz").refused("both hold poses")
    (walk / "bad.toml").write_text('pose = "left_wrist.csv"\n[[imu]]\npath = "right_shank.csv"\n')
    kinebind("sync", "bad.toml").refused("left_wrist.csv holds an IMU", "2D poses is expected")
    kinebind("sync", "truth.json", "left_wrist.csv").refused("JSON")
    kinebind("sync", "poses.npz").refused("No sensor is named", "SITE=FILE")
    kinebind("simulate", "left_wrist.csv", "--out", "sim").refused("holds an IMU", "motion")


@pytest.mark.parametrize("site", ["left_wirst", "wrist", "tail"])
def test_an_unknown_site_lists_the_sites(walk, kinebind, site):
    kinebind("sync", "poses.npz", f"{site}=left_wrist.csv").refused(f"'{site}'", "left_wrist, right_wrist", "shank")


@pytest.mark.parametrize("words", [["LeftWrist", "left_wrist.csv"], ["left_wrist=", "left_wrist.csv"]])
def test_a_site_apart_from_its_file_is_told(walk, kinebind, words):
    kinebind("sync", "poses.npz", *words).refused(f"'{words[0]}' is a site without a file", "left_wrist=FILE")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--search", "12"], ["--search", "-60:60"]), (["--search", "5:-5"], ["--search", "lower"]),
        (["--search", "a:b"], ["--search", "'a'"]), (["--near", "soon"], ["--near", "soon"]),
        (["--near", "1", "--anchor", "1=2"], ["--near and --anchor"]), (["--anchor", "12"], ["IMU_TIME=VIDEO_TIME"]),
        (["--table", "xls"], ["--table", "parquet"]), (["--format", "excel"], ["'excel'", "mmpose"]),
        (["--gravity", "maybe"], ["--gravity", "included"]), (["--columns", "tome=x"], ["--columns", "roles"]),
        (["--columns", "time=nope,ax=a,ay=b,az=c"], ["no column 'nope'"]), (["--rate", "0"], ["--rate"]),
        (["--acc-unit", "stone"], ["stone", "--acc-unit"]), (["--unit-m", "0.01"], ["--unit-m", "2D poses"]),
        (["--up", "x"], ["--up"]), (["--first-frame", "2"], ["first"]),
    ],
)  # fmt: skip
def test_a_flag_that_makes_no_sense_is_named(walk, kinebind, words, told):
    kinebind("sync", "poses.npz", "left_wrist=left_wrist.csv", *words).refused(*told)


def test_flags_for_files_that_are_not_there_are_named(walk, kinebind):
    poses, imus = package.read("poses.npz").people, package.read("left_wrist.csv").imus
    package.save(package.Recording(people=poses, imus=imus), "walk.kinebind")
    kinebind("sync", "walk.kinebind", "--acc-unit", "g").refused("--acc-unit", "no file of a sensor")
    kinebind("sync", "walk.kinebind", "--fps", "25").refused("--fps", "no file of poses")
    kinebind("sync", "left_wrist.csv", "right_shank.csv", "--fps", "25").refused("--fps")


# -- where results cannot go ----------------------------------------------------------------------------------------


def test_out_that_is_a_file_or_cannot_be(walk, kinebind):
    words = ("sync", "poses.npz", "left_wrist=left_wrist.csv", "--out")
    kinebind(*words, "poses.npz").refused("poses.npz is a file", "--out")
    kinebind(*words, "poses.npz/deep").refused("is a file", "--out")
    if Path("/proc").is_dir():
        kinebind(*words, "/proc/kinebind/found").refused("/proc", "--out")


@pytest.fixture
def nobody(walk):
    """A user who may read the working folder, but not write in it."""
    walk.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)
    walk.chmod(0o755)


@pytest.mark.usefixtures("nobody")
def test_out_without_permission(kinebind):
    for out in ("found", "deep/found"):
        said = kinebind("sync", "poses.npz", "left_wrist=left_wrist.csv", "--out", out)
        said.refused("no permission to write", "--out")


def test_a_place_is_checked_before_the_work(walk, kinebind, monkeypatch):
    def work(*_):
        raise AssertionError("worked for nothing")

    monkeypatch.setattr(sync_module, "gather", work)
    kinebind("sync", "poses.npz", "left_wrist=left_wrist.csv", "--out", "poses.npz").refused("is a file")


@pytest.fixture
def on_a_full_disk(kinebind):
    """The command while no file may grow beyond 8 kB: writing fails half-way, as on a full disk."""

    def call(*words: str):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
        try:
            return kinebind(*words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return call


@pytest.mark.parametrize(
    "words",
    [
        ["sync", "recording.toml", "--out", "found"],
        ["convert", "recording.toml", "whole.kinebind"],
        ["convert", "left_wrist.csv", "again.csv"],
        ["simulate", "--out", "sim", "--duration", "10"],
    ],
    ids=lambda words: words[0] + words[-1],
)
def test_a_full_disk_leaves_nothing_half_written(walk, on_a_full_disk, words):
    before = {p.name for p in walk.iterdir()}
    said = on_a_full_disk(*words)
    said.refused("Cannot write", "another place")
    assert ".part" not in said.err  # a place that the user never named, and that is gone
    assert {p.name for p in walk.iterdir()} == before


def test_a_failure_leaves_earlier_results_alone(walk, kinebind, on_a_full_disk):
    assert kinebind("sync", "recording.toml", "--out", "found").code == 0
    before = {p.name: p.read_bytes() for p in (walk / "found").iterdir()}
    on_a_full_disk("sync", "recording.toml", "--out", "found", "--table", "csv").refused("Cannot write")
    kinebind("sync", "recording.toml", "--out", "found", "--search", "3").refused("--search")
    assert {p.name: p.read_bytes() for p in (walk / "found").iterdir()} == before
    assert json.loads(before["sync.json"])["answers"][0]["status"] == "answered"
