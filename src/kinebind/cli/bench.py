"""`kinebind bench`: the benchmarks, and where their results go."""

from __future__ import annotations

import json as json_module
import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.bench_plans import PLANS, Asked
from kinebind.cli.console import Screen
from kinebind.errors import InputError
from kinebind.output.folder import check_out

_STUDIES = ("mobind", "zero-shot", "free-sources", "named-movements", "multi3net", "har")
"""Those that train, keep what they trained, and go on."""
_OF = {
    "--small": ("sync", *_STUDIES, "har-trust", "video", "video-memory"), "--fit": ("sync",), "--smoke": ("mobind",),
    "--minutes": _STUDIES, "--work": ("sync", *_STUDIES), "--device": ("mobind",), "--seeds": ("har",),
    "--final": ("sync", "simulate", "mobind", "zero-shot", "multi3net", "har"),
}  # fmt: skip
"""The benchmarks that an option is for."""
_WORK = Path(".kinebind-study")


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which one; docs/cli.md says what each measures.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The unpacked data sets; by default KINEBIND_DATA.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of results files.")] = Path("results"),
    final: Annotated[bool, typer.Option("--final", help="Open the test sets. Logged.")] = False,
    small: Annotated[
        bool,
        typer.Option("--small", help="A look at few clips or steps; of mobind, a study for two cores."),
    ] = False,
    fit: Annotated[bool, typer.Option("--fit", help="First fit the confidence anew (sync).")] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Everything once, on made-up people and as small as can be (mobind).")
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", help="Stop training after so long, to be gone on with."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where what is trained or done is kept; .kinebind-study."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where to train (mobind): cpu or cuda; cpu.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=5, help="Of so many seeds only, not of five (har).")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure how good and how fast Kinebind is, and write results/NAME.json."""
    if name not in PLANS:
        raise InputError(f"There is no benchmark '{name}'.", f"Use one of: {', '.join(PLANS)}.")
    given = {
        "--small": small, "--fit": fit, "--smoke": smoke, "--minutes": minutes is not None, "--work": work is not None,
        "--device": device is not None, "--final": final, "--seeds": seeds is not None,
    }  # fmt: skip
    for flag, names in _OF.items():
        if given[flag] and name not in names:
            raise InputError(f"{flag} means nothing for the benchmark {name}.", "Leave it out.")
    if final and (smoke or (small and name != "mobind")):
        raise InputError(
            f"{'--smoke' if smoke else '--small'} has no use for the test sets.",
            "Leave out --final, or measure in full.",
        )
    if smoke and small:
        raise InputError("--smoke is smaller than --small.", "Leave out one of them.")
    if minutes is not None and minutes <= 0:
        raise InputError(f"--minutes {minutes:g} is no time to do anything in.", "Give the minutes that it may take.")
    check_out(out)
    folder = Path() if smoke else _data_folder(data)
    # Here, because benchmarks load all of Kinebind, and no other command needs them.
    from kinebind.bench.results_file import log_final, shown, write_results

    screen = Screen(json=json, quiet=quiet)
    flags = [flag for flag, on in (("--fit", fit), ("--small", small), ("--smoke", smoke), ("--final", final)) if on]
    flags += [] if seeds is None else [f"--seeds {seeds}"]
    command = " ".join(["kinebind bench", name, *flags])
    size: Literal["smoke", "small", "full"] = "smoke" if smoke else "small" if small else "full"
    with screen.logging():
        plan = PLANS[name](Asked(folder, work or _WORK, size, final, fit, minutes, device, seeds, screen))
    opens = final and not plan.opened
    if opens and plan.opens_first:
        log_final(command, out)
    with screen.logging():
        left = plan.go_on()
    if left is not None:
        screen.show(f"{left.text}. The same command goes on.")
        screen.answer({"format": "kinebind-bench-1", "left": list(left.names)})
        return 0
    if opens and not plan.opens_first:
        log_final(command, out)
    with screen.logging():
        metrics = plan.measure()
    if smoke:  # which nobody takes for a result
        out = work or _WORK
    variant: Literal["small", "full"] = "full" if size == "full" else "small"
    path = write_results(
        name.replace("-", "_"), metrics, command=command, variant=variant, folder=out, apart=name != "mobind" or smoke
    )
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in shown(metrics):
        table.add_row(*row)
    screen.show(table)
    screen.show(f"Written to {path}")
    written = json_module.loads(path.read_text(encoding="utf-8"))
    screen.answer({"format": "kinebind-bench-1", "out": str(path)} | written)
    return 0


def _data_folder(given: Path | None) -> Path:
    """The folder of data sets; raises InputError where none is named or it does not exist."""
    named = given or os.environ.get("KINEBIND_DATA")
    if not named:
        raise InputError("Benchmarks need the data sets.", "Name their folder: --data DIR, or KINEBIND_DATA.")
    folder = Path(named)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name the folder of the unpacked data sets with --data.")
    return folder
