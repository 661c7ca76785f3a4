"""Captions: what is done in stretches of videos, in plain words, as a table or as lines of JSON.

A table (.csv, .tsv) has the columns file and text and may have start_s, end_s and person; lines of JSON (.jsonl) have
the same as keys. Times are seconds of the video. Without them a caption is of the whole video, without a person of
everybody in it.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head

_NEEDED, _MORE = ("file", "text"), ("start_s", "end_s", "person")
_USAGE = "Give the columns file and text, and if need be start_s, end_s and person."


@dataclass(frozen=True)
class Caption:
    """What is done from start_s to end_s in a video. person: who of it, or None for all. place: of its own file."""

    file: str
    text: str
    start_s: float = -math.inf
    end_s: float = math.inf
    person: str | None = None
    place: str = ""


def read_captions(path: str | Path) -> tuple[Caption, ...]:
    """The captions of a file in its order, as the module's head describes it.

    Raises InputError for other columns, for empty texts, for what is no time, and where there is no caption.
    """
    file = Path(path)
    head = read_head(file)
    if head.is_binary:
        raise InputError(f"{file} is no text.", _USAGE)
    try:
        text = file.read_text(encoding=head.encoding)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{file} cannot be read ({error}).", "Save it as UTF-8.") from error
    rows = _lines(text, str(file)) if text.lstrip().startswith("{") else _table(text, str(file))
    captions = tuple(_caption(row, place) for place, row in rows)
    if not captions:
        raise InputError(f"{file} holds no caption.", _USAGE)
    return captions


def captions_by_file(captions: Sequence[Caption], files: Sequence[Path]) -> dict[Path, list[Caption]]:
    """The captions of each file. A caption names its file by name, or by the name without its ending.

    So `walk.mp4` and `walk` also name `walk.poses.npz`. Raises InputError for a caption of none or of several files.
    """
    out: dict[Path, list[Caption]] = {file: [] for file in files}
    for caption in captions:
        name = Path(caption.file).name
        fits = [file for file in files if file.name == name] or [file for file in files if _stem(file) == _stem(name)]
        if len(fits) != 1:
            raise InputError(
                f"{caption.place}: '{caption.file}' is {'several' if fits else 'none'} of the given files.",
                f"Name one of: {', '.join(file.name for file in files)}.",
            )
        out[fits[0]].append(caption)
    return out


def _stem(name: str | Path) -> str:
    return Path(name).stem.removesuffix(".poses")


def _table(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    lines = text.splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    rows = csv.reader(lines, delimiter=delimiter)
    header = [cell.strip().lower() for cell in next(rows, [])]
    _check(header, name)
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        place = f"{name}, line {rows.line_num}"
        if len(cells) != len(header):
            raise InputError(f"{place} has {len(cells)} cells for {len(header)} columns.", "Put the text in quotes.")
        yield place, {key: cell.strip() for key, cell in zip(header, cells, strict=True)}


def _lines(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place} is no JSON ({error}).", "Write one object a line.") from error
        if not isinstance(row, dict):
            raise InputError(f"{place} is no JSON object.", "Write one object a line.")
        _check(list(row), place)
        yield place, row


def _check(columns: Sequence[str], place: str) -> None:
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise InputError(f"{place} has no {' and no '.join(missing)}; it has: {', '.join(columns)}.", _USAGE)
    unknown = [column for column in columns if column not in (*_NEEDED, *_MORE)]
    if unknown or len(set(columns)) != len(columns):
        raise InputError(f"{place} has {', '.join(unknown) or 'a column twice'}, which means nothing.", _USAGE)


def _caption(row: Mapping[str, Any], place: str) -> Caption:
    file, text = (" ".join(str(row[key] or "").split()) for key in _NEEDED)
    if not file or not text:
        raise InputError(f"{place} has no {'text' if file else 'file'}.", _USAGE)
    start_s, end_s = _time(row.get("start_s"), -math.inf, place), _time(row.get("end_s"), math.inf, place)
    if not start_s < end_s:
        raise InputError(f"{place} ends at {end_s:g} s and starts at {start_s:g} s.", "Write the earlier time first.")
    person = row.get("person")
    return Caption(file, text, start_s, end_s, None if person in (None, "") else str(person), place)


def _time(value: Any, otherwise: float, place: str) -> float:
    if value is None or value == "":
        return otherwise
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{place}: '{value}' is no time.", "Write seconds, with a point for decimals.")
    return number
