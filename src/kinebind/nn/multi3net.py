"""Multi3Net (Fortes Rey et al., arXiv 2406.01316): text, pose and each wrist's IMU bound by contrast, and two tasks.

Three tasks, each of weight 1 unless a recipe says otherwise: InfoNCE between every two of text, pose and sensors (six
pairs with two wrists); the series of each sensor from the pose's tokens (Pose2IMU); and each sensor's own series from
its tokens, some of which it did not see. What a window lacks (text, a sensor, limbs out of view) is in no pair.

The design of the encoders is the paper's as far as it is known: a linear embedding of each sample, sinusoidal
positions, one layer of attention with 8 heads, 256 numbers. Ours, where it is not: tokens are averaged and projected;
series are read off the tokens by two convolutions, so that they keep their time; some tokens are hidden in the
reconstruction, which would copy its input otherwise; windows that have the same text are no negatives of each other's
text; pairs are averaged, so that their number does not weigh. For Multi3Net+: what lies around a sample is embedded
with it (`stem_s`), and what is hidden is shown as a line, which the reconstruction need only correct (`hidden`).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2
from kinebind.nn.contract import POSE_CHANNELS, Batch, Contract
from kinebind.nn.gather import Gather, alone
from kinebind.nn.losses import info_nce, masked_mean
from kinebind.nn.model import Embedded, Model, check_pairs, fill_unseen

TURN_RATE = 3.0
"""rad/s that counts as one in the series, as 9.81 m/s² does."""
TEXT, POSE = "text", "pose"
HIDDEN = ("zero", "line")
_KERNEL = 5


@dataclass(frozen=True)
class Multi3NetConfig:
    """sensors: parts of the contract that have an encoder; none means all. text: numbers of a sentence's embedding, 0
    without text. stem_s: seconds around each sample that are embedded with it; 0 is the sample alone. hidden_share: of
    a sensor's patches, in the reconstruction; hidden: what is shown in their place, "zero", or the "line" from what is
    before them to what follows, of which the reconstruction is then what differs. temperature, sensor_dropout: see
    `Model`.
    """

    sensors: tuple[str, ...] = ()
    width: int = 256
    heads: int = 8
    layers: int = 1
    feedforward: int = 512
    dropout: float = 0.1
    text: int = 384
    stem_s: float = 0.0
    hidden_share: float = 0.5
    hidden: str = "zero"
    temperature: float = 0.07
    sensor_dropout: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sensors", tuple(self.sensors))
        if self.width % self.heads or self.width % 2:
            raise InputError(
                f"width {self.width} is not even, or no multiple of {self.heads} heads.", "Change one of them."
            )
        if not 0.0 < self.hidden_share < 1.0:
            raise InputError(f"hidden_share = {self.hidden_share} is not between 0 and 1.", "Ours is 0.5.")
        if self.hidden not in HIDDEN:
            raise InputError(f"hidden = '{self.hidden}' is unknown.", f"Use one of: {', '.join(HIDDEN)}.")
        if not 0.0 <= self.stem_s < float("inf"):
            raise InputError(f"stem_s = {self.stem_s} is below zero.", "Give seconds; 0 embeds each sample alone.")
        if self.text < 0 or min(self.layers, self.feedforward) < 1:
            raise InputError("A size is below what makes sense.", "Check text, layers and feedforward.")


@dataclass(frozen=True)
class Multi3NetLoss:
    """Weights of the tasks; a weight of zero leaves out what only that task needs."""

    contrast: float = 1.0
    pose2imu: float = 1.0
    reconstruct: float = 1.0

    def __post_init__(self) -> None:
        if min(self.contrast, self.pose2imu, self.reconstruct) < 0:
            raise InputError("The loss has a negative weight.", "Give zero or more.")
        if not self.contrast:
            raise InputError("No loss binds the modalities.", "Give contrast a weight.")


class SeriesEncoder(nn.Module):
    """Series (M, C, S) at a rate -> tokens (M, S, D), one a sample, and one vector (M, D)."""

    def __init__(self, channels: int, rate_hz: float, config: Multi3NetConfig) -> None:
        super().__init__()
        around = round(0.5 * config.stem_s * rate_hz)  # samples on either side
        self.enter = nn.Conv1d(channels, config.width, 2 * around + 1, padding=around)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.feedforward, config.dropout, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.attend = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(config.width)
        self.project = nn.Linear(config.width, config.width)

    def forward(self, series: Tensor) -> tuple[Tensor, Tensor]:
        x = self.enter(series).transpose(1, 2)
        tokens: Tensor = self.norm(self.attend(x + positions(x.shape[1], x.shape[2]).to(x)))
        return tokens, self.project(tokens.mean(dim=1))


class SeriesDecoder(nn.Module):
    """Tokens (M, S, D) -> a sensor's series (M, C, samples), whatever the rate of the tokens."""

    def __init__(self, width: int, channels: int, samples: int) -> None:
        super().__init__()
        self.samples = samples
        self.layers = nn.Sequential(
            nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2), nn.GELU(),
            nn.Conv1d(width, channels, _KERNEL, padding=_KERNEL // 2),
        )  # fmt: skip

    def forward(self, tokens: Tensor) -> Tensor:
        series: Tensor = self.layers(F.interpolate(tokens.transpose(1, 2), self.samples, mode="linear"))
        return series


class Multi3Net(Model):
    """The model. Sensors of parts that it has no encoder for are not looked at."""

    name: ClassVar[str] = "multi3net"

    def __init__(
        self, contract: Contract, config: Multi3NetConfig | None = None, losses: Multi3NetLoss | None = None
    ) -> None:
        c = config or Multi3NetConfig()
        super().__init__(contract, c.temperature, c.sensor_dropout)
        self.config, self.losses = c, losses or Multi3NetLoss()
        self.sensors = c.sensors or contract.parts
        if unknown := [part for part in self.sensors if part not in contract.parts]:
            raise InputError(
                f"[model] sensors names {', '.join(unknown)}, which [contract] parts lacks.",
                f"Parts are: {', '.join(contract.parts)}.",
            )
        self.at = [contract.parts.index(part) for part in self.sensors]
        channels, samples = len(contract.imu_channels), contract.imu_samples
        self.imu = nn.ModuleList(SeriesEncoder(channels + 1, contract.imu_rate_hz, c) for _ in self.at)
        self.pose = SeriesEncoder(len(contract.parts) * (POSE_CHANNELS + 1), contract.pose_rate_hz, c)
        self.text = _text_encoder(c.text, c.width) if c.text else None
        self.pose2imu, self.reconstruct = (
            nn.ModuleList(SeriesDecoder(c.width, channels, samples) for _ in (self.at if weight else ()))
            for weight in (self.losses.pose2imu, self.losses.reconstruct)
        )

    def embed_imu(self, imu: Tensor, imu_mask: Tensor) -> Embedded:
        """See `Model.embed_imu`; `local` of the sensors that have an encoder, `whole` their mean."""
        self.contract.check_imu(imu, imu_mask)
        measured = _measured(imu, imu_mask)
        vectors = torch.stack([self._felt(k, measured)[1] for k in range(len(self.at))], dim=1)  # (B, K, D)
        there = imu_mask[:, self.at]
        kept = there.to(vectors)[..., None]
        local = vectors.new_zeros(*imu_mask.shape, vectors.shape[-1])
        local[:, self.at] = vectors * kept
        present = torch.zeros_like(imu_mask)
        present[:, self.at] = there
        unit = F.normalize(vectors, dim=-1) * kept
        return Embedded(present, local=local, whole=unit.sum(dim=1) / kept.sum(dim=1).clamp_min(1.0))

    def embed_pose(self, pose: Tensor, pose_mask: Tensor) -> Embedded:
        """See `Model.embed_pose`; `whole` only: the whole body is looked at together."""
        self.contract.check_pose(pose, pose_mask)
        there = pose_mask.flatten(1).any(dim=1)
        return Embedded(there[:, None].expand(-1, pose.shape[1]), whole=self._seen(pose, pose_mask)[1])

    def embed_text(self, text: Tensor) -> Tensor:
        """Vectors (B, D) of sentences' embeddings (B, text). Raises InputError for a model without text."""
        if self.text is None:
            raise InputError("This model has learnt no text.", "Train it with [model] text above zero.")
        vectors: Tensor = self.text(text)
        return vectors

    def imu_from_pose(self, pose: Tensor, pose_mask: Tensor) -> Tensor:
        """What each sensor with an encoder would feel (B, K, C, Ti), in the contract's channels and units."""
        self.contract.check_pose(pose, pose_mask)
        if not len(self.pose2imu):
            raise InputError("This model has not learnt to tell IMUs from poses.", "Give [loss] pose2imu a weight.")
        tokens = self._seen(pose, pose_mask)[0]
        return torch.stack([decode(tokens) for decode in self.pose2imu], dim=1) * self._units(tokens)

    def reconstructed(self, imu: Tensor, hidden: Tensor) -> Tensor:
        """Each sensor's series (B, K, C, Ti) from what is left of it; hidden (B, K, Ti) bool: samples not shown."""
        if not len(self.reconstruct):
            raise InputError("This model has not learnt to reconstruct.", "Give [loss] reconstruct a weight.")
        shown = self._shown(imu[:, self.at], hidden)
        units = self._units(imu)
        told = [self.reconstruct[k](self._tokens(k, shown[:, k], hidden[:, k])[0]) for k in range(len(self.at))]
        series = torch.stack(told, dim=1) * units
        return series + shown if self.config.hidden == "line" else series

    def hidden_samples(self, batch: int, device: torch.device) -> Tensor:
        """(B, K, Ti) bool: patches drawn at random, a share `hidden_share` of each sensor's."""
        tokens = self.contract.tokens
        rank = torch.rand(batch, len(self.at), tokens, device=device).argsort(dim=-1).argsort(dim=-1)
        hidden = rank < max(1, round(self.config.hidden_share * tokens))
        return hidden.repeat_interleave(self.contract.imu_patch, dim=-1)

    def loss(self, batch: Batch, gather: Gather = alone) -> dict[str, Tensor]:
        """See `Model.loss`; terms: contrast, the mean of all pairs, each pair by its name, pose2imu, reconstruct."""
        imu = _measured(batch.imu, batch.imu_mask)
        sensors = self.sensors_kept(batch.imu_mask)[:, self.at]  # (B, K)
        seen = batch.pose_mask.flatten(1).any(dim=1)
        check_pairs(int(gather(sensors.any(dim=1) & seen).sum()))
        pose_tokens, pose_vector = self._seen(batch.pose, batch.pose_mask)
        found = {POSE: (pose_vector, seen)}
        for k, part in enumerate(self.sensors):
            found[part] = (self._felt(k, imu)[1], sensors[:, k])
        if self.text is not None and batch.text is not None:
            found[TEXT] = (self.text(_drawn(batch.text, self.training)), batch.label >= 0)
        terms = self._contrast({name: (gather(v), gather(t)) for name, (v, t) in found.items()}, gather(batch.label))
        true = imu[:, self.at] / self._units(imu)  # (B, K, C, Ti)
        felt = batch.imu_mask[:, self.at]
        if len(self.pose2imu):
            told = torch.stack([decode(pose_tokens) for decode in self.pose2imu], dim=1)
            both = felt & seen[:, None]
            terms["pose2imu"] = masked_mean((told - true).float().square().mean(dim=(2, 3)), both, gather)
        if len(self.reconstruct):
            told = self.reconstructed(imu, self.hidden_samples(len(batch), imu.device))
            each = (told / self._units(told) - true).float().square().mean(dim=(2, 3))
            terms["reconstruct"] = masked_mean(each, felt, gather)
        weighed = [weight * terms[name] for name, weight in dataclasses.asdict(self.losses).items() if name in terms]
        return {"total": torch.stack(weighed).sum(), **terms}

    def settings(self) -> dict[str, dict[str, Any]]:
        """See `Model.settings`."""
        return {"model": dataclasses.asdict(self.config), "loss": dataclasses.asdict(self.losses)}

    def _contrast(self, found: dict[str, tuple[Tensor, Tensor]], label: Tensor) -> dict[str, Tensor]:
        """InfoNCE of every two modalities, in windows that have both, and the mean of these terms."""
        same = (label[:, None] == label[None]) & (label >= 0)[None]
        pairs: dict[str, Tensor] = {}
        for a, b in itertools.combinations(found, 2):
            valid = found[a][1] & found[b][1]
            apart = None if TEXT not in (a, b) else ~same
            each = info_nce(found[a][0], found[b][0], self.scale, valid, apart)
            pairs[f"{a}_{b}"] = masked_mean(each, valid)
        used = torch.stack([(found[a][1] & found[b][1]).any() for a, b in itertools.combinations(found, 2)])
        return {"contrast": torch.stack(list(pairs.values())).sum() / used.sum().clamp_min(1), **pairs}

    def _felt(self, k: int, imu: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and vector of the k-th sensor of imu (B, N, C, Ti), of which nothing is hidden."""
        own = imu[:, self.at[k]]
        return self._tokens(k, own, torch.zeros_like(own[:, 0], dtype=torch.bool))

    def _tokens(self, k: int, shown: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and vector of what is shown (B, C, Ti) of the k-th sensor; hidden (B, Ti) bool is told as well."""
        own = shown / self._units(shown)[0, 0]
        tokens, vector = self.imu[k](torch.cat([own, hidden[:, None].to(own)], dim=1))
        return tokens, vector

    def _shown(self, imu: Tensor, hidden: Tensor) -> Tensor:
        """Series (B, K, C, Ti) with what is hidden (B, K, Ti) as the settings say."""
        return bridged(imu, hidden) if self.config.hidden == "line" else imu * ~hidden[:, :, None]

    def _seen(self, pose: Tensor, pose_mask: Tensor) -> tuple[Tensor, Tensor]:
        filled = fill_unseen(pose, pose_mask).flatten(1, 2)
        tokens, vector = self.pose(torch.cat([filled, pose_mask.to(filled)], dim=1))
        return tokens, vector

    def _units(self, like: Tensor) -> Tensor:
        """(1, 1, C, 1): what counts as one in each channel of the contract."""
        acc = GRAVITY_M_S2 if self.contract.acc_unit == "m/s2" else 1.0
        of = {"acc": acc, "gyr": TURN_RATE}
        return like.new_tensor([of.get(name.partition("_")[0], 1.0) for name in self.contract.imu_channels])[
            None, None, :, None
        ]


def positions(samples: int, width: int) -> Tensor:
    """Sinusoidal positions (samples, width) (Vaswani et al., arXiv 1706.03762, section 3.5).

    >>> positions(2, 4)[0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    rate = torch.exp(-math.log(1e4) * torch.arange(width // 2) / (width // 2))
    angle = torch.arange(samples)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def bridged(series: Tensor, hidden: Tensor) -> Tensor:
    """Series (..., C, T) with straight lines where it is hidden (..., T), and at an end the nearest sample that is not.

    Where all is hidden it is zero.

    >>> bridged(torch.tensor([[0.0, 9.0, 9.0, 6.0, 9.0]]), torch.tensor([False, True, True, False, True])).tolist()
    [[0.0, 2.0, 4.0, 6.0, 6.0]]
    """
    count = hidden.shape[-1]
    place = torch.arange(count, device=hidden.device).expand_as(hidden)
    before = place.masked_fill(hidden, -1).cummax(dim=-1).values
    after = place.masked_fill(hidden, count).flip(-1).cummin(dim=-1).values.flip(-1)
    lower = torch.where(before < 0, after, before).clamp_max(count - 1)
    upper = torch.where(after == count, before, after).clamp_min(0)
    share = (place - lower) / (upper - lower).clamp_min(1)
    low, high = (series.gather(-1, at[..., None, :].expand_as(series)) for at in (lower, upper))
    line = low + share[..., None, :].to(series) * (high - low)
    nothing = hidden.all(dim=-1)[..., None, None]
    return torch.where(nothing, torch.zeros_like(series), torch.where(hidden[..., None, :], line, series))


def _measured(imu: Tensor, imu_mask: Tensor) -> Tensor:
    """imu (B, N, C, Ti), zero where the sensor is not there."""
    return torch.where(imu_mask[..., None, None], imu, torch.zeros_like(imu))


def _text_encoder(size: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(size, width), nn.GELU(), nn.Linear(width, width))


def _drawn(text: Tensor, training: bool) -> Tensor:
    """Of the phrases (B, P, E) of each window one at random in training, else their mean: (B, E)."""
    if not training:
        return text.mean(dim=1)
    pick = torch.randint(text.shape[1], (text.shape[0],), device=text.device)
    return text[torch.arange(text.shape[0], device=text.device), pick]
