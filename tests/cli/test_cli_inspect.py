"""`kinebind inspect`: what files are, what to be wary of, and what to do where they cannot be read."""

from __future__ import annotations

import numpy as np
import pytest

import kinebind as package
from kinebind import Imu, Recording
from kinebind.cli.inspect import warnings
from kinebind.readers import describe_imu, describe_poses


def test_everything_about_a_recording_is_told(walk, kinebind):
    said = kinebind("inspect", "poses.npz", "left_wrist.csv", "recording.toml", "--json")
    assert said.code == 0
    assert said.json["format"] == "kinebind-inspect-1"
    poses, wrist, toml = said.json["files"]
    assert (poses["format"], wrist["format"], toml["format"]) == ("npz", "table", "recording.toml")
    assert wrist["error"] is None
    (stream,) = wrist["streams"]
    imu = package.read("left_wrist.csv").imus[0]
    assert stream["samples"] == imu.time_s.size
    assert stream["rate_hz"] == pytest.approx(imu.rate_hz)
    assert stream["rest_norm_m_s2"] == pytest.approx(imu.rest_norm_m_s2())
    assert [s["kind"] for s in toml["streams"]] == ["poses", "imu", "imu"]


def test_people_read_names_rates_and_units(walk, kinebind):
    out = kinebind("inspect", "poses.npz", "left_wrist.csv").out
    for words in ("person", "sensor", "100.00 Hz", "30.00 Hz", "m/s²", "rad/s", "left_wrist", "pixels", "note"):
        assert words in out, words
    assert "note" not in kinebind("inspect", "poses.npz", "left_wrist.csv", "--quiet").out


def test_a_file_that_cannot_be_read_does_not_hide_the_others(walk, kinebind):
    said = kinebind("inspect", "spare.csv", "nothing.csv", "poses.npz")
    assert said.code == 2
    assert "spare.csv: cannot be read" in said.out
    assert "--acc-unit g" in said.out
    assert "nothing.csv: cannot be read" in said.out
    assert "poses.npz: NumPy" in said.out
    assert kinebind("inspect", "spare.csv", "--acc-unit", "g", "--time-unit", "s").code == 0
    assert kinebind("inspect", "left_wrist.csv", "--format", "mmpose", "--json").code == 2


def test_a_setting_that_no_file_takes_is_refused(walk, kinebind):
    kinebind("inspect", "left_wrist.csv", "--fps", "30").refused("--fps means nothing")
    kinebind("inspect", "left_wrist.csv", "poses.npz", "--up", "y").refused("--up means nothing")
    assert "--up means nothing" in kinebind("inspect", "recording.toml", "--up", "y").out
    assert kinebind("inspect", "left_wrist.csv", "poses.npz", "--fps", "30", "--time-unit", "s").code == 0
    package.save(package.read("poses.npz"), "poses.kinebind")
    kinebind("inspect", "poses.kinebind", "--fps", "30").refused("--fps means nothing")


def test_motion_and_labels_are_told(tmp_path, kinebind, walk):
    from kinebind import Label
    from kinebind.body.made_up import made_up_motion

    motion = made_up_motion(2.0, np.random.default_rng(0))
    package.save(Recording(motions=(motion,), labels=(Label(0, 1, "wave"),)), "m.kinebind")
    out = kinebind("inspect", "m.kinebind").out
    assert "1 labels" in out
    assert "rotations" in out
    assert "left_shoulder" in out


def test_brackets_in_names_are_no_markup(walk, kinebind):
    (walk / "poses.npz").rename(walk / "[bold]poses[1].npz")
    assert "[bold]poses[1].npz: NumPy" in kinebind("inspect", "[bold]poses[1].npz").out


def imu(**changes):
    rng = np.random.default_rng(1)
    time_s = np.arange(2000) / 100
    acc = rng.normal([0, 0, 9.81], 0.05, (2000, 3))
    given = {"time_s": time_s, "acc_sensor": acc, "gyr_sensor": rng.normal(0, 0.5, (2000, 3))} | changes
    return Imu(**given)


def test_a_good_sensor_has_no_warnings():
    assert warnings(describe_imu(imu())) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"acc_sensor": np.random.default_rng(1).normal([0, 0, 8.0], 0.05, (2000, 3))}, "not 9.81"),
        ({"gyr_sensor": None}, "no angular rate"),
        ({"time_s": np.arange(2000) / 12.0}, "too few"),
        ({"time_s": np.arange(2000) / 100 + 5.0 * (np.arange(2000) > 700)}, "1 gap, 5.01 s in all"),
        ({"acc_sensor": np.where(np.arange(2000)[:, None] % 3, [0, 0, 9.81], np.nan)}, "missing"),
        ({"gyr_sensor": np.clip(np.random.default_rng(1).normal(0, 20, (2000, 3)), -10, 10)}, "clipped?"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_to_be_wary_of_in_a_sensor(changes, word):
    assert any(word in text for text in warnings(describe_imu(imu(**changes))))


def test_what_to_be_wary_of_in_poses(walk):
    poses = package.read("poses.npz").people[0]
    assert warnings(describe_poses(poses)) == []
    hidden = poses.keypoints_px.copy()
    hidden[:, 15:] = np.nan
    told = warnings(describe_poses(poses.replace(keypoints_px=hidden)))
    assert told == ["Seen in less than half of the frames: left_ankle, right_ankle."]
    slow = poses.take(np.arange(0, poses.time_s.size, 5))
    assert any("too few" in text for text in warnings(describe_poses(slow)))
