"""The corpus: what was written comes back within its rounding, lies in memory once, and damage is told."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.body.made_up import made_up_motion
from kinebind.body.segment_motion import JOINTS, SegmentMotion, joints_world, segment_motion
from kinebind.body.segments import posture
from kinebind.errors import InputError
from kinebind.training import corpus_file, corpus_packing
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_file import read_blocks, read_index, written_corpus
from kinebind.training.corpus_packing import ROOT_STEP_M, ROT_SCALE

TERMS = {"one": "Free.", "two": "Not for sale.", "three": "Never used."}
STENCIL_S = 0.033


def acceleration(position: np.ndarray, rate_hz: float) -> np.ndarray:
    n = max(1, round(STENCIL_S * rate_hz))
    return (position[2 * n :] - 2 * position[n:-n] + position[: -2 * n]) * (rate_hz / n) ** 2


def rms(vectors: np.ndarray) -> float:
    return float(np.sqrt((vectors**2).sum(axis=-1).mean()))


def rebuilt(motion: SegmentMotion) -> np.ndarray:
    return joints_world(motion.rot_world_from_segment, motion.root_world, motion.shape)


@pytest.fixture(scope="module")
def people():
    return [
        made_up_motion(s, np.random.default_rng(k), rate_hz=r) for k, (s, r) in enumerate(((8, 120), (5, 30), (3, 60)))
    ]


@pytest.fixture
def written(tmp_path, people):
    """A corpus of three clips of two sources."""
    return write(tmp_path / "small.kbcorpus", people)


def write(path, people):
    with written_corpus(path, TERMS) as writer:
        for k, person in enumerate(people):
            writer.add(
                segment_motion(person), source="one" if k < 2 else "two", group=f"p{k}", label="wave" if k else "",
                name=f"clip {k}",
            )  # fmt: skip
    return path


def test_rotations_and_roots_come_back_within_their_rounding(written, people):
    corpus = Corpus.open(written)
    assert (corpus.rot.dtype, corpus.root.dtype) == (np.int16, np.float32)
    for k, person in enumerate(people):
        given, got = segment_motion(person), corpus.motion(k)
        assert got.rate_hz == given.rate_hz
        # Two unit quaternions a chord c apart differ by 2c; four components are off by half a step each.
        apart = np.minimum(
            *(np.linalg.norm(got.rot_world_from_segment - s * given.rot_world_from_segment, axis=-1) for s in (1, -1))
        )
        assert 0 < apart.max() * 2 <= 2 * np.sqrt(4) * 0.5 / ROT_SCALE + 1e-9
        assert 0 < np.abs(got.root_world - given.root_world).max() <= 0.5 * ROOT_STEP_M + 1e-6
        assert np.allclose(got.shape.as_array(), given.shape.as_array(), atol=1e-5)
    assert ROOT_STEP_M <= 0.2e-3


def test_what_a_wrist_feels_is_what_it_felt(written, people):
    """Rounding adds less than 0.1 m/s², far below what the wrist does; the spine's lost bend a fifth."""
    corpus = Corpus.open(written)
    for k, person in enumerate(people):
        given, got = segment_motion(person), corpus.motion(k)
        for name in ("left_wrist", "right_ankle"):
            before, after = (acceleration(rebuilt(m)[:, JOINTS.index(name)], m.rate_hz) for m in (given, got))
            assert rms(after - before) < 0.1
            true = acceleration(posture(person).point(name), given.rate_hz)
            assert rms(after - true) < 0.1 + (0.2 * rms(true) if name == "left_wrist" else 0.0)
            assert rms(true) > (1.0 if name == "left_wrist" else 0.2)


def test_signs_do_not_jump(written):
    corpus = Corpus.open(written)
    for first, count in zip(corpus.first, corpus.frames, strict=True):
        rot = corpus.rot[first : first + count].astype(float)
        assert ((rot[1:] * rot[:-1]).sum(-1) > 0).all()


def test_long_motion_does_not_drift(tmp_path):
    """A walk of 2 km in steps that are no multiple of the root's resolution ends where it ended."""
    frames = 30_000
    rot = np.tile([0.0, 0.0, 0.0, 1.0], (frames, 13, 1))
    root = np.outer(np.arange(frames), [0.0666611, -0.0123457, 1e-6])
    shape = segment_motion(made_up_motion(1.0, np.random.default_rng(0))).shape
    with written_corpus(tmp_path / "walk", TERMS) as writer:
        writer.add(SegmentMotion(60.0, rot, root, shape), source="one", group="a")
    got = Corpus.open(tmp_path / "walk").motion(0).root_world
    # A kilometre as float32 is known to 0.06 mm.
    assert np.abs(got - root).max() < 0.5 * ROOT_STEP_M + 1e-4


arrays = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@given(rng=arrays, counts=st.lists(st.integers(2, 9), min_size=1, max_size=4))
def test_packing_is_exact_whatever_the_numbers(rng, counts):
    given = [
        [rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (n, *size), dtype, endpoint=True) for n in counts]
        for dtype, size in ((np.int16, (13, 4)), (np.int32, (3,)))
    ]
    for clips, back in zip(given, corpus_packing.unpack(corpus_packing.pack(*given), counts), strict=True):
        assert back.dtype == clips[0].dtype
        assert np.array_equal(back, np.concatenate(clips))


def test_many_blocks_are_one_corpus(tmp_path, people, monkeypatch):
    monkeypatch.setattr(corpus_file, "_BLOCK_FRAMES", 500)
    path = tmp_path / "many.kbcorpus"
    with written_corpus(path, TERMS) as writer:
        for k in range(6):
            writer.add(segment_motion(people[k % 3]), source="one", group=str(k))
    index = read_index(path)
    assert len(index.blocks) > 2
    assert sum(len(rot) for rot, _ in read_blocks(path, index)) == index.frames.sum()
    corpus = Corpus.open(path)
    for k in range(6):
        assert np.abs(corpus.motion(k).root_world - segment_motion(people[k % 3]).root_world).max() < ROOT_STEP_M


def test_the_same_clips_are_the_same_bytes(written, people, tmp_path):
    assert write(tmp_path / "again", people).read_bytes() == written.read_bytes()


def test_a_selection_shares_the_memory(written):
    corpus = Corpus.open(written)
    assert len(corpus) == 3
    assert corpus.hours == pytest.approx((961 / 120 + 151 / 30 + 181 / 60) / 3600)
    two = corpus.of_sources("two")
    assert (two.names, two.groups, two.labels, two.terms) == (("clip 2",), ("p2",), ("wave",), {"two": TERMS["two"]})
    assert two.rot is corpus.rot
    assert np.array_equal(two.motion(0).root_world, corpus.motion(2).root_world)
    both = corpus.of_sources(["two", "one"])
    assert both.names == corpus.names
    assert corpus.of_clips([2, 0]).names == ("clip 2", "clip 0")
    with pytest.raises(InputError, match=r"no source 'three'.*one, two"):
        corpus.of_sources(["three"])
    told = corpus.describe()
    assert told["sources"]["one"]["clips"] == 2
    assert told["sources"]["one"]["rates_hz"] == [30.0, 120.0]
    assert set(told["sources"]["one"]["labels"]) == {"", "wave"}
    assert json.loads(json.dumps(told)) == told


def test_arrays_are_unpacked_once_and_anew_for_another_file(written, people, tmp_path, monkeypatch):
    first = Corpus.open(written)
    assert isinstance(first.rot, np.memmap)
    assert not first.rot.flags.writeable
    folders = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert len(folders) == 1
    with monkeypatch.context() as patch:
        patch.setattr("kinebind.training.corpus.read_blocks", None)  # would raise if it were called
        assert np.array_equal(Corpus.open(written).rot, first.rot)
    (folders[0] / "root.npy").unlink()  # not written over, as it is mapped
    (folders[0] / "root.npy").write_bytes(b"half")
    assert np.array_equal(Corpus.open(written).root, first.root)
    with written_corpus(written, TERMS) as writer:
        writer.add(segment_motion(people[2]), source="one", group="a")
    assert len(Corpus.open(written).rot) == 181
    now = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert len(now) == 1
    assert now != folders


def test_the_cache_goes_where_it_is_told_or_can_be_written(written, tmp_path, monkeypatch):
    Corpus.open(written, cache=tmp_path / "here" / "deep")
    (folder,) = (tmp_path / "here" / "deep").iterdir()
    assert folder.name.startswith("small.kbcorpus.")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("kinebind.training.corpus.tempfile.mkdtemp", refusing(tempfile.mkdtemp, written.parent))
    Corpus.open(written)
    assert len(list((tmp_path / "home" / "kinebind").iterdir())) == 1
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be unpacked") as told:
        Corpus.open(written, cache=tmp_path / "file" / "below")
    assert "cache=DIR" in told.value.fix


def refusing(real, folder):
    """mkdtemp that may not write in a folder (root may write everywhere)."""

    def made(*, dir, **others):
        if dir == folder:
            raise PermissionError(13, "Permission denied")
        return real(dir=dir, **others)

    return made


def rewritten(path, member, change):
    """The file with one member changed, the archive's own checksums in order."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[member] = change(parts[member])
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data[: len(data) // 2], "no whole corpus"), (lambda data: b"", "no whole corpus"),
        (lambda data: b"nonsense", "no whole corpus"), (lambda data: data[:-200] + b"\0" * 200, "no whole corpus"),
    ],
)  # fmt: skip
def test_half_a_file_is_told(written, change, told):
    written.write_bytes(change(written.read_bytes()))
    with pytest.raises(InputError, match=told):
        Corpus.open(written)


def test_a_changed_bit_is_told_and_leaves_nothing(written, tmp_path):
    data = bytearray(written.read_bytes())
    data[2000] ^= 1
    written.write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        Corpus.open(written)
    assert [p.name for p in tmp_path.iterdir()] == ["small.kbcorpus"]


def test_a_block_of_another_corpus_is_told(written):
    rewritten(written, "block-00000.xz", lambda data: data[:-1] + b"\0")
    with pytest.raises(InputError, match="another checksum"):
        Corpus.open(written)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("version", 2, "version 2; this Kinebind reads 1"), ("format", "other", "is no corpus file"),
        ("segments", ["pelvis"], "lacks a part of its index"), ("blocks", [], "lacks a part of its index"),
        ("terms", {}, "lacks a part of its index"), ("clips", None, "lacks a part of its index"),
    ],
)  # fmt: skip
def test_another_version_or_kind_is_told(written, key, value, told):
    rewritten(written, "index.json", lambda data: json.dumps(json.loads(data) | {key: value}).encode())
    with pytest.raises(InputError, match=told):
        Corpus.open(written)


def test_other_files_are_told(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        Corpus.open(tmp_path / "none.kbcorpus")
    with pytest.raises(InputError, match="cannot be read"):
        Corpus.open(tmp_path)
    np.savez(tmp_path / "poses.npz", poses=np.zeros(3))
    with pytest.raises(InputError, match="no whole corpus file"):
        Corpus.open(tmp_path / "poses.npz")


def test_nothing_is_written_of_bad_motion(tmp_path, people):
    path = tmp_path / "a.kbcorpus"
    good = segment_motion(people[2])
    holed = np.array(good.root_world)
    holed[3] = np.nan
    far = SegmentMotion(60.0, good.rot_world_from_segment, good.root_world + 2e5, good.shape)
    for motion, source, told in (
        (SegmentMotion(60.0, good.rot_world_from_segment, holed, good.shape), "one", "missing frames"),
        (far, "one", "100 km"), (good, "four", "terms of use of 'four'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=told), written_corpus(path, TERMS) as writer:
            writer.add(motion, source=source, group="a")
    with pytest.raises(InputError, match="no motion"), written_corpus(path, TERMS):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_trains_needs_no_readers():
    """On it there are torch, numpy, scipy and safetensors only: nothing else may be imported by these modules."""
    program = (
        "import sys, types; import kinebind\n"
        "training = types.ModuleType('kinebind.training'); training.__path__ = [kinebind.__path__[0] + '/training']\n"
        "sys.modules['kinebind.training'] = training\n"
        "import kinebind.training.corpus\n"
        "heavy = {'pyarrow', 'rich', 'typer', 'matplotlib', 'jinja2', 'vqf', 'torch', 'h5py'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
