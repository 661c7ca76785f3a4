"""`kinebind convert`: what comes out reads back as what went in."""

from __future__ import annotations

import numpy as np
import pytest

import kinebind as package
from kinebind import Imu, Poses, Recording


def same(a: Imu, b: Imu) -> None:
    np.testing.assert_allclose(a.time_s, b.time_s, atol=1e-9)
    for name in ("acc_sensor", "gyr_sensor", "rot_world_from_sensor", "mag_sensor"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.fixture
def rich(tmp_path, monkeypatch):
    """A recording with a sensor that has everything and misses some of it, and two people of different frames."""
    rng = np.random.default_rng(3)
    monkeypatch.chdir(tmp_path)
    time_s = 1_741_528_800.0 + np.arange(1500) / 100
    acc = rng.normal([0, 0, 9.81], 0.05, (1500, 3))
    acc[40:60] = np.nan
    quat = np.tile([0.0, 0.0, np.sin(0.3), np.cos(0.3)], (1500, 1))
    gyr = rng.normal(0, 0.02, (1500, 3))
    imu = Imu(time_s, acc, gyr, quat, rng.normal(0, 1, (1500, 3)), name="left_wrist", site="left_wrist")
    points = rng.uniform(10, 900, (90, 17, 2))
    points[3, 4] = np.nan
    frames = np.arange(90) / 30
    people = (
        Poses(frames, points, np.full((90, 17), 0.7), (1920, 1080), "anna"),
        Poses(frames[20:], points[20:] + 5, np.full((70, 17), 0.0), (1920, 1080), "ben"),
    )
    package.save(Recording(people=people, imus=(imu,), name="rich"), "rich.kinebind")
    return package.load("rich.kinebind")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_sensor_survives_a_table(rich, kinebind, ending):
    said = kinebind("convert", "rich.kinebind", f"left_wrist.{ending}", "--json")
    assert said.code == 0
    assert said.json == {
        "format": "kinebind-convert-1", "out": f"left_wrist.{ending}", "holds": "1 sensor", "left_out": "2 people",
    }  # fmt: skip
    (back,) = package.read(f"left_wrist.{ending}").imus
    same(back, rich.imus[0])
    assert back.site == "left_wrist"


def test_people_survive_an_npz(rich, kinebind):
    said = kinebind("convert", "rich.kinebind", "rich.npz")
    assert said.code == 0
    assert "Left out, as .npz does not hold them: 1 sensor." in said.out
    back = {p.person: p for p in package.read("rich.npz").people}
    for person in rich.people:
        seen = back[person.person]
        np.testing.assert_allclose(seen.time_s, person.time_s)
        np.testing.assert_allclose(seen.keypoints_px, person.keypoints_px)
        np.testing.assert_allclose(seen.scores, person.scores, atol=1e-5)
        assert seen.image_size_px == (1920, 1080)


def test_a_recording_of_several_files_becomes_one(walk, kinebind):
    assert kinebind("convert", "recording.toml", "whole.kinebind", "--quiet").code == 0
    whole = package.load("whole.kinebind")
    assert [i.name for i in whole.imus] == ["left_wrist", "right_shank"]
    assert {i.clock_id for i in whole.imus} == {"recorder"}
    same(whole.imus[0], package.read("left_wrist.csv").imus[0])
    assert whole.people[0].time_s.size == package.read("poses.npz").people[0].time_s.size


def test_sensors_side_by_side_or_one_of_them(walk, kinebind):
    assert kinebind("convert", "recording.toml", "shank.csv", "--sensor", "right_shank").code == 0
    same(package.read("shank.csv").imus[0], package.read("right_shank.csv").imus[0])
    kinebind("convert", "recording.toml", "x.csv", "--sensor", "third").refused("no sensor 'third'", "left_wrist")
    imu = package.read("left_wrist.csv").imus[0]
    second = imu.replace(name="right_wrist", site="right_wrist", acc_sensor=imu.acc_sensor[:, ::-1])
    package.save(Recording(imus=(imu, second)), "two.kinebind")
    assert kinebind("convert", "two.kinebind", "two.csv").code == 0
    for back, sent in zip(package.read("two.csv").imus, (imu, second), strict=True):
        same(back, sent)
        assert back.site == sent.site
    package.save(Recording(imus=(imu, second.replace(time_s=second.time_s + 0.001))), "two.kinebind")
    kinebind("convert", "two.kinebind", "no.csv").refused("not sampled at the same times", "--sensor")


def test_units_are_converted_on_the_way(walk, kinebind):
    assert kinebind("convert", "spare.csv", "si.csv", "--acc-unit", "g", "--time-unit", "s").code == 0
    assert package.read("si.csv").imus[0].rest_norm_m_s2() == pytest.approx(9.81, abs=0.02)


def test_what_does_not_fit_is_refused(walk, kinebind):
    kinebind("convert", "poses.npz", "poses.csv").refused("holds no sensor", ".npz")
    kinebind("convert", "left_wrist.csv", "wrist.npz").refused("no 2D poses", ".kinebind")
    kinebind("convert", "left_wrist.csv", "wrist.xlsx").refused("wrist.xlsx", ".parquet")
    kinebind("convert", "left_wrist.csv", "left_wrist.csv").refused("the file that is read")
    kinebind("convert", "nothing.csv", "a.kinebind").refused("There is no file")
    kinebind("convert", "left_wrist.csv", "no/where.kinebind").refused("There is no folder no")
    kinebind("convert", "left_wrist.csv", "wrist.kinebind", "--fps", "30").refused("--fps means nothing")
    kinebind("convert", "poses.npz", "poses.kinebind", "--acc-unit", "g").refused("--acc-unit means nothing")
    (walk / "folder.kinebind").mkdir()
    kinebind("convert", "left_wrist.csv", "folder.kinebind").refused("is a folder")
