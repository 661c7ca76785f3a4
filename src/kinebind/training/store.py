"""The window store: all takes of a data set end to end, one memory-mapped .npy a stream, and an index.

    imu.npy (ΣTi, N, C) float32, missing is NaN · pose.npy (ΣTp, N, 6) float32, unseen frames drawn between seen ones
    seen.npy (ΣTp, N) bool · label.npy (ΣTp,) int32, −1 for none · index.json: contract, labels' names, the takes
    text.npy (L, P, E) float32, each label's phrases as an encoder of sentences embeds them, where one was given

Windows are places in these arrays, so overlapping ones cost no space. The index is written last and removed first: a
store without one was not finished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch

from kinebind.errors import InputError
from kinebind.nn.contract import POSE_CHANNELS, Contract
from kinebind.nn.model import fill_unseen
from kinebind.nn.sentences import SentenceEncoder
from kinebind.recording import Label, Recording
from kinebind.store import written_whole
from kinebind.tasks.recognise.prompts import TEMPLATES, prompts
from kinebind.training.phrases import phrases_of
from kinebind.training.takes import Float32, Take, take_from_recording

_VERSION = 1
_INDEX, _TEXT = "index.json", "text.npy"
_DTYPES: dict[str, Any] = {"imu": np.float32, "pose": np.float32, "seen": np.bool_, "label": np.int32}
NO_LABEL = -1


@dataclass(frozen=True)
class Entry:
    """Where a take lies in the store: first sample and number of samples of each stream."""

    name: str
    meta: dict[str, str]
    imu_start: int
    imu_count: int
    pose_start: int
    pose_count: int


@dataclass(frozen=True, eq=False)
class WindowStore:
    """An open store; its arrays are memory-mapped and read-only, see the module's text for their axes."""

    folder: Path
    contract: Contract
    entries: tuple[Entry, ...]
    label_names: tuple[str, ...]
    imu: Float32
    pose: Float32
    seen: npt.NDArray[np.bool_]
    label: npt.NDArray[np.int32]
    text: Float32 | None = None
    encoder: str | None = None

    @cached_property
    def missing_imu_before(self) -> npt.NDArray[np.int64]:
        """(ΣTi + 1, N): how many samples of each sensor are missing before each sample."""
        return _running_sum(np.isnan(self.imu).any(axis=2))

    @cached_property
    def seen_before(self) -> npt.NDArray[np.int64]:
        """(ΣTp + 1, N): in how many frames each part was seen before each frame."""
        return _running_sum(self.seen)

    @cached_property
    def labels_before(self) -> npt.NDArray[np.int64]:
        """(ΣTp + 1, K + 1): how many frames had each label, or in the last column none, before each frame."""
        return _running_sum(np.equal.outer(self.label, [*range(len(self.label_names)), NO_LABEL]))

    def check(self, contract: Contract) -> None:
        """Raises InputError where windows of this store are not what a contract asks for; lengths may differ."""
        same_lengths = dataclasses.replace(self.contract, window_s=contract.window_s, patch_s=contract.patch_s)
        differences = same_lengths.differences(contract)
        if differences:
            raise InputError(
                f"The windows in {self.folder} were made for another contract: {'; '.join(differences)}.",
                "Build them again with this recipe, or use the recipe that they were built with.",
            )


def store_from_recordings(
    recordings: Iterable[Recording | Take],
    contract: Contract,
    folder: str | Path,
    encoder: SentenceEncoder | None = None,
) -> WindowStore:
    """Write a store of recordings (see `take_from_recording`) or takes, and open it.

    They are taken one at a time, so a data set need not fit into memory. An older store in the folder is replaced.
    encoder: of the labels' sentences, for models that learn text.
    Raises InputError where a recording cannot be brought to the contract, none is given, the folder cannot be written,
    or a label says nothing in words.
    """
    target = Path(folder)
    names: list[str] = []
    entries: list[Entry] = []
    tails = {
        "imu": (len(contract.parts), len(contract.imu_channels)), "pose": (len(contract.parts), POSE_CHANNELS),
        "seen": (len(contract.parts),), "label": (),
    }  # fmt: skip
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / _INDEX).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write {target}: {error.strerror}.", "Choose another folder.") from error
    with contextlib.ExitStack() as stack:
        files = {
            name: stack.enter_context(_GrowingNpy.opened(target / f"{name}.npy", tail, _DTYPES[name]))
            for name, tail in tails.items()
        }
        for recording in recordings:
            take = recording if isinstance(recording, Take) else take_from_recording(recording, contract)
            take.check(contract)
            seen = np.isfinite(take.pose).all(axis=1)  # (N, Tp)
            filled = fill_unseen(torch.from_numpy(take.pose)[None], torch.from_numpy(seen)[None])[0].numpy()
            entries.append(
                Entry(
                    take.name, dict(take.meta),
                    files["imu"].count, take.imu.shape[2], files["pose"].count, take.pose.shape[2],
                )
            )  # fmt: skip
            files["imu"].append(take.imu.transpose(2, 0, 1))
            files["pose"].append(filled.transpose(2, 0, 1))
            files["seen"].append(seen.T)
            files["label"].append(_label_of_frames(take.labels, seen.shape[1], contract.pose_rate_hz, names))
        if not entries:
            raise InputError("There are no recordings to make windows of.", "Check the data's folder.")
    index = {
        "version": _VERSION, "contract": contract.to_dict(), "labels": names,
        "entries": [dataclasses.asdict(entry) for entry in entries],
        "encoder": None if encoder is None else encoder.name,
    }  # fmt: skip
    if encoder is not None:
        with written_whole(target / _TEXT) as part, part.open("wb") as file:
            np.save(file, _embedded(names, encoder), allow_pickle=False)
    with written_whole(target / _INDEX) as part:
        part.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
    return open_store(target)


def open_store(folder: str | Path, contract: Contract | None = None) -> WindowStore:
    """Open a store, of which nothing is read yet but the index; with a contract, check that it fits.

    Raises InputError where there is none, it was not finished, is damaged or of another version or contract.
    """
    source = Path(folder)
    again = "Build the windows again."
    try:
        index = json.loads((source / _INDEX).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{source} holds no finished windows (no {_INDEX}).", again) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{source / _INDEX} cannot be read: {error}.", again) from error
    if not isinstance(index, dict) or index.get("version") != _VERSION:
        raise InputError(f"{source / _INDEX} is not of version {_VERSION}.", again)
    arrays = {}
    for name, dtype in _DTYPES.items():
        try:
            arrays[name] = np.load(source / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{source / name}.npy cannot be read: {error}.", again) from error
        if arrays[name].dtype != dtype:
            raise InputError(f"{source / name}.npy holds {arrays[name].dtype}.", again)
    entries = tuple(Entry(**entry) for entry in index["entries"])
    counts = {"imu": sum(e.imu_count for e in entries), "pose": sum(e.pose_count for e in entries)}
    for name in _DTYPES:
        if arrays[name].shape[0] != counts["imu" if name == "imu" else "pose"]:
            raise InputError(f"{source / name}.npy has not the length that {_INDEX} says.", again)
    named = index.get("encoder")
    text = None
    if named is not None:
        try:
            text = np.load(source / _TEXT, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{source / _TEXT} cannot be read: {error}.", again) from error
        if text.ndim != 3 or text.dtype != np.float32 or len(text) != len(index["labels"]):
            raise InputError(f"{source / _TEXT} does not fit the labels that {_INDEX} says.", again)
    store = WindowStore(
        source, Contract.from_dict(index["contract"]), entries, tuple(index["labels"]), **arrays, text=text,
        encoder=named,
    )  # fmt: skip
    if contract is not None:
        store.check(contract)
    return store


class _GrowingNpy:
    """A .npy file whose first axis grows."""

    def __init__(self, file: IO[bytes], tail: tuple[int, ...], dtype: Any) -> None:
        self._file, self._tail, self._dtype, self.count = file, tail, np.dtype(dtype), 0
        self._header()

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path, tail: tuple[int, ...], dtype: Any) -> Any:
        """Written whole, or not at all."""
        with written_whole(path) as part, part.open("rb+") as file:
            growing = cls(file, tail, dtype)
            yield growing
            file.seek(0)
            growing._header()

    def append(self, rows: npt.NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self.count += rows.shape[0]

    def _header(self) -> None:
        # numpy leaves room in a header for the first axis to grow, so the final one is as long as the first.
        about = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.count, *self._tail)}
        np.lib.format.write_array_header_1_0(self._file, about)


def _embedded(names: Sequence[str], encoder: SentenceEncoder) -> Float32:
    """(L, P, E) the phrases of each label. Raises InputError for a label that says nothing in words."""
    phrases = [_phrases(name) for name in names]
    flat = encoder.encode([phrase for own in phrases for phrase in own])
    return flat.reshape(len(names), len(TEMPLATES), encoder.size)


def _phrases(label: str) -> list[str]:
    """As many as there are templates, of a label's own phrases in turn."""
    own = phrases_of(label)
    return [prompts(own[k % len(own)])[k] for k in range(len(TEMPLATES))]


def _label_of_frames(labels: tuple[Label, ...], frames: int, rate_hz: float, names: list[str]) -> npt.NDArray[np.int32]:
    """(frames,) number of each frame's label in `names`, which grows; where two overlap, the later one's."""
    number = np.full(frames, NO_LABEL, dtype=np.int32)
    time_s = np.arange(frames) / rate_hz
    for label in labels:
        if label.name not in names:
            names.append(label.name)
        number[(time_s >= label.start_s) & (time_s < label.end_s)] = names.index(label.name)
    return number


def _running_sum(flags: npt.NDArray[np.bool_] | np.bool_) -> npt.NDArray[np.int64]:
    sums = np.cumsum(flags, axis=0)
    return np.concatenate([np.zeros_like(sums[:1]), sums])
