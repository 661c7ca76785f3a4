"""The universal model at work on one recording: what it makes of each sensor and each limb."""

from __future__ import annotations

import numpy as np
import torch

from kinebind.imu import Imu
from kinebind.nn.chunked import Encoders, felt_tokens, seen_at_every_phase
from kinebind.nn.universal import PER_TOKEN, UNKNOWN_SITE
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.streams import SeenStream, felt_stream, seen_stream
from kinebind.tasks.sync.evidence import MIN_OVERLAP_S
from kinebind.tasks.sync.token_evidence import Float32, TokenPair, Tokens

_CENTRE = PER_TOKEN // 2  # of a token's samples, the middle one


class Learned:
    """The universal model at work on one recording: each sensor and each limb is embedded once.

    model: what embeds (`kinebind.nn.chunked.Encoders`).
    """

    def __init__(self, model: Encoders) -> None:
        self._model = model
        self._felt: dict[int, tuple[Imu, Tokens]] = {}
        self._people: dict[int, tuple[Poses, SeenStream]] = {}
        self._seen: dict[tuple[int, str], Tokens] = {}

    def pair(self, imu: Imu, poses: Poses, site: str) -> TokenPair:
        """A sensor and the limb at a site of a person; what the sensor's own site is, if known, the model is told."""
        return TokenPair(self._of_sensor(imu), self._of_limb(poses, site))

    def _of_sensor(self, imu: Imu) -> Tokens:
        if imu.duration_s < MIN_OVERLAP_S:
            return self._nothing()
        if id(imu) not in self._felt:
            stream = felt_stream(imu)
            site = torch.tensor([UNKNOWN_SITE if imu.site is None else SITES.index(imu.site)])
            # Tokens of the limb at every sample are enough to meet at every lag.
            with torch.inference_mode():
                found = felt_tokens(self._model, stream.channels(), site).numpy()
            self._felt[id(imu)] = imu, _on_samples(found, stream.valid, stream.first)
        return self._felt[id(imu)][1]

    def _of_limb(self, poses: Poses, site: str) -> Tokens:
        if poses.duration_s < MIN_OVERLAP_S:
            return self._nothing()
        if id(poses) not in self._people:
            self._people[id(poses)] = poses, seen_stream(poses)
        key = id(poses), site
        if key not in self._seen:
            stream = self._people[id(poses)][1]
            with torch.inference_mode():
                index = torch.tensor([SITES.index(site)])
                found = seen_at_every_phase(self._model, stream.channels(site), index)[0].numpy()
            self._seen[key] = _on_samples(found, stream.shows(site), stream.first)
        return self._seen[key]

    def _nothing(self) -> Tokens:
        """What there is of a stream that is too short to say anything."""
        return Tokens(0, np.full((1, self._model.config.token), np.nan, dtype=np.float32))


def _on_samples(found: Float32, valid: np.ndarray, first: int) -> Tokens:
    """Tokens (P, T, D) of P phases, each at the middle of what it saw; NaN elsewhere, and where most of what it saw is
    not valid.
    """
    out = np.full((valid.size, found.shape[2]), np.nan, dtype=np.float32)
    for p, tokens in enumerate(found):
        at = p + _CENTRE + PER_TOKEN * np.arange(len(tokens))
        inside = at < valid.size
        out[at[inside]] = tokens[inside]
    inside = np.convolve(valid.astype(np.float64), np.full(PER_TOKEN, 1.0 / PER_TOKEN), mode="same") > 0.5
    out[~inside] = np.nan
    return Tokens(first, out)
