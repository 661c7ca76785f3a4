"""The single pieces of work of the study, each of which leaves one file when it is done, and how each is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinebind.bench.mobind_correlation import load_cues, save_cues, sync_errors_s, windowed_jobs
from kinebind.bench.mobind_data import Chunk, chunks, made_up_chunks, made_up_sources, takes, utd_takes
from kinebind.bench.mobind_measures import SPEED_BATCH, Measured, hours, recognised, step_speeds, synchronised, windowed
from kinebind.bench.mobind_runs import CONTRACTS, RUNS, Size, recipe
from kinebind.bench.mobind_takes import StudyTake
from kinebind.bench.scenes import Bodies, test_sources, validation_sources
from kinebind.nn.checkpoint import load as load_model
from kinebind.store import written_whole
from kinebind.tasks.embed import token_places
from kinebind.training.batches import samples_of
from kinebind.training.jobs import Subject
from kinebind.training.loop import BEST, train
from kinebind.training.speed import measure_speed
from kinebind.training.store import WindowStore, open_store, store_from_recordings
from kinebind.training.windows import entries_by_split, split_windows

DROPPED = (0, 1, 2, 3)
CLIP_S, LONG_CLIPS_S = 20.0, (120.0, 180.0)
SEARCH_SHARE = 0.25
"""Of the epochs, in the search for learning rate and temperature."""
_PLACES_FROM = 1024  # windows
_SEED = 0  # of clips and of sensors that are dropped: the same for all models


@dataclass(frozen=True)
class Study:
    """A study. data: the unpacked data sets, None for one of made-up people. work: its folder. final: opens the test
    sources. device: of the trainings.
    """

    size: Size
    data: Path | None
    work: Path
    final: bool = False
    device: str = "cpu"

    @property
    def held_out(self) -> str:
        """The split whose figures are made."""
        return "test" if self.final else "val"

    @cached_property
    def chunks(self) -> list[Chunk]:
        """What of the data is simulated, for this and, with `final`, for the test."""
        if self.data is None:
            return made_up_chunks()
        return chunks(self.data, passes=self.size.passes, final=self.final)

    @property
    def opened_test(self) -> bool:
        """Whether a final run of this study has begun."""
        return self.store_folder("sim", test=True).exists()

    @property
    def has_utd(self) -> bool:
        """Whether UTD-MHAD is at hand."""
        return self.data is not None and (self.data / "utd-mhad").is_dir()

    def done_file(self, task: str) -> Path:
        """Where a task's figures are."""
        return self.work / "done" / f"{task}.json"

    def figures(self, task: str) -> Any:
        """The figures of a task that is done."""
        return json.loads(self.done_file(task).read_text(encoding="utf-8"))

    def store(self, kind: str, *, training: bool = False) -> WindowStore:
        """A store that has been made, with the test takes where those are asked for.

        training: always without them, so that a training that began before a final run goes on in it.
        """
        test = self.final and not training and kind != "har"
        return open_store(self.store_folder(kind, test=test))

    def store_folder(self, kind: str, *, test: bool) -> Path:
        """Where a store is, with or without the test takes."""
        return self.work / "stores" / (f"{kind}-test" if test else kind)


@dataclass(frozen=True)
class Task:
    """A piece of work. name: of the file it leaves. kind: of `KINDS`, with its arguments. needs: tasks before it.

    minutes: it takes at most, on two cores that do nothing else; 0 where it can stop anywhere. alone: nothing else may
    run beside it, as it is timed.
    """

    name: str
    kind: str
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    minutes: float = 1.0
    alone: bool = False


def do(study: Study, task: Task, minutes: float) -> bool:
    """Do a task, a training for at most so many minutes; whether it is finished. Leaves its figures."""
    torch.set_num_threads(WORKER_THREADS if not task.alone else ALONE_THREADS)
    figures = KINDS[task.kind](study, minutes, *task.arguments)
    if figures is None:
        return False
    target = study.done_file(task.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as part:
        part.write_text(json.dumps(figures), encoding="utf-8")
    return True


WORKER_THREADS, ALONE_THREADS = 1, 2


def _chunk(study: Study, minutes: float, name: str) -> Measured:
    (chunk,) = (c for c in study.chunks if c.name == name)
    (study.work / "takes").mkdir(parents=True, exist_ok=True)
    chunk.make(study.work / "takes" / f"{name}.npz")
    return {}


def _store(study: Study, minutes: float, kind: str, until: str) -> Measured:
    """One store, until "train" (which has validation too) or "test"."""
    test = until == "test"
    folder = study.store_folder(kind, test=test)
    cues = {}

    def kept(found: Iterable[StudyTake], split: str) -> Iterator[StudyTake]:
        for own in found:
            if own.take.meta[split] == ("test" if test else "val"):
                cues[own.take.name] = own.cues
            yield own

    if kind == "utd":
        assert study.data is not None
        found = kept(utd_takes(study.data / "utd-mhad", final=test), "central")
    elif kind == "har":
        found = takes(study.work / "takes", study.chunks, ("har-known", "har-valid", "har-asked"))
    else:
        sets = ("train", "val", "val-long", *(("test", "test-long") if test else ()))
        found = kept(takes(study.work / "takes", study.chunks, sets), "split")
    contract = CONTRACTS["sim" if kind == "har" else kind]
    store_from_recordings((t.as_published() if kind == "ego" else t.take for t in found), contract, folder)
    save_cues(folder / "cues.npz", cues)
    return {}


def search_name(kind: str, rate: float, temperature: float) -> str:
    """The task that trains one of a kind's settings."""
    return f"search-{kind}-{rate:g}-{temperature:g}"


def found(study: Study, kind: str) -> tuple[float, float]:
    """Learning rate and temperature with the best validation R@1 in the search of a kind of model."""
    settings = [(rate, t) for rate in study.size.learning_rates for t in study.size.temperatures]
    return max(settings, key=lambda own: study.figures(search_name(kind, *own))["best_r1"])


def _search(study: Study, minutes: float, kind: str, rate: str, temperature: str) -> Measured | None:
    own = recipe(study.size, kind, 0, (float(rate), float(temperature)), epochs_share=SEARCH_SHARE)
    name = search_name(kind, float(rate), float(temperature))
    return _trained(study, minutes, name, own, "sim")


def run_name(run: str, seed: int) -> str:
    """The task that trains a run, and its folder."""
    return f"run-{run}-{seed}"


def _run(study: Study, minutes: float, run: str, seed: str) -> Measured | None:
    own = recipe(study.size, run, int(seed), found(study, RUNS[run].kind))
    after = RUNS[run].after
    init = study.work / "runs" / run_name(after, int(seed)) / BEST if after else None
    return _trained(study, minutes, run_name(run, int(seed)), own, RUNS[run].store, init)


def _trained(
    study: Study, minutes: float, name: str, own: Any, store: str, init: Path | None = None
) -> Measured | None:
    folder, data = study.work / "runs" / name, study.store(store, training=True)
    outcome = train(own, own.build(), data, folder, device=study.device, init=init, max_minutes=minutes)
    if not outcome.finished:
        return None
    samples = samples_of(split_windows(data, own.contract, own.data, "train"), own.train)[0].size
    size = min(own.train.batch_size, samples)
    steps = outcome.epochs * (samples // size)
    return {
        "best_r1": outcome.best_r1, "best_epoch": outcome.best_epoch, "epochs": outcome.epochs, "steps": steps,
        "windows_per_s": outcome.windows_per_s, "data_wait_share": outcome.data_wait_share,
        "minutes": steps * size / outcome.windows_per_s / 60.0, "history": outcome.history,
    }  # fmt: skip


def subject(study: Study, run: str, seed: int, store: str = "", **data: Any) -> Subject:
    """A trained run on the split whose figures are made; data: changes to the recipe's [data]."""
    own = recipe(study.size, run, seed, found(study, RUNS[run].kind))
    own = own.changed({f"data.{key}": value for key, value in data.items()}) if data else own
    model = load_model(study.work / "runs" / run_name(run, seed) / BEST)
    split = "test" if store == "har" else study.held_out
    return Subject(model, own, study.store(store or RUNS[run].store), split, study.device)


def _windows(study: Study, minutes: float, run: str, seed: str) -> Measured:
    if RUNS[run].store != "utd":
        return windowed(subject(study, run, int(seed)), DROPPED)
    central = windowed(subject(study, run, int(seed), group="central"), (0,))
    activities = recognised(subject(study, run, int(seed), group="har", stride_s=0.1), 0)
    return {"metrics": central["metrics"] | activities["metrics"], "plots": central["plots"]}


def _sync(study: Study, minutes: float, run: str, seed: str, clip_s: str) -> Measured:
    """Clips of takes that do not repeat themselves, and apart of those that do; long ones of all."""
    length_s = float(clip_s)
    if length_s > CLIP_S:
        return synchronised(subject(study, run, int(seed), **_long_takes(study, length_s)), length_s, 1)
    splits: dict[str, Any] = {name: [name] for name in ("train", "val", "test")}
    out = synchronised(subject(study, run, int(seed), group="sync", **splits), length_s, study.size.draws)
    if run == "mobind" and any(e.meta["sync"] == f"{study.held_out}-periodic" for e in study.store("sim").entries):
        splits[study.held_out] = [f"{study.held_out}-periodic"]
        apart = synchronised(subject(study, run, int(seed), group="sync", **splits), length_s, study.size.draws)
        out["metrics"] |= {f"periodic_{key}": value for key, value in apart["metrics"].items()}
    return out


def _long_takes(study: Study, clip_s: float) -> dict[str, Any]:
    """[data] that chooses the long takes: all for the longest clips, those of one pass for the others, of which a take
    gives more.
    """
    own = [c for c in study.chunks if c.set == f"{study.held_out}-long"]
    first = [c for c in own if c.seed[-1] == 0 or clip_s == max(LONG_CLIPS_S)]
    scenes = [f"{c.name}-0" for c in first]
    train_scenes = sorted({e.meta["scene"] for e in study.store("sim").entries if e.meta["split"] == "train"})
    return {"group": "scene", "train": train_scenes, "val": [], "test": [], study.held_out: scenes}


def _har(study: Study, minutes: float, run: str, seed: str) -> Measured:
    store = study.store("har")
    own = subject(
        study, run, int(seed), "har", group="split", classes=sorted(store.label_names), stride_s=1.0,
        train=["har-known"], val=["har-valid"], test=["har-asked"],
    )  # fmt: skip
    return recognised(own, study.size.finetune_epochs if run in FINETUNED else 0)


def _correlation(study: Study, minutes: float, kind: str) -> Measured:
    store = study.store(kind)
    cues = load_cues(store.folder / "cues.npz")
    own = recipe(study.size, "utd_mobind" if kind == "utd" else "mobind", 0, (1e-3, 0.07))
    if kind == "utd":
        own = own.changed({"data.group": "central"})
    windows = split_windows(store, own.contract, own.data, study.held_out)
    metrics = windowed_jobs(store, windows, cues)
    if kind == "sim":
        entries = entries_by_split(store, own.changed({"data.group": "sync"}).data)[study.held_out].tolist()
        errors = sync_errors_s(store, entries, cues, study.size.draws, _SEED, CLIP_S)
        metrics |= {"mae_s": float(errors.mean()), "within_200ms": float(np.mean(errors <= 0.2))}
    return {"metrics": metrics, "plots": {}}


def _hour(study: Study, minutes: float) -> Measured:
    own = subject(study, "mobind", 0)
    windows = own.windows("train")
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), _PLACES_FROM)).astype(np.intp)
    places = token_places(own.model, own.batches(windows.take(chosen)), own.device)
    torch.set_num_threads(1)
    if study.data is None:
        return hours(own.model, places, Bodies(made_up_sources()), 120.0)
    sources = test_sources(study.data) if study.final else validation_sources(study.data)
    return hours(own.model, places, Bodies(sources), 3600.0)


def _speed(study: Study, minutes: float) -> Measured:
    own = recipe(study.size, "mobind", 0, found(study, "mobind"))
    data = study.store("sim", training=True)
    measured = measure_speed(own, data, steps=3 if study.data is None else 20)
    metrics = {
        "data_wait_share": measured.data_wait_share, "train_share_of_bare": measured.share_of_bare,
        "study_windows_per_s": measured.windows_per_s,
    }  # fmt: skip
    return {"metrics": metrics | step_speeds(8 if study.data is None else SPEED_BATCH), "plots": {}}


FINETUNED = ("mobind", "token", "imu2clip")
KINDS: dict[str, Callable[..., Measured | None]] = {
    "chunk": _chunk, "store": _store, "search": _search, "run": _run, "windows": _windows, "sync": _sync, "har": _har,
    "correlation": _correlation, "hour": _hour, "speed": _speed,
}  # fmt: skip
"""How each kind of task is done; a training gives None where its time was up."""
