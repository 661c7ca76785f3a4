"""`kinebind finetune`: trained models made to fit one's own recordings, or to tell activities apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kinebind.cli import model_options as own
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.finetune_align import align
from kinebind.cli.finetune_recognise import recognise
from kinebind.output.folder import check_out

finetune = typer.Typer(name="finetune", help="Make a trained model fit your own recordings or activities.")
finetune.command()(align)
finetune.command()(recognise)


@finetune.command()
def har(
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
    experts: Annotated[
        int, typer.Option(metavar="N", min=0, help="A head of so many experts with a gate; 0 is linear.")
    ] = 0,
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

    config = FineTuning(
        encoder_rate=rate, patience_epochs=patience, most_epochs=epochs, batch_size=batch, seed=seed, experts=experts
    )
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
