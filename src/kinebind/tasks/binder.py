"""The universal model as a user takes it in hand: streams in, tokens on the streams' own clocks out.

    binder = kinebind.load()
    felt, seen = binder.embed_imu(imu), binder.embed_pose(poses, "left_wrist")

What runs it, torch or onnxruntime, makes no difference here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.nn.chunked import Encoders, felt_tokens, seen_tokens, tokens_there
from kinebind.nn.universal import PER_TOKEN, RATE_HZ, TOKEN_S, UNKNOWN_SITE
from kinebind.nn.universal_contract import UniversalContract
from kinebind.nn.universal_file import read_universal
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.streams import felt_stream, seen_stream
from kinebind.tasks.universal_matcher import UniversalMatcher

log = logging.getLogger(__name__)
_told: set[str] = set()  # licences that this process was told of


@dataclass(frozen=True, eq=False)
class Embedding:
    """A stream as the model sees it: a token every 0.1 s.

    time_s (T,): the middle of each token on the stream's own clock, seconds. tokens (T, D) float32: compared by the
    cosine of whole sequences, aligned at a lag, not one by one. there (T,) bool: most of the token was measured; what
    lies in a gap is filled by lines and should not be compared. site: where the sensor is worn, None where nobody
    says. name: the sensor's, or the person's. notes: what in the stream the model seldom or never met.
    """

    time_s: FloatArray
    tokens: npt.NDArray[np.float32]
    there: npt.NDArray[np.bool_]
    site: str | None
    name: str
    notes: tuple[str, ...] = ()


class Binder:
    """The universal model with its input contract, card and licence.

    model: what embeds channels, by torch or by onnxruntime. contract: what goes in; streams are checked against it.
    about: where the weights come from, plain values. card: the model card's text. licence: on what terms the weights
    may be used, a line. Streams of any length take bounded memory.
    """

    def __init__(self, model: Encoders, contract: UniversalContract, about: Mapping[str, Any], card: str = "") -> None:
        if isinstance(model, torch.nn.Module):
            model.eval()
        self.model = model
        self.contract = contract
        self.about = dict(about)
        self.card = card
        self.licence = licence_of(about)

    def embed_imu(self, imu: Imu, *, check: bool = True) -> Embedding:
        """A sensor's tokens. Its site, where known, is told to the model.

        check: whether units and frames are tested on the data. Raises InputError where the sensor does not keep to the
        contract (as `UniversalContract.check_imu`), or lasts less than a token.
        """
        notes = self.contract.check_imu(imu) if check else []
        if imu.site is not None:
            self.contract.check_site(imu.site)
        stream = felt_stream(imu)
        _long_enough(f"Sensor '{imu.name}'", len(stream.valid))
        site = UNKNOWN_SITE if imu.site is None else SITES.index(imu.site)
        with torch.inference_mode():
            tokens = felt_tokens(self.model, stream.channels(), torch.tensor([site]))[0]
        if not stream.valid.any():
            notes = [*notes, f"Sensor '{imu.name}' never measured half a second on end: nothing of it is there."]
        return _embedding(tokens, stream.first, torch.as_tensor(stream.valid), imu.site, imu.name, notes)

    def embed_pose(self, poses: Poses, site: str, *, check: bool = True) -> Embedding:
        """The tokens of a person's limb at a site, which is what a sensor worn there is compared with.

        check: whether the track is tested. Raises InputError for a site that the model was not trained on, a track
        that does not keep to the contract (as `UniversalContract.check_poses`), or one that lasts less than a token.
        """
        known = self.contract.check_site(site)
        notes = self.contract.check_poses(poses) if check else []
        stream = seen_stream(poses)
        _long_enough(f"Person '{poses.person}'", len(stream.seen))
        with torch.inference_mode():
            tokens = seen_tokens(self.model, stream.channels(known), torch.tensor([SITES.index(known)]))[0][0]
        valid = torch.as_tensor(stream.shows(known))
        if not valid.any():
            notes = [*notes, f"The video never shows the {known.replace('_', ' ')} of person '{poses.person}'."]
        return _embedding(tokens, stream.first, valid, known, poses.person, notes)

    def matcher(self, *, told: float = 0.5, slack_s: float = 0.0) -> UniversalMatcher:
        """The model as a matcher of sensors and limbs at any lag (`kinebind.tasks.matching`).

        told: weight of what Pose2IMU says beside the tokens' cosine. slack_s: of clocks that are right but for so much.
        """
        return UniversalMatcher(self.model, told=told, slack_s=slack_s)

    def __repr__(self) -> str:
        name = self.about.get("name", "universal")
        provisional = ", provisional" if self.about.get("provisional") else ""
        return f"Binder({name}{provisional}; {type(self.model).__name__}; {self.licence})"


def shipped() -> Binder:
    """The universal model that comes with Kinebind; nothing is fetched. Its licence is logged once, at INFO.

    Raises InputError where the installed file is damaged.
    """
    folder = files("kinebind") / "weights"
    with as_file(folder / "universal.safetensors") as path:
        found = read_universal(path)
    binder = Binder(found.model, found.contract, found.about, (folder / "MODEL_CARD.md").read_text(encoding="utf-8"))
    return told(binder)


@cache
def shipped_once() -> Binder:
    """`shipped`, read once in a process."""
    return shipped()


def from_file(path: str | Path) -> Binder:
    """The universal model in a file of `kinebind.nn.universal_file.save_universal`; raises InputError as it does."""
    found = read_universal(path)
    return told(Binder(found.model, found.contract, found.about, str(found.about.get("card", ""))))


def licence_of(about: Mapping[str, Any]) -> str:
    """On what terms weights may be used, a line."""
    licence = about.get("licence")
    if not licence:
        return "the weights' file names no licence"
    terms = "non-commercial use, with attribution" if "-NC" in str(licence) else "with attribution"
    return f"weights under {licence} ({terms}), {about.get('licence_url', 'see WEIGHTS_LICENSE')}"


def told(binder: Binder) -> Binder:
    """The binder, once its licence was logged in this process."""
    if binder.licence not in _told:
        _told.add(binder.licence)
        log.info("Kinebind's universal model: %s", binder.licence)
    return binder


def _long_enough(who: str, samples: int) -> None:
    if samples < PER_TOKEN:
        raise InputError(
            f"{who} lasts {samples / RATE_HZ:.2f} s, less than a token of {TOKEN_S:g} s.", "Give a longer stretch."
        )


def _embedding(
    tokens: Tensor, first: int, valid: Tensor, site: str | None, name: str, notes: list[str]
) -> Embedding:  # fmt: skip
    count = len(tokens)
    middle = np.arange(count, dtype=np.float64) * PER_TOKEN + (first + (PER_TOKEN - 1) / 2)
    time_s: FloatArray = middle / RATE_HZ
    there = tokens_there(valid, 0, count).numpy()
    values: npt.NDArray[np.float32] = tokens.float().numpy().copy()
    return Embedding(time_s, values, there, site, name, tuple(notes))
