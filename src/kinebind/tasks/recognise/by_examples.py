"""Activities by examples: a recogniser that was tuned to labelled recordings, in its file and at work."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.nn.chunked import in_pieces, tokens_there
from kinebind.nn.contract import settings_from
from kinebind.nn.felt_channels import felt_channels
from kinebind.nn.recogniser import AXES, Recogniser, RecogniserConfig
from kinebind.nn.sealed import is_sealed, read_sealed, save_sealed
from kinebind.nn.seen_channels import seen_channels, shows_limb
from kinebind.nn.universal import PER_TOKEN, RATE_HZ, Universal, UniversalConfig
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.recognise.stretches import Stretch, stretch_of
from kinebind.tasks.recognise.track import Track
from kinebind.tasks.recognise.windows import SlidingWindows

FORMAT_VERSION = 2
STRIDE_S = 0.5
USUAL_LIMBS = ("left_wrist", "right_wrist", "left_shank", "right_shank")
"""What is looked at in poses where nobody says otherwise."""
_KEY = "kinebind-recogniser"
USUAL_STAY_S = 8.0
"""How long an activity lasts on average where nobody says."""


@dataclass(frozen=True)
class Looks:
    """What a recogniser looks at at once. limbs: sites of the body, where there are poses. told: whether it is told
    where sensors are worn.
    """

    window_s: float = 4.0
    limbs: tuple[str, ...] = ()
    told: bool = True

    def __post_init__(self) -> None:
        if not self.window_s > 0.5:
            raise InputError(f"Windows of {self.window_s:g} s show no activity.", "Give more than half a second.")
        unknown = [site for site in self.limbs if site not in SITES]
        if unknown:
            raise InputError(f"There are no limbs {', '.join(unknown)}.", f"Use {', '.join(SITES)}.")


@dataclass(frozen=True, eq=False)
class ByExamples:
    """A tuned recogniser. names: of its classes. temperature: by which its logits are divided, so that its
    probabilities are right. sensors: how many it was shown at once at most. stays_s: how long each class lasts on
    average. about: plain JSON values.
    """

    model: Recogniser
    universal: UniversalConfig
    names: tuple[str, ...]
    looks: Looks
    temperature: float
    sensors: int
    stays_s: tuple[float, ...]
    about: Mapping[str, Any]

    def track(self, imus: Sequence[Imu], views: Sequence[Poses] = (), *, stride_s: float = STRIDE_S) -> Track:
        """What is done over time, by all sensors and the person in all views together, which must be on one clock:
        at the middles of windows, from the first sample to the last, where anything was measured.

        Raises InputError where there are more sensors than it knows, and where it was not shown what is given.
        """
        if len(imus) > self.sensors:
            raise InputError(
                f"{len(imus)} sensors are given; this recogniser was shown {self.sensors} at once.",
                "Name those that it was tuned with.",
            )
        if not imus and not (views and self.looks.limbs):
            raise InputError("This recogniser was tuned without poses.", "Name a sensor, or tune it with poses.")
        stretch = stretch_of(imus, views if self.looks.limbs else (), told=self.looks.told)
        return self.over(stretch, stride_s)

    def over(self, stretch: Stretch, stride_s: float = STRIDE_S) -> Track:
        """The same of streams that are on the grid already. Raises InputError where they last less than a token."""
        tokens = stretch.samples // PER_TOKEN
        windows = SlidingWindows.over(tokens, self.looks.window_s, stride_s)
        with torch.inference_mode():
            felt, felt_there = self._felt(stretch, tokens)
            seen, seen_there = self._seen(stretch, tokens)
            hidden = [itertools.repeat(None) if x is None else windows.pieces(x) for x in (felt, seen)]
            there = [windows.pieces(x) for x in (felt_there, seen_there)]
            logits = [self.model.read(f, ft, s, st) for f, s, ft, st in zip(*hidden, *there, strict=False)]
        probabilities = calibrated(torch.cat(logits), self.temperature)
        probabilities[windows.nothing_near(torch.cat([felt_there, seen_there]).any(dim=0))] = np.nan
        return Track(windows.time_s(stretch.first), windows.stride_s, windows.stride_s, self.names, probabilities)

    def _felt(self, stretch: Stretch, tokens: int) -> tuple[Tensor | None, Tensor]:
        """Hidden tokens (N, T, width) of the sensors, and which are there (N, T)."""
        if not stretch.felt:
            return None, torch.zeros(0, tokens, dtype=torch.bool)
        found, there = [], []
        for f in stretch.felt:
            has_gyr, site = torch.tensor([f.has_gyr]), torch.tensor([f.site])
            channels = felt_channels(f.acc[None], f.gyr[None], has_gyr, f.valid[None], RATE_HZ)
            both = torch.cat([channels, f.own.T[None]], dim=1)
            found.append(in_pieces(self._both, self.universal, both, site)[0])
            there.append(tokens_there(f.valid, 0, tokens))
        return torch.stack(found), torch.stack(there)

    def _both(self, both: Tensor, site: Tensor) -> Tensor:
        """Hidden tokens of a sensor's channels with its own axes behind them."""
        return self.model.felt_hidden(both[:, :-AXES], both[:, -AXES:], site)

    def _seen(self, stretch: Stretch, tokens: int) -> tuple[Tensor | None, Tensor]:
        """The same of the person's limbs."""
        if not stretch.seen:
            return None, torch.zeros(0, tokens, dtype=torch.bool)
        found, there = [], []
        for view in stretch.seen:
            for limb in self.looks.limbs:
                site = torch.tensor([SITES.index(limb)])
                channels = seen_channels(view.metres[None], view.seen[None], site, RATE_HZ)
                found.append(in_pieces(self.model.seen, self.universal, channels, site)[0])
                there.append(tokens_there(shows_limb(channels)[0], 0, tokens))
        return torch.stack(found), torch.stack(there)


def calibrated(logits: Tensor, temperature: float) -> FloatArray:
    """Probabilities (M, C) of logits at a temperature."""
    return np.asarray((logits / temperature).softmax(dim=-1).double().numpy())


def save_recogniser(found: ByExamples, path: str | Path) -> str:
    """Write a recogniser, whole or not at all; returns its checksum. Raises InputError as `save_sealed`."""
    head = {
        "universal": dataclasses.asdict(found.universal), "recogniser": dataclasses.asdict(found.model.config),
        "names": list(found.names), "looks": dataclasses.asdict(found.looks), "temperature": found.temperature,
        "sensors": found.sensors, "stays_s": list(found.stays_s), "about": dict(found.about),
    }  # fmt: skip
    return save_sealed(path, _KEY, FORMAT_VERSION, head, found.model.state_dict())


def read_recogniser(path: str | Path) -> ByExamples:
    """A recogniser of a file; raises InputError where it is missing, damaged or of another kind or version."""
    found = read_sealed(path, _KEY, FORMAT_VERSION, "a recogniser of kinebind finetune recognise")
    head = found.head
    try:
        universal = settings_from(UniversalConfig, head["universal"], "universal")
        model = Recogniser(Universal(universal), settings_from(RecogniserConfig, head["recogniser"], "recogniser"))
        model.load_state_dict(dict(found.tensors))
        looks = settings_from(Looks, {**head["looks"], "limbs": tuple(head["looks"]["limbs"])}, "looks")
        return ByExamples(
            model.eval(), universal, tuple(head["names"]), looks, float(head["temperature"]), int(head["sensors"]),
            tuple(float(s) for s in head["stays_s"]), head["about"],
        )  # fmt: skip
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{path} does not fit this Kinebind's recogniser ({error}).", "Update Kinebind to read it."
        ) from error


def is_recogniser_file(path: str | Path) -> bool:
    """Whether a file calls itself a recogniser; looks at its header alone."""
    return is_sealed(path, _KEY)
