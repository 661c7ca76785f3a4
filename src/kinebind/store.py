"""Kinebind's recording file: one safetensors file, written whole or not at all.

Arrays lie under `KIND/INDEX/FIELD` (`imus/0/acc_sensor`); everything else is JSON under the metadata key
`kinebind`. The format is described in docs/format.md. Nothing is pickled, so a foreign file cannot run code.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.motion import Motion, Skeleton
from kinebind.poses import Poses
from kinebind.recording import Label, Recording

FORMAT_VERSION = 1
SUFFIX = ".kinebind"
_KINDS: dict[str, type] = {"people": Poses, "imus": Imu, "motions": Motion}


@contextlib.contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it once the block ends well, and is removed otherwise.

    The bytes are on the disk before the name changes, so a crash leaves the old file or the new one, never half.
    Raises InputError where the folder cannot be written or the disk is full.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise InputError(f"Cannot write {target}: {error.strerror}.", "Choose another place.") from error
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(target)
    except OSError as error:
        raise InputError(
            f"Cannot write {target}: {error.strerror or error}.", "Free some space or choose another place."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _split(stream: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A stream's arrays and its other fields."""
    arrays: dict[str, np.ndarray] = {}
    plain: dict[str, Any] = {}
    for f in dataclasses.fields(stream):
        value = getattr(stream, f.name)
        if isinstance(value, np.ndarray):
            arrays[f.name] = np.ascontiguousarray(value)
        elif isinstance(value, Skeleton):
            arrays["skeleton_offsets_m"] = np.ascontiguousarray(value.offsets_m)
            plain["skeleton"] = {"joints": value.joints, "parents": value.parents, "ends_m": value.ends_m}
        elif value is not None:
            plain[f.name] = value
    return arrays, plain


def save(recording: Recording, path: str | Path) -> None:
    """Write a recording to a file (by custom `NAME.kinebind`), whole or not at all.

    Raises InputError where the place cannot be written; an older file is then untouched.
    """
    arrays: dict[str, np.ndarray] = {}
    head: dict[str, Any] = {
        "version": FORMAT_VERSION, "name": recording.name, "text": recording.text, "meta": recording.meta,
        "labels": [dataclasses.asdict(label) for label in recording.labels],
    }  # fmt: skip
    for kind in _KINDS:
        head[kind] = []
        for i, stream in enumerate(getattr(recording, kind)):
            own, plain = _split(stream)
            arrays |= {f"{kind}/{i}/{name}": value for name, value in own.items()}
            head[kind].append(plain)
    with written_whole(path) as part:
        try:
            save_file(arrays, part, metadata={"kinebind": json.dumps(head)})
        except SafetensorError as error:
            raise OSError(None, str(error)) from error


def is_recording_file(path: str | Path) -> bool:
    """Whether a file is a safetensors file that Kinebind wrote; looks at its header alone."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            return "kinebind" in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def load(path: str | Path) -> Recording:
    """Read a recording that `save` wrote.

    Raises InputError where the file is missing, damaged, of another kind or of a newer version.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            head = json.loads((file.metadata() or {}).get("kinebind", "null"))
            if not isinstance(head, dict):
                raise InputError(
                    f"{path} is a safetensors file, but not a Kinebind recording.", "Read it with what wrote it."
                )
            if head.get("version") != FORMAT_VERSION:
                raise InputError(
                    f"{path} has format version {head.get('version')}; this Kinebind reads {FORMAT_VERSION}.",
                    "Update Kinebind to read it.",
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error}.", "Check the path and its permissions.") from error
    except (SafetensorError, json.JSONDecodeError, RecursionError, TypeError) as error:
        raise InputError(f"{path} is not a whole Kinebind recording ({error}).", "Write it again.") from error
    try:
        return _build(head, arrays)
    except InputError as error:
        raise error.at(str(path)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} lacks a part of a recording ({error}).", "Write it again.") from error


def _build(head: dict[str, Any], arrays: dict[str, np.ndarray]) -> Recording:
    streams: dict[str, list[Any]] = {}
    for kind, cls in _KINDS.items():
        streams[kind] = []
        for i, plain in enumerate(head[kind]):
            prefix = f"{kind}/{i}/"
            own: dict[str, Any] = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            if cls is Motion:
                tree = plain.pop("skeleton")
                ends = {name: tuple(tip) for name, tip in tree["ends_m"].items()}
                own["skeleton"] = Skeleton(
                    tuple(tree["joints"]), tuple(tree["parents"]), own.pop("skeleton_offsets_m"), ends
                )
            if plain.get("image_size_px") is not None:
                plain["image_size_px"] = tuple(plain["image_size_px"])
            streams[kind].append(cls(**own, **plain))
    labels = tuple(Label(**label) for label in head["labels"])
    return Recording(
        people=tuple(streams["people"]), imus=tuple(streams["imus"]), motions=tuple(streams["motions"]),
        labels=labels, text=head["text"], name=head["name"], meta=head["meta"],
    )  # fmt: skip
