"""`kinebind corpus`: motion capture and videos as one small file, and what such a file holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.corpus_add import add
from kinebind.errors import InputError
from kinebind.output.folder import check_out
from kinebind.readers.motion_captions import read_motion_captions, with_captions
from kinebind.readers.motion_sets import MOTION_SETS, MotionFile, motion_files

_SHOWN = 12  # labels of a source that a person is shown; --json has them all
_UNKNOWN_TERMS = "Not known to Kinebind: see where it came from."

corpus = typer.Typer(name="corpus", help="Motion as one small file that sensors and cameras are drawn from.")
corpus.command()(add)


@corpus.command()
def build(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The corpus to write, by custom NAME.kbcorpus.")],
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of unpacked sets, each in one of its own name.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=DIR]",
            help="A set to take, or any folder of motion under a name. By default all for training.",
        ),
    ] = None,
    captions: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="What is done when: HumanML3D's or KIT-ML's folder, a .json, or a table."),
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Processes that read.")] = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Write motion capture of any format as one corpus (docs/cli.md)."""
    screen = Screen(json=json, quiet=quiet)
    if out.is_dir():
        raise InputError(f"{out} is a folder.", "Name a file: --out NAME.kbcorpus.")
    check_out(out.parent)
    files: list[MotionFile] = []
    terms: dict[str, str] = {}
    for name, folder in _sources(data, source or []).items():
        files += motion_files(name, folder)
        known = MOTION_SETS.get(name)
        terms[name] = known.terms if known else _UNKNOWN_TERMS
        if known and known.use != "train":
            screen.say(f"{name} is there to {known.use}: train nothing on it.")
    if captions:
        files = _captioned(files, captions, screen)
    # Here, because this imports torch.
    from kinebind.training.corpus_build import SHORTEST_S, build_corpus

    out.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with screen.busy(f"Reading {len(files)} files"), screen.logging():
        built = build_corpus(files, out, terms, jobs=jobs)
    took_s = time.monotonic() - begun
    screen.show(
        f"{built.clips} clips, {built.hours:.2f} hours, of {built.files} files, in {took_s / 60:.1f} minutes; "
        f"{built.size_bytes / 1e6:.1f} MB written to {out}."
    )
    if built.too_short:
        screen.show(f"{built.too_short} files are shorter than {SHORTEST_S:g} s and were left out.")
    if built.skipped:
        screen.show(f"{len(built.skipped)} files could not be read and were skipped.")
    screen.answer({
        "format": "kinebind-corpus-build-1", "out": str(out), "files": built.files, "clips": built.clips,
        "hours": built.hours, "size_bytes": built.size_bytes, "too_short": built.too_short, "took_s": took_s,
        "sources": list(terms), "skipped": [{"file": str(path), "why": why} for path, why in built.skipped],
    })  # fmt: skip
    return 0


def _captioned(files: list[MotionFile], paths: list[Path], screen: Screen) -> list[MotionFile]:
    """The files with what captions say of them, which is told; raises InputError where they say nothing of any."""
    captions = [own for path in paths for own in read_motion_captions(path)]
    out, of_none = with_captions(files, captions)
    if of_none == len(captions):
        raise InputError(
            f"None of the {len(captions)} captions is about one of the {len(files)} files.",
            f"They are about motions such as {captions[0].file}, the files are called such as {files[0].name}."
            if captions and files
            else "Name captions that are about the files of --source.",
        )
    about = sum(bool(file.doings) for file in out)
    screen.say(
        f"{len(captions) - of_none} captions are about {about} of {len(out)} files, of which only that is taken. "
        f"{of_none} captions are about others."
    )
    return out


def _sources(data: Path | None, given: list[str]) -> dict[str, Path]:
    """Name to folder of each set that is wanted; raises InputError where one is not to be found."""
    out: dict[str, Path] = {}
    for word in given:
        name, equals, folder = word.partition("=")
        if not name or (equals and not folder):
            raise InputError(f"--source {word} has no {'folder' if name else 'name'}.", "Write NAME or NAME=DIR.")
        if name in out:
            raise InputError(f"The source '{name}' is given twice.", "Put its files under one folder.")
        if not equals and data is None:
            raise InputError(f"Where {name} lies was not told.", f"Name the folder of sets with --data, or {name}=DIR.")
        if not equals and name not in MOTION_SETS:
            raise InputError(
                f"There is no set called '{name}'.",
                f"Use one of {', '.join(MOTION_SETS)}, or name its folder: {name}=DIR.",
            )
        out[name] = Path(folder) if equals or data is None else data / name
    if given:
        return out
    if data is None:
        raise InputError("There is nothing to read.", "Name the folder of sets with --data, or --source NAME=DIR.")
    if not data.is_dir():
        raise InputError(f"There is no folder {data}.", "Name the folder of the unpacked data sets with --data.")
    wanted = [known.name for known in MOTION_SETS.values() if known.use == "train"]
    out = {name: data / name for name in wanted if (data / name).is_dir()}
    if not out:
        raise InputError(
            f"{data} has none of the sets for training: {', '.join(wanted)}.", "Name others with --source NAME=DIR."
        )
    return out


@corpus.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A corpus.")],
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell what a corpus holds, and on which terms; every byte of it is checked."""
    screen = Screen(json=json, quiet=quiet)
    # Here, because this imports torch.
    from kinebind.training.corpus_file import check_blocks, described, read_index

    with screen.busy(f"Reading {file}"):
        index = read_index(file)
        check_blocks(file, index)
    found, size_bytes = described(index), file.stat().st_size
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("source", "clips", "hours", "groups", "frames/s"):
        table.add_column(column, justify="left" if column == "source" else "right")
    for name, own in found["sources"].items():
        rates = [f"{rate:g}" for rate in own["rates_hz"]]
        table.add_row(
            name, str(own["clips"]), f"{own['hours']:.2f}", str(own["groups"]),
            rates[0] if len(rates) == 1 else f"{rates[0]}–{rates[-1]}",
        )  # fmt: skip
    screen.show(table)
    for name, own in found["sources"].items():
        screen.show(f"{name}: {_labels(own['labels'])}")
        screen.show(f"  {own['terms']}")
    screen.show(f"{found['clips']} clips, {found['hours']:.2f} hours, {size_bytes / 1e6:.1f} MB, undamaged.")
    screen.answer({
        "format": "kinebind-corpus-1", "file": str(file), "size_bytes": size_bytes, "sha256": index.digest, **found
    })  # fmt: skip
    return 0


def _labels(labels: dict[str, Any]) -> str:
    named = [label for label in labels if label]
    if not named:
        return "no labels."
    more = len(named) - _SHOWN
    return ", ".join(named[:_SHOWN]) + (f" … and {more} more labels (--json lists them)." if more > 0 else ".")
