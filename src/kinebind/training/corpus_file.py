"""The corpus file: many motions as segments in one small file, written as they come and checked as they are read.

A `.kbcorpus` is a zip archive of

    block-00000.xz ...   the frames of some hundred clips
    index.json           written last: the version, each block's SHA-256, and for each clip its source, group, name,
                         label, rate, number of frames and lengths of the body

`kinebind.training.corpus_packing` says how frames are packed.

Needs no more than numpy: a machine that trains has no readers.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kinebind.body.segment_motion import SHAPE_NAMES, SegmentMotion
from kinebind.body.segments import SEGMENTS
from kinebind.errors import InputError
from kinebind.store import written_whole
from kinebind.training.corpus_packing import ROOT_STEP_M, ROT_SCALE, Int16, Int32, pack, rounded, unpack

SUFFIX = ".kbcorpus"
FORMAT = "kinebind-corpus"
VERSION = 1
_INDEX = "index.json"
_BLOCK_FRAMES = 40_000  # some MB before packing: enough for xz to learn from, and little to hold in memory
_AGAIN = "Build it again, or fetch it again."


@dataclass(frozen=True)
class Block:
    """One member of the file. frames: of each of its clips. sha256: of its packed bytes."""

    name: str
    frames: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, eq=False)
class Index:
    """What a corpus file says of its clips. digest: SHA-256 of the index, which has the blocks' in it.

    terms: source to its terms of use. Of each clip: source, group, name, label, rate_hz (C,), frames (C,) and
    shape (C, K), lengths in metres in the order of `SHAPE_NAMES`.
    """

    digest: str
    blocks: tuple[Block, ...]
    terms: Mapping[str, str]
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    rate_hz: npt.NDArray[np.float64]
    frames: npt.NDArray[np.int64]
    shape: npt.NDArray[np.float32]


class Clips(Protocol):
    """What is known of each of some clips; see `Index`."""

    @property
    def terms(self) -> Mapping[str, str]: ...
    @property
    def sources(self) -> tuple[str, ...]: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def rate_hz(self) -> npt.NDArray[np.float64]: ...
    @property
    def frames(self) -> npt.NDArray[np.int64]: ...


def described(clips: Clips) -> dict[str, Any]:
    """Plain values: clips, hours and frames, and of each source these with its groups, rates, labels and terms.

    Labels are with the hours of each, most first.
    """
    seconds = clips.frames / clips.rate_hz
    sources: dict[str, Any] = {}
    for name, terms in clips.terms.items():
        own = [k for k, source in enumerate(clips.sources) if source == name]
        labels: dict[str, float] = {}
        for k in own:
            labels[clips.labels[k]] = labels.get(clips.labels[k], 0.0) + float(seconds[k]) / 3600.0
        sources[name] = {
            "clips": len(own), "hours": float(seconds[own].sum()) / 3600.0, "frames": int(clips.frames[own].sum()),
            "groups": len({clips.groups[k] for k in own}),
            "rates_hz": sorted({round(float(clips.rate_hz[k]), 1) for k in own}),
            "labels": dict(sorted(labels.items(), key=lambda item: -item[1])), "terms": terms,
        }  # fmt: skip
    return {
        "clips": len(clips.sources), "hours": float(seconds.sum()) / 3600.0, "frames": int(clips.frames.sum()),
        "sources": sources,
    }  # fmt: skip


class CorpusWriter:
    """Takes motions one at a time; made by `written_corpus`. clips, seconds: what it has got so far."""

    def __init__(self, archive: zipfile.ZipFile, terms: Mapping[str, str]) -> None:
        self.clips, self.seconds = 0, 0.0
        self._archive, self._terms = archive, dict(terms)
        self._waiting: list[tuple[Int16, Int32]] = []
        self._blocks: list[dict[str, Any]] = []
        self._table: dict[str, list[Any]] = {
            name: [] for name in ("source", "group", "name", "label", "rate_hz", "frames", "shape")
        }

    def add(self, motion: SegmentMotion, *, source: str, group: str, label: str = "", name: str | None = None) -> None:
        """Append a clip. source: the data set; group: who or what moves, so that strangers can be told apart.

        label: what is done, in plain words. Raises InputError for a source whose terms of use were not given, where
        frames are missing or fewer than two, and for a root further than 100 km from the origin.
        """
        if source not in self._terms:
            raise InputError(f"The terms of use of '{source}' were not given.", "Give them to written_corpus.")
        rot, root = motion.rot_world_from_segment, motion.root_world
        if len(root) < 2 or not (np.isfinite(rot).all() and np.isfinite(root).all()):
            raise InputError(f"'{motion.name}' has missing frames, or less than two.", "Cut it: whole_runs().")
        if np.abs(root).max() > 1e5:
            raise InputError(f"'{motion.name}' is further than 100 km from the origin.", "Check the unit of length.")
        self._waiting.append(rounded(rot, root))
        self._tell(
            source=source, group=group, name=motion.name if name is None else name, label=label,
            rate_hz=motion.rate_hz, frames=len(root), shape=motion.shape.as_array(),
        )  # fmt: skip
        if sum(len(rot) for rot, _ in self._waiting) >= _BLOCK_FRAMES:
            self._flush()

    def copy(self, path: str | Path, index: Index, wanted: npt.NDArray[np.bool_]) -> None:
        """Append clips of another corpus to the bit; wanted (C,): which. Blocks that are whole are not packed anew.

        Raises InputError where that file is damaged.
        """
        first = 0
        for block, packed in _checked_blocks(path, index):
            own = np.arange(first, first + len(block.frames))
            first += own.size
            if wanted[own].all():
                self._flush()
                self._write(packed, block.frames)
            elif wanted[own].any():
                ends = np.cumsum(block.frames)[:-1]
                rot, root = _frames_of(path, block, packed)
                pieces = list(zip(np.split(rot, ends), np.split(root, ends), strict=True))
                self._waiting += [pieces[k] for k in np.flatnonzero(wanted[own])]
            for c in own[wanted[own]]:
                self._tell(
                    source=index.sources[c], group=index.groups[c], name=index.names[c], label=index.labels[c],
                    rate_hz=float(index.rate_hz[c]), frames=int(index.frames[c]), shape=index.shape[c],
                )  # fmt: skip

    def _tell(self, *, rate_hz: float, frames: int, shape: npt.NDArray[Any], **about: str) -> None:
        """What the index says of one more clip."""
        lengths = [round(float(length), 5) for length in shape]
        for key, value in {**about, "rate_hz": rate_hz, "frames": frames, "shape": lengths}.items():
            self._table[key].append(value)
        self.clips += 1
        self.seconds += frames / rate_hz

    def _flush(self) -> None:
        if not self._waiting:
            return
        rots, roots = zip(*self._waiting, strict=True)
        self._write(pack(rots, roots), [len(rot) for rot in rots])
        self._waiting.clear()

    def _write(self, packed: bytes, frames: Sequence[int]) -> None:
        name = f"block-{len(self._blocks):05d}.xz"
        self._archive.writestr(zipfile.ZipInfo(name), packed)  # undated, so that the same clips are the same bytes
        digest = hashlib.sha256(packed).hexdigest()
        self._blocks.append({"name": name, "frames": list(frames), "sha256": digest})

    def finish(self) -> None:
        """Write what is left and the index; raises InputError where no clip was added."""
        if not self.clips:
            raise InputError("There is no motion to make a corpus of.", "Check the folders and what was skipped.")
        self._flush()
        index = {
            "format": FORMAT, "version": VERSION, "segments": SEGMENTS, "shape_names": SHAPE_NAMES,
            "rot_scale": ROT_SCALE, "root_step_m": ROOT_STEP_M,
            "terms": {name: self._terms[name] for name in dict.fromkeys(self._table["source"])},
            "blocks": self._blocks, "clips": self._table,
        }  # fmt: skip
        text = json.dumps(index, ensure_ascii=False)
        self._archive.writestr(zipfile.ZipInfo(_INDEX), text, compress_type=zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def written_corpus(path: str | Path, terms: Mapping[str, str]) -> Iterator[CorpusWriter]:
    """A writer of a corpus file, which is written whole or not at all.

    terms: each source's terms of use, for whoever publishes what was trained on it. Raises InputError where the place
    cannot be written, and where nothing was added.
    """
    with written_whole(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        writer = CorpusWriter(archive, terms)
        yield writer
        writer.finish()


def read_index(path: str | Path) -> Index:
    """What a corpus file says of itself; its frames are not read.

    Raises InputError where it is missing, damaged, of another kind, or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(_INDEX)
        head = json.loads(text)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, zlib.error, RecursionError) as error:
        raise InputError(f"{path} is no whole corpus file ({error}).", _AGAIN) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InputError(f"{path} is no corpus file.", "Name what `kinebind corpus build` wrote.")
    if head.get("version") != VERSION:
        raise InputError(
            f"{path} has version {head.get('version')}; this Kinebind reads {VERSION}.",
            "Update Kinebind, or build it again.",
        )
    try:
        return _index(head, hashlib.sha256(text).hexdigest())
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} lacks a part of its index ({error}).", _AGAIN) from error


def _index(head: dict[str, Any], digest: str) -> Index:
    for key, ours in (
        ("segments", list(SEGMENTS)), ("shape_names", list(SHAPE_NAMES)), ("rot_scale", ROT_SCALE),
        ("root_step_m", ROOT_STEP_M),
    ):  # fmt: skip
        if head[key] != ours:
            raise ValueError(f"{key} is {head[key]}")
    clips = head["clips"]
    blocks = tuple(Block(b["name"], tuple(b["frames"]), b["sha256"]) for b in head["blocks"])
    frames = np.array(clips["frames"], dtype=np.int64)
    lengths = {len(column) for column in clips.values()}
    if [n for b in blocks for n in b.frames] != frames.tolist() or len(lengths) != 1 or (frames < 2).any():
        raise ValueError("its counts of frames disagree")
    if not set(clips["source"]) <= set(head["terms"]):
        raise ValueError("a source without terms of use")
    return Index(
        digest, blocks, head["terms"], tuple(clips["source"]), tuple(clips["group"]), tuple(clips["name"]),
        tuple(clips["label"]), np.array(clips["rate_hz"], dtype=np.float64), frames,
        np.array(clips["shape"], dtype=np.float32).reshape(frames.size, len(SHAPE_NAMES)),
    )  # fmt: skip


def read_blocks(path: str | Path, index: Index) -> Iterator[tuple[Int16, Int32]]:
    """The frames block by block: rotations (B, 13, 4) times `ROT_SCALE`, roots (B, 3) in `ROOT_STEP_M`.

    Raises InputError where a block is not what the index says.
    """
    for block, packed in _checked_blocks(path, index):
        yield _frames_of(path, block, packed)


def _frames_of(path: str | Path, block: Block, packed: bytes) -> tuple[Int16, Int32]:
    """A block's rotations (B, 13, 4) and roots (B, 3)."""
    try:
        return unpack(packed, block.frames)
    except ValueError as error:
        raise InputError(f"{path} is damaged: {block.name} cannot be unpacked ({error}).", _AGAIN) from error


def check_blocks(path: str | Path, index: Index) -> None:
    """Raises InputError where a corpus file's frames are damaged; faster than reading them."""
    collections.deque(_checked_blocks(path, index), maxlen=0)


def _checked_blocks(path: str | Path, index: Index) -> Iterator[tuple[Block, bytes]]:
    """Each block's packed bytes, which are those that were written."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({error}).", _AGAIN) from error
    with archive:
        for block in index.blocks:
            try:
                packed = archive.read(block.name)
            except (OSError, zipfile.BadZipFile, KeyError, EOFError) as error:
                raise InputError(f"{path} is damaged ({error}).", _AGAIN) from error
            if hashlib.sha256(packed).hexdigest() != block.sha256:
                raise InputError(f"{path} is damaged: {block.name} has another checksum.", _AGAIN)
            yield block, packed
