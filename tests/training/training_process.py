"""A training in a process of its own, which tests kill or pair with another: arguments STORE OUT KEY=VALUE …

Each `train.max_epochs=N` trains up to there, so one call can have several parts.
"""

from __future__ import annotations

import json
import sys

import made_up_windows
import torch

from kinebind.training.loop import train
from kinebind.training.recipe import recipe_from_text
from kinebind.training.store import open_store


def main(store: str, out: str, *changes: str) -> None:
    torch.set_num_threads(1)
    recipe = recipe_from_text(made_up_windows.RECIPE, "tiny")
    for change in changes:
        key, value = change.split("=", 1)
        recipe = recipe.changed({key: json.loads(value)})
        if key == "train.max_epochs":
            train(recipe, recipe.build(), open_store(store), out, checkpoint_minutes=0.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
