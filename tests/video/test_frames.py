"""Decoding: true times, upright frames, and every way in which a file can be broken."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kinebind.errors import InputError
from kinebind.video.frames import Damage, frames, video_info
from made_up_video import plain, turn, write_sound, write_video

STEADY = np.arange(20) / 30.0


def test_times_are_those_of_the_file(tmp_path):
    """A variable rate and dropped frames stay as they are; nothing is filled in."""
    times = np.concatenate([STEADY[:7], 0.8 + np.cumsum([0.013, 0.05, 0.021, 0.4])])
    path = write_video(tmp_path / "a.mp4", plain(64, 48), times)
    found = list(frames(path))
    np.testing.assert_allclose([f.time_s for f in found], times, atol=1e-4)
    info = video_info(path)
    assert info.size_px == (64, 48)
    assert info.frames == times.size
    assert info.turned_deg == 0


def test_a_first_frame_that_is_shown_late_is_late(tmp_path):
    path = write_video(tmp_path / "late.mkv", plain(64, 48), STEADY + 1.5, format="matroska")
    assert next(iter(frames(path))).time_s == pytest.approx(1.5, abs=2e-3)


def test_seeking_goes_on_where_it_was_left(tmp_path):
    path = write_video(tmp_path / "a.mp4", plain(64, 48), np.arange(90) / 30.0)
    whole = [f.time_s for f in frames(path)]
    for k in (0, 17, 60, 88):
        damage = Damage()
        assert [f.time_s for f in frames(path, after_s=whole[k], damage=damage)] == whole[k + 1 :]
        assert damage == Damage()


@pytest.mark.parametrize(("degrees", "corner"), [(90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))])
def test_the_rotation_flag_turns_frames_upright(tmp_path, degrees, corner):
    """The white corner, at the upper left as stored, lies where a player shows it."""
    path = turn(write_video(tmp_path / "a.mp4", plain(96, 48), STEADY), degrees)
    info = video_info(path)
    frame = next(iter(frames(path))).image
    assert info.turned_deg == degrees
    assert info.size_px == ((48, 96) if degrees != 180 else (96, 48))
    assert frame.shape[:2] == info.size_px[::-1]
    row, column = (slice(-8, None) if c == -1 else slice(0, 8) for c in corner)
    assert frame[row, column].min() > 200
    assert np.median(frame) < 150


def test_pixels_that_are_no_squares_become_squares(tmp_path):
    path = write_video(tmp_path / "a.mp4", plain(64, 48), STEADY, aspect=Fraction(2, 1))
    assert video_info(path).size_px == (128, 48)
    assert next(iter(frames(path))).image.shape == (48, 128, 3)


def test_large_frames_are_made_smaller_and_say_so(tmp_path):
    path = write_video(tmp_path / "4k.mp4", plain(3840, 2160), STEADY[:2])
    frame = next(iter(frames(path)))
    assert frame.image.shape == (1080, 1920, 3)
    assert frame.scale == 0.5
    assert video_info(path).size_px == (3840, 2160)


def test_many_frames_a_second(tmp_path):
    times = np.arange(60) / 240.0
    path = write_video(tmp_path / "fast.mp4", plain(64, 48), times)
    np.testing.assert_allclose([f.time_s for f in frames(path)], times, atol=1e-4)


@pytest.mark.parametrize("name", ["Läufer – 走る.mp4", "a=b:c;d&e.mp4", "-rf.mp4", "http:x.mp4", "x" * 200 + ".mp4"])
def test_file_names_mean_nothing(tmp_path, monkeypatch, name):
    write_video(tmp_path / "plain.mp4", plain(64, 48), STEADY[:3]).rename(tmp_path / name)
    assert len(list(frames(tmp_path / name))) == 3
    monkeypatch.chdir(tmp_path)
    assert len(list(frames(name))) == 3


def test_a_mov_named_mp4_is_read(tmp_path):
    path = write_video(tmp_path / "a.mp4", plain(64, 48), STEADY[:3], format="mov")
    assert len(list(frames(path))) == 3


def test_exposure_is_told_where_the_file_tells(tmp_path):
    path = write_video(tmp_path / "a.mp4", plain(64, 48), STEADY[:3], metadata={"exposure_time": "1/100"})
    assert video_info(path).exposure_s == pytest.approx(0.01)
    for wrong in ("soon", "1/0", "-1", "7"):
        path = write_video(tmp_path / "b.mp4", plain(64, 48), STEADY[:3], metadata={"exposure_time": wrong})
        assert video_info(path).exposure_s is None


def test_a_file_that_breaks_off_gives_what_is_there(tmp_path):
    """As of a camera whose battery went: fragments up to some moment."""
    noise = np.random.default_rng(0).integers(0, 255, (90, 48, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.mkv", lambda k: noise[k], np.arange(90) / 30.0, format="matroska")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    damage = Damage()
    found = [f.time_s for f in frames(path, damage=damage)]
    assert 10 < len(found) < 85
    np.testing.assert_allclose(found, np.arange(90)[: len(found)] / 30.0, atol=2e-3)


def test_damage_in_the_middle_is_a_gap_that_is_told(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (90, 48, 64, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.mp4", lambda k: noise[k], np.arange(90) / 30.0)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start + 60_000 : start + 60_400] = bytes(400)
    path.write_bytes(bytes(data))
    found = [f.time_s for f in frames(path, damage=Damage())]
    assert found[-1] == pytest.approx(89 / 30.0, abs=1e-3)
    assert len(found) > 60


def refusal(path) -> str:
    with pytest.raises(InputError) as error:
        video_info(path)
    with pytest.raises(InputError):
        next(iter(frames(path)))
    assert str(path) in error.value.what
    assert error.value.fix
    return error.value.what


def test_what_is_no_video(tmp_path):
    assert "There is no file" in refusal(tmp_path / "nothing.mp4")
    assert "folder" in refusal(tmp_path)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert "is empty" in refusal(empty)
    text = tmp_path / "text.mp4"
    text.write_text("no video at all\n" * 100)
    assert "cannot be read as a video" in refusal(text)
    assert "sound" in refusal(write_sound(tmp_path / "sound.mp4"))
    cut = write_video(tmp_path / "cut.mp4", plain(64, 48), STEADY)
    cut.write_bytes(cut.read_bytes()[:200])
    refusal(cut)


def test_a_playlist_cannot_name_other_files(tmp_path):
    """A text that FFmpeg would follow to another place is no video."""
    write_video(tmp_path / "secret.ts", plain(64, 48), STEADY, format="mpegts")
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/secret.ts\n#EXT-X-ENDLIST\n")
    refusal(playlist)
