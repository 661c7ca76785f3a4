"""The universal model's file: safetensors with its sizes, contract and origin inside, and a checksum over all of it."""

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
from kinebind.nn.contract import settings_from
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_contract import UniversalContract
from kinebind.store import written_whole

FORMAT_VERSION = 1
_KEY = "kinebind-universal"


@dataclass(frozen=True, eq=False)
class UniversalFile:
    """What such a file holds. about: where the weights come from, plain JSON values. sha256: of everything in it."""

    model: Universal
    contract: UniversalContract
    about: Mapping[str, Any]
    sha256: str


def save_universal(
    model: Universal, path: str | Path, about: Mapping[str, Any], contract: UniversalContract | None = None
) -> str:
    """Write a model as float32 with its contract, whole or not at all; returns the checksum.

    about: data, licence, commit and the like, plain JSON values. contract: by default what this Kinebind trains.
    Raises InputError where the place cannot be written, the disk is full, or `about` is not JSON; an older file is then
    untouched.
    """
    head = {
        "version": FORMAT_VERSION, "config": model.settings(),
        "contract": (contract or UniversalContract()).to_dict(), "about": dict(about),
    }  # fmt: skip
    try:
        head = json.loads(json.dumps(head, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"What is told about the model is not plain JSON ({error}).", "Use texts and numbers."
        ) from error
    tensors = {k: v.detach().to("cpu", torch.float32).contiguous() for k, v in model.state_dict().items()}
    sha256 = _checksum(head, tensors)
    with written_whole(path) as part:
        try:
            save_file(tensors, part, metadata={_KEY: json.dumps({"head": head, "sha256": sha256})})
        except SafetensorError as error:
            raise OSError(None, str(error)) from error
    return sha256


def load_universal(path: str | Path) -> Universal:
    """The model of a file that `save_universal` wrote, in evaluation mode. Raises InputError as `read_universal`."""
    return read_universal(path).model


def read_universal(path: str | Path) -> UniversalFile:
    """All that a file of `save_universal` holds, the model in evaluation mode.

    Raises InputError where it is missing, damaged (its checksum is verified), of another kind or version, or wants
    channels that this Kinebind does not make.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")
    again = "Copy it again, or install Kinebind again if it came with it."
    try:
        with safe_open(str(path), framework="pt") as file:
            found = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RecursionError, OSError) as error:
        raise InputError(f"{path} is damaged: it is no whole safetensors file ({error}).", again) from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is a safetensors file, but not a universal model.", "Read it with what wrote it.")
    head, sha256 = found.get("head"), found.get("sha256")
    if not isinstance(head, dict) or _checksum(head, tensors) != sha256:
        raise InputError(f"{path} is damaged: its checksum does not fit what it holds.", again)
    if head.get("version") != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {head.get('version')}; this Kinebind reads {FORMAT_VERSION}.",
            "Update Kinebind to read it.",
        )
    try:
        contract = contract_of(head["contract"], str(path))
        model = Universal(settings_from(UniversalConfig, head["config"], "config"))
        model.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{path} does not fit this Kinebind's model ({error}).", "Update Kinebind to read it."
        ) from error
    return UniversalFile(model.eval(), contract, head["about"], sha256)


def contract_of(values: Mapping[str, Any], source: str) -> UniversalContract:
    """A contract from a file; raises InputError, naming `source`, where this Kinebind makes other channels."""
    contract = UniversalContract.from_dict(values)
    if differences := contract.differences_from_this_build():
        raise InputError(f"{source} wants another input: {'; '.join(differences)}.", "Use the Kinebind that wrote it.")
    return contract


def is_universal_file(path: str | Path) -> bool:
    """Whether a file calls itself a universal model; looks at its header alone."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return _KEY in (file.metadata() or {})
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
