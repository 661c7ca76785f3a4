"""Rerun's file, read back by its own reader."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

import sync_scene
from kinebind.output.rerun_file import TIMELINE, write_rerun

pytest.importorskip("rerun")
chunk = pytest.importorskip("rerun.chunk")


def read(path):
    """Entity -> [(time_s, value)] of its component that is on the timeline, in order."""
    out: dict[str, list] = {}
    for own in chunk.RrdReader(path).stream().to_chunks():
        table = own.to_record_batch()
        if own.is_static or TIMELINE not in own.timeline_names:
            continue
        name = next(n for n in table.schema.names if n.endswith((":scalars", ":strips", ":timestamp")))
        nanoseconds = table[TIMELINE].cast("int64").to_numpy(zero_copy_only=False)
        out.setdefault(own.entity_path, []).extend(zip(1e-9 * nanoseconds, table[name].to_pylist(), strict=True))
    return {name: sorted(rows, key=lambda row: row[0]) for name, rows in out.items()}


@pytest.fixture(scope="module")
def scene():
    return sync_scene.scene(("left_wrist", "right_shank"))


def test_signals_lie_at_their_place_in_the_video(scene, tmp_path):
    recording, result = scene
    gap = recording.imus[0].acc_sensor.copy()
    gap[100:130] = np.nan
    recording = recording.replace(imus=(recording.imus[0].replace(acc_sensor=gap), recording.imus[1]))
    told = read(write_rerun(recording, result, tmp_path / "a.rrd"))
    imu = recording.imus[0]
    known = np.isfinite(gap).all(axis=1)
    expected_s = result.answers[0].to_video(imu.time_s[known])
    for axis, values in (("z", gap[known, 2]), ("norm", np.linalg.norm(gap[known], axis=1))):
        times_s, got = zip(*told[f"/sensors/left_wrist/acc/{axis}"], strict=True)
        np.testing.assert_allclose(times_s, expected_s, atol=1e-6)
        np.testing.assert_allclose(np.ravel(got), values, atol=1e-9)
    assert len(told["/sensors/left_wrist/gyr/x"]) == imu.time_s.size


def test_people_are_drawn_where_they_are_seen_and_vanish_after(scene, tmp_path):
    recording, result = scene
    first = recording.people[0]
    points, scores = first.keypoints_px.copy(), first.scores.copy()
    points[10, 9], scores[10, 9] = np.nan, np.nan
    second = first.take((first.time_s < 5.0) | (first.time_s > 8.0)).replace(person="Jörg/2")
    people = (first.replace(keypoints_px=points, scores=scores), second)
    told = read(write_rerun(recording.replace(people=people), result, tmp_path / "a.rrd"))
    rows = told["/video/people/1"]
    np.testing.assert_allclose([t for t, _ in rows[:-1]], first.time_s, atol=1e-6)
    assert [len(lines) for _, lines in rows[9:12]] == [14, 13, 14]
    np.testing.assert_allclose(rows[0][1][1], points[0, [7, 9]], rtol=1e-6)
    other = told["/video/people/Jörg\\/2"]
    assert [len(lines) for t, lines in other if 5.0 < t < 8.0] == [0]
    assert not rows[-1][1]
    assert not other[-1][1]


def test_somebody_who_is_never_seen_and_odd_names_are_no_trouble(scene, tmp_path, capfd):
    recording, result = scene
    (answer,) = result.answers
    nobody = recording.people[0]
    nobody = nobody.replace(
        keypoints_px=np.full_like(nobody.keypoints_px, np.nan), scores=np.full_like(nobody.scores, np.nan)
    )
    imus = (recording.imus[0].replace(name="Uhr links/ä b"), recording.imus[1])
    names = ("Uhr links/ä b", "right_shank")
    sensors = tuple(dataclasses.replace(s, name=n) for s, n in zip(answer.sensors, names, strict=True))
    told = dataclasses.replace(result, answers=(dataclasses.replace(answer, sensors=sensors),))
    found = read(write_rerun(recording.replace(people=(nobody,), imus=imus), told, tmp_path / "a.rrd"))
    assert "/sensors/Uhr\\ links\\/ä\\ b/acc/x" in found
    assert "Unescaped" not in capfd.readouterr().err


def test_what_was_refused_is_left_out(scene, tmp_path):
    recording, result = scene
    (answer,) = result.answers
    (piece,) = answer.pieces
    middle_s = float(piece.clock.to_imu(12.0))
    pieces = (
        dataclasses.replace(piece, end_s=middle_s),
        dataclasses.replace(piece, start_s=middle_s, confidence=0.2),
    )
    told = dataclasses.replace(result, answers=(dataclasses.replace(answer, pieces=pieces),))
    rows = read(write_rerun(recording, told, tmp_path / "a.rrd"))["/sensors/left_wrist/acc/x"]
    assert rows[-1][0] < 12.0


@pytest.mark.parametrize("start_s", [0.0, 0.5])
def test_the_videos_frames_lie_at_the_times_at_which_a_player_shows_them(scene, tmp_path, start_s):
    pytest.importorskip("cv2")
    pytest.importorskip("av")
    from made_up_video import plain, write_video

    recording, result = scene
    times_s = start_s + np.arange(20) / 30
    video = write_video(tmp_path / "Übung 1.mp4", plain(64, 48), list(times_s))
    rows = read(write_rerun(recording, result, tmp_path / "a.rrd", video))["/video"]
    np.testing.assert_allclose([t for t, _ in rows], times_s, atol=1e-3)
    np.testing.assert_allclose(1e-9 * np.ravel([v for _, v in rows]), times_s - start_s, atol=1e-3)


def test_a_video_that_rerun_cannot_show_is_left_out_and_told(scene, tmp_path, caplog):
    recording, result = scene
    video = tmp_path / "old.avi"
    video.write_bytes(b"RIFF0000AVI " + bytes(100))
    with caplog.at_level(logging.WARNING):
        told = read(write_rerun(recording, result, tmp_path / "a.rrd", video))
    assert "/video" not in told
    assert "/sensors/left_wrist/acc/x" in told
    assert "old.avi is left out" in caplog.text
