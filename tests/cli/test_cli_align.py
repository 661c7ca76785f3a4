"""`kinebind pose` and `kinebind align`: videos of made-up people whose poses are told, and what users do wrong."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

from kinebind.cli.app import run
from kinebind.readers import read_poses
from kinebind.video.backend import Seen
from made_up_video import plain, write_sound, write_video

FPS = 15.0
SMALLER = 4
"""The video is smaller than the one that was simulated, by so much, which is faster."""
NEAR = ("--search", "-4:4")
"""So that calm sensors are answered too."""


class Told:
    """A pose estimator that knows the people by the frame's number."""

    name, lag_s = "told", 0.0

    def __init__(self, people):
        self.people, self.asked = people, 0

    def detect(self, image, around, *, search):
        k = self.asked
        self.asked += 1
        out = []
        for person in self.people:
            points = np.column_stack([person.keypoints_px[k] / SMALLER, person.scores[k]])
            if np.isfinite(points[:, 0]).sum() >= 5:
                out.append(Seen(points))
        return out

    def forget(self):
        pass

    def close(self):
        pass


def side_by_side(files, path):
    """One recorder's sensors as one table, with a time for all."""
    tables = [np.genfromtxt(file, delimiter=",", skip_header=1) for file in files]
    heads = [file.read_text().splitlines()[0].replace('"', "").split(",") for file in files]
    head = [heads[0][0], *(f"{f.stem}_{name}" for f, own in zip(files, heads, strict=True) for name in own[1:])]
    rows = np.column_stack([tables[0][:, :1], *(t[:, 1:] for t in tables)])
    np.savetxt(path, rows, delimiter=",", header=",".join(head), comments="", fmt="%.6f")


@pytest.fixture(scope="session")
def _scene(tmp_path_factory):
    """Two people for 14 s, a wrist and a shank sensor each, two clocks; and a video of as many frames."""
    folder = tmp_path_factory.mktemp("scene")
    words = ["simulate", "--out", str(folder / "sim"), "--people", "2", "--duration", "14", "--fps", str(FPS), "-q"]
    assert run([*words, "--offset", "1.2,-0.7", "--skew", "0", "--seed", "3", "--condition", "clean"]) == 0
    people = read_poses(folder / "sim" / "poses.npz")
    width, height = people[0].image_size_px
    small = plain(width // SMALLER, height // SMALLER)(0)
    write_video(folder / "scene.mp4", lambda k: small, people[0].time_s)
    (folder / "sensors").mkdir()
    for person in ("person1", "person2"):
        side_by_side(sorted((folder / "sim").glob(f"{person}_*.csv")), folder / "sensors" / f"{person}.csv")
    (folder / "sensors" / "notes.txt").write_text("Anna wears the left one.\n")
    return folder


@pytest.fixture
def scene(_scene, tmp_path, monkeypatch):
    folder = tmp_path / "scene"
    shutil.copytree(_scene, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def told(scene, monkeypatch):
    """Stands in for MediaPipe; how often it was asked for a frame."""
    people = read_poses(scene / "sim" / "poses.npz")
    backends = []

    @contextmanager
    def backend(*_):
        backends.append(Told(people))
        yield backends[-1]

    for module in ("pose", "align"):
        monkeypatch.setattr(f"kinebind.cli.{module}.backend_by", backend)
    return backends


def test_poses_are_written_and_found_again(scene, told, kinebind):
    said = kinebind("pose", "scene.mp4", "--out", "p.npz", "--overlay", "o.mp4", "--json")
    assert said.code == 0, said
    assert [p["person"] for p in said.json["people"]] == ["1", "2"]
    assert said.json["written"] == ["p.npz", "o.mp4"]
    assert (scene / "o.mp4").stat().st_size > 1000
    before = {p.person: p for p in read_poses("p.npz")}
    again = kinebind("pose", "scene.mp4", "--out", "q.npz")
    assert again.code == 0
    assert told[-1].asked == 0
    assert "person" in again.out
    after = {p.person: p for p in read_poses("q.npz")}
    for name, person in before.items():
        np.testing.assert_array_equal(person.keypoints_px, after[name].keypoints_px)
    kinebind("pose", "scene.mp4", "--out", "q.npz", "--again")
    assert told[-1].asked > 0


def truth_name(sensor):
    """What the truth calls a sensor of a recorder's table."""
    return f"{sensor[:7]}_{'left_wrist' if sensor.endswith('left_wrist') else 'right_shank'}"


def test_the_whole_job(scene, told, kinebind):
    said = kinebind("align", "scene.mp4", "sensors", "--out", "found", "--export", "elan,csv-imu", "--json", *NEAR)
    assert said.code == 0, said
    truth = json.loads((scene / "sim" / "truth.json").read_text())
    true_s = {s["name"]: (c["offset_s"], s["site"]) for c in truth["clocks"] for s in c["sensors"]}
    answers = said.json["answers"]
    assert len(answers) == 2
    for answer in answers:
        assert answer["status"] == "answered"
        assert abs(answer["offset_s"] - true_s[truth_name(answer["sensors"][0]["name"])][0]) < 1 / FPS
    located = {truth_name(f["sensor"]): f for f in said.json["located"]["sensors"]}
    assert {name: f["site"] for name, f in located.items()} == {name: site for name, (_, site) in true_s.items()}
    # Names of people go by how long they are seen, so only who is with whom is known.
    assert located["person1_left_wrist"]["person"] == located["person1_right_shank"]["person"]
    assert located["person2_left_wrist"]["person"] == located["person2_right_shank"]["person"]
    assert located["person1_left_wrist"]["person"] != located["person2_left_wrist"]["person"]
    assert "Files that hold no sensor are left out: notes.txt." in said.json["notes"]
    names = {p.name for p in (scene / "found").iterdir()}
    assert {"report.html", "sync.json", "locate.json", "poses.npz", "aligned.eaf"} <= names
    page = (scene / "found" / "report.html").read_text()
    assert page.count("data:image/jpeg") >= 9
    assert "Who wears what" in page

    again = kinebind("align", "scene.mp4", "sensors", "--out", "found", "--export", "elan,csv-imu", *NEAR)
    assert again.code == 0
    assert len(told) == 1
    assert "As it was found before" in again.out
    assert "answered" in again.out
    assert {p.name for p in (scene / "found").iterdir()} == names


def test_poses_in_place_of_the_video_and_an_overlay(scene, told, kinebind):
    said = kinebind("align", "sim/poses.npz", "sensors", "--out", "found", *NEAR)
    assert said.code == 0, said
    assert told == []
    said = kinebind("align", "scene.mp4", "sensors", "--out", "found", "--overlay", "o.mp4", "-q", *NEAR)
    assert said.code == 0, said
    assert (scene / "o.mp4").exists()


def test_what_means_nothing_beside_poses(scene, kinebind):
    for words in (["--overlay", "o.mp4"], ["--merge", "1:2"], ["--keep-camera-motion"], ["--pose-late", "45"]):
        kinebind("align", "sim/poses.npz", "sensors", *words).refused(f"{words[0]} means nothing", "holds poses")
    kinebind("align", "scene.mp4", "sensors", "--fps", "30").refused("--fps means nothing")


def test_what_users_do_wrong(scene, told, kinebind):
    sensor = scene / "sensors" / "person1.csv"
    kinebind("align", "scene.mp4").refused("A video alone")
    kinebind("align", "nothing.mp4", "sensors").refused("There is no file nothing.mp4")
    kinebind("align", sensor, "sensors").refused("holds a sensor, where a video is expected")
    (scene / "empty").mkdir()
    kinebind("align", "scene.mp4", "empty").refused("holds no file of a sensor")
    (scene / "empty" / "readme.txt").write_text("nothing\n")
    kinebind("align", "scene.mp4", "empty").refused("among 1 files")
    kinebind("align", "scene.mp4", "sensors", "--export", "elam").refused("--export has 'elam'", "Did you mean elan?")
    kinebind("align", "scene.mp4", "sensors", "--overlay", "o.avi").refused("does not end in .mp4")
    kinebind("align", "scene.mp4", "sensors", "--overlay", "no/o.mp4").refused("There is no folder")
    write_sound(scene / "sound.mp4")
    kinebind("pose", "sound.mp4").refused("sound only")
    (scene / "cut.mp4").write_bytes((scene / "scene.mp4").read_bytes()[:5000])
    kinebind("pose", "cut.mp4").refused("cut.mp4")
    kinebind("pose", "scene.mp4", "--out", "p.json").refused("does not end in .npz")
    kinebind("pose", "scene.mp4", "--merge", "1").refused("--merge has '1'")
    kinebind("pose", "scene.mp4", "--merge", "1:2").refused("at the same time")
    kinebind("pose", "scene.mp4", "--split", "1").refused("--split has '1'")
    kinebind("pose", "scene.mp4", "--split", "9@3").refused("'9'", "1, 2")
    kinebind("pose", "scene.mp4", "--pose-late", "soon").refused("--pose-late has 'soon'")
    assert not (scene / "scene.poses.npz").exists()


def test_models_that_are_none(scene, kinebind):
    kinebind("pose", "scene.mp4", "--pose-model", "no.task").refused("There is no model file")
    (scene / "bad.task").write_bytes(b"x" * 500)
    kinebind("pose", "scene.mp4", "--pose-model", "bad.task").refused("damaged, or no MediaPipe model")
    kinebind("pose", "scene.mp4", "--pose-model", "bad.onnx").refused("needs a detector")
    kinebind("pose", "scene.mp4", "--detector", "det.onnx").refused("--detector goes with")
    (scene / "det.onnx").write_bytes(b"x" * 500)
    (scene / "bad.onnx").write_bytes(b"x" * 500)
    kinebind("pose", "scene.mp4", "--detector", "det.onnx", "--pose-model", "bad.onnx").refused(".onnx")


def test_sensors_of_another_day_are_refused_not_guessed(scene, told, kinebind):
    """The same movement does not occur in them."""
    words = ["simulate", "--out", "other", "--duration", "20", "--seed", "77", "-q", "--condition", "clean"]
    assert run(words) == 0
    said = kinebind("align", "scene.mp4", *sorted((scene / "other").glob("*.csv")), "--out", "found", "--json")
    assert said.code == 3, said
    assert all(a["status"] == "refused" for a in said.json["answers"])
    assert all(a["reason"]["fix"] for a in said.json["answers"])


def test_no_room_for_the_cache(scene, told, kinebind, monkeypatch):
    (scene / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(scene / "file"))
    kinebind("pose", "scene.mp4").refused("Cannot make", "--no-cache")
    assert kinebind("pose", "scene.mp4", "--no-cache", "-q").code == 0
