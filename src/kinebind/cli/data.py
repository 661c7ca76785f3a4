"""`kinebind data`: whether a data set is whole, and its windows for training and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.output.folder import check_out
from kinebind.readers.datasets import DataCheck, check_data

INCOMPLETE = 3
_SHOWN = 5  # problems of one part that a person is shown; --json has them all

data = typer.Typer(name="data", help="Data sets: whether they are whole, and windows of them.")


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


@data.command()
def build(
    recipe: own.RecipeArgument,
    folder: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The data set, or a folder of .kinebind files.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the windows' arrays are written.")],
    *,
    set: own.Changes = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Processes that simulate, of motion capture.")] = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Cut a data set into windows for a recipe, for kinebind train and kinebind test (docs/training.md)."""
    screen = Screen(json=json, quiet=quiet)
    chosen = own.recipe_by(recipe, set)
    check_out(out)
    # Here, because this imports torch.
    from kinebind.training.settings import SPLITS
    from kinebind.training.sources import store_for
    from kinebind.training.windows import absent_groups, entries_by_split, windows_of

    with screen.busy(f"Reading {folder}"), screen.logging():
        store = store_for(chosen, folder, out, jobs=jobs)
    entries = entries_by_split(store, chosen.data)
    length_s = sum(entry.pose_count for entry in store.entries) / chosen.contract.pose_rate_hz
    splits = {
        name: {
            "takes": len(entries[name]), "windows": len(windows_of(store, chosen.contract, chosen.data, entries[name]))
        }
        for name in SPLITS
    }  # fmt: skip
    absent = absent_groups(store, chosen.data)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("split", "takes", "windows"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for name, count in splits.items():
        table.add_row(name, str(count["takes"]), str(count["windows"]))
    screen.show(table)
    screen.show(f"{len(store.entries)} takes, {length_s / 60:.1f} minutes, written to {out}.")
    if absent:
        screen.show(f"Not there, though the recipe names them: {chosen.data.group} {', '.join(absent)}.")
    screen.answer({
        "format": "kinebind-data-build-1", "out": str(out), "recipe": chosen.name, "takes": len(store.entries),
        "length_s": length_s, "splits": splits, "absent": absent, "labels": list(store.label_names),
    })  # fmt: skip
    return 0
