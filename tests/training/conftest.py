"""Fixtures: a small data set on the disk, and a recipe for it."""

from __future__ import annotations

import made_up_windows
import pytest

from kinebind.training.recipe import recipe_from_text
from kinebind.training.store import store_from_recordings


@pytest.fixture(scope="session")
def recipe():
    return recipe_from_text(made_up_windows.RECIPE, "tiny")


@pytest.fixture(scope="session")
def store(recipe, tmp_path_factory):
    takes = [made_up_windows.take(subject, recipe.contract) for subject in "1234"]
    return store_from_recordings(takes, recipe.contract, tmp_path_factory.mktemp("windows"))
