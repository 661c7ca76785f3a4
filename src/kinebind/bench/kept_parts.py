"""Benchmarks of hours, measured part by part: what is done is kept, and the same command of the same commit goes on."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kinebind.bench.processes import kept_in
from kinebind.bench.results_file import commit
from kinebind.store import written_whole

log = logging.getLogger(__name__)

_COMMIT = re.compile("[0-9a-f]{40}")
"""What `kinebind.bench.results_file.commit` says where no file differs from the commit."""


def folder_of(work: Path, benchmark: str, *, final: bool) -> Path | None:
    """Where the figures of parts that are done are kept: of this commit alone, so None where files differ from it."""
    state = commit()
    return work / benchmark / f"{'test' if final else 'dev'}-{state[:12]}" if _COMMIT.fullmatch(state) else None


def by_parts(parts: Mapping[str, Callable[[], Mapping[str, float]]], folder: Path | None) -> dict[str, float]:
    """The finite figures of all parts by name, flat. folder: of `folder_of`, which each part's are put in when it is
    done, and taken from where they are there; within a part, what `kinebind.bench.processes.parallel` came to.
    """
    metrics: dict[str, float] = {}
    for name, part in parts.items():
        path = None if folder is None else folder / f"{name}.json"
        if path is not None and path.exists():
            log.info("%s: done before", name)
            metrics |= json.loads(path.read_text(encoding="utf-8"))
            continue
        started = time.perf_counter()
        pieces = None if folder is None else folder / f"{name}-pieces"
        with kept_in(pieces):
            # Nothing answered has no median: such a figure is left out, its coverage of zero stands.
            found = {key: float(value) for key, value in part().items() if np.isfinite(value)}
        log.info("%s: %.0f s, %d figures", name, time.perf_counter() - started, len(found))
        metrics |= found
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as draft:
                draft.write_text(json.dumps(found), encoding="utf-8")
            if pieces is not None:
                shutil.rmtree(pieces, ignore_errors=True)
    return metrics
