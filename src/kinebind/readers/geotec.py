"""GeoTec's watch and phone recordings: csv with m/s², rad/s, UNIX milliseconds and a label in every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinebind.imu import Imu
from kinebind.readers.assemble import ImuOptions, RawImu, assemble
from kinebind.readers.delimited import Columns, read_text_columns
from kinebind.readers.dialect import find_dialect
from kinebind.readers.formats_base import Format, Head, read_head
from kinebind.recording import Label

_DEFAULT = ImuOptions()
_HEADER = ("x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp", "label")


def read_geotec(path: str | Path, options: ImuOptions = _DEFAULT) -> tuple[Imu, ...]:
    """The watch (`…_sw.csv`) or phone (`…_sp.csv`) of a run, on the device's own UNIX clock, seconds.

    Which wrist or pocket is not in the file, so the site is None. Raises InputError as `assemble` does.
    """
    head = read_head(path)
    table, notes = _columns(head)
    n = table.numbers
    raw = RawImu(
        acc=n[:, 1:4], gyr=n[:, 4:7], time=n[:, 0].copy(), name=head.path.stem, acc_unit="m/s2", gyr_unit="rad/s",
        time_unit="ms", notes=notes,
    )  # fmt: skip
    return assemble(raw, options)


def read_geotec_labels(path: str | Path) -> tuple[Label, ...]:
    """The labelled stretches of a run (SEATED, STANDING_UP …), seconds on the device's clock."""
    table, _ = _columns(read_head(path))
    codes, names = table.texts["label"]
    seconds = table.numbers[:, 0] / 1e3
    known = np.flatnonzero((codes >= 0) & np.isfinite(seconds))
    if known.size == 0:
        return ()
    codes, seconds = codes[known], seconds[known]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    ends = np.append(seconds[starts[1:]], seconds[-1])
    runs = zip(seconds[starts], ends, codes[starts], strict=True)
    return tuple(Label(float(a), float(b), names[code]) for a, b, code in runs if b >= a)


def _columns(head: Head) -> tuple[Columns, tuple[str, ...]]:
    dialect = find_dialect(head)
    table = read_text_columns(head, dialect, ("timestamp", *_HEADER[:6]), ("label",))
    return table, (*dialect.notes(), *table.notes)


def _is_geotec(head: Head) -> bool:
    return not head.is_binary and bool(head.lines) and tuple(head.lines[0].strip().split(",")) == _HEADER


FORMAT = Format(
    "geotec", "imu", "GeoTec watch and phone runs (.csv)", _is_geotec, read_geotec, labels=read_geotec_labels
)
