"""What the procedural library of named movements brings to words, and whether words cost anything elsewhere.

`kinebind bench named-movements` trains the universal recipe as it is, without the library, and without words. The
trainings have the same steps, far fewer than the shipped weights had, the same seed and motion capture; without the
library, bodies that would have acted a named movement move as clips do. Words are judged by UTD-MHAD's 27 labels on its
odd subjects, who are development data, and on held-out motion capture; all else by clocks and retrieval on the same
subjects. Plain keys are those of the recipe, `_no_library` and `_no_words` of the others; `_gain` is by how much the
recipe is better, in pairs of the same cases. A training goes on in its folder where it was stopped.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kinebind.bench import har_words, utd, zero_shot_utd
from kinebind.bench.measured import Measured, compared
from kinebind.bench.offset_finders import ByMatcher
from kinebind.bench.trainings import SHORT_STEPS, Training, corpus_of, go_on, weights_of
from kinebind.bench.zero_shot import SLACK_S
from kinebind.nn.sentences import SentenceEncoder
from kinebind.nn.universal import Universal
from kinebind.tasks.binder import from_file
from kinebind.training.corpus import Corpus
from kinebind.training.universal import UniversalTraining


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the trainings; names of those that are left when the minutes are over."""
    corpus = corpus_of(data, folder)
    return go_on(corpus, _trainings(corpus), folder, small=small, minutes=minutes)


def metrics(data: Path, folder: Path, encoder: SentenceEncoder, *, small: bool) -> dict[str, float]:
    """All figures of trainings that are done, flat. encoder: of sentences, the one that wrote the training's."""
    clips = list(utd.clips(data / "utd-mhad", utd.DEVELOPMENT))[:: 20 if small else 1]
    words: dict[str, Measured] = {}
    held_out: dict[str, Measured] = {}
    sync: dict[str, Measured] = {}
    out: dict[str, float] = {}
    for name in ("recipe", "no_library", "no_words"):
        binder = from_file(weights_of(folder, name, small=small))
        model = binder.model
        assert isinstance(model, Universal)
        if name != "no_words":
            words[name] = har_words.utd_clips(data, encoder, model, final=False)
            held_out[name] = har_words.held_out(data, encoder, model, small=small)
        if name != "no_library":
            matcher = binder.matcher(told=0.0, slack_s=SLACK_S)
            sync[name] = zero_shot_utd.clip_sync(clips, ByMatcher(binder.matcher())) | zero_shot_utd.retrieval_2s(
                clips, matcher
            )
        told = binder.about["training"]
        out |= {f"{key}_{name}": float(told[key]) for key in ("steps", "pairs", "minutes")}
    return (
        out
        | compared(words, "_dev", against="no_library")
        | compared(held_out, "", against="no_library")
        | compared(sync, "_dev", against="no_words")
    )


def _trainings(corpus: Corpus) -> dict[str, Training]:
    config = UniversalTraining(steps=SHORT_STEPS)
    drawing = replace(config.drawing, variety=replace(config.drawing.variety, acted=0.0))
    everything = tuple(corpus.terms)
    return {
        "recipe": Training(everything, config),
        "no_library": Training(everything, replace(config, drawing=drawing)),
        "no_words": Training(everything, config, words=False),
    }
