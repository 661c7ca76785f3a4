"""Folders of results: whether they can be written, and writing one whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from kinebind.errors import InputError

_ELSEWHERE = "Choose another place with --out."


def check_out(folder: Path | None) -> None:
    """Raises InputError where a folder cannot be made or written, before hours of work end there."""
    if folder is None:
        return
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, not a folder.", _ELSEWHERE)
        there = next(f for f in (folder.absolute(), *folder.absolute().parents) if f.exists())
        if not there.is_dir():
            raise InputError(f"{there} is a file, so {folder} cannot be made in it.", _ELSEWHERE)
        allowed = os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    except PermissionError:
        there, allowed = folder, False
    if not allowed:
        raise InputError(f"There is no permission to write in {there}.", _ELSEWHERE)


@contextlib.contextmanager
def folder_written_whole(target: Path, *, outdated: Iterable[str] = ()) -> Iterator[Path]:
    """An empty folder whose files move into `target` once the block ends well, and vanish otherwise.

    A new folder appears with all of its files at once. In one that exists, files of the same names are replaced,
    those called as in `outdated` that the block did not write are removed, and all others are left alone.
    Raises InputError where the place cannot be written or the disk is full.
    """
    check_out(target)
    # Inside where it exists: what lies beside it may be another disk, or somebody else's.
    home = target if target.is_dir() else target.parent
    made = [folder for folder in (home, *home.parents) if not folder.exists()]
    try:
        home.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=home, prefix=f".{target.name}.", suffix=".part"))
        try:
            yield part
            _put(part, target, set(outdated))
        except InputError as error:
            # The user knows the place by its own name only.
            raise InputError(error.what.replace(str(part), str(target)), error.fix) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"Cannot write {target}: {error.strerror or error}.", "Free some space or choose another place with --out."
        ) from error
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # which works only where nothing came to lie in it


def _put(part: Path, target: Path, outdated: set[str]) -> None:
    """Move finished files into their place."""
    if not target.exists():
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)
        part.replace(target)
        return
    names = sorted(file.name for file in part.iterdir())
    for name in names:
        if (target / name).is_dir():
            raise InputError(f"{target / name} is a folder, where a file must go.", _ELSEWHERE)
    for name in names:
        (part / name).replace(target / name)
    for name in outdated.difference(names):
        (target / name).unlink(missing_ok=True)
