"""`kinebind finetune recognise`: a recogniser of one's own activities, from labelled recordings."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import Job, gather
from kinebind.cli.job_files import jobs_of
from kinebind.cli.one_clock import OneClock, on_one_clock
from kinebind.errors import InputError
from kinebind.output.folder import check_out
from kinebind.parts import parse_site
from kinebind.recording import Label

if TYPE_CHECKING:
    from kinebind.nn.universal import Universal
    from kinebind.tasks.recognise.stretches import Labelled, Stretch
    from kinebind.training.recognise_judged import Judged

_MOST_CLASSES = 200
_WINDOW_S = (2.0, 4.0)
"""Between these a window is chosen, where nobody says."""


def recognise(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDING...",
            help="Sensor files that hold labels, recording.toml with labels, or a table of recordings.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The recogniser to write, by custom NAME.safetensors.")],
    classes: Annotated[
        str | None, typer.Option(metavar="LABEL,...", help="The labels to tell apart; by default all that occur.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(metavar="NAME", help="What is not labelled is a class too, of this name.")
    ] = None,
    by_folder: Annotated[
        bool, typer.Option("--by-folder", help="What lies in one folder is one subject's; else each recording is.")
    ] = False,
    synced: Annotated[
        bool, typer.Option("--synced", help="Sensors run on the video's clock, or on one, already.")
    ] = False,
    limbs: Annotated[
        str | None, typer.Option(metavar="SITE,...", help="Limbs to look at in poses; by default wrists and shanks.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds looked at at once; by default twice what activities last, 2 to 4."),
    ] = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="Leave the universal model's encoders as they are.")] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The universal model to begin with; by default Kinebind's own.")
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Of training; each is 48 windows.")] = 300,
    seed: own.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tune the universal model to tell your own activities apart (docs/recognise.md).

    Tunes twice: once without a quarter of the subjects (of fewer than four: of each label's pieces), which judges and
    makes the probabilities right, and then with all, which is written, for kinebind recognise --model FILE.
    """
    screen = Screen(json=json, quiet=quiet)
    if out.is_dir():
        raise InputError(f"{out} is a folder.", "Name a file: --out NAME.safetensors.")
    check_out(out.parent)
    # Here, because this imports torch.
    from kinebind.nn.universal import Universal
    from kinebind.tasks.recognise.by_examples import USUAL_LIMBS, Looks, save_recogniser
    from kinebind.training.recognise_judged import tune_and_judge
    from kinebind.training.recognise_tuning import RecogniseTuning

    chosen = USUAL_LIMBS if limbs is None else tuple(parse_site(word.strip()) for word in limbs.split(","))
    if window is not None:
        Looks(window)  # before anything is read
    jobs = jobs_of([Path(word) for word in recordings])
    with screen.logging():
        binder = own.binder_by(model)
    if not isinstance(binder.model, Universal):
        raise InputError(f"{model} is ONNX, which cannot be tuned.", "Name a universal model's .safetensors file.")
    read = []
    for job in jobs:
        with screen.busy(f"Reading {job.name}"):
            read.append(_read(job, _folder(job) if by_folder else job.name, synced, rest, binder.model))
        for note in read[-1].streams.notes:
            screen.note(f"{job.name}: {note}")
    names = _names(read, classes, rest)
    stays_s = _stays_s(read)
    window_s = window or _window_s([stays_s[name] for name in names])
    looks = Looks(window_s, chosen if any(r.streams.views for r in read) else ())
    known = _pieces(read, names, window_s)
    config = RecogniseTuning(steps=steps, looks=looks, frozen=frozen, seed=seed)
    about = {
        "name": out.stem, "tuned_from": binder.about.get("name", "universal"), "licence": binder.licence,
        "recordings": len(read), "subjects": len({r.subject for r in read}), "pieces": len(known), "steps": steps,
    }  # fmt: skip
    with screen.busy(f"Tuning on {len(known)} pieces of {len(read)} recordings"), screen.logging():
        judged = tune_and_judge(binder.model, known, names, config, stays_s, about)
    save_recogniser(judged.found, out)
    _show(judged, names, screen)
    screen.show(f"Written to {out}: {len(names)} activities, windows of {window_s:g} s.")
    screen.note(f"Try: kinebind recognise FILE... --model {out} --out DIR")
    screen.answer({
        "format": "kinebind-finetune-recognise-1", "out": str(out), "labels": list(names),
        "accuracy": judged.scores.accuracy, "macro_f1": judged.scores.macro_f1,
        "by_subject": dict(judged.by_group), "confusion": judged.scores.confusion.tolist(),
        "f1": {n: None if np.isnan(v) else float(v) for n, v in zip(names, judged.scores.f1, strict=True)},
        "window_s": window_s, "temperature": judged.found.temperature, "notes": list(judged.notes),
        "licence": binder.licence, **{
            key: about[key] for key in ("recordings", "subjects", "pieces")
        },
    })  # fmt: skip
    return 0


@dataclass(frozen=True, eq=False)
class _Read:
    """A recording, all on one clock, with its labels, and whose it is."""

    name: str
    subject: str
    streams: OneClock
    labels: tuple[Label, ...]


def _folder(job: Job) -> str:
    return str((job.poses or job.sensors[0].path).parent)


def _read(job: Job, subject: str, synced: bool, rest: str | None, model: Universal) -> _Read:
    from kinebind.tasks.recognise.stretches import without_gaps

    recording = gather(job)
    if not recording.labels:
        raise InputError(f"{job.name} has no labels.", 'Name their file: labels = "FILE" in recording.toml or a table.')
    streams = on_one_clock(recording, job, synced=synced, model=model)
    start_s, end_s = _span(streams, job.name)
    labels = streams.labels
    if labels and not any(x.start_s < end_s and x.end_s > start_s for x in labels):
        low, high = min(x.start_s for x in labels), max(x.end_s for x in labels)
        fits_as_ms = low * 1e-3 < end_s and high * 1e-3 > start_s
        hint = "Give labels on the clock of the video, or of the sensor where there is no video; dates need their zone."
        raise InputError(
            f"{job.name}: its labels lie from {low:.2f} to {high:.2f} s, "
            f"its streams from {start_s:.2f} to {end_s:.2f} s.",
            "Taken for milliseconds they fit: call the columns start_ms and end_ms." if fits_as_ms else hint,
        )
    if rest:
        labels = tuple(without_gaps(labels, start_s, end_s, rest))
    return _Read(job.name, job.settings.subject or subject, streams, labels)


def _span(streams: OneClock, name: str) -> tuple[float, float]:
    times = [imu.time_s for imu in streams.imus] + [poses.time_s for poses in streams.views]
    if not times:
        raise InputError(f"{name} has no sensor whose clock is known, and no person.", "Leave it out, or use --synced.")
    return min(float(t[0]) for t in times), max(float(t[-1]) for t in times)


def _names(read: Sequence[_Read], classes: str | None, rest: str | None) -> tuple[str, ...]:
    """The classes: those that are named, or all that occur."""
    found = Counter(label.name for r in read for label in r.labels)
    if classes is None:
        if len(found) > _MOST_CLASSES:
            raise InputError(f"There are {len(found)} different labels.", "Choose some with --classes.")
        return tuple(sorted(found))
    names = tuple(dict.fromkeys(word.strip() for word in classes.split(",") if word.strip()))
    names += (rest,) if rest and rest not in names else ()
    for name in names:
        if name not in found:
            near = difflib.get_close_matches(name, found, n=3, cutoff=0.4)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Labels are: {', '.join(sorted(found))}."
            raise InputError(f"No recording has the label '{name}'.", hint)
    return names


def _stays_s(read: Sequence[_Read]) -> dict[str, float]:
    """How long labels of each name last on average, in all recordings."""
    from kinebind.tasks.recognise.stretches import usual_length_s

    found: dict[str, list[float]] = {}
    for r in read:
        for name, length_s in usual_length_s(r.labels).items():
            found.setdefault(name, []).append(length_s)
    return {name: float(np.mean(own)) for name, own in found.items()}


def _window_s(stays_s: Sequence[float]) -> float:
    """Twice what an activity usually lasts, in tenths of a second: as long as what lies around it tells something."""
    return round(float(np.clip(2.0 * np.median(stays_s), *_WINDOW_S)), 1)


def _pieces(read: Sequence[_Read], names: Sequence[str], window_s: float) -> list[Labelled]:
    from kinebind.tasks.recognise.stretches import labelled_pieces, stretch_of

    known: list[Labelled] = []
    for r in read:
        whole: Stretch = stretch_of(r.streams.imus, r.streams.views)
        known += labelled_pieces(whole, r.labels, names, r.subject, window_s)
    return known


def _show(judged: Judged, names: Sequence[str], screen: Screen) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("label", "pieces held out", "right", "F1", "taken for"):
        table.add_column(head, justify="left" if head in ("label", "taken for") else "right")
    for k, name in enumerate(names):
        row = judged.scores.confusion[k]
        if row.sum():
            wrong = np.argsort(-np.where(np.arange(len(names)) == k, -1, row))[0]
            taken = f"{names[wrong]} ({row[wrong]})" if row[wrong] and wrong != k else ""
            table.add_row(name, str(row.sum()), str(row[k]), f"{judged.scores.f1[k]:.2f}", taken)
    screen.show(table)
    spread = sorted(judged.by_group.values())
    who = f"; by subject {spread[0]:.3f} to {spread[-1]:.3f}" if len(spread) > 1 else ""
    screen.show(
        f"On what was held out: accuracy {judged.scores.accuracy:.3f}, macro F1 {judged.scores.macro_f1:.3f}{who}."
    )
    for note in judged.notes:
        screen.note(note)
