"""What annotators open: times to the millisecond, links that lead somewhere, nothing that overlaps in one tier."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import numpy as np
import pyarrow.csv
import pytest

import sync_scene
from kinebind.output.annotations import write_elan_project, write_label_studio_projects
from kinebind.readers.labels import read_labels
from kinebind.recording import Label


@pytest.fixture(scope="module")
def scene():
    return sync_scene.scene(("left_wrist", "right_shank"))


def tiers_of(path):
    """Tier -> (start_ms, end_ms, text) of each annotation."""
    root = ET.parse(path).getroot()
    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    return {
        tier.get("TIER_ID"): [
            (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")], a.findtext("ANNOTATION_VALUE"))
            for a in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in root.iter("TIER")
    }


def half_refused(result):
    """The result with a second piece, from 12 s of the video on, that is not sure enough."""
    (answer,) = result.answers
    (piece,) = answer.pieces
    middle_s = float(piece.clock.to_imu(12.0))
    first = dataclasses.replace(piece, end_s=middle_s)
    second = dataclasses.replace(piece, start_s=middle_s, confidence=0.2)
    return dataclasses.replace(result, answers=(dataclasses.replace(answer, pieces=(first, second)),))


def test_overlapping_labels_go_to_a_further_tier_and_none_begins_before_the_video(scene, tmp_path):
    recording, result = scene
    labels = (
        Label(-2.0, 1.5, "wait"), Label(-3.0, -1.0, "before"), Label(1.0, 2.0, "run"), Label(2.0, 3.0, "sit"),
        Label(4.0, 4.0, "clap"), Label(1.0, 2.0, "wave", "李"),
    )  # fmt: skip
    tiers = tiers_of(write_elan_project(tmp_path / "a.eaf", recording.replace(labels=labels), result))
    assert tiers["labels"] == [(0, 1500, "wait"), (2000, 3000, "sit"), (4000, 4001, "clap")]
    assert tiers["labels (2)"] == [(1000, 2000, "run")]
    assert tiers["labels 李"] == [(1000, 2000, "wave")]
    assert read_labels(tmp_path / "a.eaf", "labels")[1] == Label(2.0, 3.0, "sit")


def test_a_sensors_tier_tells_where_it_is_aligned_and_where_refused(scene, tmp_path):
    recording, result = scene
    tiers = tiers_of(write_elan_project(tmp_path / "a.eaf", recording, half_refused(result)))
    (answer,) = result.answers
    for name in ("left_wrist", "right_shank"):
        aligned, refused = tiers[name]
        assert aligned[:2] == (500, 12000)
        assert name.replace("_", " ") in aligned[2]
        assert f"{answer.clock.offset_s:+.3f} s" in aligned[2]
        assert refused[0] == 12000
        assert "refused, only 20 % sure" in refused[2]


def test_elan_finds_the_video_by_its_plain_path(scene, tmp_path):
    """ELAN takes paths as they are: an escaped space would be three letters of a name that no file has."""
    recording, result = scene
    video = tmp_path / "Übung 1.mov"
    home = tmp_path / "results" / "walk"
    for place, near in ((home, "../../Übung 1.mov"), (tmp_path, "./Übung 1.mov")):
        path = write_elan_project(tmp_path / "a.eaf", recording, result, video, place)
        media = ET.parse(path).getroot().find("HEADER/MEDIA_DESCRIPTOR")
        assert media is not None
        assert media.get("MEDIA_URL") == f"file:///{video.resolve().as_posix().lstrip('/')}"
        assert media.get("RELATIVE_MEDIA_URL") == near
        assert media.get("MIME_TYPE") == "video/quicktime"


def test_label_studios_addresses_lead_to_the_files(scene, tmp_path):
    recording, result = scene
    home, video = tmp_path / "Läufe" / "walk 1", tmp_path / "Übung 1.mp4"
    home.mkdir(parents=True)
    video.touch()
    recording = recording.replace(labels=(Label(2.0, 3.5, "Kniebeuge – tief"), Label(1.0, 2.0, "else", "2")))
    paths = write_label_studio_projects(home, recording, result, video)
    assert [p.name for p in paths] == ["label-studio.json", "label-studio.csv", "label-studio.xml"]
    (task,) = json.loads(paths[0].read_text(encoding="utf-8"))
    for key, file in (("csv", paths[1]), ("video", video)):
        start, _, below = task["data"][key].partition("?d=")
        assert start == "/data/local-files/"
        assert task["data"][key].isascii()
        assert (tmp_path / unquote(below)).samefile(file)
    assert task["meta"]["document_root"] == tmp_path.resolve().as_posix()
    assert [r["value"]["timeserieslabels"] for r in task["predictions"][0]["result"]] == [["Kniebeuge – tief"]]
    assert list(read_labels(paths[0])) == [Label(2.0, 3.5, "Kniebeuge – tief")]
    setup = ET.parse(paths[2]).getroot()
    columns = pyarrow.csv.read_csv(paths[1]).column_names
    assert {c.get("column") for c in setup.iter("Channel")} <= set(columns)
    assert {c.get("units") for c in setup.iter("Channel")} == {"m/s²", "rad/s"}
    assert setup.find("TimeSeries").get("timeColumn") == columns[0]
    assert setup.find("Video").get("sync") == setup.find("TimeSeries").get("sync")
    region = task["predictions"][0]["result"][0]
    assert (region["from_name"], region["to_name"]) == (
        setup.find("TimeSeriesLabels").get("name"),
        setup.find("TimeSeries").get("name"),
    )


def test_label_studios_curves_are_the_sensor_at_the_videos_times(scene, tmp_path):
    """From the video's first frame on, also where the person comes into view later; unknown is empty, never zero."""
    recording, result = scene
    late = recording.replace(people=(recording.people[0].take(recording.people[0].time_s > 3.0),))
    paths = write_label_studio_projects(tmp_path, late, half_refused(result), tmp_path / "a.mp4")
    table = pyarrow.csv.read_csv(paths[1])
    time_s = table["time_s"].to_numpy()
    assert time_s[0] == 0.0
    np.testing.assert_allclose(np.diff(time_s), 1 / 30, atol=1e-6)
    imu, (answer,) = recording.imus[0], result.answers
    got = table["left_wrist_gyr_z_rad_s"].to_numpy(zero_copy_only=False)
    known = (time_s > 0.6) & (time_s < 11.9)
    expected = imu.resample(answer.clock.to_imu(time_s[known])).gyr_sensor[:, 2]
    np.testing.assert_allclose(got[known][5:-5], expected[5:-5], atol=0.02)
    assert np.isnan(got[(time_s < 0.49) | (time_s > 12.01)]).all()


def test_each_person_is_a_project_of_their_own(tmp_path):
    recording, result = sync_scene.scene(("left_wrist", "right_shank"), shared=False)
    people = (recording.people[0].replace(person="李"), recording.people[0].replace(person="王"))
    answers = tuple(dataclasses.replace(a, person=p.person) for a, p in zip(result.answers, people, strict=True))
    full = recording.replace(people=people), dataclasses.replace(result, answers=answers)
    paths = write_label_studio_projects(tmp_path, *full)
    assert len({p.name for p in paths}) == 6
    told = [json.loads(p.read_text(encoding="utf-8"))[0] for p in paths if p.suffix == ".json"]
    assert [t["data"]["stream"] for t in told] == ["李", "王"]
    assert [[s["name"] for s in t["meta"]["sensors"]] for t in told] == [["left_wrist"], ["right_shank"]]
