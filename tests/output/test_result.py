"""What lands in a folder: samples with their times, a joined table that is true, whole or not at all."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sync_scene
from kinebind import ClockMap, Imu, InputError, Recording
from kinebind.output import result as output
from kinebind.output import write_result
from kinebind.output.aligned import file_name
from kinebind.tasks.sync.result import ClockAnswer, Piece, Reason, SensorFinding, SyncResult

PERIODIC = Reason("periodic", "The motion repeats.", "Narrow the search.")


@pytest.fixture
def no_report(monkeypatch):
    """The page has its own tests; here a line stands in its place where many folders are written."""
    monkeypatch.setattr(output, "write_report", lambda recording, result, path, **_: path.write_text("<p>page</p>"))


def numbers(table, name):
    return table[name].to_numpy(zero_copy_only=False).astype(np.float64)


def shown(table, name):
    """Values as a sensor's precision has them; text holds the shortest number that means the same."""
    return numbers(table, name).astype(np.float32)


def smooth(video_s):
    """A motion that every sensor of these tests feels, slow enough for 30 frames a second."""
    return np.stack([9.81 + np.sin(5 * video_s), np.cos(4 * video_s), np.sin(3 * video_s + 1)], axis=1)


def felt(clock, start_s=0.0, end_s=20.0, rate_hz=100.0, **changes):
    video_s = np.arange(start_s, end_s, 1 / rate_hz)
    return Imu(np.asarray(clock.to_imu(video_s)), smooth(video_s), **({"name": "a", "clock_id": "c"} | changes))


def answered(pieces, names=("a",), clock_id="c", **changes):
    sensors = tuple(SensorFinding(n, "left_wrist", True, 50.0) for n in names)
    return ClockAnswer(clock_id, **({"person": "1", "sensors": sensors, "pieces": pieces, "confidence": 0.9} | changes))


def one(clock=ClockMap(3.2, 40e-6, 10.0), imu=None, **changes):  # noqa: B008
    imu = imu or felt(clock)
    piece = Piece(float(imu.time_s[0]), float(imu.time_s[-1]), clock, 0.9)
    result = SyncResult("1", (answered((piece,), **changes),), (-7.0, 7.0))
    return Recording(people=(sync_scene.poses(20.0),), imus=(imu,)), result


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_samples_keep_their_values_and_get_the_videos_time(tmp_path, kind, no_report):
    recording, result = sync_scene.scene(("left_wrist",))
    imu = recording.imus[0]
    recording = recording.replace(imus=(imu.replace(mag_sensor=imu.acc_sensor / 10),))
    imu = recording.imus[0]
    paths = write_result(recording, result, tmp_path / "out", table=kind)
    assert {p.name for p in paths} == {p.name for p in (tmp_path / "out").iterdir()}
    path = tmp_path / "out" / f"imu-left_wrist.{kind}"
    table = pq.read_table(path) if kind == "parquet" else pyarrow.csv.read_csv(path)
    np.testing.assert_allclose(numbers(table, "imu_time_s"), imu.time_s, atol=1e-9)
    np.testing.assert_allclose(numbers(table, "video_time_s"), result.answers[0].to_video(imu.time_s), atol=1e-9)
    for name, value in (("acc_{}_m_s2", imu.acc_sensor), ("gyr_{}_rad_s", imu.gyr_sensor), ("mag_{}", imu.mag_sensor)):
        for k, axis in enumerate("xyz"):
            np.testing.assert_array_equal(shown(table, name.format(axis)), value[:, k].astype(np.float32))
    for k, axis in enumerate("xyzw"):
        expected = imu.rot_world_from_sensor[:, k].astype(np.float32)
        np.testing.assert_array_equal(shown(table, f"quat_{axis}"), expected)
    assert set(numbers(table, "piece")) == {1}


def test_metadata_says_what_the_numbers_are(tmp_path, no_report):
    recording, result = sync_scene.scene(("left_wrist",))
    write_result(recording, result, tmp_path / "out")
    about = json.loads(pq.read_schema(tmp_path / "out" / "imu-left_wrist.parquet").metadata[b"kinebind"])
    told = json.loads((tmp_path / "out" / "sync.json").read_text())["answers"][0]
    assert about["sensor"]["site"] == "left_wrist"
    assert about["sensor"]["pieces"][0]["offset_s"] == told["offset_s"]
    assert about["sensor"]["pieces"][0]["skew_ppm"] == told["skew_ppm"]
    assert "specific force" in about["frames"]["acc"]


def test_the_joined_table_is_the_motion_at_the_frames(tmp_path, no_report):
    recording, result = one()
    write_result(recording, result, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "aligned.parquet")
    frames = numbers(table, "video_time_s")
    np.testing.assert_array_equal(frames, recording.people[0].time_s)
    inside = (frames > 0.5) & (frames < 19.4)
    for k, axis in enumerate("xyz"):
        np.testing.assert_allclose(numbers(table, f"a_acc_{axis}_m_s2")[inside], smooth(frames)[inside, k], atol=2e-3)
    np.testing.assert_allclose(
        numbers(table, "left_wrist_x_px"), recording.people[0].keypoints_px[:, 9, 0].astype(np.float32)
    )


def test_a_gap_stays_a_gap_and_nothing_is_extrapolated(tmp_path, no_report):
    clock = ClockMap(3.2, 40e-6, 10.0)
    imu = felt(clock, 2.0, 16.0)
    video_s = clock.to_video(imu.time_s)
    recording, result = one(clock, imu.take((video_s < 6.0) | (video_s > 8.0)))
    write_result(recording, result, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "aligned.parquet")
    frames, got = numbers(table, "video_time_s"), numbers(table, "a_acc_x_m_s2")
    empty = ((frames > 6.001) & (frames < 7.999)) | (frames < 1.999) | (frames > 16.0)
    known = ((frames > 2.001) & (frames < 5.98)) | ((frames > 8.02) & (frames < 15.97))
    assert np.isnan(got[empty]).all()
    assert np.isfinite(got[known]).all()
    assert table["a_acc_x_m_s2"].null_count == np.isnan(got).sum()


def jumped():
    """A recorder whose clock gains 0.7 s at 10 s of the video."""
    before, after = ClockMap(3.2), ClockMap(2.5)
    first, second = felt(before, 0.0, 10.0), felt(after, 10.0, 20.0)
    imu = Imu(np.concatenate([first.time_s, second.time_s]), np.concatenate([first.acc_sensor, second.acc_sensor]),
              name="a", clock_id="c")  # fmt: skip
    middle = float(second.time_s[0])
    return imu, (Piece(float(imu.time_s[0]), middle, before, 0.9), Piece(middle, float(imu.time_s[-1]), after, 0.9))


def test_a_jump_is_undone_in_both_tables(tmp_path, no_report):
    imu, pieces = jumped()
    recording = Recording(people=(sync_scene.poses(20.0),), imus=(imu,))
    write_result(recording, SyncResult("1", (answered(pieces),), (-7.0, 7.0)), tmp_path / "out")
    own = pq.read_table(tmp_path / "out" / "imu-a.parquet")
    np.testing.assert_allclose(numbers(own, "acc_x_m_s2"), smooth(numbers(own, "video_time_s"))[:, 0], atol=1e-5)
    assert sorted(set(numbers(own, "piece"))) == [1, 2]
    joined = pq.read_table(tmp_path / "out" / "aligned.parquet")
    frames, got = numbers(joined, "video_time_s"), numbers(joined, "a_acc_x_m_s2")
    known = np.isfinite(got)
    assert known.mean() > 0.99
    # The ends of a piece are where a low-passed stretch is least sure.
    clear = known & (frames > 0.5) & (frames < 19.4) & (np.abs(frames - 10.0) > 0.5)
    np.testing.assert_allclose(got[clear], smooth(frames)[clear, 0], atol=2e-3)


def test_a_piece_that_is_not_answered_has_no_rows(tmp_path, no_report):
    imu, (first, second) = jumped()
    pieces = (first, dataclasses.replace(second, confidence=0.3))
    recording = Recording(people=(sync_scene.poses(20.0),), imus=(imu,))
    write_result(recording, SyncResult("1", (answered(pieces),), (-7.0, 7.0)), tmp_path / "out")
    own = pq.read_table(tmp_path / "out" / "imu-a.parquet")
    assert numbers(own, "imu_time_s").max() < second.start_s
    joined = pq.read_table(tmp_path / "out" / "aligned.parquet")
    assert np.isnan(numbers(joined, "a_acc_x_m_s2")[numbers(joined, "video_time_s") > 10.01]).all()


def test_a_refused_clock_has_no_table_but_its_reason(tmp_path):
    recording, result = sync_scene.scene(("left_wrist", "right_shank"), shared=False)
    refused = dataclasses.replace(result.answers[1], reason=PERIODIC, confidence=0.2)
    result = dataclasses.replace(result, answers=(result.answers[0], refused))
    write_result(recording, result, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "imu-left_wrist.parquet", "aligned.parquet", "sync.json", "report.html"
    }  # fmt: skip
    told = json.loads((tmp_path / "out" / "sync.json").read_text())
    assert told["files"]["sensors"] == {"left_wrist": "imu-left_wrist.parquet"}
    assert told["answers"][1]["reason"]["code"] == "periodic"
    names = pq.read_schema(tmp_path / "out" / "aligned.parquet").names
    assert not [n for n in names if n.startswith("right_shank_acc")]


def test_when_all_are_refused_only_the_result_and_the_page_are_written(tmp_path):
    recording, result = one(reason=PERIODIC, confidence=0.2)
    paths = write_result(recording, result, tmp_path / "out")
    assert [p.name for p in paths] == ["report.html", "sync.json"]


def test_rate_and_poses_of_the_joined_table(tmp_path, no_report):
    recording, result = one()
    write_result(recording, result, tmp_path / "out", rate_hz=50.0, poses=False)
    table = pq.read_table(tmp_path / "out" / "aligned.parquet")
    time_s = numbers(table, "video_time_s")
    np.testing.assert_allclose(np.diff(time_s), 0.02, atol=1e-9)
    assert time_s[-1] <= recording.people[0].time_s[-1] + 1e-9
    inside = (time_s > 0.5) & (time_s < 19.4)
    np.testing.assert_allclose(numbers(table, "a_acc_x_m_s2")[inside], smooth(time_s)[inside, 0], atol=2e-3)
    assert not [n for n in table.column_names if n.endswith("_px")]


def test_a_sensor_as_the_reference_brings_its_own_samples(tmp_path):
    watch, phone = felt(ClockMap(0.0), name="watch", clock_id="w"), felt(ClockMap(-2.0), name="phone", clock_id="p")
    piece = Piece(float(phone.time_s[0]), float(phone.time_s[-1]), ClockMap(-2.0), 0.9)
    result = SyncResult("watch", (answered((piece,), ("phone",), "p", person="watch"),), (-7.0, 7.0))
    write_result(Recording(imus=(watch, phone)), result, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "aligned.parquet")
    assert table.column_names[0] == "reference_time_s"
    both = np.stack([numbers(table, f"{n}_acc_y_m_s2") for n in ("watch", "phone")])[:, 100:1800]
    np.testing.assert_allclose(both[0], both[1], atol=1e-4)
    assert "reference_time_s" in pq.read_schema(tmp_path / "out" / "imu-phone.parquet").names


def test_each_person_has_a_joined_table(tmp_path, no_report):
    recording, result = sync_scene.scene(("left_wrist", "right_shank"), shared=False)
    recording = recording.replace(people=(sync_scene.poses(), sync_scene.poses(20.0, person="2")))
    answers = (result.answers[0], dataclasses.replace(result.answers[1], person="2"))
    write_result(recording, dataclasses.replace(result, reference="1, 2", answers=answers), tmp_path / "out")
    assert pq.read_metadata(tmp_path / "out" / "aligned-1.parquet").num_rows == 720
    assert pq.read_metadata(tmp_path / "out" / "aligned-2.parquet").num_rows == 600


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True))
def test_any_names_become_files_of_their_own(tmp_path_factory, names):
    taken: list[str] = []
    for name in names:
        taken.append(file_name("imu-", name, ".csv", taken))
    assert len({t.lower() for t in taken}) == len(names)
    folder = tmp_path_factory.mktemp("names")
    for t in taken:
        assert output._OWN_TABLE.fullmatch(t)
        (folder / t).touch()
    assert len(list(folder.iterdir())) == len(names)


def test_a_second_run_replaces_its_own_files_and_no_others(tmp_path, no_report):
    recording, result = sync_scene.scene(("left_wrist", "right_shank"), shared=False)
    out = tmp_path / "out"
    write_result(recording, result, out)
    for foreign in ("notes.txt", "imu-mine.parquet", "aligned.csv"):
        (out / foreign).write_text("mine")
    refused = dataclasses.replace(result.answers[1], reason=PERIODIC, confidence=0.2)
    write_result(recording, dataclasses.replace(result, answers=(result.answers[0], refused)), out)
    assert {p.name for p in out.iterdir()} == {
        "notes.txt", "imu-mine.parquet", "aligned.csv",
        "imu-left_wrist.parquet", "aligned.parquet", "sync.json", "report.html",
    }  # fmt: skip
    assert (out / "aligned.csv").read_text() == "mine"
    assert json.loads((out / "sync.json").read_text())["answers"][1]["status"] == "refused"


@pytest.mark.parametrize("listed", ['{"files": 3}', '{"files": {"sensors": {"a": "../x"}, "joined": {"b": 4}}}', "{"])
def test_a_foreign_sync_json_deletes_nothing(tmp_path, listed, no_report):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "x").touch()
    (out / "imu-b.parquet").touch()
    (out / "sync.json").write_text(listed)
    write_result(*one(), out)
    assert (tmp_path / "x").exists()
    assert (out / "imu-b.parquet").exists()


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_half_way_leaves_everything_as_it_was(tmp_path, monkeypatch, exists):
    recording, result = one()
    out = tmp_path / "out"
    if exists:
        out.mkdir()
        (out / "sync.json").write_text("old")

    def full(*_: object, **__: object) -> None:
        raise InputError("Cannot write: no space left on device.", "Free some space.")

    monkeypatch.setattr(output, "write_report", full)
    with pytest.raises(InputError, match="no space left"):
        write_result(recording, result, out)
    assert [p.name for p in tmp_path.iterdir()] == (["out"] if exists else [])
    if exists:
        assert [(p.name, p.read_text()) for p in out.iterdir()] == [("sync.json", "old")]


def test_places_that_cannot_be_written(tmp_path, no_report):
    (tmp_path / "file").write_text("here")
    with pytest.raises(InputError, match="is a file"):
        write_result(*one(), tmp_path / "file")
    with pytest.raises(InputError, match="cannot be made in it"):
        write_result(*one(), tmp_path / "file" / "inside")
    (tmp_path / "out" / "sync.json").mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder"):
        write_result(*one(), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["sync.json"]
    assert {p.name for p in tmp_path.iterdir()} == {"file", "out"}


@pytest.mark.parametrize("wrong", [{"table": "xlsx"}, {"rate_hz": 0.0}])
def test_arguments_that_make_no_sense(tmp_path, wrong):
    with pytest.raises(InputError):
        write_result(*one(), tmp_path / "out", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_files_can_be_read_by_others_as_the_user_wants(tmp_path, no_report):
    (tmp_path / "plain").mkdir()
    write_result(*one(), tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode
