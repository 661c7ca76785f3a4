"""What `kinebind align` found before, kept by all that it depends on, so that the same question costs nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kinebind
from kinebind._cache import user_cache
from kinebind.errors import InputError
from kinebind.output.folder import folder_written_whole

_ANSWER = "answer.json"
_BLOCK = 1 << 20


def align_key(files: Sequence[Path], words: Sequence[str]) -> str:
    """A key of the contents of files and of words; another version of Kinebind has another one."""
    digest = hashlib.sha256(kinebind.__version__.encode())
    for path in files:
        for part in sorted(path.iterdir()) if path.is_dir() else [path]:
            digest.update(f"\0{part.name}\0".encode())
            try:
                with part.open("rb") as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
            except IsADirectoryError:
                continue
            except OSError as error:
                raise InputError(f"Cannot read {part}: {error.strerror}.", "Check the path.") from error
    for word in words:
        digest.update(f"\0{word}".encode())
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Before:
    """An answer that was kept: plain values, what was shown, the exit code."""

    told: dict[str, Any]
    shown: str
    code: int


@dataclass(frozen=True)
class Kept:
    """A place for one answer in the user's cache."""

    folder: Path

    @staticmethod
    def of(key: str) -> Kept:
        """The place of a key."""
        return Kept(user_cache() / "align" / key)

    def take(self, out: Path) -> Before | None:
        """The answer that is kept, its files copied into a folder; None where there is none, or it is damaged."""
        try:
            content = json.loads((self.folder / _ANSWER).read_text(encoding="utf-8"))
            names = [str(name) for name in content["files"]]
            before = Before(dict(content["told"]), str(content["shown"]), int(content["code"]))
            whole = all((self.folder / name).is_file() for name in names)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not whole:
            return None
        with folder_written_whole(out) as part:
            for name in names:
                shutil.copyfile(self.folder / name, part / name)
        return before

    def put(self, out: Path, names: Sequence[str], told: dict[str, Any], shown: str, code: int) -> None:
        """Keep an answer and its files; where there is no room for it, nothing is kept, and nothing else happens."""
        content = {"files": list(names), "told": told, "shown": shown, "code": code}
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(InputError, OSError):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with folder_written_whole(self.folder) as part:
                for name in names:
                    shutil.copyfile(out / name, part / name)
                (part / _ANSWER).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
