"""A corpus in use: clips of many sources, memory-mapped, from which windows, sensors and cameras are drawn.

`Corpus.open` unpacks a corpus file once into a folder of plain arrays; later openings, and other processes, map the
same memory and read what they touch. What a model trains on is then made on the fly, so that no window is stored twice
and no sensor or camera is fixed. Needs no more than numpy: a machine that trains has no readers.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinebind._cache import user_cache
from kinebind.body.segment_motion import BodyShape, SegmentMotion
from kinebind.body.segments import SEGMENTS
from kinebind.errors import InputError
from kinebind.training.corpus_file import Index, described, read_blocks, read_index
from kinebind.training.corpus_packing import ROOT_STEP_M

Int64 = npt.NDArray[np.int64]
_DIGITS = 12  # of the file's digest in the name of its unpacked arrays' folder


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips of motion over shared, read-only arrays. Clip c has the rows first[c] … first[c] + frames[c] − 1.

    rot (N, 13, 4) int16: rot_world_from_segment of `kinebind.body.segments.SEGMENTS`, scalar last, times 32767,
    with signs that do not jump inside a clip; divide and normalise. root (N, 3) float32: the middle of the hips,
    metres, z up. first, frames (C,) int64. rate_hz (C,) float64: frames per second. shape (C, K) float32: lengths in
    metres as in `SHAPE_NAMES`. names, labels, sources, groups: of each clip; a group is a person or a recording, and
    strangers are of different ones. terms: source to its terms of use.
    """

    rot: npt.NDArray[np.int16]
    root: npt.NDArray[np.float32]
    first: Int64
    frames: Int64
    rate_hz: npt.NDArray[np.float64]
    shape: npt.NDArray[np.float32]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    groups: tuple[str, ...]
    terms: Mapping[str, str]

    @classmethod
    def open(cls, path: str | Path, cache: str | Path | None = None) -> Corpus:
        """The corpus of a file. cache: folder for its unpacked arrays, about 120 bytes a frame.

        By default they lie beside the file, or where that cannot be written in ~/.cache/kinebind. They are written
        whole, and anew when the file is another one. Raises InputError where the file is missing, damaged, of another
        kind or version, and where the cache cannot be written.
        """
        index = read_index(path)
        folder = _unpacked_folder(Path(path), index, cache)
        arrays = _mapped(folder, int(index.frames.sum()))
        if arrays is None:
            raise InputError(f"{folder} has changed while it was opened.", "Remove that folder and open it again.")
        return cls(
            rot=arrays[0], root=arrays[1], first=np.cumsum(index.frames) - index.frames, frames=index.frames,
            rate_hz=index.rate_hz, shape=index.shape, names=index.names, labels=index.labels, sources=index.sources,
            groups=index.groups, terms=index.terms,
        )  # fmt: skip

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.names)

    @property
    def hours(self) -> float:
        """How long all clips are together."""
        return float((self.frames / self.rate_hz).sum() / 3600.0)

    def of_sources(self, names: str | Iterable[str]) -> Corpus:
        """The clips of some sources, over the same memory; raises InputError for a source that is not there."""
        wanted = (names,) if isinstance(names, str) else tuple(names)
        for name in wanted:
            if name not in self.terms:
                raise InputError(f"The corpus has no source '{name}'.", f"It has: {', '.join(self.terms)}.")
        return self.of_clips([source in wanted for source in self.sources])

    def of_clips(self, clips: npt.ArrayLike) -> Corpus:
        """Some clips, by their numbers or by a mask (C,), over the same memory."""
        chosen = np.asarray(clips)
        index = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)

        def of(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(values[k] for k in index)

        sources = of(self.sources)
        return dataclasses.replace(
            self, first=self.first[index], frames=self.frames[index], rate_hz=self.rate_hz[index],
            shape=self.shape[index], names=of(self.names), labels=of(self.labels), sources=sources,
            groups=of(self.groups), terms={name: text for name, text in self.terms.items() if name in sources},
        )  # fmt: skip

    def motion(self, clip: int) -> SegmentMotion:
        """One clip as a `SegmentMotion`."""
        rows = slice(int(self.first[clip]), int(self.first[clip] + self.frames[clip]))
        rot = self.rot[rows].astype(np.float64)
        rot /= np.linalg.norm(rot, axis=-1, keepdims=True)
        root = np.asarray(self.root[rows], dtype=np.float64)
        shape = BodyShape.from_array(self.shape[clip])
        return SegmentMotion(float(self.rate_hz[clip]), rot, root, shape, self.names[clip])

    def describe(self) -> dict[str, Any]:
        """Plain values, as `kinebind.training.corpus_file.described` says."""
        return described(self)


def _unpacked_folder(path: Path, index: Index, cache: str | Path | None) -> Path:
    """The folder of a file's unpacked arrays, which are written where they are not there yet."""
    name = f"{path.name}.{index.digest[:_DIGITS]}"
    places = [Path(cache)] if cache is not None else [path.parent, user_cache()]
    for place in places:
        if _mapped(place / name, int(index.frames.sum())) is not None:
            return place / name
    problem: OSError | None = None
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(dir=place, prefix=f".{name}.", suffix=".part"))
        except OSError as error:
            problem = error
            continue
        return _unpack(path, index, part, place / name)
    raise InputError(
        f"The arrays of {path} cannot be unpacked: {problem.strerror if problem else 'no place'}.",
        "Name a folder that can be written: cache=DIR.",
    )


def _unpack(path: Path, index: Index, part: Path, folder: Path) -> Path:
    count = int(index.frames.sum())
    try:
        rot = np.lib.format.open_memmap(part / "rot.npy", "w+", np.int16, (count, len(SEGMENTS), 4))
        root = np.lib.format.open_memmap(part / "root.npy", "w+", np.float32, (count, 3))
        at = 0
        for turned, moved in read_blocks(path, index):
            rot[at : at + len(turned)] = turned
            root[at : at + len(moved)] = ROOT_STEP_M * moved
            at += len(turned)
        rot.flush()
        root.flush()
        del rot, root
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)  # mkdtemp's are for the owner alone
        if _mapped(folder, count) is None:
            shutil.rmtree(folder, ignore_errors=True)
            part.rename(folder)
    except OSError as error:
        if _mapped(folder, count) is not None:
            return folder  # another process was first; its arrays are as good as these
        raise InputError(
            f"The arrays of {path} cannot be written to {folder.parent}: {error.strerror or error}.",
            "Free some space, or name another folder: cache=DIR.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _remove_older(folder)
    return folder


def _remove_older(folder: Path) -> None:
    """Remove arrays unpacked from earlier files of the same name; who has them open keeps them."""
    stem = folder.name[:-_DIGITS]
    for other in folder.parent.glob(f"{glob.escape(stem)}{'[0-9a-f]' * _DIGITS}"):
        if other != folder and (other / "rot.npy").is_file():
            shutil.rmtree(other, ignore_errors=True)


def _mapped(folder: Path, count: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]] | None:
    """The arrays of a folder, mapped; None where they are not there or not whole."""
    try:
        rot = np.load(folder / "rot.npy", mmap_mode="r", allow_pickle=False)
        root = np.load(folder / "root.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if rot.shape != (count, len(SEGMENTS), 4) or root.shape != (count, 3):
        return None
    return (rot, root) if (rot.dtype, root.dtype) == (np.int16, np.float32) else None
