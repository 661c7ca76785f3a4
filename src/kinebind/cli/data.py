"""`kinebind data`: data sets that were downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.readers.datasets import DataCheck, check_data

INCOMPLETE = 3
_SHOWN = 5  # problems of one part that a person is shown; --json has them all

data = typer.Typer(name="data", help="Data sets that were downloaded.")


@data.callback()
def _data() -> None:
    # With a callback, Typer keeps the one command a command of its own.
    pass


@data.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the data set was unpacked.")],
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell which data set a folder holds, and what of it is missing or wrong (docs/datasets.md).

    Exit code: 0 complete, 3 something is missing or wrong, 2 no data set is recognised.
    """
    screen = Screen(json=json, quiet=quiet)
    with screen.busy(f"Reading {folder}"):
        checks = check_data(folder)
    for found in checks:
        _show(found, screen)
    screen.answer({
        "format": "kinebind-data-check-1", "folder": str(folder), "complete": all(c.complete for c in checks),
        "datasets": [
            {
                "name": found.dataset, "complete": found.complete,
                "parts": [
                    {
                        "name": part.name, "found": part.found, "expected": part.expected, "complete": part.complete,
                        "problems": list(part.problems),
                    }
                    for part in found.parts
                ],
            }
            for found in checks
        ],
    })  # fmt: skip
    return 0 if all(found.complete for found in checks) else INCOMPLETE


def _show(found: DataCheck, screen: Screen) -> None:
    state = Text("complete", "green") if found.complete else Text("incomplete", "yellow")
    screen.show(Text.assemble((found.dataset, "bold"), ": ", state))
    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 2))
    table.add_column("part", no_wrap=True)
    table.add_column("found", justify="right")
    table.add_column("expected", justify="right")
    table.add_column("missing or wrong", overflow="fold")
    for part in found.parts:
        told = list(part.problems[:_SHOWN])
        if len(part.problems) > _SHOWN:
            told.append(f"… and {len(part.problems) - _SHOWN} more (--json lists them).")
        table.add_row(part.name, str(part.found), str(part.expected), "\n".join(told))
    screen.show(table)
