"""Folders of results: whether they can be written, and writing one whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kinebind.errors import InputError


def check_out(folder: Path | None) -> None:
    """Raises InputError where a folder cannot be made or written, before hours of work end there."""
    if folder is None:
        return
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, not a folder.", "Choose another place with --out.")
        there = next(f for f in (folder.absolute(), *folder.absolute().parents) if f.exists())
        if not there.is_dir():
            raise InputError(
                f"{there} is a file, so {folder} cannot be made in it.", "Choose another place with --out."
            )
        allowed = os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    except PermissionError:
        there, allowed = folder, False
    if not allowed:
        raise InputError(f"There is no permission to write in {there}.", "Choose another place with --out.")


@contextlib.contextmanager
def folder_written_whole(target: Path) -> Iterator[Path]:
    """An empty folder beside `target` whose files move there once the block ends well, and vanish otherwise.

    Files of the same names are replaced, all others are left alone.
    Raises InputError where the place cannot be written or the disk is full.
    """
    check_out(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"Cannot write {target}: {error.strerror}.", "Choose another place with --out.") from error
    try:
        yield part
        target.mkdir(exist_ok=True)
        for file in sorted(part.rglob("*")):
            place = target / file.relative_to(part)
            if file.is_dir():
                place.mkdir(exist_ok=True)
            else:
                file.replace(place)
    except OSError as error:
        raise InputError(
            f"Cannot write {target}: {error.strerror or error}.", "Free some space or choose another place with --out."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
