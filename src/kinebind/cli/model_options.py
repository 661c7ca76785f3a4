"""What the commands that train and test models share: their flags, and what the words behind them mean.

Nothing here imports torch before a command needs it, so that the command line starts fast.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinebind import _toml
from kinebind.errors import InputError

if TYPE_CHECKING:
    from kinebind.nn import Model
    from kinebind.tasks.binder import Binder
    from kinebind.training.jobs import Subject
    from kinebind.training.recipe import Recipe

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="A name (docs/training.md), or a .toml file.")]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="RECIPE", help="What the model's file does not say itself.")
]
Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="best.safetensors, or the authors' .pt.")]
Store = Annotated[Path, typer.Option("--store", metavar="DIR", help="Windows, from kinebind data build.")]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: train.seed=7.")
]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="cpu or cuda; by default cuda where there is one.")
]
UniversalModel = Annotated[
    Path | None,
    typer.Option("--model", metavar="PATH", help="A universal model or a folder of kinebind export; else our own."),
]
Split = Annotated[str, typer.Option("--split", metavar="NAME", help="train, val or test.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of what is drawn at random.")]


def recipe_by(name: str | Path, changes: Sequence[str] | None) -> Recipe:
    """A recipe with its changes; raises InputError as `load_recipe` and `Recipe.changed`."""
    from kinebind.training.recipe import load_recipe

    return with_changes(load_recipe(name), changes)


def with_changes(recipe: Recipe, changes: Sequence[str] | None) -> Recipe:
    """A recipe changed by words KEY=VALUE, the value as in TOML; what is no TOML is a text."""
    given: dict[str, Any] = {}
    for word in changes or ():
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set has '{word}'.", "Write TABLE.KEY=VALUE, as train.seed=7.")
        try:
            given[key.strip()] = _toml.loads(f"value = {value}")["value"]
        except ValueError:
            given[key.strip()] = value
    return recipe.changed(given) if given else recipe


def device_by(name: str | None) -> str:
    """The device of a name; raises InputError where there is none such."""
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise InputError(f"--device has '{name}'.", "Use cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no GPU that torch can use.", "Leave out --device cuda, or install torch for it.")
    return name


def binder_by(path: Path | None) -> Binder:
    """The universal model of a file or a folder, by default the one that comes with Kinebind.

    Raises InputError where there is none such, or it is damaged.
    """
    from kinebind.tasks import binder

    if path is None:
        return binder.shipped()
    if path.is_dir():
        from kinebind.tasks.onnx_binder import load_onnx

        return load_onnx(path)
    return binder.from_file(path)


def leads() -> bool:
    """Whether this process speaks for all of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def alone() -> bool:
    """Whether torchrun has started no other process besides this one."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


def subject_by(
    checkpoint: Path, recipe: str | None, changes: Sequence[str] | None, store: Path, split: str, device: str | None
) -> Subject:
    """The model, the recipe (the model's own where none is named) and the windows that it is tested on."""
    from kinebind.training.jobs import Subject
    from kinebind.training.models import load_model, recipe_of
    from kinebind.training.store import open_store

    named = None if recipe is None else recipe_by(recipe, None)
    model: Model = load_model(checkpoint, named)
    own = with_changes(named or recipe_of(model, checkpoint), changes)
    return Subject(model, own, open_store(store), split, device_by(device))
