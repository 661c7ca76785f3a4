"""A model by its file, with the contract that its input must keep to."""

from __future__ import annotations

from pathlib import Path

from kinebind.errors import InputError
from kinebind.nn.checkpoint import load
from kinebind.nn.model import Model
from kinebind.training.recipe import Recipe, load_recipe, recipe_from_text


def load_model(path: str | Path, recipe: str | Path | Recipe | None = None) -> Model:
    """A model in evaluation mode: one of Kinebind's files, or a state dict (`.pt`) of MoBind's authors.

    recipe: the name of one that comes with Kinebind, a .toml file, or a `Recipe`. Our files carry theirs, and one that
    is given must agree with its contract; the authors' files do not say what their input was, so they need one.
    Raises InputError as `kinebind.nn.load` and `load_recipe` do.
    """
    own = load_recipe(recipe) if isinstance(recipe, str | Path) else recipe
    return load(path) if own is None else load(path, own.contract, own.text)


def recipe_of(model: Model, source: str | Path) -> Recipe:
    """The recipe that a model carries; `source` names its file in errors. Raises InputError where it has none."""
    if not model.recipe:
        raise InputError(f"{source} does not say by which recipe it was trained.", "Name it with --recipe.")
    return recipe_from_text(model.recipe, f"the recipe in {source}")
