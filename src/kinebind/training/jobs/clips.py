"""The clips of the synchronisation job: those of an annotation file, or drawn; and how they are cut from a store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.nn.contract import Contract
from kinebind.resample import resample_vectors
from kinebind.tasks.sync.annotations import CLIP_S, Annotation, draw_annotations
from kinebind.tasks.sync.token_stream import BoolArray
from kinebind.training.store import Entry, WindowStore
from kinebind.training.takes import Float32

_CONTEXT = 16  # frames on either side after which a spline has forgotten its neighbours


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip, cut. imu (N, C, S), NaN where missing; pose (N, 6, S); seen (N, S); offset_s: the truth, video time
    minus IMU time, both from the clip's own start."""

    imu: Float32
    pose: Float32
    seen: BoolArray
    offset_s: float


def drawn_clips(
    store: WindowStore, entries: Sequence[int], draws: int, seed: int, clip_s: float = CLIP_S
) -> list[tuple[int, Annotation]]:
    """Clips of takes (indices of entries), each `draws` times with an offset drawn anew.

    Raises InputError where all takes are shorter than a clip.
    """
    rng = np.random.default_rng(seed)
    found: list[tuple[int, Annotation]] = []
    longest_s = 0.0
    for e in entries:
        entry = store.entries[e]
        length_s = _length_s(entry, store.contract)
        longest_s = max(longest_s, length_s)
        if length_s >= clip_s:
            # An annotation's subject is one word, and its action is not empty.
            own = draw_annotations(0.0, length_s, f"take{e}", entry.name or "-", draws, rng, len(found), clip_s)
            found += [(e, clip) for clip in own]
    if not found:
        raise InputError(
            f"No recording lasts {clip_s:g} s, the length of a clip; the longest {longest_s:.1f} s.",
            "Give a shorter --clip, or longer recordings.",
        )
    return found


def annotated_clips(
    store: WindowStore, entries: Sequence[int], annotations: Sequence[Annotation]
) -> list[tuple[int, Annotation]]:
    """The clips of an annotation file, each with the take that it names; of several people in a take, all of them.

    A take is named by its name, meta "subject" or meta "take" ("subject15" is 15, "004" is 4); where it has a meta
    "activity", the action must name that too, by name or number. Activities are numbered from 1, or from 0 where one
    of the file's is 0. Raises InputError for a clip that names no take, and for one that reaches beyond its take.
    """
    zero = any(a.action.strip() == "0" for a in annotations)
    found = []
    for annotation in annotations:
        own = [e for e in entries if _is_of(store.entries[e], annotation, zero)]
        if not own:
            names = ", ".join(store.entries[e].name for e in entries[:8])
            raise InputError(
                f"Clip {annotation.index} is of '{annotation.subject}', '{annotation.action}', which the split lacks.",
                f"It has: {names}{' ...' if len(entries) > 8 else ''}. Use the data set and split of the file.",
            )
        for e in own:
            length_s = _length_s(store.entries[e], store.contract)
            first_s = min(annotation.start_s, annotation.pose_start_s)
            last_s = max(annotation.end_s, annotation.pose_end_s)
            if first_s < -1e-6 or last_s > length_s + 1.0 / store.contract.pose_rate_hz:
                raise InputError(
                    f"Clip {annotation.index} runs from {first_s:g} to {last_s:g} s, but {store.entries[e].name} "
                    f"lasts {length_s:.2f} s.",
                    "Use the annotation file that belongs to these data.",
                )
            found.append((e, annotation))
    return found


def cut(store: WindowStore, e: int, annotation: Annotation) -> Clip:
    """The clip of a take (index of the entry).

    The IMU's begins with the sample that is nearest to the start. The pose's is resampled to begin exactly where the
    offset says: were frames kept, their phase would tell the part of the offset that is finer than a frame.
    """
    contract, entry = store.contract, store.entries[e]
    length_s = annotation.end_s - annotation.start_s
    first = round(annotation.start_s * contract.imu_rate_hz)
    count = min(round(length_s * contract.imu_rate_hz), entry.imu_count - first)
    imu = store.imu[entry.imu_start + first : entry.imu_start + first + count]  # (S, N, C)
    imu_start_s = first / contract.imu_rate_hz
    pose, seen = _pose_from(store, entry, max(annotation.pose_start_s, 0.0), length_s)
    return Clip(
        np.ascontiguousarray(imu.transpose(1, 2, 0)), pose, seen, imu_start_s - max(annotation.pose_start_s, 0.0)
    )


def _pose_from(store: WindowStore, entry: Entry, start_s: float, length_s: float) -> tuple[Float32, BoolArray]:
    rate = store.contract.pose_rate_hz
    at: FloatArray = start_s * rate + np.arange(round(length_s * rate), dtype=np.float64)  # in frames
    at = at[at <= entry.pose_count - 1 + 1e-6]
    low, high = np.floor(at + 1e-6).astype(int), np.ceil(at - 1e-6).astype(int)
    first, stop = max(low[0] - _CONTEXT, 0), min(high[-1] + _CONTEXT, entry.pose_count - 1) + 1
    frames = slice(entry.pose_start + first, entry.pose_start + stop)
    pose, seen = store.pose[frames], store.seen[frames]  # (F, N, 6), (F, N)
    if abs(at[0] - low[0]) < 1e-6:
        own = pose[low - first]
    else:
        flat = pose.reshape(len(pose), -1).astype(np.float64)
        own = resample_vectors(np.arange(first, stop, dtype=np.float64) / rate, flat, at / rate).reshape(
            at.size, *pose.shape[1:]
        )
    both: npt.NDArray[np.bool_] = seen[low - first] & seen[high - first]
    return np.ascontiguousarray(own.transpose(1, 2, 0), dtype=np.float32), np.ascontiguousarray(both.T)


def _length_s(entry: Entry, contract: Contract) -> float:
    return min(entry.imu_count / contract.imu_rate_hz, entry.pose_count / contract.pose_rate_hz)


def _is_of(entry: Entry, annotation: Annotation, numbered_from_zero: bool) -> bool:
    names = {_plain(name) for name in (entry.name, entry.meta.get("subject"), entry.meta.get("take")) if name}
    if _plain(annotation.subject) not in names:
        return False
    activity, number = entry.meta.get("activity"), entry.meta.get("activity_number")
    if activity is None:
        return True
    if number is not None and annotation.action.isdigit():
        return int(annotation.action) == int(number) - numbered_from_zero
    return annotation.action == activity


def _plain(name: str) -> str:
    """A subject's or take's number where it has one, else its name: "subject15" and "15" are the same."""
    found = re.fullmatch(r"(?:subject|s|take)?_?0*(\d+)", name.strip().lower())
    return found[1] if found else name.strip().lower()
