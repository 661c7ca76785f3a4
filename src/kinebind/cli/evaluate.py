"""`kinebind test`: a trained model at one of its jobs, one command for each row of the paper's tables."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.errors import InputError
from kinebind.output.folder import check_out, folder_written_whole

if TYPE_CHECKING:
    from kinebind.tasks.sync.annotations import Annotation
    from kinebind.training.jobs import JobResult, Subject

CLASSICAL = ("syncwise", "correlation")
"""What synchronises without a model; `kinebind.bench.classical` has them."""
JOBS = ("retrieval", "sync", "person", "parts", "har")
_ONLY = {
    "annotations": ("sync",), "clip": ("sync",), "draws": ("sync",), "method": ("sync",), "data": ("sync",),
    "head": ("har",),
    "drop": ("retrieval", "person", "parts", "har"),
}  # fmt: skip
"""Flags that mean something for some jobs only."""


def evaluate(
    job: Annotated[str, typer.Argument(metavar="JOB", help=f"{', '.join(JOBS)}.")],
    checkpoint: own.Checkpoint,
    store: own.Store,
    split: own.Split = "test",
    recipe: own.RecipeOption = None,
    set: own.Changes = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write JOB.json and pictures there.")] = None,
    drop: Annotated[
        str | None, typer.Option(metavar="N,...", help="Sensors that each window loses at random: 0,1,2,3.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The clips of sync; by default they are drawn.")
    ] = None,
    clip: Annotated[float | None, typer.Option(metavar="S", help="Seconds of a drawn clip (20).")] = None,
    draws: Annotated[int | None, typer.Option(metavar="N", min=1, help="Offsets for each drawn clip (3).")] = None,
    method: Annotated[str | None, typer.Option(metavar="NAME,...", help="Of sync: ours, vote, or both.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of sync by syncwise or correlation: the data set.")
    ] = None,
    head: Annotated[Path | None, typer.Option(metavar="FILE", help="Of har: a head from finetune har.")] = None,
    seed: own.Seed = 0,
    device: own.Device = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Test a trained model: retrieval, synchronisation, whose sensors, which part of the body, which activity."""
    if job not in JOBS:
        raise InputError(f"There is no job '{job}'.", f"Use one of: {', '.join(JOBS)}.")
    given = {
        "annotations": annotations, "clip": clip, "draws": draws, "method": method, "data": data, "head": head,
        "drop": drop,
    }  # fmt: skip
    for name, value in given.items():
        if value is not None and job not in _ONLY[name]:
            raise InputError(f"--{name} means nothing for the job {job}.", "Leave it out.")
    for name in ("clip", "draws"):
        if annotations is not None and given[name] is not None:
            raise InputError(f"--{name} and --annotations contradict each other: the file says it.", "Leave one out.")
    if clip is not None and not 0 < clip < math.inf:
        raise InputError(f"--clip is {clip:g}.", "Give seconds above zero.")
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    learnt_nothing = job == "sync" and str(checkpoint) in CLASSICAL
    if data is not None and not learnt_nothing:
        raise InputError("--data means nothing for a trained model.", "Leave it out; its windows are in --store.")
    with screen.busy(f"Testing {checkpoint}"), screen.logging():
        if learnt_nothing:
            name, result = _classical(str(checkpoint), recipe, set, store, split, given, seed)
        else:
            subject = own.subject_by(checkpoint, recipe, set, store, split, device)
            name, result = subject.recipe.name, _result(job, subject, given, seed, screen)
    _show(result, screen)
    about: dict[str, Any] = {
        "format": "kinebind-test-1", "job": job, "checkpoint": str(checkpoint), "recipe": name,
        "store": str(store), "split": split, "seed": seed, "metrics": result.metrics, "rows": result.rows,
    }  # fmt: skip
    files: list[str] = []
    if out is not None:
        with folder_written_whole(out) as part:
            files = [f"{job}.json", *result.draw(part, f"{name}: {job}")]
            text = json_module.dumps(_finite(about), indent=2, ensure_ascii=False)
            (part / files[0]).write_text(text + "\n", encoding="utf-8")
        screen.show(f"Written to {out}: {', '.join(files)}")
    screen.answer(_finite(about | {"files": files}))
    return 0


def _classical(
    method: str,
    recipe: str | None,
    changes: list[str] | None,
    store: Path,
    split: str,
    given: dict[str, Any],
    seed: int,
) -> tuple[str, JobResult]:
    """The recipe's name, and what a method without a model finds in the data set's recordings."""
    if recipe is None or given["data"] is None:
        raise InputError(
            f"{method} looks at a data set's recordings themselves.", "Name them with --data DIR and --recipe NAME."
        )
    if given["method"] is not None:
        raise InputError(f"--method means nothing for {method}, which is one itself.", "Leave it out.")
    # Here, because benchmarks load all of Kinebind.
    from kinebind.bench.classical import synchronise
    from kinebind.training.store import open_store

    chosen = own.recipe_by(recipe, changes)
    clips = _clips(given)
    return chosen.name, synchronise(method, chosen, open_store(store), given["data"], split, *clips, seed)


def _clips(given: dict[str, Any]) -> tuple[Sequence[Annotation] | None, float, int]:
    """The clips of a file, else None with the length of those to draw and how often to draw each."""
    from kinebind.tasks.sync.annotations import CLIP_S, read_annotations
    from kinebind.training.jobs.synchronise import DRAWS

    return (
        None if given["annotations"] is None else read_annotations(given["annotations"]),
        CLIP_S if given["clip"] is None else given["clip"],
        DRAWS if given["draws"] is None else given["draws"],
    )


def _result(job: str, subject: Subject, given: dict[str, Any], seed: int, screen: Screen) -> JobResult:
    from kinebind.training import jobs

    dropped = _counts(given["drop"])
    if job == "sync":
        annotations, clip_s, draws = _clips(given)
        methods = jobs.METHODS if given["method"] is None else tuple(given["method"].split(","))
        return jobs.synchronise(subject, annotations, methods, clip_s, draws, seed, screen.say)
    if job == "har":
        from kinebind.training.finetune import load_head

        known = None if given["head"] is None else load_head(given["head"])
        return jobs.recognise(subject, dropped, known, seed)
    run = {"retrieval": jobs.retrieve, "person": jobs.find_people, "parts": jobs.find_parts}[job]
    return run(subject, dropped, seed)


def _counts(words: str | None) -> tuple[int, ...]:
    """The numbers of sensors to drop, in rising order."""
    try:
        return tuple(sorted({int(word) for word in words.split(",")})) if words is not None else (0,)
    except ValueError as error:
        raise InputError(f"--drop has '{words}'.", "Give numbers of sensors with commas between, as 0,1,2.") from error


def _show(result: JobResult, screen: Screen) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in result.rows[0]:
        table.add_column(name, justify="left" if isinstance(result.rows[0][name], str) else "right")
    for row in result.rows:
        table.add_row(*(_plain(value) for value in row.values()))
    screen.show(table)
    for text in result.notes:
        screen.note(text)


def _plain(value: str | float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _finite(value: Any) -> Any:
    """The same with null for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(own) for key, own in value.items()}
    if isinstance(value, list):
        return [_finite(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
