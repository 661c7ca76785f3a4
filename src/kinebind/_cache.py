"""Where Kinebind keeps what it can make again, and by which contents of files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def user_cache() -> Path:
    """The user's cache of Kinebind, which need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinebind"


def sha256_of(path: Path) -> str:
    """A file's checksum, read in pieces: videos do not fit into memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
