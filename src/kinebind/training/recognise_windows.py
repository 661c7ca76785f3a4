"""Windows of labelled stretches: as they are, or changed at random to be learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2
from kinebind.nn.felt_channels import felt_channels
from kinebind.nn.recogniser import AXES, Streams
from kinebind.nn.seen_channels import seen_channels, shows_limb
from kinebind.nn.universal import RATE_HZ, UNKNOWN_SITE
from kinebind.parts import SITES
from kinebind.tasks.recognise.by_examples import Looks
from kinebind.tasks.recognise.stretches import Stretch
from kinebind.training.draw.turns import from_rotvec, rotate


@dataclass(frozen=True)
class Changes:
    """How windows are changed. warp: they are faster or slower by up to exp(warp); turned_rad: a sensor is turned on
    its limb; louder: its motion is stronger or weaker, in the logarithm; closer, jitter_m: the person in the picture.
    """

    warp: float = 0.2
    turned_rad: float = 0.15
    louder: float = 0.1
    closer: float = 0.05
    jitter_m: float = 0.01

    def __post_init__(self) -> None:
        if min(self.warp, self.turned_rad, self.louder, self.closer, self.jitter_m) < 0.0:
            raise InputError("A change has a size below zero.", "Give zero to leave it out.")


def batch_of(
    some: Sequence[Stretch],
    looks: Looks,
    place: float = 0.5,
    changes: Changes | None = None,
    generator: torch.Generator | None = None,
) -> Streams:
    """A window of each stretch: at `place` of what is left over, 0 the beginning and 1 the end; with `changes` anywhere
    and changed at random, by the generator. Of a stretch that has a core, a window with what lies around it, its middle
    at `place` of the core.
    """
    samples = round(looks.window_s * RATE_HZ)
    sensors = max((len(k.felt) for k in some), default=0)
    acc, gyr = torch.zeros(2, len(some), sensors, samples, 3)
    own = torch.zeros(len(some), sensors, samples, AXES)
    valid = torch.zeros(len(some), sensors, samples, dtype=torch.bool)
    has_gyr = torch.zeros(len(some), sensors, dtype=torch.bool)
    felt_site = torch.full((len(some), sensors), UNKNOWN_SITE)
    views = max((len(k.seen) for k in some), default=0) if looks.limbs else 0
    metres = torch.zeros(len(some), views, samples, 17, 2)
    shown = torch.zeros(len(some), views, samples, 17, dtype=torch.bool)
    acc[..., 2] = GRAVITY_M_S2
    gravity = torch.tensor([0.0, 0.0, GRAVITY_M_S2])
    for i, stretch in enumerate(some):
        pace, at = 1.0, place
        if changes is not None:
            draws = torch.rand(2, generator=generator).tolist()
            pace, at = math.exp(changes.warp * (2.0 * draws[0] - 1.0)), draws[1]
        if stretch.core is None:
            index, low, u = window_at(stretch.samples, samples, pace, at)
        else:
            index, low, u = window_about(stretch.samples, stretch.core, samples, pace, at)
        for n, f in enumerate(stretch.felt):
            turn, loud = torch.zeros(3), 1.0
            if changes is not None:
                turn = changes.turned_rad * torch.randn(3, generator=generator)
                loud = math.exp(changes.louder * float(torch.randn(1, generator=generator)))
            a, g, o, v = (_at(x, low, u) for x in (f.acc, f.gyr, f.own, f.valid.float()[:, None]))
            acc[i, n, index], gyr[i, n, index] = gravity + loud * (a - gravity), loud * pace * g
            q = from_rotvec(turn).expand(len(o), 4)
            own[i, n, index] = torch.cat([rotate(q, o[:, :3]), loud * pace * rotate(q, o[:, 3:])], dim=1)
            valid[i, n, index] = v[:, 0] > 0.5
            has_gyr[i, n], felt_site[i, n] = f.has_gyr, f.site
        for n, view in enumerate(stretch.seen if views else ()):
            keypoints = _at(view.metres.flatten(1), low, u).view(-1, 17, 2)
            if changes is not None:
                keypoints = keypoints * math.exp(changes.closer * float(torch.randn(1, generator=generator)))
                keypoints = keypoints + changes.jitter_m * torch.randn(keypoints.shape, generator=generator)
            metres[i, n, index] = keypoints
            shown[i, n, index] = _at(view.seen.float(), low, u) > 0.5
    felt = torch.zeros(len(some), 0, 1, samples)
    if sensors:
        a, g, h, v = (x.flatten(0, 1) for x in (acc, gyr, has_gyr, valid))
        felt = felt_channels(a, g, h, v, RATE_HZ).view(len(some), sensors, -1, samples)
    every = views * len(looks.limbs)
    site = torch.tensor([SITES.index(name) for name in looks.limbs] * views, dtype=torch.long).expand(len(some), every)
    seen, there = torch.zeros(len(some), 0, 1, samples), torch.zeros(len(some), 0, samples, dtype=torch.bool)
    if views:
        rows = torch.arange(len(some) * views).repeat_interleave(len(looks.limbs))
        seen = seen_channels(metres.flatten(0, 1)[rows], shown.flatten(0, 1)[rows], site.flatten(), RATE_HZ)
        there = shows_limb(seen).view(len(some), every, samples)
        seen = seen.view(len(some), every, -1, samples)
    return Streams(felt, own.transpose(2, 3), felt_site, valid, seen, site, there)


def window_at(have: int, samples: int, pace: float, at: float) -> tuple[slice, Tensor, Tensor]:
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


def window_about(
    have: int, core: tuple[int, int], samples: int, pace: float, at: float
) -> tuple[slice, Tensor, Tensor]:
    """The same of a window whose middle is at `at` of a stretch's core, where the stretch may end inside the window."""
    middle = core[0] + at * (core[1] - 1 - core[0])
    place = middle + pace * (torch.arange(samples) - 0.5 * (samples - 1))
    inside = torch.nonzero((place >= 0.0) & (place <= have - 1.0))[:, 0]
    first, count = int(inside[0]), len(inside)
    own = place[inside].clamp(0.0, have - 1.001)
    low = own.floor()
    return slice(first, first + count), low.long(), own - low


def _at(values: Tensor, low: Tensor, u: Tensor) -> Tensor:
    low = low.clamp_max(values.shape[0] - 2).clamp_min(0)
    high = (low + 1).clamp_max(values.shape[0] - 1)
    return values[low] * (1.0 - u)[:, None] + values[high] * u[:, None]
