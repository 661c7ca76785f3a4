"""Fixtures: where the real data sets lie; and how hypothesis draws its examples."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure, and what passed once passes again: a search for new examples is asked for by
# HYPOTHESIS_PROFILE=search.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def _one_thread():
    """Tests run side by side: torch, where a test's file imports it, keeps to one thread."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def real_data():
    """Function NAME -> folder of an unpacked data set; skips the test, saying why, where it is not at hand."""

    def folder(name: str) -> Path:
        root = os.environ.get("KINEBIND_DATA")
        if not root:
            pytest.skip("KINEBIND_DATA is not set: real data not at hand")
        path = Path(root) / name
        if not path.is_dir():
            pytest.skip(f"data set '{name}' is not unpacked in KINEBIND_DATA")
        return path

    return folder
