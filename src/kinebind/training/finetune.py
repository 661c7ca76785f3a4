"""Fine-tuning: a head for activities, linear or of experts, and the IMU encoder below it, on labelled windows.

Unlike `kinebind.training.loop` this takes minutes, so it is not resumed. The rest is as there: Adam, the recipe's
seed, the epoch that is best in validation kept, a stop at a loss that is not finite; always in fp32. A folder then
holds `best.safetensors`, the model, and `head.safetensors`, the head that belongs to it.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kinebind.errors import InputError
from kinebind.nn.checkpoint import save as save_model
from kinebind.nn.contract import Batch
from kinebind.nn.model import Embedded, Model
from kinebind.nn.recogniser import Experts, RecogniserConfig
from kinebind.store import written_whole
from kinebind.tasks.recognise import Classes, ExpertHead, Head, class_scores
from kinebind.training.batches import make_batch
from kinebind.training.jobs.activities import classes_of, labelled
from kinebind.training.jobs.result import Subject
from kinebind.training.loop import BEST
from kinebind.training.windows import Windows

HEAD = "head.safetensors"
_KEY = "kinebind-head"


@dataclass(frozen=True)
class FineTuning:
    """How a head is fine-tuned: our choices, as the paper says only that it is done.

    head_rate, encoder_rate: Adam's learning rates; a new head learns faster than an encoder that knows much already.
    patience_epochs: stop once validation accuracy has not risen for so long. most_epochs: stop there at the latest.
    batch_size: windows a step. seed: of the head, the order and dropout; None is the recipe's.
    experts: of the head, which is linear with 0. balance: weight of the term that keeps them all in use.
    """

    head_rate: float = 1e-3
    encoder_rate: float = 1e-4
    patience_epochs: int = 20
    most_epochs: int = 200
    batch_size: int = 64
    seed: int | None = None
    experts: int = 0
    balance: float = 0.01

    def __post_init__(self) -> None:
        for name in ("head_rate", "encoder_rate", "patience_epochs", "most_epochs", "batch_size"):
            value = getattr(self, name)
            if not 0 < value < float("inf") and not (name == "encoder_rate" and value == 0):
                raise InputError(f"{name} = {value} is not above zero.", "Give a positive number.")
        if self.experts < 0 or self.balance < 0:
            raise InputError(f"{self.experts} experts with a balance of {self.balance}.", "Give zero or more.")
        if self.batch_size < 2:
            raise InputError("A batch of one window cannot be normalised.", "Give a batch_size of two or more.")


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came of it. model: with the encoder as it was best; head: that belongs to it. history: per epoch its
    number, mean loss and validation accuracy."""

    model: Model
    head: Head | ExpertHead
    best_epoch: int
    best_accuracy: float
    history: list[dict[str, float]]


def finetune(
    subject: Subject, config: FineTuning | None = None, said: Callable[[str], None] = lambda text: None
) -> Tuned:
    """Fine-tune on the subject's training split; the split that it tests is not looked at.

    said: called with a line an epoch. The subject's own model stays as it is, and so does torch's random state.
    Raises InputError where train or val has no labelled windows, or a loss is not finite (naming the windows).
    """
    c = config or FineTuning()
    classes = classes_of(subject)
    train, valid = (labelled(subject, split) for split in ("train", "val"))
    if len(train) < 2:
        raise InputError("There is one labelled window to train on.", "Label more of the recordings.")
    device = torch.device(subject.device)
    seed = subject.recipe.train.seed if c.seed is None else c.seed
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        run = _Run(subject, c, classes, train, valid)
        rng = np.random.default_rng([seed, 2])
        for epoch in itertools.count():
            run.epoch(epoch, rng)
            said(f"epoch {epoch}: loss {run.history[-1]['loss']:.3f}, validation {run.history[-1]['accuracy']:.3f}")
            if epoch + 1 >= c.most_epochs or epoch - run.best_epoch >= c.patience_epochs:
                break
    return Tuned(run.best_model, run.best_head, run.best_epoch, run.best_accuracy, run.history)


class _Run:
    """A fine-tuning under way."""

    best_model: Model
    best_head: Head | ExpertHead

    def __init__(self, subject: Subject, c: FineTuning, classes: Classes, train: Windows, valid: Windows) -> None:
        self.subject, self.config, self.classes = subject, c, classes
        self.train_windows, self.valid_windows = train, valid
        self.model = copy.deepcopy(subject.model).to(subject.device).eval()
        self.model.recipe = subject.model.recipe or subject.recipe.text
        self.head: nn.Module = nn.Identity()
        width = self._logits(next(subject.batches(train.take(np.arange(1))))).shape[1]
        if c.experts:
            sizes = RecogniserConfig(len(classes.names), experts=c.experts)
            self.head = Experts(width, sizes).to(subject.device)
        else:
            self.head = nn.Linear(width, len(classes.names)).to(subject.device)
        encoder = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam([
            {"params": list(self.head.parameters()), "lr": c.head_rate}, {"params": encoder, "lr": c.encoder_rate},
        ])  # fmt: skip
        self.best_epoch, self.best_accuracy = -1, -1.0
        self.history: list[dict[str, float]] = []

    def epoch(self, number: int, rng: np.random.Generator) -> None:
        """Train once on every window, validate, and keep what is best."""
        order = rng.permutation(len(self.train_windows))
        chunks = np.array_split(order, max(1, order.size // self.config.batch_size))  # none of one window
        self.model.train()
        self.head.train()
        losses = [self._step(number, chunk) for chunk in chunks]
        self.model.eval()
        self.head.eval()
        accuracy = self._accuracy()
        self.history.append({"epoch": number, "loss": float(np.mean(losses)), "accuracy": accuracy})
        if accuracy > self.best_accuracy:
            self.best_epoch, self.best_accuracy = number, accuracy
            self.best_model = copy.deepcopy(self.model).cpu()
            state = {name: tensor.detach().cpu().numpy() for name, tensor in self.head.state_dict().items()}
            self.best_head = (ExpertHead if self.config.experts else Head).from_state(self.classes, state)

    def _step(self, epoch: int, index: npt.NDArray[np.intp]) -> float:
        batch = make_batch(self.subject.store, self.model.contract, self.train_windows, index)
        self.optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self._logits(batch), batch.label.to(self.subject.device))
        if isinstance(self.head, Experts):
            loss = loss + self.config.balance * self.head.balance
        if not torch.isfinite(loss):
            takes = sorted({self.subject.store.entries[e].name for e in self.train_windows.entry[index].tolist()})
            raise InputError(
                f"In epoch {epoch} the loss is not finite, on windows of {', '.join(takes[:5])}.",
                "Nothing was written. Look at these recordings, or fine-tune with a smaller --rate.",
            )
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def _accuracy(self) -> float:
        given = [self._logits(batch).argmax(dim=1).cpu().numpy() for batch in self.subject.batches(self.valid_windows)]
        return class_scores(self.valid_windows.label, np.concatenate(given), len(self.classes.names)).accuracy

    def _logits(self, batch: Batch) -> Tensor:
        moved = batch.to(self.subject.device)
        embedded = self.model.embed_imu(moved.imu, self.model.sensors_kept(moved.imu_mask))
        logits: Tensor = self.head(_vector(embedded))
        return logits


def _vector(embedded: Embedded) -> Tensor:
    """(B, D): the whole vector, or the local ones side by side, as `kinebind.tasks.embed.Embeddings.whole`."""
    if embedded.whole is not None:
        return embedded.whole
    assert embedded.local is not None, "a model has whole vectors or local ones"
    return F.normalize(embedded.local, dim=-1).flatten(1)


def save_tuned(tuned: Tuned, folder: str | Path) -> tuple[Path, Path]:
    """Write model and head into a folder, which is made; their paths. Raises InputError where it cannot be written."""
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make {target}: {error.strerror}.", "Choose another folder.") from error
    save_model(tuned.model, target / BEST)
    tensors = {name: torch.from_numpy(values.copy()) for name, values in tuned.head.state().items()}
    with written_whole(target / HEAD) as part:
        try:
            save_file(tensors, part, metadata={_KEY: json.dumps(tuned.head.classes.names)})
        except SafetensorError as error:
            raise OSError(None, str(error)) from error
    return target / BEST, target / HEAD


def load_head(path: str | Path) -> Head | ExpertHead:
    """A head that `save_tuned` wrote; raises InputError where the file is missing, damaged or of another kind."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            names = json.loads((file.metadata() or {}).get(_KEY, "null"))
            state = {name: file.get_tensor(name) for name in file.keys()} if names else {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.", "Check the path.") from error
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise InputError(f"{path} is not a whole head ({error}).", "Fine-tune again.") from error
    if not names:
        raise InputError(f"{path} is a safetensors file, but no head.", "Give the head.safetensors of a fine-tuning.")
    return (ExpertHead if "gate.weight" in state else Head).from_state(Classes(tuple(names)), state)
