"""Exports: each file is read back, and says what was aligned."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

import sync_scene
from kinebind.errors import InputError
from kinebind.motion import Motion, Skeleton
from kinebind.output.exports import KINDS, check_kinds, export
from kinebind.recording import Label


@pytest.fixture(scope="module")
def scene():
    recording, result = sync_scene.scene(("left_wrist", "right_shank"))
    labels = (Label(2.0, 3.5, "Kniebeuge – tief"), Label(4.0, 5.0, "rest"))
    return recording.replace(labels=labels), result


def test_kinds_are_checked():
    assert check_kinds(["elan", " ELAN", "opensim"]) == ("elan", "opensim")
    with pytest.raises(InputError, match="'opensin'") as error:
        check_kinds(["opensin"])
    assert error.value.fix == "Did you mean opensim?"
    assert all(words for words, _ in KINDS.values())


def test_poses_on_the_sensors_clock(scene, tmp_path):
    """Each row is a sample, and the keypoints are where they are at its place in the video."""
    recording, result = scene
    paths = export(recording, result, tmp_path, ["parquet-imu", "csv-imu"])
    assert {p.suffix for p in paths} == {".csv", ".parquet"}
    table = pyarrow.parquet.read_table(paths[0])
    sensor, person = recording.imus[0], recording.people[0]
    np.testing.assert_array_equal(table["imu_time_s"].to_numpy(), sensor.time_s)
    video_s = table["video_time_s"].to_numpy()
    np.testing.assert_allclose(video_s, result.answers[0].to_video(sensor.time_s), atol=1e-6)
    x = table[f"{person.person}_left_wrist_x_px"].to_numpy(zero_copy_only=False)
    inside = (video_s > person.time_s[0] + 0.1) & (video_s < person.time_s[-1] - 0.1) & np.isfinite(x)
    assert inside.mean() > 0.5
    expected = np.interp(video_s[inside], person.time_s, person.keypoints_px[:, 9, 0])
    assert np.median(np.abs(x[inside] - expected)) < 0.5
    assert np.isnan(x[(video_s < person.time_s[0]) | (video_s > person.time_s[-1])]).all()
    labels = np.array(table["label"].to_pylist(), dtype=object)
    np.testing.assert_array_equal(labels == "rest", (video_s >= 4.0) & (video_s < 5.0))
    again = pyarrow.csv.read_csv(next(p for p in paths if p.suffix == ".csv"))
    assert again.num_rows == table.num_rows


def test_elan_has_a_tier_for_each_sensor_and_the_video(scene, tmp_path):
    recording, result = scene
    video = tmp_path / "Übung 1.mp4"
    (path,) = export(recording, result, tmp_path, ["elan"], video=video)
    root = ET.parse(path).getroot()
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.get("MIME_TYPE") == "video/mp4"
    assert media.get("MEDIA_URL").startswith("file:///")
    tiers = {t.get("TIER_ID"): t for t in root.iter("TIER")}
    assert set(tiers) == {"left_wrist", "right_shank", "labels"}
    words = [v.text for v in tiers["left_wrist"].iter("ANNOTATION_VALUE")]
    assert all("left wrist" in w and "offset" in w for w in words)
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    first = next(tiers["labels"].iter("ALIGNABLE_ANNOTATION"))
    assert (slots[first.get("TIME_SLOT_REF1")], slots[first.get("TIME_SLOT_REF2")]) == (2000, 3500)


def test_label_studio_names_table_video_and_labels(scene, tmp_path):
    recording, result = scene
    path, *_ = export(recording, result, tmp_path, ["labelstudio"], video=tmp_path / "a.mp4")
    (task,) = json.loads(path.read_text())
    assert task["data"]["video"].endswith("a.mp4")
    assert [r["value"]["timeserieslabels"] for r in task["predictions"][0]["result"]] == [
        ["Kniebeuge – tief"],
        ["rest"],
    ]
    assert [s["site"] for s in task["meta"]["sensors"]] == ["left_wrist", "right_shank"]


def test_opensim_reads_orientations_scalar_first_and_markers_with_y_up(scene, tmp_path):
    recording, result = scene
    turned = []
    for imu in recording.imus:
        angle = 0.5 * np.sin(imu.time_s)
        quat = np.column_stack([0 * angle, 0 * angle, np.sin(angle / 2), np.cos(angle / 2)])
        turned.append(imu.replace(rot_world_from_sensor=quat))
    joints = np.tile(np.array([[0.1, 0.2, 0.9], [0.0, 0.5, 1.4]]), (5, 1, 1))
    joints[2, 1] = np.nan
    motion = Motion(
        np.arange(5) / 50, Skeleton(("hip", "left knee"), (-1, 0), np.zeros((2, 3))), position_world=joints, name="m"
    )
    full = recording.replace(imus=tuple(turned), motions=(motion,))
    sto, trc = export(full, result, tmp_path, ["opensim"])
    lines = sto.read_text().splitlines()
    assert lines[:2] == [f"DataRate={turned[0].rate_hz:.6f}", "DataType=Quaternion"]
    head = lines[lines.index("endheader") + 1].split("\t")
    assert head == ["time", "radius_l_imu", "tibia_r_imu"]
    cells = lines[lines.index("endheader") + 50].split("\t")
    w, x, y, z = (float(v) for v in cells[1].split(","))
    imu_s = result.answers[0].clock.to_imu(np.array([float(cells[0])]))[0]
    assert w == pytest.approx(np.cos(0.25 * np.sin(imu_s)), abs=1e-3)
    assert (x, y) == (0.0, 0.0)
    assert z == pytest.approx(np.sin(0.25 * np.sin(imu_s)), abs=1e-3)
    rows = [line.split("\t") for line in trc.read_text().splitlines()]
    assert rows[2][:5] == ["50.000000", "50.000000", "5", "2", "m"]
    assert rows[3][2] == "hip"
    assert rows[3][5] == "left_knee"
    assert [float(v) for v in rows[6][2:5]] == [0.1, 0.9, -0.2]
    assert rows[8][5:8] == ["", "", ""]
    bare = tuple(imu.replace(rot_world_from_sensor=None) for imu in recording.imus)
    with pytest.raises(InputError, match="Nothing here is for OpenSim"):
        export(recording.replace(imus=bare), result, tmp_path, ["opensim"])


def test_what_was_refused_is_not_exported(scene, tmp_path):
    from dataclasses import replace

    from kinebind.tasks.sync.result import Reason

    recording, result = scene
    refused = tuple(replace(a, reason=Reason("no_match", "Nothing fits.")) for a in result.answers)
    with pytest.raises(InputError, match="nothing aligned to export"):
        export(recording, replace(result, answers=refused), tmp_path, ["elan"])


def test_rerun_says_what_to_install(scene, tmp_path, monkeypatch):
    monkeypatch.setattr("kinebind.output.rerun_file.find_spec", lambda name: None)
    recording, result = scene
    with pytest.raises(InputError, match="not installed") as error:
        export(recording, result, tmp_path, ["rerun"])
    assert "kinebind[rerun]" in error.value.fix
    with pytest.raises(InputError, match="not installed"):  # before hours of work, not after them
        check_kinds(["rerun"])
