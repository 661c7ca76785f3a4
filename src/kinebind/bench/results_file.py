"""Results files: what a benchmark measured, by which command, from which commit, on which machine."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kinebind.errors import InputError
from kinebind.store import written_whole

FINAL_LOG = "final_log.md"
_LOG_HEAD = (
    "# Runs on the test sets\n\nEvery run with `--final`, oldest first.\n\n| date | command | commit |\n|---|---|---|\n"
)


def write_results(
    name: str,
    metrics: Mapping[str, float],
    *,
    command: str,
    variant: Literal["small", "full"],
    folder: str | Path = "results",
    apart: bool = True,
) -> Path:
    """Write `folder/NAME.json` (command, commit, machine, date, variant, metrics), whole or not at all; its path.

    metrics: flat, key → finite number. variant: "full", or "small" where it ran on fewer clips than the protocol asks
    for; that goes to `folder/small/NAME.json`, where no documentation takes its figures from, unless `apart` is False,
    as for a study whose small size is a result, only of less.
    Raises InputError for metrics that are no numbers, and a folder that cannot be written.
    """
    plain: dict[str, int | float] = {}
    for key, value in metrics.items():
        number = int(value) if isinstance(value, int | np.integer) else float(value)
        if not math.isfinite(number):
            raise InputError(f"The metric {key} is {value}.", "Leave out what could not be measured.")
        plain[key] = number
    about = {
        "command": command, "commit": commit(), "machine": machine(), "date": _today(), "variant": variant,
        "metrics": plain,
    }  # fmt: skip
    path = _made(Path(folder) / variant if variant == "small" and apart else folder) / f"{name}.json"
    with written_whole(path) as part:
        part.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return path


def log_final(command: str, folder: str | Path = "results") -> Path:
    """Add a line on a run that opens the test sets to `folder/final_log.md`; to be called before it starts."""
    path = _made(folder) / FINAL_LOG
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else _LOG_HEAD
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Choose another folder with --out.") from error
    with written_whole(path) as part:
        part.write_text(f"{before}| {_today()} | `{command}` | `{commit()}` |\n", encoding="utf-8")
    return path


def commit() -> str:
    """The commit of the source that runs, with "+changes" where files differ from it; "unknown" outside of git."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip()

    try:
        # An installed copy that lies below somebody else's repository is not that repository's.
        if not git("ls-files", str(Path(__file__).resolve())):
            return "unknown"
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(here.parent))
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def machine() -> str:
    """Processor, usable cores, system, and the versions that decide speed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"{_processor()}, {cores} cores, {platform.system()}, {versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _today() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


def _made(folder: str | Path) -> Path:
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write to {path}: {error.strerror}.", "Choose another folder with --out.") from error
    return path


def shown(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values for the screen, with the interval where there is one."""
    rows = []
    for key, value in metrics.items():
        if key.endswith(("_lo", "_hi")) and key[:-3] in metrics:
            continue
        text = f"{value:.4g}"
        if f"{key}_lo" in metrics:
            text += f"  ({metrics[f'{key}_lo']:.4g} … {metrics[f'{key}_hi']:.4g})"
        rows.append((key, text))
    return rows
