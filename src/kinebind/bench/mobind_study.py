"""The study of learned models at hand, `kinebind bench mobind`: the paper's tables on data that everybody has.

`--small` needs at most three hours on two cores and is what a machine without a GPU can commit; without it the study
has the paper's size. It works in a folder (`--work`) and in slices of `--minutes`, and goes on where it stopped: what
was made, trained or measured has left a file there. What is simulated, which source is for what, and who trains how
long stand in `mobind_data` and `mobind_runs`; the jobs are those of `kinebind test`. Without `--final` the figures are
of the validation source (and of UTD-MHAD's subject 7), with it of the test sources (and of the even subjects).
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from kinebind.bench.mobind_runs import RUNS, SEARCHED, SIZES, recipe
from kinebind.bench.mobind_table import pictures, table
from kinebind.bench.mobind_tasks import CLIP_S, LONG_CLIPS_S, Study, Task, do, run_name, search_name
from kinebind.bench.processes import WORKERS, workers
from kinebind.errors import InputError

log = logging.getLogger(__name__)

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LEAST_TRAINING_MINUTES = 0.25
_STORES = ("sim", "ego", "har")
_SYNC_RUNS = ("mobind", "global", "local", "token", "imu2clip", "despite", "syncnet", "stage2")
_HAR_RUNS = ("mobind", "token", "local", "imu2clip", "despite", "syncnet")


@dataclass(frozen=True)
class Left:
    """What a slice has left to do: names of tasks."""

    tasks: tuple[str, ...]

    def __str__(self) -> str:
        kinds = [name.split("-")[0] for name in self.tasks]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return f"{len(self.tasks)} pieces of work left: {counts}"


def study(
    size: Literal["smoke", "small", "full"],
    data: Path | None,
    work: Path,
    *,
    final: bool = False,
    device: str | None = None,
) -> Study:
    """A study of a size in a folder; data: the unpacked data sets, None for made-up people, which are for a smoke test.

    Raises InputError for final figures of made-up people, and for a device that is not there.
    """
    if (data is None) != (size == "smoke"):
        raise InputError("Made-up people are for a smoke test, and it has no others.", "Give data, or the size smoke.")
    if device is not None and device != "cpu" and not torch.cuda.is_available():
        raise InputError(f"There is no device {device}.", "Leave it out to train on the processor.")
    return Study(SIZES[size], data, work, final, device or "cpu")


def figures(study: Study) -> dict[str, float]:
    """All figures of a study that is done; its pictures are drawn into the work folder."""
    for path in pictures(study):
        log.info("drawn: %s", path)
    return table(study)


def plan(study: Study) -> list[Task]:
    """All tasks of a study, in the order in which they are begun."""
    size, held_out = study.size, study.held_out
    tasks = [Task(f"chunk-{c.name}", "chunk", (c.name,), minutes=0.6) for c in study.chunks]
    simulated = tuple(t.name for t in tasks)
    stores = [*_STORES, *(["utd"] if study.has_utd else [])]

    def store(kind: str, *, test: bool = False) -> str:
        return f"store-{kind}-test" if test and study.final and kind != "har" else f"store-{kind}"

    for kind in stores:
        tasks.append(Task(store(kind), "store", (kind, "train"), simulated))
        if study.final and kind != "har":
            tasks.append(Task(store(kind, test=True), "store", (kind, "test"), simulated))
    searches: dict[str, tuple[str, ...]] = {}
    for kind in SEARCHED:
        settings = []
        for rate in size.learning_rates:
            for t in size.temperatures:
                name = search_name(kind, rate, t)
                tasks.append(Task(name, "search", (kind, repr(rate), repr(t)), (store("sim"),), 0.0))
                settings.append(name)
        searches[kind] = tuple(settings)
    runs = [name for name, run in RUNS.items() if run.store in stores]
    for seed in range(size.seeds):
        for name in runs:
            run = RUNS[name]
            before = (run_name(run.after, seed),) if run.after else ()
            needs = (*searches[run.kind], store(run.store), *before)
            tasks.append(Task(run_name(name, seed), "run", (name, str(seed)), needs, 0.0))
    for seed in range(size.seeds):
        for name in runs:
            trained = (run_name(name, seed), store(RUNS[name].store, test=True))
            if name != "stage1":
                own = f"windows-{held_out}-{name}-{seed}"
                tasks.append(Task(own, "windows", (name, str(seed)), trained, 2.0))
            if name in _SYNC_RUNS:
                own = f"sync-{held_out}-{name}-{seed}-{CLIP_S:g}"
                tasks.append(Task(own, "sync", (name, str(seed), str(CLIP_S)), trained, 4.0))
            if name in _HAR_RUNS:
                trained = (run_name(name, seed), store("har"))
                tasks.append(Task(f"har-{name}-{seed}", "har", (name, str(seed)), trained, 3.0))
        for clip_s in LONG_CLIPS_S:
            needs = (run_name("mobind", seed), store("sim", test=True))
            own = f"sync-{held_out}-mobind-{seed}-{clip_s:g}"
            tasks.append(Task(own, "sync", ("mobind", str(seed), str(clip_s)), needs, 4.0))
    for kind in ("sim", "utd"):
        if kind in stores:
            needs = (store(kind, test=True),)
            tasks.append(Task(f"correlation-{held_out}-{kind}", "correlation", (kind,), needs))
    tasks.append(Task(f"hour-{held_out}", "hour", (), (run_name("mobind", 0), store("sim", test=True)), 6.0, True))
    tasks.append(Task("speed", "speed", (), (*searches["mobind"], store("sim")), 3.0, True))
    return tasks


def work(study: Study, minutes: float | None = None) -> Left:
    """Go on with a study, for at most so many minutes; what is left afterwards.

    Tasks that cannot stop in between are only begun where their time is still there. Raises InputError where the
    work folder holds another study, or as the tasks do.
    """
    tasks = plan(study)
    _claim(study)
    end_s = float("inf") if minutes is None else time.monotonic() + 60.0 * minutes
    for name in _ONE_THREAD:  # two processes side by side, one thread each
        os.environ[name] = "1"
    left = {t.name: t for t in tasks if not study.done_file(t.name).exists()}
    running: dict[Future[bool], Task] = {}
    begun: set[str] = set()
    with workers() as pool:
        while True:
            while (task := _next(left, begun, running.values(), (end_s - time.monotonic()) / 60.0)) is not None:
                begun.add(task.name)
                log.info("%s", task.name)
                running[pool.submit(do, study, task, min((end_s - time.monotonic()) / 60.0, 1e6))] = task
            if not running:
                return Left(tuple(left))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                if future.result():
                    del left[task.name]


def _next(left: dict[str, Task], begun: set[str], running: Iterable[Task], minutes: float) -> Task | None:
    """The first task that can begin now."""
    busy = list(running)
    if len(busy) >= WORKERS or any(t.alone for t in busy):
        return None
    for task in left.values():
        ready = task.name not in begun and not any(need in left for need in task.needs)
        if ready and minutes >= max(task.minutes, _LEAST_TRAINING_MINUTES) and not (task.alone and busy):
            return task
    return None


def _claim(study: Study) -> None:
    """Mark the work folder as this study's: of its size, with its settings."""
    own = f"{study.size.name} {_settings(study)}"
    try:
        study.work.mkdir(parents=True, exist_ok=True)
        marker = study.work / "study.txt"
        if not marker.exists():
            marker.write_text(own, encoding="utf-8")
        found = marker.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"Cannot write {study.work}: {error.strerror}.", "Choose another folder with --work."
        ) from error
    if found != own:
        size = found.partition(" ")[0]
        other = f"of the size {size}, not {study.size.name}" if size != study.size.name else "with other settings"
        raise InputError(f"{study.work} holds a study {other}.", "Choose another folder with --work.")


def _settings(study: Study) -> str:
    """A fingerprint of all recipes: figures of two kinds of training must not stand in one table."""
    size = study.size
    recipes = [recipe(size, name, 0, (size.learning_rates[0], size.temperatures[0])).text for name in RUNS]
    return hashlib.sha256("".join([repr(size), *recipes]).encode()).hexdigest()[:16]
