"""Trainings of the universal recipe that are compared with each other: the same steps and seed, and folders in which
they go on where they were stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from kinebind.bench.processes import WORKERS
from kinebind.readers.motion_sets import MOTION_SETS, motion_files
from kinebind.training.corpus import Corpus
from kinebind.training.corpus_build import build_corpus
from kinebind.training.draw.moves import Library
from kinebind.training.sentences import Sentences, read_sentences, write_sentences
from kinebind.training.ship import ship
from kinebind.training.universal import Trainer, UniversalTraining

log = logging.getLogger(__name__)

SHORT_STEPS = 1000
"""Enough to compare, and far fewer than the shipped weights had."""
SMALL_STEPS = 4


@dataclass(frozen=True)
class Training:
    """What one of them learns from: sources of a corpus, how its windows are drawn, and whether it learns words.

    Its words are those of its own sources' labels and of the named movements.
    """

    sources: tuple[str, ...]
    config: UniversalTraining
    words: bool = True


def corpus_of(data: Path, folder: Path) -> Corpus:
    """All sets for training that there are, put together in the folder where they are not there yet."""
    path = folder / "train.kbcorpus"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sets = [own for own in MOTION_SETS.values() if own.use == "train" and (data / own.name).is_dir()]
        files = [file for own in sets for file in motion_files(own.name, data / own.name)]
        build_corpus(files, path, {own.name: own.terms for own in sets}, jobs=WORKERS)
    return Corpus.open(path)


def go_on(
    corpus: Corpus,
    trainings: Mapping[str, Training],
    folder: Path,
    *,
    small: bool,
    minutes: float | None = None,
) -> list[str]:
    """Go on with trainings by name; names of those that are left when the minutes are over.

    Raises InputError as `kinebind.training.sentences.write_sentences`.
    """
    torch.set_num_threads(WORKERS)
    end_s = float("inf") if minutes is None else time.monotonic() + 60.0 * minutes
    left = []
    for name, own in trainings.items():
        if weights_of(folder, name, small=small).exists():
            continue
        spare = None if minutes is None else (end_s - time.monotonic()) / 60.0
        if spare is not None and spare <= 0:
            left.append(name)
            continue
        config = replace(own.config, steps=SMALL_STEPS) if small else own.config
        place = weights_of(folder, name, small=small)
        learnt = corpus.of_sources(own.sources)
        sentences = _sentences_of(learnt, place.with_name("sentences.safetensors")) if own.words else None
        trainer = Trainer(config, place.parent, "cpu", sentences=sentences)
        log.info("%s: %s, step %d of %d", name, ", ".join(own.sources), trainer.step, config.steps)
        weights = {key: value for key, value in config.source_weights.items() if key in own.sources}
        if trainer.train(Library.of(learnt, weights), spare):
            ship(trainer.folder / "state.pt", place)
        else:
            left.append(name)
    return left


def weights_of(folder: Path, name: str, *, small: bool) -> Path:
    """Where a training leaves its weights."""
    return folder / (f"{name}-small" if small else name) / "universal.safetensors"


def _sentences_of(corpus: Corpus, path: Path) -> Sentences:
    """What those who learn words learn from, embedded where that has not been done yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sentences(corpus, path)
    return read_sentences(path, corpus)
