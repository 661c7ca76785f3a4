"""`kinebind calibrate`: the constant lag of a rig, from several recordings whose offset is known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.sync_file import Answered, read_answers
from kinebind.errors import InputError
from kinebind.tasks.sync.rig import FEWEST, Lag, constant_lag

_KNOWN = ("recording", "clock", "offset_s")


def calibrate(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT...", help="Folders of kinebind sync or align, or their sync.json.")
    ],
    known: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table of true offsets: recording, clock, offset_s. By default all are 0."),
    ] = None,
    by_site: Annotated[bool, typer.Option("--by-site", help="Also tell each site's lag apart.")] = False,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find what a rig is always late by, from recordings in which the clocks' offset is known.

    Give it to --pose-late where the poses come late, or take it off the offsets that are found.

    Exit code: 0 found, 3 not the same in all recordings, 2 bad input.
    """
    screen = Screen(json=json, quiet=quiet)
    true_s = {} if known is None else _known(known)
    rows = [row for path in results for row in read_answers(path / "sync.json" if path.is_dir() else path)]
    if not rows:
        raise InputError("None of the results answers a clock.", "Give results of kinebind sync with answers.")
    if len(results) < FEWEST:
        raise InputError(
            f"{len(results)} results are too few: clocks of one recording share what is wrong with it.",
            f"Give {FEWEST} or more recordings of the same rig.",
        )
    if true_s:
        missing = [f"{r.recording}, {r.clock_id}" for r in rows if (r.recording, r.clock_id) not in true_s]
        if missing:
            raise InputError(f"{known} does not know {missing[0]}.", "Add a row for each recording and clock.")
    groups: dict[str, list[Answered]] = {"all": rows}
    if by_site:
        for row in rows:
            groups.setdefault(row.site or "unknown", []).append(row)
    lags: dict[str, Lag] = {}
    for name, own in groups.items():
        if name != "all" and len(own) < FEWEST:
            screen.note(f"{name}: {len(own)} clocks, too few.")
            continue
        lags[name] = constant_lag(
            [r.clock.offset_s for r in own], [true_s.get((r.recording, r.clock_id), 0.0) for r in own]
        )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("of", "lag, ms", "95 %", "spread, ms", "clocks"):
        table.add_column(name, justify="left" if name == "of" else "right", no_wrap=True)
    for name, lag in lags.items():
        table.add_row(
            name, f"{1e3 * lag.lag_s:+.1f}", f"{1e3 * lag.low_s:+.1f} to {1e3 * lag.high_s:+.1f}",
            f"{1e3 * lag.spread_s:.1f}", str(lag.count),
        )  # fmt: skip
    screen.show(table)
    whole = lags["all"]
    if whole.steady:
        screen.show(f"The video shows a moment {1e3 * whole.lag_s:.0f} ms late: --pose-late {1e3 * whole.lag_s:.0f}")
    else:
        screen.show("The recordings do not agree: this is no constant of the rig. Are the known offsets right?")
    screen.answer({
        name: {
            "lag_ms": 1e3 * lag.lag_s, "low_ms": 1e3 * lag.low_s, "high_ms": 1e3 * lag.high_s,
            "spread_ms": 1e3 * lag.spread_s, "clocks": lag.count, "steady": lag.steady,
        }
        for name, lag in lags.items()
    })  # fmt: skip
    return 0 if whole.steady else 3


def _known(path: Path) -> dict[tuple[str, str], float]:
    """True offsets by recording and clock."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Cannot read {path}: {error}.", f"Write it as CSV with {', '.join(_KNOWN)}.") from error
    out: dict[tuple[str, str], float] = {}
    for number, row in enumerate(rows, 2):
        try:
            out[str(row["recording"]).strip(), str(row["clock"]).strip()] = float(row["offset_s"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}, line {number}, is no row of {', '.join(_KNOWN)}.", "Write one row a clock, seconds."
            ) from error
    if not out:
        raise InputError(f"{path} has no rows.", f"Write {', '.join(_KNOWN)}.")
    return out
