"""Tuning the universal model to a user's own sensors, cameras and movements, on recordings whose clocks are known.

Windows are cut anywhere, sensor and video shifted against each other, mirrored half of the time, and go through the
losses of the training. What part of the recordings is held out decides which weights are kept: tuning that does not
help there changes nothing.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.nn.felt_channels import felt_channels, told_signals
from kinebind.nn.seen_channels import seen_channels
from kinebind.nn.universal import RATE_HZ, UNKNOWN_SITE, Universal
from kinebind.parts import COCO17_MIRROR, SITES, mirror_site
from kinebind.recording import Recording
from kinebind.tasks.streams import FeltStream, SeenStream, felt_stream, seen_stream
from kinebind.training.draw.windows import Drawn
from kinebind.training.universal import UniversalTraining, losses

log = logging.getLogger(__name__)

_VALID = 0.8
"""Share of a window that sensor and limb must both be measured."""


@dataclass(frozen=True)
class AlignTuning:
    """How it is tuned. lengths: (window_s, shift_s) of the batches in turn. held_out: share of the recordings, or of
    each recording's time where there are fewer than four. check_every: steps between looks at what is held out;
    patience: looks without gain after which it ends.
    """

    steps: int = 400
    learning_rate: float = 2e-4
    weight_decay: float = 0.02
    warm_steps: int = 40
    batch: int = 48
    lengths: tuple[tuple[float, float], ...] = ((2.0, 0.7), (3.0, 1.5))
    held_out: float = 0.25
    check_every: int = 40
    patience: int = 4
    seed: int = 0
    least_s: float = 60.0


@dataclass(frozen=True, eq=False)
class Pair:
    """A sensor and the limb that wears it on one grid: sample k of both is at (first + k) / RATE_HZ."""

    recording: int
    site: str
    felt: FeltStream
    seen: SeenStream


@dataclass(eq=False)
class Tuned:
    """The model that did best on what was held out, which may be the one that it began with.

    before, after: "pair_r1", the share of windows found among those of a batch; "lag_hit", that of clocks found within
    0.1 s; and "loss", on what was held out. step: of the best look, 0 where nothing was better than the beginning.
    """

    model: Universal
    before: Mapping[str, float]
    after: Mapping[str, float]
    step: int
    history: list[dict[str, float]] = field(default_factory=list)


def pairs_of(recording: Recording, clocks: Mapping[str, ClockMap], number: int = 0) -> list[Pair]:
    """The sensors of a recording whose site and wearer are known, each with the limb that wears it.

    clocks: by `clock_id`; sensors of other clocks are left out. Raises InputError where more than one person is in
    view, for it must be known who wears them.
    """
    if len(recording.people) != 1:
        raise InputError(
            f"{recording.name} shows {len(recording.people)} people.", "Name the one who wears the sensors (--person)."
        )
    (poses,) = recording.people
    seen = seen_stream(poses)
    out = []
    for imu in recording.imus:
        clock = clocks.get(imu.clock_id)
        if clock is not None and imu.site is not None:
            own = felt_stream(imu.replace(time_s=clock.to_video(imu.time_s)))
            out.append(Pair(number, imu.site, own, seen))
    return out


def tune_alignment(
    model: Universal,
    pairs: Sequence[Pair],
    config: AlignTuning = AlignTuning(),
) -> Tuned:
    """Tune a copy of a model on pairs; the same seed gives the same. Raises InputError where there is too little."""
    learn, judge = _split(pairs, config)
    generator = torch.Generator().manual_seed(config.seed)
    own = copy.deepcopy(model)
    told = UniversalTraining()
    looks = [
        (_batch(judge, config, length, torch.Generator().manual_seed(1000 + k), plain=True), length[1])
        for k, length in enumerate([*config.lengths, *config.lengths])
    ]

    def judged() -> dict[str, float]:
        own.eval()
        with torch.no_grad():
            found = [losses(own, drawn, shift_s, told) for drawn, shift_s in looks]
        return {
            name: float(np.mean([float(f[key]) for f in found]))
            for name, key in (("loss", "total"), ("pair_r1", "pair_r1"), ("lag_hit", "lag_hit"))
        }

    before = judged()
    best, best_step = before, 0
    kept = copy.deepcopy(own.state_dict())
    history: list[dict[str, float]] = [{"step": 0.0, **before}]
    optimiser = torch.optim.AdamW(own.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    for step in range(config.steps):
        share = step / config.steps
        rate = min(1.0, (step + 1) / config.warm_steps) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * share)))
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * rate
        length = config.lengths[step % len(config.lengths)]
        drawn = _batch(learn, config, length, generator)
        own.train()
        total = losses(own, drawn, length[1], told)["total"]
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(own.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % config.check_every == 0 or step + 1 == config.steps:
            now = judged()
            history.append({"step": float(step + 1), **now})
            log.info("step %d: %s", step + 1, " ".join(f"{k} {v:.3f}" for k, v in now.items()))
            if now["loss"] < best["loss"]:
                best, best_step, kept = now, step + 1, copy.deepcopy(own.state_dict())
            elif step + 1 - best_step >= config.patience * config.check_every:
                break
    own.load_state_dict(kept)
    return Tuned(own.eval(), before, best, best_step, history)


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Where windows may be cut from a pair: samples [start, stop) of the common grid, and which hold both."""

    pair: Pair
    start: int
    stop: int
    both: np.ndarray


def _split(pairs: Sequence[Pair], config: AlignTuning) -> tuple[list[_Stretch], list[_Stretch]]:
    """What is learnt from and what is held out: whole recordings where there are four or more, else their ends."""
    stretches = []
    for pair in pairs:
        shown = pair.seen.shows(pair.site)
        start = max(pair.felt.first, pair.seen.first)
        stop = min(pair.felt.first + pair.felt.valid.size, pair.seen.first + shown.size)
        if stop - start > 0:
            both = (
                pair.felt.valid[start - pair.felt.first : stop - pair.felt.first]
                & shown[start - pair.seen.first : stop - pair.seen.first]
            )
            stretches.append(_Stretch(pair, start, stop, both))
    numbers = sorted({s.pair.recording for s in stretches})
    if len(numbers) >= 4:
        order = np.random.default_rng(config.seed).permutation(numbers)
        out = set(order[: max(1, round(config.held_out * len(numbers)))].tolist())
        learn = [s for s in stretches if s.pair.recording not in out]
        judge = [s for s in stretches if s.pair.recording in out]
    else:
        learn, judge = [], []
        for s in stretches:
            cut = s.stop - round(config.held_out * (s.stop - s.start))
            learn.append(_Stretch(s.pair, s.start, cut, s.both[: cut - s.start]))
            judge.append(_Stretch(s.pair, cut, s.stop, s.both[cut - s.start :]))
    longest = round(max(w + 2 * shift for w, shift in config.lengths) * RATE_HZ)
    learn, judge = ([s for s in some if s.both.size >= longest] for some in (learn, judge))
    for some, what, least_s in ((learn, "learn from", config.least_s), (judge, "judge by", 0.3 * config.least_s)):
        have_s = sum(int(s.both.sum()) for s in some) / RATE_HZ
        if have_s < least_s:
            raise InputError(
                f"There are {have_s:.0f} s of sensors with known clock, site and limb to {what}; {least_s:.0f} s are "
                "needed.",
                "Give more recordings, or longer ones.",
            )
    return learn, judge


def _batch(
    stretches: Sequence[_Stretch],
    config: AlignTuning,
    length: tuple[float, float],
    generator: torch.Generator,
    plain: bool = False,
) -> Drawn:
    """Windows (N = config.batch) anywhere in the stretches. plain: neither mirrored nor with sites hidden."""
    window_s, shift_s = length
    samples, most = round(window_s * RATE_HZ), round(shift_s * RATE_HZ)
    chance = torch.tensor([float(s.both.sum()) for s in stretches])
    chosen = torch.multinomial(chance, config.batch, replacement=True, generator=generator).tolist()
    draws = torch.rand(config.batch, 8, generator=generator)
    felt, seen, told, known, lags, felt_sites, sites = [], [], [], [], [], [], []
    for k, which in enumerate(chosen):
        s = stretches[which]
        at, shift = _place(s, samples, most, draws[k])
        mirrored = not plain and bool(draws[k, 6] < 0.5)
        site = SITES.index(mirror_site(s.pair.site) if mirrored else s.pair.site)
        own = s.pair.felt
        rows = slice(at - own.first, at - own.first + samples)
        acc, gyr = (torch.as_tensor(x[rows], dtype=torch.float32)[None] for x in (own.acc, own.gyr))
        if mirrored:  # rates are of turns, whose sense a mirror reverses
            acc, gyr = acc * torch.tensor([1.0, -1.0, 1.0]), gyr * torch.tensor([-1.0, 1.0, -1.0])
        valid = torch.as_tensor(own.valid[rows])[None]
        felt.append(felt_channels(acc, gyr, torch.tensor([own.has_gyr]), valid, RATE_HZ))
        first = at + shift - s.pair.seen.first
        metres, shown = s.pair.seen.metres[first : first + samples], s.pair.seen.seen[first : first + samples]
        if mirrored:
            order = torch.as_tensor(COCO17_MIRROR)
            metres, shown = metres[:, order] * torch.tensor([-1.0, 1.0]), shown[:, order]
        seen.append(seen_channels(metres[None], shown[None], torch.tensor([site]), RATE_HZ))
        own_told, own_known = _told(acc, gyr, valid, shift)
        told.append(own_told)
        known.append(own_known & own.has_gyr)
        lags.append(-shift / RATE_HZ)
        sites.append(site)
        felt_sites.append(UNKNOWN_SITE if not plain and bool(draws[k, 7] < 0.5) else site)
    return Drawn(
        torch.cat(felt), torch.tensor(felt_sites), torch.cat(seen), torch.tensor(sites), torch.tensor(lags),
        torch.cat(told), torch.cat(known), torch.full((len(sites),), -1),
    )  # fmt: skip


def _place(s: _Stretch, samples: int, most: int, draws: Tensor) -> tuple[int, int]:
    """Where a window of the sensor begins on the grid, and by how much later the video's does."""
    room = s.both.size - samples
    at, shift = 0, 0
    for k in range(3):  # a few tries for one that is mostly there
        at = int(draws[2 * k % 6] * (room + 1))
        low, high = max(-most, -at), min(most, room - at)
        shift = low + int(draws[(2 * k + 1) % 6] * (high - low + 1))
        if s.both[at : at + samples].mean() >= _VALID and s.both[at + shift : at + shift + samples].mean() >= _VALID:
            break
    return s.start + at, shift


def _told(acc: Tensor, gyr: Tensor, valid: Tensor, shift: int) -> tuple[Tensor, Tensor]:
    """What Pose2IMU should say at the video's samples (1, 3, S), and where it is known (1, S)."""
    signals = told_signals(acc, gyr)
    place = torch.arange(signals.shape[-1]) + shift
    inside = (place >= 0) & (place < signals.shape[-1])
    place = place.clamp(0, signals.shape[-1] - 1)
    return signals[..., place], valid[:, place] & inside
