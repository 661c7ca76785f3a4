"""Imports go one way: types, readers, body, video, models, tasks, report, output, training, benchmarks, commands."""

from __future__ import annotations

import ast
from pathlib import Path

import kinebind

SOURCE = Path(kinebind.__file__).parent
LAYERS = ("", "readers", "body", "video", "nn", "tasks", "report", "output", "training", "bench", "cli")
"""From the bottom to the top; "" are the types, which lie in the package itself."""


def layer(module: str) -> int:
    """The layer of `kinebind.NAME...`; `kinebind` itself and its own modules are the lowest."""
    words = module.split(".")
    return LAYERS.index(words[1]) if len(words) > 1 and (SOURCE / words[1]).is_dir() else 0


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "kinebind"}


def test_every_folder_is_a_layer():
    assert {p.name for p in SOURCE.iterdir() if any(p.glob("*.py"))} <= set(LAYERS)


def test_no_module_imports_from_a_layer_above():
    upwards = []
    for path in sorted(SOURCE.rglob("*.py")):
        # The package gives `read`, `sync` and models when they are asked for, and as a program is the command line.
        if path in (SOURCE / "__init__.py", SOURCE / "__main__.py"):
            continue
        own = layer(".".join(("kinebind", *path.relative_to(SOURCE).with_suffix("").parts)))
        upwards += [f"{path.relative_to(SOURCE)}: {name}" for name in imported(path) if layer(name) > own]
    assert not upwards
