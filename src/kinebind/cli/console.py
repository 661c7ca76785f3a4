"""What goes to the screen: results to stdout, everything else to stderr, or one JSON object."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console, RenderableType

from kinebind.errors import InputError

PIPED_WIDTH = 140  # columns of a table that goes into a file or another program


class Screen:
    """Where a command writes. json: one object to stdout instead of tables. quiet: no progress and no notes."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.json, self.quiet = json, quiet
        self._out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
        self._err = Console(stderr=True, highlight=False, markup=False)
        self._memory: Console | None = None

    def show(self, what: RenderableType) -> None:
        """A part of the result, for people."""
        if not self.json:
            self._out.print(what)
        if self._memory is not None:
            self._memory.print(what)

    def note(self, text: str, *, one_line: bool = False) -> None:
        """Sentences beside the result, for people; one_line cuts them off at the edge of the screen."""
        if not self.json and not self.quiet:
            self._out.print(text, style="dim", no_wrap=one_line, overflow="ellipsis" if one_line else None)

    def say(self, text: str) -> None:
        """What happens meanwhile, to stderr."""
        if not self.quiet:
            self._err.print(text, style="dim")

    def record(self) -> None:
        """From here on, remember what is shown, or would be."""
        self._memory = Console(file=io.StringIO(), record=True, highlight=False, markup=False, width=PIPED_WIDTH)

    def recorded(self) -> str:
        """What was shown since `record`, plain text; nothing is remembered from here on."""
        memory, self._memory = self._memory, None
        return "" if memory is None else memory.export_text().rstrip("\n")

    @contextlib.contextmanager
    def steps(self) -> Iterator[Callable[[str], None]]:
        """Tells what is done next: a spinner on a terminal, a line each elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            yield self.say
            return
        with self._err.status("") as status:
            yield status.update

    def answer(self, result: dict[str, Any]) -> None:
        """The result as JSON, where that was asked for; numbers that are not finite are null."""
        if self.json:
            print(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False))

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """A spinner on a terminal while something takes its time."""
        if self.quiet or not sys.stderr.isatty():
            yield
            return
        with self._err.status(text):
            yield

    @contextlib.contextmanager
    def logging(self) -> Iterator[None]:
        """Kinebind's log on stderr, one line a record."""
        log, handler = logging.getLogger("kinebind"), logging.StreamHandler(sys.stderr)
        level = log.level
        log.addHandler(handler)
        log.setLevel(logging.WARNING if self.quiet else logging.INFO)
        try:
            yield
        finally:
            log.removeHandler(handler)
            log.setLevel(level)


def show_error(what: str, fix: str, *, as_json: bool) -> None:
    """What is wrong and what to do, on stderr; with as_json also as an object on stdout."""
    print(f"error: {what}", file=sys.stderr)
    if fix:
        print(f"fix: {fix}", file=sys.stderr)
    if as_json:
        with contextlib.suppress(OSError):  # where stdout is what cannot be written
            print(json.dumps({"error": {"what": what, "fix": fix}}, indent=2, ensure_ascii=False))


def error_dict(error: InputError) -> dict[str, str]:
    """An error as plain values."""
    return {"what": error.what, "fix": error.fix}
