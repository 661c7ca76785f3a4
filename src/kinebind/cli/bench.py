"""`kinebind bench`: the benchmarks, and where their results go."""

from __future__ import annotations

import json as json_module
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.errors import InputError
from kinebind.output.folder import check_out

if TYPE_CHECKING:
    from kinebind.nn.model import Model
    from kinebind.nn.sentences import SentenceEncoder

_NAMES = ("sync", "simulate", "mobind", "zero-shot", "free-sources", "multi3net", "har")
_OF = {
    "--small": ("sync", "mobind", "zero-shot", "free-sources", "multi3net", "har"),
    "--fit": ("sync",), "--smoke": ("mobind",),
    "--minutes": ("mobind", "zero-shot", "free-sources", "multi3net", "har"),
    "--work": ("mobind", "zero-shot", "free-sources", "multi3net", "har"), "--device": ("mobind",),
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
        typer.Option(metavar="DIR", help="Where what is trained is kept; .kinebind-study."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where to train (mobind): cpu or cuda; cpu.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure how good and how fast Kinebind is, and write results/NAME.json."""
    if name not in _NAMES:
        raise InputError(f"There is no benchmark '{name}'.", f"Use one of: {', '.join(_NAMES)}.")
    given = {
        "--small": small, "--fit": fit, "--smoke": smoke, "--minutes": minutes is not None, "--work": work is not None,
        "--device": device is not None, "--final": final,
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
    folder = None if smoke else _data_folder(data)
    # Here, because benchmarks load all of Kinebind, and no other command needs them.
    from kinebind.bench.results_file import log_final, shown, write_results

    screen = Screen(json=json, quiet=quiet)
    flags = [flag for flag, on in (("--fit", fit), ("--small", small), ("--smoke", smoke), ("--final", final)) if on]
    command = " ".join(["kinebind bench", name, *flags])
    size: Literal["smoke", "small", "full"] = "smoke" if smoke else "small" if small else "full"
    if name == "mobind":
        from kinebind.bench import mobind_study

        study = mobind_study.study(size, folder, work or _WORK, final=final, device=device)
        opened = study.opened_test
    elif name == "har":
        from kinebind.bench import har

        har_folder = har.folder_of(work or _WORK, final=final, small=small)
        opened = har_folder.exists()
    else:
        opened = name == "multi3net"  # whose trainings look at none
    kept: Path | None = None
    rival: Model | None = None
    if name == "zero-shot" and not small:
        from kinebind.bench import zero_shot_mobind

        assert folder is not None
        with screen.logging():
            rival = zero_shot_mobind.rival(folder, work or _WORK, minutes)
        if rival is None:
            screen.show("MoBind's training is not finished. The same command goes on.")
            screen.answer({"format": "kinebind-bench-1", "left": ["mobind"]})
            return 0
        from kinebind.bench import zero_shot

        kept = zero_shot.folder_of(work or _WORK, final=final)
        opened = kept is not None and kept.exists()
    if final and not opened:
        log_final(command, out)
    with screen.logging():
        if name == "mobind":
            left = mobind_study.work(study, minutes)
            if left.tasks:
                screen.show(f"{left}. The same command goes on.")
                screen.answer({"format": "kinebind-bench-1", "left": list(left.tasks)})
                return 0
            metrics = mobind_study.figures(study)
            # Nobody takes a smoke test for a result.
            out = study.work if smoke else out
        elif name == "har":
            assert folder is not None
            encoder = _encoder(screen)  # before hours of training, as it may be missing
            waiting = har.work(folder, har_folder, final=final, small=small, minutes=minutes)
            if waiting:
                screen.show(f"{len(waiting)} trainings left. The same command goes on.")
                screen.answer({"format": "kinebind-bench-1", "left": waiting})
                return 0
            metrics = har.metrics(folder, har_folder, encoder, final=final, small=small)
        elif name in ("free-sources", "multi3net"):
            from kinebind.bench import free_sources, multi3net

            assert folder is not None
            own_folder = (work or _WORK) / name
            waiting = (free_sources if name == "free-sources" else multi3net).work(
                folder, own_folder, small=small, minutes=minutes
            )
            if waiting:
                screen.show(f"Not finished: {', '.join(waiting)}. The same command goes on.")
                screen.answer({"format": "kinebind-bench-1", "left": waiting})
                return 0
            if name == "free-sources":
                metrics = free_sources.metrics(folder, own_folder, small=small)
            else:
                if final:
                    log_final(command, out)
                metrics = multi3net.metrics(folder, own_folder, final=final, small=small)
        else:
            assert folder is not None
            metrics = _run(name, folder, rival, kept, final=final, fit=fit, small=small)
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


def _run(
    name: str, data: Path, rival: Model | None, kept: Path | None, *, final: bool, fit: bool, small: bool
) -> dict[str, float]:
    if name == "simulate":
        from kinebind.bench import simulate

        return simulate.run(data, final=final)
    if name == "zero-shot":
        from kinebind.bench import zero_shot

        return zero_shot.run(data, rival, final=final, small=small, folder=kept)
    from kinebind.bench import calibrate, sync

    if fit:
        calibrate.fit(data)
    return sync.run(data, final=final, small=small)


def _encoder(screen: Screen) -> SentenceEncoder | None:
    """The encoder of sentences, where the model has learnt words; raises InputError where it is not installed."""
    from kinebind.nn.sentences import sentence_encoder
    from kinebind.tasks.binder import shipped_once

    if not shipped_once().model.config.text:
        screen.say("The shipped weights have learnt no words: nothing is recognised by words.")
        return None
    return sentence_encoder()


def _data_folder(given: Path | None) -> Path:
    """The folder of data sets; raises InputError where none is named or it does not exist."""
    named = given or os.environ.get("KINEBIND_DATA")
    if not named:
        raise InputError("Benchmarks need the data sets.", "Name their folder: --data DIR, or KINEBIND_DATA.")
    folder = Path(named)
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Name the folder of the unpacked data sets with --data.")
    return folder
