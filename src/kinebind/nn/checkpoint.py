"""A model's file: safetensors with the contract, the settings and the recipe inside, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinebind.errors import InputError
from kinebind.nn.build import build
from kinebind.nn.contract import Contract
from kinebind.nn.model import Model
from kinebind.nn.release import load_release
from kinebind.nn.weights import fill
from kinebind.store import written_whole

FORMAT_VERSION = 1
_KEY = "kinebind-model"


def save(model: Model, path: str | Path, recipe: str = "") -> None:
    """Write a model with its contract, settings and the text of its recipe, whole or not at all.

    recipe: by default the one that the model carries. Raises InputError where the place cannot be written or the
    disk is full; an older file is then untouched.
    """
    head = {
        "version": FORMAT_VERSION, "name": model.name, "contract": model.contract.to_dict(),
        "settings": model.settings(), "recipe": recipe or model.recipe,
    }  # fmt: skip
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with written_whole(path) as part:
        try:
            save_file(tensors, part, metadata={_KEY: json.dumps(head)})
        except SafetensorError as error:
            raise OSError(None, str(error)) from error


def load(path: str | Path, contract: Contract | None = None, recipe: str = "") -> Model:
    """A model from a file that `save` wrote, or from a state dict (`.pt`) of MoBind's authors; in evaluation mode.

    contract: what the data are. Our files carry theirs, which must be the same; the authors' do not, so it must be
    given. recipe: the text of the recipe that an authors' file goes with; ours carry their own.
    Raises InputError where the file is missing, damaged, of another contract or architecture (naming the tensors
    that differ), or would run code when read.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")
    if not _is_ours(path):
        released = load_release(path, contract)
        released.recipe = recipe
        return released.eval()
    head, tensors = _read(path)
    try:
        own = Contract.from_dict(head["contract"])
        model = build(head["name"], own, head["settings"]["model"], head["settings"]["loss"])
        model.recipe = str(head["recipe"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} lacks a part of a model's description ({error}).", "Save the model again.") from error
    except InputError as error:
        raise error.at(str(path)) from error
    if contract is not None and (differences := own.differences(contract)):
        raise InputError(
            f"{path} was trained with another contract than asked for: {'; '.join(differences)}.",
            "Use the recipe that belongs to this file, or train one for these data.",
        )
    fill(model, tensors, str(path))
    return model.eval()


def _is_ours(path: str | Path) -> bool:
    """Whether a file calls itself safetensors, by its name or its first bytes; not whether it is whole."""
    with Path(path).open("rb") as file:
        start = file.read(9)
    return Path(path).suffix == ".safetensors" or (len(start) == 9 and start[8:] == b"{")


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            head = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError, RecursionError, OSError) as error:
        raise InputError(f"{path} is not a whole checkpoint ({error}).", "Copy or save it again.") from error
    if not isinstance(head, dict):
        raise InputError(f"{path} is a safetensors file, but not a Kinebind model.", "Read it with what wrote it.")
    if head.get("version") != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {head.get('version')}; this Kinebind reads {FORMAT_VERSION}.",
            "Update Kinebind to read it.",
        )
    return head, tensors
