"""Plain correlation in the jobs of the learned models: its cues, windowed, compared as embeddings are.

A window's vector holds both cues of every sensor, each of mean zero and length one, so that the cosine of two vectors
is the mean of the correlations of their cues. What is missing is zero, and has no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kinebind.bench import baselines
from kinebind.bench.mobind_takes import CUES_HZ, Cues
from kinebind.clock import FloatArray
from kinebind.store import written_whole
from kinebind.tasks.locate import How, locate_parts, locate_people
from kinebind.tasks.retrieve import retrieval
from kinebind.training.jobs.clips import drawn_clips
from kinebind.training.store import WindowStore
from kinebind.training.windows import Windows


def save_cues(path: Path, cues: Mapping[str, Cues]) -> None:
    """Write the cues of takes by their names."""
    arrays = {f"{name}/{kind}": getattr(own, kind) for name, own in cues.items() for kind in ("felt", "seen")}
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_cues(path: Path) -> dict[str, Cues]:
    """The cues by the takes' names."""
    with np.load(path, allow_pickle=False) as file:
        names = {key.rpartition("/")[0] for key in file.files}
        return {name: Cues(file[f"{name}/felt"], file[f"{name}/seen"]) for name in names}


def window_vectors(store: WindowStore, windows: Windows, cues: Mapping[str, Cues]) -> tuple[FloatArray, FloatArray]:
    """Vectors (W, N, D) of what the sensors feel, and of what is seen, for each window."""
    c = store.contract
    length = round(c.window_s * CUES_HZ)
    felt, seen = [], []
    for e, start in zip(windows.entry.tolist(), windows.pose_start.tolist(), strict=True):
        entry = store.entries[e]
        first = round((start - entry.pose_start) / c.pose_rate_hz * CUES_HZ)
        own = cues[entry.name]
        felt.append(_unit(own.felt[..., first : first + length]))
        seen.append(_unit(own.seen[..., first : first + length]))
    return np.stack(felt), np.stack(seen)


def _unit(signals: npt.NDArray[np.float32]) -> FloatArray:
    """(N, 2·U): each cue of mean zero and length one; zero where it is missing or does not change."""
    known = np.isfinite(signals)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    mean = np.where(known, signals, 0.0).sum(axis=-1, keepdims=True) / count
    centred = np.where(known, signals - mean, 0.0).astype(np.float64)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    out = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-9)
    return np.asarray(out.reshape(out.shape[0], -1))


def windowed_jobs(store: WindowStore, windows: Windows, cues: Mapping[str, Cues]) -> dict[str, float]:
    """Retrieval, and where several people are filmed together, people and parts, by correlation."""
    felt, seen = window_vectors(store, windows, cues)
    whole = felt.reshape(len(felt), -1), seen.reshape(len(seen), -1)
    metrics = retrieval(*whole).flat()
    entries = [store.entries[e] for e in windows.entry.tolist()]
    if not all("scene" in entry.meta for entry in entries):
        return metrics
    after = [start - entry.pose_start for start, entry in zip(windows.pose_start.tolist(), entries, strict=True)]
    scenes = [f"{entry.meta['scene']} {frames}" for entry, frames in zip(entries, after, strict=True)]
    clip = np.unique(scenes, return_inverse=True)[1].astype(np.int64)
    people = [entry.meta["person"] for entry in entries]
    worn, shown = np.asarray(felt.any(axis=-1)), np.asarray(seen.any(axis=-1))
    right = locate_people(*whole, clip, people).right
    hows: tuple[How, ...] = ("each", "together")
    for how in hows:
        metrics[f"people_accuracy_{how}"] = locate_people(*whole, clip, people, how).scores.accuracy
        metrics[f"parts_accuracy_{how}"] = locate_parts(felt, seen, worn, shown, how, right).scores.accuracy
    return metrics


def sync_errors_s(
    store: WindowStore, entries: list[int], cues: Mapping[str, Cues], draws: int, seed: int, clip_s: float
) -> FloatArray:
    """Absolute errors (K,) of the offset on the clips that the job of synchronisation draws with the same seed."""
    errors = []
    for e, annotation in drawn_clips(store, entries, draws, seed, clip_s):
        own = cues[store.entries[e].name]
        felt = _cut(own.felt, annotation.start_s, clip_s)
        seen = _cut(own.seen, annotation.pose_start_s, clip_s)
        most_s = clip_s - store.contract.window_s
        errors.append(abs(baselines.lag_of_cues_s(felt, seen, (-most_s, most_s)) - annotation.offset_s))
    return np.array(errors)


def _cut(signals: npt.NDArray[np.float32], start_s: float, length_s: float) -> FloatArray:
    """(N, 2, U) from exactly start_s on; between two samples, on the line through them."""
    at = start_s * CUES_HZ + np.arange(round(length_s * CUES_HZ))
    at = at[at <= signals.shape[-1] - 1]
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, signals.shape[-1] - 1)
    return np.asarray(signals[..., low] + (signals[..., high] - signals[..., low]) * (at - low))
