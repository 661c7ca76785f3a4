"""What a trained model makes of windows and of whole streams, as numpy arrays that the tasks take.

The model is not trained here: it is in evaluation mode, and no gradient is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kinebind.errors import InputError
from kinebind.nn.contract import Batch
from kinebind.nn.model import Embedded, Model
from kinebind.tasks.retrieve.similarity import unit
from kinebind.tasks.sync.token_stream import BoolArray, TokenStream, stitched

Float32 = npt.NDArray[np.float32]
_AT_ONCE = 256  # windows that are embedded together
_MOST_PHASES = 5


@dataclass(frozen=True, eq=False)
class Embeddings:
    """M windows of one modality, embedded.

    whole (M, D): one vector a window; of a model that has none, the local ones side by side, each of length one.
    local (M, N, D) or None, one vector a sensor or part, zeros where absent. present (M, N): sensor or part is there.
    """

    whole: Float32
    local: Float32 | None
    present: BoolArray


@dataclass(frozen=True, eq=False)
class Pairs:
    """M windows of both modalities, with their label (M,), −1 for none, and clip (M,): which window of the data."""

    imu: Embeddings
    pose: Embeddings
    label: npt.NDArray[np.int64]
    clip: npt.NDArray[np.int64]


def embed_windows(
    model: Model, batches: Iterable[Batch], device: str = "cpu", dropped: int = 0, seed: int = 0
) -> Pairs:
    """Both modalities of all windows, in their order.

    dropped: sensors that each window loses, drawn at random; one always stays. seed: of that draw, which does not
    depend on how windows are batched. Raises InputError where there are no windows.
    """
    imu, pose, labels, clips = [], [], [], []
    for batch in batches:
        moved = batch.replace(imu_mask=drop_exactly(batch.imu_mask, dropped, batch.clip, seed)).to(device)
        with _frozen(model, device):
            imu.append(_embeddings(model.embed_imu(moved.imu, moved.imu_mask)))
            pose.append(_embeddings(model.embed_pose(moved.pose, moved.pose_mask)))
        labels.append(batch.label.numpy())
        clips.append(batch.clip.numpy())
    if not imu:
        raise InputError("There are no windows to embed.", "Check that the split is not empty.")
    return Pairs(_joined(imu), _joined(pose), np.concatenate(labels), np.concatenate(clips))


def drop_exactly(imu_mask: Tensor, count: int, clip: Tensor, seed: int = 0) -> Tensor:
    """imu_mask (B, N) bool less `count` sensors a window, at random by its number in clip (B,); one always stays.

    Unlike `kinebind.nn.drop_sensors`, which training uses, it drops so many in every window.

    >>> drop_exactly(torch.ones(3, 4, dtype=torch.bool), 3, torch.arange(3)).sum(dim=1).tolist()
    [1, 1, 1]
    >>> drop_exactly(torch.tensor([[True, False, True]]), 2, torch.tensor([0])).sum().item()
    1
    """
    if not 0 <= count < imu_mask.shape[1]:
        raise InputError(f"{count} of {imu_mask.shape[1]} sensors cannot be dropped.", "At least one must stay.")
    if count == 0:
        return imu_mask
    draws = np.stack([np.random.default_rng([seed, int(c)]).random(imu_mask.shape[1]) for c in clip])
    there = imu_mask.numpy()
    order = np.where(there, draws, 2.0).argsort(axis=1).argsort(axis=1)  # absent sensors come last
    lost = np.minimum(count, there.sum(axis=1) - 1)
    return torch.from_numpy(there & (order >= lost[:, None]))


@dataclass(frozen=True, eq=False)
class Places:
    """What a token's place in its window adds to it, the mean over many windows: imu, pose (N, T, D).

    None of a model without tokens. `TokenStream`s are made without it, as it is the same at every lag.
    """

    imu: Float32 | None
    pose: Float32 | None


def token_places(model: Model, batches: Iterable[Batch], device: str = "cpu") -> Places:
    """The mean tokens of windows, best of those the model was trained on; masked tokens do not count."""
    sums: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for batch in batches:
        moved = batch.to(device)
        with _frozen(model, device):
            both = {
                "imu": model.embed_imu(moved.imu, moved.imu_mask),
                "pose": model.embed_pose(moved.pose, moved.pose_mask),
            }
        for name, embedded in both.items():
            if embedded.tokens is None or embedded.token_mask is None:
                continue
            mask = embedded.token_mask.cpu().numpy()[..., None]
            total = (_numpy(embedded.tokens) * mask).sum(axis=0, dtype=np.float64)
            before = sums.get(name, (np.zeros_like(total), np.zeros(mask.shape[1:])))
            sums[name] = before[0] + total, before[1] + mask.sum(axis=0)
    means = {name: (total / np.maximum(count, 1)).astype(np.float32) for name, (total, count) in sums.items()}
    return Places(means.get("imu"), means.get("pose"))


def imu_stream(
    model: Model,
    imu: Float32,
    *,
    hop: int | None = None,
    phases: int | None = None,
    places: Places | None = None,
    device: str = "cpu",
) -> TokenStream:
    """The tokens of sensors along their whole length, from overlapping windows.

    imu (N, C, S) float32 at the contract's rate; missing is NaN, and a sensor with a missing sample is absent from
    the windows that hold it. hop: from window to window, tokens; by default as `hops` has it. phases: of a token, in
    which the stream is embedded, a divisor of the samples in a patch; by default the largest up to 5.
    Of a model without tokens, each window's vector is one, and the hop is one token.
    Raises InputError where the stream is shorter than a window, or the shapes are not the contract's.
    """
    patch = model.contract.imu_patch
    phases = divisor(patch) if phases is None else phases
    if phases < 1 or patch % phases:
        raise InputError(f"A patch of {patch} samples has no {phases} phases.", f"Use a divisor of {patch}.")
    there = np.asarray(np.isfinite(imu).all(axis=1))  # (N, S)
    place = places.imu if places else None
    return _stream(model, "imu", imu, there, patch, hop, phases, place, device)


def pose_stream(
    model: Model,
    pose: Float32,
    seen: BoolArray,
    *,
    hop: int | None = None,
    places: Places | None = None,
    device: str = "cpu",
) -> TokenStream:
    """The tokens of a person's parts along the whole track; pose (N, 6, S), seen (N, S). See `imu_stream`."""
    place = places.pose if places else None
    return _stream(model, "pose", pose, seen, model.contract.pose_patch, hop, 1, place, device)


def hops(tokens: int) -> tuple[int, int]:
    """From window to window, tokens: of the sensors, a fifth of a window, and of the poses, one token less.

    What a token's place in its window does to it, beyond its mean, is alike in both streams. Were their hops alike too,
    the same places would meet at every lag of whole hops, and those lags would win where the motion says little.

    >>> hops(25), hops(4), hops(1)
    ((5, 4), (2, 1), (1, 1))
    """
    own = min(max(tokens // 5, 2), tokens)
    return own, max(own - 1, 1)


def divisor(patch: int, most: int = _MOST_PHASES) -> int:
    """The largest divisor of a patch's samples that is at most `most`.

    >>> [divisor(patch) for patch in (10, 4, 12, 7)]
    [5, 4, 4, 1]
    """
    return max(k for k in range(1, most + 1) if patch % k == 0)


def sub_windows(
    model: Model, imu: Float32, pose: Float32, seen: BoolArray, hop: int = 1, device: str = "cpu"
) -> tuple[Float32, Float32]:
    """Whole vectors (K, D) of all windows of each stream that begin `hop` tokens apart, as the paper's voting wants.

    Shapes as in `imu_stream` and `pose_stream`. Raises InputError where a stream is shorter than a window.
    """
    there = np.asarray(np.isfinite(imu).all(axis=1))
    found = []
    for kind, values, mask in (("imu", imu, there), ("pose", pose, seen)):
        parts = list(_embedded(model, kind, values, mask, hop, device))
        found.append(_joined([_embeddings(part) for part in parts]).whole)
    return found[0], found[1]


def _stream(
    model: Model,
    kind: str,
    values: Float32,
    mask: BoolArray,
    patch: int,
    hop: int | None,
    phases: int,
    place: Float32 | None,
    device: str,
) -> TokenStream:
    c = model.contract
    count = values.shape[2] // patch  # tokens that are whole
    has_tokens = next(_embedded(model, kind, values, mask, max(count, 1), device)).tokens is not None
    if has_tokens:
        width, step = c.tokens, hop or hops(c.tokens)[kind == "pose"]
    else:  # each window is one token, so the next begins one token later
        width, step, count = 1, 1, count - c.tokens + 1
    own_tokens = c.tokens - width
    tokens, masks = [], []
    for phase in range(phases):
        first = phase * patch // phases
        # Windows reach beyond the end by what the last hop lacks; tokens that do are masked afterwards.
        reached = (count + -(count - width) % step + own_tokens) * patch + first
        beyond = max(reached - values.shape[2], 0)
        own = np.pad(values, ((0, 0), (0, 0), (0, beyond)), mode="edge")[:, :, first:reached]
        there = np.pad(mask, ((0, 0), (0, beyond)), mode="edge")[:, first:reached]
        found, valid = zip(*(_tokens(part) for part in _embedded(model, kind, own, there, step, device)), strict=True)
        joined, known = np.concatenate(found), np.concatenate(valid)  # (W, N, T, D), (W, N, T)
        if has_tokens:
            sequence, at = stitched(joined, known, step, place)
        else:
            sequence, at = joined[:, :, 0].transpose(1, 0, 2), known[:, :, 0].T
        at[:, (values.shape[2] - first) // patch - own_tokens :] = False
        tokens.append(sequence[:, :count].astype(np.float32))
        masks.append(at[:, :count])
    return TokenStream(np.stack(tokens), np.stack(masks), 1.0 / c.patch_s)


def _tokens(embedded: Embedded) -> tuple[Float32, BoolArray]:
    """Tokens (W, N, T, D) and their mask (W, N, T); of a model without tokens its vectors as (W, 1, 1, D)."""
    if embedded.tokens is not None and embedded.token_mask is not None:
        return _numpy(embedded.tokens), embedded.token_mask.cpu().numpy()
    own = _embeddings(embedded)
    return own.whole[:, None, None], np.asarray(own.present.any(axis=1))[:, None, None]


def _embedded(model: Model, kind: str, values: Float32, mask: BoolArray, hop: int, device: str) -> Iterator[Embedded]:
    """Windows of values (N, C, S), mask (N, S), that begin `hop` tokens apart, embedded some at a time."""
    c = model.contract
    size, patch = (c.imu_samples, c.imu_patch) if kind == "imu" else (c.pose_samples, c.pose_patch)
    if values.shape[2] < size:
        raise InputError(
            f"A stream of {values.shape[2] / size * c.window_s:.2f} s is shorter than the model's window of "
            f"{c.window_s:g} s.",
            "Give a longer stretch.",
        )
    windows = np.lib.stride_tricks.sliding_window_view(values, size, axis=2)[:, :, :: hop * patch]  # (N, C, W, size)
    masks = np.lib.stride_tricks.sliding_window_view(mask, size, axis=1)[:, :: hop * patch]  # (N, W, size)
    for start in range(0, windows.shape[2], _AT_ONCE):
        x = windows[:, :, start : start + _AT_ONCE].transpose(2, 0, 1, 3).copy()
        m = masks[:, start : start + _AT_ONCE].transpose(1, 0, 2).copy()
        with _frozen(model, device):
            if kind == "imu":
                there = np.asarray(m.all(axis=2))
                x[~there] = 0.0
                found = model.embed_imu(torch.from_numpy(x).to(device), torch.from_numpy(there).to(device))
            else:
                found = model.embed_pose(torch.from_numpy(x).to(device), torch.from_numpy(m).to(device))
        yield found


@contextlib.contextmanager
def _frozen(model: Model, device: str) -> Iterator[None]:
    """A model in evaluation mode on a device, without gradients, for the length of a block."""
    was_training = model.training
    model.eval().to(device)
    with torch.no_grad():
        yield
    model.train(was_training)


def _embeddings(embedded: Embedded) -> Embeddings:
    present = embedded.present.cpu().numpy()
    local = None if embedded.local is None else _numpy(embedded.local)
    if embedded.whole is not None:
        return Embeddings(_numpy(embedded.whole), local, present)
    assert local is not None, "a model has whole vectors or local ones"
    return Embeddings(unit(local).reshape(len(local), -1).astype(np.float32), local, present)


def _joined(parts: list[Embeddings]) -> Embeddings:
    local = None if parts[0].local is None else np.concatenate([p.local for p in parts if p.local is not None])
    return Embeddings(np.concatenate([p.whole for p in parts]), local, np.concatenate([p.present for p in parts]))


def _numpy(tensor: Tensor | None) -> Float32:
    assert tensor is not None
    array: Float32 = tensor.float().cpu().numpy()
    return array
