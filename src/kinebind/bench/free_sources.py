"""What freely licensed motion costs: the universal recipe on all sets for training, and on the free ones alone.

`kinebind bench free-sources`: both trainings have the same steps, far fewer than the shipped weights had, the same
seed and the same made-up movement; judged on UTD-MHAD's odd subjects, who are development data. Plain keys are those of
all sets, `_free` of the free ones; `_gain` is by how much all sets are better, in pairs of the same cases. A training
goes on in its folder where it was stopped.
"""

from __future__ import annotations

from pathlib import Path

from kinebind.bench import utd, zero_shot_utd
from kinebind.bench.measured import Measured, compared
from kinebind.bench.short_trainings import Training, corpus_of, go_on, weights_of
from kinebind.bench.zero_shot import SLACK_S
from kinebind.tasks.binder import from_file
from kinebind.training.corpus import Corpus
from kinebind.training.ship import licence_for
from kinebind.training.universal import UniversalTraining


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the two trainings; names of those that are left when the minutes are over."""
    corpus = corpus_of(data, folder)
    return go_on(corpus, _trainings(corpus), folder, small=small, minutes=minutes)


def metrics(data: Path, folder: Path, *, small: bool) -> dict[str, float]:
    """All figures of trainings that are done, flat."""
    clips = list(utd.clips(data / "utd-mhad", utd.DEVELOPMENT))[:: 20 if small else 1]
    by: dict[str, Measured] = {}
    out: dict[str, float] = {}
    for name in ("all", "free"):
        binder = from_file(weights_of(folder, name, small=small))
        matcher = binder.matcher(told=0.0, slack_s=SLACK_S)
        by[name] = zero_shot_utd.retrieval_2s(clips, matcher) | zero_shot_utd.people(clips, matcher)
        told = binder.about["training"]
        out |= {f"{key}_{name}": float(told[key]) for key in ("steps", "pairs", "minutes")}
    return compared(by, "_dev", against="free") | out


def _trainings(corpus: Corpus) -> dict[str, Training]:
    free = tuple(name for name, terms in corpus.terms.items() if licence_for([terms]) == "CC BY 4.0")
    config = UniversalTraining()
    return {"all": Training(tuple(corpus.terms), config), "free": Training(free, config)}
