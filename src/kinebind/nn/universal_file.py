"""The universal model's file: safetensors with its sizes, contract and origin inside, and a checksum over all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinebind.errors import InputError
from kinebind.nn.contract import settings_from
from kinebind.nn.sealed import is_sealed, read_sealed, save_sealed
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_contract import UniversalContract

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
        "config": model.settings(), "contract": (contract or UniversalContract()).to_dict(), "about": dict(about),
    }  # fmt: skip
    return save_sealed(path, _KEY, FORMAT_VERSION, head, model.state_dict())


def load_universal(path: str | Path) -> Universal:
    """The model of a file that `save_universal` wrote, in evaluation mode. Raises InputError as `read_universal`."""
    return read_universal(path).model


def read_universal(path: str | Path) -> UniversalFile:
    """All that a file of `save_universal` holds, the model in evaluation mode.

    Raises InputError where it is missing, damaged (its checksum is verified), of another kind or version, or wants
    channels that this Kinebind does not make.
    """
    found = read_sealed(path, _KEY, FORMAT_VERSION, "a universal model")
    head = found.head
    try:
        contract = contract_of(head["contract"], str(path))
        model = Universal(settings_from(UniversalConfig, head["config"], "config"))
        model.load_state_dict(found.tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{path} does not fit this Kinebind's model ({error}).", "Update Kinebind to read it."
        ) from error
    return UniversalFile(model.eval(), contract, head["about"], found.sha256)


def contract_of(values: Mapping[str, Any], source: str) -> UniversalContract:
    """A contract from a file; raises InputError, naming `source`, where this Kinebind makes other channels."""
    contract = UniversalContract.from_dict(values)
    if differences := contract.differences_from_this_build():
        raise InputError(f"{source} wants another input: {'; '.join(differences)}.", "Use the Kinebind that wrote it.")
    return contract


def is_universal_file(path: str | Path) -> bool:
    """Whether a file calls itself a universal model; looks at its header alone."""
    return is_sealed(path, _KEY)
