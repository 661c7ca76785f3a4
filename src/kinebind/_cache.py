"""Where Kinebind keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """The user's cache of Kinebind, which need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinebind"
