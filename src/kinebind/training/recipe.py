"""Recipes: TOML files that say all of a training: contract, model, losses, optimisation and data.

A recipe's comment at the top promises its score, time, hardware and command. What a table does not say has the
default of the dataclass that it fills: [contract] `Contract`, [train] `TrainConfig`, [data] `DataConfig`; [model]
besides its `name` and [loss] the settings of that model.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from kinebind import _toml
from kinebind.errors import InputError
from kinebind.nn.build import MODELS, build
from kinebind.nn.contract import Contract
from kinebind.nn.model import Model
from kinebind.training.settings import DataConfig, TrainConfig, table, typed

_CHANGED = "# Changed from "
_TABLES = ("contract", "model", "loss", "train", "data")


@dataclass(frozen=True)
class Recipe:
    """A recipe, checked.

    name: what it is called. model_name: one of `kinebind.nn.build.MODELS`. model, loss: their tables, as far as
    they differ from the defaults. text: the file it came from, or its equivalent after `changed`.

    Raises InputError where its parts contradict one another or the model refuses them.
    """

    name: str
    contract: Contract
    model_name: str
    model: Mapping[str, Any]
    loss: Mapping[str, Any]
    train: TrainConfig
    data: DataConfig
    text: str = field(compare=False)

    def __post_init__(self) -> None:
        settings = self._settings()
        if self.train.sample == "limb":
            together = ("whole", "multi_positive", "masked_tokens")
            wrong = [name for name in together if settings["loss"].get(name)]
            if not settings["loss"].get("mix_parts") or wrong:
                raise InputError(
                    '[train] sample = "limb" contradicts [loss]'
                    + (f" {', '.join(wrong)}, which look at whole windows." if wrong else " without mix_parts."),
                    'Set mix_parts = true and these weights to 0, or sample = "window".',
                )

    def build(self) -> Model:
        """The model, freshly initialised from the recipe's seed; torch's global random state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.train.seed)
            model = build(self.model_name, self.contract, self.model, self.loss)
        model.recipe = self.text
        return model

    @property
    def sentence_size(self) -> int:
        """Numbers of a sentence's embedding that the model learns from; 0 for a model that learns no text."""
        return int(self._settings()["model"].get("text", 0))

    @property
    def sensor_sites(self) -> tuple[str, ...]:
        """The parts whose sensors the model looks at."""
        return tuple(self._settings()["model"].get("sensors", ())) or self.contract.parts

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """The recipe with some values changed, checked anew: `recipe.changed({"train.seed": 7, "loss.token": 0})`.

        Raises InputError for keys that are not TABLE.KEY, and as `recipe_from_text` does.
        """
        content = _toml.loads(self.text)
        for key, value in changes.items():
            where, dot, name = key.partition(".")
            if where == "name" and not dot:
                content["name"] = value
                continue
            if where not in _TABLES or not name:
                raise InputError(f"'{key}' is no key of a recipe.", f"Write TABLE.KEY; tables: {', '.join(_TABLES)}.")
            content.setdefault(where, {})[name] = value
        # What the recipe promised is no longer true, so of its comment only earlier changes are kept.
        said = "".join(line + "\n" for line in self.text.splitlines() if line.startswith(_CHANGED))
        said += "".join(f"{_CHANGED}{self.name}: {key} = {json.dumps(value)}\n" for key, value in changes.items())
        return recipe_from_text(f"{said}\n{_as_toml(content)}", self.name)

    def _settings(self) -> dict[str, dict[str, Any]]:
        """All settings of the model; on the meta device, so that checking a recipe costs no memory."""
        try:
            with torch.device("meta"):
                return build(self.model_name, self.contract, self.model, self.loss).settings()
        except InputError as error:
            raise error if error.what.startswith("[") else error.at("[model] and [loss]") from error


def recipe_names() -> list[str]:
    """The recipes that come with Kinebind."""
    return sorted(f.name.removesuffix(".toml") for f in _shipped().iterdir() if f.name.endswith(".toml"))


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by the name of one that comes with Kinebind, or by a file's path (ending in .toml).

    Raises InputError where there is none, or as `recipe_from_text` does.
    """
    path = Path(name)
    if path.suffix == ".toml":
        try:
            return recipe_from_text(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError as error:
            raise InputError(f"There is no file {path}.", "Check the path.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}.", "Check the file.") from error
    known = recipe_names()
    if str(name) not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        raise InputError(
            f"There is no recipe '{name}'.",
            (f"Did you mean {near[0]}? " if near else "") + f"There are: {', '.join(known)}; or give a .toml file.",
        )
    return recipe_from_text(_shipped().joinpath(f"{name}.toml").read_text(encoding="utf-8"), str(name))


def recipe_from_text(text: str, source: str = "recipe") -> Recipe:
    """A recipe from TOML; `source` names it in errors.

    Raises InputError for what is no TOML, unknown tables or keys, values of another type, and contradictions.
    """
    try:
        content = _toml.loads(text)
    except ValueError as error:
        raise InputError(
            f"{source} is not valid TOML: {error}.", "Texts stand in quotes, lists in brackets."
        ) from error
    try:
        return _recipe(content, text, Path(source).stem)
    except InputError as error:
        raise error.at(source) from error


def _recipe(content: Mapping[str, Any], text: str, name: str) -> Recipe:
    unknown = [key for key in content if key not in ("name", *_TABLES)]
    if unknown:
        raise InputError(f"Unknown: {', '.join(unknown)}.", f"A recipe has a name and the tables {', '.join(_TABLES)}.")
    tables: dict[str, dict[str, Any]] = {}
    for key in _TABLES:
        value = content.get(key, {})
        if not isinstance(value, dict):
            raise InputError(f"{key} is not a table.", f"Write [{key}] on a line of its own, its keys below.")
        tables[key] = dict(value)
    called = content.get("name", name)
    model_name = tables["model"].pop("name", "mobind")
    for value in (called, model_name):
        if not isinstance(value, str):
            raise InputError(f"The name {value!r} is not a text.", "Put it in quotes.")
    if model_name not in MODELS:
        raise InputError(f"[model] name = '{model_name}' is unknown.", f"Use one of: {', '.join(MODELS)}.")
    contract = table(Contract, tables["contract"], "contract")
    with torch.device("meta"):
        defaults = build(model_name, Contract()).settings()
    return Recipe(
        called, contract, model_name,
        typed(tables["model"], defaults["model"], "model"), typed(tables["loss"], defaults["loss"], "loss"),
        table(TrainConfig, tables["train"], "train"), table(DataConfig, tables["data"], "data"), text,
    )  # fmt: skip


def _shipped() -> Any:
    return files("kinebind").joinpath("recipes")


def _as_toml(content: Mapping[str, Any]) -> str:
    """TOML of texts, numbers, truth values and lists of these, in tables: all that a recipe has."""

    def lines(values: Mapping[str, Any]) -> list[str]:
        # JSON writes all of these as TOML does.
        return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]

    top = {key: value for key, value in content.items() if not isinstance(value, dict)}
    inner = [
        line for key, value in content.items() if isinstance(value, dict) for line in ("", f"[{key}]", *lines(value))
    ]
    return "\n".join([*lines(top), *inner]) + "\n"
