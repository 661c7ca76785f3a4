"""Stretches of a recording as a recogniser takes them: sensors and a person on one grid, whole or cut by labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.nn.universal import RATE_HZ, UNKNOWN_SITE
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.recording import Label
from kinebind.tasks.streams import felt_stream, seen_stream

TURN_RATE = 3.0
"""rad/s that counts as one on a sensor's own axes, as 9.81 m/s² does."""
_LONGEST = 1.5  # windows that a labelled piece lasts at most
_LEAST_S = 0.5  # of a labelled piece


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
class Stretch:
    """Sensors and views of one person that are looked at together; sample k is at (first + k) / RATE_HZ seconds.

    core: samples [start, stop) that are meant, where the rest is what lies around them; None: all are.
    """

    felt: tuple[FeltSample, ...]
    seen: tuple[SeenSample, ...]
    first: int = 0
    core: tuple[int, int] | None = None

    @property
    def samples(self) -> int:
        """How long it is, on the grid."""
        return self.felt[0].acc.shape[0] if self.felt else self.seen[0].metres.shape[0]

    @property
    def measured(self) -> Tensor:
        """(S,) bool: where any sensor was measured, or any of the person is seen."""
        there = [f.valid for f in self.felt] + [view.seen.any(dim=1) for view in self.seen]
        return torch.stack(there).any(dim=0)

    def cut(self, start: int, stop: int) -> Stretch:
        """Samples [start, stop) of it, all of which are meant."""
        own = slice(start, stop)
        felt = tuple(replace(f, acc=f.acc[own], gyr=f.gyr[own], own=f.own[own], valid=f.valid[own]) for f in self.felt)
        seen = tuple(SeenSample(view.metres[own], view.seen[own]) for view in self.seen)
        return Stretch(felt, seen, self.first + start)

    def alone(self) -> Stretch:
        """Its core, with nothing around it."""
        return self if self.core is None else self.cut(*self.core)


@dataclass(frozen=True, eq=False)
class Labelled:
    """A stretch that shows one activity: its class, and the group (whose it is) that is held out as one."""

    stretch: Stretch
    label: int
    group: str = ""


def stretch_of(imus: Sequence[Imu], views: Sequence[Poses] = (), *, told: bool = True) -> Stretch:
    """A recording's sensors, and a person as cameras see them, all on one clock, from the first sample to the last.

    told: whether the model is told the sensors' sites. Raises InputError where there is neither sensor nor person.
    """
    if not imus and not views:
        raise InputError("There is neither a sensor nor a person.", "Give at least one.")
    streams = [felt_stream(imu) for imu in imus]
    people = [seen_stream(poses) for poses in views]
    firsts = [s.first for s in streams] + [p.first for p in people]
    ends = [s.first + s.valid.size for s in streams] + [p.first + len(p.seen) for p in people]
    first, samples = min(firsts), max(ends) - min(firsts)
    felt = []
    for imu, stream in zip(imus, streams, strict=True):
        new = imu.resample((stream.first + np.arange(stream.valid.size)) / RATE_HZ)
        gyr = np.zeros_like(new.acc_sensor) if new.gyr_sensor is None else new.gyr_sensor / TURN_RATE
        own = np.nan_to_num(np.concatenate([new.acc_sensor / GRAVITY_M_S2, gyr], axis=1))
        at = stream.first - first
        acc, turning, axes = (_placed(torch.as_tensor(x), at, samples) for x in (stream.acc, stream.gyr, own))
        valid = _placed(torch.as_tensor(stream.valid), at, samples)
        acc[~valid & (acc == 0.0).all(dim=1)] = torch.tensor([0.0, 0.0, GRAVITY_M_S2])
        site = SITES.index(imu.site) if told and imu.site is not None else UNKNOWN_SITE
        felt.append(FeltSample(acc, turning, axes, valid, stream.has_gyr, site))
    seen = [
        SeenSample(_placed(p.metres, p.first - first, samples), _placed(p.seen, p.first - first, samples))
        for p in people
    ]
    return Stretch(tuple(felt), tuple(seen), first)


def _placed(values: Tensor, at: int, samples: int) -> Tensor:
    """Values (K, ...) from sample `at` on among `samples`, with nothing around them; numbers in single precision."""
    own = values if values.dtype == torch.bool else values.float()
    pads = [0, 0] * (own.dim() - 1) + [at, samples - at - own.shape[0]]
    return functional.pad(own, pads)


def labelled_pieces(
    stretch: Stretch, labels: Sequence[Label], names: Sequence[str], group: str, window_s: float
) -> list[Labelled]:
    """What labels cut out of a stretch, in pieces of at most one and a half windows that do not overlap, each with up
    to a window of what lies around it.

    names: of the classes; labels of other names are left out. What was measured in less than half of a piece is none.
    """
    spare, measured = math.ceil(window_s * RATE_HZ), stretch.measured.float()
    out = []
    for label in labels:
        if label.name not in names:
            continue
        start = max(0, math.ceil(label.start_s * RATE_HZ) - stretch.first)
        stop = min(stretch.samples, math.floor(label.end_s * RATE_HZ) - stretch.first)
        pieces = max(1, math.ceil((stop - start) / (_LONGEST * window_s * RATE_HZ)))
        edges = np.linspace(start, stop, pieces + 1).round().astype(int).tolist()
        for a, b in itertools.pairwise(edges):
            if b - a >= _LEAST_S * RATE_HZ and measured[a:b].mean() >= 0.5:
                low, high = max(0, a - spare), min(stretch.samples, b + spare)
                own = replace(stretch.cut(low, high), core=(a - low, b - low))
                out.append(Labelled(own, names.index(label.name), group))
    return out


def usual_length_s(labels: Sequence[Label]) -> dict[str, float]:
    """How long labels of each name last on average, those that follow each other without a gap taken as one.

    >>> usual_length_s([Label(0.0, 2.0, "sit"), Label(2.0, 6.0, "sit"), Label(7.0, 9.0, "sit"), Label(9.0, 9.5, "hop")])
    {'sit': 4.0, 'hop': 0.5}
    """
    lengths: dict[str, list[float]] = {}
    end_s: dict[str, float] = {}
    for label in sorted(labels, key=lambda own: own.start_s):
        own = lengths.setdefault(label.name, [])
        if own and label.start_s <= end_s[label.name] + 1e-3:
            own[-1] += max(0.0, label.end_s - end_s[label.name])
        else:
            own.append(label.end_s - label.start_s)
        end_s[label.name] = max(label.end_s, end_s.get(label.name, -math.inf))
    return {name: float(np.mean(own)) for name, own in lengths.items()}


def without_gaps(labels: Sequence[Label], start_s: float, end_s: float, rest: str) -> list[Label]:
    """Labels in the order of time, with what lies between them, from start_s to end_s, under the name `rest`.

    >>> [(x.start_s, x.end_s, x.name) for x in without_gaps([Label(1.0, 2.0, "jump")], 0.0, 4.0, "else")]
    [(0.0, 1.0, 'else'), (1.0, 2.0, 'jump'), (2.0, 4.0, 'else')]
    """
    out: list[Label] = []
    now = start_s
    for label in sorted(labels, key=lambda own: own.start_s):
        if label.start_s > now:
            out.append(Label(now, label.start_s, rest))
        out.append(label)
        now = max(now, label.end_s)
    if end_s > now:
        out.append(Label(now, end_s, rest))
    return out
