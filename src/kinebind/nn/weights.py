"""Putting tensors into a model, and saying which of them do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from kinebind.errors import InputError
from kinebind.nn.model import Model

_SHOWN = 5  # differing tensors that an error lists


def fill(
    model: Model, tensors: Mapping[str, Tensor], source: str, their_name: Callable[[str], str] = lambda name: name
) -> None:
    """Put a state dict into a model.

    source: what errors call the state dict. their_name: what `tensors` calls the model's tensor of a name.
    Raises InputError that names the tensors that are missing, extra or of another shape.
    """
    wanted = {their_name(name): tensor for name, tensor in model.state_dict().items()}
    other_shape = [
        f"{name} {tuple(tensors[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    problems = [
        _listed("lacks", [name for name in wanted if name not in tensors]),
        _listed("has besides", [name for name in tensors if name not in wanted]),
        _listed("has in another shape", other_shape),
    ]
    if any(problems):
        raise InputError(
            f"{source} is of another architecture than the model: it {'; it '.join(p for p in problems if p)}.",
            "Use the recipe that it was trained with.",
        )
    model.load_state_dict({name: tensors[their_name(name)] for name in model.state_dict()})


def start_from(model: Model, source: Model) -> None:
    """Give `model` the weights of `source`, which may have fewer modules: the release's second stage from its first.

    Raises InputError where the contracts differ, or `source` has tensors that `model` lacks or has in other shapes.
    """
    if differences := model.contract.differences(source.contract):
        raise InputError(
            f"The model to start from has another contract: {'; '.join(differences)}.",
            "Start from one with the same contract.",
        )
    fill(model, {**model.state_dict(), **source.state_dict()}, "The model to start from")


def _listed(verb: str, names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{verb} {', '.join(names[:_SHOWN])}{more}" if names else ""
