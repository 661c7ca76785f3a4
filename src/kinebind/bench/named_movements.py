"""What the procedural library of named movements brings to words: the universal recipe with it, and without.

`kinebind bench named-movements`: both trainings have the same steps, far fewer than the shipped weights had, the same
seed, motion capture and sentences; without the library, bodies that would have acted a named movement move as clips do.
Judged by the words of UTD-MHAD's 27 labels on its odd subjects, who are development data, and on held-out motion
capture. Plain keys are those with the library, `_no_library` without; `_gain` is by how much it is better with it, in
pairs of the same cases. A training goes on in its folder where it was stopped.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kinebind.bench import har_words
from kinebind.bench.measured import Measured, compared
from kinebind.bench.short_trainings import Training, corpus_of, go_on, weights_of
from kinebind.nn.sentences import SentenceEncoder
from kinebind.nn.universal import Universal
from kinebind.tasks.binder import from_file
from kinebind.training.corpus import Corpus
from kinebind.training.sentences import read_sentences, write_sentences
from kinebind.training.universal import UniversalTraining


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the two trainings; names of those that are left when the minutes are over."""
    corpus = corpus_of(data, folder)
    said = folder / "sentences.safetensors"
    if not said.exists():
        write_sentences(corpus, said)
    sentences = read_sentences(said, corpus)
    return go_on(corpus, _trainings(corpus), folder, small=small, minutes=minutes, sentences=sentences)


def metrics(data: Path, folder: Path, encoder: SentenceEncoder, *, small: bool) -> dict[str, float]:
    """All figures of trainings that are done, flat. encoder: of sentences, the one that wrote the training's."""
    by: dict[str, Measured] = {}
    held_out: dict[str, Measured] = {}
    out: dict[str, float] = {}
    for name in ("library", "no_library"):
        binder = from_file(weights_of(folder, name, small=small))
        model = binder.model
        assert isinstance(model, Universal)
        by[name] = har_words.utd_clips(data, encoder, model, final=False)
        held_out[name] = har_words.held_out(data, encoder, model, small=small)
        told = binder.about["training"]
        out |= {f"{key}_{name}": float(told[key]) for key in ("steps", "pairs", "minutes")}
    return compared(by, "_dev", against="no_library") | compared(held_out, "", against="no_library") | out


def _trainings(corpus: Corpus) -> dict[str, Training]:
    config = UniversalTraining()
    drawing = replace(config.drawing, variety=replace(config.drawing.variety, acted=0.0))
    everything = tuple(corpus.terms)
    return {
        "library": Training(everything, config),
        "no_library": Training(everything, replace(config, drawing=drawing)),
    }
