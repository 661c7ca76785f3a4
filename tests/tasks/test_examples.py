"""The worked examples in the docstrings of the tasks compute what they say."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

MODULES = (
    "retrieve.similarity", "retrieve.ranks", "retrieve.scores",
    "locate.choose", "locate.people", "locate.parts", "locate.evidence", "locate.assign", "search.lags",
    "recognise.scores", "recognise.classes", "recognise.neighbour", "recognise.probe",
    "sync.annotations", "sync.vote", "sync.timing", "sync.token_stream", "sync.token_correlation", "sync.tokens",
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    module = importlib.import_module(f"kinebind.tasks.{name}")
    found = doctest.testmod(module, extraglobs={"np": np})
    assert found.attempted > 0
    assert found.failed == 0
