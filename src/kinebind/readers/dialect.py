"""How a text table is written: its separator, decimal sign, header and first row of data."""

from __future__ import annotations

import csv
import functools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kinebind.errors import InputError
from kinebind.readers.formats_base import Head
from kinebind.readers.units import parse_unit

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "inf", "-inf"}
_COMMENT = re.compile(r"^\s*(//|#|%)")
_TAIL_BYTES = 16384


@dataclass(frozen=True)
class Separator:
    """delimiter: one character. rewrite: pattern that is first replaced by the delimiter, if any."""

    delimiter: str
    rewrite: str | None = None
    mixed: bool = False

    def split(self, line: str) -> list[str]:
        """The cells of a line."""
        if self.rewrite is not None:
            return re.sub(self.rewrite, self.delimiter, line.strip()).split(self.delimiter)
        try:
            return next(csv.reader([line], delimiter=self.delimiter), [])
        except csv.Error:
            return line.split(self.delimiter)


_SEPARATORS = (
    Separator(","), Separator(";"), Separator("\t"), Separator("|"),
    Separator(";", r"[ \t]+"),
    Separator(";", r"[,;\t|]", mixed=True),
    Separator(";", r"[;\t|]", mixed=True),
)  # fmt: skip


@dataclass(frozen=True)
class Dialect:
    """A text table's writing.

    separator, decimal ("." or ","). names: one a column, as the header has them; "1", "2", … without a header.
    units: the cells of a row of units under the header, or as many empty texts. first_data_line: lines before it
    are no data. preamble: what stands before the header, comments included.
    """

    separator: Separator
    decimal: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    first_data_line: int
    preamble: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """What a user should know of the writing, one sentence each."""
        notes = []
        if self.decimal == ",":
            notes.append("Decimal commas were read as decimal points.")
        if self.separator.mixed:
            notes.append("The rows mix several delimiters; all were taken as one.")
        return tuple(notes)


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with decimal point or comma."""
    return NUMBER.fullmatch(cell.strip()) is not None


def _is_data(cells: Sequence[str]) -> bool:
    filled = [c for c in cells if c.strip().lower() not in _MISSING]
    numbers = sum(is_number(c) for c in filled)
    return numbers >= 2 and numbers >= 0.25 * len(filled)


def _tail_lines(head: Head) -> list[str]:
    """Whole lines from the end of a file that is larger than its head."""
    if head.size_bytes <= len(head.data) or head.encoding == "utf-16":
        return []
    with head.path.open("rb") as file:
        file.seek(max(len(head.data), head.size_bytes - _TAIL_BYTES))
        text = file.read(_TAIL_BYTES).decode("utf-8", errors="replace")
    return re.split(r"\r\n|\n|\r", text)[1:-1]


def _fit(separator: Separator, lines: list[str]) -> tuple[float, int]:
    """How well a separator fits, 0 to 1, and the rows' width: the share of the lines that are rows of data of the
    commonest width, times the share of numbers among their cells."""
    rows = [cells for cells in map(separator.split, lines) if _is_data(cells)]
    if not rows:
        return 0.0, 0
    width, count = max(Counter(map(len, rows)).items(), key=lambda item: (item[1], item[0]))
    cells = [c for row in rows if len(row) == width for c in row if c.strip().lower() not in _MISSING]
    return count / len(lines) * sum(map(is_number, cells)) / len(cells), width


@functools.lru_cache(maxsize=4)
def find_dialect(head: Head) -> Dialect:
    """How the table of a text file is written; asked by whoever may read it, so the last few answers are remembered.

    Raises InputError for binary files, for files without rows of numbers (a header alone), for decimal commas
    in a comma-separated file, and where header and rows differ in width.
    """
    if head.is_binary:
        raise InputError(f"{head.path} is binary, not a text table.", "Export it as CSV.")
    lines = head.lines[:2000]
    sample = [line for line in (*lines[:400], *_tail_lines(head)) if line.strip() and not _COMMENT.match(line)]
    # Early separators win ties: a tab between tabs is an empty cell, not a longer blank.
    found = [(_fit(separator, sample), separator) for separator in _SEPARATORS] if sample else []
    best = max((fit for (fit, _), _ in found), default=0.0)
    if best < 0.1:
        last = next((line for line in reversed(lines) if line.strip()), "")
        cells = max((s.split(last) for s in _SEPARATORS[:4]), key=len)
        if len(cells) >= 3 and max(map(len, cells)) < 40:
            raise InputError(f"{head.path} holds a header, but no rows of numbers.", "Export it again: it is cut off.")
        raise InputError(f"{head.path} holds no table of numbers.", "Check that this is the sensor's file.")
    (_, width), separator = next((c, s) for c, s in found if c[0] >= best - 0.02)
    rows = [separator.split(line) for line in lines]
    is_row = [len(c) == width and _is_data(c) and not _COMMENT.match(line) for c, line in zip(rows, lines, strict=True)]
    if True not in is_row:
        raise InputError(f"{head.path} starts with too long a text before its rows.", "Remove the text.")
    first = is_row.index(True)
    cells = [cell.strip() for row, good in zip(rows, is_row, strict=True) if good for cell in row]
    decimal = "," if any("," in cell and is_number(cell) for cell in cells) else "."
    names, units, header_line = _header(head, separator, lines[:first], width)
    return Dialect(separator, decimal, names, units, first, tuple(lines[:header_line]))


def _header(
    head: Head, separator: Separator, above: Sequence[str], width: int
) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Names, units, and the header's line number; a header may be commented out and have rows of units below."""
    block: list[list[str]] = []
    for line in reversed(above):
        plain = re.sub(r"^\s*(//|#|%)\s*", "", line).strip("\r\n ")
        cells = [c.strip().strip('"') for c in separator.split(plain)]
        if not plain:
            continue
        # A trailing delimiter makes a row one cell wider or narrower than its header.
        if len(cells) == width + 1 and not cells[-1]:
            cells = cells[:-1]
        elif len(cells) == width - 1 and width > 3:
            cells = [*cells, ""]
        if len(cells) != width:
            break
        block.insert(0, cells)
    if not block:
        last = next((line for line in reversed(above) if line.strip()), "")
        wide = len(separator.split(last))
        if wide >= 3 and not _COMMENT.match(last):
            hint = "Check that every column has a name."
            if separator.delimiter == "," and width > 1.5 * wide:
                hint = "If these are decimal commas, export with ';' or tabs between the columns."
            raise InputError(f"{head.path}: the header names {wide} columns, but the rows hold {width} cells.", hint)
        return tuple(str(i + 1) for i in range(width)), ("",) * width, len(above)
    units = next((row for row in block[1:] if any(parse_unit(c) for c in row)), [""] * width)
    start = len(above) - len(block)
    return _unique(block[0]), tuple(units), start


def _unique(names: list[str]) -> tuple[str, ...]:
    """The names with a number behind repeated or empty ones."""
    out: list[str] = []
    for i, name in enumerate(names):
        candidate = name or f"column {i + 1}"
        while candidate in out:
            candidate = f"{name} ({i + 1})"
            name += "'"
        out.append(candidate)
    return tuple(out)
