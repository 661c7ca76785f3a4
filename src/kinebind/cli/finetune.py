"""`kinebind finetune`: trained models made to fit one's own recordings, or to tell activities apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.hints import hint_of
from kinebind.cli.inputs import Job, gather
from kinebind.cli.job_files import is_table_of_recordings, job_named, read_jobs
from kinebind.cli.settings import Settings
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.output.folder import check_out
from kinebind.recording import Recording

if TYPE_CHECKING:
    from kinebind.nn.chunked import Encoders
    from kinebind.training.align_tuning import Pair

finetune = typer.Typer(name="finetune", help="Make a trained model fit your own recordings or activities.")


@finetune.command()
def align(
    recordings: Annotated[
        list[Path],
        typer.Argument(metavar="RECORDING...", help="recording.toml, .kinebind files, or a table of recordings."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model to write, by custom NAME.safetensors.")],
    synced: Annotated[
        bool, typer.Option("--synced", help="The sensors run on the video's clock already; else they are synchronised.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The universal model to begin with; by default Kinebind's own.")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Stop there at the latest.")] = 400,
    rate: Annotated[float, typer.Option(metavar="RATE", help="Learning rate.")] = 2e-4,
    seed: own.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tune the universal model to your own sensors, cameras and movements.

    Learns from sensors whose site is named, with the clocks that kinebind sync is sure of, and judges by a quarter of
    the recordings (of fewer than four: by the last quarter of each). The model that did best there is written; if none
    is better than the one it began with, nothing is.

    Exit code: 0 written, 3 nothing was better (no file), 2 bad input.
    """
    screen = Screen(json=json, quiet=quiet)
    if out.is_dir():
        raise InputError(f"{out} is a folder.", "Name a file: --out NAME.safetensors.")
    check_out(out.parent)
    if not rate > 0:
        raise InputError(f"--rate has {rate:g}.", "Give a learning rate above zero, as 2e-4.")
    jobs = _jobs(recordings)
    # Here, because this imports torch.
    from kinebind.nn.universal import Universal
    from kinebind.nn.universal_file import save_universal
    from kinebind.training.align_tuning import AlignTuning, tune_alignment

    with screen.logging():
        binder = own.binder_by(model)
    if not isinstance(binder.model, Universal):
        raise InputError(f"{model} is ONNX, which cannot be tuned.", "Name a universal model's .safetensors file.")
    pairs: list[Pair] = []
    for number, job in enumerate(jobs):
        with screen.busy(f"Reading {job.name}"):
            found, notes = _pairs(job, number, synced, binder.model)
        pairs += found
        for note in notes:
            screen.note(f"{job.name}: {note}")
    config = AlignTuning(steps=steps, learning_rate=rate, seed=seed)
    with screen.busy(f"Tuning on {len(pairs)} sensors of {len(jobs)} recordings"), screen.logging():
        tuned = tune_alignment(binder.model, pairs, config)
    better = tuned.step > 0
    if better:
        about = {**binder.about, "name": "universal, tuned", "tuned_from": binder.about.get("name", "universal")}
        about["tuning"] = {"recordings": len(jobs), "sensors": len(pairs), "steps": tuned.step}
        save_universal(tuned.model, out, about, binder.contract)
    for name, what in (("pair_r1", "pairs found"), ("lag_hit", "clocks found")):
        screen.show(f"{what} in what was held out: {100 * tuned.before[name]:.1f} % before, "
                    f"{100 * tuned.after[name]:.1f} % after")  # fmt: skip
    if better:
        screen.show(f"Written to {out}, of step {tuned.step}.")
        screen.note(f"Try: kinebind sync ... --model {out}")
    else:
        screen.show("Nothing was better than the model that it began with: no file was written.")
    screen.answer({
        "format": "kinebind-finetune-align-1", "out": str(out) if better else None, "step": tuned.step,
        "before": dict(tuned.before), "after": dict(tuned.after), "history": tuned.history,
        "recordings": len(jobs), "sensors": len(pairs), "licence": binder.licence,
    })  # fmt: skip
    return 0 if better else 3


def _jobs(paths: Sequence[Path]) -> list[Job]:
    """The recordings that files name; raises InputError for rows and files that cannot be understood."""
    jobs: list[Job] = []
    for path in paths:
        if is_table_of_recordings(path):
            for row in read_jobs(path):
                if row.job is None:
                    assert row.error is not None
                    raise row.error
                jobs.append(row.job)
        else:
            jobs.append(job_named([str(path)], Settings()))
    return jobs


def _pairs(job: Job, number: int, synced: bool, model: Encoders) -> tuple[list[Pair], list[str]]:
    """The sensors of a recording to learn from, and what was left out of it."""
    from kinebind.training.align_tuning import pairs_of

    recording = gather(job)
    if job.settings.person is not None:
        recording = recording.replace(people=(recording.person(job.settings.person),))
    notes = [f"sensor {imu.name} is left out: where it is worn is not said" for imu in recording.imus if not imu.site]
    recording = replace(recording, imus=tuple(imu for imu in recording.imus if imu.site))
    clocks = {clock: ClockMap(0.0) for clock in recording.clocks()}
    if not synced and recording.imus and recording.people:
        clocks, told = _synchronised(recording, job, model)
        notes += told
    return pairs_of(recording, clocks, number), notes


def _synchronised(recording: Recording, job: Job, model: Encoders) -> tuple[dict[str, ClockMap], list[str]]:
    """The clocks that the synchroniser is sure of, and those that it is not."""
    from kinebind.tasks.sync import sync

    hint, told = hint_of(job.settings, recording)
    shared = bool(job.settings.shared_clock)
    result = sync(recording, search_s=job.settings.search, hint=hint, shared_clock=shared, model=model)
    clocks = {}
    notes = list(told)
    for answer in result.answers:
        if answer.answered and answer.clock is not None and len(answer.pieces) == 1:
            clocks[answer.clock_id] = answer.clock
        else:
            notes.append(f"clock {answer.clock_id} is left out: it is not known for sure (kinebind sync says why)")
    if shared and "shared" in clocks:
        clocks = {clock: clocks["shared"] for clock in recording.clocks()}
    return clocks, notes


@finetune.command()
def recognise(
    checkpoint: own.Checkpoint,
    store: own.Store,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where model and head are written.")],
    recipe: own.RecipeOption = None,
    set: own.Changes = None,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Stop there at the latest.")] = 200,
    patience: Annotated[
        int, typer.Option(metavar="N", min=1, help="Stop once validation has not improved for so many epochs.")
    ] = 20,
    rate: Annotated[float, typer.Option(metavar="RATE", help="Learning rate of the encoder; the head's is 1e-3.")] = (
        1e-4
    ),
    batch: Annotated[int, typer.Option(metavar="N", help="Windows a step.")] = 64,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="By default the recipe's.")] = None,
    device: own.Device = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Fine-tune a trained IMU encoder to tell activities apart; test it with kinebind test har --head.

    Writes best.safetensors (the model) and head.safetensors (its head).
    """
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    subject = own.subject_by(checkpoint, recipe, set, store, "val", device)
    from kinebind.training.finetune import FineTuning, save_tuned
    from kinebind.training.finetune import finetune as tune

    config = FineTuning(encoder_rate=rate, patience_epochs=patience, most_epochs=epochs, batch_size=batch, seed=seed)
    with screen.busy("Fine-tuning"):
        tuned = tune(subject, config)
    model, head = save_tuned(tuned, out)
    screen.show(f"{len(tuned.history)} epochs. Best validation accuracy {tuned.best_accuracy:.3f}, in epoch "
                f"{tuned.best_epoch}: {model}, {head}")  # fmt: skip
    screen.note(f"Try: kinebind test har {model} --head {head} --store {store}")
    screen.answer({
        "format": "kinebind-finetune-1", "epochs": len(tuned.history), "best_epoch": tuned.best_epoch,
        "best_accuracy": tuned.best_accuracy, "model": str(model), "head": str(head), "history": tuned.history,
    })  # fmt: skip
    return 0
