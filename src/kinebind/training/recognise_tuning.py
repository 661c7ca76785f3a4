"""Tuning a recogniser to labelled windows: few or many, of sensors, of limbs, or of both.

Windows are cut and changed anew at every step: begun elsewhere, sped up or slowed down, turned a little on the wrist,
louder or softer, with a stream left out. The weights that answer are an average over the steps.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.nn.felt_channels import felt_channels
from kinebind.nn.recogniser import AXES, Recogniser, RecogniserConfig, Streams
from kinebind.nn.seen_channels import seen_channels
from kinebind.nn.universal import RATE_HZ, UNKNOWN_SITE, Universal
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.streams import felt_stream, seen_stream
from kinebind.training.draw.turns import from_rotvec, rotate

log = logging.getLogger(__name__)

_TURN_RATE = 3.0  # rad/s that counts as one


@dataclass(frozen=True, eq=False)
class FeltSample:
    """A sensor on the grid: acc, gyr (S, 3) in the gravity frame, own (S, AXES) on its own axes, valid (S,)."""

    acc: Tensor
    gyr: Tensor
    own: Tensor
    valid: Tensor
    has_gyr: bool
    site: int


@dataclass(frozen=True, eq=False)
class SeenSample:
    """A person on the grid: metres (S, 17, 2), seen (S, 17)."""

    metres: Tensor
    seen: Tensor


@dataclass(frozen=True, eq=False)
class Labelled:
    """A stretch that shows one activity: its sensors, its person's poses if any, its class, and whose it is."""

    felt: tuple[FeltSample, ...]
    seen: SeenSample | None
    label: int
    group: str = ""

    @property
    def samples(self) -> int:
        """How long it is, on the grid."""
        lengths = [f.acc.shape[0] for f in self.felt] + ([self.seen.metres.shape[0]] if self.seen else [])
        return max(lengths)


def felt_sample(imu: Imu, *, told: bool = True) -> FeltSample:
    """A sensor, prepared. told: whether the model is told the sensor's site."""
    stream = felt_stream(imu)
    time_s = (stream.first + np.arange(stream.valid.size)) / RATE_HZ
    new = imu.resample(time_s)
    gyr = np.zeros_like(new.acc_sensor) if new.gyr_sensor is None else new.gyr_sensor / _TURN_RATE
    own = np.nan_to_num(np.concatenate([new.acc_sensor / GRAVITY_M_S2, gyr], axis=1))
    site = UNKNOWN_SITE if imu.site is None or not told else SITES.index(imu.site)
    acc, turning, axes = (torch.as_tensor(x, dtype=torch.float32) for x in (stream.acc, stream.gyr, own))
    return FeltSample(acc, turning, axes, torch.as_tensor(stream.valid), stream.has_gyr, site)


def seen_sample(poses: Poses) -> SeenSample:
    """A person, prepared."""
    stream = seen_stream(poses)
    return SeenSample(stream.metres, stream.seen)


@dataclass(frozen=True)
class RecogniseTuning:
    """How a recogniser is tuned. window_s: what it looks at at once. limbs: sites of the body that it looks at.

    frozen: the universal encoders stay as they are. learning_rate: of what is new, encoder_rate: of the encoders.
    smoothing: of labels. mixed: strength of mixing two windows and their labels. balance: weight of the experts' load.
    """

    steps: int = 600
    batch: int = 48
    window_s: float = 4.0
    limbs: tuple[str, ...] = ()
    frozen: bool = False
    learning_rate: float = 2e-3
    encoder_rate: float = 5e-4
    weight_decay: float = 0.05
    warm_steps: int = 40
    smoothing: float = 0.1
    mixed: float = 0.2
    balance: float = 0.01
    mean_keep: float = 0.98
    turned_rad: float = 0.15
    warp: float = 0.2
    louder: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.warm_steps) < 1 or not self.window_s > 0.5:
            raise InputError("Tuning needs a step, a batch and windows of more than half a second.", "")
        unknown = [site for site in self.limbs if site not in SITES]
        if unknown:
            raise InputError(f"There are no limbs {', '.join(unknown)}.", f"Use {', '.join(SITES)}.")


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
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    model = Recogniser(universal, RecogniserConfig(classes))
    encoders = [p for part in (model.felt, model.seen) for p in part.parameters()]
    own = {id(p) for p in encoders}
    for p in encoders:
        p.requires_grad_(not config.frozen)
    rest = [p for p in model.parameters() if id(p) not in own]
    groups: list[dict[str, Any]] = [{"params": rest}] if config.frozen else [{"params": rest}, {"params": encoders}]
    rates = [config.learning_rate, config.encoder_rate]
    optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    mean = copy.deepcopy(model)
    weight = _chances(known, classes)
    began_s = time.monotonic()
    for step in range(config.steps):
        share = step / config.steps
        factor = min(1.0, (step + 1) / config.warm_steps) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))
        for group, rate in zip(optimiser.param_groups, rates, strict=False):
            group["lr"] = rate * factor
        chosen = torch.multinomial(weight, config.batch, replacement=True, generator=generator).tolist()
        streams = batch_of([known[k] for k in chosen], config, generator)
        target = functional.one_hot(torch.tensor([known[k].label for k in chosen]), classes).float()
        if config.mixed:
            streams, target = _mixed(streams, target, config.mixed, generator)
        model.train()
        loss = functional.cross_entropy(model(streams), target, label_smoothing=config.smoothing)
        total = loss + config.balance * model.mix.balance
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


def answers(model: Recogniser, asked: Sequence[Labelled], config: RecogniseTuning, views: int = 3) -> Tensor:
    """Probabilities (M, classes) of stretches: the mean over a few windows of each, its middle and towards its ends."""
    model.eval()
    out = []
    with torch.inference_mode():
        for start in range(0, len(asked), config.batch):
            some = asked[start : start + config.batch]
            found = [model(batch_of(some, config, None, place=p)).softmax(dim=-1) for p in _places(views)]
            out.append(torch.stack(found).mean(dim=0))
    return torch.cat(out)


def _places(views: int) -> list[float]:
    return [0.5] if views == 1 else [k / (views - 1) for k in range(views)]


def _chances(known: Sequence[Labelled], classes: int) -> Tensor:
    """Classes as often as the root of how often they are there: rare ones more than their share."""
    labels = torch.tensor([k.label for k in known])
    counts = torch.bincount(labels, minlength=classes).clamp_min(1).float()
    return counts[labels].rsqrt()


def batch_of(
    some: Sequence[Labelled], config: RecogniseTuning, generator: torch.Generator | None, place: float = 0.5
) -> Streams:
    """Windows of stretches. generator: changes them at random; None takes them as they are, at `place` of what is left
    over, 0 the beginning and 1 the end.
    """
    samples = round(config.window_s * RATE_HZ)
    sensors = max((len(k.felt) for k in some), default=0)
    acc, gyr = torch.zeros(2, len(some), sensors, samples, 3)
    own = torch.zeros(len(some), sensors, samples, AXES)
    valid = torch.zeros(len(some), sensors, samples, dtype=torch.bool)
    has_gyr = torch.zeros(len(some), sensors, dtype=torch.bool)
    felt_site = torch.full((len(some), sensors), UNKNOWN_SITE)
    limbs = len(config.limbs) if any(k.seen for k in some) else 0
    metres = torch.zeros(len(some), samples, 17, 2)
    shown = torch.zeros(len(some), samples, 17, dtype=torch.bool)
    acc[..., 2] = GRAVITY_M_S2
    for i, stretch in enumerate(some):
        pace = 1.0
        at = place
        if generator is not None:
            draws = torch.rand(2, generator=generator).tolist()
            pace, at = math.exp(config.warp * (2.0 * draws[0] - 1.0)), draws[1]
        index, low, u = _window(stretch.samples, samples, pace, at)
        for n, f in enumerate(stretch.felt):
            turn, loud = torch.zeros(3), 1.0
            if generator is not None:
                turn = config.turned_rad * torch.randn(3, generator=generator)
                loud = math.exp(config.louder * float(torch.randn(1, generator=generator)))
            a, g, o, v = (_at(x, low, u) for x in (f.acc, f.gyr, f.own, f.valid.float()[:, None]))
            gravity = torch.tensor([0.0, 0.0, GRAVITY_M_S2])
            acc[i, n, index], gyr[i, n, index] = gravity + loud * (a - gravity), loud * pace * g
            q = from_rotvec(turn).expand(len(o), 4)
            own[i, n, index] = torch.cat([rotate(q, o[:, :3]), loud * pace * rotate(q, o[:, 3:])], dim=1)
            valid[i, n, index] = v[:, 0] > 0.5
            has_gyr[i, n], felt_site[i, n] = f.has_gyr, f.site
        if stretch.seen is not None and limbs:
            keypoints = _at(stretch.seen.metres.flatten(1), low, u).view(-1, 17, 2)
            if generator is not None:
                keypoints = keypoints * math.exp(0.05 * float(torch.randn(1, generator=generator)))
                keypoints = keypoints + 0.01 * torch.randn(keypoints.shape, generator=generator)
            metres[i, index] = keypoints
            shown[i, index] = _at(stretch.seen.seen.float(), low, u) > 0.5
    felt = torch.zeros(len(some), 0, 1, samples)
    if sensors:
        a, g, h, v = (x.flatten(0, 1) for x in (acc, gyr, has_gyr, valid))
        felt = felt_channels(a, g, h, v, RATE_HZ).view(len(some), sensors, -1, samples)
    site = torch.tensor([SITES.index(name) for name in config.limbs[:limbs]], dtype=torch.long).expand(len(some), limbs)
    if limbs:
        rows = torch.arange(len(some)).repeat_interleave(limbs)
        seen = seen_channels(metres[rows], shown[rows], site.flatten(), RATE_HZ).view(len(some), limbs, -1, samples)
        there = (seen[:, :, -5:-2] > 0).all(dim=2) & shown.any(dim=2)[:, None]
    else:
        seen, there = torch.zeros(len(some), 0, 1, samples), torch.zeros(len(some), 0, samples, dtype=torch.bool)
    return Streams(felt, own.transpose(2, 3), felt_site, valid, seen, site, there)


def _window(have: int, samples: int, pace: float, at: float) -> tuple[slice, Tensor, Tensor]:
    """Where a stretch's samples go in a window, and from where each is taken: place and share of the next one."""
    spare = have - samples * pace
    if spare >= 0:
        start, first, count = at * spare, 0, samples
    else:  # all of it, in the window's middle
        count = min(samples, max(1, int(have / pace)))
        start, first = 0.0, (samples - count) // 2
    place = (start + pace * torch.arange(count)).clamp(0.0, have - 1.001)
    low = place.floor()
    return slice(first, first + count), low.long(), place - low


def _at(values: Tensor, low: Tensor, u: Tensor) -> Tensor:
    low = low.clamp_max(values.shape[0] - 2).clamp_min(0)
    high = (low + 1).clamp_max(values.shape[0] - 1)
    return values[low] * (1.0 - u)[:, None] + values[high] * u[:, None]


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
