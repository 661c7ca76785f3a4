"""The benchmark of the universal model on people and sensors that it has never met: `kinebind bench zero-shot`.

On development data: UTD-MHAD's odd subjects (keys with `_dev`) and DeepMimic's clips (`sim_…`). `--final` opens the
test sets: UTD-MHAD's even subjects (`_test`), the Neura walk, CMU's motion capture (`sim_…`) and the idle files.
`--small` takes few of the cases: a look, not a result.

In the same run and on the same cases: `…_classical` is the synchroniser without the model, `…_correlation` plain
correlation, `…_syncwise` SyncWISE, `…_mobind` MoBind trained on the same clips for as many pairs. Clocks are the best
guess of `kinebind sync`, refused or not; `…_matcher` is the model's own curve alone.

It takes hours on two cores: what it has found lies in a folder, from which the same command of the same commit goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from kinebind.bench import sync as sync_bench
from kinebind.bench import utd, zero_shot_confidence, zero_shot_model, zero_shot_neura, zero_shot_sim, zero_shot_utd
from kinebind.bench.correlation_matcher import CorrelationMatcher
from kinebind.bench.kept_parts import by_parts
from kinebind.bench.measured import Measured, compared, figures
from kinebind.bench.offset_finders import ByMatcher, BySync, OffsetFinder, finder_syncwise
from kinebind.bench.processes import WORKERS
from kinebind.bench.scenes import test_sources, validation_sources
from kinebind.bench.sim_cases import SimCases
from kinebind.bench.zero_shot_mobind import MobindMatcher
from kinebind.nn.model import Model
from kinebind.tasks.binder import Binder, shipped_once
from kinebind.tasks.matching import Matcher

log = logging.getLogger(__name__)

SLACK_S = 0.04
"""By how much clocks that count as right may be off for the model; chosen on development data."""
_CONFIDENCE_EVERY = 2
"""Every second case of `kinebind bench sync`'s part on confidence."""
_SMALL = 0.05
"""Share of the cases of a quick look."""


@dataclass
class _Run:
    """What is measured, and with what."""

    data: Path
    final: bool
    share: float
    rival: Model | None = None
    binder: Binder = field(default_factory=shipped_once)

    def finders(self) -> dict[str, OffsetFinder]:
        """Ways to find a clock, the model's first."""
        return {
            "universal": BySync("universal"), "matcher": ByMatcher(self.binder.matcher()),
            "classical": BySync("classical"), "correlation": ByMatcher(CorrelationMatcher()),
            "syncwise": finder_syncwise,
        }  # fmt: skip

    def matchers(self) -> dict[str, Matcher]:
        """Ways to compare a sensor with a limb, the model's first."""
        return {"universal": self.binder.matcher(told=0.0, slack_s=SLACK_S), "correlation": CorrelationMatcher()}

    def splits(self) -> dict[str, list[utd.Clip]]:
        """Clips of UTD-MHAD by the suffix of their figures."""
        subjects = {"_dev": utd.DEVELOPMENT} | ({"_test": utd.TEST} if self.final else {})
        every = round(1.0 / self.share)
        return {suffix: list(utd.clips(self.data / "utd-mhad", own))[::every] for suffix, own in subjects.items()}


def run(
    data: Path, rival: Model | None = None, *, final: bool = False, small: bool = False, folder: Path | None = None
) -> dict[str, float]:
    """All figures, flat: key → number. `final` opens the test sets. `small` takes few of the cases.

    rival: MoBind, as `kinebind.bench.zero_shot_mobind` trains it, whose figures have `_mobind` behind their names.
    folder: where what is done is kept, as `kinebind.bench.kept_parts` says.
    """
    torch.set_num_threads(WORKERS)
    own = _Run(data, final, _SMALL if small else 1.0, rival)
    parts = (_utd, _neura, _simulated, _confidence, _training)
    return by_parts({part.__name__.strip("_"): partial(part, own) for part in parts}, folder)


def _utd(run: _Run) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for suffix, clips in run.splits().items():
        by: dict[str, Measured] = {name: zero_shot_utd.clocks(clips, find) for name, find in run.finders().items()}
        for name, matcher in run.matchers().items():
            by[name] = by[name] | zero_shot_utd.matched(clips, matcher)
        if run.rival is not None:
            own = MobindMatcher(run.rival)
            by["mobind"] = zero_shot_utd.retrieval_2s(clips, own) | zero_shot_utd.people(clips, own)
        metrics |= _beside(by, suffix) | figures(zero_shot_utd.trivial(clips), suffix)
        asked = zero_shot_model.mounting(clips, run.binder) | zero_shot_model.pose2imu(clips, run.binder)
        if all(find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime")):
            asked |= zero_shot_model.int8_loss(clips, run.binder)
        else:
            log.warning("int8_r1_loss needs the extra onnx: pip install 'kinebind[onnx]'.")
        # What there is one figure of is that of the test.
        metrics |= figures(asked, suffix) | {key: value for key, value in figures(asked).items() if suffix == "_test"}
    return metrics


def _neura(run: _Run) -> dict[str, float]:
    """Test data throughout, so only with `final`."""
    if not run.final:
        return {}
    clips = zero_shot_neura.walking(run.data / "neura-walk")[:: round(1.0 / run.share)]
    by: dict[str, Measured] = {name: zero_shot_neura.clocks(clips, find) for name, find in run.finders().items()}
    for name, matcher in run.matchers().items():
        by[name] = by[name] | zero_shot_neura.sites(clips, matcher)
    return _beside(by) | figures(zero_shot_neura.trivial(clips))


def _simulated(run: _Run) -> dict[str, float]:
    sources = (test_sources if run.final else validation_sources)(run.data)
    cases = SimCases(sources, share=run.share, shared_out=True)
    by: dict[str, Measured] = {}
    for name, find in run.finders().items():
        by[name] = zero_shot_sim.headline(cases, find)
        if name != "matcher":  # the model's curve with nothing beside it is no product
            by[name] |= zero_shot_sim.curves(cases, find)
    for name, matcher in run.matchers().items():
        by[name] = by[name] | zero_shot_sim.matched(cases, matcher)
    return _beside(by) | figures(zero_shot_sim.trivial(cases))


def _confidence(run: _Run) -> dict[str, float]:
    suffix, clips = list(run.splits().items())[-1]
    neura_folder = run.data / "neura-walk" if run.final else None
    metrics: dict[str, float] = {}
    for name in ("universal", "classical"):
        found = zero_shot_confidence.real(clips, neura_folder, name)
        behind = "" if name == "universal" else f"_{name}"
        metrics |= {f"{key}{behind}{'' if run.final else suffix}": value for key, value in found.items()}
    sources = (test_sources if run.final else validation_sources)(run.data)
    count = max(4, round(zero_shot_confidence.CROWDS * run.share))
    metrics |= figures(zero_shot_confidence.nobody(sources, count))
    return metrics | sync_bench.confidence(run.data, run.final, round(_CONFIDENCE_EVERY / run.share))


def _training(run: _Run) -> dict[str, float]:
    """What the shipped weights cost, as their file says."""
    told = run.binder.about.get("training", {})
    size = sum(p.numel() for p in run.binder.model.parameters()) if isinstance(run.binder.model, torch.nn.Module) else 0
    return {
        "cpu_minutes": float(told.get("minutes", np.nan)), "training_pairs": float(told.get("pairs", np.nan)),
        "parameters": float(size),
    }  # fmt: skip


def _beside(by: Mapping[str, Measured], suffix: str = "") -> dict[str, float]:
    """Figures of all methods, and by how much the model is better than the classical way, and than correlation."""
    out = compared(by, suffix, against="classical")
    only = {name: by[name] for name in ("universal", "correlation")}
    return out | {
        key.replace("_gain", "_gain_on_correlation"): value
        for key, value in compared(only, suffix).items()
        if "_gain" in key
    }
