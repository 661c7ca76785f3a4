"""`kinebind simulate`: the truth it tells is the truth in its files."""

from __future__ import annotations

import json

import numpy as np
import pytest

import kinebind as package
from kinebind import ClockMap, Recording
from kinebind.body.imu_simulate import IDEAL, simulate_imus
from kinebind.body.made_up import made_up_motion


def clocks(folder):
    told = json.loads((folder / "truth.json").read_text())["clocks"]
    return {c["clock_id"]: ClockMap(c["offset_s"], 1e-6 * c["skew_ppm"], c["ref_time_s"]) for c in told}


@pytest.fixture
def capture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    motion = made_up_motion(16.0, np.random.default_rng(4))
    package.save(Recording(motions=(motion,)), "capture.kinebind")
    return motion


@pytest.mark.parametrize("offset", [2.5, -2.5, 0.0])
def test_the_true_map_puts_the_sensor_on_the_motion(capture, kinebind, tmp_path, offset):
    """Without any effect, the sensor's samples at mapped times are those of an ideal sensor on the motion."""
    words = "simulate capture.kinebind --sites left_wrist --effects ideal --skew 300 --as kinebind --out sim"
    assert kinebind(*words.split(), "--offset", offset).code == 0
    recording = package.load("sim/recording.kinebind")
    (imu,) = recording.imus
    clock = clocks(tmp_path / "sim")["recorder"]
    assert (clock.offset_s, clock.skew_ppm) == (offset, pytest.approx(300))
    assert imu.time_s[0] < 0.02
    assert recording.people[0].time_s[0] < 0.05
    video_start_s = max(0.0, -offset)
    (ideal,) = simulate_imus(capture, ["left_wrist"], rng=np.random.default_rng(0), effects=IDEAL, rate_hz=400.0)
    motion_s = clock.to_video(imu.time_s) + video_start_s
    inside = (motion_s > 0.5) & (motion_s < 15.5)
    expected = np.stack([np.interp(motion_s, ideal.time_s, a) for a in ideal.gyr_sensor.T], axis=1)
    assert np.abs(imu.gyr_sensor - expected)[inside].max() < 0.05
    assert motion_s[0] == pytest.approx(max(0.0, offset), abs=0.03)


def test_files_of_a_recording_and_its_toml(capture, kinebind, tmp_path):
    said = kinebind("simulate", "capture.kinebind", "--sites", "head,L_LowLeg", "--out", "sim", "--json")
    assert said.code == 0
    names = ["recording.toml", "poses.npz", "head.csv", "left_shank.csv", "truth.json"]
    assert said.json["files"] == names
    assert sorted(names) == sorted(p.name for p in (tmp_path / "sim").iterdir())
    assert said.json["truth"] == json.loads((tmp_path / "sim" / "truth.json").read_text())
    assert kinebind("inspect", "sim/recording.toml").code == 0


def test_the_same_seed_gives_the_same_files(tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    for out, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert kinebind("simulate", "--seed", seed, "--duration", 8, "--out", out, "-q").code == 0
    for name in ("left_wrist.csv", "truth.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_people_rates_conditions_and_channels(tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    words = "simulate --people 3 --sites chest,right_foot --own-clocks --fps 24 --rate 60 --duration 9 --no-gyroscope"
    assert kinebind(*words.split(), "--condition", "hard", "--as", "parquet", "--out", "sim").code == 0
    recording = package.read("sim/poses.npz")
    assert sorted(p.person for p in recording.people) == ["1", "2", "3"]
    assert recording.people[0].rate_hz == pytest.approx(24, rel=0.02)
    assert np.isnan(recording.people[0].keypoints_px).mean() > 0.05
    (imu,) = package.read("sim/person2_right_foot.parquet").imus
    assert (imu.site, imu.gyr_sensor) == ("right_foot", None)
    assert imu.rate_hz == pytest.approx(60, rel=0.02)
    assert len(clocks(tmp_path / "sim")) == 6
    middles = [np.nanmean(p.keypoints_px[:, 11:13, 0]) for p in recording.people]
    assert min(abs(a - b) for i, a in enumerate(middles) for b in middles[:i]) > 5


def test_more_people_than_motions_share_them(capture, kinebind, tmp_path):
    assert kinebind("simulate", "capture.kinebind", "--people", 2, "--out", "sim").code == 0
    assert json.loads((tmp_path / "sim" / "truth.json").read_text())["clocks"][1]["clock_id"] == "recorder2"
    assert package.read("sim/poses.npz").people[0].duration_s < 8.1
    kinebind("simulate", "capture.kinebind", "capture.kinebind", "--people", 1).refused("--people")
    kinebind("simulate", "capture.kinebind", "--people", 2, "--duration", 12).refused("8.0 s a person")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--sites tail", "'tail'"), ("--sites ,", "--sites"), ("--condition mad", "--condition"),
        ("--effects mad", "--effects"), ("--as xls", "--as"), ("--offset 1,2", "2 numbers for 1 clock"),
        ("--offset x", "--offset"), ("--offset 400", "less than 2 s"), ("--skew 20000", "no clock's"),
        ("--duration 1", "--duration"), ("--fps 1", "--fps"), ("--rate 1e6", "--rate"), ("--people 0", "--people"),
        ("nothing.bvh", "There is no file"),
        ("--seed -1", "--seed"), ("--offset nan", "'nan'"), ("--skew inf", "'inf'"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_refused(tmp_path, monkeypatch, kinebind, words, told):
    monkeypatch.chdir(tmp_path)
    kinebind("simulate", "--out", "sim", *words.split()).refused(told)
    assert not (tmp_path / "sim").exists()


def test_other_files_in_the_folder_stay(tmp_path, monkeypatch, kinebind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "mine.txt").write_text("mine")
    (tmp_path / "sim" / "poses.npz").write_text("old")
    assert kinebind("simulate", "--out", "sim", "--duration", 6).code == 0
    assert (tmp_path / "sim" / "mine.txt").read_text() == "mine"
    assert package.read("sim/poses.npz").people
