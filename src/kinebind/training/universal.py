"""Training the universal model on windows drawn from a corpus; stopped or killed, it goes on from its files.

Imports nothing beyond torch, numpy, scipy and safetensors, and runs on one GPU or two CPU cores alike:

    python -m kinebind.training.universal train.kbcorpus runs/universal [--minutes 9] [--device cuda]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from kinebind.errors import InputError
from kinebind.nn.universal import TOKEN_S, Universal, UniversalConfig, lag_scores, pair_scores
from kinebind.training.corpus import Corpus
from kinebind.training.draw.moves import Library
from kinebind.training.draw.windows import Drawing, Drawn, draw
from kinebind.training.precision import bf16_where_quick
from kinebind.training.sentences import Sentences, read_sentences

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UniversalTraining:
    """How the universal model is trained.

    steps: of the whole schedule. lengths: (window_s, shift_s, share of the steps) of the batches; sizes of batches
    follow from tokens: as many bodies as keep bodies × window_s at body_seconds. told, said: weights of Pose2IMU and of
    words. source_weights: how often a source is drawn against its share of the hours. mean_keep: of averaged weights.
    """

    steps: int = 20000
    lengths: tuple[tuple[float, float, float], ...] = ((2.0, 0.7, 0.45), (3.0, 1.5, 0.3), (5.0, 2.0, 0.25))
    body_seconds: float = 96.0
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_steps: int = 300
    told: float = 0.5
    lag: float = 1.0
    said: float = 0.25
    mean_keep: float = 0.999
    seed: int = 1
    source_weights: dict[str, float] = field(default_factory=lambda: {"cmu-expmap": 6.0})
    model: UniversalConfig = field(default_factory=UniversalConfig)
    drawing: Drawing = field(default_factory=Drawing)


def losses(
    model: Universal, drawn: Drawn, shift_s: float, config: UniversalTraining, sentences: Tensor | None = None
) -> dict[str, Tensor]:
    """The loss "total" and its terms; with "pair_r1", the share of pairs that are found in their batch.

    sentences (W, text): one of each meaning, embedded; None where words are not learnt.
    """
    hidden_felt, hidden_seen = model.felt(drawn.felt, drawn.felt_site), model.seen(drawn.seen, drawn.site)
    felt, seen = model.felt_token(hidden_felt).float(), model.seen_token(hidden_seen).float()
    told = model.told_of(hidden_seen).float()
    # Which belongs to which: every video at its own lag, so that aligned tokens meet.
    steps = torch.round(drawn.lag_s / TOKEN_S).long()
    shifted, there = _moved(seen, steps)
    everywhere = torch.ones(felt.shape[:2], dtype=torch.bool, device=felt.device)
    scores = pair_scores(felt, shifted, everywhere, there) * model.pair_scale.exp().clamp_max(60.0)
    target = torch.arange(scores.shape[0], device=scores.device)
    pair = 0.5 * (functional.cross_entropy(scores, target) + functional.cross_entropy(scores.T, target))
    # When: the curve over lags, its target between the two tokens around the truth.
    most = math.ceil(shift_s / TOKEN_S)
    curve = lag_scores(felt, seen, range(-most, most + 1)) * model.lag_scale.exp().clamp_max(60.0)
    place = drawn.lag_s / TOKEN_S + most
    low = place.floor().clamp(0, 2 * most - 1)
    weight = (place - low)[:, None]
    logs = functional.log_softmax(curve, dim=1)
    index = low.long()[:, None]
    lag = -(logs.gather(1, index) * (1.0 - weight) + logs.gather(1, index + 1) * weight).mean()
    miss = functional.smooth_l1_loss(told, drawn.told, reduction="none").mean(dim=1)
    known = drawn.told_known.to(miss)
    told_loss = (miss * known).sum() / known.sum().clamp_min(1.0)
    total = pair + config.lag * lag + config.told * told_loss
    words: dict[str, Tensor] = {}
    if sentences is not None:
        words = _said(model, {"felt": hidden_felt, "seen": hidden_seen}, drawn.meaning, sentences)
        total = total + config.said * (words["said_felt"] + words["said_seen"])
    return {
        "total": total, "pair": pair, "lag": lag, "told": told_loss, **words,
        "pair_r1": (scores.argmax(dim=1) == target).float().mean(),
        "lag_hit": ((curve.argmax(dim=1) - place).abs() <= 1.0).float().mean(),
    }  # fmt: skip


_ALIKE = 0.07
"""A sentence whose cosine with the right one is by so much below 1 counts by a third as right as that."""


def _said(model: Universal, hidden: dict[str, Tensor], meaning: Tensor, sentences: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of what each stream says among all sentences; those that say nearly the same are right as well."""
    known = torch.nonzero(meaning >= 0)[:, 0]
    if not known.numel():
        nothing = sentences.new_zeros(())
        return dict.fromkeys(("said_felt", "said_hit_felt", "said_seen", "said_hit_seen"), nothing)
    words = model.sentences(sentences)
    own = words[meaning[known]]
    likeness = own @ words.T
    right = functional.softmax((likeness - 1.0) / _ALIKE, dim=1)
    out: dict[str, Tensor] = {}
    for name, head in (("felt", model.felt_said), ("seen", model.seen_said)):
        tokens = hidden[name][known]
        said = functional.normalize(head(tokens, torch.ones_like(tokens[..., 0], dtype=torch.bool)).float(), dim=-1)
        scores = said @ words.T * model.said_scale.exp().clamp_max(60.0)
        out[f"said_{name}"] = functional.cross_entropy(scores, right)
        nearest = scores.detach().argmax(dim=1)
        out[f"said_hit_{name}"] = (likeness.gather(1, nearest[:, None]) > 0.95).float().mean()
    return out


def _moved(tokens: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (N, T, D) so that [t] is what was at t + steps; and where that is inside (N, T)."""
    count = tokens.shape[1]
    place = torch.arange(count, device=tokens.device)[None] + steps[:, None]
    there = (place >= 0) & (place < count)
    index = place.clamp(0, count - 1)[..., None].expand_as(tokens)
    return tokens.gather(1, index), there


class _Batches(IterableDataset[tuple[Drawn, float]]):
    """Batches by their step, each from a seed of its own: whatever was stopped goes on with what would have come."""

    def __init__(self, library: Library, config: UniversalTraining, step: int) -> None:
        self.library, self.config, self.step = library, config, step

    def __iter__(self) -> Iterator[tuple[Drawn, float]]:
        c = self.config
        shares = torch.tensor([share for *_, share in c.lengths])
        for step in range(self.step, c.steps):
            chooser = torch.Generator().manual_seed(c.seed * 1_000_003 + step)
            window_s, shift_s, _ = c.lengths[int(torch.multinomial(shares, 1, generator=chooser))]
            generator = torch.Generator(self.library.device).manual_seed(c.seed * 7_919_999 + step)
            with torch.no_grad():  # which must not hold while whoever asked goes on
                drawn = draw(self.library, round(c.body_seconds / window_s), window_s, shift_s, c.drawing, generator)
            yield drawn, shift_s


def _alone(_worker: int) -> None:
    torch.set_num_threads(1)


class Trainer:
    """Model, averaged model, optimiser and progress, kept in a folder."""

    def __init__(
        self,
        config: UniversalTraining,
        folder: Path,
        device: str,
        *,
        sentences: Sentences | None = None,
        start: Path | None = None,
    ) -> None:
        self.config, self.folder, self.device = config, folder, torch.device(device)
        torch.manual_seed(config.seed)
        sizes = config.model if sentences is None else dataclasses.replace(config.model, text=sentences.size)
        self.sentences = None if sentences is None else sentences.to(self.device)
        self.model = Universal(sizes).to(self.device)
        self.before: dict[str, float] = {}
        if start is not None:
            self._begin_with(start)
        if self.sentences is not None:
            self.model.sentence_mean.copy_(self.sentences.mean())
        self.mean = Universal(sizes).to(self.device)
        self.mean.load_state_dict(self.model.state_dict())
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        others = [p for p in self.model.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
        self.step, self.seconds = 0, 0.0
        self.pairs = 0
        self.history: list[dict[str, float]] = []
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.pt").exists():
            state = torch.load(folder / "state.pt", map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.mean.load_state_dict(state["mean"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds, self.pairs = state["step"], state["seconds"], state["pairs"]
            self.before = state.get("before", {})
            self.history = json.loads((folder / "history.json").read_text(encoding="utf-8"))

    def _begin_with(self, start: Path) -> None:
        """Take an earlier training's averaged weights, as far as there are any."""
        again = "Name the state.pt of a training of these sizes."
        try:
            state = torch.load(start, map_location=self.device, weights_only=True)
            found = self.model.load_state_dict(state["mean"], strict=False)
        except Exception as error:  # whatever torch makes of a file that is something else, or of other sizes
            raise InputError(f"{start} is of another model ({error}).", again) from error
        if found.unexpected_keys or any("said" not in k and "sentence" not in k for k in found.missing_keys):
            raise InputError(f"{start} is of another model.", again)
        before = state.get("before", {})
        self.before = {key: state[key] + before.get(key, 0) for key in ("step", "seconds", "pairs")}

    def save(self) -> None:
        """Write all that is needed to go on, whole or not at all."""
        state = {
            "model": self.model.state_dict(), "mean": self.mean.state_dict(), "optimiser": self.optimiser.state_dict(),
            "step": self.step, "seconds": self.seconds, "pairs": self.pairs, "before": self.before,
        }  # fmt: skip
        (self.folder / "history.json").write_text(json.dumps(self.history), encoding="utf-8")
        torch.save(state, self.folder / "state.part")
        (self.folder / "state.part").replace(self.folder / "state.pt")

    def rate(self) -> float:
        """The learning rate of the coming step: warmed up, then a half cosine to a hundredth."""
        c = self.config
        warm = min(1.0, (self.step + 1) / c.warm_steps)
        share = min(1.0, self.step / c.steps)
        return c.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share)))

    def _batches(self, library: Library) -> Iterator[tuple[Drawn, float]]:
        """The batches of the coming steps. On a CPU another process draws them, while this one learns."""
        own = _Batches(library, self.config, self.step)
        if self.device.type != "cpu":
            return iter(own)
        loader = DataLoader(own, batch_size=None, num_workers=1, prefetch_factor=3, worker_init_fn=_alone)
        return iter(loader)

    def train(self, library: Library, minutes: float | None, every: int = 100) -> bool:
        """Steps until the schedule or the time ends; True where the schedule has."""
        c = self.config
        started = time.monotonic()
        before = self.seconds
        batches = self._batches(library)
        kept: list[dict[str, float]] = []
        saved = time.monotonic()
        while self.step < c.steps:
            if minutes is not None and time.monotonic() - started > 60.0 * minutes:
                break
            drawn, shift_s = next(batches)
            self.model.train()
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate()
            with bf16_where_quick(self.device):
                chooser = torch.Generator(self.device).manual_seed(c.seed * 104_729 + self.step)
                phrases = None if self.sentences is None else self.sentences.drawn(chooser)
                terms = losses(self.model, drawn, shift_s, c, phrases)
            self.optimiser.zero_grad(set_to_none=True)
            terms["total"].backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            if bool(torch.isfinite(norm)):
                self.optimiser.step()
            keep = min(c.mean_keep, (1.0 + self.step) / (10.0 + self.step))
            with torch.no_grad():
                for mean, own in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                    mean.lerp_(own, 1.0 - keep)
            self.step += 1
            self.pairs += drawn.felt.shape[0]
            kept.append({name: float(value.detach()) for name, value in terms.items()})
            if self.step % every == 0:
                self.seconds = before + time.monotonic() - started
                row = {name: sum(k[name] for k in kept) / len(kept) for name in kept[0]}
                row |= {"step": self.step, "minutes": self.seconds / 60.0, "pairs": self.pairs}
                self.history.append(row)
                kept = []
                log.info("%s", " ".join(f"{k} {v:.4g}" for k, v in row.items()))
                if time.monotonic() - saved > 120.0:
                    self.save()
                    saved = time.monotonic()
        self.seconds = before + time.monotonic() - started
        self.save()
        return self.step >= c.steps


def main() -> None:
    """The program for machines that have torch, numpy, scipy and safetensors only."""
    parser = argparse.ArgumentParser(description="Train the universal model.")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int, default=UniversalTraining.steps)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--sentences", type=Path, help="Phrases, embedded (kinebind.training.sentences).")
    parser.add_argument("--start", type=Path, help="The state.pt of an earlier training to begin with.")
    parser.add_argument("--body-seconds", type=float, default=UniversalTraining.body_seconds)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if given.threads:
        torch.set_num_threads(given.threads)
    config = UniversalTraining(steps=given.steps, body_seconds=given.body_seconds)
    corpus = Corpus.open(given.corpus)
    library = Library.of(corpus, config.source_weights, given.device)
    sentences = None if given.sentences is None else read_sentences(given.sentences, corpus)
    trainer = Trainer(config, given.out, given.device, sentences=sentences, start=given.start)
    trainer.train(library, given.minutes)


if __name__ == "__main__":
    main()
