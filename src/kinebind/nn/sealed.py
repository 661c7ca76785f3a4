"""Safetensors files that say what they hold, in a head of plain JSON, and whether they are whole, by a checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinebind.errors import InputError
from kinebind.store import written_whole


@dataclass(frozen=True, eq=False)
class Sealed:
    """What such a file holds: its head, its tensors by name, and the checksum of both."""

    head: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    sha256: str


def save_sealed(
    path: str | Path, kind: str, version: int, head: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> str:
    """Write tensors, numbers as float32, and a head, whole or not at all; returns the checksum.

    Raises InputError where the place cannot be written, the disk is full, or the head is not JSON; an older file is
    then untouched.
    """
    try:
        own = json.loads(json.dumps({"version": version, **head}, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"What is told about the model is not plain JSON ({error}).", "Use texts and numbers."
        ) from error
    plain = {k: v.detach().to("cpu", torch.float32).contiguous() for k, v in tensors.items()}
    sha256 = _checksum(own, plain)
    with written_whole(path) as part:
        try:
            save_file(plain, part, metadata={kind: json.dumps({"head": own, "sha256": sha256})})
        except SafetensorError as error:
            raise OSError(None, str(error)) from error
    return sha256


def read_sealed(path: str | Path, kind: str, version: int, what: str) -> Sealed:
    """A file of `save_sealed`, its checksum verified; what: "a universal model", for the errors.

    Raises InputError where it is missing, damaged, of another kind or version.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")
    again = "Copy it again, or install Kinebind again if it came with it."
    try:
        with safe_open(str(path), framework="pt") as file:
            found = json.loads((file.metadata() or {}).get(kind, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} is damaged: it is no whole safetensors file ({error}).", again) from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is a safetensors file, but not {what}.", "Read it with what wrote it.")
    head, sha256 = found.get("head"), found.get("sha256")
    if not isinstance(head, dict) or _checksum(head, tensors) != sha256:
        raise InputError(f"{path} is damaged: its checksum does not fit what it holds.", again)
    if head.get("version") != version:
        raise InputError(
            f"{path} has format version {head.get('version')}; this Kinebind reads {version}.",
            "Update Kinebind to read it.",
        )
    return Sealed(head, tensors, sha256)


def is_sealed(path: str | Path, kind: str) -> bool:
    """Whether a file calls itself one of a kind; looks at its header alone."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return kind in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _checksum(head: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the head and of each tensor's name, type, shape and bytes, in the names' order."""
    sha = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()
