"""Windows: places in a store, chosen by split, label and what is there to see."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from kinebind.errors import InputError
from kinebind.nn.contract import Contract
from kinebind.training.settings import REST, SPLITS, DataConfig
from kinebind.training.store import NO_LABEL, WindowStore


@dataclass(frozen=True, eq=False)
class Windows:
    """W windows of one length in a store.

    entry (W,): the take it lies in. imu_start, pose_start (W,): its first sample in the store's arrays.
    label (W,): number of the class in `classes`, or −1. imu_mask (W, N) bool: sensors without a missing sample.
    part_seen (W, N) bool: parts seen in at least half of the frames.
    """

    entry: npt.NDArray[np.int64]
    imu_start: npt.NDArray[np.int64]
    pose_start: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    imu_mask: npt.NDArray[np.bool_]
    part_seen: npt.NDArray[np.bool_]
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.entry.size

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Windows:
        """The windows at an index or mask."""
        own = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "classes"}
        return Windows(**own, classes=self.classes)


def common_step(contract: Contract) -> tuple[int, int]:
    """IMU samples and pose frames in the shortest time that is a whole number of both: (10, 3) for 100 and 30 Hz."""
    ratio = Fraction(contract.imu_rate_hz / contract.pose_rate_hz).limit_denominator(10_000)
    return ratio.numerator, ratio.denominator


def windows_of(
    store: WindowStore,
    contract: Contract,
    data: DataConfig,
    entries: npt.ArrayLike | None = None,
    rng: np.random.Generator | None = None,
) -> Windows:
    """The windows of some takes (indices; by default all): every `data.stride_s`, up to the last full one.

    A window starts where both streams have a sample. With `rng` each take's first window starts at a random time
    below the stride. No window reaches from one take into another; a sensor with missing samples inside a window is
    absent from it, and a window is left out where no part has both its sensor and half of its frames, or, with
    `data.drop_unlabelled`, where no label covers most of it. A window's label is that of most of its frames.
    Raises InputError where a label in the store is no class of `data`.
    """
    store.check(contract)
    unit_imu, unit_pose = common_step(contract)
    unit_s = unit_pose / contract.pose_rate_hz
    stride = max(data.stride_s / unit_s, 1.0)
    length = contract.pose_samples // unit_pose  # of a window, in units: a patch is a whole number of them
    chosen = np.arange(len(store.entries)) if entries is None else np.asarray(entries, dtype=np.intp)
    at: list[tuple[npt.NDArray[np.int64], ...]] = [(np.zeros(0, dtype=np.int64),) * 3]
    for e in chosen:
        entry = store.entries[e]
        phase = 0.0 if rng is None else rng.uniform(0.0, stride)
        last = min(entry.imu_count // unit_imu, entry.pose_count // unit_pose) - length
        start = np.floor(phase + np.arange(max(0, int(last / stride) + 1)) * stride + 1e-6).astype(np.int64)
        start = start[start <= last]
        at.append((np.full(start.size, e), entry.imu_start + start * unit_imu, entry.pose_start + start * unit_pose))
    entry_of, imu_start, pose_start = (np.concatenate(column) for column in zip(*at, strict=True))
    missing = store.missing_imu_before
    imu_mask = missing[imu_start + contract.imu_samples] == missing[imu_start]
    frames = store.seen_before[pose_start + contract.pose_samples] - store.seen_before[pose_start]
    part_seen = 2 * frames >= contract.pose_samples
    found = Windows(
        entry_of, imu_start, pose_start, _labels(store, contract, data, pose_start, chosen), imu_mask, part_seen,
        data.names(store.label_names),
    )  # fmt: skip
    use = (imu_mask & part_seen).any(axis=1)
    return found.take(use & (found.label != NO_LABEL) if data.drop_unlabelled else use)


def _labels(
    store: WindowStore, contract: Contract, data: DataConfig, pose_start: npt.NDArray[np.int64], chosen: np.ndarray
) -> npt.NDArray[np.int64]:
    """(W,) class that most frames of a window have, −1 where most have none or there are no classes."""
    classes = data.names(store.label_names)
    if not classes:
        return np.full(pose_start.size, NO_LABEL)
    before = store.labels_before
    used = np.zeros(len(store.label_names), dtype=bool)
    for e in chosen:
        entry = store.entries[e]
        used |= (before[entry.pose_start + entry.pose_count] > before[entry.pose_start])[:-1]
    strange = [name for name, there in zip(store.label_names, used, strict=True) if there and name not in classes]
    if strange:
        raise InputError(
            f"The data have the label '{strange[0]}', which is no class of the recipe.",
            f"Add it to [data] classes, or rename it; they are: {', '.join(classes)}.",
        )
    number = np.array([classes.index(n) if n in classes else NO_LABEL for n in store.label_names] + [NO_LABEL])
    count = before[pose_start + contract.pose_samples] - before[pose_start]  # (W, K + 1)
    # On a draw no label wins: the last column comes first.
    winner: npt.NDArray[np.int64] = np.roll(number, 1)[np.roll(count, 1, axis=1).argmax(axis=1)]
    return winner


def entries_by_split(store: WindowStore, data: DataConfig) -> dict[str, npt.NDArray[np.intp]]:
    """The takes of "train", "val" and "test", by `data.group` of their meta; takes that no split wants are left out.

    Raises InputError where a take lacks that key.
    """
    found: dict[str, list[int]] = {name: [] for name in SPLITS}
    for e, entry in enumerate(store.entries):
        if data.group not in entry.meta:
            raise InputError(
                f"{entry.name} does not say its {data.group}, by which the recipe splits.",
                f"It says: {', '.join(entry.meta) or 'nothing'}. Set [data] group to one of these.",
            )
        split = data.split_of(entry.meta[data.group])
        if split is not None:
            found[split].append(e)
    return {name: np.array(indices, dtype=np.intp) for name, indices in found.items()}


def absent_groups(store: WindowStore, data: DataConfig) -> list[str]:
    """The groups that a recipe's splits name and the data do not have, as after half a download."""
    have = {entry.meta.get(data.group) for entry in store.entries}
    return [value for name in SPLITS for value in getattr(data, name) if value != REST and value not in have]


def split_windows(store: WindowStore, contract: Contract, data: DataConfig, split: str) -> Windows:
    """The windows of "train", "val" or "test". Raises InputError where there are none, saying which groups exist."""
    windows = windows_of(store, contract, data, entries_by_split(store, data)[split])
    if not len(windows):
        have = sorted({entry.meta[data.group] for entry in store.entries})
        raise InputError(
            f"The split {split} has no windows: it wants {data.group} {', '.join(getattr(data, split)) or 'none'}.",
            f"The data have {data.group} {', '.join(have)}; each window needs {contract.window_s:g} s in which a part "
            "has its sensor and is seen" + (", and a label." if data.drop_unlabelled else "."),
        )
    return windows
