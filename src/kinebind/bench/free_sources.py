"""What freely licensed motion costs: the universal recipe on all sets for training, and on the free ones alone.

`kinebind bench free-sources`: one of the two are the weights in the package, told by the sets that their file names;
the other are trained for as many steps, with the same seed, and the same made-up and named movement. Both are judged on
development data, real and simulated, by the model's own curve with no plain cues beside it. Plain keys are those of
all sets, `_free` of the free ones; `_gain` is by how much all sets are better, in pairs of the same cases. The training
takes hours on two cores and goes on in its folder where it was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinebind.bench import utd, zero_shot_sim, zero_shot_utd
from kinebind.bench.measured import Measured, compared
from kinebind.bench.offset_finders import ByMatcher
from kinebind.bench.scenes import validation_sources
from kinebind.bench.sim_cases import SimCases
from kinebind.bench.trainings import SMALL_STEPS, Training, corpus_of, go_on, weights_of
from kinebind.bench.zero_shot import SLACK_S
from kinebind.errors import InputError
from kinebind.tasks.binder import Binder, from_file, shipped_once
from kinebind.training.corpus import Corpus
from kinebind.training.ship import licence_for
from kinebind.training.universal import UniversalTraining


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the training of those weights that are not in the package; its name if it is not done in time."""
    corpus = corpus_of(data, folder)
    other = _other()
    sources = tuple(corpus.terms) if other == "all" else _free(corpus)
    config = UniversalTraining(steps=_steps(shipped_once()))
    return go_on(corpus, {other: Training(sources, config)}, folder, small=small, minutes=minutes)


def metrics(data: Path, folder: Path, *, small: bool) -> dict[str, float]:
    """All figures, flat. Raises InputError where the training in the folder was of other steps than the package's."""
    share = 0.05 if small else 1.0
    clips = list(utd.clips(data / "utd-mhad", utd.DEVELOPMENT))[:: round(1.0 / share)]
    cases = SimCases(validation_sources(data), share=share, shared_out=True)
    path = weights_of(folder, _other(), small=small)
    other = from_file(path)
    binders = {"all": shipped_once(), "free": shipped_once()} | {_other(): other}
    wanted = SMALL_STEPS if small else _steps(shipped_once())
    if _steps(other) != wanted:
        raise InputError(
            f"{path} was trained for {_steps(other)} steps, and not for {wanted}.",
            "Remove its folder and train anew.",
        )
    out: dict[str, float] = {}
    for name, binder in binders.items():
        told = binder.about["training"]
        out |= {f"{key}_{name}": float(told[key]) for key in ("steps", "pairs", "minutes")}
    real = {name: _real(clips, binder) for name, binder in binders.items()}
    made = {name: _simulated(cases, binder) for name, binder in binders.items()}
    return out | compared(real, "_dev", against="free") | compared(made, against="free")


def _real(clips: Sequence[utd.Clip], binder: Binder) -> Measured:
    matcher = binder.matcher(told=0.0, slack_s=SLACK_S)
    return (
        zero_shot_utd.retrieval_2s(clips, matcher)
        | zero_shot_utd.people(clips, matcher)
        | zero_shot_utd.clip_sync(clips, ByMatcher(binder.matcher()))
    )


def _simulated(cases: SimCases, binder: Binder) -> Measured:
    matcher = binder.matcher(told=0.0, slack_s=SLACK_S)
    return zero_shot_sim.headline(cases, ByMatcher(binder.matcher())) | zero_shot_sim.sites(cases, matcher)


def _free(corpus: Corpus) -> tuple[str, ...]:
    return tuple(name for name, terms in corpus.terms.items() if licence_for([terms]) == "CC BY 4.0")


def _other() -> str:
    """Which weights are not in the package: "all", or those of the "free" sets."""
    terms = [own["terms"] for own in shipped_once().about["data"].values()]
    return "all" if licence_for(terms) == "CC BY 4.0" else "free"


def _steps(binder: Binder) -> int:
    return int(binder.about["training"]["steps"])
