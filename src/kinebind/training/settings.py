"""What a recipe says besides contract and model: how to train, and on which part of which data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from kinebind.errors import InputError
from kinebind.nn.contract import settings_from

T = TypeVar("T")
PRECISIONS = ("fp32", "bf16", "fp16")
SAMPLES = ("window", "limb")
SPLITS = ("train", "val", "test")
REST = "rest"
"""In a split: every group that no other split names."""
ALL = "all"
"""As the only class: every label that the data have, in their order."""


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained, always by Adam.

    batch_size: samples a step, over all processes. learning_rate, weight_decay: Adam's; the decay is its L2 term.
    patience_epochs: stop once validation R@1 has not risen by min_gain for so long. max_epochs: stop there at the
        latest; 0 sets no limit. seed: of weights, order and dropout.
    precision: "fp32", "bf16", or "fp16", which is trained with a gradient scaler.
    sample: "window", all parts of a window together; or "limb", one part a sample and all parts mixed in a batch,
        so that other parts of the same window are negatives too.
    starts_from: the recipe whose weights this one goes on from, or "".

    Raises InputError where a number is out of range.
    """

    batch_size: int = 1356
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    patience_epochs: int = 500
    min_gain: float = 1e-3
    max_epochs: int = 0
    seed: int = 1201
    precision: str = "bf16"
    sample: str = "window"
    starts_from: str = ""

    def __post_init__(self) -> None:
        _at_least("train", self, batch_size=2, patience_epochs=1, max_epochs=0, seed=0)
        _at_least("train", self, weight_decay=0.0, min_gain=0.0)
        for name, choices in (("precision", PRECISIONS), ("sample", SAMPLES)):
            if getattr(self, name) not in choices:
                raise InputError(
                    f"[train] {name} = '{getattr(self, name)}' is unknown.", f"Use one of: {', '.join(choices)}."
                )
        if not 0.0 < self.learning_rate < float("inf"):
            raise InputError(f"[train] learning_rate = {self.learning_rate} is not above zero.", "The paper's is 1e-4.")


@dataclass(frozen=True)
class DataConfig:
    """Which windows are learnt from, chosen by and tested on.

    reader: the data set's reader, as `kinebind data` calls it; "" where recordings are given by hand.
    draws: how often each file to train on is simulated, by readers that simulate (see `motion_takes`).
    stride_s: from a window's start to the next one's, seconds. random_phase: draw the first window's start anew in
        every epoch of training. drop_unlabelled: leave out windows most of which has no label.
    classes: the labels, in the order of their numbers; where empty, labels are not used; "all" alone stands for all
        that the data have.
    group: the key of a recording's `meta` by which it is split ("subject", "take").
    train, val, test: values of that key; "rest" alone stands for all that no other split names.

    Raises InputError where a group stands in two splits.
    """

    reader: str = ""
    draws: int = 1
    stride_s: float = 2.0
    random_phase: bool = False
    drop_unlabelled: bool = False
    classes: tuple[str, ...] = ()
    group: str = "subject"
    train: tuple[str, ...] = (REST,)
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _at_least("data", self, draws=1)
        for name in (*SPLITS, "classes"):
            values = getattr(self, name)
            twice = sorted({v for v in values if values.count(v) > 1})
            if twice:
                raise InputError(f"[data] {name} names '{twice[0]}' twice.", "Name it once.")
        if not 0.0 < self.stride_s < float("inf"):
            raise InputError(f"[data] stride_s = {self.stride_s} is not above zero.", "The paper's is 2.")
        owner: dict[str, str] = {}
        for name in SPLITS:
            for value in getattr(self, name):
                if value in owner:
                    raise InputError(
                        f"[data] puts {self.group} '{value}' in {owner[value]} and in {name}.",
                        "A group may stand in one split only, or the test knows its answers.",
                    )
                owner[value] = name
            if REST in getattr(self, name) and len(getattr(self, name)) > 1:
                raise InputError(f'[data] {name} has "{REST}" beside other names.', f'Write {name} = ["{REST}"] alone.')
        if ALL in self.classes and len(self.classes) > 1:
            raise InputError(f'[data] classes has "{ALL}" beside other names.', f'Write classes = ["{ALL}"] alone.')
        if self.drop_unlabelled and not self.classes:
            raise InputError("[data] drop_unlabelled contradicts an empty list of classes.", "Name the classes.")

    def names(self, present: Sequence[str]) -> tuple[str, ...]:
        """The classes, of data that have the labels `present`."""
        return tuple(present) if self.classes == (ALL,) else self.classes

    def split_of(self, value: str) -> str | None:
        """The split that a value of the group's key belongs to; None where no split wants it."""
        for name in SPLITS:
            if value in getattr(self, name):
                return name
        return next((name for name in SPLITS if REST in getattr(self, name)), None)


def table(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """A settings dataclass from a recipe's table; what is not given has its default.

    Raises InputError for keys that it does not have, for values of another type, and for what the class refuses.
    """
    defaults = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    try:
        return cast(T, settings_from(cls, typed(values, defaults, where), where))
    except InputError as error:
        raise error if error.what.startswith(f"[{where}]") else error.at(f"[{where}]") from error


def typed(values: Mapping[str, Any], defaults: Mapping[str, Any], where: str) -> dict[str, Any]:
    """TOML values as their defaults' types: whole numbers may stand for real ones, lists are tuples.

    Keys without a default are left as they are. Raises InputError for a value of another type.
    """
    ready = dict(values)
    for key, value in values.items():
        if key in defaults:
            ready[key] = _as(defaults[key], value)
            if ready[key] is None:
                raise InputError(f"[{where}] {key} = {value!r} is not {_kind(defaults[key])}.", "Correct the recipe.")
    return ready


def _as(default: Any, value: Any) -> Any:
    """`value` as the default's type; None where it is of another."""
    if isinstance(default, tuple):
        example = default[0] if default else ""
        each = [_as(example, v) for v in value] if isinstance(value, list | tuple) else [None]
        return None if any(v is None for v in each) else tuple(each)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    return value if type(value) is type(default) else None


def _kind(default: Any) -> str:
    if isinstance(default, tuple):
        return "a list, each " + _kind(default[0] if default else "")
    return {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}[type(default)]


def _at_least(where: str, config: Any, **lowest: float) -> None:
    for name, bound in lowest.items():
        value = getattr(config, name)
        if not bound <= value < float("inf"):
            raise InputError(f"[{where}] {name} = {value} is below {bound}.", f"Give at least {bound}.")
