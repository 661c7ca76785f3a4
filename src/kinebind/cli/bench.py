"""`kinebind bench`: the benchmarks, and where their results go."""

from __future__ import annotations

import json as json_module
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.errors import InputError
from kinebind.output.folder import check_out

_NAMES = ("sync", "simulate")


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="sync or simulate.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The unpacked data sets; by default KINEBIND_DATA.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of results files.")] = Path("results"),
    final: Annotated[bool, typer.Option("--final", help="Open the test sets. Logged.")] = False,
    small: Annotated[bool, typer.Option("--small", help="A quick look on few clips (sync).")] = False,
    fit: Annotated[bool, typer.Option("--fit", help="First fit the confidence anew (sync).")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure how good and how fast Kinebind is, and write results/NAME.json."""
    if name not in _NAMES:
        raise InputError(f"There is no benchmark '{name}'.", f"Use one of: {', '.join(_NAMES)}.")
    for flag, given in (("--fit", fit), ("--small", small)):
        if given and name != "sync":
            raise InputError(f"{flag} means nothing for the benchmark {name}.", "Leave it out.")
    if small and final:
        raise InputError("--small has no use for the test sets.", "Leave out --final, or measure in full.")
    check_out(out)
    folder = _data_folder(data)
    # Here, because benchmarks load all of Kinebind, and no other command needs them.
    from kinebind.bench.results_file import log_final, shown, write_results

    screen = Screen(json=json, quiet=quiet)
    flags = [flag for flag, given in (("--fit", fit), ("--small", small), ("--final", final)) if given]
    command = " ".join(["kinebind bench", name, *flags])
    if final:
        log_final(command, out)
    with screen.logging():
        metrics = _run(name, folder, final=final, fit=fit, small=small)
    path = write_results(name, metrics, command=command, variant="small" if small else "full", folder=out)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in shown(metrics):
        table.add_row(*row)
    screen.show(table)
    screen.show(f"Written to {path}")
    written = json_module.loads(path.read_text(encoding="utf-8"))
    screen.answer({"format": "kinebind-bench-1", "out": str(path)} | written)
    return 0


def _run(name: str, data: Path, *, final: bool, fit: bool, small: bool) -> dict[str, float]:
    if name == "simulate":
        from kinebind.bench import simulate

        return simulate.run(data, final=final)
    from kinebind.bench import calibrate, sync

    if fit:
        calibrate.fit(data)
    return sync.run(data, final=final, small=small)


def _data_folder(given: Path | None) -> Path:
    """The folder of data sets; raises InputError where none is named or it does not exist."""
    named = given or os.environ.get("KINEBIND_DATA")
    if not named:
        raise InputError("Benchmarks need the data sets.", "Name their folder: --data DIR, or KINEBIND_DATA.")
    folder = Path(named)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name the folder of the unpacked data sets with --data.")
    return folder
