"""The recording file: what goes in comes out, and nothing is ever half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import kinebind.store
from kinebind import Imu, InputError, Label, Motion, Poses, Recording, Skeleton, load, save
from kinebind.parts import SITES
from kinebind.store import is_recording_file, written_whole


def example(name: str = "old", samples: int = 200) -> Recording:
    return Recording(imus=(Imu(np.arange(samples) / 100, np.full((samples, 3), 5.0), name="wrist"),), name=name)


def tear(text: str, directory: Path) -> subprocess.Popen[str]:
    """A Python process of its own, to be killed or starved."""
    return subprocess.Popen([sys.executable, "-c", text], cwd=directory, stdout=subprocess.PIPE, text=True)


# -- what goes in comes out ------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def recordings(draw) -> Recording:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def times(n):
        return draw(st.sampled_from([0.0, 1.6e9])) + np.cumsum(rng.uniform(0.5, 1.5, n)) / 50

    def values(*shape):
        array = rng.normal(size=shape) * 100
        array[rng.random(shape[0]) < 0.2] = np.nan
        return array

    def quaternions(*shape):
        q = values(*shape)
        return q / np.linalg.norm(q, axis=-1, keepdims=True)

    def maybe(array):
        return array if draw(st.booleans()) else None

    lengths = st.integers(2, 30)
    imus = []
    for i in range(draw(st.integers(0, 12))):
        n = draw(lengths)
        imus.append(Imu(
            times(n), values(n, 3), maybe(values(n, 3)), maybe(quaternions(n, 4)), maybe(values(n, 3)),
            name=f"{i}{draw(text)}", site=draw(st.sampled_from([None, *SITES])), clock_id=draw(text),
            notes=tuple(draw(st.lists(text, max_size=3))),
        ))  # fmt: skip
    people = []
    for i in range(draw(st.integers(0, 3))):
        n = draw(lengths)
        people.append(Poses(
            times(n), values(n, 17, 2) * 10, np.abs(values(n, 17)), draw(st.sampled_from([None, (640, 480)])),
            person=str(i), notes=tuple(draw(st.lists(text, max_size=2))),
        ))  # fmt: skip
    motions = []
    for i in range(draw(st.integers(0, 2))):
        n = draw(lengths)
        skeleton = Skeleton(("hips", "knee"), (-1, 0), rng.normal(size=(2, 3)), {"knee": (0.0, 0.1, -0.4)})
        motions.append(
            Motion(times(n), skeleton, quaternions(n, 2, 4), values(n, 3), maybe(values(n, 2, 3)), name=str(i))
        )
    label = st.builds(Label, st.floats(-1e3, 1e3), st.floats(1e3, 1e9), text, st.none() | text)
    return Recording(
        people, imus, motions, draw(st.lists(label, max_size=3)), draw(text), draw(text),
        draw(st.dictionaries(text, text, max_size=3)),
    )  # fmt: skip


def assert_same(a, b) -> None:
    """Equal in every field; NaN equals NaN."""
    assert type(a) is type(b)
    for name, value in vars(a).items():
        other = getattr(b, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other)
        elif isinstance(value, Skeleton):
            assert_same(value, other)
        elif name in ("people", "imus", "motions"):
            assert len(value) == len(other)
            for x, y in zip(value, other, strict=True):
                assert_same(x, y)
        else:
            assert value == other


@given(recordings())
def test_every_recording_comes_back_as_it_was(tmp_path_factory, recording):
    path = tmp_path_factory.mktemp("store") / "a.kinebind"
    save(recording, path)
    assert is_recording_file(path)
    assert_same(load(path), recording)


def test_a_file_may_be_read_with_safetensors_alone(tmp_path):
    from safetensors import safe_open

    save(example("walk"), tmp_path / "a.kinebind")
    with safe_open(tmp_path / "a.kinebind", framework="numpy") as file:
        assert json.loads(file.metadata()["kinebind"])["name"] == "walk"
        np.testing.assert_array_equal(file.get_tensor("imus/0/acc_sensor"), np.full((200, 3), 5.0))


# -- nothing half-written --------------------------------------------------------------------------------------


def test_killed_half_way_the_old_file_is_whole(tmp_path):
    path = tmp_path / "a.kinebind"
    save(example("old"), path)
    child = tear(
        """
import os, time
from kinebind.store import written_whole
with written_whole("a.kinebind") as part:
    with open(part, "wb") as file:
        file.write(b"half of the new f")
        file.flush()
        print("half-way", flush=True)
        time.sleep(60)
""",
        tmp_path,
    )
    assert child.stdout.readline().strip() == "half-way"
    child.kill()
    child.communicate()
    assert load(path).name == "old"
    save(example("new"), path)
    assert load(path).name == "new"


def test_killed_at_any_moment_a_file_is_the_old_or_the_new_one(tmp_path):
    path = tmp_path / "a.kinebind"
    for delay_s in (0.0, 0.013, 0.041):
        child = tear(
            """
import itertools, numpy as np
from kinebind import Imu, Recording, save
t = np.arange(200_000) / 100
for i in itertools.count():
    acc = np.full((t.size, 3), float(i))
    save(Recording(imus=(Imu(t, acc),), name=str(i)), "a.kinebind")
    if i == 1:
        print("writing", flush=True)
""",
            tmp_path,
        )
        assert child.stdout.readline().strip() == "writing"
        time.sleep(delay_s)
        child.kill()
        child.communicate()
        recording = load(path)
        assert (recording.imus[0].acc_sensor == float(recording.name)).all()


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    """The limit on a file's size stands in for a full disk: the write itself fails half-way."""
    save(example("old"), tmp_path / "a.kinebind")
    child = tear(
        """
import resource, numpy as np
from kinebind import Imu, InputError, Recording, save
t = np.arange(200_000) / 100
big = Recording(imus=(Imu(t, np.zeros((t.size, 3))),), name="new")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    save(big, "a.kinebind")
except InputError as error:
    print("refused:", error)
""",
        tmp_path,
    )
    out = child.communicate()[0]
    assert child.returncode == 0
    assert "refused: Cannot write a.kinebind" in out
    assert "Free some space" in out
    assert [p.name for p in tmp_path.iterdir()] == ["a.kinebind"]
    assert load(tmp_path / "a.kinebind").name == "old"


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt(), RuntimeError("bug")])
def test_whatever_stops_a_save_the_old_file_stays(tmp_path, monkeypatch, problem):
    path = tmp_path / "a.kinebind"
    save(example("old"), path)

    def half_written(arrays, part, metadata):
        Path(part).write_bytes(b"half")
        raise problem

    monkeypatch.setattr(kinebind.store, "save_file", half_written)
    expected = InputError if isinstance(problem, OSError) else type(problem)
    with pytest.raises(expected, match="No space left" if isinstance(problem, OSError) else None):
        save(example("new"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.kinebind"]
    assert load(path).name == "old"


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match="Cannot write") as caught:
        save(example(), tmp_path / "no such folder" / "a.kinebind")
    assert caught.value.fix
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="Cannot write"):
        save(example(), tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        save(example(), tmp_path / "a.kinebind")


def test_written_whole_serves_any_file(tmp_path):
    target = tmp_path / "sync.json"
    with written_whole(target) as part:
        part.write_text("{}")
        assert not target.exists()
    assert target.read_text() == "{}"
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask


# -- damaged and foreign files ---------------------------------------------------------------------------------


@given(st.data())
def test_a_truncated_file_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("store") / "a.kinebind"
    save(example(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InputError, match="not a whole Kinebind recording"):
        load(path)


@given(st.data())
def test_a_damaged_header_is_refused_or_still_valid(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("store") / "a.kinebind"
    save(example(samples=3), path)
    damaged = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(damaged[:8], "little")
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, header - 1), st.integers(0, 255)), min_size=1)):
        damaged[place] = byte
    path.write_bytes(damaged)
    try:
        assert isinstance(load(path), Recording)
    except InputError as error:
        assert str(path) in error.what  # noqa: PT017 (both outcomes are right)


HEAD = {
    "version": 1, "name": "a", "text": "", "meta": {}, "labels": [], "people": [], "imus": [], "motions": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "format version 2"),
        ({"version": "1"}, "format version 1"),
        ({"imus": 3}, "lacks a part"),
        ({"imus": [3]}, "lacks a part"),
        ({"imus": [{}]}, "lacks a part"),
        ({"motions": [[]]}, "lacks a part"),
        ({"people": [{"colour": "red"}]}, "lacks a part"),
        ({"labels": [{"start_s": 2.0, "end_s": 1.0, "name": "x"}]}, "ends before it starts"),
        ({"labels": [{"start_s": None, "end_s": 1.0, "name": "x"}]}, "lacks a part"),
    ],
)
def test_a_header_that_is_no_recording_is_refused(tmp_path, change, says):
    path = tmp_path / "a.kinebind"
    save_file({"x": np.zeros(2)}, path, metadata={"kinebind": json.dumps(HEAD)})
    assert load(path).name == "a"
    save_file({"x": np.zeros(2)}, path, metadata={"kinebind": json.dumps(HEAD | change)})
    with pytest.raises(InputError, match=says) as caught:
        load(path)
    assert str(path) in caught.value.what


def test_other_files_are_told_apart(tmp_path):
    weights = tmp_path / "weights.safetensors"
    save_file({"w": np.zeros(3)}, weights)
    assert not is_recording_file(weights)
    with pytest.raises(InputError, match="not a Kinebind recording"):
        load(weights.rename(tmp_path / "weights.kinebind"))
    table = tmp_path / "a.csv"
    table.write_text("time,x\n0,1\n")
    assert not is_recording_file(table)
    with pytest.raises(InputError, match="not a whole"):
        load(table)
    assert not is_recording_file(tmp_path / "missing")
    with pytest.raises(InputError, match="There is no file"):
        load(tmp_path / "missing")
    with pytest.raises(InputError, match="Cannot read"):
        load(tmp_path)
