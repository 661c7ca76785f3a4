"""The universal model as a matcher: how well sensors fit limbs at any lag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.nn.chunked import Encoders, felt_tokens, seen_at_every_phase, tokens_there
from kinebind.nn.felt_channels import told_signals
from kinebind.nn.universal import PER_TOKEN, RATE_HZ, UNKNOWN_SITE, pair_scores
from kinebind.parts import SITES
from kinebind.poses import Poses
from kinebind.tasks.streams import SeenStream, felt_stream, seen_stream

LEAST_OVERLAP = 5
"""Tokens that must meet for a lag to have a score."""


@dataclass(frozen=True, eq=False)
class Felt:
    """A sensor: tokens (T, D) every 0.1 s from grid index first on, there (T,) bool; signals (3, S), valid (S,)."""

    first: int
    tokens: Tensor
    there: Tensor
    signals: Tensor
    valid: Tensor


@dataclass(frozen=True, eq=False)
class Seen:
    """A limb: tokens (PER_TOKEN, T, D), those of phase p from grid index first + p on, there (PER_TOKEN, T) bool;
    told (3, S), valid (S,).
    """

    first: int
    tokens: Tensor
    there: Tensor
    told: Tensor
    valid: Tensor


class UniversalMatcher:
    """Matches by the cosine of token sequences, and by how well Pose2IMU's signals agree with the sensor's.

    told: weight of the latter's correlation beside the cosine. slack_s: a lag's score is the best within so much of it,
    for clocks that are right but for a frame or two; none where the lag itself is looked for.
    """

    name = "universal"

    def __init__(self, model: Encoders, told: float = 0.5, slack_s: float = 0.0) -> None:
        if isinstance(model, torch.nn.Module):
            model.eval()
        self.model = model
        self.told = told
        self.slack = round(slack_s * RATE_HZ)
        self._people: dict[int, tuple[Poses, SeenStream]] = {}

    def felt(self, imu: Imu) -> Felt:
        """A sensor, embedded; its site, where known, is told to the model."""
        stream = felt_stream(imu)
        site = UNKNOWN_SITE if imu.site is None else SITES.index(imu.site)
        with torch.inference_mode():
            tokens = felt_tokens(self.model, stream.channels(), torch.tensor([site]))[0]
        acc, gyr = (torch.as_tensor(x, dtype=torch.float32)[None] for x in (stream.acc, stream.gyr))
        valid = torch.as_tensor(stream.valid)
        there = tokens_there(valid, 0, len(tokens))
        return Felt(stream.first, tokens, there, told_signals(acc, gyr)[0], valid & stream.has_gyr)

    def seen(self, poses: Poses, site: str) -> Seen:
        """A person's limb, embedded at every phase of the tokens' grid."""
        kept = self._people.get(id(poses))
        stream = kept[1] if kept is not None and kept[0] is poses else seen_stream(poses)
        self._people = {id(poses): (poses, stream)}
        channels = stream.channels(site)
        index = torch.tensor([SITES.index(site)])
        valid = torch.as_tensor(stream.shows(site))
        with torch.inference_mode():
            tokens, told = seen_at_every_phase(self.model, channels, index)
        there = torch.stack([tokens_there(valid, p, tokens.shape[1]) for p in range(PER_TOKEN)])
        return Seen(stream.first, tokens, there, told, valid)

    def scores(self, felt: Sequence[Felt], seen: Sequence[Seen], lags_s: FloatArray) -> FloatArray:
        """(N, M, L): score of each pair where video_time = imu_time + lag, within about ±(1 + told)."""
        steps = np.round(np.asarray(lags_s) * RATE_HZ).astype(np.int64)
        if self.slack:
            around = np.arange(-self.slack, self.slack + 1)
            needed = np.unique(steps[:, None] + around)
            all_near = self._at_steps(felt, seen, needed)
            return np.asarray(all_near[..., np.searchsorted(needed, steps[:, None] + around)].max(axis=-1))
        return self._at_steps(felt, seen, steps)

    def _at_steps(self, felt: Sequence[Felt], seen: Sequence[Seen], steps: npt.NDArray[np.int64]) -> FloatArray:
        """Scores (N, M, L) at lags of whole steps (L,) of the grid."""
        out = np.zeros((len(felt), len(seen), steps.size))
        first_x = np.array([f.first for f in felt])
        first_y = np.array([s.first for s in seen])
        x, x_there = _stacked([f.tokens for f in felt], [f.there for f in felt])
        ys = [_stacked([s.tokens[p] for s in seen], [s.there[p] for s in seen]) for p in range(PER_TOKEN)]
        signals, signals_there = _stacked([f.signals.T for f in felt], [f.valid for f in felt])
        told, told_there = _stacked([s.told.T for s in seen], [s.valid for s in seen])
        for k, step in enumerate(steps):
            # Sample i of the sensor meets sample i + apart of the video.
            apart = first_x[:, None] + step - first_y[None]
            for d in np.unique(apart):
                pairs = apart == d
                rows, columns = np.flatnonzero(pairs.any(axis=1)), np.flatnonzero(pairs.any(axis=0))
                by, p = divmod(int(d), PER_TOKEN)
                y, y_there = ys[p]
                value = _cosine(x[rows], x_there[rows], y[columns], y_there[columns], by)
                if self.told:
                    value = value + self.told * _correlation(
                        signals[rows], signals_there[rows], told[columns], told_there[columns], int(d)
                    )  # fmt: skip
                at_lag = out[..., k]  # a view
                own = np.ix_(rows, columns)
                at_lag[own] = np.where(pairs[own], value, at_lag[own])
        return out


def _stacked(rows: Sequence[Tensor], there: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sequences (T_i, D) padded to (N, T, D), and their masks to (N, T)."""
    padded = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    return padded, torch.nn.utils.rnn.pad_sequence(list(there), batch_first=True)


def _aligned(x: Tensor, x_there: Tensor, y: Tensor, y_there: Tensor, by: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The overlap of x (N, T, D) and y (M, U, D) where x[t] meets y[t + by]."""
    a, b = max(0, -by), min(x.shape[1], y.shape[1] - by)
    b = max(a, b)
    return x[:, a:b], x_there[:, a:b], y[:, a + by : b + by], y_there[:, a + by : b + by]


def _cosine(x: Tensor, x_there: Tensor, y: Tensor, y_there: Tensor, by: int) -> npt.NDArray[np.float64]:
    """Cosine (N, M) over the overlap, times the root of the share of the sensor's tokens in it."""
    whole = x_there.sum(dim=1).clamp_min(1)
    x, x_there, y, y_there = _aligned(x, x_there, y, y_there, by)
    count = x_there.float() @ y_there.float().T
    score = pair_scores(x, y, x_there, y_there) * (count / whole[:, None]).sqrt()
    return torch.where(count >= LEAST_OVERLAP, score, torch.zeros_like(score)).double().numpy()


def _correlation(x: Tensor, x_there: Tensor, y: Tensor, y_there: Tensor, by: int) -> npt.NDArray[np.float64]:
    """Mean over the channels of the correlation (N, M) of x (N, S, C) and y (M, U, C) over the overlap, weighted so."""
    whole = x_there.sum(dim=1).clamp_min(1)
    x, x_there, y, y_there = _aligned(x, x_there, y, y_there, by)
    mx, my = x_there.float(), y_there.float()
    n = (mx @ my.T).clamp_min(1.0)
    total = torch.zeros_like(n)
    for c in range(x.shape[2]):
        a, b = x[..., c] * mx, y[..., c] * my
        sx, sy = a @ my.T, mx @ b.T
        xy = a @ b.T - sx * sy / n
        xx, yy = (a * a) @ my.T - sx * sx / n, mx @ (b * b).T - sy * sy / n
        total += xy / (xx.clamp_min(1e-6) * yy.clamp_min(1e-6)).sqrt()
    score = total / max(x.shape[2], 1) * (n / whole[:, None]).sqrt()
    return torch.where(n >= LEAST_OVERLAP * PER_TOKEN, score, torch.zeros_like(score)).double().numpy()
