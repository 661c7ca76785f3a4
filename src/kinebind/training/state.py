"""The state of a training: all that is needed to go on as if nothing had happened.

One safetensors file: weights, Adam's moments and the random states as tensors, the rest as JSON. Nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinebind.errors import InputError
from kinebind.store import written_whole
from kinebind.training.ranks import Ranks
from kinebind.training.step import Stepper

_VERSION = 1
_KEY = "kinebind-training"


@dataclass
class Progress:
    """How far a training has come.

    recipe: its text. samples: of an epoch of training and of validation, so that other data are noticed.
    epoch, batch: what comes next. sums: of the epoch's losses so far. best_r1, best_epoch: −1 before the first.
    history: per finished epoch its number, mean losses and validation R@1. steps, windows, train_s, waited_s: steps and
    windows trained on, and the seconds that took, of which those spent waiting for data.
    """

    recipe: str
    samples: tuple[int, int]
    epoch: int = 0
    batch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    best_r1: float = -1.0
    best_epoch: int = -1
    history: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    windows: int = 0
    train_s: float = 0.0
    waited_s: float = 0.0


def save_state(path: Path, progress: Progress, stepper: Stepper, ranks: Ranks) -> None:
    """Write the state, whole or not at all; every process must call it, the leading one writes.

    Raises InputError where the disk is full or the place cannot be written; an older file is then untouched.
    """
    tensors = {f"model/{name}": tensor for name, tensor in stepper.model.state_dict().items()}
    for i, moments in stepper.optimiser.state_dict()["state"].items():
        tensors |= {f"adam/{i}/{name}": tensor for name, tensor in moments.items()}
    for kind, own in _random_states(ranks.device).items():
        tensors |= {f"random/{kind}/{rank}": state for rank, state in enumerate(ranks.all_of(own))}
    if not ranks.leads:
        return
    head = {
        "version": _VERSION, "world": ranks.world, "device": ranks.device.type,
        "scaler": stepper.scaler.state_dict(), "progress": dataclasses.asdict(progress),
    }  # fmt: skip
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with written_whole(path) as part:
        try:
            save_file(plain, part, metadata={_KEY: json.dumps(head)})
        except SafetensorError as error:
            raise OSError(None, str(error)) from error


def load_state(path: Path, stepper: Stepper, ranks: Ranks) -> Progress:
    """Put a state that `save_state` wrote into a model, its optimiser and this process's random generators.

    Raises InputError where the file is damaged, of another model, or of another number or kind of devices.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            head = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{path} is not a whole state of a training ({error}).", "Remove it to start anew.") from error
    if not isinstance(head, dict) or head.get("version") != _VERSION:
        raise InputError(f"{path} is not a training's state of version {_VERSION}.", "Remove it to start anew.")
    if (head["world"], head["device"]) != (ranks.world, ranks.device.type):
        raise InputError(
            f"The training in {path.parent} ran in {head['world']} process(es) on {head['device']}, not "
            f"{ranks.world} on {ranks.device.type}.",
            "Go on as it began, or start a new one in another folder.",
        )
    weights = {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}
    own = stepper.model.state_dict()
    if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in own.items()}:
        raise InputError(f"The training in {path.parent} is of another model.", "Start a new one in another folder.")
    stepper.model.load_state_dict(weights)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam/"):
            _, i, key = name.split("/")
            moments.setdefault(int(i), {})[key] = tensor
    groups = stepper.optimiser.state_dict()["param_groups"]
    stepper.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    stepper.scaler.load_state_dict(head["scaler"])
    torch.set_rng_state(tensors[f"random/cpu/{ranks.rank}"])
    if ranks.device.type == "cuda":
        torch.cuda.set_rng_state(tensors[f"random/cuda/{ranks.rank}"], ranks.device)
    values: dict[str, Any] = head["progress"]
    return Progress(**{**values, "samples": tuple(values["samples"])})


def _random_states(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states
