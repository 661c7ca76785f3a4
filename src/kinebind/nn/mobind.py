"""MoBind (Nguyen, Chin, Hoai; arXiv 2602.19004), leaf to root, from the paper and the shapes of its release.

    encoder      one sensor's or part's window -> T tokens and one local vector; shared by all sensors (or parts)
    aggregator   the local vectors of all sensors (or parts) -> one vector of the window
    MaskedTokens three quarters of a sensor's tokens are hidden and predicted from the rest, in training only
    losses       whole, local, token, multi-positive, masked tokens, weighted by `LossConfig`

Axes: B windows, N sensors or parts, C channels, S samples, T tokens, P samples a token, D width, M rows that are
there. What the paper leaves open, and we chose: the start of the learned embeddings (but the encoders' positions),
the activation and norm order of the masked-token transformer (the encoder's: ReLU, post-norm), that a sensor's
tokens are predicted from its own only, and the second direction of the multi-positive loss.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinebind.errors import InputError
from kinebind.nn.contract import POSE_CHANNELS, Batch, Contract
from kinebind.nn.gather import Gather, alone
from kinebind.nn.losses import info_nce, masked_mean, multi_positive
from kinebind.nn.model import Embedded, Model, check_pairs, fill_unseen

_KERNEL = 5


@dataclass(frozen=True)
class ModelConfig:
    """Widths and rates of MoBind; the defaults are the paper's.

    conv_widths: of the four convolutions. width: D. heads, layers, feedforward: of the encoders' transformers (the
    masked-token one has its own feed-forward width). aggregator_width: between its two linear maps.
    kept_share: of tokens that masked-token prediction leaves visible. sensor_dropout: see `Model`.
    """

    conv_widths: tuple[int, int, int, int] = (32, 64, 128, 128)
    width: int = 256
    heads: int = 8
    layers: int = 4
    feedforward: int = 128
    masked_feedforward: int = 1024
    aggregator_width: int = 512
    conv_dropout: float = 0.3
    attention_dropout: float = 0.1
    token_dropout: float = 0.3
    kept_share: float = 0.25
    temperature: float = 0.07
    sensor_dropout: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "conv_widths", tuple(self.conv_widths))
        if len(self.conv_widths) != 4:
            raise InputError(f"conv_widths has {len(self.conv_widths)} numbers.", "Give four.")
        if self.width % self.heads:
            raise InputError(f"width {self.width} is not a multiple of {self.heads} heads.", "Change one of them.")
        if not 0.0 < self.kept_share < 1.0:
            raise InputError(f"kept_share = {self.kept_share} is not between 0 and 1.", "MoBind keeps 0.25.")


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses, by default the paper's; a weight of zero also leaves out what only that loss needs.

    mix_parts: the local loss has all sensors of all windows as negatives (the release's first stage, one limb a
    sample), not only the same sensor in other windows.
    """

    whole: float = 1.0
    local: float = 1.0
    token: float = 0.5
    masked_tokens: float = 0.3
    multi_positive: float = 0.0
    mix_parts: bool = False

    def __post_init__(self) -> None:
        weights = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "mix_parts"}
        negative = [name for name, weight in weights.items() if weight < 0]
        if negative:
            raise InputError(f"The loss has negative weights: {', '.join(negative)}.", "Give zero or more.")
        if not any(weight for name, weight in weights.items() if name != "masked_tokens"):
            raise InputError(
                "No loss binds the two modalities.", "Give whole, local, token or multi_positive a weight."
            )
        if self.multi_positive and not self.whole:
            raise InputError(
                "multi_positive has a weight, but whole has none.", "Only whole trains the pose it compares with."
            )
        if self.mix_parts and not self.local:
            raise InputError(
                "mix_parts is set, but local has no weight.", "Give local a weight, or leave mix_parts out."
            )

    @classmethod
    def joint(cls) -> LossConfig:
        """The paper's: all levels at once."""
        return cls()

    @classmethod
    def stage1(cls) -> LossConfig:
        """The release's first stage: encoders only, one limb a sample."""
        return cls(whole=0.0, local=1.0, token=0.5, masked_tokens=0.0, mix_parts=True)

    @classmethod
    def stage2(cls, multi_positive: float = 0.1) -> LossConfig:
        """The release's second stage, from the first one's encoders; 0.1 for mRi, 0.2 for EgoHumans."""
        return cls(whole=1.0, local=0.0, token=0.0, masked_tokens=0.3, multi_positive=multi_positive)


@dataclass(frozen=True, eq=False)
class EmbeddedParts(Embedded):
    """MoBind's embeddings: always with tokens and local vectors, with whole ones unless trained without."""

    tokens: Tensor
    token_mask: Tensor
    local: Tensor


class TokenTransformer(nn.Module):
    """Learned positions and a post-norm transformer over T tokens."""

    def __init__(self, tokens: int, config: ModelConfig) -> None:
        super().__init__()
        self.pos_emb = nn.Parameter(torch.randn(1, tokens, config.width) * 0.01)
        # The release has it and never uses it; frozen, so that distributed training does not wait for its gradient.
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width), requires_grad=False)
        self.transformer = _transformer(config, config.feedforward)

    def forward(self, x: Tensor, token_mask: Tensor) -> Tensor:
        """x (M, T, D), token_mask (M, T) bool with at least one token a row -> (M, T, D)."""
        hidden = None if bool(token_mask.all()) else ~token_mask
        out: Tensor = self.transformer(x + self.pos_emb, src_key_padding_mask=hidden)
        return out


class Encoder(nn.Module):
    """'ConvFormer': four convolutions, non-overlapping patches, a transformer over them."""

    def __init__(self, channels: int, patch: int, tokens: int, config: ModelConfig) -> None:
        super().__init__()
        self.patch = patch
        w1, w2, w3, w4 = config.conv_widths
        self.conv1 = nn.Conv1d(channels, w1, _KERNEL, padding=_KERNEL // 2)
        self.conv2 = nn.Conv1d(w1, w2, _KERNEL, padding=_KERNEL // 2)
        self.conv3 = nn.Conv1d(w2, w3, _KERNEL, padding=_KERNEL // 2)
        self.conv4 = nn.Conv1d(w3, w4, _KERNEL, padding=_KERNEL // 2)
        self.bn1, self.bn2, self.bn3, self.bn4 = (nn.BatchNorm1d(w) for w in (w1, w2, w3, w4))
        self.conv_dropout = nn.Dropout(config.conv_dropout)
        self.pre_transformer = nn.Linear(w4 * patch, config.width, bias=False)
        self.transformer = TokenTransformer(tokens, config)
        self.token_dropout = nn.Dropout(config.token_dropout)
        self.projector = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, token_mask: Tensor) -> tuple[Tensor, Tensor]:
        """x (M, C, S), token_mask (M, T) bool -> tokens (M, T, D), zero where masked, and local (M, D)."""
        x = F.relu(self.bn1(self.conv1(x)))  # (M, 32, S)
        x = self.conv_dropout(F.relu(self.bn2(self.conv2(x))))  # (M, 64, S)
        x = F.relu(self.bn3(self.conv3(x)))  # (M, 128, S)
        x = self.conv_dropout(F.relu(self.bn4(self.conv4(x))))  # (M, 128, S)
        tokens = self.pre_transformer(patches(x, self.patch))  # (M, T, 128·P) -> (M, T, D)
        tokens = self.token_dropout(self.transformer(tokens, token_mask))  # (M, T, D)
        kept = token_mask.unsqueeze(-1)  # (M, T, 1)
        tokens = torch.where(kept, tokens, torch.zeros_like(tokens))
        mean = tokens.sum(dim=1) / kept.sum(dim=1)  # (M, D)
        return tokens, self.projector(mean)


class Aggregator(nn.Module):
    """The local vectors of N sensors (or parts) as one vector of the window."""

    def __init__(self, parts: int, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.proj = nn.Sequential(
            nn.Linear(parts * config.width, config.aggregator_width),
            nn.GELU(),
            nn.Linear(config.aggregator_width, config.width),
        )

    def forward(self, local: Tensor, present: Tensor) -> Tensor:
        """local (B, N, D), present (B, N) bool -> (B, D); an absent one leaves zeros in its place."""
        x: Tensor = self.norm(local) * present.unsqueeze(-1)  # (B, N, D)
        out: Tensor = self.proj(x.flatten(1))  # (B, N·D) -> (B, D)
        return out


class MaskedTokens(nn.Module):
    """Masked token prediction: the hidden tokens of a sensor from its visible ones."""

    def __init__(self, sensors: int, tokens: int, config: ModelConfig) -> None:
        super().__init__()
        self.visible = int(config.kept_share * tokens)  # 6 of 25
        if self.visible < 1:
            raise InputError(
                f"kept_share = {config.kept_share} of {tokens} tokens leaves none visible.", "Raise kept_share."
            )
        self.sensor_id_emb = nn.Embedding(sensors, config.width)
        nn.init.normal_(self.sensor_id_emb.weight, std=0.01)
        self.mask_token = nn.Parameter(torch.randn(1, 1, config.width) * 0.01)
        self.imu_pos_emb = nn.Parameter(torch.randn(1, tokens, config.width) * 0.01)
        self.imu_transformer = _transformer(config, config.masked_feedforward)
        self.pre_pred_norm = nn.LayerNorm(config.width)
        self.imu_pred = nn.Linear(config.width, config.width)

    def forward(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """tokens (B, N, T, D), present (B, N) bool -> squared error (M, T), hidden (M, T) bool.

        M: sensors that are there. The error is the mean over D; its gradient does not reach the tokens as targets.
        """
        sensor = present.nonzero()[:, 1]  # (M,) the index along N, not along the window
        rows = tokens[present]  # (M, T, D)
        rank = torch.rand(rows.shape[:2], device=rows.device).argsort(dim=1).argsort(dim=1)
        hidden = rank >= self.visible  # (M, T)
        x = torch.where(hidden.unsqueeze(-1), self.mask_token.to(rows.dtype), rows)  # (M, T, D)
        x = x + self.imu_pos_emb + self.sensor_id_emb(sensor).unsqueeze(1)  # (M, T, D) + (1, T, D) + (M, 1, D)
        predicted = self.imu_pred(self.pre_pred_norm(self.imu_transformer(x)))  # (M, T, D)
        return (predicted.float() - rows.detach().float()).square().mean(dim=-1), hidden


class MoBind(Model):
    """The model. Which modules it has follows from the losses: those of the first stage need the encoders alone."""

    name: ClassVar[str] = "mobind"

    def __init__(self, contract: Contract, config: ModelConfig | None = None, losses: LossConfig | None = None) -> None:
        c = config or ModelConfig()
        super().__init__(contract, c.temperature, c.sensor_dropout)
        self.config, self.losses = c, losses or LossConfig()
        parts, tokens = len(contract.parts), contract.tokens
        self.imu_encoder = Encoder(len(contract.imu_channels), contract.imu_patch, tokens, c)
        self.motion_encoder = Encoder(POSE_CHANNELS, contract.pose_patch, tokens, c)
        self.imu_aggregator: Aggregator | None = None
        self.motion_aggregator: Aggregator | None = None
        if self.losses.whole:
            self.imu_aggregator, self.motion_aggregator = Aggregator(parts, c), Aggregator(parts, c)
        self.local2global_imu = nn.Linear(c.width, c.width) if self.losses.multi_positive else None
        self.masked_tokens = MaskedTokens(parts, tokens, c) if self.losses.masked_tokens else None

    def embed_imu(self, imu: Tensor, imu_mask: Tensor) -> EmbeddedParts:
        """See `Model.embed_imu`; every token of a sensor that is there is valid."""
        self.contract.check_imu(imu, imu_mask)
        token_mask = imu_mask.unsqueeze(-1).expand(-1, -1, self.contract.tokens)  # (B, N, T)
        return _embed(self.imu_encoder, self.imu_aggregator, imu, token_mask)

    def embed_pose(self, pose: Tensor, pose_mask: Tensor) -> EmbeddedParts:
        """See `Model.embed_pose`; a token is masked where fewer than half of its frames are seen."""
        self.contract.check_pose(pose, pose_mask)
        filled, token_mask = fill_unseen(pose, pose_mask), seen_tokens(self.contract, pose_mask)
        return _embed(self.motion_encoder, self.motion_aggregator, filled, token_mask)

    def loss(self, batch: Batch, gather: Gather = alone) -> dict[str, Tensor]:
        """See `Model.loss`; terms: whole, local, token, multi_positive, masked_tokens, as far as they have a weight."""
        there = gather(batch.imu_mask.any(dim=1) & seen_tokens(self.contract, batch.pose_mask).flatten(1).any(dim=1))
        check_pairs(int(there.sum()))
        imu = self.embed_imu(batch.imu, self.sensors_kept(batch.imu_mask))
        pose = self.embed_pose(batch.pose, batch.pose_mask)
        scale, weights = self.scale, self.losses
        terms: dict[str, Tensor] = {}
        if imu.whole is not None and pose.whole is not None:
            terms["whole"] = masked_mean(info_nce(gather(imu.whole), gather(pose.whole), scale, there), there)
        if weights.local:
            both = gather(imu.present & pose.present)  # (B, N)
            a, b = gather(imu.local), gather(pose.local)  # (B, N, D)
            if weights.mix_parts:
                a, b, both = a[both], b[both], both[both]  # (M, D)
            else:
                a, b, both = a.transpose(0, 1), b.transpose(0, 1), both.transpose(0, 1)  # (N, B, D)
            terms["local"] = masked_mean(info_nce(a, b, scale, both), both)
        if weights.token:
            valid = (imu.token_mask & pose.token_mask).flatten(0, 1)  # (B·N, T)
            each = info_nce(imu.tokens.flatten(0, 1), pose.tokens.flatten(0, 1), scale, valid)
            terms["token"] = masked_mean(each, valid, gather)
        if self.local2global_imu is not None and pose.whole is not None:
            sensors = gather(imu.present) & there.unsqueeze(1)  # (B, N)
            each = multi_positive(gather(pose.whole.detach()), gather(self.local2global_imu(imu.local)), scale, sensors)
            terms["multi_positive"] = masked_mean(each, sensors.any(dim=1))
        if self.masked_tokens is not None:
            error, hidden = self.masked_tokens(imu.tokens, imu.present)
            terms["masked_tokens"] = masked_mean(error, hidden, gather)
        total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        return {"total": total, **terms}

    def settings(self) -> dict[str, dict[str, Any]]:
        """See `Model.settings`."""
        return {"model": dataclasses.asdict(self.config), "loss": dataclasses.asdict(self.losses)}


def patches(x: Tensor, patch: int) -> Tensor:
    """Non-overlapping patches, flattened channel by channel: (M, W, T·P) -> (M, T, W·P).

    >>> patches(torch.tensor([[[0, 1, 2, 3], [10, 11, 12, 13]]]), 2)
    tensor([[[ 0,  1, 10, 11],
             [ 2,  3, 12, 13]]])
    """
    x = x.reshape(*x.shape[:2], x.shape[2] // patch, patch)  # (M, W, T, P)
    return x.permute(0, 2, 1, 3).flatten(2)  # (M, T, W, P) -> (M, T, W·P)


def seen_tokens(contract: Contract, pose_mask: Tensor) -> Tensor:
    """Which pose tokens have at least half of their frames seen: (B, N, Tp) bool -> (B, N, T) bool."""
    per_token = pose_mask.reshape(*pose_mask.shape[:2], contract.tokens, contract.pose_patch)  # (B, N, T, P)
    return per_token.sum(dim=-1) * 2 >= contract.pose_patch


def _transformer(config: ModelConfig, feedforward: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config.width, config.heads, feedforward, config.attention_dropout, activation="relu", batch_first=True
    )
    return nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)


def _embed(encoder: Encoder, aggregator: Aggregator | None, x: Tensor, token_mask: Tensor) -> EmbeddedParts:
    """x (B, N, C, S), token_mask (B, N, T). Only rows that are there go through the encoder.

    So an absent one costs nothing, and its content cannot reach the others through the batch statistics.
    """
    present = token_mask.any(dim=-1)  # (B, N)
    tokens, local = encoder(x[present], token_mask[present])  # (M, C, S) -> (M, T, D), (M, D)
    all_tokens = tokens.new_zeros(*token_mask.shape, tokens.shape[-1]).index_put((present,), tokens)  # (B, N, T, D)
    all_local = local.new_zeros(*present.shape, local.shape[-1]).index_put((present,), local)  # (B, N, D)
    whole = aggregator(all_local, present) if aggregator is not None else None
    return EmbeddedParts(present, all_tokens, token_mask, all_local, whole)
