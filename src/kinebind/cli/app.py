"""The program `kinebind`: its commands, its errors and its exit codes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import kinebind
from kinebind.cli import INTERRUPTED, options
from kinebind.cli.align import align
from kinebind.cli.bench import bench
from kinebind.cli.calibrate import calibrate
from kinebind.cli.console import show_error
from kinebind.cli.convert import convert
from kinebind.cli.corpus import corpus
from kinebind.cli.data import data
from kinebind.cli.demo import demo
from kinebind.cli.embed import embed
from kinebind.cli.evaluate import evaluate
from kinebind.cli.export import export
from kinebind.cli.finetune import finetune
from kinebind.cli.inspect import inspect
from kinebind.cli.locate import locate
from kinebind.cli.pose import pose
from kinebind.cli.recognise import recognise
from kinebind.cli.search import search
from kinebind.cli.simulate import simulate
from kinebind.cli.sync import sync
from kinebind.cli.train import train
from kinebind.errors import InputError

app = typer.Typer(
    name="kinebind",
    help="Binds what body-worn IMUs feel to what a camera sees.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The base of usage errors; Typer does not export it, and has moved it between its versions.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]

BAD_INPUT = 2


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"kinebind {kinebind.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


_COMMANDS: dict[str, options.Command] = {
    "align": align, "pose": pose, "sync": sync, "locate": locate,
    "search": search, "simulate": simulate, "inspect": inspect, "convert": convert,
    "embed": embed, "recognise": recognise, "train": train, "test": evaluate, "export": export, "calibrate": calibrate,
    "demo": demo, "bench": bench,
}  # fmt: skip
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(data)
app.add_typer(corpus)
app.add_typer(finetune)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code: 0 done, 3 some clocks refused, 4 time was up, 2 bad input."""
    as_json = "--json" in arguments
    try:
        _no_empty_words(arguments)
        command = typer.main.get_command(app)
        code = command.main(args=list(arguments) or ["--help"], prog_name="kinebind", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except InputError as error:
        show_error(error.what, error.fix, as_json=as_json)
        return BAD_INPUT
    except _UsageError as error:
        place = " ".join(["kinebind", *(word for word in arguments[:1] if word in _COMMANDS)])
        what = error.format_message()  # type: ignore[attr-defined]
        show_error(what, f"See {place} --help.", as_json=as_json)
        return BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain when it flushes the closed pipe at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        show_error(f"{error.filename or 'The system'}: {error.strerror or error}.", "", as_json=as_json)
        return BAD_INPUT
    except MemoryError:
        show_error("There is not enough memory.", "Cut the files into shorter stretches.", as_json=as_json)
        return BAD_INPUT


def _no_empty_words(arguments: Sequence[str]) -> None:
    """Raises InputError for an empty word: as a path it would mean the current folder, which nobody asked for."""
    for before, word in zip(["kinebind", *arguments], arguments, strict=False):
        if not word or re.fullmatch(r"--[\w-]+=", word):
            raise InputError(
                f"An empty word stands behind '{word or before}'.",
                "Leave it out, or set the variable that was meant.",
            )
