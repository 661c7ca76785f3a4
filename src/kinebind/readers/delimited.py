"""Columns of text tables and Parquet files, read in blocks: memory holds the columns asked for, nothing else."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.readers.dialect import Dialect
from kinebind.readers.formats_base import Head

BLOCK_BYTES = 1 << 22
"""Bytes of text that are parsed at once."""

_LARGEST = 1e20  # nanoseconds since 1970 are 2e18; what lies beyond is damage, and its square may be infinite

_NULLS = ["", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "null", "NULL", "None", "none", "-"]
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_DATE = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?$"
_CLOCK = r"^\d\d:\d\d:\d\d(\.\d+)?$"
_ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"


@dataclass
class Columns:
    """What was read. numbers (N, C): one column per name asked for, NaN where missing. texts: per name the codes
    (N,) into its list of distinct values, −1 where missing. time_is_date: the first column held dates, now seconds
    since 1970 (or midnight). notes: what was left out."""

    numbers: FloatArray
    texts: dict[str, tuple[npt.NDArray[np.int32], list[str]]]
    time_is_date: bool = False
    notes: list[str] = field(default_factory=list)


class _CleanText(io.RawIOBase):
    """A text file as valid UTF-8, its lines rewritten to one delimiter where the dialect asks for it.

    Damaged bytes become U+FFFD. Works in blocks that end with a line.
    """

    def __init__(self, path: Path, encoding: str, dialect: Dialect) -> None:
        self._file = path.open("rb")
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._pattern = re.compile(dialect.separator.rewrite) if dialect.separator.rewrite else None
        self._delimiter = dialect.separator.delimiter
        self._unfinished = ""  # the start of a line that the next block continues
        self._ready = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        while not self._ready:
            block = self._file.read(BLOCK_BYTES)
            text = self._unfinished + self._decoder.decode(block, final=not block)
            end = len(text) if not block else 1 + (text.rfind("\n") if "\n" in text else text.rfind("\r"))
            self._unfinished, text = text[end:], text[:end]
            if self._pattern is not None:
                lines = re.split(r"\r\n|\n|\r", text)
                text = "\n".join(self._pattern.sub(self._delimiter, line.strip()) for line in lines)
            self._ready = text.encode()
            if not block and not self._ready:
                return 0
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def read_text_columns(head: Head, dialect: Dialect, numbers: Sequence[str], texts: Sequence[str] = ()) -> Columns:
    """Columns of a text table; the first of `numbers` may hold dates or times of day.

    Rows of the wrong width (a cut last line, junk) are left out and counted in the notes.
    Raises InputError where a column is lacking or the file cannot be parsed as the dialect says.
    """
    odd_rows: list[str] = []
    count_odd = 0

    def on_odd_row(row: pa.csv.InvalidRow) -> str:
        nonlocal count_odd
        count_odd += 1
        if len(odd_rows) < 3:
            odd_rows.append(row.text[:60])
        return "skip"

    wanted = list(dict.fromkeys((*numbers, *texts)))
    lacking = [name for name in wanted if name not in dialect.names]
    if lacking:
        raise InputError(f"{head.path} has no column '{lacking[0]}'.", f"It has: {', '.join(dialect.names)}.")
    try:
        with closing(_CleanText(head.path, head.encoding, dialect)) as source, pa.csv.open_csv(
            pa.PythonFile(source, mode="r"),
            pa.csv.ReadOptions(
                column_names=list(dialect.names), skip_rows=dialect.first_data_line, block_size=BLOCK_BYTES
            ),
            pa.csv.ParseOptions(delimiter=dialect.separator.delimiter, invalid_row_handler=on_odd_row),
            pa.csv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), null_values=_NULLS,
                strings_can_be_null=True, check_utf8=False,
            ),
        ) as reader:  # fmt: skip
            columns = _gather(reader, numbers, texts, dialect.decimal)
    except pa.ArrowInvalid as error:
        raise InputError(f"{head.path} breaks off or is damaged: {error}.", "Export it again.") from error
    if count_odd:
        shown = "; ".join(repr(text) for text in odd_rows)
        columns.notes.append(f"Lines that are no rows of the table were left out ({count_odd}: {shown}).")
    if count_odd > max(10, columns.numbers.shape[0]):
        raise InputError(
            f"{head.path}: {count_odd} of its lines do not have the {len(dialect.names)} cells of the others.",
            "Export it again with one delimiter.",
        )
    return columns


def read_parquet_columns(path: Path, numbers: Sequence[str], texts: Sequence[str] = ()) -> Columns:
    """Columns of a Parquet file, in blocks. Raises InputError where it is damaged or a column is no number."""
    try:
        with pq.ParquetFile(path) as file:
            wanted = list(dict.fromkeys((*numbers, *texts)))
            batches = file.iter_batches(batch_size=max(BLOCK_BYTES // 64, 1), columns=wanted)
            return _gather(batches, numbers, texts, ".")
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a whole Parquet file: {error}.", "Export it again.") from error


def parquet_names(path: Path) -> tuple[str, ...]:
    """Column names of a Parquet file; raises InputError where it is damaged."""
    try:
        return tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a whole Parquet file: {error}.", "Export it again.") from error


def _gather(batches: Iterator[pa.RecordBatch], numbers: Sequence[str], texts: Sequence[str], decimal: str) -> Columns:
    out = np.empty((0, len(numbers)))
    filled, bad, first_bad = 0, 0, ""
    dates: bool | None = None
    codes: dict[str, list[npt.NDArray[np.int32]]] = {name: [] for name in texts}
    values: dict[str, dict[str | None, int]] = {name: {None: -1} for name in texts}
    for batch in batches:
        if batch.num_rows == 0:
            continue
        if filled + batch.num_rows > out.shape[0]:
            # Grown in place by a third: the peak stays near the columns' own size.
            out.resize((max(filled + batch.num_rows, out.shape[0] * 4 // 3), out.shape[1]), refcheck=False)
        part = out[filled : filled + batch.num_rows]
        for i, name in enumerate(numbers):
            column = batch.column(name)
            if i == 0 and dates is None:
                dates = _holds_dates(column)
            part[:, i], wrong, example = _dates(column) if i == 0 and dates else _floats(column, decimal, name)
            absurd = np.abs(part[:, i]) > _LARGEST
            if absurd.any():
                wrong, example = wrong + int(absurd.sum()), example or str(part[absurd, i][0])
                part[absurd, i] = np.nan
            bad += wrong
            first_bad = first_bad or example
        for name in texts:
            codes[name].append(_codes(batch.column(name), values[name]))
        filled += batch.num_rows
    out.resize((filled, out.shape[1]), refcheck=False)
    notes = [f"Cells that are no usable numbers count as missing ({bad}, the first is {first_bad!r})."] if bad else []
    listed = {
        name: (np.concatenate([np.empty(0, np.int32), *codes[name]]), [str(v) for v in values[name] if v is not None])
        for name in texts
    }
    return Columns(out, listed, bool(dates), notes)


def _codes(column: pa.Array, known: dict[str | None, int]) -> npt.NDArray[np.int32]:
    encoded = pc.cast(column, pa.string()).dictionary_encode()
    words = [known.setdefault(w, len(known) - 1) for w in encoded.dictionary.to_pylist()]
    index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(np.array([*words, -1], dtype=np.int32)[index])


def _floats(column: pa.Array, decimal: str, name: str) -> tuple[FloatArray, int, str]:
    """Numbers of a column, how many cells are none, and the first of these."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            return _to_numpy(pc.cast(column, pa.float64(), safe=False)), 0, ""
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"Column '{name}' holds {column.type}, not numbers.", "Choose with --columns.") from error
    if decimal == ",":
        column = pc.replace_substring(column, ",", ".")
    try:
        return _to_numpy(pc.cast(column, pa.float64())), 0, ""
    except pa.ArrowInvalid:
        column = pc.ascii_trim_whitespace(column)
        good = pc.match_substring_regex(column, _NUMBER)
        values = _to_numpy(pc.cast(pc.if_else(good, column, None), pa.float64()))
        wrong = column.filter(pc.invert(good))
        return values, len(wrong), _word(wrong)


def _word(wrong: pa.Array) -> str:
    return bytes(wrong.cast(pa.binary())[0].as_py()).decode(errors="replace")[:40] if len(wrong) else ""


def _to_numpy(column: pa.Array) -> FloatArray:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _is_typed_date(column: pa.Array) -> bool:
    return bool(pa.types.is_timestamp(column.type) or pa.types.is_time(column.type))


def _clean_dates(column: pa.Array) -> pa.Array:
    return pc.replace_substring(pc.ascii_trim_whitespace(column), ",", ".")


def _holds_dates(column: pa.Array) -> bool:
    """Whether most cells of a column are dates or times of day."""
    if _is_typed_date(column):
        return True
    if not pa.types.is_string(column.type):
        return False
    dates = pc.match_substring_regex(_clean_dates(column), f"{_DATE}|{_CLOCK}")
    hits = pc.sum(pc.cast(dates, pa.int64())).as_py() or 0
    return bool(hits > 0.5 * max(len(column) - column.null_count, 1))


def _dates(column: pa.Array) -> tuple[FloatArray, int, str]:
    """Seconds since 1970 of ISO 8601 dates (without a zone as if UTC), or since midnight of times of day."""
    if _is_typed_date(column):
        seconds = pa.timestamp("ns") if pa.types.is_timestamp(column.type) else pa.time64("ns")
        ticks = _to_numpy(pc.cast(pc.cast(column, seconds), pa.int64()))
        return ticks / 1e9, 0, ""
    column = _clean_dates(column)
    good = pc.match_substring_regex(column, f"{_DATE}|{_CLOCK}")
    wrong = column.filter(pc.invert(good))
    column = pc.if_else(good, column, None)
    column = pc.if_else(pc.match_substring_regex(column, _CLOCK), pc.binary_join_element_wise(
        pa.scalar("1970-01-01"), column, " "), column)  # fmt: skip
    zoned = pc.match_substring_regex(pc.utf8_slice_codeunits(column, 16), _ZONE)
    # Nanoseconds beyond the ninth digit do not parse; no recorder writes them.
    with_zone = pc.cast(pc.if_else(zoned, column, None), pa.timestamp("ns", "UTC"))
    without = pc.cast(pc.if_else(zoned, None, column), pa.timestamp("ns"))
    ticks = pc.coalesce(pc.cast(with_zone, pa.int64()), pc.cast(without, pa.int64()))
    return _to_numpy(ticks) / 1e9, len(wrong), _word(wrong)
