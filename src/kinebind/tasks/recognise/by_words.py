"""Activities by words alone: what the universal model says of a stretch, beside what labels mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor
from torch.nn import functional

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.nn.chunked import in_pieces, tokens_there
from kinebind.nn.sentences import SentenceEncoder
from kinebind.nn.universal import TOKEN_S, UNKNOWN_SITE, Said, Universal
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.recognise.prompts import check_described, prompts
from kinebind.tasks.recognise.track import Track
from kinebind.tasks.recognise.windows import SlidingWindows
from kinebind.tasks.streams import felt_stream, seen_stream

WINDOW_S, STRIDE_S = 4.0, 0.5


class ByWords:
    """Recognises labels that nobody taught it, from their words.

    model: the universal model, with a head for words. labels: candidates. described: further sentences of some.
    Raises InputError where the model has no words, or the encoder embeds in another number of dimensions than its own.
    """

    def __init__(
        self,
        model: Universal,
        encoder: SentenceEncoder,
        labels: Sequence[str],
        described: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not model.config.text:
            raise InputError("This model has learnt no words.", "Use weights that were trained with --sentences.")
        if encoder.size != model.config.text:
            raise InputError(
                f"The model's sentences have {model.config.text} numbers, the encoder {encoder.name}'s {encoder.size}.",
                "Use the encoder that it learnt with.",
            )
        if len(set(labels)) < 2:
            raise InputError(f"{len(set(labels))} labels are no choice.", "Name two at least.")
        told = described or {}
        check_described(labels, told)
        self.model, self.labels = model.eval(), tuple(dict.fromkeys(labels))
        with torch.inference_mode():
            rows = []
            for label in self.labels:
                embedded = torch.from_numpy(encoder.encode(prompts(label, told.get(label, ()))))
                rows.append(functional.normalize(model.sentences(embedded).mean(dim=0), dim=-1))
            self._rows = torch.stack(rows)

    def of_imu(self, imu: Imu, *, window_s: float = WINDOW_S, stride_s: float = STRIDE_S) -> Track:
        """A sensor's activities over time. Its site, where known, is told to the model."""
        stream = felt_stream(imu)
        site = torch.tensor([UNKNOWN_SITE if imu.site is None else SITES.index(imu.site)])
        with torch.inference_mode():
            hidden = in_pieces(self.model.felt, self.model.config, stream.channels(), site)[0]
        there = tokens_there(torch.as_tensor(stream.valid), 0, len(hidden))
        return self._track(self.model.felt_said, hidden, there, stream.first, window_s, stride_s)

    def of_poses(self, poses: Poses, site: str, *, window_s: float = WINDOW_S, stride_s: float = STRIDE_S) -> Track:
        """What a limb of a person does over time."""
        stream = seen_stream(poses)
        with torch.inference_mode():
            index = torch.tensor([SITES.index(site)])
            hidden = in_pieces(self.model.seen, self.model.config, stream.channels(site), index)[0]
        there = tokens_there(torch.as_tensor(stream.shows(site)), 0, len(hidden))
        return self._track(self.model.seen_said, hidden, there, stream.first, window_s, stride_s)

    def scores(self, said: Tensor) -> FloatArray:
        """Cosines (N, labels) of what was said (N, text) with the labels' sentences."""
        with torch.inference_mode():
            return np.asarray((functional.normalize(said, dim=-1) @ self._rows.T).double().numpy())

    def _track(self, head: Said, hidden: Tensor, there: Tensor, first: int, window_s: float, stride_s: float) -> Track:
        windows = SlidingWindows.over(len(hidden), window_s, stride_s)
        with torch.inference_mode():
            pieces = zip(windows.pieces(hidden[None]), windows.pieces(there[None]), strict=True)
            said = [head(own[:, 0], own_there[:, 0]) for own, own_there in pieces]
            scale = float(self.model.said_scale.exp().clamp_max(60.0))
        probabilities = softmax(scale * self.scores(torch.cat(said)), axis=1)
        probabilities[windows.nothing_near(there)] = np.nan
        tells_s = windows.size * TOKEN_S
        return Track(windows.time_s(first), windows.stride_s, tells_s, self.labels, probabilities)
