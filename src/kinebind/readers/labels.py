"""Label tracks from files: tables with a start, an end and a name, ELAN's annotations, Label Studio's time series."""

from __future__ import annotations

import csv
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head
from kinebind.recording import Label

_STARTS = ("start", "begin", "from", "onset", "t0", "starttime", "begintime")
_ENDS = ("end", "stop", "to", "offset", "t1", "endtime", "stoptime")
_NAMES = ("label", "activity", "name", "class", "action", "annotation", "operation")
_TIERS = ("stream", "tier", "person", "track")
_UNITS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "ns": 1e-9}
_UNIX_MS = 1e11
"""Numbers from here on, without a unit, are UNIX milliseconds: as seconds they would lie in the year 5138."""
_USAGE = "Write a table with the columns start_s, end_s and label."


def read_labels(path: str | Path, tier: str | None = None) -> tuple[Label, ...]:
    """Labels of a file, in the order of time, seconds.

    A table (.csv, .tsv) has columns for start, end and label; a unit may stand behind their names (`start_ms`); dates
    are UNIX seconds, in UTC unless they name a zone. ELAN's times (.eaf) count from its video's beginning, and so do
    those of Label Studio (.json). tier: which of several tiers, tasks or streams.

    Raises InputError where it cannot be understood, holds several tiers of which none is named, or no label at all.
    """
    file = Path(path)
    head = read_head(file)
    if head.is_binary:
        raise InputError(f"{file} is no text.", _USAGE)
    ending = file.suffix.lower()
    read = _elan if ending in (".eaf", ".xml") else _label_studio if ending == ".json" else _table
    try:
        tracks = read(file.read_text(encoding=head.encoding), str(file))
    except InputError:  # which is a ValueError, too
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:  # whatever a damaged file leads to
        raise InputError(f"{file} cannot be read ({error!r}).", "Export it again.") from error
    tracks = {name: own for name, own in tracks.items() if own}
    if not tracks:
        raise InputError(f"{file} holds no label.", _USAGE)
    if tier is not None and tier not in tracks:
        raise InputError(f"{file} has no tier '{tier}'.", f"It has: {', '.join(tracks)}.")
    if tier is None and len(tracks) > 1:
        raise InputError(
            f"{file} holds {len(tracks)} tiers: {', '.join(tracks)}.", "Name one of them, with the setting tier."
        )
    own = next(iter(tracks.values())) if tier is None else tracks[tier]
    return tuple(sorted(own, key=lambda label: (label.start_s, label.end_s)))


def _table(text: str, name: str) -> dict[str, list[Label]]:
    lines = text.splitlines()
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    rows = csv.reader(lines, delimiter=delimiter)
    header = [re.sub(r"[^a-z0-9]+", "_", cell.strip().lower()).strip("_") for cell in next(rows, [])]
    start, end, label = (_column(header, words, name) for words in (_STARTS, _ENDS, _NAMES))
    tier = next((k for k, cell in enumerate(header) if cell in _TIERS), None)
    tracks: dict[str, list[Label]] = {}
    for number, cells in enumerate(rows, 2):
        if not any(cell.strip() for cell in cells):
            continue
        place = f"{name}, line {number}"
        if len(cells) <= max(start[0], end[0], label[0]):
            raise InputError(f"{place} has {len(cells)} cells.", _USAGE)
        span = [_time(cells[at], unit, place) for at, unit in (start, end)]
        own = _label(span[0], span[1], cells[label[0]].strip(), place)
        if own is not None:
            tracks.setdefault(cells[tier].strip() if tier is not None and tier < len(cells) else "", []).append(own)
    return tracks


def _column(header: Sequence[str], words: Sequence[str], name: str) -> tuple[int, str | None]:
    """Where a column is, and the unit behind its name."""
    for k, cell in enumerate(header):
        plain, _, unit = cell.rpartition("_")
        if plain.replace("_", "") in words and unit in _UNITS:
            return k, unit
        if cell.replace("_", "") in words:
            return k, None
    raise InputError(f"{name} has no column for the {words[0]}; it has: {', '.join(header)}.", _USAGE)


def _time(cell: str, unit: str | None, place: str) -> float:
    """Seconds of a number, of minutes and seconds as players show them, or of a date."""
    text = cell.strip().replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return _date_or_clock(text, place)
    if not math.isfinite(number):
        raise InputError(f"{place}: '{cell}' is no time.", _USAGE)
    return number * (_UNITS[unit] if unit else 1e-3 if abs(number) >= _UNIX_MS else 1.0)


def _date_or_clock(text: str, place: str) -> float:
    clock = re.fullmatch(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)", text)
    if clock:
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3])
    try:
        # Python 3.10 does not take the Z.
        found = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError as error:
        raise InputError(f"{place}: '{text}' is no time.", "Write seconds, or 2025-03-09T14:05:30+01:00.") from error
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def _elan(text: str, name: str) -> dict[str, list[Label]]:
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise InputError(f"{name} is no whole XML ({error}).", "Save it again in ELAN.") from error
    slots = {own.get("TIME_SLOT_ID"): own.get("TIME_VALUE") for own in root.iter("TIME_SLOT")}
    tracks: dict[str, list[Label]] = {}
    for tier in root.iter("TIER"):
        own: list[Label] = []
        for found in tier.iter("ALIGNABLE_ANNOTATION"):
            times = [slots.get(found.get(f"TIME_SLOT_REF{k}")) for k in (1, 2)]
            value = (found.findtext("ANNOTATION_VALUE") or "").strip()
            if times[0] is None or times[1] is None:
                raise InputError(f"{name}: the annotation '{value}' has no time.", "Align it in ELAN, or delete it.")
            label = _label(float(times[0]) / 1e3, float(times[1]) / 1e3, value, name)
            own += [] if label is None else [label]
        tracks[tier.get("TIER_ID") or ""] = own
    return tracks


def _label_studio(text: str, name: str) -> dict[str, list[Label]]:
    try:
        tasks = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name} is no whole JSON ({error}).", "Export it again.") from error
    tracks: dict[str, list[Label]] = {}
    for number, task in enumerate(tasks if isinstance(tasks, list) else [tasks], 1):
        if not isinstance(task, dict):
            raise InputError(f"{name} is no export of Label Studio.", "Export it as JSON.")
        data = task.get("data")
        stream = data.get("stream") if isinstance(data, dict) else None
        own = tracks.setdefault(str(stream or task.get("id") or number), [])
        for start, end, value in _regions(task):
            label = _label(start, end, value, name)
            own += [] if label is None else [label]
    return tracks


def _regions(task: Mapping[str, Any]) -> Iterator[tuple[float, float, str]]:
    """Regions of what somebody annotated; of what a model predicted only where nobody did."""
    for kind in ("annotations", "predictions"):
        found = [region for own in task.get(kind) or [] for region in own.get("result") or []]
        for region in found:
            value = region.get("value") or {}
            if region.get("type") == "timeserieslabels" and value.get("timeserieslabels"):
                yield float(value["start"]), float(value["end"]), str(value["timeserieslabels"][0])
        if found:
            return


def _label(start_s: float, end_s: float, name: str, place: str) -> Label | None:
    if end_s < start_s:
        raise InputError(f"{place}: '{name}' ends at {end_s:g} s, before it starts at {start_s:g} s.", "Swap the two.")
    return Label(start_s, end_s, name) if name else None
