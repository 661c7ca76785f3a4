"""What freely licensed motion costs: the universal recipe on all sets for training, and on the free ones alone.

`kinebind bench free-sources`: both trainings have the same steps, far fewer than the shipped weights had, the same
seed and the same made-up movement; judged on UTD-MHAD's odd subjects, who are development data. Plain keys are those of
all sets, `_free` of the free ones; `_gain` is by how much all sets are better, in pairs of the same cases. A training
goes on in its folder where it was stopped.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import torch

from kinebind.bench import utd, zero_shot_utd
from kinebind.bench.measured import Measured, compared
from kinebind.bench.processes import WORKERS
from kinebind.bench.zero_shot import SLACK_S
from kinebind.readers.motion_sets import MOTION_SETS, motion_files
from kinebind.tasks.binder import from_file
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_build import build_corpus
from kinebind.training.draw.moves import Library
from kinebind.training.ship import licence_for, ship
from kinebind.training.universal import Trainer, UniversalTraining

log = logging.getLogger(__name__)

STEPS = 1000
SMALL_STEPS = 4


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the two trainings; names of those that are left when the minutes are over."""
    torch.set_num_threads(WORKERS)
    end_s = float("inf") if minutes is None else time.monotonic() + 60.0 * minutes
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus.open(_corpus(data, folder))
    left = []
    for name, sources in _sources(corpus).items():
        if _weights(folder, name, small).exists():
            continue
        spare = None if minutes is None else (end_s - time.monotonic()) / 60.0
        if spare is not None and spare <= 0:
            left.append(name)
            continue
        config = UniversalTraining(steps=SMALL_STEPS if small else STEPS)
        own = corpus.of_sources(sources)
        trainer = Trainer(config, _weights(folder, name, small).parent, "cpu")
        log.info("%s: %s, step %d of %d", name, ", ".join(sources), trainer.step, config.steps)
        weights = {key: value for key, value in config.source_weights.items() if key in sources}
        if trainer.train(Library.of(own, weights), spare):
            ship(trainer.folder / "state.pt", _weights(folder, name, small))
        else:
            left.append(name)
    return left


def metrics(data: Path, folder: Path, *, small: bool) -> dict[str, float]:
    """All figures of trainings that are done, flat."""
    clips = list(utd.clips(data / "utd-mhad", utd.DEVELOPMENT))[:: 20 if small else 1]
    by: dict[str, Measured] = {}
    out: dict[str, float] = {}
    for name in ("all", "free"):
        binder = from_file(_weights(folder, name, small))
        matcher = binder.matcher(told=0.0, slack_s=SLACK_S)
        by[name] = zero_shot_utd.retrieval_2s(clips, matcher) | zero_shot_utd.people(clips, matcher)
        told = binder.about["training"]
        out |= {f"{key}_{name}": float(told[key]) for key in ("steps", "pairs", "minutes")}
    return compared(by, "_dev", against="free") | out


def _weights(folder: Path, name: str, small: bool) -> Path:
    return folder / (f"{name}-small" if small else name) / "universal.safetensors"


def _corpus(data: Path, folder: Path) -> Path:
    """The corpus of all sets for training that there are, made where it is not there yet."""
    path = folder / "train.kbcorpus"
    if not path.exists():
        sets = [own for own in MOTION_SETS.values() if own.use == "train" and (data / own.name).is_dir()]
        files = [file for own in sets for file in motion_files(own.name, data / own.name)]
        build_corpus(files, path, {own.name: own.terms for own in sets}, jobs=WORKERS)
    return path


def _sources(corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """The sources that each training learns from."""
    free = tuple(name for name, terms in corpus.terms.items() if licence_for([terms]) == "CC BY 4.0")
    return {"all": tuple(corpus.terms), "free": free}
