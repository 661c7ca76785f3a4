"""`kinebind train`: a recipe becomes a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.errors import InputError
from kinebind.output.folder import check_out

if TYPE_CHECKING:
    from kinebind.training.recipe import Recipe
    from kinebind.training.store import WindowStore

TIME_UP = 4
UNIVERSAL = "universal"
_CHANGED = {"steps": int, "seed": int, "learning_rate": float, "body_seconds": float, "weight_decay": float}
"""What --set may change of the universal model's training, in its table train."""
WINDOWS = "windows"
"""Where in the folder of a training its windows lie, unless a store is named."""


def train(
    recipe: own.RecipeArgument,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data set, or a folder of .kinebind files.")] = (
        None
    ),
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Windows, from kinebind data build, in place of --data.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The training's folder, gone on with where it exists; runs/NAME.")
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A model (of universal: a state.pt) whose weights it starts from."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(metavar="N", help="Stop after so long; the same command goes on.")
    ] = None,
    set: own.Changes = None,
    corpus: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of universal: the motion, from kinebind corpus build.")
    ] = None,
    sentences: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of universal: what motion is called, embedded; made where it is missing."),
    ] = None,
    device: own.Device = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write curves to OUT/tensorboard.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Train a model by a recipe; what was stopped or killed goes on by itself.

    The recipe universal trains the universal model on sensors and videos drawn from a --corpus of motion.

    Exit code: 0 finished, 4 its time was up (give the same command again), 2 bad input.
    """
    screen = Screen(json=json and own.leads(), quiet=quiet or not own.leads())
    if recipe == UNIVERSAL:
        for flag, given in (("--data", data), ("--store", store), ("--tensorboard", tensorboard)):
            if given:
                raise InputError(f"{flag} means nothing for the recipe {UNIVERSAL}.", "Leave it out.")
        return _universal(
            corpus, out or Path("runs", UNIVERSAL), minutes, set or [], own.device_by(device), screen, sentences, init
        )
    for flag, path in (("--corpus", corpus), ("--sentences", sentences)):
        if path is not None:
            raise InputError(f"{flag} is for the recipe {UNIVERSAL}.", "Name --data or --store.")
    chosen = own.recipe_by(recipe, set)
    on = own.device_by(device)
    folder = out or Path("runs", chosen.name)
    check_out(folder)
    windows = _windows(chosen, data, store, folder, screen)
    # Here, because it takes longer than all that can be wrong above.
    from kinebind.training.loop import train as train_model
    from kinebind.training.windows import split_windows

    model = chosen.build()
    count = {name: len(split_windows(windows, chosen.contract, chosen.data, name)) for name in ("train", "val")}
    parameters = sum(p.numel() for p in model.parameters())
    facts = (
        f"{chosen.name}: {parameters:,} parameters, {count['train']} windows to train on, {count['val']} to choose by"
    )
    screen.say(f"{facts}, on {on}.")
    with screen.logging():
        outcome = train_model(
            chosen, model, windows, folder, device=on, init=init, max_minutes=minutes, progress=not screen.quiet,
            tensorboard=tensorboard,
        )  # fmt: skip
    if own.leads():
        state = "finished" if outcome.finished else "its time was up; the same command goes on"
        screen.show(f"{outcome.epochs} epochs: {state}.")
        if outcome.best_epoch >= 0:
            screen.show(f"Best validation R@1 {outcome.best_r1:.3f}, in epoch {outcome.best_epoch}: {outcome.best}")
        screen.note(
            f"{outcome.windows_per_s:.0f} windows/s; {100 * outcome.data_wait_share:.1f} % of the time for data."
        )
        screen.answer({
            "format": "kinebind-train-1", "recipe": chosen.name, "finished": outcome.finished, "device": on,
            "epochs": outcome.epochs, "best_r1": outcome.best_r1 if outcome.best_epoch >= 0 else None,
            "best_epoch": outcome.best_epoch if outcome.best_epoch >= 0 else None, "best": str(outcome.best),
            "parameters": parameters, "windows": count, "windows_per_s": outcome.windows_per_s,
            "data_wait_share": outcome.data_wait_share, "history": outcome.history,
        })  # fmt: skip
    return 0 if outcome.finished else TIME_UP


def _universal(
    corpus: Path | None,
    folder: Path,
    minutes: float | None,
    changes: Sequence[str],
    device: str,
    screen: Screen,
    sentences: Path | None,
    init: Path | None,
) -> int:
    """Train the universal model, and write it as universal.safetensors once it is finished."""
    if corpus is None:
        raise InputError("There is nothing to train on.", "Name the motion with --corpus FILE (kinebind corpus build).")
    if minutes is not None and not minutes > 0:
        raise InputError(f"--minutes {minutes:g} is no time to do anything in.", "Give the minutes that it may take.")
    settings: dict[str, float] = {}
    for word in changes:
        name, _, value = word.removeprefix("train.").partition("=")
        try:
            settings[name] = _CHANGED[name](value)
        except (KeyError, ValueError) as error:
            known = ", ".join(f"train.{key}" for key in _CHANGED)
            raise InputError(f"--set has '{word}'.", f"Write KEY=NUMBER with a key of {known}.") from error
        if not settings[name] >= 0 or (name != "seed" and name != "weight_decay" and not settings[name] > 0):
            raise InputError(f"--set has '{word}'.", "Give a number above zero.")
    check_out(folder)
    # Here, because this imports torch.
    from kinebind.training.corpus import Corpus
    from kinebind.training.draw.moves import Library
    from kinebind.training.sentences import read_sentences, write_sentences
    from kinebind.training.ship import ship
    from kinebind.training.universal import Trainer, UniversalTraining

    config = UniversalTraining(**settings)  # type: ignore[arg-type]
    with screen.busy(f"Reading {corpus}"):
        opened = Corpus.open(corpus)
        library = Library.of(opened, config.source_weights, device)
    words = None
    if sentences is not None:
        if not sentences.exists():
            with screen.busy("Embedding what motion is called"):
                write_sentences(opened, sentences)
        words = read_sentences(sentences, opened)
    trainer = Trainer(config, folder, device, sentences=words, start=init)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    screen.say(f"universal: {parameters:,} parameters, step {trainer.step} of {config.steps}, on {device}.")
    with screen.logging():
        finished = trainer.train(library, minutes)
    model = ship(folder / "state.pt", folder / "universal.safetensors", corpus=corpus) if finished else None
    last = trainer.history[-1] if trainer.history else {}
    state = f"finished: {model}" if finished else "its time was up; the same command goes on"
    screen.show(f"Step {trainer.step} of {config.steps}, {trainer.seconds / 60.0:.1f} minutes: {state}.")
    screen.answer({
        "format": "kinebind-train-1", "recipe": UNIVERSAL, "finished": finished, "device": device,
        "steps": trainer.step, "pairs": trainer.pairs, "minutes": trainer.seconds / 60.0, "parameters": parameters,
        "best": str(model) if model else None, "last": last, "history": trainer.history,
    })  # fmt: skip
    return 0 if finished else TIME_UP


def _windows(recipe: Recipe, data: Path | None, store: Path | None, out: Path, screen: Screen) -> WindowStore:
    """The windows to train on: a store that is named, or the folder's own, which is made of the data once."""
    from kinebind.training.sources import store_for
    from kinebind.training.store import open_store

    if data is not None and store is not None:
        raise InputError("--data and --store say the same thing in two ways.", "Give the one or the other.")
    if store is not None:
        return open_store(store, recipe.contract)
    made = out / WINDOWS
    if (made / "index.json").exists():
        return open_store(made, recipe.contract)
    if data is None:
        raise InputError("There is nothing to train on.", "Name the data with --data DIR, or windows with --store DIR.")
    if not own.alone():
        raise InputError(
            "Several processes cannot make the windows together.", "Run kinebind data build first, then give --store."
        )
    with screen.busy(f"Cutting windows from {data}"), screen.logging():
        return store_for(recipe, data, made)
