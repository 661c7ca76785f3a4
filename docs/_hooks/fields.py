"""Griffe extension: docstrings list fields as `name (shape): meaning`, a line each; the API page shows a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

# Also in mid-line, after a sentence: "name: what it is called. site: where it is worn."
FIELD = re.compile(
    r"(?:^|(?<=[.;]) )(?P<names>[a-z]\w*(?:, [a-z]\w*)*)(?P<shape> \([^)]*\))?(?P<none> or None)?: ", re.MULTILINE
)


def listed(text: str, names: set[str]) -> str:
    """The text with each field on its own, as an item of a Markdown list."""

    def item(match: re.Match[str]) -> str:
        if not set(match["names"].split(", ")) <= names:
            return match[0]
        known = ", ".join(f"`{name}`" for name in match["names"].split(", "))
        return f"\n\n- {known}{match['shape'] or ''}{match['none'] or ''}: "

    paragraphs = (FIELD.sub(item, part) for part in text.split("\n\n"))
    return "\n\n".join(paragraphs)


class Fields(griffe.Extension):
    """Rewrites the docstrings of classes and functions before they are shown."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Fields of a dataclass."""
        if cls.docstring:
            cls.docstring.value = listed(cls.docstring.value, set(cls.members))

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        """Parameters of a function."""
        if func.docstring:
            func.docstring.value = listed(func.docstring.value, {p.name for p in func.parameters})
