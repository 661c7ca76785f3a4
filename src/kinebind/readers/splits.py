"""Who trains, who validates, who tests: splits by subject, each in one of them only."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from kinebind.errors import InputError

K = TypeVar("K", bound=Hashable)


def check_splits(splits: Mapping[str, Iterable[K]]) -> dict[str, tuple[K, ...]]:
    """The splits as tuples, split name to its subjects (or takes), in the order given.

    Raises InputError for a split without subjects and for a subject in two splits.

    >>> check_splits({"train": [1, 2], "test": [3]})
    {'train': (1, 2), 'test': (3,)}
    """
    out = {name: tuple(dict.fromkeys(subjects)) for name, subjects in splits.items()}
    home: dict[K, str] = {}
    for name, subjects in out.items():
        if not subjects:
            raise InputError(f"The split '{name}' is empty.", "Give it subjects, or leave it out.")
        for subject in subjects:
            if subject in home:
                raise InputError(
                    f"Subject {subject} is in two splits, '{home[subject]}' and '{name}'.",
                    "Leave it in one: a model must not be tested on whom it was trained on.",
                )
            home[subject] = name
    return out


def split_of(splits: Mapping[str, Iterable[K]], subject: K) -> str:
    """The name of the split that a subject is in; raises InputError where it is in none."""
    for name, subjects in splits.items():
        if subject in tuple(subjects):
            return name
    raise InputError(f"Subject {subject} is in no split.", f"The splits are: {', '.join(splits)}.")
