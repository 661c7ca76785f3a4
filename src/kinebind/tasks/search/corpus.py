"""A folder of recordings as tokens, kept beside them so that only what is new is embedded again.

`FOLDER/.kinebind-index` holds `index.json` and a safetensors file for each file of the corpus. An entry counts as long
as the file's size, time of change and way of reading are the same, and the index as long as the model is. Whatever is
damaged or stale is made anew. Tokens are kept as 16-bit floats, which moves scores by less than 0.001.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kinebind.errors import InputError
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.binder import Binder
from kinebind.tasks.search.stream import TokenStream

FOLDER = ".kinebind-index"
_INDEX = "index.json"
_FORMAT = "kinebind-index-1"

Reader = Callable[[Path], Recording | None]
"""Reads a file: None for one that is nothing to search, InputError for one that cannot be read."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """What a search looks through.

    streams: every sensor and every limb that is seen. files: how many hold any. embedded: how many of them were new or
    had changed. skipped: files that are nothing to search. notes: what could not be read, or not be kept.
    """

    streams: tuple[TokenStream, ...]
    files: int
    embedded: int
    skipped: int
    notes: tuple[str, ...] = ()


def index_corpus(
    folder: str | Path,
    binder: Binder,
    read: Reader,
    *,
    way: str = "",
    say: Callable[[str], None] | None = None,
) -> Corpus:
    """The tokens of all files below a folder: from its index where that still holds, else embedded and kept there.

    read: reads a file. way: how it reads, so that what was read in another way is not taken for the same. say: is told
    each file that is embedded. Hidden files and folders are left out. Where the folder cannot be written, nothing is
    kept, and the notes say so. Raises InputError where there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder.", "Name the folder of the recordings to search.")
    model = fingerprint(binder)
    before = _entries(root / FOLDER, model)
    after: dict[str, dict[str, Any]] = {}
    streams: list[TokenStream] = []
    notes: list[str] = []
    embedded = 0
    writable = True
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        state = {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns, "way": way}
        entry = before.get(name)
        if entry is not None and all(entry.get(key) == value for key, value in state.items()):
            own = _kept(root / FOLDER, name, entry, model)
            if own is not None:
                after[name] = entry
                streams += own
                notes += [entry["error"]] if entry.get("error") else []
                continue
        own, error = _embedded(path, name, binder, read, say)
        embedded += bool(own)
        after[name] = state | {"file": _file_of(name) if own else None, "error": error, "streams": _heads(own)}
        streams += own
        notes += [error] if error else []
        if own and writable:
            writable = _keep(root / FOLDER, after[name], own, model)
    if writable and after != before:
        writable = _write_index(root / FOLDER, model, after)
    if not writable:
        notes.append(f"The index cannot be kept in {root / FOLDER}: the next search embeds everything again.")
    files = sum(bool(entry["streams"]) for entry in after.values())
    skipped = sum(not entry["streams"] and not entry["error"] for entry in after.values())
    return Corpus(tuple(streams), files, embedded, skipped, tuple(notes))


def fingerprint(binder: Binder) -> str:
    """SHA-256 of a model's weights; of one that torch does not run, of what it says of itself."""
    sha = hashlib.sha256(json.dumps(binder.about, sort_keys=True, default=str).encode())
    if isinstance(binder.model, torch.nn.Module):
        for name, tensor in sorted(binder.model.state_dict().items()):
            sha.update(name.encode())
            sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file():
            yield path


def _embedded(
    path: Path, name: str, binder: Binder, read: Reader, say: Callable[[str], None] | None
) -> tuple[list[TokenStream], str | None]:
    """A file's streams, and what went wrong."""
    try:
        recording = read(path)
        if recording is None:
            return [], None
        if say is not None:
            say(name)
        own = [TokenStream.of(binder.embed_imu(imu), "imu", name) for imu in recording.imus]
        for person in recording.people:
            own += [TokenStream.of(binder.embed_pose(person, site), "pose", name) for site in binder.contract.sites]
    except InputError as error:
        return [], f"{name}: {error.what}"
    # As they are kept, so that a first and a second search score the same.
    return [_halved(s) for s in own if s.there.any()], None


def _halved(s: TokenStream) -> TokenStream:
    return TokenStream(s.file, s.kind, s.name, s.site, s.start_s, s.tokens.astype(np.float16), s.there)


# -- the index on disk -----------------------------------------------------------------------------------------


def _entries(folder: Path, model: str) -> dict[str, dict[str, Any]]:
    """The index's entries by file; none where there is no index of this model."""
    try:
        content = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        if content["format"] != _FORMAT or content["model"] != model:
            return {}
        return {str(name): dict(entry) for name, entry in content["entries"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _file_of(name: str) -> str:
    return f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.safetensors"


def _heads(streams: list[TokenStream]) -> list[dict[str, Any]]:
    return [{"kind": s.kind, "name": s.name, "site": s.site, "start_s": s.start_s} for s in streams]


def _kept(folder: Path, name: str, entry: dict[str, Any], model: str) -> list[TokenStream] | None:
    """A file's streams from the index; None where they are not all there."""
    if not entry.get("streams"):
        return []
    try:
        with safe_open(str(folder / _file_of(name)), framework="numpy") as file:
            if (file.metadata() or {}).get("state") != _state(entry, model):
                return None
            return [
                TokenStream(
                    name, head["kind"], head["name"], head["site"], float(head["start_s"]),
                    file.get_tensor(f"tokens/{k}"), file.get_tensor(f"there/{k}").astype(bool),
                )
                for k, head in enumerate(entry["streams"])
            ]  # fmt: skip
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def _state(entry: dict[str, Any], model: str) -> str:
    """What the tokens of an entry were made of, and by what: a run that broke off may have left others."""
    return json.dumps([model, entry["size"], entry["mtime_ns"], entry["way"]])


def _keep(folder: Path, entry: dict[str, Any], streams: list[TokenStream], model: str) -> bool:
    """Write a file's tokens; False where that is not possible."""
    arrays: dict[str, np.ndarray] = {}
    for k, s in enumerate(streams):
        arrays |= {f"tokens/{k}": np.ascontiguousarray(s.tokens), f"there/{k}": s.there.astype(np.uint8)}
    try:
        folder.mkdir(exist_ok=True)
        with written_whole(folder / entry["file"]) as part:
            save_file(arrays, part, metadata={"state": _state(entry, model)})
    except (InputError, OSError, SafetensorError):
        return False
    return True


def _write_index(folder: Path, model: str, entries: dict[str, dict[str, Any]]) -> bool:
    """Write the index, and remove the tokens of what is no longer there; False where it cannot be written."""
    try:
        folder.mkdir(exist_ok=True)
        with written_whole(folder / _INDEX) as part:
            content = {"format": _FORMAT, "model": model, "entries": entries}
            part.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
        current = {entry["file"] for entry in entries.values() if entry["file"]}
        for path in folder.glob("*.safetensors"):
            if path.name not in current:
                path.unlink(missing_ok=True)
    except (InputError, OSError):
        return False
    return True
