"""What was found in a video frame by frame, before anybody is followed: arrays that can be kept on disk.

An hour of two people is some hundred megabytes of single precision, and twice that many objects; so whole videos stay
arrays, and a frame is taken out of them when it is looked at.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from kinebind.clock import FloatArray
from kinebind.store import written_whole
from kinebind.video.appearance import BINS
from kinebind.video.backend import Seen
from kinebind.video.camera_motion import Step

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class FrameFound:
    """One frame: when it is shown, who was seen, how the camera had moved, and whether a new shot begins.

    later: for each of `seen`, whether it was found by going back from a later frame.
    """

    time_s: float
    seen: tuple[Seen, ...]
    later: tuple[bool, ...]
    camera: Step
    cut: bool = False


class Found(Sequence[FrameFound]):
    """All frames of a video, in order."""

    def __init__(self) -> None:
        self._parts: list[Arrays] = []
        self._starts: list[int] = [0]

    def add(self, frames: Sequence[FrameFound]) -> None:
        """More frames, behind those that are there."""
        self.add_part(packed(frames))

    def add_part(self, part: Arrays) -> None:
        """The same, as `packed` or `read_part` gives them."""
        if part["time_s"].size:
            self._parts.append(part)
            self._starts.append(self._starts[-1] + int(part["time_s"].size))

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, at: int) -> FrameFound: ...
    @overload
    def __getitem__(self, at: slice) -> list[FrameFound]: ...
    def __getitem__(self, at: int | slice) -> FrameFound | list[FrameFound]:
        if isinstance(at, slice):
            return [self[k] for k in range(*at.indices(len(self)))]
        k = at + len(self) if at < 0 else at
        if not 0 <= k < len(self):
            raise IndexError(at)
        part = int(np.searchsorted(self._starts, k, side="right")) - 1
        return _frame(self._parts[part], k - self._starts[part])

    @property
    def time_s(self) -> FloatArray:
        """(F,) seconds."""
        return self._whole("time_s").astype(np.float64)

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """(F,) whether a new shot begins with the frame."""
        return self._whole("cut").astype(bool)

    @property
    def steps(self) -> list[Step]:
        """How the camera had moved, of each frame."""
        keys = self._whole("camera_key")
        return [Step(int(k), m) for k, m in zip(keys, self._whole("camera").reshape(-1, 2, 3), strict=True)]

    @property
    def sightings(self) -> int:
        """How many people were seen in all frames together."""
        return sum(int(part["frame"].size) for part in self._parts)

    def _whole(self, name: str) -> npt.NDArray[Any]:
        return np.concatenate([np.zeros(0), *(part[name].ravel() for part in self._parts)])


def packed(frames: Sequence[FrameFound]) -> Arrays:
    """Frames as arrays; coordinates in single precision."""
    seen = [(k, person, later) for k, f in enumerate(frames) for person, later in zip(f.seen, f.later, strict=True)]
    return {
        "time_s": np.array([f.time_s for f in frames], dtype=np.float64),
        "cut": np.array([f.cut for f in frames], dtype=bool),
        "camera_key": np.array([f.camera.key for f in frames], dtype=np.int64),
        "camera": np.array([f.camera.from_key for f in frames], dtype=np.float64).reshape(-1, 2, 3),
        "frame": np.array([k for k, _, _ in seen], dtype=np.int64),
        "later": np.array([later for _, _, later in seen], dtype=bool),
        "keypoints": _stacked((p.keypoints for _, p, _ in seen), (17, 3)),
        "world_m": _stacked((p.world_m for _, p, _ in seen), (17, 3)),
        "colours": _stacked((p.colours for _, p, _ in seen), (BINS,)),
    }


def _stacked(rows: Iterable[FloatArray | None], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Rows of one shape; NaN for those that are not there."""
    filled = [np.full(shape, np.nan) if row is None else row for row in rows]
    return np.array(filled, dtype=np.float32).reshape(-1, *shape)


def write_part(path: Path, part: Arrays) -> None:
    """Packed frames as one file, whole or not at all."""
    with written_whole(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **part)  # type: ignore[arg-type]


def read_part(path: Path) -> Arrays:
    """The frames of a file that `write_part` wrote; raises ValueError where it is another, or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            part: Arrays = {name: file[name] for name in file.files}
        count, seen = part["time_s"].size, part["frame"].size
        shapes = {
            "cut": (count,), "camera_key": (count,), "camera": (count, 2, 3), "later": (seen,),
            "keypoints": (seen, 17, 3), "world_m": (seen, 17, 3), "colours": (seen, BINS),
        }  # fmt: skip
        wrong = [name for name, shape in shapes.items() if part[name].shape != shape]
        if wrong:
            raise ValueError(f"{path}: {wrong[0]} has another shape")
        return part
    except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: {error}") from error


def _frame(part: Arrays, k: int) -> FrameFound:
    first, stop = np.searchsorted(part["frame"], [k, k + 1])
    seen = tuple(
        Seen(part["keypoints"][i].astype(np.float64), _there(part["world_m"][i]), _there(part["colours"][i]))
        for i in range(first, stop)
    )
    later = tuple(bool(late) for late in part["later"][first:stop])
    step = Step(int(part["camera_key"][k]), part["camera"][k])
    return FrameFound(float(part["time_s"][k]), seen, later, step, bool(part["cut"][k]))


def _there(row: npt.NDArray[np.float32]) -> FloatArray | None:
    return None if np.isnan(row).all() else row.astype(np.float64)
