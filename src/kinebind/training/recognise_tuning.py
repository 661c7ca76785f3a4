"""Tuning a recogniser to labelled stretches: few or many, of sensors, of limbs, or of both.

Windows are cut and changed anew at every step. The weights that answer are an average over the steps.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.nn.recogniser import Recogniser, RecogniserConfig, StreamModel, Streams
from kinebind.nn.universal import Universal
from kinebind.tasks.recognise.by_examples import Looks
from kinebind.tasks.recognise.stretches import Labelled
from kinebind.training.precision import bf16_where_quick
from kinebind.training.recognise_windows import Changes, batch_of

log = logging.getLogger(__name__)


Model = TypeVar("Model", bound=StreamModel)


@dataclass(frozen=True)
class RecogniseTuning:
    """How a recogniser is tuned. frozen: the universal encoders stay as they are. learning_rate: of what is new,
    encoder_rate: of the encoders. smoothing: of labels. mixed: strength of mixing two windows and their labels.
    balance: weight of the experts' load. mean_keep: of the average over the steps. alone: share of the windows that
    show a labelled piece with nothing of what lies around it.
    """

    steps: int = 600
    batch: int = 48
    looks: Looks = field(default_factory=Looks)
    changes: Changes = field(default_factory=Changes)
    frozen: bool = False
    experts: int = 4
    learning_rate: float = 2e-3
    encoder_rate: float = 5e-4
    weight_decay: float = 0.05
    warm_steps: int = 40
    smoothing: float = 0.1
    mixed: float = 0.2
    balance: float = 0.01
    mean_keep: float = 0.98
    alone: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.warm_steps) < 1:
            raise InputError("Tuning needs a step and a window at least.", "Give more.")
        if not 0.0 <= self.alone <= 1.0:
            raise InputError(f"alone = {self.alone} is no share.", "Give 0 to 1.")


def tune_recogniser(
    universal: Universal,
    known: Sequence[Labelled],
    classes: int,
    config: RecogniseTuning = RecogniseTuning(),
) -> Recogniser:
    """A recogniser of `classes` tuned to known stretches; the same seed gives the same.

    Raises InputError where nothing is known, or nothing of more than one class.
    """
    if len({k.label for k in known}) < 2:
        raise InputError(
            f"{len(known)} labelled stretches show {len({k.label for k in known})} classes.", "Label at least two."
        )
    with torch.random.fork_rng([]):
        torch.manual_seed(config.seed)
        model = Recogniser(universal, RecogniserConfig(classes, experts=config.experts))
        encoders = [p for part in (model.felt, model.seen) for p in part.parameters()]
        for p in encoders:
            p.requires_grad_(not config.frozen)
        return fit(model, encoders, known, classes, config)


def fit(
    model: Model, encoders: Sequence[nn.Parameter], known: Sequence[Labelled], classes: int, config: RecogniseTuning
) -> Model:
    """A model trained on known stretches: its average over the
    steps. encoders: its parameters that learn at `encoder_rate`, where they learn.
    """
    generator = torch.Generator().manual_seed(config.seed)
    own = {id(p) for p in encoders}
    rest = [p for p in model.parameters() if id(p) not in own]
    groups: list[dict[str, Any]] = [{"params": rest}, {"params": [p for p in encoders if p.requires_grad]}]
    rates = [config.learning_rate, config.encoder_rate]
    optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    mean = copy.deepcopy(model)
    weight = _chances(known, classes)
    began_s = time.monotonic()
    for step in range(config.steps):
        share = step / config.steps
        factor = min(1.0, (step + 1) / config.warm_steps) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        chosen = torch.multinomial(weight, config.batch, replacement=True, generator=generator).tolist()
        bare = torch.rand(config.batch, generator=generator) < config.alone
        stretches = [own.alone() if b else own for b, own in zip(bare, (known[k].stretch for k in chosen), strict=True)]
        streams = batch_of(stretches, config.looks, changes=config.changes, generator=generator)
        target = functional.one_hot(torch.tensor([known[k].label for k in chosen]), classes).float()
        if config.mixed:
            streams, target = _mixed(streams, target, config.mixed, generator)
        model.train()
        with bf16_where_quick(target.device) if model.bf16 else contextlib.nullcontext():
            logits = model(streams)
        loss = functional.cross_entropy(logits.float(), target, label_smoothing=config.smoothing)
        total = loss + config.balance * model.balance()
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        keep = min(config.mean_keep, (1.0 + step) / (10.0 + step))
        with torch.no_grad():
            for a, b in zip(mean.parameters(), model.parameters(), strict=True):
                a.lerp_(b, 1.0 - keep)
    log.info("tuned for %d steps in %.0f s, loss %.3f", config.steps, time.monotonic() - began_s, float(loss.detach()))
    return mean.eval()


def logits_of(
    model: StreamModel,
    asked: Sequence[Labelled],
    config: RecogniseTuning,
    places: Sequence[float] = (0.0, 0.5, 1.0),
    *,
    alone: bool = True,
) -> Tensor:
    """Logits (M, classes) of stretches: the logarithm of the mean probability over a few windows of each, at places
    from its beginning, 0, to its end, 1. alone: of labelled pieces with nothing around them, as if cut out by hand.
    """
    model.eval()
    out = []
    with torch.inference_mode():
        for start in range(0, len(asked), config.batch):
            own = [k.stretch for k in asked[start : start + config.batch]]
            some = [stretch.alone() for stretch in own] if alone else own
            found = [model(batch_of(some, config.looks, place)).softmax(dim=-1) for place in places]
            out.append(torch.stack(found).mean(dim=0).clamp_min(1e-9).log())
    return torch.cat(out)


def _chances(known: Sequence[Labelled], classes: int) -> Tensor:
    """Classes as often as the root of how often they are there: rare ones more than their share."""
    labels = torch.tensor([k.label for k in known])
    counts = torch.bincount(labels, minlength=classes).clamp_min(1).float()
    return counts[labels].rsqrt()


def _mixed(streams: Streams, target: Tensor, strength: float, generator: torch.Generator) -> tuple[Streams, Tensor]:
    """Every window with a little of another (mixup, arXiv 1710.09412)."""
    other = torch.randperm(target.shape[0], generator=generator)
    share = 0.5 * strength * torch.rand(target.shape[0], generator=generator)

    def mix(x: Tensor) -> Tensor:
        w = share.view(-1, *([1] * (x.dim() - 1)))
        return (1.0 - w) * x + w * x[other]

    mixed = Streams(
        mix(streams.felt), mix(streams.axes), streams.felt_site, streams.felt_there,
        mix(streams.seen), streams.site, streams.seen_there,
    )  # fmt: skip
    return mixed, mix(target)
