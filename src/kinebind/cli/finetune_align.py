"""`kinebind finetune align`: the universal model tuned to one's own sensors, cameras and movements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import Job, gather
from kinebind.cli.job_files import jobs_of
from kinebind.cli.one_clock import clocks_of
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.output.folder import check_out

if TYPE_CHECKING:
    from kinebind.nn.chunked import Encoders
    from kinebind.training.align_tuning import Pair


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
    jobs = jobs_of(recordings)
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
        clocks, told = clocks_of(recording, job, model)
        notes += told
    return pairs_of(recording, clocks, number), notes
