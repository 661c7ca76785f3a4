"""The index of a corpus: kept, and made anew exactly where something changed."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import tiny_binder

import sync_scene
from kinebind import ClockMap, InputError, Recording, save
from kinebind import store as recording_store
from kinebind.tasks.search import corpus as module
from kinebind.tasks.search import index_corpus

BINDER = tiny_binder.binder()


def read(path):
    return recording_store.load(path) if path.suffix == ".kinebind" else None


def recorded(seed):
    imu = sync_scene.imu("left_wrist", ClockMap(0.0), 4.0, seed=seed).replace(rot_world_from_sensor=None)
    return Recording(people=(sync_scene.poses(4.0, seed=seed),), imus=(imu,), name=f"r{seed}")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    save(recorded(0), tmp_path / "a.kinebind")
    save(recorded(1), tmp_path / "deep" / "b.kinebind")
    (tmp_path / "notes.txt").write_text("nothing to search")
    (tmp_path / ".hidden").mkdir()
    shutil.copy(tmp_path / "a.kinebind", tmp_path / ".hidden" / "c.kinebind")
    return tmp_path


def same(one, other):
    assert [(s.file, s.kind, s.name, s.site, s.start_s) for s in one] == [
        (s.file, s.kind, s.name, s.site, s.start_s) for s in other
    ]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.tokens, b.tokens)
        np.testing.assert_array_equal(a.there, b.there)


def test_a_second_look_embeds_nothing_and_gives_the_same(folder, monkeypatch):
    said = []
    first = index_corpus(folder, BINDER, read, say=said.append)
    assert (first.files, first.embedded, first.skipped, first.notes) == (2, 2, 1, ())
    assert said == ["a.kinebind", "deep/b.kinebind"]
    assert {s.kind for s in first.streams if s.file == "a.kinebind"} == {"imu", "pose"}
    monkeypatch.setattr(BINDER, "embed_pose", None)
    second = index_corpus(folder, BINDER, lambda _: pytest.fail("a file was read again"))
    assert (second.files, second.embedded, second.skipped) == (2, 0, 1)
    same(first.streams, second.streams)


def test_what_is_kept_is_what_the_model_says(folder):
    kept = index_corpus(folder, BINDER, read).streams
    (felt,) = (s for s in kept if s.kind == "imu" and s.file == "a.kinebind")
    wanted = BINDER.embed_imu(recorded(0).imus[0])
    np.testing.assert_allclose(felt.tokens.astype(np.float32), wanted.tokens, rtol=1e-3, atol=1e-4)
    assert felt.start_s == pytest.approx(wanted.time_s[0] - 0.05)


def test_only_what_changed_is_embedded_again(folder):
    index_corpus(folder, BINDER, read)
    save(recorded(2), folder / "a.kinebind")
    again = index_corpus(folder, BINDER, read)
    assert again.embedded == 1
    fresh = folder.parent / "fresh"
    shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns(".*"))
    same(again.streams, index_corpus(fresh, BINDER, read).streams)


def test_a_file_that_is_touched_or_read_in_another_way_counts_as_new(folder):
    index_corpus(folder, BINDER, read)
    os.utime(folder / "a.kinebind", ns=(1, 1))
    assert index_corpus(folder, BINDER, read).embedded == 1
    assert index_corpus(folder, BINDER, read, way="acc_unit=g").embedded == 2


def test_what_is_gone_leaves_no_tokens(folder):
    index_corpus(folder, BINDER, read)
    (folder / "a.kinebind").unlink()
    assert {s.file for s in index_corpus(folder, BINDER, read).streams} == {"deep/b.kinebind"}
    assert len(list((folder / module.FOLDER).glob("*.safetensors"))) == 1


def test_another_model_starts_anew(folder):
    index_corpus(folder, BINDER, read)
    other = tiny_binder.binder(1)
    assert module.fingerprint(other) != module.fingerprint(BINDER) == module.fingerprint(tiny_binder.binder())
    assert index_corpus(folder, other, read).embedded == 2


def test_tokens_of_a_run_that_broke_off_are_not_taken_for_its_own(folder):
    """The index still says what the first model left, the tokens are those of another."""
    index_corpus(folder, BINDER, read)
    index = (folder / module.FOLDER / "index.json").read_text()
    index_corpus(folder, tiny_binder.binder(1), read)
    (folder / module.FOLDER / "index.json").write_text(index)
    assert index_corpus(folder, BINDER, read).embedded == 2


@pytest.mark.parametrize("damage", ["{", "[]", '{"format": "kinebind-index-0"}', "tokens"])
def test_a_damaged_index_is_made_anew(folder, damage):
    first = index_corpus(folder, BINDER, read)
    kept = folder / module.FOLDER
    if damage == "tokens":
        for path in kept.glob("*.safetensors"):
            path.write_bytes(path.read_bytes()[:-100])
    else:
        (kept / "index.json").write_text(damage)
    again = index_corpus(folder, BINDER, read)
    assert again.embedded == 2
    same(first.streams, again.streams)


def test_a_file_that_cannot_be_read_is_told_each_time(folder):
    (folder / "bad.kinebind").write_bytes(b"no recording")
    for _ in range(2):
        found = index_corpus(folder, BINDER, read)
        assert found.files == 2
        assert len(found.notes) == 1
        assert found.notes[0].startswith("bad.kinebind: ")


def test_where_nothing_can_be_kept_it_is_said(folder):
    (folder / module.FOLDER).write_text("in the way")
    found = index_corpus(folder, BINDER, read)
    assert (found.files, found.embedded) == (2, 2)
    assert "cannot be kept" in found.notes[-1]
    with pytest.raises(InputError, match="not a folder"):
        index_corpus(folder / "notes.txt", BINDER, read)


def test_the_index_is_plain_json(folder):
    index_corpus(folder, BINDER, read)
    told = json.loads((folder / module.FOLDER / "index.json").read_text())
    assert told["format"] == "kinebind-index-1"
    assert set(told["entries"]) == {"a.kinebind", "deep/b.kinebind", "notes.txt"}
