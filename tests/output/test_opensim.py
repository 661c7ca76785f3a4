"""OpenSim's files, read as OpenSim reads them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import sync_scene
from kinebind.motion import Motion, Skeleton
from kinebind.output.opensim import write_orientations, write_trc
from kinebind.recording import Recording
from kinebind.tasks.locate.result import Finding, LocateResult


def cells(line):
    """As OpenSim's FileAdapter takes a line apart: a tab ends a cell, and behind the last one nothing is nothing."""
    *ended, rest = line.split("\t")
    return [*ended, rest] if rest else ended


def read_trc(path):
    """Names, times (T,) and points (T, M, 3), by the checks of OpenSim's TRCFileAdapter."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0].startswith("PathFileType\t4\t(X/Y/Z)\t")
    facts = dict(zip(cells(lines[1]), cells(lines[2]), strict=True))
    assert list(facts) == [
        "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
        "OrigNumFrames",
    ]  # fmt: skip
    names = [c for c in cells(lines[3]) if c]
    assert names[:2] == ["Frame#", "Time"]
    assert [c for c in cells(lines[4]) if c] == [f"{a}{k}" for k in range(1, len(names) - 1) for a in "XYZ"]
    rows = [cells(line) for line in lines[5:] if cells(line)]
    assert {len(row) for row in rows} == {2 + 3 * int(facts["NumMarkers"])}
    assert len(rows) == int(facts["NumFrames"])
    values = np.array([[float(c) if c else np.nan for c in row] for row in rows])
    return facts, names[2:], values[:, 1], values[:, 2:].reshape(len(rows), -1, 3)


def read_sto(path):
    """Header, names, times (T,) and quaternions (T, S, 4) scalar first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = lines.index("endheader")
    facts = dict(line.split("=") for line in lines[:end])
    time, *names = lines[end + 1].split("\t")
    assert time == "time"
    rows = [line.split("\t") for line in lines[end + 2 :]]
    turned = np.array([[[float(v) for v in c.split(",")] for c in row[1:]] for row in rows])
    return facts, names, np.array([float(row[0]) for row in rows]), turned


def markers(**changes):
    points = np.tile(np.array([[0.1, 0.2, 0.9], [0.0, 0.5, 1.4]]), (5, 1, 1))
    points[:, 1, 2] += 0.1 * np.arange(5)
    points[2, 1] = np.nan
    skeleton = Skeleton(("hip", "left knee"), (-1, 0), np.zeros((2, 3)))
    return Motion(7.0 + np.arange(5) / 50, skeleton, position_world=points, **changes)


def test_markers_are_read_back_also_where_the_last_one_is_missing(tmp_path):
    motion = markers()
    (path,) = write_trc(Recording(motions=(motion,)), tmp_path)
    facts, names, time_s, points = read_trc(path)
    assert (facts["Units"], float(facts["DataRate"])) == ("m", pytest.approx(50.0))
    assert names == ["hip", "left_knee"]
    np.testing.assert_allclose(time_s, motion.time_s, atol=1e-6)
    up, right, back = points[..., 1], points[..., 0], points[..., 2]
    world = motion.position_world
    for own, expected in ((right, world[..., 0]), (up, world[..., 2]), (back, -world[..., 1])):
        np.testing.assert_allclose(own, expected, atol=1e-6)


def test_a_motion_of_rotations_alone_has_markers_where_its_joints_are(tmp_path):
    """As BVH files have it: a thigh of 0.4 m that hangs, then points along the world's x."""
    turned = np.zeros((2, 2, 4))
    turned[..., 3] = 1.0
    turned[1, 0] = [0.0, -np.sqrt(0.5), 0.0, np.sqrt(0.5)]
    skeleton = Skeleton(("hip", "knee"), (-1, 0), np.array([[0, 0, 0], [0, 0, -0.4]]))
    root = np.tile([1.0, 2.0, 0.9], (2, 1))
    motion = Motion(np.arange(2) / 50, skeleton, rot_parent_from_joint=turned, root_position_world=root)
    *_, points = read_trc(write_trc(Recording(motions=(motion,)), tmp_path)[0])
    np.testing.assert_allclose(points[0], [[1.0, 0.9, -2.0], [1.0, 0.5, -2.0]], atol=1e-6)
    np.testing.assert_allclose(points[1], [[1.0, 0.9, -2.0], [1.4, 0.9, -2.0]], atol=1e-6)


def test_motions_of_any_names_have_files_of_their_own(tmp_path):
    paths = write_trc(Recording(motions=(markers(name="李"), markers(name="王"))), tmp_path)
    assert len({p.name for p in paths}) == 2
    assert all(p.name.isascii() for p in paths)


def test_orientations_are_those_of_the_sensor_at_that_time(tmp_path):
    recording, result = sync_scene.scene(("left_wrist", "right_shank"))
    (path,) = write_orientations(recording, result, tmp_path)
    facts, names, time_s, turned = read_sto(path)
    assert names == ["radius_l_imu", "tibia_r_imu"]
    assert facts["DataType"] == "Quaternion"
    assert float(facts["DataRate"]) == pytest.approx(1 / np.median(np.diff(time_s)), rel=1e-3)
    assert facts["sensor_to_opensim_rotations"].startswith("-1.5707963")  # what turns z up into y up
    clock = result.answers[0].clock
    for k, imu in enumerate(recording.imus):
        expected = imu.resample(clock.to_imu(time_s[5:-5])).rot_world_from_sensor[:, [3, 0, 1, 2]]
        dots = np.abs((turned[5:-5, k] * expected).sum(axis=1))
        np.testing.assert_allclose(dots, 1.0, atol=1e-6)


def test_what_was_refused_has_no_row(tmp_path):
    recording, result = sync_scene.scene(("left_wrist",))
    (answer,) = result.answers
    (piece,) = answer.pieces
    middle_s = float(piece.clock.to_imu(12.0))
    pieces = (
        dataclasses.replace(piece, end_s=middle_s),
        dataclasses.replace(piece, start_s=middle_s, confidence=0.2),
    )
    told = dataclasses.replace(result, answers=(dataclasses.replace(answer, pieces=pieces),))
    _, _, time_s, _ = read_sto(write_orientations(recording, told, tmp_path)[0])
    assert time_s[-1] < 12.0


def test_a_clock_that_jumped_back_is_undone(tmp_path):
    """A recorder that repeats times after a pause of the camera: each piece lies at its own place."""
    recording, result = sync_scene.scene(("left_wrist",))
    (imu,), clock = recording.imus, result.answers[0].clock
    jumped = sync_scene.imu("left_wrist", clock, jump=(8.0, 0.7), clock_id="watches")
    told = dataclasses.replace(result, answers=(sync_scene.answer("watches", ("left_wrist",), clock, jump=(8.0, 0.7)),))
    _, _, time_s, turned = read_sto(write_orientations(recording.replace(imus=(jumped,)), told, tmp_path)[0])
    inside = (time_s > 1.0) & (time_s < 23.0) & (np.abs(time_s - float(clock.to_video(8.0))) > 0.3)
    expected = imu.resample(clock.to_imu(time_s[inside])).rot_world_from_sensor[:, [3, 0, 1, 2]]
    np.testing.assert_allclose(np.abs((turned[inside, 0] * expected).sum(axis=1)), 1.0, atol=1e-4)


def test_each_wearer_has_a_file_and_nobodys_sensor_none(tmp_path):
    recording, result = sync_scene.scene(("left_wrist", "right_shank", "left_shank"))
    people = tuple(recording.people[0].replace(person=name) for name in ("1", "李", "王"))

    def found(sensor, person):
        status = "nobody" if person is None else "found"
        return Finding(sensor, status, person, None if person is None else sensor, 9.0, 9.0, 0.9, 0.9)

    findings = (found("left_wrist", "李"), found("right_shank", "王"), found("left_shank", None))
    located = LocateResult(findings, ("1", "李", "王"), ())
    paths = write_orientations(recording.replace(people=people), result, tmp_path, located)
    assert len({p.name for p in paths}) == 2
    assert [read_sto(p)[1] for p in paths] == [["radius_l_imu"], ["tibia_r_imu"]]
