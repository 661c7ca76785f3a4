"""TOML by the standard library's reader from Python 3.11 on, before that by the package that it came from."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_reader: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def loads(text: str) -> dict[str, Any]:
    """What a TOML text says; raises ValueError where it is none."""
    found: dict[str, Any] = _reader.loads(text)
    return found
