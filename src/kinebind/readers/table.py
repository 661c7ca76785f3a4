"""Any table of sensor samples: CSV and its kin, or Parquet, with one sensor or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble, with_site_in_name
from kinebind.readers.columns import ColumnMap, declared_units, find_columns
from kinebind.readers.delimited import Columns, parquet_names, read_parquet_columns, read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head

_PARQUET = b"PAR1"
_DEFAULT = ImuOptions()


def read_table(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The sensors of a table, by the usual column names or by `options.columns`.

    Several sensors stand side by side ("left_wrist_acc_x", "right_wrist_acc_x") or below one another, told apart
    by a column "sensor" or "device". Units come from the header ("acc_x (g)") or from the options.
    Raises InputError for other content, unknown columns, and units that nobody declares.
    """
    head = read_head(path)
    if head.data.startswith(_PARQUET):
        names = parquet_names(head.path)
        maps, found = _maps(names, options)
        columns = read_parquet_columns(head.path, _all(maps), _text(maps))
        units, notes = declared_units(maps, names, ()), list(columns.notes)
    else:
        dialect = find_dialect(head)
        names = dialect.names
        maps, found = _maps(names, options)
        columns = read_text_columns(head, dialect, _all(maps), _text(maps))
        units, notes = declared_units(maps, names, dialect.units), [*dialect.notes(), *columns.notes]
    if found:
        notes.append(f"Columns were found by name: {_told(maps)}.")
    if units:
        told = ", ".join(f"{kind} {unit}" for kind, unit in units.items())
        notes.append(f"Units were read from the header: {told}.")
    raws = [r for m in maps for r in _raws(head.path.stem, m, columns, _all(maps), units, notes, len(maps) > 1)]
    if len(raws) > 1 and options.site is not None:
        raise InputError(
            f"{head.path} holds {len(raws)} sensors ({', '.join(r.name for r in raws)}); one site cannot hold for all.",
            "Leave the site out, or choose one sensor's columns with --columns.",
        )
    del columns  # each sensor's own part is let go of once it is read
    imus: list[Imu] = []
    while raws:
        imus += assemble(raws.pop(0), options)
    return tuple(imus)


def _maps(names: Sequence[str], options: ImuOptions) -> tuple[list[ColumnMap], bool]:
    """The sensors' columns, and whether they were found rather than given."""
    if options.columns is not None:
        options.columns.require(names)
        return [options.columns], False
    return find_columns(names), True


def _all(maps: Sequence[ColumnMap]) -> tuple[str, ...]:
    """All numeric columns once each, the time first, which alone may hold dates."""
    return tuple(dict.fromkeys(name for m in maps for name in m.names()))


def _text(maps: Sequence[ColumnMap]) -> tuple[str, ...]:
    return (maps[0].sensor,) if maps[0].sensor else ()


def _told(maps: Sequence[ColumnMap]) -> str:
    parts = []
    for m in maps:
        time = (m.time,) if m.time else ()
        vectors = (("time", time), ("acc", m.acc), ("gyr", m.gyr), ("quat", m.quat), ("mag", m.mag))
        parts.append("; ".join(f"{kind} = {', '.join(names)}" for kind, names in vectors if names))
    return " | ".join(parts)


def _raws(
    stem: str,
    m: ColumnMap,
    columns: Columns,
    order: Sequence[str],
    units: dict[str, str],
    notes: list[str],
    several: bool,
) -> list[RawImu]:
    """The sensors of one map: one, or one for each value of its sensor column."""
    codes, values = columns.texts[m.sensor] if m.sensor else (np.zeros(len(columns.numbers), np.int32), [""])
    raws = []
    for code, value in enumerate(values):
        table = columns.numbers if len(values) == 1 else columns.numbers[codes == code]

        def pick(names: Sequence[str] | None, table: FloatArray = table) -> FloatArray | None:
            return None if names is None else _slice(table, [order.index(n) for n in names])

        group = "_".join(filter(None, (m.group if several else "", value if len(values) > 1 else "")))
        raw = RawImu(
            acc=_slice(table, [order.index(n) for n in m.acc]), gyr=pick(m.gyr), quat=pick(m.quat), mag=pick(m.mag),
            time=None if m.time is None else table[:, order.index(m.time)].copy(),
            # Columns side by side share their row's time; devices below one another need not share a clock.
            name=f"{stem}_{group}" if group else stem, clock_id=stem if len(values) == 1 else f"{stem}_{value}",
            group=group, acc_unit=units.get("acc"), gyr_unit=units.get("gyr"),
            time_unit="s" if columns.time_is_date and m.time is not None else units.get("time"),
            quat_order=m.quat_order, gravity="unclear" if m.gravity_free else "included", notes=tuple(notes),
        )  # fmt: skip
        raws.append(with_site_in_name(raw, group or stem))
    return raws


def _slice(table: FloatArray, columns: list[int]) -> FloatArray:
    """Columns of a table, a view where they stand side by side."""
    first, together = columns[0], columns == list(range(columns[0], columns[0] + len(columns)))
    return table[:, first : first + len(columns)] if together else table[:, columns]


def _is_table(head: Head) -> bool:
    if head.data.startswith(_PARQUET):
        return True
    if head.is_binary or head.text.lstrip()[:1] in ("{", "[", "<"):
        return False
    try:
        find_dialect(head)
    except InputError:
        return False
    return True


FORMAT = Format(
    "table", "imu", "any table with columns for time and acceleration (CSV, TSV, Parquet)", _is_table, read_table
)
